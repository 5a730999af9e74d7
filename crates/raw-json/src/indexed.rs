//! Reading through an index: from member to member without looking at what lies between.
//!
//! What an [`crate::Index`] holds is well formed and its names have no escapes, so nothing here meets a fault: where an
//! entry is not what it must be, iteration ends.

use std::fmt;

use crate::index::Index;
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

    /// The value behind this entry (a bracket, comma or colon), and the entry that ends it.
    #[inline]
    fn value_behind(self, entry: usize) -> Option<(IndexedValue<'a>, usize)> {
        let start = self.offset(entry)? + 1;
        let end_entry = match self.text.get(start)? {
            b'{' | b'[' => self.partner(entry + 1)? + 1,
            _ => entry + 1,
        };
        let value = IndexedValue {
            tape: self,
            entry: entry + 1,
            raw: self.text.get(start..self.offset(end_entry)?)?,
        };
        Some((value, end_entry))
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

/// A value inside of indexed text.
#[derive(Debug, Clone, Copy)]
pub struct IndexedValue<'a> {
    tape: Tape<'a>,
    /// Of its opening bracket, if it has one.
    entry: usize,
    raw: &'a [u8],
}

impl<'a> IndexedValue<'a> {
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

/// An object inside of indexed text.
#[derive(Debug, Clone, Copy)]
pub struct IndexedObject<'a> {
    value: IndexedValue<'a>,
    close: usize,
}

impl<'a> IndexedObject<'a> {
    /// The members in order, duplicates included: names as written, which is how they read, and values.
    #[inline]
    pub fn members(self) -> IndexedMembers<'a> {
        let open = self.value.entry;
        IndexedMembers {
            tape: self.value.tape,
            // An empty object has nothing between its braces.
            at: if open + 1 == self.close {
                self.close
            } else {
                open
            },
            close: self.close,
        }
    }
}

/// The members of an object.
#[derive(Debug, Clone)]
pub struct IndexedMembers<'a> {
    tape: Tape<'a>,
    /// The entry before the next member, a brace or comma; the closing brace at the end.
    at: usize,
    close: usize,
}

impl<'a> Iterator for IndexedMembers<'a> {
    type Item = (&'a [u8], IndexedValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.close {
            return None;
        }
        let start = self.tape.offset(self.at)? + 2;
        let end = self.tape.offset(self.at + 1)?.wrapping_sub(1);
        let name = self.tape.text.get(start..end)?;
        let (value, behind) = self.tape.value_behind(self.at + 1)?;
        self.at = behind;
        Some((name, value))
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
        IndexedElements {
            tape: self.value.tape,
            at: if is_empty {
                self.close
            } else {
                self.value.entry
            },
            close: self.close,
        }
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct IndexedElements<'a> {
    tape: Tape<'a>,
    /// The entry before the next element, a bracket or comma; the closing bracket at the end.
    at: usize,
    close: usize,
}

impl<'a> Iterator for IndexedElements<'a> {
    type Item = IndexedValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.close {
            return None;
        }
        let (value, behind) = self.tape.value_behind(self.at)?;
        self.at = behind;
        Some(value)
    }
}
