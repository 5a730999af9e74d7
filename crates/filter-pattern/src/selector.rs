//! Selectors: which values of a record a test looks at.

use std::fmt;
use std::ops::Range;

use raw_json::{Object, Value};

use crate::error::CompileError;
use crate::scanner::{Scanner, is_name};

/// A property selector such as `$.userIdentity.type`, `$.resources[0].ARN` or `$.tags[*].key`.
/// Filter pattern rules, sections 2 and 3.2, D13.
///
/// Two selectors are equal if they select the same values, however they are written; it is shown in
/// one canonical way.
#[derive(Debug, Clone)]
pub struct Selector {
    source: String,
    steps: Vec<Step>,
}

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Member(String),
    /// `.*`
    AnyMember,
    Element(usize),
    /// `[*]`
    AnyElement,
}

impl Step {
    pub(crate) fn is_wildcard(&self) -> bool {
        matches!(self, Step::AnyMember | Step::AnyElement)
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

impl Eq for Selector {}

impl Selector {
    /// Reads a selector that is the whole text.
    ///
    /// # Errors
    /// The text is not a selector, or has more than one wildcard.
    pub fn parse(text: &str) -> Result<Self, CompileError> {
        let mut scanner = Scanner::whole(text);
        let selector = Selector::read(&mut scanner)?;
        if scanner.peek().is_some() {
            return Err(unexpected_character(&scanner, selector.span_end()));
        }
        Ok(selector)
    }

    /// The selector as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first value selected, in the order of the record.
    pub fn first<'a>(&self, record: Object<'a>) -> Option<Value<'a>> {
        match self.around_wildcard() {
            None => walk(Value::Object(record), &self.steps),
            Some(_) => self.select(record).into_iter().next(),
        }
    }

    /// All values selected, in the order of the record. Of duplicate member names the last one counts,
    /// under wildcards too (D32).
    pub fn select<'a>(&self, record: Object<'a>) -> Vec<Value<'a>> {
        let record = Value::Object(record);
        let Some((before, wildcard, behind)) = self.around_wildcard() else {
            return walk(record, &self.steps).into_iter().collect();
        };
        let children = match (wildcard, walk(record, before)) {
            (Step::AnyElement, Some(Value::Array(array))) => array.elements().collect(),
            (Step::AnyMember, Some(Value::Object(object))) => distinct_values(object),
            _ => Vec::new(),
        };
        children
            .into_iter()
            .filter_map(|child| walk(child, behind))
            .collect()
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn has_wildcard(&self) -> bool {
        self.steps.iter().any(Step::is_wildcard)
    }

    /// The steps before the wildcard, the wildcard, the steps behind it. There is at most one.
    fn around_wildcard(&self) -> Option<(&[Step], &Step, &[Step])> {
        let at = self.steps.iter().position(Step::is_wildcard)?;
        let (before, rest) = self.steps.split_at_checked(at)?;
        let (wildcard, behind) = rest.split_first()?;
        Some((before, wildcard, behind))
    }

    fn span_end(&self) -> usize {
        self.source.len()
    }

    /// Reads the selector that starts here; what follows it is the caller's.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Result<Self, CompileError> {
        let start = scanner.position();
        if !scanner.eat("$") {
            let span = scanner.word_span();
            return Err(scanner.fault(span, "not a selector", "a selector such as `$.eventName`"));
        }
        let mut steps = vec![read_first_member(scanner, start)?];
        while let Some(step) = read_step(scanner)? {
            steps.push(step);
        }
        let span = scanner.span_from(start);
        if steps.iter().filter(|step| step.is_wildcard()).count() > 1 {
            return Err(scanner.fault(
                span,
                "more than one wildcard in a selector",
                "at most one `*` in each selector",
            ));
        }
        Ok(Selector {
            source: scanner.text(span).to_owned(),
            steps,
        })
    }
}

fn distinct_values(object: Object<'_>) -> Vec<Value<'_>> {
    let members = object.distinct_members().into_iter();
    members.map(|(_, value)| value).collect()
}

/// Takes steps without wildcards. A step that does not fit selects nothing.
fn walk<'a>(value: Value<'a>, steps: &[Step]) -> Option<Value<'a>> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Element(index) => value.as_array()?.elements().nth(*index),
        Step::AnyMember | Step::AnyElement => None,
    })
}

/// The first step, which must be a member: there is no `$[0]`.
fn read_first_member(scanner: &mut Scanner<'_>, start: usize) -> Result<Step, CompileError> {
    let expected = "a member such as `.eventName`, `.*` or `.['cluster.name']`";
    match read_step(scanner)? {
        Some(Step::Element(_) | Step::AnyElement) => {
            let span = scanner.span_from(start);
            Err(scanner.fault(span, "an index without a member before it", expected))
        }
        Some(step) => Ok(step),
        None => {
            let span = start..scanner.word_span().end;
            Err(scanner.fault(span, "a selector without a member", expected))
        }
    }
}

/// The next step, or `None` where the selector ends.
fn read_step(scanner: &mut Scanner<'_>) -> Result<Option<Step>, CompileError> {
    if scanner.eat(".") {
        return match scanner.peek() {
            Some('*') => {
                scanner.advance();
                Ok(Some(Step::AnyMember))
            }
            Some('[') => read_key(scanner).map(Some),
            _ => read_name(scanner).map(Some),
        };
    }
    let rest = scanner.rest();
    if rest.starts_with("['") || rest.starts_with("[\"") {
        return read_key(scanner).map(Some);
    }
    if rest.starts_with('[') {
        return read_index(scanner).map(Some);
    }
    Ok(None)
}

fn read_name(scanner: &mut Scanner<'_>) -> Result<Step, CompileError> {
    let name = scanner.take_while(is_name);
    if !name.is_empty() {
        return Ok(Step::Member(name.to_owned()));
    }
    let expected = "a name of letters, digits, `_` and `-`, or `*`, or `['...']`";
    let word = scanner.word_span();
    let text = scanner.text(word.clone());
    let quoted = text
        .strip_prefix(['"', '\''])
        .and_then(|rest| rest.split(['"', '\'']).next());
    let key_end = |character| "=<>!&|".contains(character);
    let key = quoted.unwrap_or_else(|| text.split(key_end).next().unwrap_or_default());
    let fault = match (quoted, scanner.peek()) {
        (Some(_), _) => scanner.fault(word, "a quoted name outside of brackets", expected),
        (None, Some('.')) => scanner.fault(word, "a name is missing between two periods", expected),
        _ => scanner.fault(word, "a name is missing behind the period", expected),
    };
    Err(
        match key.is_empty() || key.starts_with('.') || key.contains('\'') {
            true => fault,
            false => fault.with_help(format!("other characters need brackets: `$.['{key}']`")),
        },
    )
}

/// `['key']` or `["key"]`.
fn read_key(scanner: &mut Scanner<'_>) -> Result<Step, CompileError> {
    let open = scanner.position();
    let expected = "a name in quotes: `['cluster.name']`";
    scanner.advance();
    let Some(quote) = scanner.peek().filter(|quote| matches!(quote, '\'' | '"')) else {
        let span = open..scanner.word_span().end.max(scanner.position());
        return Err(scanner.fault(
            span,
            "brackets behind a period hold no name in quotes",
            expected,
        ));
    };
    scanner.advance();
    let key = scanner.take_while(|character| character != quote);
    let fault = |scanner: &Scanner<'_>, message: &str| {
        scanner.fault(scanner.span_from(open), message, expected)
    };
    if scanner.advance().is_none() || !scanner.eat("]") {
        return Err(fault(scanner, "the name in brackets does not end"));
    }
    if key.is_empty() {
        return Err(fault(scanner, "the name in brackets is empty"));
    }
    Ok(Step::Member(key.to_owned()))
}

/// `[0]` or `[*]`.
fn read_index(scanner: &mut Scanner<'_>) -> Result<Step, CompileError> {
    let open = scanner.position();
    scanner.advance();
    if scanner.eat("*]") {
        return Ok(Step::AnyElement);
    }
    let digits = scanner.take_while(|character| character.is_ascii_digit());
    if digits.is_empty() || !scanner.eat("]") {
        let span = bracket_span(scanner, open);
        let fault = scanner.fault(
            span,
            "not an index",
            "a number from 0 on as in `[0]`, `[*]`, or a name in quotes as in `['cluster.name']`",
        );
        return Err(match scanner.rest().starts_with('-') {
            true => fault.with_help("elements are counted from the start of the array only"),
            false => fault,
        });
    }
    // An index that does not fit lies behind the end of every array.
    Ok(Step::Element(digits.parse().unwrap_or(usize::MAX)))
}

fn bracket_span(scanner: &Scanner<'_>, open: usize) -> Range<usize> {
    let word = scanner.word_span();
    let closed = scanner.text(word.end..word.end + 1) == "]";
    open..word.end.max(scanner.position()) + usize::from(closed)
}

/// A character that ends no selector, right behind one.
pub(crate) fn unexpected_character(scanner: &Scanner<'_>, end: usize) -> CompileError {
    let span = end..scanner.word_span().end;
    let message = format!("unexpected `{}` in a selector", scanner.text(span.clone()));
    let fault = scanner.fault(span, message, "letters, digits, `_`, `-`, `.` or `[`");
    fault.with_help("names with other characters need brackets: `$.['cluster:name']`")
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("$")?;
        self.steps
            .iter()
            .try_for_each(|step| write!(formatter, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Member(name) if !name.is_empty() && name.chars().all(is_name) => {
                write!(formatter, ".{name}")
            }
            Step::Member(name) if name.contains('\'') => write!(formatter, "[\"{name}\"]"),
            Step::Member(name) => write!(formatter, "['{name}']"),
            Step::AnyMember => formatter.write_str(".*"),
            Step::Element(index) => write!(formatter, "[{index}]"),
            Step::AnyElement => formatter.write_str("[*]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(selector: &str, record: &str) -> Vec<String> {
        let record = Object::parse(record.as_bytes()).expect(record);
        let selector = Selector::parse(selector).expect(selector);
        let values = selector.select(record).into_iter();
        values.map(|value| value.to_text().into_owned()).collect()
    }

    #[test]
    fn steps_that_do_not_fit_select_nothing() {
        let record = r#"{"s":"x","o":{"k":1},"l":[1,[2]]}"#;
        for selector in [
            "$.s.x",
            "$.s[0]",
            "$.o[0]",
            "$.o[*]",
            "$.l.*",
            "$.l.k",
            "$.l[2]",
            "$.l[99999999999999999999999]",
            "$.gone",
        ] {
            assert!(selected(selector, record).is_empty(), "{selector}");
        }
        assert_eq!(selected("$.l[1][0]", record), ["2"]);
    }

    #[test]
    fn wildcards_select_one_level_in_order() {
        let record = r#"{"b":{"x":1},"a":{"x":2,"y":[3]},"l":[{"x":4},5]}"#;
        assert_eq!(selected("$.*.x", record), ["1", "2"]);
        assert_eq!(selected("$.l[*].x", record), ["4"]);
        assert_eq!(selected("$.l[*]", record), [r#"{"x":4}"#, "5"]);
        assert_eq!(selected("$.a.*", record), ["2", "[3]"]);
    }

    #[test]
    fn of_duplicate_members_the_last_one_counts_under_wildcards_too() {
        let record = r#"{"a":{"x":1,"\u0078":2},"b":{"x":3},"b":{"y":4}}"#;
        assert_eq!(selected("$.a.*", record), ["2"]);
        assert_eq!(selected("$.*.x", record), ["2"]);
        assert!(selected("$.b.x", record).is_empty());
    }

    #[test]
    fn every_spelling_of_a_name_is_the_same_selector() {
        for spelling in ["$.a.b", "$['a'].b", "$[\"a\"]['b']", "$.['a'].[\"b\"]"] {
            let selector = Selector::parse(spelling).expect(spelling);
            assert_eq!(selector.to_string(), "$.a.b");
            assert_eq!(selector.source(), spelling);
        }
        for canonical in [
            "$['a.b'][0][*]",
            "$[\"it's\"].*",
            "$['*']",
            "$['a\"b']",
            "$.2xx.x-1_y",
        ] {
            let selector = Selector::parse(canonical).expect(canonical);
            assert_eq!(selector.to_string(), canonical);
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "",
            "$",
            "$.",
            "$[0]",
            "$[*]",
            "$..a",
            "$.a.",
            "$.a..b",
            "$.@x",
            "$.a[-1]",
            "$.a[x]",
            "$.a[",
            "$.a[0",
            "$.a[]",
            "$.a.[0]",
            "$.a.[*]",
            "$.\"k\"",
            "$.'k'",
            "$['']",
            "$['a]",
            "$['a\"]",
            "$[\"a\"",
            "a",
            ".a",
            "$a",
            "$.a b",
            "$ .a",
            "$.a [0]",
            "$.a[ 0]",
            "$.é",
            "$.a*",
            "$.*.b[*]",
            "$.a[*][*]",
            "$.a:b",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
