//! A compiled pattern, whatever its language.

use std::fmt;

use raw_json::{Object, compact_object};

use crate::error::CompileError;
use crate::explain::Explanation;
use crate::expression::Expression;
use crate::fields::Fields;
use crate::json::JsonPattern;
use crate::scanner::Scanner;
use crate::selector::Selector;
use crate::terms::Terms;
use crate::warning::{self, Warning};

/// The most characters (Unicode scalar values, white space around included) a pattern may have.
/// Filter pattern rules, section 1 and D26.
pub const MAX_PATTERN_CHARS: usize = 1024;

/// Compiles a filter pattern.
///
/// ```
/// let error = filter_pattern::compile(r#"{ $.eventName ~= "Stop*" }"#).unwrap_err();
/// assert_eq!(error.to_string(), "unknown operator `~=`: expected one of: = != < <= > >=");
/// assert_eq!(error.span(), 14..16);
/// ```
///
/// # Errors
/// The text is no pattern of the language its first character announces, or exceeds a quota.
pub fn compile(text: &str) -> Result<Pattern, CompileError> {
    if let Some((at, _)) = text.char_indices().nth(MAX_PATTERN_CHARS) {
        let count = text.chars().count();
        let fault = CompileError::new(
            text,
            at..text.len(),
            "the pattern is too long",
            format!("at most {MAX_PATTERN_CHARS} characters"),
        );
        return Err(fault.with_found(format!("{count} characters")));
    }
    let scanner = Scanner::trimmed(text);
    let kind = match scanner.peek() {
        None => Kind::MatchAll,
        Some('{') => Kind::Json(JsonPattern::read(scanner)?),
        Some('[') => Kind::Fields(Fields::read(scanner)?),
        Some('%') => Kind::Expression(read_expression(scanner)?),
        // The guide's way to write "everything" where something must be written.
        Some(_) if scanner.rest() == "\" \"" => Kind::MatchAll,
        Some(_) => Kind::Terms(Terms::read(scanner)?),
    };
    Ok(Pattern {
        warnings: warning::of(&kind, text),
        source: text.to_owned(),
        kind,
    })
}

/// A regular expression that is the whole pattern. Filter pattern rules, section 5, D16.
fn read_expression(mut scanner: Scanner<'_>) -> Result<Expression, CompileError> {
    let content = scanner.between_percents()?;
    if scanner.peek().is_some() {
        let span = scanner.position()..scanner.position() + scanner.rest().len();
        return Err(scanner.fault(
            span,
            "text behind the regular expression",
            "the end of the pattern: a regular expression stands alone",
        ));
    }
    Expression::parse(&scanner, content)
}

/// Which of the languages a pattern is in. Filter pattern rules, section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// Empty, or `" "`: matches every event.
    MatchAll,
    /// `{ ... }`
    Json,
    /// `[ ... ]`
    SpaceDelimited,
    /// `%...%`
    Regex,
    /// Words and phrases.
    Terms,
}

/// A compiled filter pattern.
///
/// Two patterns are equal if they are built alike, however they are written. Shown, a pattern is in
/// its canonical form, which compiles to an equal pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    kind: Kind,
    warnings: Vec<Warning>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    MatchAll,
    Json(JsonPattern),
    Fields(Fields),
    Expression(Expression),
    Terms(Terms),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// The text the pattern was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The language it is in.
    pub fn language(&self) -> Language {
        match &self.kind {
            Kind::MatchAll => Language::MatchAll,
            Kind::Json(_) => Language::Json,
            Kind::Fields(_) => Language::SpaceDelimited,
            Kind::Expression(_) => Language::Regex,
            Kind::Terms(_) => Language::Terms,
        }
    }

    /// Does a log message match? A JSON pattern matches only messages that are one JSON object, with
    /// nothing but white space around it (D17); invalid UTF-8 reads as U+FFFD (D33).
    pub fn matches(&self, message: &[u8]) -> bool {
        match &self.kind {
            Kind::MatchAll => true,
            Kind::Json(json) => {
                Object::parse(message).is_ok_and(|record| json.matches_record(record))
            }
            _ => self.matches_text(&String::from_utf8_lossy(message)),
        }
    }

    /// Does a record match? Text patterns see its compact serialization (D31). The record may be
    /// broken inside: what is no JSON value is then neither equal nor unequal to anything.
    pub fn matches_record(&self, record: Object<'_>) -> bool {
        match &self.kind {
            Kind::MatchAll => true,
            Kind::Json(json) => json.matches_record(record),
            _ => self.matches_text(&compact_object(record)),
        }
    }

    /// For text patterns; a JSON pattern matches no text.
    pub(crate) fn matches_text(&self, message: &str) -> bool {
        match &self.kind {
            Kind::MatchAll => true,
            Kind::Json(_) => false,
            Kind::Fields(fields) => fields.matches(message),
            Kind::Expression(expression) => expression.is_found_in(message),
            Kind::Terms(terms) => terms.matches(message),
        }
    }

    /// The values a matching message gives, as text: for a JSON pattern the first value each of its
    /// selectors selects, under the selector as written; for a space-delimited pattern the token of
    /// each field under `$name`, of the others under `$1`, `$2` ... by position, and of two by the same
    /// name the first one. Other languages give none, nor does a message of another shape.
    pub fn extract(&self, message: &[u8]) -> Vec<(String, String)> {
        match &self.kind {
            Kind::Json(json) => {
                Object::parse(message).map_or_else(|_| Vec::new(), |record| json.extract(record))
            }
            Kind::Fields(fields) => fields.extract(&String::from_utf8_lossy(message)),
            _ => Vec::new(),
        }
    }

    /// Says for a message which test held, which did not, and why.
    pub fn explain(&self, message: &[u8]) -> Explanation {
        match &self.kind {
            Kind::Json(json) => match Object::parse(message) {
                Ok(record) => Explanation::of_json(json, record),
                Err(error) => Explanation::of_no_object(self, &error),
            },
            _ => Explanation::of_text(self, &String::from_utf8_lossy(message)),
        }
    }

    /// Says for a record which test held, which did not, and why.
    pub fn explain_record(&self, record: Object<'_>) -> Explanation {
        match &self.kind {
            Kind::Json(json) => Explanation::of_json(json, record),
            _ => Explanation::of_text(self, &compact_object(record)),
        }
    }

    /// What is legal and probably not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The selectors of a JSON pattern in the order of the text, each once; none for other languages.
    pub fn selectors(&self) -> Vec<Selector> {
        match &self.kind {
            Kind::Json(json) => json.selectors().into_iter().cloned().collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl JsonPattern {
    /// Each selector once, in the order of the text.
    fn selectors(&self) -> Vec<&Selector> {
        let mut selectors: Vec<&Selector> = Vec::new();
        for test in &self.tests {
            if !selectors.contains(&&test.selector) {
                selectors.push(&test.selector);
            }
        }
        selectors
    }

    fn extract(&self, record: Object<'_>) -> Vec<(String, String)> {
        let value = |selector: &Selector| {
            let value = selector.first(record)?.to_text();
            Some((selector.source().to_owned(), value.into_owned()))
        };
        self.selectors().into_iter().filter_map(value).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A pattern of nearly the greatest length may not fit once it is spaced well.
        let spacious = self.written(true);
        let shown = match spacious.chars().count() <= MAX_PATTERN_CHARS {
            true => spacious,
            false => self.written(false),
        };
        formatter.write_str(&shown)
    }
}

impl Pattern {
    fn written(&self, spacious: bool) -> String {
        let mut out = String::new();
        match &self.kind {
            Kind::MatchAll => {}
            Kind::Json(json) => json.write(&mut out, spacious),
            Kind::Fields(fields) => fields.write(&mut out, spacious),
            Kind::Expression(expression) => out = format!("%{}%", expression.text()),
            Kind::Terms(terms) => terms.write(&mut out),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        compile(text).expect(text)
    }

    #[test]
    fn the_first_character_tells_the_language() {
        for (text, language) in [
            ("", Language::MatchAll),
            (" \t\r\n", Language::MatchAll),
            (" \" \" ", Language::MatchAll),
            ("{ $.a = 1 }", Language::Json),
            ("[a]", Language::SpaceDelimited),
            ("%a%", Language::Regex),
            ("\"  \"", Language::Terms),
            ("-a", Language::Terms),
        ] {
            assert_eq!(pattern(text).language(), language, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_value_in_a_record_is_there_and_equal_to_nothing() {
        let record = Object::from_extent(br#"{"a":nul,"b":}"#).expect("a record");
        for field in ["a", "b"] {
            for test in ["= *", "!= x", "< 1", "IS NULL", "IS TRUE", "NOT EXISTS"] {
                let pattern = pattern(&format!("{{ $.{field} {test} }}"));
                assert!(!pattern.matches_record(record), "{pattern}");
                let set = crate::PatternSet::new([&pattern]);
                assert!(
                    set.matches(record, &mut set.scratch()).is_empty(),
                    "{pattern}"
                );
            }
        }
    }

    #[test]
    fn invalid_utf8_reads_as_the_replacement_character() {
        assert!(pattern("{ $.a = \"x\u{fffd}\" }").matches(b"{\"a\":\"x\xff\"}"));
        assert!(pattern("{ $.a = x* && $.b = 1 }").matches(b"{\"a\":\"x\xff\",\"b\":1}"));
        assert!(pattern("\"x\u{fffd}y\"").matches(b"-x\xffy-"));
        assert!(pattern("%x.y%").matches(b"x\xffy"));
        assert!(pattern("[a, b = y]").matches(b"\xff y"));
    }

    #[test]
    fn values_are_extracted_under_the_selectors_as_written() {
        let json =
            pattern("{ $['a'].b != 1 || $.a.b = 2 || $.l[*] = 3 || $.gone NOT EXISTS || $.o = x }");
        let message = br#"{"a":{"b":"x"},"l":[null,3],"o":{ "k" : 1.0 }}"#;
        let extracted = json.extract(message);
        let expected = [
            ("$['a'].b", "x"),
            ("$.l[*]", "null"),
            ("$.o", r#"{"k":1.0}"#),
        ];
        let expected = expected.map(|(selector, value)| (selector.to_owned(), value.to_owned()));
        assert_eq!(extracted, expected);
        assert!(json.extract(b"no JSON").is_empty());
        assert!(pattern("a").extract(b"a").is_empty());
    }

    #[test]
    fn selectors_are_listed_once() {
        let listed = pattern("{ $.a = 1 && ($.b[0] = 1 || $['a'] = 2) }").selectors();
        let listed: Vec<_> = listed.iter().map(Selector::to_string).collect();
        assert_eq!(listed, ["$.a", "$.b[0]"]);
        assert!(pattern("[a]").selectors().is_empty());
    }

    #[test]
    fn the_canonical_form_is_spaced_and_grouped_if_there_is_room() {
        for (written, shown) in [
            (
                "{$.a=1&&$.b!=\"x\"||$['c'] is null}",
                "{ ($.a = 1 && $.b != x) || $.c IS NULL }",
            ),
            ("{(($.a>1))}", "{ $.a > 1 }"),
            (
                "[ ..., a=1&&a!=2||a=%x%,, ]",
                "[..., a = 1 && a != 2 || a = %x%, , ]",
            ),
            ("?\"a\"  -  \"b c\"", "?a -\"b c\""),
            (" %a% ", "%a%"),
            ("\" \"", ""),
        ] {
            assert_eq!(pattern(written).to_string(), shown);
        }
        let tests: Vec<_> = (0..146).map(|_| "$.a=1").collect();
        let longest = format!("{{{}}}", tests.join("||"));
        assert_eq!(longest.len(), 1022);
        assert_eq!(pattern(&longest).to_string(), longest);
    }
}
