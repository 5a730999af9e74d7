//! Why a pattern does not compile.

use std::ops::Range;

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
        let found = match source.get(span.clone()) {
            None | Some("") => "the end of the text".to_owned(),
            Some(text) => format!("`{}`", shortened(text)),
        };
        CompileError {
            span,
            message: message.into(),
            expected: expected.into(),
            found,
            help: None,
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    /// The place, in bytes of the text as it was given; empty at the end of the text.
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

/// At most 40 characters of a text, for a message.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}...", text.get(..cut).unwrap_or_default()),
    }
}
