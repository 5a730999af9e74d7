//! What a test asks of one value.
//!
//! Source: filter pattern rules, section 3.3: each function here is one part of its table.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use raw_json::Value;

use crate::error::CompileError;
use crate::expression::Expression;
use crate::glob::Glob;
use crate::number::NumberLiteral;
use crate::scanner::{Scanner, is_bare, quote};

/// A selected value, as far as tests tell values apart.
#[derive(Debug, Clone)]
pub(crate) enum Selected<'a> {
    Null,
    Bool(bool),
    /// As written: the text of `12.0` is `12.0`.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An array, an object, or what is no JSON value at all: true of it is only that it is there.
    Container,
}

impl<'a> From<Value<'a>> for Selected<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Null => Selected::Null,
            Value::Bool(flag) => Selected::Bool(flag),
            Value::Number(text) => Selected::Number(text),
            Value::String(string) => Selected::Text(string.decode()),
            Value::Array(_) | Value::Object(_) | Value::Invalid(_) => Selected::Container,
        }
    }
}

/// What a test asks of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Equal(Operand),
    NotEqual(Operand),
    Ordered(Order, NumberLiteral),
    IsNull,
    Is(bool),
    NotExists,
}

/// The right-hand side of `=` and `!=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A value in quotes, or one without that is not a number.
    Text(Glob),
    Number(NumberLiteral),
    Expression(Expression),
}

/// An ordering operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Does it hold for this value? `NOT EXISTS` holds for no value: it asks that there be none (D04).
    pub(crate) fn holds_for(&self, selected: &Selected<'_>) -> bool {
        match self {
            Condition::Equal(operand) => operand.equals(selected) == Some(true),
            // Not the opposite of `=`: what is neither string nor number is neither equal nor
            // unequal (D02, D03, D04).
            Condition::NotEqual(operand) => operand.equals(selected) == Some(false),
            Condition::Ordered(order, literal) => match selected {
                Selected::Number(number) => order.holds(literal.ordering_of(number)),
                _ => false, // a string that looks like a number too (D08)
            },
            Condition::IsNull => matches!(selected, Selected::Null),
            Condition::Is(expected) => matches!(selected, Selected::Bool(flag) if flag == expected),
            Condition::NotExists => false,
        }
    }

    /// Does it hold for a token of a space-delimited message? All tokens are text; an ordering looks
    /// at those that are numbers. Filter pattern rules, section 7.
    pub(crate) fn holds_for_token(&self, token: &str) -> bool {
        match self {
            Condition::Ordered(order, literal) => order.holds(literal.ordering_of(token)),
            other => other.holds_for(&Selected::Text(Cow::Borrowed(token))),
        }
    }

    pub(crate) fn expression(&self) -> Option<&Expression> {
        match self {
            Condition::Equal(Operand::Expression(expression))
            | Condition::NotEqual(Operand::Expression(expression)) => Some(expression),
            _ => None,
        }
    }
}

impl Operand {
    /// Is the value equal to this? `None` for values that are neither strings nor numbers.
    fn equals(&self, selected: &Selected<'_>) -> Option<bool> {
        let text = match selected {
            Selected::Number(text) => text,
            Selected::Text(text) => text.as_ref(),
            Selected::Null | Selected::Bool(_) | Selected::Container => return None,
        };
        Some(match (self, selected) {
            (Operand::Number(literal), Selected::Number(number)) => {
                literal.ordering_of(number) == Some(Ordering::Equal)
            }
            (Operand::Number(literal), _) => literal.text() == text, // D07
            (Operand::Text(glob), _) => glob.matches(text),          // D06
            (Operand::Expression(expression), _) => expression.is_found_in(text), // D15
        })
    }

    /// Reads the value behind `=` or `!=`.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Result<Self, CompileError> {
        match scanner.peek() {
            Some('"') => Ok(Operand::Text(Glob::new(&scanner.quoted()?))),
            Some('%') => {
                let span = scanner.between_percents()?;
                Expression::parse(scanner, span).map(Operand::Expression)
            }
            _ => {
                let bare = read_bare(scanner)?;
                Ok(match NumberLiteral::parse(bare) {
                    Some(number) => Operand::Number(number),
                    None => Operand::Text(Glob::new(bare)),
                })
            }
        }
    }
}

/// Reads the number behind an ordering operator; anything else there is a fault (D09).
pub(crate) fn read_number(scanner: &mut Scanner<'_>) -> Result<NumberLiteral, CompileError> {
    let start = scanner.position();
    let expected = "a number without quotes";
    if matches!(scanner.peek(), Some('"' | '%')) {
        let mut ahead = scanner.clone();
        Operand::read(&mut ahead)?;
        let span = ahead.span_from(start);
        let fault = scanner.fault(span.clone(), "only numbers can be ordered", expected);
        let inside = scanner.text(span).trim_matches('"');
        return Err(match NumberLiteral::parse(inside) {
            Some(_) => fault.with_help(format!("without the quotes it is a number: {inside}")),
            None => fault,
        });
    }
    let bare = read_bare(scanner)?;
    NumberLiteral::parse(bare).ok_or_else(|| {
        let span = scanner.span_from(start);
        scanner.fault(span, "only numbers can be ordered", expected)
    })
}

/// Reads a value without quotes, and sees to it that it ends where it seems to.
fn read_bare<'p>(scanner: &mut Scanner<'p>) -> Result<&'p str, CompileError> {
    let start = scanner.position();
    let bare = scanner.take_while(is_bare);
    let ends = |character: char| {
        crate::scanner::is_white_space(character)
            || matches!(character, ')' | '}' | ']' | ',' | '&' | '|')
    };
    if !bare.is_empty() && scanner.peek().is_none_or(ends) {
        return Ok(bare);
    }
    let span = start..scanner.word_span().end;
    let expected = "a value: a word, a number, \"...\" or %...%";
    Err(match scanner.peek() {
        None => scanner.fault(start..start, "the value is missing", expected),
        Some(character) if bare.is_empty() && ends(character) => {
            scanner.fault(span, "the value is missing", expected)
        }
        Some('\'') if bare.is_empty() => {
            let inside = single_quoted(scanner.rest());
            let span = start..start + inside.len() + 2;
            scanner
                .fault(
                    span,
                    "single quotes do not quote",
                    "a value in double quotes",
                )
                .with_help(format!("write {}", quote(inside)))
        }
        Some('$') if bare.is_empty() => scanner
            .fault(span, "a selector on the right", expected)
            .with_help(
                "a test compares a selector with a fixed value; two fields cannot be compared",
            ),
        Some('=' | '<' | '>' | '!' | '~') if bare.is_empty() => {
            scanner.fault(span, "an operator behind an operator", expected)
        }
        Some(character) => {
            let word = scanner.text(span.clone());
            let message = format!("a value with `{}` needs quotes", character.escape_debug());
            let expected = "letters, digits, `_ . - + *` or a value in double quotes";
            let help = format!("write {}", quote(word));
            let fault = scanner.fault(span.clone(), message, expected);
            match word.contains('"') {
                true => fault,
                false => fault.with_help(help),
            }
        }
    })
}

/// What stands between a single quote and the next one, or the end of the word.
fn single_quoted(rest: &str) -> &str {
    let inside = rest.trim_start_matches('\'');
    match inside.split_once('\'') {
        Some((inside, _)) => inside,
        None => inside
            .split(crate::scanner::is_white_space)
            .next()
            .unwrap_or_default(),
    }
}

impl Order {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|ordering| match self {
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        })
    }

    fn sign(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Ordered(Order),
}

/// How the operators are told in messages.
pub(crate) const OPERATORS: &str = "one of: = != < <= > >=";

impl Operator {
    /// Reads an operator made of signs; `None` if none of their characters stands here.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Result<Option<Self>, CompileError> {
        let start = scanner.position();
        let signs = scanner.take_while(|character| "=!<>~".contains(character));
        let operator = match signs {
            "" => return Ok(None),
            "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Ordered(Order::Less),
            "<=" => Operator::Ordered(Order::LessOrEqual),
            ">" => Operator::Ordered(Order::Greater),
            ">=" => Operator::Ordered(Order::GreaterOrEqual),
            _ => {
                let span = scanner.span_from(start);
                let message = format!("unknown operator `{signs}`");
                let fault = scanner.fault(span, message, OPERATORS);
                return Err(match help_for_operator(signs) {
                    Some(help) => fault.with_help(help),
                    None => fault,
                });
            }
        };
        Ok(Some(operator))
    }

    /// Reads what stands behind the operator, into a condition.
    pub(crate) fn condition(self, scanner: &mut Scanner<'_>) -> Result<Condition, CompileError> {
        Ok(match self {
            Operator::Equal => Condition::Equal(Operand::read(scanner)?),
            Operator::NotEqual => Condition::NotEqual(Operand::read(scanner)?),
            Operator::Ordered(order) => Condition::Ordered(order, read_number(scanner)?),
        })
    }
}

fn help_for_operator(signs: &str) -> Option<&'static str> {
    Some(match signs {
        "==" | "===" => "equality is written with one `=`",
        "~=" | "=~" | "~" => "`=` takes wildcards (\"Stop*\") and regular expressions (%^Stop%)",
        "!~" | "!==" | "<>" | "=!" | "!" => "inequality is written `!=`",
        "=>" => "greater or equal is written `>=`",
        "=<" => "less or equal is written `<=`",
        _ => return None,
    })
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, " ")
    }
}

impl Condition {
    /// The condition behind its selector or name; `gap` stands where white space may but need not.
    pub(crate) fn write(&self, out: &mut impl fmt::Write, gap: &str) -> fmt::Result {
        match self {
            Condition::Equal(operand) => write!(out, "{gap}={gap}{operand}"),
            Condition::NotEqual(operand) => write!(out, "{gap}!={gap}{operand}"),
            Condition::Ordered(order, literal) => {
                write!(out, "{gap}{}{gap}{}", order.sign(), literal.text())
            }
            Condition::IsNull => out.write_str(" IS NULL"),
            Condition::Is(true) => out.write_str(" IS TRUE"),
            Condition::Is(false) => out.write_str(" IS FALSE"),
            Condition::NotExists => out.write_str(" NOT EXISTS"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Text(glob) => formatter.write_str(&written(glob.text())),
            Operand::Number(literal) => formatter.write_str(literal.text()),
            Operand::Expression(expression) => write!(formatter, "%{}%", expression.text()),
        }
    }
}

/// Without quotes where that means the same.
fn written(text: &str) -> String {
    let is_word = !text.is_empty() && text.chars().all(is_bare);
    match is_word && NumberLiteral::parse(text).is_none() {
        true => text.to_owned(),
        false => quote(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns of the table in section 3.3, but for a missing value.
    fn columns() -> [(&'static str, Selected<'static>); 8] {
        [
            ("null", Selected::Null),
            ("true", Selected::Bool(true)),
            ("false", Selected::Bool(false)),
            ("12", Selected::Number("12")),
            ("12.0", Selected::Number("12.0")),
            ("text 12", Selected::Text(Cow::Borrowed("12"))),
            ("text true", Selected::Text(Cow::Borrowed("true"))),
            ("container", Selected::Container),
        ]
    }

    fn condition(text: &str) -> Condition {
        let mut scanner = Scanner::whole(text);
        let operator = Operator::read(&mut scanner).expect(text).expect(text);
        operator.condition(&mut scanner).expect(text)
    }

    #[test]
    fn conditions_hold_as_the_table_says() {
        let table: [(Condition, &[&str]); 14] = [
            (condition(r#"="12""#), &["12", "text 12"]),
            (condition(r#"="12.0""#), &["12.0"]),
            (condition("=12"), &["12", "12.0", "text 12"]),
            (condition("=12.0"), &["12", "12.0"]),
            (condition("=1*"), &["12", "12.0", "text 12"]),
            (condition("=*"), &["12", "12.0", "text 12", "text true"]),
            (condition("=true"), &["text true"]),
            (condition("!=true"), &["12", "12.0", "text 12"]),
            (condition("!=12"), &["text true"]),
            (condition(r#"!="12""#), &["12.0", "text true"]),
            (condition("!=*"), &[]),
            (condition("=%2$%"), &["12", "text 12"]),
            (condition("!=%2$%"), &["12.0", "text true"]),
            (condition(">=12"), &["12", "12.0"]),
        ];
        let words: [(Condition, &[&str]); 4] = [
            (Condition::IsNull, &["null"]),
            (Condition::Is(true), &["true"]),
            (Condition::Is(false), &["false"]),
            (Condition::NotExists, &[]),
        ];
        for (condition, expected) in table.into_iter().chain(words) {
            let holds: Vec<_> = columns()
                .into_iter()
                .filter(|(_, selected)| condition.holds_for(selected))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(holds, expected, "{condition}");
        }
    }

    #[test]
    fn a_token_is_ordered_if_it_is_a_number() {
        assert!(condition(">1e3").holds_for_token("1534"));
        assert!(!condition(">1e3").holds_for_token("many"));
        assert!(condition("=404").holds_for_token("404"));
        assert!(!condition("=404").holds_for_token("404.0"));
    }

    #[test]
    fn quotes_are_left_out_where_that_means_the_same() {
        for (text, shown) in [
            (r#"="abc""#, " = abc"),
            (r#"="12""#, r#" = "12""#),
            (r#"="a b""#, r#" = "a b""#),
            (r#"!="""#, r#" != """#),
            ("=+1.e3", " = +1.e3"),
        ] {
            assert_eq!(condition(text).to_string(), shown);
        }
    }
}
