//! Where strings and structural characters stand in JSON, 64 bytes at a time.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! struct Colons(Vec<usize>);
//!
//! impl json_blocks::Visitor for Colons {
//!     fn block(&mut self, offset: usize, masks: &json_blocks::Masks) -> ControlFlow<()> {
//!         let places = (0..64).filter(|bit| masks.colons >> bit & 1 == 1);
//!         self.0.extend(places.map(|bit| offset + bit));
//!         ControlFlow::Continue(())
//!     }
//! }
//!
//! let mut colons = Colons(Vec::new());
//! json_blocks::visit(br#"{"a:b":1,"c":":"}"#, &mut colons);
//! assert_eq!(colons.0, [6, 12]);
//! ```
//!
//! A block is 64 bytes, a mask one bit for each of them, the first byte in the lowest bit.
//! [`visit`] classifies each block (`classify`), finds the strings (`strings`) and hands the masks to a
//! [`Visitor`], compiled for the vector unit the processor turns out to have: AVX-512 or AVX2 on x86-64, NEON
//! on aarch64. [`visit_portable`] does the same without, a byte at a time: it is what the others are tested
//! against, and what runs elsewhere.
//!
//! Nothing is checked here: text that is not JSON gives masks that mean nothing behind its first fault.
//! Source: RFC 8259. Out of scope: the grammar.

mod classify;
mod strings;

use std::ops::ControlFlow;

use crate::classify::Classes;
use crate::strings::Strings;

/// Bytes in a block.
pub const BLOCK: usize = 64;

/// What stands where in one block. Bit `n` tells of byte `n`.
///
/// Every byte is either inside a string, a closing quote, one of the structural characters, or `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Masks {
    /// Quotes that open a string.
    pub opening_quotes: u64,
    /// Quotes that close one.
    pub closing_quotes: u64,
    /// From an opening quote to the byte before its closing quote.
    pub in_strings: u64,
    /// `{` outside of strings.
    pub opening_braces: u64,
    /// `}` outside of strings.
    pub closing_braces: u64,
    /// `[` outside of strings.
    pub opening_brackets: u64,
    /// `]` outside of strings.
    pub closing_brackets: u64,
    /// `:` outside of strings.
    pub colons: u64,
    /// `,` outside of strings.
    pub commas: u64,
    /// Everything else outside of strings: numbers, `true`, white space, ...
    pub other: u64,
    /// Backslashes that begin an escape, not those that are escaped themselves.
    pub escapes: u64,
    /// Bytes below 0x20, wherever they stand.
    pub control: u64,
}

/// Takes the masks of one block after the other.
pub trait Visitor {
    /// The block that starts at `offset`; [`ControlFlow::Break`] ends the visit. Marked `#[inline(always)]`, it is
    /// compiled for the vector unit, too.
    fn block(&mut self, offset: usize, masks: &Masks) -> ControlFlow<()>;
}

/// Visits all blocks of a text that begins outside of a string. The last block is filled up with zeros, which are control
/// characters.
#[allow(
    unsafe_code,
    reason = "the compiler cannot know what the processor has"
)]
pub fn visit(text: &[u8], visitor: &mut impl Visitor) {
    #[cfg(target_arch = "x86_64")]
    {
        if classify::x86_64::has_avx512() {
            // SAFETY: the line above asked the processor for everything the function is compiled for.
            return unsafe { classify::x86_64::visit_avx512(text, visitor) };
        }
        if classify::x86_64::has_avx2() {
            // SAFETY: the line above asked the processor for everything the function is compiled for.
            return unsafe { classify::x86_64::visit_avx2(text, visitor) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the line above asked the processor for everything the function is compiled for.
        return unsafe { classify::aarch64::visit_neon(text, visitor) };
    }
    visit_portable(text, visitor);
}

/// [`visit`] without vector code.
pub fn visit_portable(text: &[u8], visitor: &mut impl Visitor) {
    visit_with(text, visitor, classify::portable, strings::prefix_xor);
}

/// [`visit`], with a way to classify a block and a way to compute in each bit the parity of the bits up to it.
#[inline(always)]
fn visit_with(
    text: &[u8],
    visitor: &mut impl Visitor,
    classify: impl Fn(&[u8; BLOCK]) -> Classes,
    prefix_xor: impl Fn(u64) -> u64,
) {
    let mut strings = Strings::default();
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut offset = 0;
    for block in blocks {
        let masks = strings.masks(&classify(block), &prefix_xor);
        if visitor.block(offset, &masks).is_break() {
            return;
        }
        offset += BLOCK;
    }
    if !rest.is_empty() {
        let mut block = [0; BLOCK];
        block
            .iter_mut()
            .zip(rest)
            .for_each(|(to, from)| *to = *from);
        let masks = strings.masks(&classify(&block), &prefix_xor);
        let _ = visitor.block(offset, &masks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct All(Vec<Masks>);

    impl Visitor for All {
        #[inline(always)]
        fn block(&mut self, offset: usize, masks: &Masks) -> ControlFlow<()> {
            assert_eq!(offset, self.0.len() * BLOCK);
            self.0.push(*masks);
            ControlFlow::Continue(())
        }
    }

    /// Byte by byte, with the state a person would keep.
    fn naive(text: &[u8]) -> Vec<Masks> {
        let (mut in_string, mut escaped) = (false, false);
        let mut all = Vec::new();
        let length = text.len().next_multiple_of(BLOCK);
        for (place, byte) in text
            .iter()
            .copied()
            .chain(std::iter::repeat(0))
            .take(length)
            .enumerate()
        {
            if place % BLOCK == 0 {
                all.push(Masks::default());
            }
            let masks = all.last_mut().unwrap();
            let bit = 1_u64 << (place % BLOCK);
            if byte < 0x20 {
                masks.control |= bit;
            }
            let was_escaped = std::mem::take(&mut escaped);
            if byte == b'\\' && !was_escaped {
                masks.escapes |= bit;
                escaped = true;
            }
            if byte == b'"' && !was_escaped {
                in_string = !in_string;
                match in_string {
                    true => masks.opening_quotes |= bit,
                    false => masks.closing_quotes |= bit,
                }
                if !in_string {
                    continue;
                }
            }
            if in_string {
                masks.in_strings |= bit;
                continue;
            }
            *match byte {
                b'{' => &mut masks.opening_braces,
                b'}' => &mut masks.closing_braces,
                b'[' => &mut masks.opening_brackets,
                b']' => &mut masks.closing_brackets,
                b':' => &mut masks.colons,
                b',' => &mut masks.commas,
                _ => &mut masks.other,
            } |= bit;
        }
        all
    }

    type Visit = fn(&[u8], &mut All);

    /// Every way this processor can go.
    #[allow(unsafe_code, reason = "as in `visit`")]
    fn ways() -> Vec<(&'static str, Visit)> {
        #[allow(unused_mut, reason = "not every machine has a vector unit we know")]
        let mut ways: Vec<(&'static str, Visit)> =
            vec![("chosen", visit), ("portable", visit_portable)];
        #[cfg(target_arch = "x86_64")]
        if classify::x86_64::has_avx2() {
            ways.push(("AVX2", |text, all| {
                // SAFETY: the processor was asked three lines above.
                unsafe { classify::x86_64::visit_avx2(text, all) }
            }));
        }
        ways
    }

    fn check(text: &[u8]) {
        let expected = naive(text);
        for (name, visit) in ways() {
            let mut all = All::default();
            visit(text, &mut all);
            assert_eq!(all.0, expected, "{name}: {:?}", text.escape_ascii());
        }
    }

    #[test]
    fn every_byte_is_classified_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in [0, 1, 31, 32, 62, 63, 64, 127] {
                let mut text = vec![b'a'; 130];
                text[place] = byte;
                check(&text);
            }
        }
    }

    #[test]
    fn runs_of_backslashes_end_where_they_end_across_blocks() {
        for before in 55..70 {
            for length in 0..20 {
                let mut text = vec![b'x'; before];
                text[3] = b'"';
                text.extend(std::iter::repeat_n(b'\\', length));
                text.extend(br#"",{"a":1}"#);
                check(&text);
            }
        }
    }

    #[test]
    fn a_visit_ends_when_the_visitor_says_so() {
        struct First(usize);
        impl Visitor for First {
            fn block(&mut self, _: usize, _: &Masks) -> ControlFlow<()> {
                self.0 += 1;
                ControlFlow::Break(())
            }
        }
        let mut first = First(0);
        visit(&[b'a'; 1000], &mut first);
        assert_eq!(first.0, 1);
        visit(b"", &mut first);
        assert_eq!(first.0, 1);
    }

    proptest! {
        #[test]
        fn all_ways_see_what_the_naive_one_sees(
            text in proptest::collection::vec(
                prop_oneof![
                    4 => proptest::sample::select(br#""\{}[]:, "#.to_vec()),
                    2 => any::<u8>(),
                    1 => Just(b'a'),
                ],
                0..400,
            ),
        ) {
            check(&text);
        }
    }
}
