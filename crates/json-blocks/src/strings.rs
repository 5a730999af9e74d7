//! Which quotes open and close strings, and what lies between them.

use crate::Masks;
use crate::classify::Classes;

/// What one block leaves to the next.
#[derive(Default)]
pub(crate) struct Strings {
    /// 1 if the first byte of the next block is escaped.
    escaped: u64,
    /// All ones if the next block begins inside a string.
    inside: u64,
}

impl Strings {
    #[inline(always)]
    pub(crate) fn masks(&mut self, classes: &Classes, prefix_xor: &impl Fn(u64) -> u64) -> Masks {
        let (escapes, escaped) = self.escapes(classes.backslashes);
        let quotes = classes.quotes & !escaped;
        // Between the first and the second quote, between the third and the fourth, ...
        let in_strings = prefix_xor(quotes) ^ self.inside;
        self.inside = 0_u64.wrapping_sub(in_strings >> 63);
        let outside = !(in_strings | quotes);
        let structural = classes.opening | classes.closing | classes.colons | classes.commas;
        Masks {
            opening_quotes: quotes & in_strings,
            closing_quotes: quotes & !in_strings,
            opening: classes.opening & outside,
            closing: classes.closing & outside,
            colons: classes.colons & outside,
            commas: classes.commas & outside,
            other: outside & !structural,
            escapes,
            control: classes.control,
        }
    }

    /// The backslashes that begin an escape, and the bytes behind them.
    #[inline(always)]
    fn escapes(&mut self, backslashes: u64) -> (u64, u64) {
        let mut escaped = self.escaped;
        if backslashes == 0 {
            self.escaped = 0;
            return (0, escaped);
        }
        let (mut escapes, mut rest) = (0, backslashes & !escaped);
        while rest != 0 {
            let first = rest & rest.wrapping_neg();
            escapes |= first;
            escaped |= first << 1;
            rest &= !(first | first << 1);
        }
        self.escaped = escapes >> 63;
        (escapes, escaped)
    }
}

/// In each bit the parity of the bits up to and including it.
#[inline(always)]
pub(crate) fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}
