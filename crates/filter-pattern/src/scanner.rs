//! A position in the text of a pattern, and the tokens all languages share.

use std::ops::Range;

use crate::error::CompileError;

/// White space: space, tab, CR, LF. Filter pattern rules, D18.
pub(crate) fn is_white_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// A character of a value without quotes. Filter pattern rules, section 2 (`bare`), D12.
pub(crate) fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-' | '+' | '*')
}

/// A character of a name without brackets. Filter pattern rules, section 2 (`name`).
pub(crate) fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// Reads a pattern from left to right. Offsets are bytes of the text as the user gave it.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'p> {
    source: &'p str,
    position: usize,
    end: usize,
}

impl<'p> Scanner<'p> {
    /// The text without the white space around it. Filter pattern rules, section 1, D18.
    pub(crate) fn trimmed(source: &'p str) -> Self {
        let inner = source.trim_end_matches(is_white_space);
        let position = inner.len() - inner.trim_start_matches(is_white_space).len();
        Scanner {
            source,
            position,
            end: inner.len(),
        }
    }

    /// The whole text.
    pub(crate) fn whole(source: &'p str) -> Self {
        Scanner {
            source,
            position: 0,
            end: source.len(),
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn rest(&self) -> &'p str {
        self.text(self.position..self.end)
    }

    pub(crate) fn text(&self, span: Range<usize>) -> &'p str {
        self.source.get(span).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes over one character.
    pub(crate) fn advance(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.position += character.len_utf8();
        Some(character)
    }

    /// Passes over `token` if it stands here.
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        let stands_here = self.rest().starts_with(token);
        if stands_here {
            self.position += token.len();
        }
        stands_here
    }

    /// Passes over white space; was there any?
    pub(crate) fn skip_white_space(&mut self) -> bool {
        !self.take_while(is_white_space).is_empty()
    }

    pub(crate) fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> &'p str {
        let rest = self.rest();
        let length = rest.find(|character| !accepts(character));
        let taken = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        self.position += taken.len();
        taken
    }

    /// From `start` to here.
    pub(crate) fn span_from(&self, start: usize) -> Range<usize> {
        start..self.position
    }

    /// The run of characters here up to white space or a bracket: what a reader would call the word.
    pub(crate) fn word_span(&self) -> Range<usize> {
        let rest = self.rest();
        let ends = |character: char| {
            is_white_space(character) || matches!(character, '(' | ')' | '}' | ',' | ']')
        };
        let length = rest.find(ends).unwrap_or(rest.len());
        let first = rest.chars().next().filter(|first| !is_white_space(*first));
        let first = first.map_or(0, char::len_utf8);
        self.position..self.position + length.max(first)
    }

    /// A string in double quotes whose opening quote stands here, escapes resolved: `\"` is a quote,
    /// `\\` a backslash, any other backslash stays. Filter pattern rules, section 4, D11.
    pub(crate) fn quoted(&mut self) -> Result<String, CompileError> {
        let open = self.position;
        self.advance();
        let mut text = String::new();
        while let Some(character) = self.advance() {
            match (character, self.peek()) {
                ('"', _) => return Ok(text),
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    text.push(escaped);
                    self.advance();
                }
                (other, _) => text.push(other),
            }
        }
        let fault = self.fault(open..self.end, "the string does not end", "a closing `\"`");
        Err(match self.text(open..self.end).contains("\\\"") {
            true => fault.with_help(
                "`\\\"` is a quote inside the string; write `\\\\` for a backslash at its end",
            ),
            false => fault,
        })
    }

    /// What stands between the `%` here and the next one, as a span.
    /// Filter pattern rules, section 2 (`regex`).
    pub(crate) fn between_percents(&mut self) -> Result<Range<usize>, CompileError> {
        let open = self.position;
        self.advance();
        let start = self.position;
        self.take_while(|character| character != '%');
        let content = self.span_from(start);
        if !self.eat("%") {
            return Err(self.fault(
                open..self.end,
                "the regular expression does not end",
                "a closing `%`",
            ));
        }
        if content.is_empty() {
            return Err(self.fault(
                open..self.position,
                "the regular expression is empty",
                "at least one character between the `%`",
            ));
        }
        Ok(content)
    }

    pub(crate) fn fault(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> CompileError {
        let span = span.start.min(self.end)..span.end.min(self.end);
        CompileError::new(self.source, span, message, expected)
    }
}

/// The text as it stands between double quotes in a pattern: the shortest form that
/// [`Scanner::quoted`] reads back.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('"', _) => quoted.push_str("\\\""),
            ('\\', None | Some('"' | '\\')) => quoted.push_str("\\\\"),
            (other, _) => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Scanner::whole(text).quoted().ok()
    }

    #[test]
    fn only_a_quote_and_a_backslash_are_escaped() {
        assert_eq!(read(r#""a\"b""#).as_deref(), Some(r#"a"b"#));
        assert_eq!(read(r#""a\\b""#).as_deref(), Some(r"a\b"));
        assert_eq!(read(r#""a\nb\*""#).as_deref(), Some(r"a\nb\*"));
        assert_eq!(read(r#""a\""#), None);
    }

    #[test]
    fn quoting_is_the_inverse_of_reading() {
        for text in [
            "",
            "\\",
            "a\\",
            "\\\\x\\",
            "\\\"",
            "\"\"",
            "\\n\\\\\"x",
            "é\n*",
        ] {
            assert_eq!(read(&quote(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn white_space_is_four_characters() {
        let scanner = Scanner::trimmed(" \t\r\n\u{a0}x\u{b} \n");
        assert_eq!(scanner.rest(), "\u{a0}x\u{b}");
    }
}
