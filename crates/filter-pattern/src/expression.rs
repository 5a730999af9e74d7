//! Regular expressions between percent signs.
//!
//! The language is small: characters, classes, anchors, quantifiers and alternatives, no groups. It is
//! read here and written anew for the `regex` crate, which never sees a character of the user's that
//! this module has not understood: so `--`, `&&` or `[:alpha:]` cannot mean there what they do not
//! mean here. Searching takes time linear in the text.
//!
//! Source: filter pattern rules, section 5 and D15.

use std::ops::Range;

use crate::error::CompileError;
use crate::scanner::Scanner;

/// More than any expression of 1024 characters needs that does not repeat thousands of characters.
const MOST_BYTES_COMPILED: usize = 4 << 20;

/// A compiled regular expression. Two are equal if they are written alike.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: String,
    compiled: regex::Regex,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl Expression {
    /// Reads the expression in `span` of a pattern, the percent signs not included.
    pub(crate) fn parse(scanner: &Scanner<'_>, span: Range<usize>) -> Result<Self, CompileError> {
        let text = scanner.text(span.clone());
        let written = Translator::new(scanner, span.clone()).translate()?;
        let compiled = regex::RegexBuilder::new(&written)
            .size_limit(MOST_BYTES_COMPILED)
            .build()
            .map_err(|_| {
                let expected = "an expression that repeats less";
                scanner.fault(span, "the regular expression is too large", expected)
            })?;
        Ok(Expression {
            text: text.to_owned(),
            compiled,
        })
    }

    /// The expression as written, without the percent signs.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Is it found anywhere in the text?
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

/// What a quantifier at this place would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Atom,
    Quantified,
}

/// One thing a class or an escape can stand for.
#[derive(Clone, Copy)]
enum Item {
    Character(char),
    /// A class in its ASCII sense, as the `regex` crate writes it.
    Class(&'static str),
}

struct Translator<'s, 'p> {
    scanner: &'s Scanner<'p>,
    /// What is left, and where in the pattern it starts.
    rest: &'p str,
    position: usize,
    written: String,
    before: Before,
}

impl<'s, 'p> Translator<'s, 'p> {
    fn new(scanner: &'s Scanner<'p>, span: Range<usize>) -> Self {
        Translator {
            scanner,
            rest: scanner.text(span.clone()),
            position: span.start,
            written: String::new(),
            before: Before::Nothing,
        }
    }

    fn translate(mut self) -> Result<String, CompileError> {
        while let Some(character) = self.next() {
            match character {
                '^' | '$' | '|' => {
                    self.written.push(character);
                    self.before = Before::Nothing;
                }
                '*' | '+' | '?' => self.quantifier(&character.to_string())?,
                '{' => {
                    let count = self.count()?;
                    self.quantifier(&count)?;
                }
                '.' => self.atom("."),
                '[' => {
                    let class = self.class()?;
                    self.atom(&class);
                }
                '\\' => match self.escape()? {
                    Item::Character(character) => self.atom(&literal(character)),
                    Item::Class(class) => self.atom(class),
                },
                other => {
                    self.check_allowed(other)?;
                    self.atom(&literal(other));
                }
            }
        }
        Ok(self.written)
    }

    fn atom(&mut self, written: &str) {
        self.written.push_str(written);
        self.before = Before::Atom;
    }

    fn quantifier(&mut self, written: &str) -> Result<(), CompileError> {
        match self.before {
            Before::Atom => {
                self.written.push_str(written);
                if self.eat('?') {
                    self.written.push('?'); // lazy: the same texts match
                }
                self.before = Before::Quantified;
                Ok(())
            }
            Before::Nothing => Err(self.fault_behind(
                "nothing to repeat",
                "a character or a class before the quantifier",
            )),
            Before::Quantified => Err(self.fault_behind(
                "a quantifier behind a quantifier",
                "one quantifier for each character or class",
            )),
        }
    }

    /// `m}`, `m,}`, `,n}` or `m,n}`, written with both braces; the opening one is behind us.
    fn count(&mut self) -> Result<String, CompileError> {
        let open = self.position - 1;
        let expected = "a count such as `{3}`, `{2,}`, `{,5}` or `{2,5}`";
        let least = self.digits();
        let has_comma = self.eat(',');
        let most = if has_comma { self.digits() } else { "" };
        if !self.eat('}') || (least.is_empty() && most.is_empty()) {
            let end = self.position.max(open + 1);
            let fault = self
                .scanner
                .fault(open..end, "`{` starts no count", expected);
            return Err(fault.with_help("a brace itself is written `\\{`"));
        }
        let bounds = (bound(least), bound(most));
        if most.is_empty() && bounds.0.is_some() || bounds.0 <= bounds.1 && bounds.1.is_some() {
            let least = if least.is_empty() { "0" } else { least };
            let comma = if has_comma { "," } else { "" };
            return Ok(format!("{{{least}{comma}{most}}}"));
        }
        let span = open..self.position;
        Err(self.scanner.fault(
            span,
            "a count that cannot be",
            "counts in order, each less than 4294967296",
        ))
    }

    /// A class, written anew; the opening bracket is behind us.
    fn class(&mut self) -> Result<String, CompileError> {
        let open = self.position - 1;
        let mut written = String::from("[");
        if self.eat('^') {
            written.push('^');
        }
        let mut is_first = true;
        loop {
            let start = self.position;
            let Some(character) = self.next() else {
                let expected = "a closing `]`";
                let span = open..self.position;
                return Err(self.scanner.fault(span, "the class does not end", expected));
            };
            if character == ']' && !is_first {
                written.push(']');
                return Ok(written);
            }
            is_first = false;
            let low = self.class_item(character)?;
            // A hyphen is itself at the start and the end of the class and behind a range.
            let Some(behind) = self.behind_hyphen() else {
                written.push_str(&class_text(low));
                continue;
            };
            self.next();
            self.next();
            let high = self.class_item(behind)?;
            match (low, high) {
                (Item::Character(low), Item::Character(high)) if low <= high => {
                    written.push_str(&format!("{}-{}", class_literal(low), class_literal(high)));
                }
                _ => {
                    let span = start..self.position;
                    return Err(self.scanner.fault(
                        span,
                        "a range that cannot be",
                        "two characters, the lower one first",
                    ));
                }
            }
        }
    }

    /// The character behind a hyphen that makes a range.
    fn behind_hyphen(&self) -> Option<char> {
        let mut ahead = self.rest.chars();
        match (ahead.next()?, ahead.next()?) {
            ('-', ']') => None,
            ('-', behind) => Some(behind),
            _ => None,
        }
    }

    fn class_item(&mut self, character: char) -> Result<Item, CompileError> {
        match character {
            '\\' => self.escape(),
            '[' if self.rest.starts_with(':') && self.rest.contains(":]") => {
                let fault = self.fault_behind(
                    "named classes are not in the language",
                    "ranges such as `a-z` or `0-9`",
                );
                Err(fault.with_help("a bracket itself is written `\\[`"))
            }
            // Every operator but the backslash is itself in a class.
            '^' | '$' | '?' | '[' | ']' | '{' | '}' | '|' | '*' | '+' | '.' => {
                Ok(Item::Character(character))
            }
            other => {
                self.check_allowed(other)?;
                Ok(Item::Character(other))
            }
        }
    }

    /// What an escape stands for; the backslash is behind us.
    fn escape(&mut self) -> Result<Item, CompileError> {
        let start = self.position - 1;
        let expected = r"an operator, a symbol, or one of: \d \D \s \S \w \W \xhh";
        let Some(character) = self.next() else {
            let span = start..self.position;
            let message = "a backslash at the end of the expression";
            return Err(self.scanner.fault(span, message, expected));
        };
        let item = match character {
            'd' => Item::Class("[0-9]"),
            'D' => Item::Class("[^0-9]"),
            's' => Item::Class(r"[\t\n\x0B\x0C\r ]"),
            'S' => Item::Class(r"[^\t\n\x0B\x0C\r ]"),
            'w' => Item::Class("[0-9A-Z_a-z]"),
            'W' => Item::Class("[^0-9A-Z_a-z]"),
            'x' => Item::Character(self.hexadecimal(start)?),
            letter if letter.is_ascii_alphanumeric() => {
                let span = start..self.position;
                let message = format!("`\\{letter}` is not in the language");
                return Err(self.scanner.fault(span, message, expected));
            }
            symbol => {
                self.check_allowed(symbol)?;
                Item::Character(symbol)
            }
        };
        Ok(item)
    }

    fn hexadecimal(&mut self, start: usize) -> Result<char, CompileError> {
        let digits = self.rest.get(..2).unwrap_or_default();
        // The check of the digits is for a sign, which the conversion would take.
        let code = match digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            true => u8::from_str_radix(digits, 16).ok(),
            false => None,
        };
        let Some(code) = code else {
            let span = start..self.position;
            let expected = "two hexadecimal digits, as in `\\x28`";
            return Err(self.scanner.fault(span, "an incomplete `\\x`", expected));
        };
        self.next();
        self.next();
        Ok(char::from(code))
    }

    fn check_allowed(&self, character: char) -> Result<(), CompileError> {
        let allowed = character.is_ascii_alphanumeric()
            || ":_#=@/;,- ".contains(character)
            || "^$?[]{}|\\*+.".contains(character);
        if allowed {
            return Ok(());
        }
        let fault = self.fault_behind(
            format!("`{}` is not allowed in a regular expression", character.escape_debug()),
            "letters, digits, `: _ # = @ / ; , -`, space or the operators `^ $ ? [ ] { } | \\ * + .`",
        );
        Err(match character {
            '(' | ')' => fault.with_help(
                "there are no groups; write `\\x28` and `\\x29` for parentheses themselves",
            ),
            other if other.is_ascii() => {
                fault.with_help(format!("write `\\x{:02x}`", u32::from(other)))
            }
            _ => fault.with_help("only ASCII characters are allowed; `.` matches any one"),
        })
    }

    /// A fault at the character just passed.
    fn fault_behind(&self, message: impl Into<String>, expected: &str) -> CompileError {
        let passed = self.scanner.text(0..self.position);
        let length = passed.chars().next_back().map_or(0, char::len_utf8);
        let span = self.position - length..self.position;
        self.scanner.fault(span, message, expected)
    }

    fn next(&mut self) -> Option<char> {
        let mut ahead = self.rest.chars();
        let character = ahead.next()?;
        self.rest = ahead.as_str();
        self.position += character.len_utf8();
        Some(character)
    }

    fn eat(&mut self, character: char) -> bool {
        let stands_here = self.rest.starts_with(character);
        if stands_here {
            self.next();
        }
        stands_here
    }

    fn digits(&mut self) -> &'p str {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(count).unwrap_or_default();
        self.rest = rest;
        self.position += count;
        digits
    }
}

/// A bound of a count; a missing one is 0, one that is too large for the engine nothing.
fn bound(digits: &str) -> Option<u32> {
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok()
}

fn literal(character: char) -> String {
    match character.is_ascii_alphanumeric() {
        true => character.to_string(),
        false => format!("\\x{{{:x}}}", u32::from(character)),
    }
}

/// In a class every character but letters and digits is written by its number, so that none is an
/// operator there.
fn class_literal(character: char) -> String {
    literal(character)
}

fn class_text(item: Item) -> String {
    match item {
        Item::Character(character) => class_literal(character),
        Item::Class(class) => class.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expression, CompileError> {
        Expression::parse(&Scanner::whole(text), 0..text.len())
    }

    fn finds(expression: &str, text: &str) -> bool {
        parse(expression).expect(expression).is_found_in(text)
    }

    #[test]
    fn it_searches_and_anchors_to_the_string() {
        assert!(finds("Trail", "StopTrails"));
        assert!(!finds("^Trail", "StopTrail"));
        assert!(finds("^a|b$", "xb"));
        assert!(!finds("a$", "a\n"));
        assert!(!finds("^b", "a\nb"));
        assert!(!finds("a.b", "a\nb"));
    }

    #[test]
    fn classes_are_ascii() {
        assert!(!finds(r"\d", "\u{661}"));
        assert!(!finds(r"\w", "é"));
        assert!(finds(r"^\W$", "é"));
        assert!(finds(r"^\S\D[\W][^\d]$", "éééé"));
        assert!(!finds(r"\s", "\u{a0}"));
        assert!(finds(r"[\s]", "\u{b}"));
    }

    #[test]
    fn what_is_an_operator_to_the_engine_only_is_a_character_here() {
        assert!(finds("[a[]", "["));
        assert!(finds("^[[a]]$", "[]"));
        assert!(finds("[]a]", "]"));
        assert!(finds("[^]]", "x"));
        assert!(finds("[a^]", "^"));
        assert!(finds("[a-]", "-"));
        assert!(finds("[a-c-e]", "-"));
        assert!(!finds("[a-c-e]", "d"));
        assert!(finds("[+--]", ","));
        assert!(finds("^[{$.*?|+}]+$", "{$.*?|+}"));
        assert!(finds("a]}b", "a]}b"));
        assert!(finds("a b#c", "a b#c"));
    }

    #[test]
    fn counts_may_leave_out_one_side() {
        assert!(finds("^a{,2}$", "aa") && !finds("^a{,2}$", "aaa"));
        assert!(finds("^a{2,}$", "aaa") && !finds("^a{2,}$", "a"));
        assert!(finds("^a{2}b{1,3}?$", "aabbb"));
        for text in [
            "a{}",
            "a{,}",
            "a{",
            "a{x}",
            "a{1",
            "a{3,2}",
            "a{1,2,3}",
            "a{ 1}",
            "a{99999999999}",
            "{2}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn escapes_are_symbols_classes_and_codes() {
        assert!(finds(r"\x28\.\x29", "(.)"));
        assert!(finds(r"[\x41-\x43\]\-\\]", "C") && finds(r"[\]]", "]"));
        assert!(finds(r"^\^\$\[\{\|\\\/\-$", r"^$[{|\/-"));
        for text in [
            r"\b", r"\1", r"\p", r"\n", r"\x4", r"\xg0", r"\x+1", "\\", r"\(", r"\é", r"[a-\d]",
            r"[\w-x]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for text in [
            "*a",
            "+",
            "?",
            "a**",
            "a+*",
            "a*??",
            "a{2}{3}",
            "^*",
            "a|*",
            "[a",
            "[]",
            "[^]",
            "[z-a]",
            "[a--b]",
            "[[:alpha:]]",
            "(a)",
            "a!",
            "a&b",
            "<",
            "~",
            "'",
            "\"",
            "é",
            "a\tb",
            "a\nb",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_expression_that_would_grow_too_large_is_refused() {
        let error = parse("x{4294967295}").expect_err("too large");
        assert_eq!(error.message(), "the regular expression is too large");
        assert!(parse(&".{2000}".repeat(100)).is_err());
    }
}
