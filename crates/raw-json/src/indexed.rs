//! Reading through an index: from member to member without looking at what lies between.
//!
//! What an [`crate::Index`] holds is well formed and its names have no escapes, so nothing here meets a fault: where an
//! entry is not what it must be, iteration ends.

use std::fmt;

use crate::index::Index;
use crate::name_table::NameTable;
use crate::string::Str;
use crate::value::{Array, Object, Value};

/// The text, and what was written down about it.
#[derive(Clone, Copy)]
pub(crate) struct Tape<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) index: &'a Index,
    /// Does the element have escapes, in any of its strings?
    pub(crate) escapes: bool,
}

impl fmt::Debug for Tape<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tape")
    }
}

impl<'a> Tape<'a> {
    /// The offset an entry stands for.
    #[inline]
    fn offset(self, entry: usize) -> Option<usize> {
        self.index.offset(entry)
    }

    /// The entry of the bracket that closes what this one opens.
    #[inline]
    fn partner(self, entry: usize) -> Option<usize> {
        self.index.partner(entry)
    }

    /// The container between these two brackets.
    #[inline]
    pub(crate) fn container(self, open: usize, close: usize) -> Option<IndexedValue<'a>> {
        let start = self.offset(open)?;
        let end = self.offset(close)? + 1;
        Some(IndexedValue {
            tape: self,
            entry: open,
            raw: self.text.get(start..end)?,
        })
    }
}

/// The tape with its lists at hand, for going through a container.
#[derive(Debug, Clone)]
struct Reader<'a> {
    tape: Tape<'a>,
    offsets: &'a [u32],
    behind: &'a [u32],
    /// The entry before the next value, a bracket, comma or colon; the closing bracket at the end.
    at: usize,
    close: usize,
}

impl<'a> Reader<'a> {
    fn new(value: &IndexedValue<'a>, close: usize, is_empty: bool) -> Self {
        let (offsets, behind) = value.tape.index.lists();
        Reader {
            tape: value.tape,
            offsets,
            behind,
            at: if is_empty { close } else { value.entry },
            close,
        }
    }

    #[inline]
    fn offset(&self, entry: usize) -> Option<usize> {
        self.offsets.get(entry).map(|offset| *offset as usize)
    }

    /// The value behind this entry; goes on behind the value.
    #[inline]
    fn value(&mut self, entry: usize) -> Option<IndexedValue<'a>> {
        let start = self.offset(entry)? + 1;
        self.at = *self.behind.get(entry + 1)? as usize;
        Some(IndexedValue {
            tape: self.tape,
            entry: entry + 1,
            raw: self.tape.text.get(start..self.offset(self.at)?)?,
        })
    }
}

/// A value inside of indexed text.
#[derive(Debug, Clone, Copy)]
pub struct IndexedValue<'a> {
    tape: Tape<'a>,
    /// Of its opening bracket, if it has one.
    entry: usize,
    raw: &'a [u8],
}

impl<'a> IndexedValue<'a> {
    /// Where it lies, for [`IndexedObject::at`].
    #[inline]
    pub fn place(self) -> IndexedPlace {
        // No value of an object or array is the first entry.
        IndexedPlace {
            before: (self.entry as u32).wrapping_sub(1),
        }
    }

    /// What it is, without reading it.
    #[inline]
    pub fn kind(self) -> IndexedKind<'a> {
        match self.raw {
            [b'"', content @ .., b'"'] => IndexedKind::String(content),
            [b'{', ..] => match self.as_object() {
                Some(object) => IndexedKind::Object(object),
                None => IndexedKind::Other,
            },
            [b'[', ..] => match self.as_array() {
                Some(array) => IndexedKind::Array(array),
                None => IndexedKind::Other,
            },
            _ => IndexedKind::Other,
        }
    }

    /// The bytes as written, quotes and brackets included.
    #[inline]
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The bytes of a string between its quotes, escapes as written; `None` for every other value.
    #[inline]
    pub fn string(self) -> Option<&'a [u8]> {
        match self.raw {
            [b'"', content @ .., b'"'] => Some(content),
            _ => None,
        }
    }

    /// `false`: if this is a string, there is no backslash in it.
    #[inline]
    pub fn may_have_escapes(self) -> bool {
        self.tape.escapes
    }

    /// The object, if it is one.
    #[inline]
    pub fn as_object(self) -> Option<IndexedObject<'a>> {
        (self.raw.first() == Some(&b'{')).then_some(())?;
        let close = self.tape.partner(self.entry)?;
        Some(IndexedObject { value: self, close })
    }

    /// The array, if it is one.
    #[inline]
    pub fn as_array(self) -> Option<IndexedArray<'a>> {
        (self.raw.first() == Some(&b'[')).then_some(())?;
        let close = self.tape.partner(self.entry)?;
        Some(IndexedArray { value: self, close })
    }

    /// The value, for those who do not ask how it is read.
    #[inline]
    pub fn value(self) -> Value<'a> {
        match self.raw {
            [b'"', content @ .., b'"'] => Value::String(Str::new(content)),
            [b'{', ..] => Value::Object(Object::indexed_at(self)),
            [b'[', ..] => Value::Array(Array::indexed_at(self)),
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            b"null" => Value::Null,
            number => std::str::from_utf8(number).map_or(Value::Invalid(number), Value::Number),
        }
    }
}

/// Where a value lies in a record. It borrows nothing, so it can be kept while the record is at hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexedPlace {
    /// The entry before it, a colon in an object.
    before: u32,
}

/// The kinds of values, as far as reading them differs.
#[derive(Debug, Clone, Copy)]
pub enum IndexedKind<'a> {
    /// The bytes between the quotes, escapes as written.
    String(&'a [u8]),
    /// An object.
    Object(IndexedObject<'a>),
    /// An array.
    Array(IndexedArray<'a>),
    /// A number, `true`, `false` or `null`.
    Other,
}

/// An object inside of indexed text.
#[derive(Debug, Clone, Copy)]
pub struct IndexedObject<'a> {
    value: IndexedValue<'a>,
    close: usize,
}

impl<'a> IndexedObject<'a> {
    /// The value at a place that was found in this object or in one that it lies in. Elsewhere the answer means nothing.
    #[inline]
    pub fn at(self, place: IndexedPlace) -> Option<IndexedValue<'a>> {
        let (offsets, behind) = self.value.tape.index.lists();
        let mut reader = Reader {
            tape: self.value.tape,
            offsets,
            behind,
            at: 0,
            close: 0,
        };
        reader.value(place.before as usize)
    }

    /// The members in order, duplicates included: names as written, which is how they read, and values.
    #[inline]
    pub fn members(self) -> IndexedMembers<'a> {
        // An empty object has nothing between its braces.
        let is_empty = self.value.entry + 1 == self.close;
        IndexedMembers(Reader::new(&self.value, self.close, is_empty))
    }
}

/// Some members of an object whose names were looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct FoundMembers {
    found: [FoundMember; MOST_FOUND],
    count: usize,
}

/// Members found at a time.
const MOST_FOUND: usize = 32;

/// A member whose name was looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct FoundMember {
    /// The number of the name.
    pub number: u32,
    /// Where its value lies.
    pub place: IndexedPlace,
}

impl FoundMembers {
    /// In the order in which they stand.
    #[inline]
    pub fn as_slice(&self) -> &[FoundMember] {
        self.found.get(..self.count).unwrap_or_default()
    }
}

/// The members of an object.
#[derive(Debug, Clone)]
pub struct IndexedMembers<'a>(Reader<'a>);

impl<'a> IndexedMembers<'a> {
    /// Looks for names among the next members, up to the last one or until there is no room for more. `false` if there were no members
    /// left to look at.
    #[inline]
    pub fn find(&mut self, names: &NameTable, members: &mut FoundMembers) -> bool {
        members.count = 0;
        if names.is_empty() {
            self.0.at = self.0.close;
        }
        if self.0.at >= self.0.close {
            return false;
        }
        match names.is_plain() {
            true => {
                let doubtful = self.find_plain(names, members);
                if doubtful != 0 {
                    self.doubt(names, members, doubtful);
                }
            }
            false => self.find_one_by_one(names, members),
        }
        true
    }

    #[cold]
    fn find_one_by_one(&mut self, names: &NameTable, members: &mut FoundMembers) {
        while let (true, Some(slot)) = (self.has_next(), members.found.get_mut(members.count)) {
            let before = self.0.at as u32 + 1;
            let number = self.next_name().and_then(|name| names.get(name));
            if let Some(number) = number {
                let place = IndexedPlace { before };
                *slot = FoundMember { number, place };
                members.count += 1;
            }
            self.next_value();
        }
    }

    /// Looks at the whole names of these members, and keeps those that are looked for.
    #[cold]
    fn doubt(&self, names: &NameTable, members: &mut FoundMembers, doubtful: u32) {
        let found = *members;
        members.count = 0;
        for (bit, member) in found.as_slice().iter().enumerate() {
            let colon = member.place.before as usize;
            let is_right = || {
                let start = self.0.offset(colon.wrapping_sub(1))? + 2;
                let name = self
                    .0
                    .tape
                    .text
                    .get(start..self.0.offset(colon)?.wrapping_sub(1))?;
                Some(names.get(name) == Some(member.number))
            };
            let is_kept = doubtful >> bit & 1 == 0 || is_right() == Some(true);
            if let Some(slot) = members.found.get_mut(members.count).filter(|_| is_kept) {
                *slot = *member;
                members.count += 1;
            }
        }
    }

    #[inline]
    fn has_next(&self) -> bool {
        self.0.at < self.0.close
    }

    #[inline]
    fn next_name(&self) -> Option<&'a [u8]> {
        let start = self.0.offset(self.0.at)? + 2;
        let end = self.0.offset(self.0.at + 1)?.wrapping_sub(1);
        self.0.tape.text.get(start..end)
    }

    #[inline]
    fn next_value(&mut self) -> Option<IndexedValue<'a>> {
        self.0.value(self.0.at + 1)
    }

    /// The quick way for the names of a plain table. Returns the members that were found by the ends of their names, one bit each.
    #[inline(always)]
    fn find_plain(&mut self, names: &NameTable, members: &mut FoundMembers) -> u32 {
        let Reader {
            mut at,
            close,
            tape,
            offsets,
            behind,
        } = self.0;
        let (mut count, mut doubtful) = (0, 0);
        while at < close {
            let Some([before, colon]) = offsets.get(at..).and_then(<[u32]>::first_chunk) else {
                break;
            };
            let (start, end) = (*before as usize + 2, (*colon as usize).wrapping_sub(1));
            let found = names.look_up(tape.text, start, end);
            let Some(slot) = members.found.get_mut(count) else {
                break;
            };
            // Written in any case, since it cannot be foreseen whether it is one of them.
            *slot = FoundMember {
                number: found.number,
                place: IndexedPlace {
                    before: at as u32 + 1,
                },
            };
            doubtful |= u32::from(found.is_found && found.is_doubtful) << count;
            count += usize::from(found.is_found);
            let Some(next) = behind.get(at + 2) else {
                break;
            };
            at = *next as usize;
        }
        members.count = count;
        self.0.at = at;
        doubtful
    }
}

impl<'a> Iterator for IndexedMembers<'a> {
    type Item = (&'a [u8], IndexedValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if !self.has_next() {
            return None;
        }
        Some((self.next_name()?, self.next_value()?))
    }
}

/// An array inside of indexed text.
#[derive(Debug, Clone, Copy)]
pub struct IndexedArray<'a> {
    value: IndexedValue<'a>,
    close: usize,
}

impl<'a> IndexedArray<'a> {
    /// The elements in order.
    #[inline]
    pub fn elements(self) -> IndexedElements<'a> {
        let is_empty = self.value.raw.len() == 2;
        IndexedElements(Reader::new(&self.value, self.close, is_empty))
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct IndexedElements<'a>(Reader<'a>);

impl<'a> Iterator for IndexedElements<'a> {
    type Item = IndexedValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let at = self.0.at;
        (at < self.0.close).then(|| self.0.value(at)).flatten()
    }
}
