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
    /// A power of two, at most half full.
    slots: Box<[Slot]>,
    /// What the keys are multiplied with to find their slots, by their buckets, a power of two: chosen so that no two names have the
    /// same slot.
    multipliers: Box<[u64]>,
    slot_shift: u32,
    bucket_shift: u32,
    /// Names of more than [`WHOLE_BYTES`], with their numbers.
    long_names: Vec<(Box<[u8]>, u32)>,
    /// Names for which there was no slot: others have the same key.
    odd_names: Vec<(Box<[u8]>, u32)>,
}

/// What a look-up compares is all of a name of up to so many bytes.
const WHOLE_BYTES: usize = 24;

/// The number of an empty slot.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: Key,
    number: u32,
}

/// Of a name: different for different names of up to [`WHOLE_BYTES`].
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    /// The first eight bytes, zeros behind a shorter name.
    first: u64,
    /// The bytes from 8 to 16 of a name that has them, else 0.
    second: u64,
    /// The last eight bytes; of a shorter name the first ones again.
    last: u64,
    length: u32,
}

/// The bytes of a name in its first word, by its length.
const WITHIN: [u64; 9] = {
    const fn within(length: u32) -> u64 {
        (1 << (8 * length)) - 1
    }
    [
        0,
        within(1),
        within(2),
        within(3),
        within(4),
        within(5),
        within(6),
        within(7),
        u64::MAX,
    ]
};

impl Key {
    /// The key of the name that lies there.
    #[inline(always)]
    fn at(text: &[u8], start: usize, end: usize) -> Self {
        let first = text.get(start..).and_then(<[u8]>::first_chunk);
        let last = text.get(..end).and_then(<[u8]>::last_chunk);
        match (first, last) {
            (Some(first), Some(last)) => Self::from_ends(first, last, end.wrapping_sub(start)),
            _ => Self::of(text.get(start..end).unwrap_or_default()),
        }
    }

    #[cold]
    fn of(name: &[u8]) -> Self {
        let mut first = [0; 16];
        first
            .iter_mut()
            .zip(name)
            .for_each(|(to, from)| *to = *from);
        Self::from_ends(&first, name.last_chunk().unwrap_or(&[0; 8]), name.len())
    }

    /// From the bytes that begin with the name and those that end with it.
    #[inline(always)]
    fn from_ends(first: &[u8; 16], last: &[u8; 8], length: usize) -> Self {
        let both = u128::from_le_bytes(*first);
        let within = WITHIN.get(length.min(8)).copied().unwrap_or_default();
        let first = both as u64 & within;
        let last = u64::from_le_bytes(*last);
        Key {
            first,
            second: if length < 16 { 0 } else { (both >> 64) as u64 },
            last: if length < 8 { first } else { last },
            length: length as u32,
        }
    }

    #[inline(always)]
    fn mixed(&self) -> u64 {
        let ends = self.first ^ self.second.rotate_left(41) ^ self.last.rotate_left(23);
        ends ^ u64::from(self.length)
    }

    #[inline(always)]
    fn equals(&self, other: &Self) -> bool {
        let lengths = u64::from(self.length ^ other.length);
        let words = (self.first ^ other.first) | (self.last ^ other.last);
        words | (self.second ^ other.second) | lengths == 0
    }
}

/// What a look-up knows of a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LookedUp {
    pub(crate) number: u32,
    /// `false`: it is none of the names, and the number means nothing.
    pub(crate) is_found: bool,
    /// Whether it is the name that was found remains to be seen: only its ends were compared.
    pub(crate) is_doubtful: bool,
}

impl NameTable {
    /// From names that are all different, with numbers below `u32::MAX`.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n [u8], u32)>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let mut table = NameTable::default();
        if names.is_empty() {
            return table;
        }
        let size = (names.len() * 2).next_power_of_two().max(8);
        let buckets = (size / 4).max(2);
        table.slot_shift = u64::BITS - size.trailing_zeros();
        table.bucket_shift = u64::BITS - buckets.trailing_zeros();
        table.multipliers = vec![BUCKETS; buckets].into();
        table.slots = vec![Slot::EMPTY; size].into();
        let mut in_buckets: Vec<Vec<(&[u8], u32)>> = vec![Vec::new(); buckets];
        for (name, number) in names {
            if name.len() > WHOLE_BYTES {
                table.long_names.push((name.into(), number));
            }
            let mixed = Key::of(name).mixed();
            let is_same = |(known, _): &(&[u8], u32)| Key::of(known).mixed() == mixed;
            match in_buckets.get_mut(table.bucket(mixed)) {
                // No multiplier tells two of the same apart.
                Some(bucket) if !bucket.iter().any(is_same) => bucket.push((name, number)),
                _ => table.odd_names.push((name.into(), number)),
            }
        }
        // The fuller a bucket, the more free slots it needs.
        let mut order: Vec<_> = in_buckets.into_iter().enumerate().collect();
        order.sort_by_key(|(_, keys)| std::cmp::Reverse(keys.len()));
        for (bucket, mut names) in order {
            while !table.settle(bucket, &names) {
                let odd = names.pop().map(|(name, number)| (name.into(), number));
                table.odd_names.extend(odd);
            }
        }
        table
    }

    /// Gives the names of a bucket slots that are free. `false` if that cannot be done.
    fn settle(&mut self, bucket: usize, names: &[(&[u8], u32)]) -> bool {
        let keys: Vec<Key> = names.iter().map(|(name, _)| Key::of(name)).collect();
        let mut multiplier = BUCKETS;
        for _ in 0..MOST_TRIES {
            multiplier = (multiplier ^ multiplier >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
            let slots = keys.iter().map(|key| self.slot(key.mixed(), multiplier));
            let slots: Vec<usize> = slots.collect();
            let is_free = |(at, slot): (usize, &usize)| {
                let free = self
                    .slots
                    .get(*slot)
                    .is_some_and(|slot| slot.number == NONE);
                free && !slots.iter().take(at).any(|other| other == slot)
            };
            if !slots.iter().enumerate().all(is_free) {
                continue;
            }
            for ((slot, key), (_, number)) in slots.into_iter().zip(&keys).zip(names) {
                if let Some(slot) = self.slots.get_mut(slot) {
                    (slot.key, slot.number) = (*key, *number);
                }
            }
            if let Some(known) = self.multipliers.get_mut(bucket) {
                *known = multiplier;
            }
            return true;
        }
        false
    }

    #[inline(always)]
    fn bucket(&self, mixed: u64) -> usize {
        (mixed.wrapping_mul(BUCKETS) >> (self.bucket_shift & 63)) as usize
    }

    #[inline(always)]
    fn slot(&self, mixed: u64, multiplier: u64) -> usize {
        (mixed.wrapping_mul(multiplier) >> (self.slot_shift & 63)) as usize
    }

    /// Is there no name?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Does a look-up know all names?
    pub(crate) fn is_plain(&self) -> bool {
        self.odd_names.is_empty()
    }

    /// The number of a name.
    pub fn get(&self, name: &[u8]) -> Option<u32> {
        let among = |names: &[(Box<[u8]>, u32)]| {
            let mut names = names.iter();
            let found = names.find(|(known, _)| known.as_ref() == name);
            found.map(|(_, number)| *number)
        };
        if name.len() > WHOLE_BYTES {
            return among(&self.long_names);
        }
        let found = self.look_up(name, 0, name.len());
        match found.is_found {
            true => Some(found.number),
            false => among(&self.odd_names),
        }
    }

    /// Looks for the name that lies there, among all but the odd ones.
    #[inline(always)]
    pub(crate) fn look_up(&self, text: &[u8], start: usize, end: usize) -> LookedUp {
        let key = Key::at(text, start, end);
        let mixed = key.mixed();
        let multiplier = self.multipliers.get(self.bucket(mixed));
        let slot = multiplier.and_then(|multiplier| self.slots.get(self.slot(mixed, *multiplier)));
        LookedUp {
            number: slot.map_or(NONE, |slot| slot.number),
            is_found: slot.is_some_and(|slot| slot.key.equals(&key)),
            is_doubtful: key.length as usize > WHOLE_BYTES,
        }
    }
}

/// How often free slots are looked for: a bucket has one or two names.
const MOST_TRIES: usize = 200;

/// Odd, and with bits set here and there.
const BUCKETS: u64 = 0x9e37_79b9_7f4a_7c15;

impl Slot {
    const EMPTY: Slot = Slot {
        key: Key {
            first: 0,
            second: 0,
            last: 0,
            length: u32::MAX,
        },
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
                let found = table.look_up(&text, 20, 20 + name.len());
                if table.is_plain() && !(found.is_found && found.is_doubtful) {
                    let number = found.is_found.then_some(found.number);
                    assert_eq!(number, expected, "{}", name.escape_ascii());
                }
            }
        }
        assert_eq!(NameTable::new([]).get(b""), None);
    }

    #[test]
    fn names_as_people_give_them_have_slots_of_their_own() {
        for count in [1, 2, 3, 10, 100, 1000, 5000] {
            let names: Vec<String> = (0..count)
                .map(|number| {
                    format!(
                        "{}{}",
                        ["event", "requestParameter", "x"][number % 3],
                        number
                    )
                })
                .collect();
            let table = NameTable::new(names.iter().map(String::as_bytes).zip(0..));
            assert!(table.is_plain(), "{count}: {:?}", table.odd_names);
        }
    }
}
