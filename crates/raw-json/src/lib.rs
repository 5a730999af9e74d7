//! Read JSON where it lies: values are borrowed slices of the text, nothing is built.
//!
//! ```
//! let record = raw_json::Object::parse(br#"{ "eventName": "StopLogging", "n": 1.50 }"#)?;
//! assert!(record.get("eventName").is_some_and(|name| name.as_str().as_deref() == Some("StopLogging")));
//! assert!(matches!(record.get("n"), Some(raw_json::Value::Number("1.50"))));
//! # Ok::<(), raw_json::SyntaxError>(())
//! ```
//!
//! [`extent`] finds where a value ends and whether it is well formed (`extent`), [`Value`] and
//! [`Object`] give access to what lies inside (`value`), [`Cursor`] walks forward once for those who
//! select many paths in one pass (`cursor`), [`compact`] writes a value back without white space.
//!
//! The promise: one odd byte never hides a value. Strings decode with U+FFFD for invalid UTF-8 and
//! lone surrogates, of duplicate member names the last one counts, numbers keep the text they were
//! written with, and nesting of any depth is passed over without recursion. What is not JSON is
//! said ([`Extent::Complete::fault`], [`Value::Invalid`]) and reading goes on behind it; only
//! [`Object::parse`] is strict.
//!
//! Source: RFC 8259. Out of scope: building trees, numbers as machine types.

mod compact;
mod cursor;
mod extent;
mod indented;
mod index;
mod indexed;
mod name_table;
mod string;
mod value;

pub use compact::{compact, compact_object};
pub use cursor::{Cursor, Entered};
pub use extent::{Extent, SyntaxError, extent, is_white_space};
pub use indented::indented;
pub use index::{Index, IndexedRun};
pub use indexed::{
    FoundMember, FoundMembers, IndexedArray, IndexedElements, IndexedKind, IndexedMembers,
    IndexedObject, IndexedPlace, IndexedValue,
};
pub use name_table::NameTable;
pub use string::Str;
pub use value::{Array, Elements, Members, Object, Value, is_number};
