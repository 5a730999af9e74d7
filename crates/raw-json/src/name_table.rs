//! Names that are looked for among the members of objects, all at once.
//!
//! Records ask by the million and it cannot be foreseen which of their members is looked for: so a look-up is the same few steps for
//! every name, without a decision on the way ([`crate::IndexedMembers::find`]).

use std::collections::HashMap;

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
    /// For each slot where to look next, or 0; empty if every name has a slot of its own.
    next: Box<[u32]>,
    multiplier: u64,
    shift: u32,
    /// Names of more than [`WHOLE_BYTES`], by their slots.
    long_names: HashMap<u32, Box<[u8]>>,
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
    fn slot(&self, multiplier: u64, shift: u32) -> usize {
        let ends = self.first ^ self.second ^ self.last.rotate_left(23);
        let mixed = ends ^ u64::from(self.length);
        (mixed.wrapping_mul(multiplier) >> (shift & 63)) as usize
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
        // Whoever finds the slot taken costs a decision, so a few multipliers are tried.
        let mut fewest = usize::MAX;
        let size = (names.len() * 3).next_power_of_two().max(8);
        let shift = u64::BITS - size.trailing_zeros();
        let mut multiplier = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..32 {
            let mut taken = vec![false; size];
            let displaced = names.iter().filter(|(name, _)| {
                let slot = taken.get_mut(Key::of(name).slot(multiplier, shift));
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
        if fewest == 0 {
            table.next = Box::default();
        }
        table
    }

    fn fill(&mut self, size: usize, names: &[(&[u8], u32)]) {
        let empty = Slot {
            key: Key {
                length: u32::MAX,
                ..Key::default()
            },
            number: NONE,
        };
        let mut slots = vec![empty; size];
        let mut next = vec![0; size];
        for (name, number) in names {
            let slot = Slot {
                key: Key::of(name),
                number: *number,
            };
            let mut at = slot.key.slot(self.multiplier, self.shift);
            match slots.get_mut(at) {
                Some(empty) if empty.number == NONE => *empty = slot,
                _ => {
                    while let Some(behind) = next.get(at).filter(|next| **next != 0) {
                        at = *behind as usize;
                    }
                    let end = slots.len();
                    if let Some(behind) = next.get_mut(at) {
                        *behind = end as u32;
                    }
                    slots.push(slot);
                    next.push(0);
                    at = end;
                }
            }
            if name.len() > WHOLE_BYTES {
                self.long_names.insert(at as u32, (*name).into());
            }
        }
        (self.slots, self.next) = (slots.into(), next.into());
    }

    /// Is there no name?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Has every name a slot of its own?
    pub(crate) fn is_plain(&self) -> bool {
        self.next.is_empty()
    }

    /// The number of a name.
    pub fn get(&self, name: &[u8]) -> Option<u32> {
        let key = Key::of(name);
        let mut place = key.slot(self.multiplier, self.shift);
        while let Some(slot) = self.slots.get(place) {
            let long_name = self.long_names.get(&(place as u32));
            if slot.key.equals(&key) && long_name.is_none_or(|long| long.as_ref() == name) {
                return Some(slot.number);
            }
            match self.next.get(place) {
                Some(next) if *next != 0 => place = *next as usize,
                _ => break,
            }
        }
        None
    }

    /// Looks for the name that lies there, among those that have a slot of their own.
    #[inline(always)]
    pub(crate) fn look_up(&self, text: &[u8], start: usize, end: usize) -> LookedUp {
        let key = Key::at(text, start, end);
        let slot = self.slots.get(key.slot(self.multiplier, self.shift));
        LookedUp {
            number: slot.map_or(NONE, |slot| slot.number),
            is_found: slot.is_some_and(|slot| slot.key.equals(&key)),
            is_doubtful: key.length as usize > WHOLE_BYTES,
        }
    }
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
}
