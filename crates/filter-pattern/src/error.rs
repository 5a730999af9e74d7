//! Why a pattern does not compile.

use std::ops::Range;

use crate::scanner::is_white_space;

/// Why a text is no filter pattern (or selector, metric value, dimension): where, what was expected
/// and what was found.
///
/// Shows as `unknown operator `~=`: expected one of: = != < <= > >=`; the span, what was found and the
/// help are for a caller who can point at the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: expected {expected}")]
pub struct CompileError {
    span: Range<usize>,
    message: String,
    expected: String,
    found: String,
    help: Option<String>,
}

impl CompileError {
    /// A fault at `span` of `source`; what was found is what stands there.
    pub(crate) fn new(
        source: &str,
        span: Range<usize>,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        let found = found_at(source, &span);
        CompileError {
            span,
            message: printable(&message.into()),
            expected: expected.into(),
            found,
            help: None,
        }
    }

    /// Without a help if that would have to show what cannot be shown: nobody could follow it.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into()).filter(|help| !help.contains(is_risky));
        self
    }

    pub(crate) fn with_found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    /// The place, in bytes of the text as it was given; empty where something is missing.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is wrong, in lower case and without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the language allows there.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What stands there instead.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// A next step, where one is likely to help.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// What stands at `span`, or, if that is empty, right behind it.
fn found_at(source: &str, span: &Range<usize>) -> String {
    let here = source.get(span.clone()).unwrap_or_default();
    let rest = source.get(span.start..).unwrap_or_default();
    match rest.chars().next() {
        _ if !here.is_empty() => format!("`{}`", printable(&shortened(here))),
        _ if rest.trim_start_matches(is_white_space).is_empty() => "the end of the text".to_owned(),
        Some(character) if !is_white_space(character) => {
            format!("`{}`", printable(character.encode_utf8(&mut [0; 4])))
        }
        _ => "white space".to_owned(),
    }
}

/// Text of a user or an event, without what could move a terminal's cursor, turn its lines around or
/// hide in them: such characters are shown by their numbers.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_risky(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    shown
}

fn is_risky(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// At most 40 characters of a text, for a message.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}...", text.get(..cut).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_number() {
        assert_eq!(
            printable("a\u{1b}[2J\u{202e}\u{200b}\u{200f}\u{61c}\u{feff}é\n"),
            r"a\u{1b}[2J\u{202e}\u{200b}\u{200f}\u{61c}\u{feff}é\u{a}"
        );
    }

    #[test]
    fn no_message_holds_a_character_that_cannot_be_seen() {
        for pattern in [
            "{ $.a = x\u{1b}[2J }",
            "{ $.a = '\u{1b}[2J' }",
            "{ $.a\u{1b}b = 1 }",
            "{ $.\u{feff} = 1 }",
            "{ \u{1b} }",
            "{ $.a = 1 \u{1b} }",
            "{ $.a \u{1b} 1 }",
            "[a \u{1b}]",
            "x\u{1b}",
            "%\u{1b}%",
        ] {
            let error = crate::compile(pattern).expect_err(pattern);
            let help = error.help().unwrap_or_default();
            for text in [error.message(), error.expected(), error.found(), help] {
                assert!(!text.contains(is_risky), "{text:?}");
            }
            assert!(!help.contains("write \"\""), "{pattern:?} {help}");
        }
    }

    #[test]
    fn what_was_found_is_what_stands_there() {
        let found = |pattern: &str| {
            let error = crate::compile(pattern).expect_err(pattern);
            error.found().to_owned()
        };
        assert_eq!(found("{ $. a = 1 }"), "white space");
        assert_eq!(found("{ $.a = 1  "), "the end of the text");
        assert_eq!(found("{ $.= 1 }"), "`=`");
        assert_eq!(found("{"), "the end of the text");
    }
}
