//! What is wrong with a filters file, and where.

use std::fmt;
use std::ops::Range;

/// One fault: where it is, what it is, what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the file.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, with what was found and what was expected.
    pub message: String,
    /// The words for the place itself, where they say more than the message.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Fault {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Fault {
            span,
            line: 0,
            column: 0,
            message: message.into(),
            label: None,
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Computes line and column from the text of the file.
    pub(crate) fn place(&mut self, text: &str) {
        let mut at = self.span.start.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.line = before.matches('\n').count() + 1;
        self.column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    }
}

/// `line:column: message`, and what was expected there.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.label {
            Some(label) => write!(f, ", {label}"),
            None => Ok(()),
        }
    }
}

/// All the faults of a filters file. Loading is all or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
