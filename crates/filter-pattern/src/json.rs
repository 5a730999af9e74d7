//! JSON patterns: `{ ($.a = 1) && ($.b NOT EXISTS) }`.
//!
//! Source: filter pattern rules, sections 2 and 3.

use std::ops::Range;

use raw_json::{Object, Value};

use crate::compare::{Condition, OPERATORS, Operator, Selected};
use crate::error::CompileError;
use crate::logic::{Builder, Node, Tree};
use crate::scanner::{Scanner, is_bare, is_name, is_white_space, quote};
use crate::selector::{Selector, unexpected_character};

/// Wildcard selectors in one pattern. Filter pattern rules, section 8.
const MOST_WILDCARD_SELECTORS: usize = 3;
/// Regular expressions in one pattern. Filter pattern rules, section 5.
pub(crate) const MOST_EXPRESSIONS: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPattern {
    pub(crate) tree: Tree,
    pub(crate) tests: Vec<Test>,
}

/// One test: a selector and what is asked of the values it selects.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) selector: Selector,
    pub(crate) condition: Condition,
    /// Where it stands in the pattern; tests in different places can be equal.
    pub(crate) span: Range<usize>,
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        (&self.selector, &self.condition) == (&other.selector, &other.condition)
    }
}

impl Eq for Test {}

impl Test {
    /// True for at least one selected value (D14); `NOT EXISTS`: nothing is selected. So every other
    /// test of a missing field is false (D01).
    pub(crate) fn holds_in(&self, record: Object<'_>) -> bool {
        let holds = |value: Value<'_>| self.condition.holds_for(&Selected::from(value));
        match (&self.condition, self.selector.has_wildcard()) {
            (Condition::NotExists, _) => self.selector.first(record).is_none(),
            (_, false) => self.selector.first(record).is_some_and(holds),
            (_, true) => self.selector.select(record).into_iter().any(holds),
        }
    }

    pub(crate) fn write(&self, out: &mut String, gap: &str) {
        out.push_str(&self.selector.to_string());
        // Writing to a String cannot fail.
        let _ = self.condition.write(out, gap);
    }

    /// The test in its canonical form.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, " ");
        text
    }
}

impl JsonPattern {
    pub(crate) fn matches_record(&self, record: Object<'_>) -> bool {
        let holds = |index| {
            let test: Option<&Test> = self.tests.get(index);
            test.is_some_and(|test| test.holds_in(record))
        };
        self.tree.decide(holds)
    }

    /// Is the pattern true only if this test is?
    pub(crate) fn requires(&self, test: usize) -> bool {
        let nodes = self.tree.nodes();
        match nodes.last() {
            Some(Node::Test(only)) => *only == test,
            Some(Node::All(children)) => {
                let mut children = children.iter().filter_map(|child| nodes.get(*child));
                children.any(|child| *child == Node::Test(test))
            }
            _ => false,
        }
    }

    pub(crate) fn write(&self, out: &mut String, spacious: bool) {
        let gap = if spacious { " " } else { "" };
        out.push('{');
        out.push_str(gap);
        self.tree.write(out, spacious, |out, index| {
            if let Some(test) = self.tests.get(index) {
                test.write(out, gap);
            }
        });
        out.push_str(gap);
        out.push('}');
    }

    /// Reads a pattern whose `{` stands here.
    pub(crate) fn read(mut scanner: Scanner<'_>) -> Result<Self, CompileError> {
        let mut tests: Vec<Test> = Vec::new();
        let mut tree = Builder::default();
        scanner.advance();
        loop {
            read_opening_parentheses(&mut scanner, &mut tree);
            tests.push(read_test(&mut scanner)?);
            tree.test();
            if !read_junction(&mut scanner, &mut tree, &tests)? {
                break;
            }
        }
        if scanner.skip_white_space() || scanner.peek().is_some() {
            let span = scanner.position()..scanner.position() + scanner.rest().len();
            return Err(scanner.fault(
                span,
                "text behind the closing `}`",
                "the end of the pattern",
            ));
        }
        check_quotas(&scanner, &tests)?;
        Ok(JsonPattern {
            tree: tree.finish(),
            tests,
        })
    }
}

fn read_opening_parentheses(scanner: &mut Scanner<'_>, tree: &mut Builder) {
    scanner.skip_white_space();
    while scanner.peek() == Some('(') {
        tree.open(scanner.position()..scanner.position() + 1);
        scanner.advance();
        scanner.skip_white_space();
    }
}

/// Reads what follows a test: closing parentheses, then `&&` or `||` (`true`) or the end (`false`).
fn read_junction(
    scanner: &mut Scanner<'_>,
    tree: &mut Builder,
    tests: &[Test],
) -> Result<bool, CompileError> {
    loop {
        scanner.skip_white_space();
        let here = scanner.position()..scanner.position() + 1;
        if scanner.eat("&&") {
            return Ok(true);
        }
        if scanner.eat("||") {
            tree.or();
            return Ok(true);
        }
        match scanner.peek() {
            Some(')') => {
                if !tree.close() {
                    let expected = "`&&`, `||` or the closing `}`";
                    return Err(scanner.fault(here, "a `)` without its `(`", expected));
                }
                scanner.advance();
            }
            Some('}') if tree.innermost().is_none() => {
                scanner.advance();
                return Ok(false);
            }
            _ => return Err(no_junction(scanner, tree, tests)),
        }
    }
}

fn no_junction(scanner: &Scanner<'_>, tree: &Builder, tests: &[Test]) -> CompileError {
    let here = scanner.word_span();
    let word = scanner.text(here.clone());
    let expected = match tree.innermost() {
        Some(_) => "`&&`, `||` or `)`",
        None => "`&&`, `||` or `}`",
    };
    let help = match (scanner.peek(), word.to_ascii_uppercase().as_str()) {
        (None, _) if tree.innermost().is_none() => {
            let message = "a pattern that starts with `{` must end with `}`";
            return scanner.fault(here, message, expected);
        }
        (None | Some('}'), _) => {
            let found = scanner.fault(here.clone(), "", "").found().to_owned();
            let open = tree.innermost().unwrap_or(here);
            let fault = scanner.fault(open, "this `(` is not closed", "`)`");
            return fault.with_found(found);
        }
        (_, "AND" | "&") => "`and` is written `&&`".to_owned(),
        (_, "OR" | "|") => "`or` is written `||`".to_owned(),
        (Some(','), _) => "tests are joined with `&&` or `||`".to_owned(),
        (Some(character), _) if is_bare(character) => match words_behind(scanner, tests) {
            Some(value) => format!("a value of several words needs quotes: {}", quote(value)),
            None => "tests are joined with `&&` or `||`".to_owned(),
        },
        _ => "tests are joined with `&&` or `||`".to_owned(),
    };
    let message = format!("unexpected `{word}` behind a test");
    scanner.fault(here, message, expected).with_help(help)
}

/// The words from the bare value of the last test on, where the user seems to have left out quotes.
fn words_behind<'p>(scanner: &Scanner<'p>, tests: &[Test]) -> Option<&'p str> {
    let test = tests.last()?;
    if !matches!(test.condition, Condition::Equal(_) | Condition::NotEqual(_)) {
        return None;
    }
    let test_text = scanner.text(test.span.clone());
    let value = test_text.rfind(|character| !is_bare(character))? + 1;
    if test_text.ends_with(['"', '%']) || value >= test_text.len() {
        return None;
    }
    let start = test.span.start + value;
    let rest = scanner.text(start..scanner.position() + scanner.rest().len());
    let end = rest.find(|character| !is_bare(character) && !is_white_space(character));
    rest.get(..end.unwrap_or(rest.len()))
        .map(|words| words.trim_end_matches(is_white_space))
}

fn read_test(scanner: &mut Scanner<'_>) -> Result<Test, CompileError> {
    if scanner.peek() != Some('$') {
        return Err(no_test(scanner));
    }
    let start = scanner.position();
    let selector = Selector::read(scanner)?;
    let spaced = scanner.skip_white_space();
    let condition = match Operator::read(scanner)? {
        Some(operator) => {
            scanner.skip_white_space();
            operator.condition(scanner)?
        }
        None if spaced => read_words(scanner)?,
        None => {
            return Err(match scanner.peek() {
                Some(character) if !")}&|(".contains(character) => {
                    unexpected_character(scanner, scanner.position())
                }
                _ => missing_operator(scanner),
            });
        }
    };
    Ok(Test {
        selector,
        condition,
        span: scanner.span_from(start),
    })
}

/// `IS NULL`, `IS TRUE`, `IS FALSE` or `NOT EXISTS`, in any letter case (D10).
fn read_words(scanner: &mut Scanner<'_>) -> Result<Condition, CompileError> {
    let start = scanner.position();
    let first = scanner.take_while(is_name).to_ascii_uppercase();
    let word_end = scanner.position();
    scanner.skip_white_space();
    let second_start = scanner.position();
    let second = scanner.take_while(is_name).to_ascii_uppercase();
    let condition = match (first.as_str(), second.as_str()) {
        ("IS", "NULL") => Condition::IsNull,
        ("IS", "TRUE") => Condition::Is(true),
        ("IS", "FALSE") => Condition::Is(false),
        ("NOT", "EXISTS") => Condition::NotExists,
        ("IS", other) => {
            let span = second_start..scanner.position().max(scanner.word_span().end);
            let message = "nothing that `IS` can ask for";
            let expected = "one of: NULL TRUE FALSE, without quotes";
            let fault = scanner.fault(span, message, expected);
            return Err(match other {
                "NOT" => fault.with_help(
                    "there is no `IS NOT`; `IS FALSE`, `!=` or another field may say what you mean",
                ),
                _ => fault,
            });
        }
        ("NOT", _) => {
            let span = second_start..scanner.position().max(scanner.word_span().end);
            return Err(scanner.fault(span, "nothing that `NOT` can ask for", "`EXISTS`"));
        }
        _ => return Err(no_operator_word(scanner, start..word_end, &first)),
    };
    if scanner.peek().is_some_and(is_bare) {
        let span = start..scanner.word_span().end;
        let expected = "IS NULL, IS TRUE, IS FALSE or NOT EXISTS";
        return Err(scanner.fault(span, "words that run together", expected));
    }
    Ok(condition)
}

/// A word, or nothing, where an operator should stand.
fn no_operator_word(scanner: &Scanner<'_>, word: Range<usize>, upper: &str) -> CompileError {
    let expected = format!("{OPERATORS}, or IS NULL, IS TRUE, IS FALSE, NOT EXISTS");
    if upper.is_empty() {
        return missing_operator(scanner);
    }
    let text = scanner.text(word.clone());
    let fault = scanner.fault(word, format!("unknown operator `{text}`"), expected);
    match upper {
        "EXISTS" => {
            fault.with_help("`= *` holds for every string and number; there is no `EXISTS`")
        }
        "LIKE" | "MATCHES" | "CONTAINS" | "STARTSWITH" | "ENDSWITH" => {
            fault.with_help("`=` takes wildcards (\"*Stop*\") and regular expressions (%^Stop%)")
        }
        "IN" => fault.with_help("write one test for each value, joined with `||`"),
        "EQ" | "EQUALS" => fault.with_help("equality is written `=`"),
        "NE" => fault.with_help("inequality is written `!=`"),
        _ => fault,
    }
}

fn missing_operator(scanner: &Scanner<'_>) -> CompileError {
    let end = scanner.peek().map_or(0, char::len_utf8);
    let span = scanner.position()..scanner.position() + end;
    let expected = format!("{OPERATORS}, or IS NULL, IS TRUE, IS FALSE, NOT EXISTS");
    let fault = scanner.fault(span, "the operator is missing", expected);
    fault.with_help("`= *` holds for every string and number")
}

/// Something else where a test should stand.
fn no_test(scanner: &Scanner<'_>) -> CompileError {
    let expected = "a test such as `$.eventName = \"StopLogging\"`";
    let span = scanner.word_span();
    let word = scanner.text(span.clone());
    let upper = word.to_ascii_uppercase();
    match scanner.peek() {
        None => scanner.fault(
            span,
            "a test is missing at the end of the pattern",
            expected,
        ),
        Some('}' | ')' | '&' | '|') => {
            let span = match word.starts_with("&&") || word.starts_with("||") {
                true => span.start..span.start + 2,
                false => span.start..span.start + 1,
            };
            scanner.fault(span, "a test is missing", expected)
        }
        _ if upper == "NOT" || word.starts_with('!') => scanner
            .fault(span, "a test cannot be negated", expected)
            .with_help("negate inside the test: `!=`, or `$.field NOT EXISTS`"),
        Some(character) if character == '.' || is_name(character) => {
            let name = word.split(['=', '<', '>', '!']).next().unwrap_or_default();
            let end = span.start + name.len();
            let name = name.trim_start_matches('.');
            let fault = scanner.fault(span.start..end, "not a selector", expected);
            match name
                .chars()
                .all(|character| is_name(character) || character == '.')
            {
                true if !name.is_empty()
                    && !name.starts_with(|first: char| first.is_ascii_digit()) =>
                {
                    fault.with_help(format!("selectors start with `$.`: `$.{name}`"))
                }
                _ => fault,
            }
        }
        Some(_) => scanner
            .fault(span, "not a selector", expected)
            .with_help("the selector stands on the left of a test, the value on the right"),
    }
}

fn check_quotas(scanner: &Scanner<'_>, tests: &[Test]) -> Result<(), CompileError> {
    let wildcards = |test: &&Test| test.selector.has_wildcard();
    if let Some(test) = tests.iter().filter(wildcards).nth(MOST_WILDCARD_SELECTORS) {
        let end = test.span.start + test.selector.source().len();
        return Err(scanner.fault(
            test.span.start..end,
            "too many wildcard selectors",
            "at most three selectors with `*` in a pattern",
        ));
    }
    let expressions = tests
        .iter()
        .map(|test| (&test.condition, test.span.clone()));
    check_expressions(scanner, expressions)
}

/// At most two regular expressions in a pattern.
pub(crate) fn check_expressions<'t>(
    scanner: &Scanner<'_>,
    conditions: impl Iterator<Item = (&'t Condition, Range<usize>)>,
) -> Result<(), CompileError> {
    let mut with_expression = conditions.filter_map(|(condition, span)| {
        let length = condition.expression()?.text().len() + 2;
        Some(span.end.saturating_sub(length)..span.end)
    });
    match with_expression.nth(MOST_EXPRESSIONS) {
        None => Ok(()),
        Some(span) => Err(scanner.fault(
            span,
            "too many regular expressions",
            "at most two regular expressions in a pattern",
        )),
    }
}
