//! Random JSON patterns over random events, against a second evaluator.
//!
//! The second one is naive on purpose: a recursive tree of its own, over `serde_json` values, written
//! from the rules (`docs/filter-patterns.md`, sections 3 and 4) and not from the crate.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use filter_pattern::{Pattern, PatternSet, compile};
use proptest::prelude::*;
use raw_json::{Index, Object};
use serde_json::Value;

/// A formula as one would draw it.
#[derive(Debug, Clone)]
enum Formula {
    Test(Vec<Hop>, Question),
    And(Vec<Formula>),
    Or(Vec<Formula>),
}

#[derive(Debug, Clone)]
enum Hop {
    Key(&'static str),
    Index(usize),
    EveryKey,
    EveryIndex,
}

#[derive(Debug, Clone)]
enum Question {
    Equal(Right),
    Unequal(Right),
    Order(&'static str, &'static str),
    Word(&'static str),
}

#[derive(Debug, Clone)]
enum Right {
    Quoted(&'static str),
    Bare(&'static str),
    Regex(&'static str),
}

mod naive {
    use super::*;

    pub(crate) fn holds(formula: &Formula, event: &Value) -> bool {
        match formula {
            Formula::And(parts) => parts.iter().all(|part| holds(part, event)),
            Formula::Or(parts) => parts.iter().any(|part| holds(part, event)),
            Formula::Test(hops, question) => {
                let mut found = Vec::new();
                follow(hops, event, &mut found);
                match question {
                    Question::Word("NOT EXISTS") => found.is_empty(),
                    _ => found.into_iter().any(|value| answers(question, value)),
                }
            }
        }
    }

    fn follow<'v>(hops: &[Hop], value: &'v Value, found: &mut Vec<&'v Value>) {
        let Some((hop, rest)) = hops.split_first() else {
            found.push(value);
            return;
        };
        match (hop, value) {
            (Hop::Key(key), Value::Object(members)) => {
                if let Some(member) = members.get(*key) {
                    follow(rest, member, found);
                }
            }
            (Hop::Index(index), Value::Array(elements)) => {
                if let Some(element) = elements.get(*index) {
                    follow(rest, element, found);
                }
            }
            (Hop::EveryKey, Value::Object(members)) => {
                members
                    .values()
                    .for_each(|member| follow(rest, member, found));
            }
            (Hop::EveryIndex, Value::Array(elements)) => {
                elements
                    .iter()
                    .for_each(|element| follow(rest, element, found));
            }
            _ => {}
        }
    }

    fn answers(question: &Question, value: &Value) -> bool {
        match question {
            Question::Equal(right) => is_value_node(value) && equal(right, value),
            Question::Unequal(right) => is_value_node(value) && !equal(right, value),
            Question::Order(sign, number) => {
                let Value::Number(left) = value else {
                    return false;
                };
                let left = left.as_f64().expect("small numbers");
                let right: f64 = number.parse().expect("a number");
                match *sign {
                    "<" => left < right,
                    "<=" => left <= right,
                    ">" => left > right,
                    _ => left >= right,
                }
            }
            Question::Word("IS NULL") => value.is_null(),
            Question::Word("IS TRUE") => *value == Value::Bool(true),
            Question::Word(_) => *value == Value::Bool(false),
        }
    }

    fn is_value_node(value: &Value) -> bool {
        value.is_string() || value.is_number()
    }

    fn equal(right: &Right, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        match right {
            Right::Quoted(quoted) => glob(quoted.as_bytes(), text.as_bytes()),
            Right::Regex(regex) => regex::Regex::new(regex).expect("a regex").is_match(&text),
            Right::Bare(bare) => match (bare.parse::<f64>(), value) {
                (Ok(right), Value::Number(left)) => left.as_f64() == Some(right),
                (Ok(_), _) => *bare == text,
                (Err(_), _) => glob(bare.as_bytes(), text.as_bytes()),
            },
        }
    }

    /// Tries every length for every star.
    fn glob(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
            Some((first, rest)) => text.first() == Some(first) && glob(rest, &text[1..]),
        }
    }
}

/// An event as it is written: members may come twice, names may be escaped.
#[derive(Debug, Clone)]
enum Written {
    Scalar(&'static str),
    Array(Vec<Written>),
    Object(Vec<(&'static str, Written)>),
}

fn write_event(written: &Written, gap: &str, text: &mut String) {
    match written {
        Written::Scalar(scalar) => text.push_str(scalar),
        Written::Array(elements) => {
            text.push('[');
            for (place, element) in elements.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { gap });
                write_event(element, gap, text);
            }
            text.push(']');
        }
        Written::Object(members) => {
            text.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { gap });
                text.push_str(name);
                text.push_str(gap);
                text.push(':');
                write_event(value, gap, text);
            }
            text.push_str(gap);
            text.push('}');
        }
    }
}

fn write_formula(formula: &Formula, text: &mut String) {
    let (parts, sign) = match formula {
        Formula::Test(hops, question) => {
            text.push('$');
            hops.iter().for_each(|hop| write_hop(hop, text));
            return write_question(question, text);
        }
        Formula::And(parts) => (parts, " && "),
        Formula::Or(parts) => (parts, " || "),
    };
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            text.push_str(sign);
        }
        text.push('(');
        write_formula(part, text);
        text.push(')');
    }
}

fn write_hop(hop: &Hop, text: &mut String) {
    match hop {
        Hop::Key(key) if key.contains('.') => text.push_str(&format!("['{key}']")),
        Hop::Key(key) => text.push_str(&format!(".{key}")),
        Hop::Index(index) => text.push_str(&format!("[{index}]")),
        Hop::EveryKey => text.push_str(".*"),
        Hop::EveryIndex => text.push_str("[*]"),
    }
}

fn write_question(question: &Question, text: &mut String) {
    let (sign, right) = match question {
        Question::Equal(right) => ("=", right),
        Question::Unequal(right) => ("!=", right),
        Question::Order(sign, number) => return text.push_str(&format!("{sign}{number}")),
        Question::Word(word) => return text.push_str(&format!(" {word}")),
    };
    text.push_str(&match right {
        Right::Quoted(quoted) => format!(" {sign} \"{quoted}\""),
        Right::Bare(bare) => format!("{sign}{bare}"),
        Right::Regex(regex) => format!("{sign}%{regex}%"),
    });
}

fn hops() -> impl Strategy<Value = Vec<Hop>> {
    let key = prop::sample::select(vec!["a", "b", "c", "x.y"]).prop_map(Hop::Key);
    let plain = prop_oneof![4 => key.clone(), 2 => (0..3usize).prop_map(Hop::Index)];
    let wild = prop_oneof![Just(Hop::EveryKey), Just(Hop::EveryIndex)];
    let behind = prop::collection::vec(plain.clone(), 0..3);
    let simple = (key.clone(), behind.clone()).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    });
    let with_wild = (simple.clone(), wild, behind.clone()).prop_map(|(mut hops, wild, rest)| {
        hops.push(wild);
        hops.extend(rest);
        hops
    });
    let from_any = behind.prop_map(|mut rest| {
        rest.insert(0, Hop::EveryKey);
        rest
    });
    prop_oneof![6 => simple, 2 => with_wild, 1 => from_any]
}

fn question() -> impl Strategy<Value = Question> {
    let quoted = [
        "", "x", "X", "12", "12.0", "x*", "*x", "*", "a*b*", "true", "null", "12*", "-1",
    ];
    let bare = [
        "x", "12", "12.0", "1.2e1", "+12", "*", "1*", "true", "NULL", "-1", "0", "-0", "a*b",
    ];
    let regex = ["^x", "x$", "1|b", "^[0-9.]+$", "a.b", "^$"];
    let right = || {
        prop_oneof![
            prop::sample::select(quoted.to_vec()).prop_map(Right::Quoted),
            prop::sample::select(bare.to_vec()).prop_map(Right::Bare),
            prop::sample::select(regex.to_vec()).prop_map(Right::Regex),
        ]
    };
    let signs = prop::sample::select(vec!["<", "<=", ">", ">="]);
    let numbers = prop::sample::select(vec!["0", "12", "12.5", "-1", "1.2e1", "+.5"]);
    let words = prop::sample::select(vec!["IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS"]);
    prop_oneof![
        4 => right().prop_map(Question::Equal),
        3 => right().prop_map(Question::Unequal),
        2 => (signs, numbers).prop_map(|(sign, number)| Question::Order(sign, number)),
        3 => words.prop_map(Question::Word),
    ]
}

fn formula() -> impl Strategy<Value = Formula> {
    let test = (hops(), question()).prop_map(|(hops, question)| Formula::Test(hops, question));
    test.prop_recursive(3, 8, 3, |inner| {
        let parts = prop::collection::vec(inner, 2..4);
        prop_oneof![
            parts.clone().prop_map(Formula::And),
            parts.prop_map(Formula::Or),
        ]
    })
}

fn event() -> impl Strategy<Value = (Vec<(&'static str, Written)>, &'static str)> {
    let scalars = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "12",
        "12.0",
        "12.5",
        "13",
        r#""""#,
        r#""x""#,
        r#""X""#,
        r#""12""#,
        r#""12.0""#,
        r#""true""#,
        r#""null""#,
        r#""a-b-""#,
        r#""a\nb""#,
        r#""\u0078""#,
        r#""1.2e1""#,
        r#""x12""#,
    ];
    let names = [
        r#""a""#,
        r#""b""#,
        r#""c""#,
        r#""x.y""#,
        r#""\u0061""#,
        r#""d""#,
    ];
    let scalar = prop::sample::select(scalars.to_vec()).prop_map(Written::Scalar);
    let name = prop::sample::select(names.to_vec());
    let value = scalar.prop_recursive(3, 24, 4, {
        let name = name.clone();
        move |inner| {
            let member = (name.clone(), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Written::Array),
                prop::collection::vec(member, 0..5).prop_map(Written::Object),
            ]
        }
    });
    let gap = prop::sample::select(vec!["", " ", "\n\t"]);
    (prop::collection::vec((name, value), 0..6), gap)
}

/// The quotas of the language are not the matter here: patterns beyond them are left out.
fn compiled(formula: &Formula) -> Option<Pattern> {
    let mut text = String::from("{");
    write_formula(formula, &mut text);
    text.push('}');
    match compile(&text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let message = error.message();
            assert!(
                message.starts_with("too many") || message.ends_with("too long"),
                "{text}: {error}"
            );
            None
        }
    }
}

fn event_text((members, gap): &(Vec<(&'static str, Written)>, &'static str)) -> String {
    let mut text = String::new();
    write_event(&Written::Object(members.clone()), gap, &mut text);
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_pattern_matches_what_the_naive_evaluator_matches(formula in formula(), event in event()) {
        let Some(pattern) = compiled(&formula) else {
            return Ok(());
        };
        let text = event_text(&event);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let expected = naive::holds(&formula, &value);
        let record = Object::parse(text.as_bytes()).expect("an object");
        prop_assert_eq!(pattern.matches(text.as_bytes()), expected, "{} {}", pattern, text);
        prop_assert_eq!(pattern.matches_record(record), expected);
        let explanation = pattern.explain(text.as_bytes());
        prop_assert_eq!(explanation.matches(), expected, "{}", explanation);
        let printed = compile(&pattern.to_string());
        prop_assert_eq!(printed.as_ref(), Ok(&pattern));
    }

    #[test]
    fn many_patterns_match_what_each_matches(
        formulas in prop::collection::vec(formula(), 1..12),
        events in prop::collection::vec(event(), 1..4),
    ) {
        let formulas: Vec<_> = formulas
            .iter()
            .filter_map(|formula| Some((formula, compiled(formula)?)))
            .collect();
        let set = PatternSet::new(formulas.iter().map(|(_, pattern)| pattern));
        let mut scratch = set.scratch();
        for event in &events {
            let text = event_text(event);
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let expected: Vec<usize> = formulas
                .iter()
                .enumerate()
                .filter(|(_, (formula, _))| naive::holds(formula, &value))
                .map(|(index, _)| index)
                .collect();
            let record = Object::parse(text.as_bytes()).expect("an object");
            prop_assert_eq!(set.matches(record, &mut scratch), expected.as_slice(), "{}", text);
            // As ordinary records are read, if it is one.
            let mut index = Index::default();
            if let Some(indexed) = index.fill(text.as_bytes()).next() {
                let record = indexed.value().as_object().expect("an object");
                prop_assert_eq!(set.matches(record, &mut scratch), expected, "{}", text);
            }
        }
    }
}
