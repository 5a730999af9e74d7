//! A value written with line breaks, otherwise as it lies.

use crate::extent::{closing_quote, is_white_space};

/// Levels that are still indented further; deeper ones stay at this depth.
const MOST_LEVELS: usize = 64;

/// The text of a value with two spaces of indentation a level. Nothing but the white space between
/// tokens changes: numbers, escapes and duplicates stay as written. Invalid UTF-8 becomes U+FFFD.
pub fn indented(value: &[u8]) -> String {
    let mut text = Vec::with_capacity(value.len() * 2);
    let mut level = 0_usize;
    let mut position = 0;
    while let Some(&byte) = value.get(position) {
        let rest = value.get(position + 1..).unwrap_or_default();
        let next = rest.iter().find(|byte| !is_white_space(**byte));
        match byte {
            b'"' => {
                let end = closing_quote(value, position + 1).map_or(value.len(), |close| close + 1);
                text.extend_from_slice(value.get(position..end).unwrap_or_default());
                position = end;
                continue;
            }
            b'{' | b'[' => {
                text.push(byte);
                level += 1;
                if !matches!(next, Some(b'}' | b']')) {
                    new_line(&mut text, level);
                }
            }
            b'}' | b']' => {
                level = level.saturating_sub(1);
                if !matches!(text.last(), Some(b'{' | b'[')) {
                    new_line(&mut text, level);
                }
                text.push(byte);
            }
            b',' => {
                text.push(byte);
                new_line(&mut text, level);
            }
            b':' => text.extend_from_slice(b": "),
            byte if is_white_space(byte) => {}
            byte => text.push(byte),
        }
        position += 1;
    }
    String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn new_line(text: &mut Vec<u8>, level: usize) {
    text.push(b'\n');
    text.resize(text.len() + 2 * level.min(MOST_LEVELS), b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_changes() {
        let text = indented(br#"{"a":[1.50,{}, [] ],"b":"x{,:\"","b":{"c":null}}"#);
        assert_eq!(
            text,
            "{\n  \"a\": [\n    1.50,\n    {},\n    []\n  ],\n  \"b\": \"x{,:\\\"\",\n  \"b\": {\n    \"c\": null\n  }\n}"
        );
    }
}
