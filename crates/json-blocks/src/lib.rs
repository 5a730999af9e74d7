//! Where strings and structural characters stand in JSON, 64 bytes at a time.
//!
//! ```
//! use json_blocks::{Chosen, Masks, Visitor};
//!
//! struct Colons;
//!
//! impl Visitor for Colons {
//!     type State = usize;
//!
//!     fn block(&mut self, count: usize, _offset: usize, masks: &Masks) -> (usize, Chosen) {
//!         let chosen = Chosen { places: masks.colons, last: false };
//!         (count + masks.colons.count_ones() as usize, chosen)
//!     }
//! }
//!
//! let mut places = json_blocks::Places::default();
//! let count = json_blocks::visit(br#"{"a:b":1,"c":":"}"#, &mut Colons, 0, &mut places);
//! assert_eq!((count, places.offsets()), (2, &[6, 12][..]));
//! ```
//!
//! A block is 64 bytes, a mask one bit for each of them, the first byte in the lowest bit.
//! [`visit`] classifies each block (`classify`), finds the strings (`strings`), hands the masks to a [`Visitor`] and writes
//! down the places it chooses, all compiled for the vector unit the processor turns out to have: AVX-512 (with VBMI2) or AVX2 on x86-64,
//! NEON on aarch64. [`visit_portable`] does the same without, a byte at a time: it is what the others are tested
//! against, and what runs elsewhere.
//!
//! Nothing is checked here: text that is not JSON gives masks that mean nothing behind its first fault.
//! Source: RFC 8259. Out of scope: the grammar.

mod classify;
mod strings;

use crate::strings::Strings;

pub use crate::classify::Classes;

/// Bytes in a block.
pub const BLOCK: usize = 64;

/// What stands where in one block, strings told from the rest. Bit `n` tells of byte `n`.
///
/// Every byte is inside a string, a closing quote, one of the structural characters, or `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Masks {
    /// Quotes that open a string.
    pub opening_quotes: u64,
    /// Quotes that close one.
    pub closing_quotes: u64,
    /// `{` and `[` outside of strings.
    pub opening: u64,
    /// `}` and `]` outside of strings.
    pub closing: u64,
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
    /// What goes from block to block. It is handed on by value so that it can stay in registers, which the fields of a visitor cannot.
    type State: Copy;

    /// The block that starts at `offset`. Marked `#[inline(always)]`, it is compiled for the vector unit, too.
    fn block(&mut self, state: Self::State, offset: usize, masks: &Masks) -> (Self::State, Chosen);
}

/// What a visitor wants of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The places to write down.
    pub places: u64,
    /// No further block is wanted.
    pub last: bool,
}

/// The places that were chosen. Kept to be written again: it only grows.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Behind `count` there is scratch.
    offsets: Vec<u32>,
    bytes: Vec<u8>,
    count: usize,
}

impl Places {
    /// Offsets in the text, ascending.
    pub fn offsets(&self) -> &[u32] {
        self.offsets.get(..self.count).unwrap_or_default()
    }

    /// One of the offsets, without asking whether it is one of those written last.
    #[inline]
    pub fn offset(&self, place: usize) -> Option<usize> {
        self.offsets.get(place).map(|offset| *offset as usize)
    }

    /// The bytes that stand there.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }

    /// Room for every byte of a text to be chosen, and for a block that is written over.
    fn make_room(&mut self, text_bytes: usize) {
        let room = text_bytes.next_multiple_of(BLOCK) + BLOCK;
        if self.offsets.len() < room {
            self.offsets.resize(room, 0);
            self.bytes.resize(room, 0);
        }
        self.count = 0;
    }
}

/// Visits all blocks of a text that begins outside of a string and writes down the places that are chosen, in place of what was
/// there. The last block is filled up with zeros, which are control characters. Offsets are 32 bits wide: texts are shorter than
/// 4 GiB. Returns the state as the last block left it.
#[allow(
    unsafe_code,
    reason = "the compiler cannot know what the processor has"
)]
pub fn visit<V: Visitor>(
    text: &[u8],
    visitor: &mut V,
    state: V::State,
    places: &mut Places,
) -> V::State {
    #[cfg(target_arch = "x86_64")]
    {
        if classify::x86_64::has_avx512() {
            // SAFETY: the line above asked the processor for everything the function is compiled for.
            return unsafe { classify::x86_64::visit_avx512(text, visitor, state, places) };
        }
        if classify::x86_64::has_avx2() {
            // SAFETY: the line above asked the processor for everything the function is compiled for.
            return unsafe { classify::x86_64::visit_avx2(text, visitor, state, places) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    if classify::aarch64::has_neon() {
        // SAFETY: the line above asked the processor for everything the function is compiled for.
        return unsafe { classify::aarch64::visit_neon(text, visitor, state, places) };
    }
    visit_portable(text, visitor, state, places)
}

/// [`visit`] without vector code.
pub fn visit_portable<V: Visitor>(
    text: &[u8],
    visitor: &mut V,
    state: V::State,
    places: &mut Places,
) -> V::State {
    let unit = Unit {
        classify: Classes::of,
        prefix_xor: strings::prefix_xor,
        write: write_places,
    };
    visit_with(text, visitor, state, places, &unit)
}

/// Which of 64 bytes are which character, without regard to strings.
#[allow(
    unsafe_code,
    reason = "the compiler cannot know what the processor has"
)]
#[inline]
pub fn classify(block: &[u8; BLOCK]) -> Classes {
    #[cfg(target_arch = "x86_64")]
    if classify::x86_64::has_avx2() {
        // SAFETY: the line above asked the processor for everything the function is compiled for.
        return unsafe { classify::x86_64::avx2(block) };
    }
    #[cfg(target_arch = "aarch64")]
    if classify::aarch64::has_neon() {
        // SAFETY: the line above asked the processor for everything the function is compiled for.
        return unsafe { classify::aarch64::neon(block) };
    }
    Classes::of(block)
}

/// What a vector unit does in its own way.
struct Unit<C, P, W> {
    classify: C,
    /// In each bit the parity of the bits up to and including it.
    prefix_xor: P,
    /// Writes for each bit the offset (that of the block plus the number of the bit) and the byte, from the first slot on.
    write: W,
}

/// Where the places of one block go.
struct Slots<'a> {
    offsets: &'a mut [u32; BLOCK],
    bytes: &'a mut [u8; BLOCK],
}

#[inline(always)]
fn visit_with<V: Visitor>(
    text: &[u8],
    visitor: &mut V,
    mut state: V::State,
    places: &mut Places,
    unit: &Unit<
        impl Fn(&[u8; BLOCK]) -> Classes,
        impl Fn(u64) -> u64,
        impl Fn(u64, u32, &[u8; BLOCK], &mut Slots<'_>),
    >,
) -> V::State {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut tail = [0; BLOCK];
    let bytes = tail.iter_mut().zip(rest);
    bytes.for_each(|(to, from)| *to = *from);
    let tail = (!rest.is_empty()).then_some(&tail);

    places.make_room(text.len());
    let mut strings = Strings::default();
    let mut count = 0;
    let mut offset = 0;
    for block in blocks.iter().chain(tail) {
        let masks = strings.masks(&(unit.classify)(block), &unit.prefix_xor);
        let (next_state, chosen) = visitor.block(state, offset, &masks);
        state = next_state;
        let offsets = places
            .offsets
            .get_mut(count..)
            .and_then(<[u32]>::first_chunk_mut);
        let bytes = places
            .bytes
            .get_mut(count..)
            .and_then(<[u8]>::first_chunk_mut);
        if let (Some(offsets), Some(bytes)) = (offsets, bytes) {
            let mut slots = Slots { offsets, bytes };
            (unit.write)(chosen.places, offset as u32, block, &mut slots);
            count += chosen.places.count_ones() as usize;
        }
        if chosen.last {
            break;
        }
        offset += BLOCK;
    }
    places.count = count;
    state
}

/// Writes eight at a time, whether there are so many or not, since the processor guesses better that way: what is too much
/// is written over by the next call.
#[inline(always)]
fn write_places(mut bits: u64, offset: u32, block: &[u8; BLOCK], slots: &mut Slots<'_>) {
    let (offsets, _) = slots.offsets.as_chunks_mut::<8>();
    let (bytes, _) = slots.bytes.as_chunks_mut::<8>();
    for (offsets, bytes) in offsets.iter_mut().zip(bytes) {
        for (slot, byte) in offsets.iter_mut().zip(bytes) {
            let place = bits.trailing_zeros();
            *slot = offset + place;
            *byte = block.get(place as usize).copied().unwrap_or_default();
            bits &= bits.wrapping_sub(1);
        }
        if bits == 0 {
            return;
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keeps all masks, and chooses the structural characters.
    #[derive(Default)]
    struct All(Vec<Masks>);

    impl Visitor for All {
        type State = ();

        #[inline(always)]
        fn block(&mut self, (): (), offset: usize, masks: &Masks) -> ((), Chosen) {
            assert_eq!(offset, self.0.len() * BLOCK);
            self.0.push(*masks);
            let chosen = Chosen {
                places: structural(masks),
                last: false,
            };
            ((), chosen)
        }
    }

    fn structural(masks: &Masks) -> u64 {
        masks.opening | masks.closing | masks.colons | masks.commas
    }

    /// Byte by byte, with the state a person would keep.
    fn naive(text: &[u8]) -> Vec<Masks> {
        let (mut in_string, mut escaped) = (false, false);
        let mut all = Vec::new();
        let zeros = std::iter::repeat(0);
        let length = text.len().next_multiple_of(BLOCK);
        for (place, byte) in text.iter().copied().chain(zeros).take(length).enumerate() {
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
                continue;
            }
            if in_string {
                continue;
            }
            *match byte {
                b'{' | b'[' => &mut masks.opening,
                b'}' | b']' => &mut masks.closing,
                b':' => &mut masks.colons,
                b',' => &mut masks.commas,
                _ => &mut masks.other,
            } |= bit;
        }
        all
    }

    type Visit = fn(&[u8], &mut All, (), &mut Places);

    /// Every way this processor can go.
    #[allow(unsafe_code, reason = "as in `visit`")]
    fn ways() -> Vec<(&'static str, Visit)> {
        #[allow(unused_mut, reason = "not every machine has a vector unit we know")]
        let mut ways: Vec<(&'static str, Visit)> =
            vec![("chosen", visit), ("portable", visit_portable)];
        #[cfg(target_arch = "x86_64")]
        if classify::x86_64::has_avx2() {
            ways.push(("AVX2", |text, all, state, places| {
                // SAFETY: the processor was asked three lines above.
                unsafe { classify::x86_64::visit_avx2(text, all, state, places) }
            }));
        }
        ways
    }

    fn check(text: &[u8]) {
        let expected = naive(text);
        let places: Vec<u32> = (0_u32..)
            .step_by(BLOCK)
            .zip(&expected)
            .flat_map(|(offset, masks)| {
                let bits = structural(masks);
                (0..64)
                    .filter(move |bit| bits >> bit & 1 == 1)
                    .map(move |bit| offset + bit)
            })
            .collect();
        let bytes: Vec<u8> = places.iter().map(|place| text[*place as usize]).collect();
        for (name, visit) in ways() {
            let (mut all, mut written) = (All::default(), Places::default());
            visit(text, &mut all, (), &mut written);
            assert_eq!(all.0, expected, "{name}: {:?}", text.escape_ascii());
            assert_eq!(
                written.offsets(),
                places,
                "{name}: {:?}",
                text.escape_ascii()
            );
            assert_eq!(written.bytes(), bytes, "{name}: {:?}", text.escape_ascii());
        }
        if let Some(block) = text.first_chunk() {
            assert_eq!(classify(block), Classes::of(block));
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
    fn blocks_full_of_places_are_written_down() {
        for length in 0..200 {
            check(&vec![b','; length]);
            check(&vec![b'1'; length]);
        }
    }

    #[test]
    fn a_visit_ends_when_the_visitor_says_so() {
        struct First;
        impl Visitor for First {
            type State = usize;

            fn block(&mut self, count: usize, _: usize, _: &Masks) -> (usize, Chosen) {
                let chosen = Chosen {
                    places: 1,
                    last: true,
                };
                (count + 1, chosen)
            }
        }
        let mut places = Places::default();
        let count = visit(&[b'a'; 1000], &mut First, 0, &mut places);
        assert_eq!(
            (count, places.offsets(), places.bytes()),
            (1, &[0][..], &b"a"[..])
        );
        let count = visit(b"", &mut First, count, &mut places);
        assert_eq!(
            (count, places.offsets(), places.bytes()),
            (1, &[][..], &b""[..])
        );
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
