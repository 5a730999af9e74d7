//! Unstructured terms: `ERROR "access denied" -DEBUG`.
//!
//! Source: filter pattern rules, sections 2 and 6, D21.

use std::ops::Range;

use crate::error::CompileError;
use crate::scanner::{Scanner, is_white_space, quote};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) terms: Vec<Term>,
}

/// One word or phrase.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub(crate) role: Role,
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Required,
    /// `-term`
    Excluded,
    /// `?term`: one of several, if there are no others.
    Optional,
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        (self.role, &self.text) == (other.role, &other.text)
    }
}

impl Eq for Term {}

impl Terms {
    pub(crate) fn matches(&self, message: &str) -> bool {
        let is_there = |term: &Term| message.contains(&term.text);
        if !self.ignores_optional() {
            return self.terms.iter().any(is_there);
        }
        self.terms.iter().all(|term| match term.role {
            Role::Required => is_there(term),
            Role::Excluded => !is_there(term),
            Role::Optional => true,
        })
    }

    /// With any plain or excluded term present, `?` terms play no part.
    pub(crate) fn ignores_optional(&self) -> bool {
        self.terms.iter().any(|term| term.role != Role::Optional)
    }

    pub(crate) fn write(&self, out: &mut String) {
        let terms: Vec<_> = self.terms.iter().map(Term::shown).collect();
        out.push_str(&terms.join(" "));
    }

    /// Reads a pattern of at least one term.
    pub(crate) fn read(mut scanner: Scanner<'_>) -> Result<Self, CompileError> {
        let mut terms = Vec::new();
        while scanner.peek().is_some() {
            terms.push(read_term(&mut scanner)?);
            let is_apart = scanner.skip_white_space();
            if !is_apart && scanner.peek().is_some() {
                return Err(bad_character(&scanner, scanner.position()));
            }
        }
        Ok(Terms { terms })
    }
}

impl Term {
    pub(crate) fn shown(&self) -> String {
        let is_word = !self.text.is_empty() && self.text.chars().all(is_word);
        let text = match is_word {
            true => self.text.clone(),
            false => quote(&self.text),
        };
        match self.role {
            Role::Required => text,
            Role::Excluded => format!("-{text}"),
            Role::Optional => format!("?{text}"),
        }
    }
}

/// A character of a term without quotes (D21).
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn read_term(scanner: &mut Scanner<'_>) -> Result<Term, CompileError> {
    let start = scanner.position();
    let role = if scanner.eat("?") {
        Role::Optional
    } else if scanner.eat("-") {
        scanner.skip_white_space();
        Role::Excluded
    } else {
        Role::Required
    };
    let text = match scanner.peek() {
        Some('"') => scanner.quoted()?,
        Some(character) if is_word(character) => scanner.take_while(is_word).to_owned(),
        None => {
            let message = "a term is missing";
            let expected = "a word or a phrase in double quotes";
            return Err(scanner.fault(scanner.span_from(start), message, expected));
        }
        Some(_) => return Err(bad_character(scanner, scanner.position())),
    };
    Ok(Term {
        role,
        text,
        span: scanner.span_from(start),
    })
}

/// A character that needs quotes, or that glues two terms together.
fn bad_character(scanner: &Scanner<'_>, at: usize) -> CompileError {
    // The whole word the character stands in, from the white space before it.
    let before = scanner.text(0..at);
    let start = before.rfind(is_white_space).map_or(0, |space| space + 1);
    let behind = scanner.rest();
    let end = at + behind.find(is_white_space).unwrap_or(behind.len());
    let word = scanner.text(start..end);
    let shown = scanner
        .peek()
        .map(|character| character.escape_debug().to_string());
    let shown = shown.unwrap_or_default();
    let message = format!("a term with `{shown}` needs quotes");
    let expected = "letters, digits and `_`, or a phrase in double quotes";
    let fault = scanner.fault(start..end, message, expected);
    let plain = word.trim_start_matches(['?', '-']);
    match scanner.peek() {
        Some('%') => fault.with_help("a regular expression must be the whole pattern: %...%"),
        _ if word.contains('"') || plain.is_empty() => {
            fault.with_help("white space stands between terms, and none behind `?`")
        }
        _ => fault.with_help(format!("write {}", quote(plain))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(pattern: &str) -> Result<Terms, CompileError> {
        Terms::read(Scanner::trimmed(pattern))
    }

    #[test]
    fn optional_terms_count_only_among_themselves() {
        let only = terms("?WARN ?ERROR").expect("terms");
        assert!(only.matches("a WARNING") && !only.matches("INFO"));
        let mixed = terms("?WARN -DEBUG").expect("terms");
        assert!(mixed.matches("INFO") && !mixed.matches("WARN DEBUG"));
    }

    #[test]
    fn an_exclusion_may_stand_apart_from_its_sign() {
        assert_eq!(terms("a - \"b c\""), terms("a -\"b c\""));
        assert_eq!(terms("a -\n b"), terms("a -b"));
    }

    #[test]
    fn what_glues_terms_together_is_refused() {
        for text in [
            "\"a\"\"b\"",
            "a\"b\"",
            "\"a\"b",
            "? a",
            "--a",
            "-?a",
            "?-a",
            "a -",
            "-",
            "?",
            "a,b",
            "é",
            "a*",
            "a %b%",
            "a:",
        ] {
            assert!(terms(text).is_err(), "{text}");
        }
    }
}
