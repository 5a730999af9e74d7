//! Texts that were met before, and which tests held for them: a few texts make up most of a log file.

use crate::byte_table::mix;
use crate::trie::TestId;

/// Texts remembered, over all nodes. One that comes takes the place of the one with the same remainder of its hash.
const PLACES: usize = 4096;

/// Longer texts are not remembered.
pub(crate) const MOST_REMEMBERED_BYTES: usize = 256;

/// Up to this length what is kept of a text beside its place is all of it.
const WHOLE_BYTES: usize = 48;

/// How many places share the memory of one longer text: it is that of the last one that came.
const SHARING: usize = 4;

/// More outcomes than this are forgotten, all at once.
const MOST_OUTCOMES: usize = 1 << 18;

/// Texts of all nodes, with the tests that held.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextMemory {
    places: Vec<Known>,
    /// Texts of more than [`WHOLE_BYTES`], each with the place it belongs to.
    long_texts: Vec<(usize, Vec<u8>)>,
    outcomes: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    sample: Sample,
    /// Which tests were asked; 0 for none.
    tests: u32,
    /// Where in the outcomes, and how many there are and may be.
    outcome: u32,
    count: u16,
    room: u16,
}

/// The first, the middle and the last 16 bytes, and the length: all there is of texts of up to [`WHOLE_BYTES`].
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    parts: [u128; 3],
    length: u32,
}

impl Sample {
    #[inline]
    fn of(text: &[u8]) -> Self {
        let length = text.len() as u32;
        let at = |start| {
            let bytes: Option<&[u8; 16]> = text.get(start..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u128::from_le_bytes(*bytes))
        };
        let parts = match text.len().checked_sub(16) {
            Some(last) => [at(0), at(last / 2), at(last)],
            None => [short(text), 0, 0],
        };
        Sample { parts, length }
    }

    #[inline]
    fn equals(&self, other: &Self) -> bool {
        let [a, b, c] = self.parts;
        let [d, e, f] = other.parts;
        // One comparison in registers instead of a call.
        (a ^ d) | (b ^ e) | (c ^ f) | u128::from(self.length ^ other.length) == 0
    }

    #[inline]
    fn hash(&self, tests: u32) -> u64 {
        let [first, middle, last] = self.parts;
        let low = first ^ middle.rotate_left(17) ^ last.rotate_left(71);
        let few = u64::from(self.length) << 32 | u64::from(tests);
        mix(
            low as u64 ^ few.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            (low >> 64) as u64,
        )
    }
}

/// Up to 15 bytes as a number; different ones of the same length as different numbers.
#[inline]
fn short(text: &[u8]) -> u128 {
    let eight = |bytes: Option<&[u8; 8]>| bytes.map(|bytes| u64::from_le_bytes(*bytes));
    let four = |bytes: Option<&[u8; 4]>| bytes.map(|bytes| u32::from_le_bytes(*bytes));
    if let Some((first, last)) = eight(text.first_chunk()).zip(eight(text.last_chunk())) {
        return u128::from(last) << 64 | u128::from(first);
    }
    if let Some((first, last)) = four(text.first_chunk()).zip(four(text.last_chunk())) {
        return u128::from(last) << 64 | u128::from(first);
    }
    let bytes = text.iter();
    bytes.fold(0, |number, byte| number << 8 | u128::from(*byte))
}

impl TextMemory {
    pub(crate) fn prepare(&mut self) {
        if self.places.is_empty() {
            self.places.resize(PLACES, Known::default());
            self.long_texts.resize(PLACES / SHARING, (0, Vec::new()));
        }
    }

    /// Logs the tests that hold for a text of at most [`MOST_REMEMBERED_BYTES`] bytes, which `compute` finds if they are not known.
    /// `tests` is not 0 and tells which tests are asked.
    #[inline]
    pub(crate) fn log(
        &mut self,
        tests: u32,
        text: &[u8],
        log: &mut Vec<TestId>,
        compute: impl FnOnce(&mut Vec<TestId>),
    ) {
        let sample = Sample::of(text);
        let place = sample.hash(tests) as usize % PLACES;
        let known = self.places.get(place);
        let known = known.filter(|known| known.tests == tests && known.sample.equals(&sample));
        let long = self.long_texts.get(place / SHARING);
        let is_whole = || {
            text.len() <= WHOLE_BYTES
                || long.is_some_and(|(owner, long)| *owner == place && long == text)
        };
        if let Some(known) = known.filter(|_| is_whole()) {
            if known.count > 0 {
                let outcome = self.outcomes.get(known.outcome as usize..);
                let tests = outcome.and_then(|outcome| outcome.get(..usize::from(known.count)));
                log.extend(tests.into_iter().flatten().map(|test| *test as TestId));
            }
            return;
        }
        let logged = log.len();
        compute(log);
        self.remember(
            place,
            tests,
            sample,
            text,
            log.get(logged..).unwrap_or_default(),
        );
    }

    #[inline(never)]
    fn remember(
        &mut self,
        place: usize,
        tests: u32,
        sample: Sample,
        text: &[u8],
        holding: &[TestId],
    ) {
        let Ok(count) = u16::try_from(holding.len()) else {
            return;
        };
        if self.outcomes.len() > MOST_OUTCOMES {
            self.places.fill(Known::default());
            self.outcomes.clear();
        }
        let Some(known) = self.places.get_mut(place) else {
            return;
        };
        if known.room < count {
            known.outcome = self.outcomes.len() as u32;
            known.room = count;
            self.outcomes.resize(self.outcomes.len() + holding.len(), 0);
        }
        let outcome = self.outcomes.get_mut(known.outcome as usize..);
        let room = outcome.unwrap_or_default().iter_mut();
        room.zip(holding).for_each(|(to, test)| *to = *test as u32);
        *known = Known {
            sample,
            tests,
            count,
            ..*known
        };
        if text.len() > WHOLE_BYTES
            && let Some((owner, long)) = self.long_texts.get_mut(place / SHARING)
        {
            *owner = place;
            long.clear();
            long.extend(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is remembered is the length and the sum of the bytes, which tells the texts below apart.
    fn outcome(text: &[u8]) -> Vec<TestId> {
        let sum: usize = text
            .iter()
            .enumerate()
            .map(|(at, byte)| (at + 1) * usize::from(*byte))
            .sum();
        vec![text.len(), sum]
    }

    #[test]
    fn what_is_remembered_is_what_was_computed() {
        let mut memory = TextMemory::default();
        memory.prepare();
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for length in (0..70).chain([100, 255, 256]) {
            texts.push(vec![b'a'; length]);
            for odd in 0..length {
                let mut text = vec![b'a'; length];
                text[odd] = b'b';
                texts.push(text);
            }
        }
        let mut computed = 0;
        for _ in 0..3 {
            for text in &texts {
                for tests in 1..3 {
                    let expected: Vec<TestId> = outcome(text).repeat(tests as usize);
                    let mut log = vec![7];
                    memory.log(tests, text, &mut log, |log| {
                        computed += 1;
                        log.extend(&expected);
                    });
                    assert_eq!(
                        (log[0], &log[1..]),
                        (7, &expected[..]),
                        "{}",
                        text.escape_ascii()
                    );
                }
            }
        }
        assert!(computed < 3 * 2 * texts.len(), "something was remembered");
    }

    #[test]
    fn texts_that_differ_between_the_samples_are_told_apart() {
        let mut memory = TextMemory::default();
        memory.prepare();
        let text = |middle: &str| format!("{:0<20}{middle:-<60}{:z<16}", "", "").into_bytes();
        let (one, other) = (text("one"), text("other"));
        // Among so many there are some whose places share the memory of long texts.
        for tests in 2..10_000 {
            for (tests, text) in [(1, &one), (tests, &other), (1, &other), (tests, &one)] {
                let expected = [outcome(text), vec![tests as usize]].concat();
                let mut log = Vec::new();
                memory.log(tests, text, &mut log, |log| log.extend(&expected));
                assert_eq!(log, expected, "{tests}: {}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn outcomes_are_forgotten_before_they_are_too_many() {
        let mut memory = TextMemory::default();
        memory.prepare();
        let many: Vec<TestId> = (0..60_000).collect();
        for round in 0..100_u32 {
            let mut log = Vec::new();
            memory.log(1, &round.to_le_bytes(), &mut log, |log| log.extend(&many));
            assert_eq!(log, many);
        }
        assert!(memory.outcomes.len() <= MOST_OUTCOMES + many.len());
    }
}
