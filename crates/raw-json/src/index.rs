//! The fast way to whole, well-formed elements: one pass over 64 bytes at a time that checks the grammar and
//! writes down where members, elements and brackets stand.
//!
//! The pass works on masks, one bit a byte (`json_blocks`). In compact JSON every token follows the one before
//! without white space, so the grammar is a table of what may stand behind what; only whether a comma is
//! followed by a name or by a value depends on the container, and only brackets and scalars are looked at one
//! by one. Where the table does not hold the pass ends: white space, a fault, an escape in a name and anything
//! else it does not know are for [`crate::extent`] and [`crate::Cursor`], which know all of JSON.
//!
//! The entries of an object are: its brace, for each member the opening quote of its name and its colon
//! (followed by the entries of the value, if that is a container), its closing brace. Of an array: its bracket,
//! the commas between the elements with the elements' entries around them, its closing bracket.

use std::ops::ControlFlow;

use json_blocks::{BLOCK, Masks, Visitor};

use crate::extent::escape_length;
use crate::indexed::{IndexedValue, Tape};
use crate::value::is_number_bytes;

/// Deeper nesting than this is left to the exact path. One bit for each level and one for the array around all elements.
const MOST_DEPTH: usize = 63;

/// A single element with more entries than this is left to the exact path, so that the index stays small.
const MOST_ENTRIES: usize = 1 << 20;

/// Where things stand in a run of elements; kept to be filled again, since memory is what costs.
///
/// ```
/// let mut index = raw_json::Index::default();
/// let records = br#"{"a":1},{"b":{"c":[true]}},{"d":}]}"#;
/// let elements = index.fill(records, usize::MAX);
/// let elements: Vec<&[u8]> = elements.map(|element| element.raw()).collect();
/// assert_eq!(elements, [&br#"{"a":1}"#[..], br#"{"b":{"c":[true]}}"#]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Offsets of the characters named above, ascending. Behind `length` it is scratch.
    entries: Vec<u32>,
    /// For the entry of an opening bracket the entry of the closing one.
    partners: Vec<u32>,
    /// The closing brackets of the elements, by their entries.
    ends: Vec<u32>,
}

impl Index {
    /// Indexes the elements of an array from the start of `text` on, which is the start of an element: whole, well-formed,
    /// compact objects (and arrays), one comma between them. Ends behind the first element that ends at or behind `enough`, before
    /// the first one that is anything else, and where the text ends.
    pub fn fill<'a>(&'a mut self, text: &'a [u8], enough: usize) -> IndexedRun<'a> {
        self.ends.clear();
        // Offsets are 32 bits wide; what lies behind them is for the next call.
        let text = text.get(..u32::MAX as usize - BLOCK).unwrap_or(text);
        let mut builder = Builder {
            text,
            enough,
            index: self,
            length: 0,
            complete: 0,
            complete_end: 0,
            depth: 0,
            objects: 0,
            open: [0; MOST_DEPTH],
            nesting: 0,
            behind: Behind::default(),
        };
        json_blocks::visit(text, &mut builder);
        IndexedRun {
            tape: Tape {
                text,
                entries: &self.entries,
                partners: &self.partners,
            },
            ends: self.ends.iter(),
            next: 0,
        }
    }
}

/// The elements that [`Index::fill`] found.
#[derive(Debug, Clone)]
pub struct IndexedRun<'a> {
    tape: Tape<'a>,
    ends: std::slice::Iter<'a, u32>,
    next: usize,
}

impl<'a> Iterator for IndexedRun<'a> {
    type Item = IndexedValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<IndexedValue<'a>> {
        let end = *self.ends.next()? as usize;
        let element = self.tape.container(self.next);
        self.next = end + 2; // behind the comma
        element
    }
}

/// What the last byte of a block asks of the first byte of the next: one bit each.
#[derive(Default)]
struct Behind {
    opening_brace: u64,
    opening_bracket: u64,
    /// A comma in an object.
    name_comma: u64,
    /// A colon, or a comma in an array.
    value_due: u64,
    /// A closing bracket, or a closing quote that ends no name.
    value_end: u64,
    scalar: u64,
    /// The next byte goes on inside a name, or ends it.
    in_name: u64,
    name_end: u64,
}

struct Builder<'a> {
    text: &'a [u8],
    enough: usize,
    index: &'a mut Index,
    /// Entries written so far.
    length: usize,
    /// Of them those of complete elements.
    complete: usize,
    /// Where the last of these ends.
    complete_end: usize,
    depth: usize,
    /// The kinds of the open brackets, innermost in the lowest bit: 1 is an object. The array around all elements is a 0.
    objects: u64,
    /// The entries of the open brackets, and how many there are: `depth`, as far as entries are written.
    open: [u32; MOST_DEPTH],
    nesting: usize,
    behind: Behind,
}

/// The places behind those in `mask`; `carry` takes what belongs to the next block.
#[inline(always)]
fn behind(mask: u64, carry: &mut u64) -> u64 {
    let places = mask << 1 | *carry;
    *carry = mask >> 63;
    places
}

impl Visitor for Builder<'_> {
    #[inline(always)]
    fn block(&mut self, offset: usize, masks: &Masks) -> ControlFlow<()> {
        let opening = masks.opening_braces | masks.opening_brackets;
        let closing = masks.closing_braces | masks.closing_brackets;

        // Which bytes lie in objects, and where the brackets stop making sense.
        let (in_objects, unmatched) = self.kinds(masks, opening, closing);

        let name_commas = masks.commas & in_objects;
        let value_commas = masks.commas & !in_objects;
        let values = masks.opening_quotes | opening | masks.other;
        let carry = &mut self.behind;
        let behind_brace = behind(masks.opening_braces, &mut carry.opening_brace);
        let behind_name_comma = behind(name_commas, &mut carry.name_comma);
        let names = masks.opening_quotes & (behind_brace | behind_name_comma);

        // Adding the first bit of a name to the bits of its string carries through to its closing quote.
        let (sum, over) = masks.in_strings.overflowing_add(names);
        let (sum, over_too) = sum.overflowing_add(carry.in_name);
        carry.in_name = u64::from(over | over_too);
        let name_ends = sum & !masks.in_strings;
        let in_names = masks.in_strings & !sum;

        let scalars = masks.other;
        let behind_scalar = behind(scalars, &mut carry.scalar);
        let ends = masks.commas | closing;
        let mut fault = masks.control
            | behind(name_ends, &mut carry.name_end) ^ masks.colons
            | behind_brace & !(masks.opening_quotes | masks.closing_braces)
            | behind_name_comma & !masks.opening_quotes
            | behind(masks.opening_brackets, &mut carry.opening_bracket)
                & !(values | masks.closing_brackets)
            | behind(masks.colons | value_commas, &mut carry.value_due) & !values
            | behind(
                closing | masks.closing_quotes & !name_ends,
                &mut carry.value_end,
            ) & !ends
            | behind_scalar & !(ends | scalars)
            | masks.escapes & in_names
            | unmatched;
        fault |= first_fault(scalars & !behind_scalar, |bit| self.is_scalar(offset + bit));
        fault |= first_fault(masks.escapes, |bit| self.is_escape(offset + bit));

        let entries = names | masks.colons | opening | closing | value_commas;
        let before_fault = fault.wrapping_sub(1) & !fault;
        let in_line = self.write(
            offset,
            entries,
            opening & before_fault,
            closing & before_fault,
        );
        let over = fault != 0 || !in_line || self.length > self.complete + MOST_ENTRIES;
        match over || self.complete_end >= self.enough.max(1) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// The bit of the first place that does not pass.
#[inline(always)]
fn first_fault(mut places: u64, passes: impl Fn(usize) -> bool) -> u64 {
    while places != 0 {
        if !passes(places.trailing_zeros() as usize) {
            return places & places.wrapping_neg();
        }
        places &= places - 1;
    }
    0
}

impl Builder<'_> {
    /// The bytes that lie directly in objects, and the first bracket that closes nothing or opens too deep.
    ///
    /// A bracket itself counts for what is inside it; nothing asks.
    #[inline(always)]
    fn kinds(&mut self, masks: &Masks, opening: u64, closing: u64) -> (u64, u64) {
        let mut inside = 0_u64.wrapping_sub(self.objects & 1);
        let mut in_objects = inside;
        let mut rest = opening | closing;
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            if opening & bit != 0 {
                self.depth += 1;
                if self.depth > MOST_DEPTH {
                    return (in_objects, bit);
                }
                self.objects = self.objects << 1 | u64::from(masks.opening_braces & bit != 0);
            } else {
                let is_object = u64::from(masks.closing_braces & bit != 0);
                if self.depth == 0 || self.objects & 1 != is_object {
                    return (in_objects, bit);
                }
                self.depth -= 1;
                self.objects >>= 1;
            }
            let now = 0_u64.wrapping_sub(self.objects & 1);
            // From this bit on.
            in_objects ^= (now ^ inside) & bit.wrapping_neg();
            inside = now;
            rest &= rest - 1;
        }
        (in_objects, 0)
    }

    /// Writes the entries of a block, and finds the partners of its brackets. `false` where an element is not a
    /// container.
    #[inline(always)]
    fn write(&mut self, offset: usize, entries: u64, opening: u64, closing: u64) -> bool {
        let index = &mut *self.index;
        if index.entries.len() < self.length + BLOCK {
            let more = (self.length + BLOCK).next_power_of_two().max(1 << 10);
            index.entries.resize(more, 0);
            index.partners.resize(more, 0);
        }
        let slots = index.entries.get_mut(self.length..).unwrap_or_default();
        let (groups, _) = slots.as_chunks_mut::<8>();
        let mut rest = entries;
        // Eight at a time, whether there are eight or not: what is written too much is written over.
        for group in groups {
            if rest == 0 {
                break;
            }
            for slot in group {
                *slot = offset as u32 + rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
            }
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            let entry = self.length + (entries & (bit - 1)).count_ones() as usize;
            // INVARIANT: `kinds` has seen the same brackets, so the depth stays within the array.
            if opening & bit != 0 {
                // Between two elements there is the entry of their comma.
                if self.nesting == 0 && entry != self.complete + usize::from(self.complete > 0) {
                    return false;
                }
                if let Some(open) = self.open.get_mut(self.nesting) {
                    *open = entry as u32;
                }
                self.nesting += 1;
            } else {
                self.nesting -= 1;
                let open = self.open.get(self.nesting).copied().unwrap_or_default();
                if let Some(partner) = index.partners.get_mut(open as usize) {
                    *partner = entry as u32;
                }
                if self.nesting == 0 {
                    index.ends.push(entry as u32);
                    self.complete = entry + 1;
                    self.complete_end = offset + bit.trailing_zeros() as usize + 1;
                }
            }
            brackets &= brackets - 1;
        }
        self.length += entries.count_ones() as usize;
        true
    }

    /// Does a scalar that JSON knows stand here, up to a character that ends it?
    #[inline(always)]
    fn is_scalar(&self, start: usize) -> bool {
        let rest = self.text.get(start..).unwrap_or_default();
        match rest {
            [b't', b'r', b'u', b'e', b',' | b'}' | b']', ..]
            | [b'n', b'u', b'l', b'l', b',' | b'}' | b']', ..]
            | [b'f', b'a', b'l', b's', b'e', b',' | b'}' | b']', ..] => true,
            _ => is_ended_number(rest),
        }
    }

    fn is_escape(&self, start: usize) -> bool {
        escape_length(self.text.get(start..).unwrap_or_default()).is_some()
    }
}

fn is_ended_number(rest: &[u8]) -> bool {
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']'));
    end.and_then(|end| rest.get(..end))
        .is_some_and(is_number_bytes)
}
