//! A map from texts of patterns to numbers, looked up with the bytes of records.
//!
//! Records ask for values by the million and find few, so a look-up first asks whether any key has this length. Keys of up to
//! 16 bytes are two overlapping words, compared without a look at memory elsewhere.

/// The map. What is looked up is chosen by others, but nothing of it is ever inserted: it can cost comparisons with
/// keys, no more.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByteTable {
    /// A power of two, at most half full; empty if there are no keys.
    slots: Box<[Slot]>,
    /// One bit for each length, the last one for all from 63 on.
    lengths: u64,
    /// Some key has a U+FFFD, which is what bytes that are no UTF-8 read as.
    has_replacement: bool,
    /// Keys of more than 16 bytes, with their values.
    long_keys: Vec<(Box<[u8]>, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: Key,
    /// The value, or for long keys which one it is.
    value: u32,
}

const EMPTY: Slot = Slot {
    key: Key {
        first: 0,
        last: 0,
        length: u32::MAX,
    },
    value: 0,
};

/// Equal for equal keys; of different keys of up to 16 bytes different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    first: u64,
    last: u64,
    length: u32,
}

impl Key {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let length = bytes.len();
        let (first, last) = match bytes {
            [] => (0, 0),
            [a] => (u64::from(*a), 0),
            [a, .., c] if length < 4 => {
                let middle = bytes.get(1).copied().unwrap_or_default();
                (u64::from(*a) << 8 | u64::from(middle), u64::from(*c))
            }
            _ if length < 8 => (
                bytes
                    .first_chunk()
                    .map_or(0, |four| u64::from(u32::from_le_bytes(*four))),
                bytes
                    .last_chunk()
                    .map_or(0, |four| u64::from(u32::from_le_bytes(*four))),
            ),
            _ if length <= 16 => (
                word(bytes),
                bytes
                    .last_chunk()
                    .map_or(0, |eight| u64::from_le_bytes(*eight)),
            ),
            _ => {
                let (words, _) = bytes.as_chunks::<8>();
                let hash = words
                    .iter()
                    .fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
                (
                    hash,
                    bytes
                        .last_chunk()
                        .map_or(0, |eight| u64::from_le_bytes(*eight)),
                )
            }
        };
        Key {
            first,
            last,
            length: length as u32,
        }
    }

    #[inline]
    fn hash(self) -> u64 {
        mix(self.first ^ u64::from(self.length), self.last)
    }
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// Both halves of a product of 128 bits, folded.
#[inline]
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd6e8_feb8_6659_fd93);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of any bytes, well enough spread for a table.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    Key::of(bytes).hash()
}

impl ByteTable {
    /// From keys that are all different.
    pub(crate) fn new<'k>(entries: impl IntoIterator<Item = (&'k [u8], u32)>) -> Self {
        let entries: Vec<_> = entries.into_iter().collect();
        let mut table = ByteTable::default();
        if entries.is_empty() {
            return table;
        }
        table.slots = vec![EMPTY; (entries.len() * 2).next_power_of_two().max(8)].into();
        for (bytes, value) in entries {
            let key = Key::of(bytes);
            table.lengths |= length_bit(bytes.len());
            table.has_replacement |= memchr::memmem::find(bytes, "\u{fffd}".as_bytes()).is_some();
            let mut slot = Slot { key, value };
            if bytes.len() > 16 {
                slot.value = table.long_keys.len() as u32;
                table.long_keys.push((bytes.into(), value));
            }
            let mask = table.slots.len() - 1;
            let mut place = key.hash() as usize & mask;
            // INVARIANT: half of the slots stay empty, so this ends.
            while table.slots.get(place).is_some_and(|slot| !slot.is_empty()) {
                place = (place + 1) & mask;
            }
            if let Some(empty) = table.slots.get_mut(place) {
                *empty = slot;
            }
        }
        table
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The value of the key with this text. `text` is as it stands in a record, without escapes; what of it is no UTF-8 reads as
    /// U+FFFD.
    #[inline]
    pub(crate) fn get(&self, text: &[u8]) -> Option<u32> {
        if self.has_replacement {
            return self.get_exact(String::from_utf8_lossy(text).as_bytes());
        }
        self.get_exact(text)
    }

    #[inline]
    fn get_exact(&self, bytes: &[u8]) -> Option<u32> {
        if self.lengths & length_bit(bytes.len()) == 0 {
            return None;
        }
        let key = Key::of(bytes);
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = key.hash() as usize & mask;
        loop {
            let slot = self.slots.get(place)?;
            if slot.key == key {
                if bytes.len() <= 16 {
                    return Some(slot.value);
                }
                let long = self.long_keys.get(slot.value as usize);
                if let Some((_, value)) = long.filter(|(long, _)| long.as_ref() == bytes) {
                    return Some(*value);
                }
            } else if slot.is_empty() {
                return None;
            }
            place = (place + 1) & mask;
        }
    }
}

impl Slot {
    #[inline]
    fn is_empty(&self) -> bool {
        self.key.length == u32::MAX
    }
}

#[inline]
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_nothing_else() {
        let alphabet = b"ab\0\xff";
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for length in 0..5_u32 {
            for number in 0..alphabet.len().pow(length) {
                let byte = |place| alphabet[number / alphabet.len().pow(place) % alphabet.len()];
                keys.push((0..length).map(byte).collect());
            }
        }
        for length in [7, 8, 9, 15, 16, 17, 23, 24, 25, 62, 63, 64, 200] {
            for odd in 0..length {
                let mut key = vec![b'x'; length];
                key[odd] = b'y';
                keys.push(key);
            }
        }
        let (inside, outside): (Vec<_>, Vec<_>) = keys
            .iter()
            .enumerate()
            .partition(|(number, _)| number % 2 == 0);
        let table = ByteTable::new(
            inside
                .iter()
                .map(|(number, key)| (key.as_slice(), *number as u32)),
        );
        for (number, key) in inside {
            assert_eq!(
                table.get(key),
                Some(number as u32),
                "{}",
                key.escape_ascii()
            );
        }
        for (_, key) in outside {
            assert_eq!(table.get(key), None, "{}", key.escape_ascii());
        }
        assert_eq!(ByteTable::new([]).get(b""), None);
    }

    #[test]
    fn what_is_no_utf8_reads_as_the_replacement_character() {
        let table = ByteTable::new([("a\u{fffd}".as_bytes(), 7)]);
        assert_eq!(table.get(b"a\xff"), Some(7));
        assert_eq!(table.get("a\u{fffd}".as_bytes()), Some(7));
        assert_eq!(table.get(b"a"), None);
    }
}
