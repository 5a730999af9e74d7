//! Where a value ends, and whether it is well formed on the way.
//!
//! One pass checks the grammar with an explicit stack of brackets. At the first fault it hands over
//! to a second, tolerant pass that looks at strings and brackets only, so that a broken value still
//! ends where a reader would say it ends.

/// Why a text is not JSON: where, and what would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {offset}")]
pub struct SyntaxError {
    /// Offset in bytes from the start of the text.
    pub offset: usize,
    /// What the grammar allows there.
    pub expected: &'static str,
}

/// How far a value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The value ends before byte `end`. `fault` is the first breach of the grammar inside it.
    Complete {
        /// Offset of the first byte behind the value.
        end: usize,
        /// The first fault, if the value is not well formed.
        fault: Option<SyntaxError>,
    },
    /// The value does not end: at `at` the text ends, or a bracket closes something outside the value.
    Unterminated {
        /// Offset of that bracket, or the length of the text.
        at: usize,
    },
}

/// Finds the end of the value that starts at `start` (white space before it is passed over).
///
/// A bracket that does not fit closes everything up to the nearest one that does: in
/// `{"a":[1,2}` the brace ends both. A `{` where a member's name must stand closes the objects up to
/// the nearest array: in `[{"a":1,{"b":2}]` it begins the second element. If nothing inside the
/// value fits, the value is unterminated and the bracket is left to the caller.
pub fn extent(text: &[u8], start: usize) -> Extent {
    let mut brackets = Brackets::default();
    match strict(text, start, &mut brackets) {
        Ok(end) => Extent::Complete { end, fault: None },
        Err(Fault::EndOfText) => Extent::Unterminated { at: text.len() },
        Err(Fault::Syntax {
            fault,
            resume,
            behind,
        }) => match tolerant(text, resume, behind, &mut brackets) {
            Ok(end) => Extent::Complete {
                end,
                fault: Some(fault),
            },
            Err(at) => Extent::Unterminated { at },
        },
    }
}

/// Is this one of JSON's four white-space bytes?
pub fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

pub(crate) fn skip_white_space(text: &[u8], mut position: usize) -> usize {
    while text.get(position).is_some_and(|byte| is_white_space(*byte)) {
        position += 1;
    }
    position
}

/// Offset of the closing quote of the string whose first content byte is at `position`.
pub(crate) fn closing_quote(text: &[u8], mut position: usize) -> Option<usize> {
    loop {
        position += ordinary_bytes(text.get(position..)?);
        match text.get(position)? {
            b'"' => return Some(position),
            b'\\' => position += 2, // and what it escapes
            _ => position += 1,     // a control character, which is a matter for `strict_string`
        }
    }
}

/// How many bytes stand before the first quote, backslash or control character.
///
/// Most strings in a record are short, so this looks at eight bytes at a time and has nothing to set
/// up.
fn ordinary_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        // Sets the high bit of each byte that is zero; a byte above such a one may be set too, so
        // only the lowest bit counts.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        let quote = zero(word ^ u64::from_le_bytes([b'"'; 8]));
        let backslash = zero(word ^ u64::from_le_bytes([b'\\'; 8]));
        // A byte below 0x20 borrows from its high bit when 0x20 is taken away.
        let control = word.wrapping_sub(u64::from_le_bytes([0x20; 8])) & !word & HIGH;
        let found = quote | backslash | control;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let tail = rest.iter().position(special).unwrap_or(rest.len());
    chunks.len() * 8 + tail
}

/// Offset behind a run of bytes that can only belong to a scalar token.
pub(crate) fn token_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let stops = |byte: &u8| {
        is_white_space(*byte) || matches!(byte, b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}')
    };
    start + rest.iter().position(stops).unwrap_or(rest.len())
}

/// The end of the container at `start`; one that does not end reaches to the bracket that is not its
/// own, or to the end of the text.
///
/// This is where [`extent`] says it ends, found without looking at the grammar: up to its first
/// fault both keep the same brackets.
pub(crate) fn container_end(text: &[u8], start: usize) -> usize {
    tolerant(text, start, Behind::Other, &mut Brackets::default()).unwrap_or_else(|at| at)
}

/// Open brackets, innermost last: one bit each, so that any depth costs an eighth of a byte a level.
#[derive(Default)]
struct Brackets {
    /// The innermost up to 64 levels; a set bit is an object.
    top: u64,
    /// Fuller words, outermost first.
    spilled: Vec<u64>,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Array,
    Object,
}

impl Brackets {
    fn push(&mut self, bracket: Bracket) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.spilled.push(self.top);
            self.top = 0;
        }
        self.top = (self.top << 1) | u64::from(bracket == Bracket::Object);
        self.depth += 1;
    }

    fn innermost(&self) -> Option<Bracket> {
        match (self.depth, self.top & 1) {
            (0, _) => None,
            (_, 1) => Some(Bracket::Object),
            _ => Some(Bracket::Array),
        }
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.top >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.top = self.spilled.pop().unwrap_or_default();
        }
    }

    /// Closes the open objects up to the nearest array; `false` if there is none around them. Does
    /// nothing where the innermost bracket is an array's or there is none.
    fn leave_objects(&mut self) -> bool {
        while self.innermost() == Some(Bracket::Object) {
            self.pop();
            if self.depth == 0 {
                return false;
            }
        }
        true
    }

    /// Closes the nearest open `bracket` and all inside it; `false` if there is none.
    fn close(&mut self, bracket: Bracket) -> bool {
        while let Some(innermost) = self.innermost() {
            self.pop();
            if innermost == bracket {
                return true;
            }
        }
        false
    }
}

enum Fault {
    EndOfText,
    /// Not JSON; the tolerant pass goes on at `resume`, the start of the token at fault.
    Syntax {
        fault: SyntaxError,
        resume: usize,
        behind: Behind,
    },
}

/// What the last token was, as far as the tolerant pass needs to know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// The opening brace of an object or a comma: in an object a name must follow.
    BraceOrComma,
    Other,
}

/// What the grammar allows next.
#[derive(Clone, Copy)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

impl Next {
    fn behind(self) -> Behind {
        match self {
            Next::Key | Next::KeyOrEnd => Behind::BraceOrComma,
            _ => Behind::Other,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Next::Value => "a value",
            Next::ValueOrEnd => "a value or `]`",
            Next::Key => "a member name in double quotes",
            Next::KeyOrEnd => "a member name in double quotes or `}`",
            Next::Colon => "`:`",
            Next::CommaOrEnd => "`,` or the closing bracket",
        }
    }
}

/// The grammar, without recursion. On a fault the brackets stay as they were there.
fn strict(text: &[u8], start: usize, brackets: &mut Brackets) -> Result<usize, Fault> {
    let mut position = start;
    let mut next = Next::Value;
    loop {
        position = skip_white_space(text, position);
        let Some(&byte) = text.get(position) else {
            return Err(Fault::EndOfText);
        };
        let unexpected = || fault_at(position, position, next.behind(), next.expected());
        match (next, byte) {
            (Next::Value | Next::ValueOrEnd, b'{') => {
                brackets.push(Bracket::Object);
                next = Next::KeyOrEnd;
                position += 1;
                continue;
            }
            (Next::Value | Next::ValueOrEnd, b'[') => {
                brackets.push(Bracket::Array);
                next = Next::ValueOrEnd;
                position += 1;
                continue;
            }
            (Next::Value | Next::ValueOrEnd, b'"') => position = strict_string(text, position)?,
            (Next::ValueOrEnd, b']') => {
                brackets.pop();
                position += 1;
            }
            (Next::Value | Next::ValueOrEnd, b',' | b':' | b'}' | b']') => return unexpected(),
            (Next::Value | Next::ValueOrEnd, _) => position = strict_scalar(text, position)?,
            (Next::Key | Next::KeyOrEnd, b'"') => {
                position = strict_string(text, position)?;
                next = Next::Colon;
                continue;
            }
            (Next::KeyOrEnd, b'}') => {
                brackets.pop();
                position += 1;
            }
            (Next::Colon, b':') => {
                next = Next::Value;
                position += 1;
                continue;
            }
            (Next::CommaOrEnd, b',') => {
                next = match brackets.innermost() {
                    Some(Bracket::Object) => Next::Key,
                    _ => Next::Value,
                };
                position += 1;
                continue;
            }
            (Next::CommaOrEnd, b'}') if brackets.innermost() == Some(Bracket::Object) => {
                brackets.pop();
                position += 1;
            }
            (Next::CommaOrEnd, b']') if brackets.innermost() == Some(Bracket::Array) => {
                brackets.pop();
                position += 1;
            }
            _ => return unexpected(),
        }
        // A value has just ended.
        if brackets.depth == 0 {
            return Ok(position);
        }
        next = Next::CommaOrEnd;
    }
}

/// Checks the string whose opening quote is at `open`; returns the offset behind it.
///
/// Invalid UTF-8 and lone surrogates are not faults: they read as U+FFFD.
fn strict_string(text: &[u8], open: usize) -> Result<usize, Fault> {
    let mut position = open + 1;
    loop {
        let rest = text.get(position..).ok_or(Fault::EndOfText)?;
        position += ordinary_bytes(rest);
        match text.get(position) {
            None => return Err(Fault::EndOfText),
            Some(b'"') => return Ok(position + 1),
            Some(b'\\') => match escape_length(text.get(position..).unwrap_or_default()) {
                Some(length) => position += length,
                None => {
                    return fault_at(
                        position,
                        open,
                        Behind::Other,
                        "an escape such as `\\n` or `\\u00e9`",
                    );
                }
            },
            Some(_) => {
                return fault_at(
                    position,
                    open,
                    Behind::Other,
                    "an escape for this control character",
                );
            }
        }
    }
}

fn fault_at<T>(
    offset: usize,
    resume: usize,
    behind: Behind,
    expected: &'static str,
) -> Result<T, Fault> {
    let fault = SyntaxError { offset, expected };
    Err(Fault::Syntax {
        fault,
        resume,
        behind,
    })
}

pub(crate) fn escape_length(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => rest
            .get(2..6)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .then_some(6),
        _ => None,
    }
}

fn strict_scalar(text: &[u8], start: usize) -> Result<usize, Fault> {
    let end = token_end(text, start);
    let token = text.get(start..end).unwrap_or_default();
    if matches!(token, b"true" | b"false" | b"null") || crate::value::is_number_bytes(token) {
        return Ok(end);
    }
    fault_at(start, start, Behind::Other, "a value")
}

/// Strings and brackets only, from `position` on inside the open `brackets`.
/// `Err` is the offset at which the value turns out not to end.
fn tolerant(
    text: &[u8],
    mut position: usize,
    mut behind: Behind,
    brackets: &mut Brackets,
) -> Result<usize, usize> {
    loop {
        let Some(&byte) = text.get(position) else {
            return Err(text.len());
        };
        let before = std::mem::replace(&mut behind, Behind::Other);
        match byte {
            b'"' => {
                position = closing_quote(text, position + 1).ok_or(text.len())? + 1;
            }
            b'{' => {
                if before == Behind::BraceOrComma && !brackets.leave_objects() {
                    return Err(position);
                }
                brackets.push(Bracket::Object);
                behind = Behind::BraceOrComma;
                position += 1;
                continue;
            }
            b'[' => {
                brackets.push(Bracket::Array);
                position += 1;
                continue;
            }
            b'}' | b']' => {
                let kind = if byte == b'}' {
                    Bracket::Object
                } else {
                    Bracket::Array
                };
                if !brackets.close(kind) {
                    return Err(position);
                }
                position += 1;
            }
            b',' => {
                behind = Behind::BraceOrComma;
                position += 1;
                continue;
            }
            b':' => {
                position += 1;
                continue;
            }
            byte if is_white_space(byte) => {
                behind = before;
                position += 1;
                continue;
            }
            _ => position = token_end(text, position).max(position + 1),
        }
        if brackets.depth == 0 {
            return Ok(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> (usize, bool) {
        match extent(text.as_bytes(), 0) {
            Extent::Complete { end, fault } => (end, fault.is_none()),
            Extent::Unterminated { at } => panic!("{text} unterminated at {at}"),
        }
    }

    #[test]
    fn ordinary_bytes_end_at_the_first_special_one() {
        let naive = |bytes: &[u8]| {
            bytes
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
                .unwrap_or(bytes.len())
        };
        for first in 0..=u8::MAX {
            for second in [b'a', b'"', b'\\', 0x1f, 0x20, 0x21, 0x7f, 0x80, 0xff] {
                for length in 0..20 {
                    let mut bytes = vec![b'x'; length];
                    bytes.extend([first, second, b'"', 0xa2]);
                    assert_eq!(ordinary_bytes(&bytes), naive(&bytes), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn a_value_ends_at_its_last_byte() {
        for text in [
            r#"{"a":[1,{"b":"]}"}]}"#,
            "[]",
            "{}",
            "-1.5e3",
            "true",
            r#""a\"b""#,
        ] {
            assert_eq!(
                complete(&format!("{text} , rest")),
                (text.len(), true),
                "{text}"
            );
        }
    }

    #[test]
    fn a_fault_does_not_move_the_end() {
        for text in [
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":nul}"#,
            r#"{"a":01}"#,
            r#"{a:1}"#,
            "{\"a\":\"x\ny\"}",
            r#"{"a":"\x"}"#,
        ] {
            assert_eq!(
                complete(&format!("{text},{{}}")),
                (text.len(), false),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bracket_that_does_not_fit_closes_the_nearest_that_does() {
        assert_eq!(complete(r#"{"a":[1,2} tail"#), (10, false));
        assert_eq!(complete(r#"{"a":[{"b":1]} tail"#), (14, false));
    }

    #[test]
    fn a_brace_where_a_name_must_stand_begins_the_next_element() {
        assert_eq!(
            extent(br#"{"a":1,{"b":2}]"#, 0),
            Extent::Unterminated { at: 7 }
        );
        assert_eq!(
            complete(r#"{"l":[{"a":{"x":1,{"b":2}],"c":3} tail"#),
            (33, false)
        );
        assert_eq!(complete(r#"{"a" {"b":2}} tail"#), (13, false));
    }

    #[test]
    fn a_bracket_that_closes_nothing_inside_leaves_the_value_unterminated() {
        assert_eq!(extent(br#"{"a":1]}"#, 0), Extent::Unterminated { at: 6 });
        assert_eq!(extent(br#"{"a":"b"#, 0), Extent::Unterminated { at: 7 });
    }

    #[test]
    fn a_container_ends_where_its_extent_ends() {
        // All texts of up to seven of these bytes, behind an opening bracket.
        let bytes = b"[{]}\",:\\1\x01";
        for mut number in 0..bytes.len().pow(6) * 2 {
            let mut text = vec![if number % 2 == 0 { b'[' } else { b'{' }];
            number /= 2;
            while number > 0 {
                text.push(bytes[number % bytes.len()]);
                number /= bytes.len();
            }
            let expected = match extent(&text, 0) {
                Extent::Complete { end, .. } => end,
                Extent::Unterminated { at } => at,
            };
            assert_eq!(
                container_end(&text, 0),
                expected,
                "{}",
                String::from_utf8_lossy(&text)
            );
        }
    }

    #[test]
    fn a_million_levels_are_passed_over() {
        let depth = 1_000_000;
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(complete(&text), (text.len(), true));
        let mixed = format!("{}1{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
        assert_eq!(complete(&mixed), (mixed.len(), true));
    }

    #[test]
    fn a_fault_says_where_and_what_was_expected() {
        let Extent::Complete {
            fault: Some(fault), ..
        } = extent(br#"{"a":1,}"#, 0)
        else {
            panic!("a trailing comma is a fault");
        };
        assert_eq!(
            fault.to_string(),
            "expected a member name in double quotes at byte 7"
        );
    }
}
