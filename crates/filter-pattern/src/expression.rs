//! Regular expressions between percent signs.
//!
//! The language is small: characters, classes, anchors, quantifiers and alternatives, no groups. It is
//! read here, into alternatives of parts, and searched for by the `automaton`, whose time is bounded
//! for every text.
//!
//! Source: filter pattern rules, section 5, D15 and D34.

use std::ops::Range;
use std::sync::Arc;

use crate::automaton::{Automaton, Class, Part};
use crate::error::CompileError;
use crate::scanner::Scanner;

/// How many characters and classes an expression may have with its counts written out.
/// Filter pattern rules, section 5 and D34.
const MOST_POSITIONS: usize = 1024;

/// A compiled regular expression. Two are equal if they are written alike.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: String,
    compiled: Arc<Automaton>,
    /// See [`Expression::required`].
    required: Arc<[String]>,
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
        let alternatives = Parser::new(scanner, span.clone()).parse()?;
        let positions = alternatives.iter().flatten().map(Part::positions);
        if positions.fold(0, usize::saturating_add) > MOST_POSITIONS {
            let expected =
                format!("at most {MOST_POSITIONS} characters and classes, counts written out");
            let message = "the regular expression is too large";
            return Err(scanner.fault(span, message, expected));
        }
        Ok(Expression {
            text: text.to_owned(),
            compiled: Arc::new(Automaton::new(&alternatives)),
            required: required(&alternatives).into(),
        })
    }

    /// Runs of characters of which every text has one in which the expression is found; empty if nothing is known.
    pub(crate) fn required(&self) -> &[String] {
        &self.required
    }

    /// The expression as written, without the percent signs.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Is it found anywhere in the text?
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        self.compiled.is_found_in(text)
    }
}

/// The longest run of single characters of each alternative; nothing if one of them has none.
fn required(alternatives: &[Vec<Part>]) -> Vec<String> {
    let runs = alternatives.iter().map(|parts| {
        let mut runs = vec![String::new()];
        for part in parts {
            let character = match part {
                Part::Repeated {
                    class,
                    least: 1,
                    most: Some(1),
                } => class.only_character(),
                _ => None,
            };
            match (character, runs.last_mut()) {
                (Some(character), Some(run)) => run.push(character),
                _ => runs.push(String::new()),
            }
        }
        let longest = runs.into_iter().max_by_key(String::len);
        longest.filter(|run| !run.is_empty())
    });
    runs.collect::<Option<_>>().unwrap_or_default()
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
    Class(Class),
}

impl Item {
    fn class(self) -> Class {
        match self {
            Item::Character(character) => Class::NONE.with(character, character),
            Item::Class(class) => class,
        }
    }
}

struct Parser<'s, 'p> {
    scanner: &'s Scanner<'p>,
    /// What is left, and where in the pattern it starts.
    rest: &'p str,
    position: usize,
    /// The alternatives that are complete, and the one under way.
    alternatives: Vec<Vec<Part>>,
    parts: Vec<Part>,
    before: Before,
}

impl<'s, 'p> Parser<'s, 'p> {
    fn new(scanner: &'s Scanner<'p>, span: Range<usize>) -> Self {
        Parser {
            scanner,
            rest: scanner.text(span.clone()),
            position: span.start,
            alternatives: Vec::new(),
            parts: Vec::new(),
            before: Before::Nothing,
        }
    }

    fn parse(mut self) -> Result<Vec<Vec<Part>>, CompileError> {
        while let Some(character) = self.next() {
            match character {
                '^' => self.anchor(Part::Start),
                '$' => self.anchor(Part::End),
                '|' => {
                    self.alternatives.push(std::mem::take(&mut self.parts));
                    self.before = Before::Nothing;
                }
                '*' => self.quantifier(0, None)?,
                '+' => self.quantifier(1, None)?,
                '?' => self.quantifier(0, Some(1))?,
                '{' => {
                    let (least, most) = self.count()?;
                    self.quantifier(least, most)?;
                }
                '.' => self.atom(Class::NONE.with('\n', '\n').negated()),
                '[' => {
                    let class = self.class()?;
                    self.atom(class);
                }
                '\\' => {
                    let item = self.escape()?;
                    self.atom(item.class());
                }
                other => {
                    self.check_allowed(other)?;
                    self.atom(Item::Character(other).class());
                }
            }
        }
        self.alternatives.push(self.parts);
        Ok(self.alternatives)
    }

    fn anchor(&mut self, anchor: Part) {
        self.parts.push(anchor);
        self.before = Before::Nothing;
    }

    fn atom(&mut self, class: Class) {
        self.parts.push(Part::Repeated {
            class,
            least: 1,
            most: Some(1),
        });
        self.before = Before::Atom;
    }

    fn quantifier(
        &mut self,
        new_least: usize,
        new_most: Option<usize>,
    ) -> Result<(), CompileError> {
        match self.before {
            Before::Atom => {
                if let Some(Part::Repeated { least, most, .. }) = self.parts.last_mut() {
                    (*least, *most) = (new_least, new_most);
                }
                self.eat('?'); // lazy: the same texts match
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

    /// `m}`, `m,}`, `,n}` or `m,n}`: the least and the most; the opening brace is behind us.
    fn count(&mut self) -> Result<(usize, Option<usize>), CompileError> {
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
        let low = bound(least);
        let high = match (has_comma, most) {
            (false, _) => Some(low),
            (true, "") => None,
            (true, most) => Some(bound(most)),
        };
        let span = open..self.position;
        if low.max(high.unwrap_or_default()) > MOST_POSITIONS {
            let expected = format!("counts of at most {MOST_POSITIONS}");
            let message = "a count that is too large";
            return Err(self.scanner.fault(span, message, expected));
        }
        if high.is_some_and(|high| high < low) {
            let expected = "counts in order, the lower one first";
            return Err(self.scanner.fault(span, "a count that cannot be", expected));
        }
        Ok((low, high))
    }

    /// A class; the opening bracket is behind us.
    fn class(&mut self) -> Result<Class, CompileError> {
        let open = self.position - 1;
        let is_negated = self.eat('^');
        let mut class = Class::NONE;
        let mut is_first = true;
        loop {
            let start = self.position;
            let Some(character) = self.next() else {
                let expected = "a closing `]`";
                let span = open..self.position;
                return Err(self.scanner.fault(span, "the class does not end", expected));
            };
            if character == ']' && !is_first {
                return Ok(if is_negated { class.negated() } else { class });
            }
            is_first = false;
            let low = self.class_item(character)?;
            // A hyphen is itself at the start and the end of the class and behind a range.
            let Some(behind) = self.behind_hyphen() else {
                class = class.or(&low.class());
                continue;
            };
            self.next();
            self.next();
            let high = self.class_item(behind)?;
            match (low, high) {
                (Item::Character(low), Item::Character(high)) if low <= high => {
                    class = class.with(low, high);
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
            'd' => Item::Class(digits()),
            'D' => Item::Class(digits().negated()),
            's' => Item::Class(white_space()),
            'S' => Item::Class(white_space().negated()),
            'w' => Item::Class(word_characters()),
            'W' => Item::Class(word_characters().negated()),
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

/// A bound of a count; a missing one is 0, one that does not fit is too large whatever it is.
fn bound(digits: &str) -> usize {
    match digits {
        "" => 0,
        digits => digits.parse().unwrap_or(usize::MAX),
    }
}

fn digits() -> Class {
    Class::NONE.with('0', '9')
}

fn white_space() -> Class {
    Class::NONE.with('\t', '\r').with(' ', ' ')
}

fn word_characters() -> Class {
    digits().with('A', 'Z').with('_', '_').with('a', 'z')
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
        for text in [
            "x{1024}",
            "^[a-z0-9-]{3,63}$",
            "[0-9]{12}",
            "a{,40}[^b]{40}",
            "x{1000,}",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        let message = |text: &str| parse(text).expect_err(text).to_string();
        assert_eq!(
            message("x{1000}y{25}"),
            "the regular expression is too large: expected at most 1024 characters and classes, counts written out"
        );
        for text in [
            "x{1025}",
            "x{4294967295}",
            "x{99999999999999999999999}",
            r"\w{9000}\W",
            "a.{,3000}b",
        ] {
            assert_eq!(
                message(text),
                "a count that is too large: expected counts of at most 1024"
            );
        }
        assert!(parse(&".{200}".repeat(100)).is_err());
    }

    #[test]
    fn anchors_inside_an_alternative_hold_only_at_the_ends() {
        assert!(finds("a*^b", "b") && !finds("a*^b", "ab"));
        assert!(!finds("a^b", "ab") && !finds("a$b", "ab"));
        assert!(finds("b$a*", "ab") && !finds("b$a*", "ba"));
        assert!(finds("$^", "") && !finds("$^", "a") && !finds("$^a", "a"));
        assert!(finds("^a*$", "") && finds("^a*$", "aa") && !finds("^a*$", "ab"));
        assert!(finds("|x", "") && finds("^|x", "y") && finds("x|$", "y"));
        assert!(finds("^a$|^b$", "b") && !finds("^a$|^b$", "ab"));
    }

    /// The costliest there are: counts as large as they may be, texts that keep every position alive.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the time it takes is what is tested"
    )]
    fn no_expression_makes_a_search_costly() {
        let bits = (0..20_000u32).map(|index| index.wrapping_mul(2_654_435_761) >> 16);
        let random: String = bits
            .map(|bits| if bits & 1 == 0 { 'a' } else { 'b' })
            .collect();
        let dots = format!("a{}[^ab]", ".".repeat(1000));
        let start = std::time::Instant::now();
        for expression in [
            r"\w{1023}\W",
            "[^b]{1023}[^ab]",
            "a.{,1022}[^ab]",
            "a.{1000}[^ab]",
            "a.{1000,}[^ab]",
            &dots,
        ] {
            for text in [&random, &"a".repeat(20_000)] {
                assert!(!finds(expression, text), "{expression}");
            }
            finds(expression, &"é".repeat(20_000));
        }
        // A hundred times what it takes: an engine that backtracks, or keeps sets of states, is slower.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    mod against_the_regex_crate {
        use proptest::prelude::*;

        use super::*;

        const ATOMS: &[(&str, &str)] = &[
            ("a", "a"),
            ("b", "b"),
            (".", "."),
            ("[ab]", "[ab]"),
            ("[^a]", "[^a]"),
            (r"\W", "[^0-9A-Za-z_]"),
            (r"\x0a", r"\x0a"),
            (r"[\xe0-\xff]", r"[\x{e0}-\x{ff}]"),
        ];
        const COUNTS: &[(&str, &str)] = &[
            ("", ""),
            ("", ""),
            ("*", "*"),
            ("+", "+"),
            ("?", "?"),
            ("{0}", "{0}"),
            ("{2}", "{2}"),
            ("{,3}", "{0,3}"),
            ("{2,}", "{2,}"),
            ("{1,3}?", "{1,3}?"),
            ("{,40}", "{0,40}"),
            ("{30}", "{30}"),
            ("{20,70}", "{20,70}"),
        ];
        const OTHERS: &[&str] = &["^", "$", "|"];

        /// An expression in the two spellings.
        fn expression() -> impl Strategy<Value = (String, String)> {
            let atom = prop::sample::select(ATOMS);
            let repeated = (atom, prop::sample::select(COUNTS)).prop_map(|(atom, count)| {
                (atom.0.to_owned() + count.0, atom.1.to_owned() + count.1)
            });
            let other =
                prop::sample::select(OTHERS).prop_map(|other| (other.to_owned(), other.to_owned()));
            prop::collection::vec(prop_oneof![4 => repeated, 1 => other], 1..10).prop_map(|parts| {
                parts.into_iter().fold(
                    Default::default(),
                    |(ours, theirs): (String, String), part| (ours + &part.0, theirs + &part.1),
                )
            })
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(2000))]

            #[test]
            fn the_same_texts_match(
                (ours, theirs) in expression(),
                texts in prop::collection::vec("(a|b|aaaa|bbbbbbbb|\u{e9}|\u{3b1}|\n| ){0,30}", 4),
            ) {
                let reference = regex::Regex::new(&theirs).expect("an expression");
                for text in texts.iter().map(String::as_str).chain(["", "a"]) {
                    prop_assert_eq!(finds(&ours, text), reference.is_match(text), "{:?} {:?}", ours, text);
                }
            }
        }
    }
}
