//! Values, and what lies inside containers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use crate::compact;
use crate::cursor::Cursor;
use crate::extent::{Extent, SyntaxError, extent, skip_white_space};
use crate::indexed::{IndexedElements, IndexedMembers, IndexedObject, IndexedValue};
use crate::string::Str;

/// One JSON value, borrowed from the text.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(&'a str),
    /// A string, between its quotes.
    String(Str<'a>),
    /// An array, from bracket to bracket.
    Array(Array<'a>),
    /// An object, from brace to brace.
    Object(Object<'a>),
    /// A token that is no JSON value, as written; may be empty where a value is missing.
    Invalid(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The text of a string; `None` for every other value.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        match self {
            Value::String(string) => Some(string.decode()),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(self) -> Option<Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_array(self) -> Option<Array<'a>> {
        match self {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The member of an object; `None` for every other value.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.as_object()?.get(name)
    }

    /// The value as text: strings decoded, other scalars as written, containers compact.
    pub fn to_text(self) -> Cow<'a, str> {
        match self {
            Value::Null => Cow::Borrowed("null"),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Number(text) => Cow::Borrowed(text),
            Value::String(string) => string.decode(),
            Value::Array(_) | Value::Object(_) => Cow::Owned(compact(self)),
            Value::Invalid(token) => String::from_utf8_lossy(token),
        }
    }
}

/// An object: the bytes from `{` to its `}`, and where its members stand if an [`crate::Index`] knows.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    bytes: &'a [u8],
    indexed: Option<IndexedValue<'a>>,
}

impl<'a> Object<'a> {
    /// Reads a whole text as one object, strictly: white space may stand around it, nothing else.
    /// Nesting may be of any depth; invalid UTF-8 and lone surrogates are allowed.
    ///
    /// # Errors
    /// The first place where the text is not JSON, or where it goes on behind the object.
    pub fn parse(text: &'a [u8]) -> Result<Self, SyntaxError> {
        let start = skip_white_space(text, 0);
        let expected = |offset, expected| SyntaxError { offset, expected };
        if text.get(start) != Some(&b'{') {
            return Err(expected(start, "`{`"));
        }
        match extent(text, start) {
            Extent::Unterminated { .. } => Err(expected(text.len(), "the rest of the object")),
            Extent::Complete {
                fault: Some(fault), ..
            } => Err(fault),
            Extent::Complete { end, fault: None } => {
                let behind = skip_white_space(text, end);
                match text.get(behind) {
                    Some(_) => Err(expected(behind, "nothing behind the object")),
                    None => Ok(Object::plain(text.get(start..end).unwrap_or_default())),
                }
            }
        }
    }

    /// Takes bytes that start with `{`, as [`extent`] cut them, for an object. Reading it is
    /// tolerant: what is not JSON inside is passed over.
    ///
    /// `None` if the first byte is not a brace.
    pub fn from_extent(bytes: &'a [u8]) -> Option<Self> {
        (bytes.first() == Some(&b'{')).then(|| Object::plain(bytes))
    }

    /// An object that lies in indexed text.
    #[inline]
    pub(crate) fn indexed_at(value: IndexedValue<'a>) -> Self {
        Object {
            bytes: value.raw(),
            indexed: Some(value),
        }
    }

    fn plain(bytes: &'a [u8]) -> Self {
        Object {
            bytes,
            indexed: None,
        }
    }

    /// The object as its index knows it, for those who read it by the million. It is well formed then, and its names have no escapes.
    #[inline]
    pub fn indexed(self) -> Option<IndexedObject<'a>> {
        self.indexed?.as_object()
    }

    /// The bytes as written, braces included.
    pub fn raw(self) -> &'a [u8] {
        self.bytes
    }

    /// The members in order, duplicates included.
    pub fn members(self) -> Members<'a> {
        Members(match self.indexed() {
            Some(indexed) => Inside::Indexed(indexed.members()),
            None => Inside::Cursor(self.cursor()),
        })
    }

    /// The member called `name`; of several the last one.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        if let Some(indexed) = self.indexed() {
            // Without escapes equal names are equal bytes, if they are text at all.
            let is_named = |found: &[u8]| {
                found == name.as_bytes() || !found.is_ascii() && Str::new(found).equals(name)
            };
            let named = indexed.members().filter(|(found, _)| is_named(found));
            return named.last().map(|(_, value)| value.value());
        }
        let mut cursor = self.cursor();
        let mut found = None;
        while let Some(key) = cursor.next_member() {
            if key.equals(name) {
                found = Some(cursor.value());
            } else {
                cursor.skip();
            }
        }
        found
    }

    /// The value behind a path of member names.
    pub fn path(self, names: &[&str]) -> Option<Value<'a>> {
        let mut value = Value::Object(self);
        for name in names {
            value = value.get(name)?;
        }
        Some(value)
    }

    /// The members without duplicates: each name at its first position with its last value.
    pub fn distinct_members(self) -> Vec<(Cow<'a, str>, Value<'a>)> {
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        let mut position_of: HashMap<Cow<'a, str>, usize> = HashMap::new();
        for (key, value) in self.members() {
            let name = key.decode();
            match position_of.get(&name).and_then(|at| members.get_mut(*at)) {
                Some((_, earlier)) => *earlier = value,
                None => {
                    position_of.insert(name.clone(), members.len());
                    members.push((name, value));
                }
            }
        }
        members
    }

    /// A cursor just inside the object.
    pub fn cursor(self) -> Cursor<'a> {
        Cursor::inside(self.bytes)
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Object({})", String::from_utf8_lossy(self.bytes))
    }
}

/// An array: the bytes from `[` to its `]`, and where its elements stand if an [`crate::Index`] knows.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    bytes: &'a [u8],
    indexed: Option<IndexedValue<'a>>,
}

impl<'a> Array<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Array {
            bytes,
            indexed: None,
        }
    }

    /// An array that lies in indexed text.
    #[inline]
    pub(crate) fn indexed_at(value: IndexedValue<'a>) -> Self {
        Array {
            bytes: value.raw(),
            indexed: Some(value),
        }
    }

    /// The bytes as written, brackets included.
    pub fn raw(self) -> &'a [u8] {
        self.bytes
    }

    /// The elements in order.
    pub fn elements(self) -> Elements<'a> {
        let indexed = self.indexed.and_then(IndexedValue::as_array);
        Elements(match indexed {
            Some(indexed) => Inside::Indexed(indexed.elements()),
            None => Inside::Cursor(Cursor::inside(self.bytes)),
        })
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Array({})", String::from_utf8_lossy(self.bytes))
    }
}

/// A place in a container, found by its index or by reading.
#[derive(Debug, Clone)]
enum Inside<'a, I> {
    Indexed(I),
    Cursor(Cursor<'a>),
}

/// The members of an object.
#[derive(Debug, Clone)]
pub struct Members<'a>(Inside<'a, IndexedMembers<'a>>);

impl<'a> Iterator for Members<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inside::Indexed(members) => {
                let (name, value) = members.next()?;
                Some((Str::new(name), value.value()))
            }
            Inside::Cursor(cursor) => {
                let key = cursor.next_member()?;
                Some((key, cursor.value()))
            }
        }
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct Elements<'a>(Inside<'a, IndexedElements<'a>>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inside::Indexed(elements) => elements.next().map(IndexedValue::value),
            Inside::Cursor(cursor) => cursor.next_element().then(|| cursor.value()),
        }
    }
}

/// Is this text a number by JSON's grammar?
pub fn is_number(text: &str) -> bool {
    is_number_bytes(text.as_bytes())
}

pub(crate) fn is_number_bytes(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let Some(rest) = after_integer(rest) else {
        return false;
    };
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => match after_digits(fraction) {
            Some(rest) => rest,
            None => return false,
        },
    };
    let Some((b'e' | b'E', exponent)) = rest.split_first() else {
        return rest.is_empty();
    };
    let digits = match exponent.split_first() {
        Some((b'+' | b'-', digits)) => digits,
        _ => exponent,
    };
    after_digits(digits).is_some_and(<[u8]>::is_empty)
}

/// What follows an integer without leading zeros.
fn after_integer(text: &[u8]) -> Option<&[u8]> {
    match text.split_first()? {
        (b'0', rest) => Some(rest),
        _ => after_digits(text),
    }
}

/// What follows one or more digits.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| text.get(count..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        Object::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_of_duplicate_members_counts() {
        let record = object(r#"{"a":1,"b":2,"\u0061":3}"#);
        assert!(matches!(record.get("a"), Some(Value::Number("3"))));
        let names: Vec<_> = record
            .distinct_members()
            .into_iter()
            .map(|(name, value)| format!("{name}={}", value.to_text()))
            .collect();
        assert_eq!(names, ["a=3", "b=2"]);
    }

    #[test]
    fn numbers_keep_their_text() {
        for number in [
            "0",
            "-0",
            "12.0",
            "1E+2",
            "123456789012345678901234567890",
            "1e-320",
        ] {
            assert!(is_number(number), "{number}");
        }
        for other in ["", "-", "01", "1.", ".5", "+1", "1e", "0x10", "NaN", "1 "] {
            assert!(!is_number(other), "{other}");
        }
    }

    #[test]
    fn a_broken_record_still_gives_its_members() {
        let record = Object::from_extent(br#"{"a":nul,"b":[1,2,"c":"x",,"d" "e":4}"#).unwrap();
        assert!(matches!(record.get("a"), Some(Value::Invalid(b"nul"))));
        let broken = Object::from_extent(br#"{"a":1,,"b" 2 "c":3,}"#).unwrap();
        assert!(matches!(broken.get("c"), Some(Value::Number("3"))));
        assert!(broken.get("b").is_none());
    }

    #[test]
    fn only_a_whole_object_parses() {
        for text in ["", "[]", "1", "{} x", "{", r#"{"a":1,}"#, "INFO {}"] {
            assert!(Object::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Object::parse(b" \r\n{} \t").is_ok());
    }
}
