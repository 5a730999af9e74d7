//! Space-delimited patterns: `[ip, user, ..., status = 4*, bytes > 1000]`.
//!
//! Source: filter pattern rules, sections 2 and 7.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::ops::Range;

use crate::compare::{Condition, OPERATORS, Operator};
use crate::error::CompileError;
use crate::json::check_expressions;
use crate::scanner::{Scanner, is_name, is_white_space};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) fields: Vec<Field>,
    /// Before which field the `...` stands.
    pub(crate) ellipsis: Option<usize>,
}

/// One field: its name and what is asked of its token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Field {
    pub(crate) name: Option<String>,
    /// At least one must hold wholly; none asks nothing.
    pub(crate) alternatives: Vec<Vec<FieldTest>>,
}

#[derive(Debug, Clone)]
pub(crate) struct FieldTest {
    pub(crate) condition: Condition,
    pub(crate) span: Range<usize>,
}

impl PartialEq for FieldTest {
    fn eq(&self, other: &Self) -> bool {
        self.condition == other.condition
    }
}

impl Eq for FieldTest {}

impl Field {
    fn is_unconstrained(&self) -> bool {
        self.alternatives.is_empty()
    }

    pub(crate) fn accepts(&self, token: &str) -> bool {
        let holds = |test: &FieldTest| test.condition.holds_for_token(token);
        let mut alternatives = self.alternatives.iter();
        self.is_unconstrained() || alternatives.any(|conjuncts| conjuncts.iter().all(holds))
    }
}

/// Why a message does not fit the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It has fewer tokens than fields.
    Fewer,
    /// It has more, and the last field, which would take the rest, asks for something.
    More,
}

/// One part of a message.
#[derive(Debug, Clone, Copy)]
struct Token<'m> {
    text: &'m str,
    /// Where it starts in the message, delimiters included.
    start: usize,
}

impl Fields {
    pub(crate) fn matches(&self, message: &str) -> bool {
        self.align(message).is_ok_and(|aligned| {
            let mut pairs = self.fields.iter().zip(aligned);
            pairs.all(|(field, (_, token))| field.accepts(token))
        })
    }

    /// For each field the position (from 0) and text of what stands at its place, positions ascending.
    pub(crate) fn align<'m>(&self, message: &'m str) -> Result<Vec<(usize, &'m str)>, Misfit> {
        let count = self.fields.len();
        let mut tokens = tokens(message).enumerate();
        let mut aligned: Vec<_> = tokens
            .by_ref()
            .take(self.ellipsis.unwrap_or(count))
            .collect();
        if let Some(ellipsis) = self.ellipsis {
            // Behind the `...` stand the fields of the last tokens.
            let most = count - ellipsis;
            let mut last = VecDeque::with_capacity(most + 1);
            for token in tokens {
                last.push_back(token);
                if last.len() > most {
                    last.pop_front();
                }
            }
            aligned.extend(last);
        } else if tokens.next().is_some() {
            // The last field takes the rest, if it accepts anything (D22).
            let last = self.fields.last();
            if !last.is_some_and(Field::is_unconstrained) {
                return Err(Misfit::More);
            }
            if let Some((_, token)) = aligned.last_mut() {
                let rest = message.get(token.start..).unwrap_or_default();
                token.text = rest.trim_end_matches(is_white_space);
            }
        }
        match aligned.len() == count {
            true => Ok(aligned
                .into_iter()
                .map(|(index, token)| (index, token.text))
                .collect()),
            false => Err(Misfit::Fewer),
        }
    }

    /// The texts a message gives, by name: `$name` for named fields, `$1`, `$2` ... for other tokens.
    /// Of two by the same name the first one counts.
    pub(crate) fn extract(&self, message: &str) -> Vec<(String, String)> {
        let Ok(aligned) = self.align(message) else {
            return Vec::new();
        };
        // Only a name of digits can be that of another token too.
        let named = self.fields.iter().filter_map(|field| field.name.as_deref());
        let named: HashSet<&str> = named.collect();
        let mut seen = HashSet::new();
        let mut is_first = |name: &str| !named.contains(name) || seen.insert(name.to_owned());
        let mut fields = self.fields.iter().zip(aligned).peekable();
        let most = match self.ellipsis {
            None => self.fields.len(), // the last field holds the rest
            Some(_) => usize::MAX,
        };
        let mut values = Vec::new();
        for (index, token) in tokens(message).take(most).enumerate() {
            let field = fields.next_if(|(_, (place, _))| *place == index);
            let name = field.and_then(|(field, _)| field.name.clone());
            let name = name.unwrap_or_else(|| (index + 1).to_string());
            if is_first(&name) {
                let text = field.map_or(token.text, |(_, (_, text))| text);
                values.push((format!("${name}"), text.to_owned()));
            }
        }
        values
    }

    /// The text [`Fields::extract`] gives by this name (without the `$`), alone.
    pub(crate) fn text_of<'m>(&self, name: &str, message: &'m str) -> Option<&'m str> {
        let aligned = self.align(message).ok()?;
        let mut fields = self.fields.iter().zip(&aligned);
        let named = fields.find(|(field, _)| field.name.as_deref() == Some(name));
        let named = named.map(|(_, found)| *found);
        let unnamed = position(name).and_then(|index| {
            let mut fields = self.fields.iter().zip(&aligned);
            match fields.find(|(_, (place, _))| *place == index) {
                Some((field, found)) => field.name.is_none().then_some(*found),
                None => {
                    self.ellipsis?; // the last field holds the rest
                    Some((index, tokens(message).nth(index)?.text))
                }
            }
        });
        let found = named.into_iter().chain(unnamed);
        found.min_by_key(|(index, _)| *index).map(|(_, text)| text)
    }

    /// Can a message give a text by this name (without the `$`)?
    pub(crate) fn names(&self, name: &str) -> bool {
        if self
            .fields
            .iter()
            .any(|field| field.name.as_deref() == Some(name))
        {
            return true;
        }
        let Some(index) = position(name) else {
            return false;
        };
        match (self.ellipsis, self.fields.get(index)) {
            (Some(ellipsis), _) if index >= ellipsis => true,
            (_, field) => field.is_some_and(|field| field.name.is_none()),
        }
    }

    /// Reads a pattern whose `[` stands here.
    pub(crate) fn read(mut scanner: Scanner<'_>) -> Result<Self, CompileError> {
        let open = scanner.position();
        scanner.advance();
        let mut pattern = Fields {
            fields: Vec::new(),
            ellipsis: None,
        };
        loop {
            scanner.skip_white_space();
            let start = scanner.position();
            if scanner.eat("...") {
                if pattern.ellipsis.replace(pattern.fields.len()).is_some() {
                    let span = scanner.span_from(start);
                    let expected = "at most one `...` in a pattern";
                    return Err(scanner.fault(span, "a second `...`", expected));
                }
            } else {
                pattern.fields.push(read_field(&mut scanner)?);
            }
            scanner.skip_white_space();
            if scanner.eat("]") {
                break;
            }
            if !scanner.eat(",") {
                return Err(no_field_end(&scanner));
            }
        }
        let span = scanner.span_from(open);
        if pattern.ellipsis.is_none() && pattern.fields == [Field::default()] {
            let expected = "at least one field: a name, a condition or `...`";
            return Err(scanner.fault(span, "a pattern without fields", expected));
        }
        if scanner.peek().is_some() {
            let span = scanner.position()..scanner.position() + scanner.rest().len();
            return Err(scanner.fault(
                span,
                "text behind the closing `]`",
                "the end of the pattern",
            ));
        }
        check_expressions(&scanner, pattern.tests())?;
        Ok(pattern)
    }

    fn tests(&self) -> impl Iterator<Item = (&Condition, Range<usize>)> {
        let fields = self.fields.iter();
        let tests = fields.flat_map(|field| field.alternatives.iter().flatten());
        tests.map(|test| (&test.condition, test.span.clone()))
    }

    pub(crate) fn write(&self, out: &mut String, spacious: bool) {
        let gap = if spacious { " " } else { "" };
        let mut parts: Vec<String> = self.fields.iter().map(|field| field.text(gap)).collect();
        if let Some(ellipsis) = self.ellipsis {
            parts.insert(ellipsis.min(parts.len()), "...".to_owned());
        }
        out.push('[');
        out.push_str(&parts.join(&format!(",{gap}")));
        out.push(']');
    }
}

impl Field {
    pub(crate) fn text(&self, gap: &str) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        if self.is_unconstrained() {
            return name.to_owned();
        }
        let test = |test: &FieldTest| test.text(name, gap);
        let conjunction = |tests: &Vec<FieldTest>| {
            let tests: Vec<_> = tests.iter().map(test).collect();
            tests.join(&format!("{gap}&&{gap}"))
        };
        let alternatives: Vec<_> = self.alternatives.iter().map(conjunction).collect();
        alternatives.join(&format!("{gap}||{gap}"))
    }
}

impl FieldTest {
    pub(crate) fn text(&self, name: &str, gap: &str) -> String {
        let mut text = name.to_owned();
        // Writing to a String cannot fail.
        let _: fmt::Result = self.condition.write(&mut text, gap);
        text
    }
}

fn read_field(scanner: &mut Scanner<'_>) -> Result<Field, CompileError> {
    let start = scanner.position();
    let name = scanner.take_while(is_name);
    if name.is_empty() {
        return match scanner.peek() {
            None | Some(',' | ']') => Ok(Field::default()),
            Some(_) => Err(no_field(scanner)),
        };
    }
    let mut field = Field {
        name: Some(name.to_owned()),
        alternatives: Vec::new(),
    };
    scanner.skip_white_space();
    let Some(operator) = Operator::read(scanner)? else {
        return Ok(field);
    };
    let mut conjuncts = vec![read_field_test(scanner, operator, start)?];
    loop {
        scanner.skip_white_space();
        if scanner.eat("||") {
            field.alternatives.push(std::mem::take(&mut conjuncts));
        } else if !scanner.eat("&&") {
            break;
        }
        conjuncts.push(read_next_test(scanner, name)?);
    }
    field.alternatives.push(conjuncts);
    Ok(field)
}

/// A test behind `&&` or `||`, which must be of the same field (D23).
fn read_next_test(scanner: &mut Scanner<'_>, name: &str) -> Result<FieldTest, CompileError> {
    scanner.skip_white_space();
    let start = scanner.position();
    let next = scanner.take_while(is_name);
    let expected = format!("another condition on `{name}`");
    if next != name {
        let span = start..scanner.position().max(scanner.word_span().end);
        let message = match next {
            "" => "a condition is missing",
            _ => "two names in one field",
        };
        let fault = scanner.fault(span, message, expected);
        return Err(fault.with_help("conditions on several fields stand each in its own field"));
    }
    scanner.skip_white_space();
    match Operator::read(scanner)? {
        Some(operator) => read_field_test(scanner, operator, start),
        None => {
            let span = scanner.word_span();
            Err(scanner.fault(span, "the operator is missing", OPERATORS))
        }
    }
}

fn read_field_test(
    scanner: &mut Scanner<'_>,
    operator: Operator,
    start: usize,
) -> Result<FieldTest, CompileError> {
    scanner.skip_white_space();
    let condition = operator.condition(scanner)?;
    Ok(FieldTest {
        condition,
        span: scanner.span_from(start),
    })
}

fn no_field(scanner: &Scanner<'_>) -> CompileError {
    let expected = "a field: a name, a condition such as `status = 4*`, `...`, or nothing";
    let span = scanner.word_span();
    let fault = scanner.fault(span, "not a field", expected);
    match scanner.peek() {
        Some('$') => fault.with_help("fields are named without `$`; `{ ... }` is for JSON events"),
        Some('(') => fault.with_help("there are no parentheses; `&&` binds closer than `||`"),
        Some('.') => fault.with_help("an ellipsis is three periods: `...`"),
        Some('"') => fault.with_help("a value needs a name before it: `word = \"...\"`"),
        _ => fault.with_help("names are letters, digits, `_` and `-`"),
    }
}

fn no_field_end(scanner: &Scanner<'_>) -> CompileError {
    if scanner.peek().is_none() {
        let here = scanner.position()..scanner.position();
        let message = "a pattern that starts with `[` must end with `]`";
        return scanner.fault(here, message, "`,` or `]`");
    }
    let span = scanner.word_span();
    let message = format!("unexpected `{}` in a field", scanner.text(span.clone()));
    scanner.fault(span, message, "`,` or `]`")
}

/// The place, from 0, that a name such as `1` or `12` stands for.
fn position(name: &str) -> Option<usize> {
    let is_canonical = !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
    let number: usize = name.parse().ok().filter(|_| is_canonical)?;
    number.checked_sub(1)
}

/// How many tokens a message has.
pub(crate) fn count_tokens(message: &str) -> usize {
    tokens(message).count()
}

/// Splits a message on white space; `[...]` and `"..."` are one token each, without their delimiters.
/// A bracket or a quote that starts a token and is never closed is an ordinary character (D25).
fn tokens(message: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = message.trim_start_matches(is_white_space);
    // Behind a search that found none, none will be found: so each byte is searched once.
    let mut closed = [true, true];
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let start = message.len() - rest.len();
        let [bracket_closed, quote_closed] = &mut closed;
        let delimited = delimited(rest, '[', ']', bracket_closed)
            .or_else(|| delimited(rest, '"', '"', quote_closed));
        let (text, behind) = delimited.unwrap_or_else(|| {
            let end = rest.find(is_white_space).unwrap_or(rest.len());
            rest.split_at_checked(end).unwrap_or((rest, ""))
        });
        rest = behind.trim_start_matches(is_white_space);
        Some(Token { text, start })
    })
}

/// What stands between `open`, at the start, and the next `close`; and what stands behind.
fn delimited<'m>(
    text: &'m str,
    open: char,
    close: char,
    is_closed: &mut bool,
) -> Option<(&'m str, &'m str)> {
    let inside = text.strip_prefix(open).filter(|_| *is_closed)?;
    let split = inside.split_once(close);
    *is_closed = split.is_some();
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str) -> Vec<&str> {
        tokens(message).map(|token| token.text).collect()
    }

    fn fields(pattern: &str) -> Fields {
        Fields::read(Scanner::trimmed(pattern)).expect(pattern)
    }

    fn extracted(pattern: &str, message: &str) -> String {
        let values = fields(pattern).extract(message).into_iter();
        let values: Vec<_> = values
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        values.join("; ")
    }

    #[test]
    fn brackets_and_quotes_are_one_token_each() {
        assert_eq!(
            texts("a [10/Oct -0700]\t\"GET / HTTP\" \"\" [] z\r\n"),
            ["a", "10/Oct -0700", "GET / HTTP", "", "", "z"]
        );
        assert_eq!(texts("[a \"b] c\" [d]e"), ["a \"b", "c\"", "d", "e"]);
    }

    #[test]
    fn what_is_not_closed_is_an_ordinary_character() {
        assert_eq!(texts("[a b"), ["[a", "b"]);
        assert_eq!(texts("a \"b c ] d"), ["a", "\"b", "c", "]", "d"]);
        assert_eq!(texts("k=\"a b\""), ["k=\"a", "b\""]);
    }

    #[test]
    fn many_unclosed_brackets_cost_one_search() {
        assert_eq!(count_tokens(&"[ ".repeat(200_000)), 200_000);
        assert_eq!(count_tokens(&"[ \"".repeat(100_001)), 100_002);
    }

    #[test]
    fn fields_give_their_tokens_by_name_and_the_others_by_number() {
        assert_eq!(
            extracted("[ip, , status]", "192.0.2.1 - 404"),
            "$ip=192.0.2.1; $2=-; $status=404"
        );
        assert_eq!(
            extracted("[level, text]", "WARN \"a b\" c [d]"),
            "$level=WARN; $text=\"a b\" c [d]"
        );
        assert_eq!(
            extracted("[a, ..., z]", "1 2 3 4"),
            "$a=1; $2=2; $3=3; $z=4"
        );
        assert_eq!(extracted("[a, b]", "1"), "");
        assert_eq!(extracted("[a, b = 2]", "1 2 3"), "");
    }

    #[test]
    fn of_two_texts_by_one_name_the_first_one_counts() {
        for (pattern, message, expected) in [
            ("[2, , x]", "a b c", "$2=a; $x=c"),
            ("[, 1, x]", "a b c", "$1=a; $x=c"),
            ("[a, a]", "x y z", "$a=x"),
            ("[..., 2]", "a b", "$1=a; $2=b"),
            ("[..., 2]", "a b c", "$1=a; $2=b"),
            ("[3, ..., 1, 1]", "a b c d e", "$3=a; $2=b; $1=d"),
            ("[3, ..., z]", "a b c d", "$3=a; $2=b; $z=d"),
        ] {
            assert_eq!(extracted(pattern, message), expected, "{pattern} {message}");
            let fields = fields(pattern);
            for (name, text) in fields.extract(message) {
                let name = name.trim_start_matches('$');
                assert!(fields.names(name), "{pattern} {name}");
                assert_eq!(
                    fields.text_of(name, message),
                    Some(text.as_str()),
                    "{pattern} {name}"
                );
            }
        }
    }

    #[test]
    fn a_text_alone_is_the_one_among_all() {
        let patterns = [
            "[a]",
            "[a, , b]",
            "[...]",
            "[a, ...]",
            "[..., z]",
            "[a, ..., y, 3]",
            "[3, 2, 1]",
        ];
        let messages = [
            "",
            "p",
            "p q",
            "p q r",
            "p [q r] s",
            "p q r s",
            "p q r s t u",
        ];
        for (pattern, message) in patterns.iter().flat_map(|p| messages.map(|m| (*p, m))) {
            let fields = fields(pattern);
            let all = fields.extract(message);
            for name in [
                "a", "b", "y", "z", "1", "2", "3", "4", "5", "6", "7", "0", "01", "x",
            ] {
                let found = all
                    .iter()
                    .find(|(found, _)| found.trim_start_matches('$') == name);
                let expected = found.map(|(_, text)| text.as_str());
                assert_eq!(
                    fields.text_of(name, message),
                    expected,
                    "{pattern} {message} {name}"
                );
            }
        }
    }

    #[test]
    fn no_more_tokens_are_kept_than_there_are_fields() {
        let message = "a ".repeat(200_000) + "z";
        for pattern in ["[x, ...]", "[..., x]", "[x, ..., y]", "[x, y]"] {
            let fields = fields(pattern);
            let aligned = fields.align(&message).expect(pattern);
            assert_eq!(aligned.len(), fields.fields.len());
            assert!(aligned.capacity() < 100, "{pattern}");
        }
        let text = fields("[x, ..., y]").text_of("77", &message);
        // Taken from the message, not from a list of copies.
        assert_eq!(text.map(str::as_ptr), Some(message[152..].as_ptr()));
    }

    #[test]
    fn a_message_that_does_not_fit_says_on_which_side() {
        assert_eq!(fields("[a, b]").align("1"), Err(Misfit::Fewer));
        assert_eq!(fields("[a, ..., b]").align("1"), Err(Misfit::Fewer));
        assert_eq!(fields("[a, b = 2]").align("1 2 3"), Err(Misfit::More));
        assert!(fields("[a, b]").align("1 2 3").is_ok());
        assert!(
            fields("[...]")
                .align("")
                .is_ok_and(|aligned| aligned.is_empty())
        );
    }

    #[test]
    fn a_name_is_known_if_a_message_can_give_it() {
        let closed = fields("[ip, , status = 4*]");
        for (name, known) in [
            ("ip", true),
            ("2", true),
            ("status", true),
            ("1", false),
            ("4", false),
            ("0", false),
            ("02", false),
            ("", false),
            ("x", false),
        ] {
            assert_eq!(closed.names(name), known, "{name}");
        }
        assert!(fields("[ip, ...]").names("7"));
        assert!(!fields("[ip, ...]").names("1"));
    }
}
