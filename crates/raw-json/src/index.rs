//! The fast way to whole, well-formed elements: two passes, 64 bytes at a time, that check the grammar and write down
//! where members, elements and brackets stand.
//!
//! In compact JSON each token follows the one before without white space. So most of the grammar is a table of
//! what may stand before what, which holds for 64 bytes at once as a handful of operations on masks
//! (`json_blocks`). That is the first pass, which writes down the entries. What the table cannot see depends on containers: what
//! closes what, and that objects hold names with values and arrays values alone. That is the second pass, over the entries
//! (`Matcher`). Numbers, `true`, `false` and `null` are looked at one by one there.
//!
//! Where anything does not hold the index ends. White space, faults, escapes in names, nesting deeper than
//! [`MOST_DEPTH`] are for [`crate::extent`] and [`crate::Cursor`], which know all of JSON.
//!
//! The entries are the structural characters: brackets, colons, commas. Between two of them there is at most one string, number or
//! the like.

use std::iter::Peekable;

use json_blocks::{BLOCK, Chosen, Masks, Places, Visitor};

use crate::extent::{closing_quote, escape_length};
use crate::indexed::{IndexedValue, Tape};
use crate::value::is_number_bytes;

/// Deeper nesting than this is left to the exact path.
const MOST_DEPTH: usize = 63;

/// Bytes that are indexed at a time, if an element ends in them: what is written about them stays in the nearest caches.
const CHUNK: usize = 1 << 15;

/// After a fault so many are indexed for the next element: where faults are frequent, most of what is indexed is thrown away.
const SMALL_CHUNK: usize = 256;

/// A single element larger than this is left to the exact path, so that an index stays small.
const MOST_CHUNK: usize = 1 << 20;

/// Where things stand in a run of elements; kept to be filled again, since memory is what costs.
///
/// ```
/// let mut index = raw_json::Index::default();
/// let records = br#"{"a":1},{"b":{"c":[true]}},{"d":}]}"#;
/// let elements: Vec<&[u8]> = index.fill(records).map(|element| element.raw()).collect();
/// assert_eq!(elements, [&br#"{"a":1}"#[..], br#"{"b":{"c":[true]}}"#]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Index {
    entries: Places,
    /// For the entry of an opening bracket the entry behind the closing one, for every other entry itself.
    behind: Vec<u32>,
    /// The closing brackets of the elements, by their entries.
    ends: Vec<u32>,
    /// Offsets of numbers, `true`, `false` and `null`: what is neither string nor container.
    scalars: Vec<u32>,
    /// Offsets of the blocks with escapes.
    escapes: Vec<u32>,
    /// How many bytes to begin with next time; 0 before the first time.
    next_chunk: usize,
    /// How many bytes were looked at in all.
    #[cfg(test)]
    looked_at: usize,
}

impl Index {
    /// Indexes the elements of an array from the start of `text` on, which must be the start of an element: whole,
    /// well-formed, compact objects, one comma between them. Ends before the first element that is anything else, where
    /// the text ends, and after some tens of thousands of bytes.
    pub fn fill<'a>(&'a mut self, text: &'a [u8]) -> IndexedRun<'a> {
        let mut size = match self.next_chunk {
            0 => CHUNK,
            size => size,
        };
        loop {
            let chunk = text.get(..size).unwrap_or(text);
            let is_sound = self.index(chunk);
            let goes_on = is_sound && chunk.len() < text.len();
            // What is thrown away is at most a few times what is used, or what the exact path reads after a fault.
            self.next_chunk = match is_sound {
                true => (size * 4).min(CHUNK),
                false if self.used() * 4 >= chunk.len() => size.min(CHUNK),
                false => SMALL_CHUNK,
            };
            if !self.ends.is_empty() || !goes_on || size >= MOST_CHUNK {
                break;
            }
            size *= 4;
        }
        IndexedRun {
            text,
            index: self,
            ends: self.ends.iter(),
            escapes: self.escapes.iter().peekable(),
            next: 0,
        }
    }

    /// Up to where the elements reach that were found.
    fn used(&self) -> usize {
        let last = self.ends.last().and_then(|end| self.offset(*end as usize));
        last.unwrap_or_default()
    }

    /// The offsets of the entries; and for each the entry behind what begins with it: behind its closing bracket if it opens one,
    /// else itself.
    #[inline]
    pub(crate) fn lists(&self) -> (&[u32], &[u32]) {
        (self.entries.offsets(), &self.behind)
    }

    /// The offset an entry stands for.
    #[inline]
    pub(crate) fn offset(&self, entry: usize) -> Option<usize> {
        self.entries.offset(entry)
    }

    /// The entry of the bracket that closes what this one opens.
    #[inline]
    pub(crate) fn partner(&self, entry: usize) -> Option<usize> {
        let behind = self.behind.get(entry).copied()?;
        (behind as usize).checked_sub(1)
    }

    /// Indexes all of `text`, up to the first fault. `false` if there is one before the last bytes, which may lack what
    /// follows them.
    fn index(&mut self, text: &[u8]) -> bool {
        #[cfg(test)]
        {
            self.looked_at += text.len();
        }
        if self.scalars.len() < text.len() + BLOCK {
            self.scalars.resize(text.len() + BLOCK, 0);
        }
        self.escapes.clear();
        let mut grammar = Grammar {
            text,
            scalars: &mut self.scalars,
            escapes: &mut self.escapes,
            strings_seen: 0,
            fault: text.len(),
        };
        let state = State {
            // As if behind the comma before the first element.
            separator: 1,
            ..State::default()
        };
        let state = json_blocks::visit(text, &mut grammar, state, &mut self.entries);
        let mut fault = grammar.fault;
        let scalar_count = state.scalars;
        let scalars = self.scalars.get(..scalar_count).unwrap_or_default();
        if let Some(odd) = odd_scalar(text, scalars) {
            fault = fault.min(odd);
        }
        let entries = self.entries.offsets().len();
        if self.behind.len() < entries {
            self.behind.resize(entries.next_power_of_two(), 0);
        }
        let behind = self.behind.iter_mut().zip(0..).take(entries);
        behind.for_each(|(behind, entry)| *behind = entry);
        self.ends.clear();
        let offsets = self.entries.offsets();
        let behind_fault = |offset: &&u32| **offset as usize >= fault;
        let sound = offsets.len() - offsets.iter().rev().take_while(behind_fault).count();
        let mut matcher = Matcher {
            offsets,
            behind: &mut self.behind,
            ends: &mut self.ends,
            open: [0; MOST_DEPTH],
            depth: 0,
            kinds: 0,
            since_bracket: 0,
            in_object_only: 0,
            in_array_only: 0,
            carry: Carry::default(),
        };
        let bytes = self.entries.bytes().get(..sound).unwrap_or_default();
        let fault = matcher.run(bytes).unwrap_or(fault);
        fault + BLOCK >= text.len()
    }
}

/// The elements that [`Index::fill`] found.
#[derive(Debug, Clone)]
pub struct IndexedRun<'a> {
    text: &'a [u8],
    index: &'a Index,
    ends: std::slice::Iter<'a, u32>,
    escapes: Peekable<std::slice::Iter<'a, u32>>,
    next: usize,
}

impl<'a> Iterator for IndexedRun<'a> {
    type Item = IndexedValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<IndexedValue<'a>> {
        let end = *self.ends.next()? as usize;
        let behind = self.index.offset(end)?;
        let mut tape = Tape {
            text: self.text,
            index: self.index,
            escapes: false,
        };
        // A block may belong to two elements: one before it asks in vain, no more.
        while let Some(block) = self.escapes.peek().map(|block| **block as usize) {
            if block > behind {
                break;
            }
            tape.escapes = true;
            if block + BLOCK > behind {
                break;
            }
            self.escapes.next();
        }
        let element = tape.container(self.next, end);
        self.next = end + 2; // behind the comma
        element
    }
}

/// The first pass.
struct Grammar<'a> {
    text: &'a [u8],
    /// Where scalars begin that are no strings.
    scalars: &'a mut [u32],
    /// Offsets of the blocks with escapes.
    escapes: &'a mut Vec<u32>,
    /// Strings up to here have been looked at for being names.
    strings_seen: usize,
    /// Where the grammar does not hold, or the end of the text.
    fault: usize,
}

/// How many scalars there are, and what the first byte of the next block stands behind: one bit each.
#[derive(Clone, Copy, Default)]
struct State {
    scalars: usize,
    opening: u64,
    /// A comma or colon.
    separator: u64,
    other: u64,
}

/// The places behind those in `mask`; `carry` has what comes from the block before, and takes what goes to the next.
#[inline(always)]
fn behind(mask: u64, carry: &mut u64) -> u64 {
    let places = mask << 1 | *carry;
    *carry = mask >> 63;
    places
}

impl Visitor for Grammar<'_> {
    type State = State;

    #[inline(always)]
    fn block(&mut self, mut state: State, offset: usize, masks: &Masks) -> (State, Chosen) {
        let behind_opening = behind(masks.opening, &mut state.opening);
        let behind_separator = behind(masks.commas | masks.colons, &mut state.separator);
        let behind_other = behind(masks.other, &mut state.other);
        // Of numbers and the like only the first byte is asked for here.
        let scalars = masks.other & !behind_other;
        let values = masks.opening | masks.opening_quotes | scalars;

        // Values stand behind separators, and nothing else does. Behind an opening bracket a value may stand, but no separator. So the
        // first byte behind a value is a separator or closes a container. That a colon stands behind a string is seen to elsewhere: a
        // scalar must not end with one, and between a container and a colon there is no comma or brace.
        let separators = masks.commas | masks.colons;
        let mut faults = masks.control
            | (values ^ behind_separator) & !behind_opening
            | separators & behind_opening;
        self.note_scalars(state.scalars, offset as u32, scalars);
        state.scalars += scalars.count_ones() as usize;
        if masks.escapes != 0 {
            self.escapes.push(offset as u32);
            faults |= self.odd_escape(offset, masks.escapes);
        }
        if faults != 0 {
            self.fault = self.fault.min(offset + faults.trailing_zeros() as usize);
        }
        let chosen = Chosen {
            places: masks.opening | masks.closing | masks.colons | masks.commas,
            last: faults != 0,
        };
        (state, chosen)
    }
}

impl Grammar<'_> {
    /// Hardly any block has more than two, so two are written, whether there are so many or not.
    #[inline(always)]
    fn note_scalars(&mut self, at: usize, offset: u32, mut scalars: u64) {
        let mut slots = self.scalars.get_mut(at..).unwrap_or_default();
        while let Some((pair, more)) = slots.split_first_chunk_mut::<2>() {
            for slot in pair {
                *slot = offset + scalars.trailing_zeros();
                scalars &= scalars.wrapping_sub(1);
            }
            if scalars == 0 {
                return;
            }
            slots = more;
        }
    }

    /// The first backslash that begins no escape, or that stands in a name.
    fn odd_escape(&mut self, offset: usize, mut escapes: u64) -> u64 {
        while escapes != 0 {
            let bit = escapes.trailing_zeros();
            let place = offset + bit as usize;
            let rest = self.text.get(place..).unwrap_or_default();
            if escape_length(rest).is_none() || place >= self.strings_seen && self.is_in_name(place)
            {
                return 1 << bit;
            }
            escapes &= escapes - 1;
        }
        0
    }

    /// Does the string around this place end before a colon?
    fn is_in_name(&mut self, place: usize) -> bool {
        let close = closing_quote(self.text, place).unwrap_or(self.text.len());
        self.strings_seen = close;
        self.text.get(close + 1) == Some(&b':')
    }
}

/// The second pass: finds the partner of each bracket and the ends of the elements, and checks what depends on containers.
///
/// In an object a colon follows each comma, and the opening brace unless the object is empty; in an array there are no colons. A colon follows
/// nothing else. So what may stand in objects only and in arrays only is known for 64 entries at once; brackets then tell whether
/// they enclose any of it.
struct Matcher<'a> {
    /// Of the entries.
    offsets: &'a [u32],
    /// As in the index; each entry stands for itself until its bracket is closed.
    behind: &'a mut [u32],
    ends: &'a mut Vec<u32>,
    /// The entries of the open brackets.
    open: [u32; MOST_DEPTH],
    depth: usize,
    /// One bit for each open bracket, innermost lowest: 1 is an object. The array around all elements is a 0.
    kinds: u64,
    /// Entries since the last bracket; not 0 if there is among them what stands in objects only, and in arrays only.
    since_bracket: u32,
    in_object_only: u64,
    in_array_only: u64,
    carry: Carry,
}

/// 1 if the last entry was one of these.
#[derive(Default)]
struct Carry {
    opening: u64,
    comma: u64,
}

impl Matcher<'_> {
    /// The offset of the first entry where something does not hold; `None` at the end.
    fn run(&mut self, bytes: &[u8]) -> Option<usize> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut tail = [0; BLOCK];
        let bytes = tail.iter_mut().zip(rest);
        bytes.for_each(|(to, from)| *to = *from);
        let mut first_entry = 0;
        for block in blocks.iter().chain([&tail]) {
            if let Some(bit) = self.block(first_entry, block) {
                return self.offset(first_entry + bit);
            }
            first_entry += BLOCK as u32;
        }
        None
    }

    fn offset(&self, entry: u32) -> Option<usize> {
        self.offsets
            .get(entry as usize)
            .map(|offset| *offset as usize)
    }

    /// The first of these 64 entries where something does not hold.
    #[inline]
    fn block(&mut self, first_entry: u32, bytes: &[u8; BLOCK]) -> Option<u32> {
        let classes = json_blocks::classify(bytes);
        let behind_opening = behind(classes.opening, &mut self.carry.opening);
        let behind_comma = behind(classes.commas, &mut self.carry.comma);
        // A colon behind anything else fits nowhere. A closing bracket behind an opening one is looked at in `close`.
        let in_object_only = classes.colons;
        let in_array_only = classes.colons & !(behind_opening | behind_comma)
            | !classes.colons & (behind_comma | behind_opening & !classes.closing);

        let mut brackets = classes.opening | classes.closing;
        let mut next = 0;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            // From behind the last bracket on, this one included.
            let segment = (2_u64 << bit).wrapping_sub(1 << next);
            let bracket = Bracket {
                entry: first_entry + bit,
                is_object: bytes
                    .get(bit as usize)
                    .is_some_and(|byte| byte & KIND_BIT != 0),
                between: self.since_bracket + bit - next,
                in_object_only: self.in_object_only | in_object_only & segment,
                in_array_only: self.in_array_only | in_array_only & segment,
            };
            let fits = match classes.opening >> bit & 1 == 1 {
                true => self.open(&bracket),
                false => self.close(&bracket, behind_opening >> bit & 1 == 1),
            };
            if !fits {
                return Some(bit);
            }
            (self.since_bracket, self.in_object_only, self.in_array_only) = (0, 0, 0);
            next = bit + 1;
            brackets &= brackets - 1;
        }
        self.since_bracket += BLOCK as u32 - next;
        self.in_object_only |= in_object_only.checked_shr(next).unwrap_or_default();
        self.in_array_only |= in_array_only.checked_shr(next).unwrap_or_default();
        None
    }
}
/// A bracket, and what stands before it, up to the bracket before.
struct Bracket {
    entry: u32,
    is_object: bool,
    /// Entries between the two.
    between: u32,
    in_object_only: u64,
    in_array_only: u64,
}

impl Matcher<'_> {
    /// Does what stands before the bracket fit what is open there?
    #[inline(always)]
    fn fits(&self, bracket: &Bracket) -> bool {
        match self.kinds & 1 == 1 {
            true => bracket.in_array_only == 0,
            // Around the elements one comma each is all there is.
            false => {
                bracket.in_object_only == 0
                    && (self.depth > 0 || bracket.between == u32::from(!self.ends.is_empty()))
            }
        }
    }

    #[inline(always)]
    fn open(&mut self, bracket: &Bracket) -> bool {
        // An element that is an array is nothing the caller can use.
        let fits = self.fits(bracket) && (self.depth > 0 || bracket.is_object);
        let Some(slot) = self.open.get_mut(self.depth).filter(|_| fits) else {
            return false;
        };
        *slot = bracket.entry;
        self.depth += 1;
        self.kinds = self.kinds << 1 | u64::from(bracket.is_object);
        true
    }

    #[inline(always)]
    fn close(&mut self, bracket: &Bracket, behind_opening: bool) -> bool {
        let fits = bracket.is_object == (self.kinds & 1 == 1) && self.fits(bracket);
        let open = self.open.get(self.depth.wrapping_sub(1));
        let Some(open) = open.copied().filter(|_| fits) else {
            return false;
        };
        // An object without a colon is empty.
        if behind_opening && bracket.is_object {
            let place = self.offset(bracket.entry).unwrap_or_default();
            if self.offset(open) != place.checked_sub(1) {
                return false;
            }
        }
        if let Some(behind) = self.behind.get_mut(open as usize) {
            *behind = bracket.entry + 1;
        }
        self.depth -= 1;
        self.kinds >>= 1;
        if self.depth == 0 {
            self.ends.push(bracket.entry);
        }
        true
    }
}

/// The bit that tells braces from brackets.
const KIND_BIT: u8 = b'{' ^ b'[';

/// The first of these places where no scalar of JSON stands, or one that does not end.
fn odd_scalar(text: &[u8], scalars: &[u32]) -> Option<usize> {
    let mut places = scalars.iter().map(|place| *place as usize);
    places.find(|place| !is_ended_scalar(text.get(*place..).unwrap_or_default()))
}

/// Does the text start with a scalar that is no string, and with what ends it?
#[inline]
fn is_ended_scalar(text: &[u8]) -> bool {
    let Some([a, b, c, d, e, f]) = text.first_chunk() else {
        return is_ended_number(text) || is_ended_literal(text);
    };
    let word = u32::from_le_bytes([*a, *b, *c, *d]);
    let is_word = (word == u32::from_le_bytes(*b"true")) | (word == u32::from_le_bytes(*b"null"));
    let is_false = (word == u32::from_le_bytes(*b"fals")) & (*e == b'e');
    is_word & ends_scalar(*e) | is_false & ends_scalar(*f) || is_ended_number(text)
}

fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']')
}

fn is_ended_literal(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| ends_scalar(*byte));
    matches!(
        end.and_then(|end| text.get(..end)),
        Some(b"true" | b"false" | b"null")
    )
}

fn is_ended_number(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| ends_scalar(*byte));
    end.and_then(|end| text.get(..end))
        .is_some_and(is_number_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::{Extent, extent};

    /// Reads a run of elements as a reader of log files does: by the index where it can, else the exact way.
    fn looked_at(text: &[u8]) -> usize {
        let mut index = Index::default();
        let mut position = 0;
        while let Some(rest) = text.get(position..).filter(|rest| !rest.is_empty()) {
            let found: usize = index
                .fill(rest)
                .map(|element| element.raw().len() + 1)
                .sum();
            position += match (found, extent(rest, 0)) {
                (1.., _) => found,
                (0, Extent::Complete { end, .. }) => end + 1,
                (0, Extent::Unterminated { at }) => at.max(1),
            };
        }
        index.looked_at
    }

    #[test]
    fn faults_do_not_make_the_index_costly() {
        for unit in [
            r#"{},[],"#,
            r#"{"v": 1},"#,
            r#"{"a":1x},"#,
            r#"{"eventName":"StopLogging","n":01},"#,
            r#"{"a"},"#,
            r#"{},5,"#,
            r#"{"a":1,"#,
            r#"{"a":"\x"},"#,
            r#"{"a":1},{"a":1}},"#,
        ] {
            let text = unit.repeat(200_000 / unit.len());
            let factor = looked_at(text.as_bytes()) / text.len();
            assert!(factor < 200, "{unit}: {factor}");
        }
        // Once in a while a fault costs next to nothing.
        let good = r#"{"eventName":"StopLogging","list":[1,2,{"a":null}]},"#.repeat(100);
        let text = format!(r#"{good}{{"a": 1}},"#).repeat(40);
        assert!(looked_at(text.as_bytes()) < text.len() * 4);
        let sound = r#"{"eventName":"StopLogging","list":[1,2,{"a":null}]},"#.repeat(4000);
        assert!(looked_at(sound.as_bytes()) < sound.len() * 11 / 10);
    }
}
