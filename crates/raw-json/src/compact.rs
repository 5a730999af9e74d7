//! A value written back without white space.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use crate::cursor::{Cursor, Entered};
use crate::string::Str;
use crate::value::{Object, Value};

/// The compact serialization of a value: no white space, members in order, of duplicate names the
/// first position with the last value, numbers as written, non-ASCII characters as they are.
///
/// Tokens that are no JSON values are written as `null`.
pub fn compact(value: Value<'_>) -> String {
    let mut text = String::new();
    match value {
        Value::Object(object) => write_container(Cursor::before(object.raw()), &mut text),
        Value::Array(array) => write_container(Cursor::before(array.raw()), &mut text),
        scalar => write_scalar(scalar, &mut text),
    }
    text
}

/// [`compact`] for a record.
pub fn compact_object(object: Object<'_>) -> String {
    compact(Value::Object(object))
}

/// A container whose end has not been written yet.
enum Open<'a> {
    Array {
        first: bool,
    },
    Object {
        members: Vec<(Cow<'a, str>, Range<usize>)>,
        start: usize,
    },
}

/// Writes the value before the cursor. Each byte is read once, whatever the depth.
fn write_container<'a>(mut cursor: Cursor<'a>, text: &mut String) {
    let mut open: Vec<Open<'a>> = Vec::new();
    begin_value(&mut cursor, &mut open, text);
    while let Some(innermost) = open.last_mut() {
        match innermost {
            Open::Array { first } => {
                if cursor.next_element() {
                    if !std::mem::replace(first, false) {
                        text.push(',');
                    }
                    begin_value(&mut cursor, &mut open, text);
                } else {
                    text.push(']');
                    open.pop();
                }
            }
            Open::Object { members, start } => {
                end_member(members, text);
                if let Some(key) = cursor.next_member() {
                    if !members.is_empty() {
                        text.push(',');
                    }
                    members.push((key.decode(), text.len()..text.len()));
                    write_string(key, text);
                    text.push(':');
                    begin_value(&mut cursor, &mut open, text);
                } else {
                    drop_duplicates(members, *start, text);
                    text.push('}');
                    open.pop();
                }
            }
        }
    }
}

fn begin_value<'a>(cursor: &mut Cursor<'a>, open: &mut Vec<Open<'a>>, text: &mut String) {
    match cursor.enter() {
        Entered::Object => {
            text.push('{');
            open.push(Open::Object {
                members: Vec::new(),
                start: text.len(),
            });
        }
        Entered::Array => {
            text.push('[');
            open.push(Open::Array { first: true });
        }
        Entered::Scalar(scalar) => write_scalar(scalar, text),
    }
}

/// The member begun last ends where the text ends now.
fn end_member(members: &mut [(Cow<'_, str>, Range<usize>)], text: &str) {
    if let Some((_, range)) = members.last_mut() {
        range.end = text.len();
    }
}

/// Rewrites an object's members from `start` on if a name stands twice.
fn drop_duplicates(members: &[(Cow<'_, str>, Range<usize>)], start: usize, text: &mut String) {
    let mut last_of: HashMap<&str, &Range<usize>> = HashMap::with_capacity(members.len());
    for (name, range) in members {
        last_of.insert(name, range);
    }
    if last_of.len() == members.len() {
        return;
    }
    let mut kept = String::with_capacity(text.len() - start);
    for (name, _) in members {
        // The first position of a name takes its last value; later positions find it gone.
        if let Some(member) = last_of
            .remove(name.as_ref())
            .and_then(|range| text.get(range.clone()))
        {
            if !kept.is_empty() {
                kept.push(',');
            }
            kept.push_str(member);
        }
    }
    text.truncate(start);
    text.push_str(&kept);
}

fn write_scalar(value: Value<'_>, text: &mut String) {
    match value {
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(number),
        Value::String(string) => write_string(string, text),
        _ => text.push_str("null"),
    }
}

fn write_string(string: Str<'_>, text: &mut String) {
    text.push('"');
    for character in string.decode().chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(text: &str) -> String {
        compact_object(Object::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn white_space_and_needless_escapes_go() {
        assert_eq!(
            compacted("{ \"a\" : [ 1.50 , \"\\u0041\\/\\n\" , { } ] , \"é\" : null }"),
            r#"{"a":[1.50,"A/\n",{}],"é":null}"#
        );
    }

    #[test]
    fn of_duplicates_the_first_position_keeps_the_last_value() {
        assert_eq!(
            compacted(r#"{"a":1,"b":{"c":1,"c":[2]},"a":{"x":3}}"#),
            r#"{"a":{"x":3},"b":{"c":[2]}}"#
        );
    }

    #[test]
    fn depth_costs_no_stack() {
        let depth = 200_000;
        let text = format!(r#"{{"d":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(compacted(&text), text);
    }
}
