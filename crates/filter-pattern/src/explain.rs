//! Why a pattern matches an event, or does not.

use std::fmt;
use std::ops::Range;

use raw_json::{Object, SyntaxError, Value};

use crate::compare::{Condition, Operand, Selected};
use crate::error::{printable, shortened};
use crate::fields::{FieldTest, Fields, Misfit, count_tokens};
use crate::json::{JsonPattern, Test};
use crate::logic::Node;
use crate::pattern::{Kind, Pattern};
use crate::selector::{Selector, Step};
use crate::terms::{Role, Term, Terms};

/// How many selected values a line shows; the others are counted.
const MOST_VALUES: usize = 8;

/// The whole pattern held against one event, every test evaluated: one line for each test and each
/// `&&` or `||` around tests, parents first.
///
/// ```
/// let pattern = filter_pattern::compile("{ $.a = 1 && $.b.c != 2 }")?;
/// let explanation = pattern.explain(br#"{ "a": 1, "b": null }"#);
/// assert!(!explanation.matches());
/// assert_eq!(explanation.to_string(), "\
/// no match
/// no   all of
/// yes    $.a = 1 (saw 1)
/// no     $.b.c != 2 (`$.b` is null and has no members; a comparison with nothing is false)
/// ");
/// # Ok::<(), filter_pattern::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    matches: bool,
    lines: Vec<Line>,
}

/// One part of a pattern and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How many parts this one stands inside of.
    pub depth: usize,
    /// The part in its canonical form; `all of` and `any of` for `&&` and `||`.
    pub text: String,
    /// Where it stands in the pattern's source.
    pub span: Range<usize>,
    /// How it came out.
    pub outcome: Outcome,
    /// The values it looked at, as JSON or text, long ones cut.
    pub saw: Vec<String>,
    /// How many more there were.
    pub more: usize,
    /// Why, where that is not plain.
    pub why: Option<String>,
}

/// How a part of a pattern came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is true.
    Held,
    /// It is false.
    Failed,
    /// It plays no part.
    Ignored,
}

impl Outcome {
    fn of(held: bool) -> Self {
        match held {
            true => Outcome::Held,
            false => Outcome::Failed,
        }
    }
}

impl Explanation {
    /// Does the event match?
    pub fn matches(&self) -> bool {
        self.matches
    }

    /// The parts, each before what stands inside of it, in the order of the text.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn of_json(json: &JsonPattern, record: Object<'_>) -> Self {
        let tests: Vec<Line> = json
            .tests
            .iter()
            .map(|test| test_line(test, record))
            .collect();
        let held = |line: &Line| line.outcome == Outcome::Held;
        // For each node its outcome and where it stands.
        let parts = json.tree.fold(|node, parts: &[(bool, Range<usize>)]| {
            let part = |index: &usize| parts.get(*index).cloned().unwrap_or_default();
            match node {
                Node::Test(test) => tests
                    .get(*test)
                    .map(|line| (held(line), line.span.clone()))
                    .unwrap_or_default(),
                Node::All(children) | Node::Any(children) => {
                    let children: Vec<_> = children.iter().map(part).collect();
                    let start = children.first().map_or(0, |(_, span)| span.start);
                    let end = children.last().map_or(0, |(_, span)| span.end);
                    let outcome = match node {
                        Node::All(_) => children.iter().all(|(held, _)| *held),
                        _ => children.iter().any(|(held, _)| *held),
                    };
                    (outcome, start..end)
                }
            }
        });
        let line = |visit: crate::logic::Visit<'_>| {
            let (outcome, span) = parts.get(visit.index).cloned().unwrap_or_default();
            let mut line = match visit.node {
                Node::Test(test) => tests.get(*test)?.clone(),
                Node::All(_) => Line::plain("all of", span, outcome),
                Node::Any(_) => Line::plain("any of", span, outcome),
            };
            line.depth = visit.depth;
            Some(line)
        };
        Explanation {
            matches: parts.last().is_some_and(|(held, _)| *held),
            lines: json.tree.walk().into_iter().filter_map(line).collect(),
        }
    }

    /// For a message that is no JSON object, which no JSON pattern matches (D17).
    pub(crate) fn of_no_object(pattern: &Pattern, error: &SyntaxError) -> Self {
        let mut line = Line::whole(pattern, false);
        line.why = Some(format!("the message is not one JSON object: {error}"));
        Explanation {
            matches: false,
            lines: vec![line],
        }
    }

    pub(crate) fn of_text(pattern: &Pattern, message: &str) -> Self {
        let matches = pattern.matches_text(message);
        let lines = match pattern.kind() {
            Kind::Terms(terms) => term_lines(terms, message),
            Kind::Fields(fields) => field_lines(fields, pattern, message),
            Kind::MatchAll => {
                let mut line = Line::whole(pattern, true);
                line.text = "every event".to_owned();
                vec![line]
            }
            Kind::Expression(_) | Kind::Json(_) => vec![Line::whole(pattern, matches)],
        };
        Explanation { matches, lines }
    }
}

impl Line {
    fn plain(text: impl Into<String>, span: Range<usize>, held: bool) -> Self {
        Line {
            depth: 0,
            text: text.into(),
            span,
            outcome: Outcome::of(held),
            saw: Vec::new(),
            more: 0,
            why: None,
        }
    }

    fn whole(pattern: &Pattern, held: bool) -> Self {
        Line::plain(pattern.to_string(), 0..pattern.source().len(), held)
    }
}

fn test_line(test: &Test, record: Object<'_>) -> Line {
    let values = test.selector.select(record);
    let held = match &test.condition {
        Condition::NotExists => values.is_empty(),
        condition => {
            let mut selected = values.iter().map(|value| Selected::from(*value));
            selected.any(|selected| condition.holds_for(&selected))
        }
    };
    let mut line = Line::plain(test.text(), test.span.clone(), held);
    line.more = values.len().saturating_sub(MOST_VALUES);
    line.saw = values
        .iter()
        .take(MOST_VALUES)
        .map(|value| shown(*value))
        .collect();
    line.why = match values.as_slice() {
        _ if held => None,
        [] => {
            let missing = missing(&test.selector, record);
            Some(format!("{missing}; a comparison with nothing is false"))
        }
        [value] => failure(&test.condition, *value),
        _ => None,
    };
    line
}

/// A value as JSON, cut; a container by its kind, since it may be large.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Invalid(_) => "no JSON value".to_owned(),
        Value::String(string) => format!("\"{}\"", printable(&shortened(&string.decode()))),
        scalar => shortened(&scalar.to_text()),
    }
}

/// Where a selector stops, in words.
fn missing(selector: &Selector, record: Object<'_>) -> String {
    let mut value = Value::Object(record);
    let mut path = String::from("$");
    for step in selector.steps() {
        let next = match step {
            Step::Member(name) => value.get(name),
            Step::Element(index) => match value {
                Value::Array(array) => array.elements().nth(*index),
                _ => None,
            },
            Step::AnyMember | Step::AnyElement => {
                return format!("`{selector}` selects nothing");
            }
        };
        let fits = match step {
            Step::Member(_) => value.as_object().is_some(),
            _ => value.as_array().is_some(),
        };
        let parent = path.clone();
        path.push_str(&step.to_string());
        match next {
            Some(next) => value = next,
            None if fits => return format!("`{path}` is missing"),
            None => {
                let lacks = match step {
                    Step::Member(_) => "members",
                    _ => "elements",
                };
                return format!("`{parent}` is {} and has no {lacks}", kind_of(value));
            }
        }
    }
    format!("`{selector}` is missing")
}

fn kind_of(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
        Value::Invalid(_) => "no JSON value",
    }
}

/// Why a test of this one value failed, where the value does not say it.
fn failure(condition: &Condition, value: Value<'_>) -> Option<String> {
    let why = match (condition, &Selected::from(value)) {
        (Condition::NotExists, _) => "the field is there",
        (Condition::IsNull | Condition::Is(_), Selected::Text(_)) => {
            "a string is never null, true or false"
        }
        (Condition::IsNull | Condition::Is(_), _) => return None,
        (_, Selected::Null) => "null is neither equal nor unequal to anything; ask with IS NULL",
        (_, Selected::Bool(_)) => {
            "a boolean is neither equal nor unequal to anything; ask with IS TRUE or IS FALSE"
        }
        (_, Selected::Container) if matches!(value, Value::Invalid(_)) => {
            "the record is broken there; a comparison with that is false"
        }
        (_, Selected::Container) => "arrays and objects are not compared; select inside of them",
        (Condition::Ordered(..), Selected::Text(_)) => {
            "a string has no order, even one that looks like a number"
        }
        (Condition::Equal(Operand::Text(glob)), Selected::Text(text))
            if glob
                .literal()
                .is_some_and(|literal| literal.eq_ignore_ascii_case(text)) =>
        {
            "letter case counts"
        }
        (Condition::Equal(Operand::Text(_)), Selected::Number(_)) => {
            "a text is compared with the number as the event writes it"
        }
        (Condition::Equal(Operand::Number(_)), Selected::Text(_)) => {
            "a number is compared with a string as the pattern writes it"
        }
        _ => return None,
    };
    Some(why.to_owned())
}

fn term_lines(terms: &Terms, message: &str) -> Vec<Line> {
    let line = |term: &Term| {
        let is_there = message.contains(&term.text);
        let held = is_there != (term.role == Role::Excluded);
        let mut line = Line::plain(term.shown(), term.span.clone(), held);
        if term.role == Role::Optional && terms.ignores_optional() {
            line.outcome = Outcome::Ignored;
            line.why = Some("ignored beside terms without `?`".to_owned());
        } else if !held {
            let found = if is_there { "found" } else { "not found" };
            line.why = Some(format!("{found} in the message"));
        }
        line
    };
    terms.terms.iter().map(line).collect()
}

fn field_lines(fields: &Fields, pattern: &Pattern, message: &str) -> Vec<Line> {
    let aligned = match fields.align(message) {
        Ok(aligned) => aligned,
        Err(misfit) => {
            let mut line = Line::whole(pattern, false);
            line.why = Some(why_not_aligned(fields, misfit, count_tokens(message)));
            return vec![line];
        }
    };
    let mut lines = Vec::new();
    for (field, (_, token)) in fields.fields.iter().zip(aligned) {
        let name = field.name.as_deref().unwrap_or_default();
        let start = field.alternatives.first().and_then(|tests| tests.first());
        let end = field.alternatives.last().and_then(|tests| tests.last());
        let span = match (start, end) {
            (Some(start), Some(end)) => start.span.start..end.span.end,
            _ => 0..pattern.source().len(),
        };
        let text = match field.text(" ") {
            text if text.is_empty() => "an unnamed field".to_owned(),
            text => text,
        };
        let mut line = Line::plain(text, span, field.accepts(token));
        line.saw = vec![format!("\"{}\"", printable(&shortened(token)))];
        lines.push(line);
        let tests = field.alternatives.iter().flatten();
        if tests.clone().count() > 1 {
            lines.extend(tests.map(|test| field_test_line(test, name, token)));
        }
    }
    lines
}

fn why_not_aligned(fields: &Fields, misfit: Misfit, tokens: usize) -> String {
    let count = fields.fields.len();
    match (misfit, fields.ellipsis) {
        (Misfit::Fewer, None) => {
            format!("the message has fewer tokens ({tokens}) than the pattern has fields ({count})")
        }
        (Misfit::Fewer, Some(_)) => format!(
            "the message has fewer tokens ({tokens}) than the pattern has fields (at least {count})"
        ),
        (Misfit::More, _) => format!(
            "the message has more tokens ({tokens}) than the pattern has fields ({count}), and the last field, which has a condition, does not take the rest"
        ),
    }
}

fn field_test_line(test: &FieldTest, name: &str, token: &str) -> Line {
    let held = test.condition.holds_for_token(token);
    let mut line = Line::plain(test.text(name, " "), test.span.clone(), held);
    line.depth = 1;
    line
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.matches { "match" } else { "no match" };
        writeln!(formatter, "{verdict}")?;
        self.lines
            .iter()
            .try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Held => "yes",
            Outcome::Failed => "no",
            Outcome::Ignored => "-",
        };
        let indent = "  ".repeat(self.depth);
        write!(formatter, "{outcome:<5}{indent}{}", printable(&self.text))?;
        let mut notes = Vec::new();
        if !self.saw.is_empty() {
            let more = match self.more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            notes.push(format!("saw {}{more}", self.saw.join(", ")));
        }
        notes.extend(self.why.as_deref().map(printable));
        match notes.is_empty() {
            true => Ok(()),
            false => write!(formatter, " ({})", notes.join(": ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile;

    fn explained(pattern: &str, message: &str) -> String {
        let pattern = compile(pattern).expect(pattern);
        let explanation = pattern.explain(message.as_bytes());
        assert_eq!(explanation.matches(), pattern.matches(message.as_bytes()));
        explanation.to_string()
    }

    #[test]
    fn every_test_is_evaluated_and_says_why_it_failed() {
        let pattern = r#"{ ($.a = "x" || $.b.c != 1) && ($.d IS TRUE || $.e > 5 && $.f = Stop) && $.g NOT EXISTS && $.l[*] = 9 }"#;
        let message = r#"{"a":"X","b":"text","d":"true","e":"7","f":{"x":1},"g":null,"l":[1,"a\u001b[2J",3,4,5,6,7,8,10,11]}"#;
        insta::assert_snapshot!(explained(pattern, message), @r#"
        no match
        no   all of
        no     any of
        no       $.a = x (saw "X": letter case counts)
        no       $.b.c != 1 (`$.b` is a string and has no members; a comparison with nothing is false)
        no     any of
        no       $.d IS TRUE (saw "true": a string is never null, true or false)
        no       all of
        no         $.e > 5 (saw "7": a string has no order, even one that looks like a number)
        no         $.f = Stop (saw an object: arrays and objects are not compared; select inside of them)
        no     $.g NOT EXISTS (saw null: the field is there)
        no     $.l[*] = 9 (saw 1, "a\u{1b}[2J", 3, 4, 5, 6, 7, 8 and 2 more)
        "#);
    }

    #[test]
    fn nothing_selected_says_where_the_selector_stops() {
        let pattern = r#"{ $.a[0].c = 1 || $.a[2] = 1 || $.a.b = 1 || $.x[*] = 1 || $.n = "12" }"#;
        let message = r#"{"a":[{"b":1}],"n":12.0}"#;
        insta::assert_snapshot!(explained(pattern, message), @r#"
        no match
        no   any of
        no     $.a[0].c = 1 (`$.a[0].c` is missing; a comparison with nothing is false)
        no     $.a[2] = 1 (`$.a[2]` is missing; a comparison with nothing is false)
        no     $.a.b = 1 (`$.a` is an array and has no members; a comparison with nothing is false)
        no     $.x[*] = 1 (`$.x` is missing; a comparison with nothing is false)
        no     $.n = "12" (saw 12.0: a text is compared with the number as the event writes it)
        "#);
    }

    #[test]
    fn text_patterns_are_explained_too() {
        insta::assert_snapshot!(explained("ERROR -DEBUG ?x", "an ERROR while DEBUG"), @r#"
        no match
        yes  ERROR
        no   -DEBUG (found in the message)
        -    ?x (ignored beside terms without `?`)
        "#);
        insta::assert_snapshot!(explained("[a = 1 || a > 5 && a != 7, , b]", "7 8 9"), @r#"
        no match
        no   a = 1 || a > 5 && a != 7 (saw "7")
        no     a = 1
        yes    a > 5
        no     a != 7
        yes  an unnamed field (saw "8")
        yes  b (saw "9")
        "#);
        insta::assert_snapshot!(explained("[a, b]", "7"), @r"
        no match
        no   [a, b] (the message has fewer tokens (1) than the pattern has fields (2))
        ");
        insta::assert_snapshot!(explained("%^a%", "ba"), @r"
        no match
        no   %^a%
        ");
        insta::assert_snapshot!(explained("", "x"), @r"
        match
        yes  every event
        ");
        insta::assert_snapshot!(explained("{ $.a NOT EXISTS }", "[1]"), @r"
        no match
        no   { $.a NOT EXISTS } (the message is not one JSON object: expected `{` at byte 0)
        ");
    }

    #[test]
    fn a_message_of_another_length_is_told_both_numbers() {
        let why = |pattern: &str, message: &str| {
            let explanation = compile(pattern).expect(pattern).explain(message.as_bytes());
            explanation.lines()[0].why.clone().unwrap_or_default()
        };
        assert_eq!(
            why("[a, ..., b, c]", "1 2"),
            "the message has fewer tokens (2) than the pattern has fields (at least 3)"
        );
        assert_eq!(
            why("[a, b = 2]", "1 2 3"),
            "the message has more tokens (3) than the pattern has fields (2), and the last field, which has a condition, does not take the rest"
        );
    }

    #[test]
    fn names_in_brackets_are_shown_in_brackets() {
        let pattern = r#"{ $['a.b'].c = 1 || $['x y'].c = 1 || $['e'].f = 1 || $["it's"] = 1 }"#;
        let message = r#"{"x y":{},"a.b":5}"#;
        insta::assert_snapshot!(explained(pattern, message), @r#"
        no match
        no   any of
        no     $['a.b'].c = 1 (`$['a.b']` is a number and has no members; a comparison with nothing is false)
        no     $['x y'].c = 1 (`$['x y'].c` is missing; a comparison with nothing is false)
        no     $.e.f = 1 (`$.e` is missing; a comparison with nothing is false)
        no     $["it's"] = 1 (`$["it's"]` is missing; a comparison with nothing is false)
        "#);
    }

    #[test]
    fn what_is_no_json_value_is_called_that() {
        let record = raw_json::Object::from_extent(br#"{"a":nul}"#).expect("a record");
        let explanation = compile("{ $.a = 1 }")
            .expect("a pattern")
            .explain_record(record);
        insta::assert_snapshot!(explanation.to_string(), @r"
        no match
        no   $.a = 1 (saw no JSON value: the record is broken there; a comparison with that is false)
        ");
    }

    #[test]
    fn a_text_that_no_number_is_equal_to_has_its_true_reason() {
        insta::assert_snapshot!(explained("{ $.n = abc || $.n = \"1*\" }", r#"{"n":23}"#), @r#"
        no match
        no   any of
        no     $.n = abc (saw 23: a text is compared with the number as the event writes it)
        no     $.n = 1* (saw 23: a text is compared with the number as the event writes it)
        "#);
    }

    #[test]
    fn nothing_unseen_is_shown_as_it_is() {
        let shown = explained(
            "{ $['a\u{1b}'] = x\u{2a} }",
            "{\"a\\u001b\":\"\\u200b\\ufeff\"}",
        );
        insta::assert_snapshot!(shown, @r#"
        no match
        no   $['a\u{1b}'] = x* (saw "\u{200b}\u{feff}")
        "#);
    }
}
