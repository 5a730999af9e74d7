//! Metric filter patterns of every kind, made from a seed, and what they mean.
//!
//! ```
//! use serde_json::json;
//! use testkit::patterns::{Material, patterns};
//!
//! let records = [json!({ "eventName": "StopLogging", "readOnly": false })];
//! let material = Material::new(records.iter().cloned());
//! let made = patterns(7, 100, &material, 1.0);
//! assert!(made[0].text.starts_with('{'));
//! assert!(made.iter().any(|pattern| pattern.matches(&records[0])));
//! ```
//!
//! Seven in ten patterns have an equality that decides alone or with further tests, and up to a hundred
//! have the same; two in ten have a wildcard in its place; the rest are numbers, null, missing members,
//! regular expressions and alternatives. Values come from real records or never occur.
//!
//! [`Pattern::matches`] evaluates the tree of a pattern over `serde_json` values. It is naive on purpose
//! and written from the rules (`docs/filter-patterns.md`, sections 3 to 5), so that other evaluations can
//! be held against it. It knows numbers as `serde_json` prints them: a record with `1e3` or with more
//! digits than a double has is not for it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use serde_json::{Number, Value};

/// A pattern and what it means.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it stands in a filters file.
    pub text: String,
    /// What it asks.
    pub condition: Condition,
}

impl Pattern {
    /// Does a record match?
    pub fn matches(&self, record: &Value) -> bool {
        self.condition.holds(record)
    }
}

/// Tests and how they are joined.
#[derive(Debug, Clone)]
pub enum Condition {
    /// One test.
    Test(Selector, Test),
    /// Joined by `&&`.
    All(Vec<Condition>),
    /// Joined by `||`.
    Any(Vec<Condition>),
}

/// What is asked of the values that are selected.
#[derive(Debug, Clone)]
pub enum Test {
    /// `=`
    Equals(Literal),
    /// `!=`
    Differs(Literal),
    /// `<`, `<=`, `>` or `>=`, and a number.
    Orders(&'static str, String),
    /// `IS NULL`
    IsNull,
    /// `IS TRUE`, `IS FALSE`
    Is(bool),
    /// `NOT EXISTS`
    NotExists,
}

/// What stands behind `=` and `!=`.
#[derive(Debug, Clone)]
pub enum Literal {
    /// A text; `*` is any run of characters.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// `%...%`
    Regex(Regex),
}

/// A regular expression of what the generator uses of the language: alternatives without groups.
#[derive(Debug, Clone)]
pub struct Regex {
    branches: Vec<Branch>,
}

#[derive(Debug, Clone)]
struct Branch {
    from_start: bool,
    to_end: bool,
    pieces: Vec<Piece>,
}

/// One set of characters and how often it may stand.
#[derive(Debug, Clone)]
struct Piece {
    set: Set,
    least: usize,
    most: usize,
}

#[derive(Debug, Clone)]
enum Set {
    One(char),
    Digit,
    NotDigit,
    Word,
    Range(char, char),
    Any,
}

/// Where a test looks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Member(String),
    Element(usize),
    EveryElement,
    EveryMember,
}

// ---- what it means -----------------------------------------------------------------------------

impl Condition {
    fn holds(&self, record: &Value) -> bool {
        match self {
            Condition::All(parts) => parts.iter().all(|part| part.holds(record)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(record)),
            Condition::Test(selector, test) => {
                let selected = selector.select(record);
                match test {
                    Test::NotExists => selected.is_empty(),
                    _ => selected.into_iter().any(|value| test.holds_for(value)),
                }
            }
        }
    }
}

impl Test {
    fn holds_for(&self, value: &Value) -> bool {
        match (self, value) {
            (Test::Equals(literal), Value::String(_) | Value::Number(_)) => literal.equals(value),
            (Test::Differs(literal), Value::String(_) | Value::Number(_)) => !literal.equals(value),
            (Test::Orders(operator, limit), Value::Number(number)) => {
                let order = compare(number, limit);
                match *operator {
                    "<" => order == Ordering::Less,
                    "<=" => order != Ordering::Greater,
                    ">" => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }
            }
            (Test::IsNull, Value::Null) => true,
            (Test::Is(expected), Value::Bool(value)) => value == expected,
            _ => false,
        }
    }
}

impl Literal {
    /// `value` is a string or a number.
    fn equals(&self, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        match (self, value) {
            (Literal::Text(pattern), _) => glob(pattern.as_bytes(), text.as_bytes()),
            (Literal::Number(literal), Value::Number(number)) => {
                compare(number, literal) == Ordering::Equal
            }
            (Literal::Number(literal), _) => text == *literal,
            (Literal::Regex(regex), _) => regex.is_found_in(&text),
        }
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        [first, rest @ ..] => text.first() == Some(first) && glob(rest, &text[1..]),
    }
}

/// Exact for literals that a double holds exactly, which all that are made here do.
fn compare(number: &Number, literal: &str) -> Ordering {
    let limit: f64 = literal.parse().unwrap();
    let whole = number
        .as_i64()
        .map(i128::from)
        .or(number.as_u64().map(i128::from));
    match whole {
        Some(whole) if limit.fract() == 0.0 => whole.cmp(&(limit as i128)),
        _ => number.as_f64().unwrap().partial_cmp(&limit).unwrap(),
    }
}

impl Selector {
    fn select<'v>(&self, record: &'v Value) -> Vec<&'v Value> {
        let mut selected = vec![record];
        for step in &self.0 {
            selected = selected
                .into_iter()
                .flat_map(|value| step.selected_in(value))
                .collect();
        }
        selected
    }
}

impl Step {
    fn selected_in<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Step::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Step::Element(index), Value::Array(elements)) => {
                elements.get(*index).into_iter().collect()
            }
            (Step::EveryElement, Value::Array(elements)) => elements.iter().collect(),
            (Step::EveryMember, Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }
}

impl Regex {
    fn is_found_in(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.branches.iter().any(|branch| {
            let last_start = if branch.from_start { 0 } else { text.len() };
            (0..=last_start).any(|start| branch.matches(&branch.pieces, &text[start..]))
        })
    }
}

impl Branch {
    fn matches(&self, pieces: &[Piece], text: &[char]) -> bool {
        let [first, rest @ ..] = pieces else {
            return !self.to_end || text.is_empty();
        };
        let fitting = text
            .iter()
            .take_while(|character| first.set.has(**character));
        let most = fitting.count().min(first.most);
        (first.least..=most).any(|taken| self.matches(rest, &text[taken..]))
    }
}

impl Set {
    fn has(&self, character: char) -> bool {
        match self {
            Set::One(one) => character == *one,
            Set::Digit => character.is_ascii_digit(),
            Set::NotDigit => !character.is_ascii_digit(),
            Set::Word => character.is_ascii_alphanumeric() || character == '_',
            Set::Range(first, last) => (*first..=*last).contains(&character),
            Set::Any => character != '\n',
        }
    }
}

// ---- how it is written -------------------------------------------------------------------------

/// Ways to write the same.
#[derive(Debug, Clone, Copy)]
struct Hand {
    spacious: bool,
    /// Parentheses where none are needed.
    parentheses: bool,
    quotes: bool,
    lower_case: bool,
}

impl Condition {
    fn text(&self, hand: Hand) -> String {
        let mut text = String::new();
        self.write(&mut text, hand, false);
        match hand.spacious {
            true => format!("{{ {text} }}"),
            false => format!("{{{text}}}"),
        }
    }

    fn write(&self, out: &mut String, hand: Hand, inside: bool) {
        let (parts, junction) = match self {
            Condition::Test(selector, test) => {
                let parentheses = inside && hand.parentheses;
                let (open, close) = if parentheses { ("(", ")") } else { ("", "") };
                write!(out, "{open}{selector}{}{close}", test.text(hand)).unwrap();
                return;
            }
            Condition::All(parts) => (parts, "&&"),
            Condition::Any(parts) => (parts, "||"),
        };
        // Within `&&` an `||` needs parentheses; the other way round they are a habit.
        let needs = inside && (junction == "||" || hand.parentheses);
        out.push_str(if needs { "(" } else { "" });
        for (n, part) in parts.iter().enumerate() {
            match (n, hand.spacious) {
                (0, _) => {}
                (_, true) => write!(out, " {junction} ").unwrap(),
                (_, false) => out.push_str(junction),
            }
            part.write(out, hand, true);
        }
        out.push_str(if needs { ")" } else { "" });
    }

    fn tests(&self) -> Vec<(&Selector, &Test)> {
        match self {
            Condition::Test(selector, test) => vec![(selector, test)],
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().flat_map(Condition::tests).collect()
            }
        }
    }

    /// More than a pattern may have of something.
    fn is_over_quota(&self) -> bool {
        let tests = self.tests();
        let wildcards = tests
            .iter()
            .filter(|(selector, _)| selector.wildcards() > 0);
        let regexes = tests.iter().filter(|(_, test)| {
            matches!(
                test,
                Test::Equals(Literal::Regex(_)) | Test::Differs(Literal::Regex(_))
            )
        });
        wildcards.count() > 3 || regexes.count() > 2
    }
}

impl Test {
    fn text(&self, hand: Hand) -> String {
        let gap = if hand.spacious { " " } else { "" };
        let words = |words: &str| match hand.lower_case {
            true => format!(" {}", words.to_ascii_lowercase()),
            false => format!(" {words}"),
        };
        match self {
            Test::Equals(literal) => format!("{gap}={gap}{}", literal.text(hand)),
            Test::Differs(literal) => format!("{gap}!={gap}{}", literal.text(hand)),
            Test::Orders(operator, number) => format!("{gap}{operator}{gap}{number}"),
            Test::IsNull => words("IS NULL"),
            Test::Is(true) => words("IS TRUE"),
            Test::Is(false) => words("IS FALSE"),
            Test::NotExists => words("NOT EXISTS"),
        }
    }
}

impl Literal {
    fn text(&self, hand: Hand) -> String {
        let is_bare = |text: &str| {
            let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+*".contains(&byte);
            !text.is_empty() && text.bytes().all(bare) && !may_be_number(text)
        };
        match self {
            Literal::Text(text) if !hand.quotes && is_bare(text) => text.clone(),
            Literal::Text(text) => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Literal::Number(number) => number.clone(),
            Literal::Regex(regex) => format!("%{regex}%"),
        }
    }
}

/// Without quotes it could be read as a number; what is neither is quoted, too.
fn may_be_number(text: &str) -> bool {
    text.trim_start_matches(['+', '-', '.'])
        .starts_with(|first: char| first.is_ascii_digit())
        && text.parse::<f64>().is_ok()
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('$')?;
        for step in &self.0 {
            match step {
                Step::Member(name) if is_name(name) => write!(f, ".{name}")?,
                Step::Member(name) if name.contains('\'') => write!(f, "[\"{name}\"]")?,
                Step::Member(name) => write!(f, ".['{name}']")?,
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::EveryElement => f.write_str("[*]")?,
                Step::EveryMember => f.write_str(".*")?,
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let in_names = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.bytes().all(in_names)
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, branch) in self.branches.iter().enumerate() {
            f.write_str(if n > 0 { "|" } else { "" })?;
            f.write_str(if branch.from_start { "^" } else { "" })?;
            for piece in &branch.pieces {
                match piece.set {
                    Set::One(one) if "^$?[]{}|\\*+.".contains(one) => write!(f, "\\{one}")?,
                    Set::One(one) => f.write_char(one)?,
                    Set::Digit => f.write_str("\\d")?,
                    Set::NotDigit => f.write_str("\\D")?,
                    Set::Word => f.write_str("\\w")?,
                    Set::Range(first, last) => write!(f, "[{first}-{last}]")?,
                    Set::Any => f.write_char('.')?,
                }
                match (piece.least, piece.most) {
                    (1, 1) => {}
                    (0, 1) => f.write_char('?')?,
                    (0, usize::MAX) => f.write_char('*')?,
                    (1, usize::MAX) => f.write_char('+')?,
                    (least, usize::MAX) => write!(f, "{{{least},}}")?,
                    (least, most) if least == most => write!(f, "{{{least}}}")?,
                    (least, most) => write!(f, "{{{least},{most}}}")?,
                }
            }
            f.write_str(if branch.to_end { "$" } else { "" })?;
        }
        Ok(())
    }
}

// ---- what patterns are made of -----------------------------------------------------------------

/// Members of real records and their values.
#[derive(Debug, Clone, Default)]
pub struct Material {
    fields: Vec<(Selector, Values)>,
    /// By which the match rate of a pattern is judged.
    records: Vec<Value>,
}

#[derive(Debug, Clone, Default)]
struct Values {
    texts: BTreeSet<String>,
    numbers: BTreeSet<String>,
    has_null: bool,
    has_boolean: bool,
}

const MOST_FIELDS: usize = 500;
const MOST_VALUES: usize = 400;
const MOST_DEPTH: usize = 6;
const JUDGING_RECORDS: usize = 500;

impl Material {
    /// Takes what patterns can ask for from some thousand records; a sample of them is kept.
    pub fn new(records: impl Iterator<Item = Value>) -> Self {
        let mut fields = BTreeMap::new();
        let mut random = Random::new(0);
        let mut kept = Vec::new();
        for (n, record) in records.enumerate() {
            collect(&record, &mut Vec::new(), &mut fields);
            // Each record is as likely to be among those that are kept in the end.
            match random.below(n + 1) {
                _ if n < JUDGING_RECORDS => kept.push(record),
                place if place < JUDGING_RECORDS => kept[place] = record,
                _ => {}
            }
        }
        let selector = |(path, values)| (Selector(path), values);
        Material {
            fields: fields.into_iter().map(selector).collect(),
            records: kept,
        }
    }

    /// The share of the kept records that match.
    fn share(&self, condition: &Condition) -> f64 {
        let matching = self.records.iter().filter(|record| condition.holds(record));
        matching.count() as f64 / self.records.len().max(1) as f64
    }

    fn values(&self, selector: &Selector) -> Option<&Values> {
        let found = self
            .fields
            .binary_search_by(|(known, _)| known.cmp(selector));
        found.ok().map(|index| &self.fields[index].1)
    }
}

fn collect(value: &Value, path: &mut Vec<Step>, fields: &mut BTreeMap<Vec<Step>, Values>) {
    if path.len() > MOST_DEPTH {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name.is_empty() || name.contains(['\'', '"']) || name.len() > 60 {
                    continue;
                }
                path.push(Step::Member(name.clone()));
                collect(member, path, fields);
                path.pop();
            }
        }
        Value::Array(elements) => {
            // One wildcard is the most a selector may have.
            let step = match path.contains(&Step::EveryElement) {
                true => Step::Element(0),
                false => Step::EveryElement,
            };
            path.push(step);
            for element in elements.iter().take(4) {
                collect(element, path, fields);
            }
            path.pop();
        }
        _ => {
            if !fields.contains_key(path) {
                if fields.len() >= MOST_FIELDS {
                    return;
                }
                fields.insert(path.clone(), Values::default());
            }
            let Some(values) = fields.get_mut(path) else {
                return;
            };
            match value {
                Value::String(text) if values.texts.len() < MOST_VALUES && is_usable(text) => {
                    values.texts.insert(text.clone());
                }
                Value::Number(number) if values.numbers.len() < MOST_VALUES => {
                    values.numbers.insert(number.to_string());
                }
                Value::Null => values.has_null = true,
                Value::Bool(_) => values.has_boolean = true,
                _ => {}
            }
        }
    }
}

/// Short enough for a pattern, and with few enough wildcards for [`glob`].
fn is_usable(text: &str) -> bool {
    text.len() <= 150
        && !text.chars().any(char::is_control)
        && text.bytes().filter(|byte| *byte == b'*').count() <= 1
}

/// A small generator of our own (splitmix64): the same numbers for the same seed, everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.draw() % limit.max(1) as u64) as usize
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, times: usize) -> bool {
        self.below(1000) < times
    }

    /// One of them.
    pub fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }
}

// ---- how they are made -------------------------------------------------------------------------

/// Makes patterns of mixed kind. Hardly any matches more than `most_share` of the material's records;
/// 1.0 lets all be as they come.
pub fn patterns(seed: u64, count: usize, material: &Material, most_share: f64) -> Vec<Pattern> {
    let mut maker = Maker {
        random: Random::new(seed),
        material,
        most_share,
        made: Vec::new(),
        subject: None,
    };
    let (mut anchored, mut wildcards) = (0, 0);
    while maker.made.len() < count {
        let made = maker.made.len();
        maker.choose_subject();
        if anchored * 10 <= made * 7 {
            let most = maker.size_of_group().min(count - made).min(1 + count / 4);
            anchored += most;
            maker.group(most);
        } else if wildcards * 10 <= made * 2 {
            wildcards += 1;
            maker.keep(Maker::wildcard);
        } else {
            maker.keep(Maker::other);
        }
    }
    maker.made
}

struct Maker<'m> {
    random: Random,
    material: &'m Material,
    most_share: f64,
    made: Vec<Pattern>,
    /// A record that the next patterns are about: they ask for its values.
    subject: Option<&'m Value>,
}

/// Where an equality is most likely to stand, and how likely.
const ANCHORS: [(&str, usize); 14] = [
    ("eventName", 35),
    ("userIdentity.arn", 10),
    ("eventSource", 8),
    ("sourceIPAddress", 8),
    ("errorCode", 6),
    ("userAgent", 6),
    ("requestParameters.bucketName", 6),
    ("userIdentity.type", 4),
    ("userIdentity.sessionContext.sessionIssuer.userName", 4),
    ("userIdentity.userName", 3),
    ("requestParameters.roleName", 3),
    ("awsRegion", 3),
    ("recipientAccountId", 2),
    ("userIdentity.accountId", 2),
];
/// Members that records often lack.
const OPTIONAL: [&str; 6] = [
    "errorCode",
    "userIdentity.invokedBy",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "vpcEndpointId",
    "requestParameters.policyDocument",
    "additionalEventData",
];
const VERBS: [&str; 16] = [
    "Create",
    "Delete",
    "Put",
    "Update",
    "Attach",
    "Detach",
    "Describe",
    "List",
    "Get",
    "Modify",
    "Start",
    "Stop",
    "Enable",
    "Disable",
    "Authorize",
    "Revoke",
];
const NOUNS: [&str; 24] = [
    "Policy",
    "Role",
    "Bucket",
    "Trail",
    "Key",
    "Grant",
    "User",
    "Group",
    "Vpc",
    "Subnet",
    "Cluster",
    "Function",
    "Table",
    "Queue",
    "Topic",
    "Secret",
    "Domain",
    "Gateway",
    "Snapshot",
    "Volume",
    "Image",
    "Parameter",
    "Alarm",
    "Session",
];
const REGIONS: [&str; 6] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-northeast-1",
    "sa-east-1",
];
/// Written in the ways a number can be written; all of them exact as doubles.
const NUMBERS: [&str; 12] = [
    "0", "1", "2", "-1", "12.0", "0.5", "100", "1e3", "443", "+7", "1024", "1.5E1",
];

impl Maker<'_> {
    /// Most values are asked for once, some by many filters.
    fn size_of_group(&mut self) -> usize {
        match self.random.below(100) {
            0..60 => 1,
            60..85 => 2 + self.random.below(4),
            85..97 => 6 + self.random.below(15),
            _ => 21 + self.random.below(80),
        }
    }

    fn choose_subject(&mut self) {
        let records = &self.material.records;
        let is_about_one = !records.is_empty() && self.random.permille(120);
        self.subject = is_about_one.then(|| self.random.pick(records));
    }

    /// Patterns with the same equality.
    fn group(&mut self, size: usize) {
        let selector = self.anchor();
        let value = self.value_of(&selector);
        let mut alone = self.random.permille(350);
        for _ in 0..size {
            let is_alone = std::mem::take(&mut alone);
            self.keep(|maker| {
                let anchor = Condition::Test(
                    selector.clone(),
                    Test::Equals(maker.as_literal(value.clone())),
                );
                maker.narrowed(anchor, !is_alone)
            });
        }
    }

    /// Tries until a pattern is within the limits and matches seldom enough.
    fn keep(&mut self, mut make: impl FnMut(&mut Self) -> Condition) {
        let picky = !self.random.permille(1);
        for attempt in 0.. {
            let mut condition = make(self);
            if attempt >= 8 {
                // What is asked for is too common: with another test it is not.
                let test = self.seldom();
                condition = Condition::All(vec![condition, test]);
            }
            let hand = Hand {
                spacious: self.random.permille(700),
                parentheses: self.random.permille(700),
                quotes: self.random.permille(500),
                lower_case: self.random.permille(150),
            };
            let text = condition.text(hand);
            let is_legal = text.chars().count() <= 1024 && !condition.is_over_quota();
            let is_seldom = !picky || self.material.share(&condition) <= self.most_share;
            if is_legal && is_seldom {
                self.made.push(Pattern { text, condition });
                return;
            }
        }
    }

    /// With up to four tests more, at least one if `needed`.
    fn narrowed(&mut self, anchor: Condition, needed: bool) -> Condition {
        if !needed {
            return anchor;
        }
        let mut parts = vec![anchor];
        for _ in 0..1 + self.random.below(3) + self.random.below(2) {
            let test = self.further(1);
            parts.push(test);
        }
        let last = parts.len() - 1;
        if self.random.permille(200) {
            parts.swap(0, last);
        }
        Condition::All(parts)
    }

    fn wildcard(&mut self) -> Condition {
        let selector = self.anchor();
        let pattern = self.glob_of(&selector);
        let test = Condition::Test(selector, Test::Equals(Literal::Text(pattern)));
        let needed = self.random.permille(600);
        self.narrowed(test, needed)
    }

    fn other(&mut self) -> Condition {
        match self.random.below(6) {
            0 => Condition::Any(
                (0..2 + self.random.below(6))
                    .map(|_| self.seldom())
                    .collect(),
            ),
            1 => Condition::Any(
                (0..2)
                    .map(|_| {
                        let anchor = self.seldom();
                        self.narrowed(anchor, true)
                    })
                    .collect(),
            ),
            2 => {
                let test = self.number();
                let needed = self.random.permille(500);
                self.narrowed(test, needed)
            }
            3 => {
                let (selector, regex) = (self.anchor(), self.regex());
                Condition::Test(selector, Test::Equals(Literal::Regex(regex)))
            }
            _ => {
                let anchor = self.seldom();
                self.narrowed(anchor, true)
            }
        }
    }

    /// An equality.
    fn seldom(&mut self) -> Condition {
        let selector = self.anchor();
        let value = self.value_of(&selector);
        let literal = self.as_literal(value);
        Condition::Test(selector, Test::Equals(literal))
    }

    /// What is asked beside an equality.
    fn further(&mut self, depth: usize) -> Condition {
        match self.random.below(100) {
            0..24 => self.seldom(),
            24..38 => {
                // Neither equal nor unequal are null, true and false.
                let selector = match self.random.permille(250) {
                    true => self.field_with(|values| values.has_null || values.has_boolean),
                    false => self.anchor(),
                };
                let value = self.value_of(&selector);
                let literal = self.as_literal(value);
                Condition::Test(selector, Test::Differs(literal))
            }
            38..52 => {
                let selector = self.anchor();
                let literal = Literal::Text(self.glob_of(&selector));
                let test = match self.random.permille(700) {
                    true => Test::Equals(literal),
                    false => Test::Differs(literal),
                };
                Condition::Test(selector, test)
            }
            52..66 => Condition::Test(self.optional(), Test::NotExists),
            66..74 => Condition::Test(
                self.field_with(|values| values.has_boolean),
                Test::Is(self.random.permille(500)),
            ),
            74..79 => Condition::Test(self.field_with(|values| values.has_null), Test::IsNull),
            79..86 => self.number(),
            86..90 => {
                let (selector, regex) = (self.anchor(), Literal::Regex(self.regex()));
                let test = match self.random.permille(700) {
                    true => Test::Equals(regex),
                    false => Test::Differs(regex),
                };
                Condition::Test(selector, test)
            }
            _ if depth == 0 => self.seldom(),
            _ => {
                let inner = |maker: &mut Self| maker.further(depth - 1);
                let mut parts = vec![inner(self), inner(self)];
                if self.random.permille(300) {
                    let last = parts.remove(1);
                    parts.push(Condition::All(vec![last, inner(self)]));
                }
                Condition::Any(parts)
            }
        }
    }

    fn number(&mut self) -> Condition {
        let selector = self.field_with(|values| !values.numbers.is_empty());
        let numbers = self
            .material
            .values(&selector)
            .map(|values| &values.numbers);
        let known: Vec<&String> = numbers
            .into_iter()
            .flatten()
            .filter(|number| number.len() < 10)
            .collect();
        let number = match known.is_empty() || self.random.permille(500) {
            true => (*self.random.pick(&NUMBERS)).to_owned(),
            false => (*self.random.pick(&known)).clone(),
        };
        let test = match self.random.below(6) {
            0 => Test::Equals(Literal::Number(number)),
            1 => Test::Differs(Literal::Number(number)),
            _ => Test::Orders(self.random.pick::<&str>(&["<", "<=", ">", ">="]), number),
        };
        Condition::Test(selector, test)
    }

    fn anchor(&mut self) -> Selector {
        let total: usize = ANCHORS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.random.below(total + 8);
        for (path, weight) in ANCHORS {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return selector(path),
            }
        }
        self.field_with(|values| !values.texts.is_empty())
    }

    fn optional(&mut self) -> Selector {
        match self.random.permille(600) {
            true => selector(self.random.pick::<&str>(&OPTIONAL)),
            false => self.field_with(|_| true),
        }
    }

    /// A member of the records of which something is known; now and then looked for elsewhere.
    fn field_with(&mut self, has: impl Fn(&Values) -> bool) -> Selector {
        let fields = self.material.fields.iter();
        let fitting: Vec<&Selector> = fields
            .filter(|(_, values)| has(values))
            .map(|(selector, _)| selector)
            .collect();
        if fitting.is_empty() {
            return selector("requestParameters.maxResults");
        }
        let mut found = (*self.random.pick(&fitting)).clone();
        let last = found.0.len() - 1;
        match self.random.below(40) {
            0 if found.wildcards() == 0 && last > 0 => found.0[last] = Step::EveryMember,
            1 => found.0.push(Step::Member("none".to_owned())),
            2 => {
                let elements = found.0.iter_mut().find(|step| **step == Step::EveryElement);
                elements
                    .into_iter()
                    .for_each(|step| *step = Step::Element(0));
            }
            _ => {}
        }
        found
    }

    fn value_of(&mut self, selector: &Selector) -> String {
        if let Some(subject) = self.subject
            && let Some(Value::String(text)) = selector.select(subject).first()
            && is_usable(text)
        {
            return text.clone();
        }
        let known = self.material.values(selector).map(|values| &values.texts);
        match known {
            Some(texts) if !texts.is_empty() && self.random.permille(450) => {
                let at = self.random.below(texts.len());
                texts.iter().nth(at).unwrap().clone()
            }
            _ => self.never(selector),
        }
    }

    /// A value that may occur somewhere and hardly does in the material.
    fn never(&mut self, selector: &Selector) -> String {
        let random = &mut self.random;
        let number = random.below(10_000);
        let noun = *random.pick(&NOUNS);
        let verb = *random.pick(&VERBS);
        let last = match selector.0.last() {
            Some(Step::Member(name)) => name.as_str(),
            _ => "",
        };
        let small = noun.to_ascii_lowercase();
        match last {
            "eventName" => format!("{verb}{noun}{}", random.pick(&NOUNS)),
            "eventSource" => format!("{small}{}.amazonaws.com", number % 50),
            "errorCode" => format!(
                "Client.{noun}{}",
                random.pick(&["NotFound", "Limit", "InUse"])
            ),
            "arn" => match random.permille(500) {
                true => format!("arn:aws:iam::123456789012:user/{small}-{number}"),
                false => {
                    format!("arn:aws:sts::123456789012:assumed-role/{noun}Role/{small}{number}")
                }
            },
            "sourceIPAddress" => format!("203.0.113.{}", number % 256),
            "userAgent" => format!("{small}-client/{}.{}", number % 7, number % 31),
            "awsRegion" => format!("{}{}", random.pick(&REGIONS), random.pick(&["", "9"])),
            "bucketName" => format!("amzn-s3-demo-bucket-{number}"),
            "type" => format!("{noun}Service"),
            "accountId" | "recipientAccountId" => format!("{:012}", number * 7919),
            _ => format!("{small}-{number}"),
        }
    }

    /// With or without a sign that a text is meant, where it looks like a number.
    fn as_literal(&mut self, value: String) -> Literal {
        let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty();
        match digits && value.len() <= 15 && self.random.permille(500) {
            true => Literal::Number(value),
            false => Literal::Text(value),
        }
    }

    /// A value with a part replaced by `*`.
    fn glob_of(&mut self, selector: &Selector) -> String {
        let value = self.value_of(selector).replace('*', "");
        let characters: Vec<char> = value.chars().collect();
        let length = characters.len();
        if length < 3 {
            return format!("{value}*");
        }
        let kept = 2 + self.random.below(length - 2);
        let piece = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
        match self.random.below(10) {
            0..4 => format!("{}*", piece(0..kept)),
            4..6 => format!("*{}", piece(length - kept..length)),
            6..8 => {
                let start = self.random.below(length - kept + 1);
                format!("*{}*", piece(start..start + kept))
            }
            8 => {
                let half = kept / 2;
                format!("{}*{}", piece(0..half), piece(length - half..length))
            }
            // Both ends have a character of the value in common, so it does not match.
            _ => format!("{}*{}", piece(0..kept), piece(kept - 1..length)),
        }
    }

    fn regex(&mut self) -> Regex {
        let branches = 1 + usize::from(self.random.permille(200));
        Regex {
            branches: (0..branches).map(|_| self.branch()).collect(),
        }
    }

    /// A value with some of its characters made general.
    fn branch(&mut self) -> Branch {
        let selector = self.anchor();
        let value = self.value_of(&selector);
        let allowed = |one: char| one.is_ascii_alphanumeric() || " :_#=@/;,-.$*+".contains(one);
        let start = self.random.below(value.chars().count().min(8) + 1);
        let length = 3 + self.random.below(9);
        let random = &mut self.random;
        let mut pieces: Vec<Piece> = value
            .chars()
            .skip(start)
            .take(length)
            .map(|one| {
                let set = match (one, random.below(8)) {
                    (one, _) if !allowed(one) => Set::Any,
                    ('0'..='9', 0..6) => Set::Digit,
                    ('a'..='z', 0) => Set::Range('a', 'z'),
                    ('A'..='Z', 0) => Set::Range('A', 'Z'),
                    ('a'..='z' | 'A'..='Z' | '_', 1) => Set::Word,
                    (_, 2) => Set::Any,
                    ('-' | ':' | '/', 3) => Set::NotDigit,
                    (one, _) => Set::One(one),
                };
                let (least, most) = match random.below(12) {
                    0 => (1, usize::MAX),
                    1 => (0, 1),
                    2 => (1, 3),
                    _ => (1, 1),
                };
                Piece { set, least, most }
            })
            .collect();
        if pieces.is_empty() {
            pieces.push(Piece {
                set: Set::Digit,
                least: 2,
                most: 2,
            });
        }
        Branch {
            from_start: start == 0 && random.permille(600),
            to_end: random.permille(150),
            pieces,
        }
    }
}

impl Selector {
    fn wildcards(&self) -> usize {
        let wildcards = [Step::EveryElement, Step::EveryMember];
        self.0
            .iter()
            .filter(|step| wildcards.contains(step))
            .count()
    }
}

/// Members of members, from `a.b`.
fn selector(path: &str) -> Selector {
    Selector(
        path.split('.')
            .map(|name| Step::Member(name.to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(test: Test, value: Value) -> bool {
        Condition::Test(selector("a.b"), test).holds(&json!({ "a": { "b": value } }))
    }

    fn text(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    fn number(number: &str) -> Literal {
        Literal::Number(number.to_owned())
    }

    #[test]
    fn tests_mean_what_the_table_of_the_rules_says() {
        let neither = [json!(null), json!(true), json!([12]), json!({ "12": 12 })];
        for value in neither {
            for literal in [text("12"), number("12"), text("*")] {
                assert!(!holds(Test::Equals(literal.clone()), value.clone()));
                assert!(!holds(Test::Differs(literal), value.clone()));
            }
            assert!(!holds(Test::NotExists, value));
        }
        assert!(holds(Test::Equals(text("12")), json!(12)));
        assert!(!holds(Test::Equals(text("12")), json!(12.0)));
        assert!(holds(Test::Equals(number("12")), json!(12.0)));
        assert!(holds(Test::Equals(number("012")), json!("012")));
        assert!(!holds(Test::Equals(number("012")), json!("12")));
        assert!(holds(Test::Differs(number("1.2e1")), json!("12")));
        assert!(!holds(Test::Differs(number("1.2e1")), json!(12)));
        assert!(holds(Test::Equals(text("a*b*")), json!("a*-b")));
        assert!(!holds(Test::Equals(text("ab*ba")), json!("aba")));
        assert!(!holds(Test::Equals(text("a")), json!("A")));
        let at_least = |limit: &str| Test::Orders(">=", limit.to_owned());
        assert!(holds(at_least("12.0"), json!(12)));
        assert!(!holds(at_least("1"), json!("12")));
        assert!(holds(Test::IsNull, json!(null)));
        assert!(holds(Test::Is(false), json!(false)));
        assert!(!holds(Test::Is(false), json!("false")));
    }

    #[test]
    fn of_a_missing_member_only_its_absence_is_true() {
        let record = json!({ "a": "text" });
        let missing = |test| Condition::Test(selector("a.b"), test).holds(&record);
        assert!(missing(Test::NotExists));
        assert!(!missing(Test::Differs(text("x"))));
        assert!(!missing(Test::IsNull));
    }

    #[test]
    fn of_several_values_one_is_enough() {
        let every = Selector(vec![Step::Member("a".to_owned()), Step::EveryElement]);
        let record = json!({ "a": ["x", "y"] });
        let holds = |test| Condition::Test(every.clone(), test).holds(&record);
        assert!(holds(Test::Equals(text("y"))) && holds(Test::Differs(text("y"))));
        assert!(!holds(Test::NotExists));
    }

    #[test]
    fn an_expression_is_searched_for() {
        let piece = |set, least, most| Piece { set, least, most };
        let regex = Regex {
            branches: vec![Branch {
                from_start: true,
                to_end: false,
                pieces: vec![
                    piece(Set::One('a'), 1, usize::MAX),
                    piece(Set::Digit, 2, 2),
                    piece(Set::Any, 0, 1),
                    piece(Set::One('.'), 1, 1),
                ],
            }],
        };
        assert_eq!(regex.to_string(), r"^a+\d{2}.?\.");
        assert!(regex.is_found_in("aa12x.b") && regex.is_found_in("a12."));
        assert!(!regex.is_found_in("ba12.") && !regex.is_found_in("a12\n."));
    }

    #[test]
    fn a_seed_gives_the_same_patterns() {
        let material = || Material::new([json!({ "eventName": "StopLogging" })].into_iter());
        let texts = |seed| {
            let made = patterns(seed, 200, &material(), 1.0);
            made.into_iter().map(|made| made.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }
}
