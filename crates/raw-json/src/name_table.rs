//! Names that are looked for among the members of objects, all at once.
//!
//! Records ask by the million and it cannot be foreseen which of their members is looked for: so a look-up is the same few steps for
//! every name, without a decision on the way ([`crate::IndexedMembers::find`]).

/// Names, each with a number. They are compared as bytes.
///
/// ```
/// let names = raw_json::NameTable::new([(&b"eventName"[..], 0), (b"eventSource", 1)]);
/// assert_eq!((names.get(b"eventSource"), names.get(b"eventTime")), (Some(1), None));
/// ```
#[derive(Debug, Clone, Default)]
pub struct NameTable {
    /// A power of two, then those that found their slot taken.
    slots: Box<[Slot]>,
    /// For each slot where to look next, or 0.
    next: Box<[u32]>,
    multiplier: u64,
    shift: u32,
    /// Names of more than [`WHOLE_BYTES`], with their numbers.
    long_names: Vec<(Box<[u8]>, u32)>,
}

/// What a look-up compares is all of a name of up to so many bytes.
const WHOLE_BYTES: usize = 24;

/// The number of an empty slot.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    words: [u64; 3],
    /// At most one more than [`WHOLE_BYTES`].
    length: u8,
    has_next: bool,
    number: u32,
}

/// Of a name: different for different names of up to [`WHOLE_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Key {
    /// The first, last and last but one eight bytes; those that a short name does not have are the first ones again.
    words: [u64; 3],
    length: usize,
}

impl Key {
    /// The key of the name that lies there.
    #[inline(always)]
    fn at(text: &[u8], start: usize, end: usize) -> Self {
        let length = end.wrapping_sub(start);
        match text.get(start..start + length.max(8)) {
            Some(bytes) => Self::from_bytes(bytes, length),
            None => Self::of(text.get(start..end).unwrap_or_default()),
        }
    }

    #[cold]
    fn of(name: &[u8]) -> Self {
        let mut bytes = [0; 8];
        bytes
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = *from);
        match name.len() {
            0..8 => Self::from_bytes(&bytes, name.len()),
            _ => Self::from_bytes(name, name.len()),
        }
    }

    /// From as many bytes as the name has, but at least 8.
    #[inline(always)]
    fn from_bytes(bytes: &[u8], length: usize) -> Self {
        let word = |start: usize| {
            let word = bytes.get(start..).and_then(<[u8]>::first_chunk);
            word.map_or(0, |word| u64::from_le_bytes(*word))
        };
        let beyond = u64::MAX.checked_shl(8 * length.min(8) as u32);
        let within = !beyond.unwrap_or_default();
        let words = [word(0), word(length.max(8) - 8), word(length.max(16) - 16)];
        Key {
            words: words.map(|word| word & within),
            length,
        }
    }

    #[inline(always)]
    fn slot(&self, multiplier: u64, shift: u32) -> usize {
        let [first, last, middle] = self.words;
        let mixed = first ^ last.rotate_left(23) ^ middle.rotate_left(41) ^ self.length as u64;
        (mixed.wrapping_mul(multiplier) >> (shift & 63)) as usize
    }
}

impl Slot {
    #[inline(always)]
    fn is_of(&self, key: &Key) -> bool {
        let [a, b, c] = self.words;
        let [d, e, f] = key.words;
        (a ^ d) | (b ^ e) | (c ^ f) | (usize::from(self.length) ^ key.length) as u64 == 0
    }
}

impl NameTable {
    /// From names that are all different, with numbers below `u32::MAX`.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n [u8], u32)>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        if names.is_empty() {
            return NameTable::default();
        }
        let long = names.iter().filter(|(name, _)| name.len() > WHOLE_BYTES);
        let mut table = NameTable {
            long_names: long
                .map(|(name, number)| ((*name).into(), *number))
                .collect(),
            ..NameTable::default()
        };
        // Whoever finds the slot taken costs a decision, so a few multipliers are tried.
        let mut fewest = usize::MAX;
        let size = (names.len() * 3).next_power_of_two().max(8);
        let shift = u64::BITS - size.trailing_zeros();
        let mut multiplier = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..32 {
            let mut taken = vec![false; size];
            let slot = |name: &[u8]| Key::of(name).slot(multiplier, shift);
            let displaced = names.iter().filter(|(name, _)| {
                let slot = taken.get_mut(slot(name));
                slot.is_none_or(|taken| std::mem::replace(taken, true))
            });
            let displaced = displaced.count();
            if displaced < fewest {
                (fewest, table.multiplier, table.shift) = (displaced, multiplier, shift);
            }
            if displaced == 0 {
                break;
            }
            multiplier = (multiplier ^ multiplier >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
        }
        table.fill(size, &names);
        table
    }

    fn fill(&mut self, size: usize, names: &[(&[u8], u32)]) {
        let mut slots = vec![Slot::EMPTY; size];
        let mut next = vec![0; size];
        for (name, number) in names {
            let key = Key::of(name);
            let slot = Slot {
                words: key.words,
                length: key.length.min(WHOLE_BYTES + 1) as u8,
                number: *number,
                ..Slot::EMPTY
            };
            let mut at = key.slot(self.multiplier, self.shift);
            if let Some(empty) = slots.get_mut(at).filter(|slot| slot.number == NONE) {
                *empty = slot;
                continue;
            }
            let end = slots.len() as u32;
            slots.push(slot);
            next.push(0);
            while let Some(behind) = next.get(at).filter(|next| **next != 0) {
                at = *behind as usize;
            }
            if let (Some(last), Some(behind)) = (slots.get_mut(at), next.get_mut(at)) {
                (last.has_next, *behind) = (true, end);
            }
        }
        (self.slots, self.next) = (slots.into(), next.into());
    }

    /// Is there no name?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The number of a name.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<u32> {
        let (number, is_found) = self.look_up(name, 0, name.len());
        is_found.then_some(number)
    }

    /// The number of the name that lies there, and whether it is one of those here; if not, the number means nothing.
    #[inline(always)]
    pub(crate) fn look_up(&self, text: &[u8], start: usize, end: usize) -> (u32, bool) {
        let key = Key::at(text, start, end);
        let place = key.slot(self.multiplier, self.shift);
        let Some(slot) = self.slots.get(place) else {
            return (NONE, false);
        };
        if slot.has_next || key.length > WHOLE_BYTES {
            return self.look_further(place, text.get(start..end).unwrap_or_default());
        }
        (slot.number, slot.is_of(&key))
    }

    #[cold]
    fn look_further(&self, mut place: usize, name: &[u8]) -> (u32, bool) {
        if name.len() > WHOLE_BYTES {
            let mut names = self.long_names.iter();
            let found = names.find(|(long, _)| long.as_ref() == name);
            return found.map_or((NONE, false), |(_, number)| (*number, true));
        }
        let key = Key::of(name);
        while let Some(slot) = self.slots.get(place) {
            if slot.is_of(&key) {
                return (slot.number, true);
            }
            match self.next.get(place) {
                Some(next) if slot.has_next => place = *next as usize,
                _ => break,
            }
        }
        (NONE, false)
    }
}

impl Slot {
    const EMPTY: Slot = Slot {
        words: [0; 3],
        length: u8::MAX,
        has_next: false,
        number: NONE,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_nothing_else() {
        let alphabet = b"ab\0\xff";
        let mut names: Vec<Vec<u8>> = Vec::new();
        for length in 0..5_u32 {
            for number in 0..alphabet.len().pow(length) {
                let byte = |place| alphabet[number / alphabet.len().pow(place) % alphabet.len()];
                names.push((0..length).map(byte).collect());
            }
        }
        for length in [7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 62, 63, 64, 200] {
            for odd in 0..length {
                let mut name = vec![b'x'; length];
                name[odd] = b'y';
                names.push(name);
            }
        }
        for step in [1, 2, 7, 100, 5000] {
            let numbered = || names.iter().zip(0_u32..);
            let inside = |number: u32| number.is_multiple_of(step);
            let table = NameTable::new(
                numbered()
                    .filter(|(_, number)| inside(*number))
                    .map(|(name, number)| (name.as_slice(), number)),
            );
            for (name, number) in numbered() {
                let expected = inside(number).then_some(number);
                assert_eq!(table.get(name), expected, "{}", name.escape_ascii());
                let mut text = b"0123456789abcdefghij".to_vec();
                text.extend(name);
                text.extend(b"0123456789abcdefghij");
                let (found, is_found) = table.look_up(&text, 20, 20 + name.len());
                assert_eq!(
                    is_found.then_some(found),
                    expected,
                    "{}",
                    name.escape_ascii()
                );
            }
        }
        assert_eq!(NameTable::new([]).get(b""), None);
    }
}
