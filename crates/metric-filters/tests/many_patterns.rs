//! Many patterns over log files of odd records: the set finds for each record what each pattern finds by
//! itself, and what the pattern means.
//!
//! The records are those of `samples/` and made ones, written in ways that are legal and seldom: keys and
//! values with escapes, members that come twice, numbers such as `12.0` and `1e3`, white space between
//! tokens, nesting, broken text.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

// The module itself: its crate would have the tests of a pure crate build cryptography.
#[path = "../../testkit/src/patterns.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a module of another crate, of which not everything is used here"
)]
mod patterns;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cloudtrail::{Entry, LogFileReader, Origin};
use filter_pattern::compile;
use metric_filters::{FilterSet, FiltersFile, TimeRange};
use patterns::{Material, Pattern, Random, patterns};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Of languages that look at the text of a record, and one for everything. They have no tree.
const OTHERS: [&str; 6] = [
    "",
    "AccessDenied",
    "\"eventName\" -root",
    "?Describe ?Delete",
    "%arn:aws:iam::\\d{12}:user/%",
    "[everything, ...]",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_record_gets_the_filters_that_match_it(
        seed in any::<u64>(),
        count in 1_usize..300,
        records in vec(record(), 1..40),
    ) {
        let values: Vec<Value> = records.iter().map(|record| record.value.clone()).collect();
        let made = patterns(seed, count, &Material::new(values.into_iter()), 1.0);
        let texts: Vec<&str> = made.iter().map(|made| made.text.as_str()).chain(OTHERS).collect();
        let set = set(&texts);
        let mut evaluator = set.evaluator();
        let written: Vec<Written> = records.iter().map(Record::write).collect();
        let document = document(&written);

        let expected = one_by_one(&set, &document);
        prop_assert_eq!(expected.len(), records.len());
        // The second and the third log file meet what the ones before left behind.
        for object in [document.clone(), gzip(&document), document] {
            let mut found = vec![Vec::new(); records.len()];
            let report = evaluator
                .evaluate(&object, None, &Origin::default(), TimeRange::ALL, |matching| {
                    found[matching.record_index as usize].push(matching.filter);
                })
                .unwrap();
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                prop_assert_eq!(named(&texts, found), named(&texts, expected), "{}", written[at].shown());
            }
            for (filter, count) in report.filters.iter().enumerate() {
                let matching = expected.iter().filter(|matching| matching.contains(&filter));
                prop_assert_eq!(count.matched, matching.count() as u64);
            }
        }
        for (written, found) in written.iter().zip(&expected) {
            let Some(value) = written.meaning() else { continue };
            let meant = meant(&made, &value);
            let found: Vec<usize> = found.iter().copied().filter(|at| *at < made.len()).collect();
            prop_assert_eq!(named(&texts, &found), named(&texts, &meant), "{}", written.shown());
        }
    }
}

#[test]
fn most_made_patterns_ask_for_one_value_and_some_are_true() {
    let records: Vec<Value> = SAMPLES.iter().step_by(5).cloned().collect();
    let made = patterns(1, 1000, &Material::new(records.iter().cloned()), 0.01);
    let share = |wanted: &dyn Fn(&Pattern) -> bool| made.iter().filter(|made| wanted(made)).count();
    let matching = share(&|made| records.iter().any(|record| made.matches(record)));
    assert!((40..400).contains(&matching), "{matching} of 1000 match");
    let regex = share(&|made| made.text.contains('%'));
    assert!(
        (20..300).contains(&regex),
        "{regex} of 1000 have an expression"
    );
    let wildcard = share(&|made| made.text.contains('*'));
    assert!(
        (200..600).contains(&wildcard),
        "{wildcard} of 1000 have a wildcard"
    );
    for made in &made {
        assert!(compile(&made.text).is_ok(), "{} compiles", made.text);
    }
}

/// The filters of each record, by each pattern alone.
fn one_by_one(set: &FilterSet, document: &[u8]) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let read = LogFileReader::new().read(document, None, |entry| {
        if let Entry::Record { record, .. } = entry {
            let filters = set.filters().iter().enumerate();
            let matching = filters.filter(|(_, filter)| filter.pattern.matches_record(record));
            all.push(matching.map(|(at, _)| at).collect());
        }
    });
    read.unwrap();
    all
}

fn meant(made: &[Pattern], record: &Value) -> Vec<usize> {
    (0..made.len())
        .filter(|at| made[*at].matches(record))
        .collect()
}

fn named<'t>(texts: &[&'t str], filters: &[usize]) -> Vec<&'t str> {
    filters.iter().map(|at| texts[*at]).collect()
}

fn set(patterns: &[&str]) -> FilterSet {
    let filter = |(n, pattern): (usize, &&str)| json!({ "name": format!("F{n}"), "pattern": pattern, "metric": { "namespace": "N", "name": "M" } });
    let filters: Vec<Value> = patterns.iter().enumerate().map(filter).collect();
    let text = json!({ "metric_filters": filters }).to_string();
    FilterSet::new(FiltersFile::parse(&text).unwrap().filters)
}

fn document(records: &[Written]) -> Vec<u8> {
    let records: Vec<&[u8]> = records
        .iter()
        .map(|written| written.bytes.as_slice())
        .collect();
    [b"{\"Records\":[".as_slice(), &records.join(&b','), b"]}"].concat()
}

/// One gzip member with blocks that are stored as they are.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut object = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let blocks: Vec<&[u8]> = content.chunks(60_000).collect();
    for (n, block) in blocks.iter().enumerate() {
        let length = block.len() as u16;
        object.push(u8::from(n + 1 == blocks.len()));
        object.extend(length.to_le_bytes());
        object.extend((!length).to_le_bytes());
        object.extend_from_slice(block);
    }
    object.extend(crc32(content).to_le_bytes());
    object.extend((content.len() as u32).to_le_bytes());
    object
}

fn crc32(content: &[u8]) -> u32 {
    let crc = content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    !crc
}

// ---- records -------------------------------------------------------------------------------------

static SAMPLES: LazyLock<Vec<Value>> = LazyLock::new(samples);

/// The records of the log files of `samples/`.
#[expect(clippy::disallowed_methods, reason = "the samples are files")]
fn samples() -> Vec<Value> {
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let inside = |path: PathBuf| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        };
        paths.into_iter().flat_map(inside).collect()
    }
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/AWSLogs/111122223333/CloudTrail");
    let mut samples = Vec::new();
    let mut reader = LogFileReader::new();
    for path in files(&folder) {
        let read = reader.read(&std::fs::read(path).unwrap(), None, |entry| {
            if let Entry::Record { record, .. } = entry {
                samples.push(serde_json::from_slice(record.raw()).unwrap());
            }
        });
        read.unwrap();
    }
    samples
}

/// A record and how it is to be written.
#[derive(Debug, Clone)]
struct Record {
    value: Value,
    hand: u64,
    /// Of a thousand places where it can be written in another way, so many are.
    oddness: usize,
}

fn record() -> impl Strategy<Value = Record> {
    let sample = any::<prop::sample::Index>().prop_map(|index| index.get(&SAMPLES).clone());
    let value = prop_oneof![2 => sample, 1 => made_record()];
    let oddness = prop_oneof![Just(0_usize), Just(20), Just(200)];
    (value, any::<u64>(), oddness).prop_map(|(value, hand, oddness)| Record {
        value,
        hand,
        oddness,
    })
}

const NAMES: [&str; 16] = [
    "eventName",
    "eventSource",
    "errorCode",
    "userIdentity",
    "type",
    "arn",
    "userName",
    "invokedBy",
    "sessionContext",
    "sourceIPAddress",
    "userAgent",
    "requestParameters",
    "bucketName",
    "maxResults",
    "app/name",
    "x",
];

/// A record with known names in odd places.
fn made_record() -> impl Strategy<Value = Value> {
    let texts = [
        "DeleteTrail",
        "iam.amazonaws.com",
        "AccessDenied",
        "Root",
        "203.0.113.7",
        "12",
        "12.0",
        "",
        "a\u{0}b",
        "Zürich",
        "\u{1f600}",
        "back\\slash \"quoted\"",
        "true",
        "null",
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (-3_i64..2000).prop_map(Value::from),
        1 => prop::sample::select(vec![json!(12.0), json!(0.5), json!(u64::MAX), json!(i64::MIN), json!(-1.5)]),
        4 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
        1 => "[ -~]{0,12}".prop_map(Value::from),
    ];
    let name = || prop::sample::select(NAMES.to_vec());
    let members = move |inner: BoxedStrategy<Value>| {
        vec((name(), inner), 0..7).prop_map(|members| {
            let members = members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(members.collect())
        })
    };
    let tree = leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            2 => members(inner.boxed()),
        ]
    });
    vec((name(), tree), 0..10).prop_map(|members| {
        let members = members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect())
    })
}

/// A record as it stands in a log file.
struct Written {
    bytes: Vec<u8>,
    /// `serde_json` prints every number as it is written.
    as_printed: bool,
}

impl Written {
    /// The record as `serde_json` reads it, if it reads the same.
    fn meaning(&self) -> Option<Value> {
        match self.as_printed {
            true => serde_json::from_slice(&self.bytes).ok(),
            false => None,
        }
    }

    fn shown(&self) -> String {
        self.bytes.escape_ascii().to_string()
    }
}

impl Record {
    fn write(&self) -> Written {
        let mut writer = Writer {
            random: Random::new(self.hand),
            oddness: self.oddness,
            written: Written {
                bytes: Vec::new(),
                as_printed: true,
            },
        };
        writer.value(&self.value);
        writer.written
    }
}

struct Writer {
    random: Random,
    oddness: usize,
    written: Written,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                self.token("{");
                for (n, (name, value)) in members.iter().enumerate() {
                    if n > 0 {
                        self.token(",");
                    }
                    self.member(name, value);
                }
                if members.is_empty() && self.is_odd() {
                    self.member("", &json!([[[]], { "": null }]));
                }
                self.token("}");
            }
            Value::Array(elements) => {
                self.token("[");
                for (n, element) in elements.iter().enumerate() {
                    if n > 0 {
                        self.token(",");
                    }
                    self.value(element);
                }
                self.token("]");
            }
            Value::String(text) => self.string(text),
            Value::Number(number) => {
                let number = number.to_string();
                self.number(&number);
            }
            word => self.token(&word.to_string()),
        }
    }

    fn member(&mut self, name: &str, value: &Value) {
        if self.is_odd() {
            self.before(name);
            self.token(",");
        }
        self.string(name);
        self.token(":");
        self.value(value);
    }

    /// What is overruled by the member behind it, or is nobody's business.
    fn before(&mut self, name: &str) {
        let oddities: [(&str, &[u8]); 8] = [
            (name, b"\"DeleteTrail\""),
            (name, b"null"),
            (name, b"{\"type\":[1,{\"a\":[]}],\"arn\":\"]}\"}"),
            (name, b"[\"Root\",[[\"x\"]],7]"),
            ("surrogate", b"\"\\ud83d and \\udc00\""),
            ("bytes", b"\"\xff\xfe\xc3\""),
            ("broken", b"tru"),
            ("huge", b"1e999999999"),
        ];
        let (name, value) = *self.random.pick(&oddities);
        self.string(name);
        self.token(":");
        self.written.bytes.extend_from_slice(value);
    }

    fn number(&mut self, number: &str) {
        let is_whole = !number.contains(['.', 'e', 'E']);
        if !is_whole || !self.is_odd() {
            self.token(number);
            return;
        }
        self.written.as_printed = false;
        let end = *self
            .random
            .pick(&[".0", "e0", "E+0", "00e-2", ".000", "0e-1"]);
        let text = match number {
            // No number begins with two zeros.
            "0" => "-0".to_owned(),
            _ => format!("{number}{end}"),
        };
        self.token(&text);
    }

    fn string(&mut self, text: &str) {
        self.space();
        self.written.bytes.push(b'"');
        for character in text.chars() {
            match character {
                '/' if self.is_odd() => self.written.bytes.extend_from_slice(b"\\/"),
                '"' | '\\' | '\0'..='\x1f' => self.escaped(character),
                _ if self.is_odd() => self.escaped(character),
                _ => {
                    let mut bytes = [0; 4];
                    let bytes = character.encode_utf8(&mut bytes).as_bytes();
                    self.written.bytes.extend_from_slice(bytes);
                }
            }
        }
        self.written.bytes.push(b'"');
        self.space();
    }

    fn escaped(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let escape = match self.random.permille(500) {
                true => format!("\\u{unit:04x}"),
                false => format!("\\u{unit:04X}"),
            };
            self.written.bytes.extend_from_slice(escape.as_bytes());
        }
    }

    fn token(&mut self, token: &str) {
        self.space();
        self.written.bytes.extend_from_slice(token.as_bytes());
        self.space();
    }

    fn space(&mut self) {
        if self.is_odd() {
            let space: &str = self.random.pick::<&str>(&[" ", "\n", "\r\n\t", "        "]);
            self.written.bytes.extend_from_slice(space.as_bytes());
        }
    }

    fn is_odd(&mut self) -> bool {
        self.random.permille(self.oddness)
    }
}
