//! A cursor that walks forward once, entering what it needs and passing over the rest.

use crate::extent::{closing_quote, container_end, is_white_space, skip_white_space, token_end};
use crate::string::Str;
use crate::value::{Array, Object, Value, is_number_bytes};

/// A place inside a record. It only moves forward, and it always gets to the end: what is not JSON
/// is passed over.
///
/// The caller keeps track of what it entered: after [`Entered::Object`] it calls
/// [`Cursor::next_member`] until `None`, after [`Entered::Array`] [`Cursor::next_element`] until
/// `false`; before the next such call it takes the value by `value`, `enter` or `skip`.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

/// What [`Cursor::enter`] found.
#[derive(Debug, Clone, Copy)]
pub enum Entered<'a> {
    /// The cursor is inside an object.
    Object,
    /// The cursor is inside an array.
    Array,
    /// The cursor is behind this scalar (or invalid token).
    Scalar(Value<'a>),
}

impl<'a> Cursor<'a> {
    /// Inside the container whose opening bracket is the first byte.
    pub(crate) fn inside(container: &'a [u8]) -> Self {
        Cursor {
            text: container,
            position: 1,
        }
    }

    /// Before the first byte of a value.
    pub(crate) fn before(value: &'a [u8]) -> Self {
        Cursor {
            text: value,
            position: 0,
        }
    }

    /// Inside an object: the next member's name, with the cursor before its value; `None` at the
    /// end of the object, which is then behind the cursor.
    pub fn next_member(&mut self) -> Option<Str<'a>> {
        loop {
            match self.next_byte()? {
                b'"' => {
                    let key = self.string();
                    if self.next_byte() == Some(b':') {
                        self.position += 1;
                        return Some(key);
                    }
                }
                b'}' => {
                    self.position += 1;
                    return None;
                }
                b']' => return None, // belongs to an array around this object
                b'{' if self.name_is_due() => return None, // begins the next element of one
                b',' | b':' => self.position += 1,
                _ => self.skip(),
            }
        }
    }

    /// Inside an array: `true` with the cursor before the next element; `false` at the end of the
    /// array, which is then behind the cursor.
    pub fn next_element(&mut self) -> bool {
        loop {
            match self.next_byte() {
                None | Some(b'}') => return false, // `}` belongs to an object around this array
                Some(b']') => {
                    self.position += 1;
                    return false;
                }
                Some(b',' | b':') => self.position += 1,
                Some(_) => return true,
            }
        }
    }

    /// Steps into a container, or reads a scalar.
    pub fn enter(&mut self) -> Entered<'a> {
        match self.next_byte() {
            Some(b'{') => {
                self.position += 1;
                Entered::Object
            }
            Some(b'[') => {
                self.position += 1;
                Entered::Array
            }
            _ => Entered::Scalar(self.value()),
        }
    }

    /// Reads the value before which the cursor stands, containers to their end.
    pub fn value(&mut self) -> Value<'a> {
        match self.next_byte() {
            Some(b'"') => Value::String(self.string()),
            Some(b'{') => {
                let container = self.container();
                Object::from_extent(container).map_or(Value::Invalid(container), Value::Object)
            }
            Some(b'[') => Value::Array(Array::new(self.container())),
            _ => self.scalar(),
        }
    }

    /// Passes over the value before which the cursor stands.
    pub fn skip(&mut self) {
        match self.next_byte() {
            Some(b'"') => {
                self.string();
            }
            Some(b'{' | b'[') => {
                self.container();
            }
            _ => {
                self.scalar();
            }
        }
    }

    /// Does the cursor stand behind an opening brace or a comma?
    fn name_is_due(&self) -> bool {
        let before = self.text.get(..self.position).unwrap_or_default();
        let last = before.iter().rev().find(|byte| !is_white_space(**byte));
        matches!(last, Some(b'{' | b','))
    }

    fn next_byte(&mut self) -> Option<u8> {
        self.position = skip_white_space(self.text, self.position);
        self.text.get(self.position).copied()
    }

    fn string(&mut self) -> Str<'a> {
        let start = self.position + 1;
        let close = closing_quote(self.text, start).unwrap_or(self.text.len());
        self.position = (close + 1).min(self.text.len());
        Str::new(self.text.get(start..close).unwrap_or_default())
    }

    fn container(&mut self) -> &'a [u8] {
        let start = self.position;
        self.position = container_end(self.text, start);
        self.text.get(start..self.position).unwrap_or_default()
    }

    fn scalar(&mut self) -> Value<'a> {
        let start = self.position;
        self.position = token_end(self.text, start);
        match self.text.get(start..self.position).unwrap_or_default() {
            b"null" => Value::Null,
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            token => match std::str::from_utf8(token) {
                Ok(text) if is_number_bytes(token) => Value::Number(text),
                _ => Value::Invalid(token),
            },
        }
    }
}
