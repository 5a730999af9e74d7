//! Corpora made from the records of `samples/`.
//!
//! A file holds the events of a few sessions: some records again and again, with new ids and times. One
//! event in eight matches a built-in filter.

use std::fs;
use std::path::Path;

use cloudtrail::{Entry, LogFileReader};
use libdeflater::{CompressionLvl, Compressor};
use metric_filters::{DEFAULT_PROFILE, FilterSet, built_in};
use raw_json::Object;
use testkit::patterns::Random;
use trailwarden::source::{Content, find};

use crate::corpus::Corpus;

/// One event in so many matches a built-in filter.
const EVENTS_FOR_A_MATCH: usize = 8;

/// Makes corpora; the same ones each time.
pub struct Maker {
    quiet: Vec<Template>,
    matching: Vec<Template>,
    random: Random,
    compressor: Compressor,
    second: u64,
}

impl Maker {
    pub fn new() -> Self {
        let (matching, quiet) = templates().into_iter().partition(|made| made.matches);
        Maker {
            quiet,
            matching,
            random: Random::new(42),
            compressor: Compressor::new(CompressionLvl::new(6).expect("a level")),
            second: 1_772_409_600,
        }
    }

    /// Files of lognormal size with a median of 50 records (some 50 KB) and a long tail.
    pub fn main(mut self, events: usize) -> Corpus {
        let sizes = self.sizes(events, 50.0, 1.5);
        Corpus::of(sizes.into_iter().map(|size| self.object(size)).collect())
    }

    /// Files with a median of some 6.8 KB.
    pub fn small(mut self) -> Corpus {
        let sizes = self.sizes(30_000, 5.9, 0.74);
        Corpus::of(sizes.into_iter().map(|size| self.object(size)).collect())
    }

    /// One object that inflates to some 100 MB.
    pub fn large(mut self) -> Corpus {
        Corpus::of(vec![self.object(90_000)])
    }

    /// As the main corpus, with two records in a hundred odd or broken, and one object in thirty.
    pub fn hostile(mut self, events: usize) -> Corpus {
        let sizes = self.sizes(events, 50.0, 1.5);
        let object = |size| match self.random.below(30) {
            0 => self.odd_object(size),
            _ => {
                let records = self.records(size);
                let records = records.into_iter().map(|record| self.perhaps_odd(record));
                let text = document(records.collect::<Vec<_>>());
                self.gzip(&text)
            }
        };
        Corpus::of(sizes.into_iter().map(object).collect())
    }

    /// Records of each file.
    fn sizes(&mut self, events: usize, median: f64, sigma: f64) -> Vec<usize> {
        let mut sizes = Vec::new();
        let mut left = events;
        while left > 0 {
            let normal: f64 = (0..12)
                .map(|_| self.random.draw() as f64 / u64::MAX as f64)
                .sum::<f64>()
                - 6.0;
            let records = (median.ln() + sigma * normal).exp().round() as usize;
            let records = records.clamp(1, 20_000).min(left);
            left -= records;
            sizes.push(records);
        }
        sizes
    }

    fn object(&mut self, size: usize) -> Vec<u8> {
        let text = document(self.records(size));
        self.gzip(&text)
    }

    fn gzip(&mut self, text: &[u8]) -> Vec<u8> {
        let mut object = vec![0; self.compressor.gzip_compress_bound(text.len())];
        let length = self
            .compressor
            .gzip_compress(text, &mut object)
            .expect("room enough");
        object.truncate(length);
        object
    }

    /// Records of a few sessions; the first of them do most.
    fn records(&mut self, size: usize) -> Vec<Vec<u8>> {
        self.second += 60;
        let Maker {
            quiet,
            matching,
            random,
            second,
            ..
        } = self;
        let sessions: Vec<&Template> = (0..4 + random.below(12) + size / 10)
            .map(|_| match random.below(EVENTS_FOR_A_MATCH) {
                0 => random.pick(matching),
                _ => random.pick(quiet),
            })
            .collect();
        (0..size)
            .map(|_| {
                let most = 1 + random.below(sessions.len());
                sessions[random.below(most)].record(random, *second)
            })
            .collect()
    }

    fn perhaps_odd(&mut self, record: Vec<u8>) -> Vec<u8> {
        match self.random.permille(20) {
            true => odd_record(self.random.below(12), record),
            false => record,
        }
    }

    fn odd_object(&mut self, size: usize) -> Vec<u8> {
        let text = document(self.records(size));
        match self.random.below(5) {
            0 => Vec::new(),
            1 => {
                let mut object = self.gzip(&text);
                object.truncate(object.len() / 2);
                object
            }
            2 => {
                let (first, second) = text.split_at(text.len() / 2);
                [self.gzip(first), self.gzip(second)].concat()
            }
            3 => text,
            _ => [self.gzip(&text), b"behind it".to_vec()].concat(),
        }
    }
}

fn document(records: Vec<Vec<u8>>) -> Vec<u8> {
    [b"{\"Records\":[".as_slice(), &records.join(&b','), b"]}"].concat()
}

/// Legal and seldom, or broken.
fn odd_record(kind: usize, record: Vec<u8>) -> Vec<u8> {
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8(record.clone()).expect("the samples are UTF-8");
        text.replacen(from, to, 1).into_bytes()
    };
    let with_member = |member: &[u8]| {
        let open = record.strip_suffix(b"}").expect("an object");
        [open, b",", member, b"}"].concat()
    };
    match kind {
        0 => replaced("\"eventName\"", "\"event\\u004eame\""),
        1 => replaced("\"userIdentity\"", "\"\\u0075ser\\u0049dentity\""),
        2 => with_member(br#""eventName":"DeleteTrail""#),
        3 => {
            let nested = [b"\"nested\":".to_vec(), vec![b'['; 5000], vec![b']'; 5000]];
            with_member(&nested.concat())
        }
        4 => spread_out(&record),
        5 => with_member(br#""userAgent":"half \ud83d of a pair""#),
        6 => with_member(b"\"userAgent\":\"no \xff\xfe text\""),
        7 => {
            let digits = [b"\"requestParameters\":{\"n\":".to_vec(), vec![b'9'; 4000]];
            with_member(&[&digits.concat(), b"e999999999}".as_slice()].concat())
        }
        8 => b"42".to_vec(),
        9 => br#"["no","object"]"#.to_vec(),
        10 => record.strip_suffix(b"}").expect("an object").to_vec(),
        _ => replaced("\":\"", "\":\"\\u0000\\\\\\\"\\/"),
    }
}

/// With white space between all tokens.
fn spread_out(record: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let mut out = Vec::with_capacity(record.len() * 2);
    for &byte in record {
        let between = !in_string && b"{}[],:".contains(&byte);
        out.extend_from_slice(if between { b" \n\t" } else { b"" });
        out.push(byte);
        out.extend_from_slice(if between { b"\r\n  " } else { b"" });
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    out
}

/// A record of the samples, cut where its ids and its time stand.
struct Template {
    pieces: Vec<String>,
    /// What stands behind each piece but the last.
    holes: Vec<Hole>,
    /// Does a built-in filter match it?
    matches: bool,
}

#[derive(Clone, Copy)]
enum Hole {
    Id,
    Time,
}

impl Template {
    fn new(record: Object<'_>, set: &FilterSet) -> Option<Self> {
        let text = std::str::from_utf8(record.raw()).ok()?;
        let holes = [
            ("\"eventID\":\"", 36, Hole::Id),
            ("\"requestID\":\"", 36, Hole::Id),
            ("\"eventTime\":\"", 20, Hole::Time),
        ];
        let mut found: Vec<(usize, usize, Hole)> = holes
            .into_iter()
            .filter_map(|(before, length, hole)| {
                let start = text.find(before)? + before.len();
                // Request ids have other forms, too.
                (text.as_bytes().get(start + length) == Some(&b'"'))
                    .then_some((start, length, hole))
            })
            .collect();
        found.sort_by_key(|(start, ..)| *start);
        let mut pieces = Vec::new();
        let mut end = 0;
        for (start, length, _) in &found {
            pieces.push(text[end..*start].to_owned());
            end = start + length;
        }
        pieces.push(text[end..].to_owned());
        let mut filters = set.filters().iter();
        Some(Template {
            pieces,
            holes: found.into_iter().map(|(.., hole)| hole).collect(),
            matches: filters.any(|filter| filter.pattern.matches_record(record)),
        })
    }

    fn record(&self, random: &mut Random, around: u64) -> Vec<u8> {
        let mut text = String::new();
        for (n, piece) in self.pieces.iter().enumerate() {
            text.push_str(piece);
            match self.holes.get(n) {
                Some(Hole::Id) => text.push_str(&id(random)),
                Some(Hole::Time) => text.push_str(&time(around + random.draw() % 300)),
                None => {}
            }
        }
        text.into_bytes()
    }
}

fn id(random: &mut Random) -> String {
    let (a, b) = (random.draw(), random.draw());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

fn time(second: u64) -> String {
    let time = jiff::Timestamp::from_second(second as i64).expect("in range");
    time.to_string()
}

fn templates() -> Vec<Template> {
    let set = FilterSet::new(
        built_in()
            .expect("the built-in filters load")
            .in_profile(DEFAULT_PROFILE),
    );
    let samples =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/AWSLogs/111122223333/CloudTrail");
    let mut reader = LogFileReader::new();
    let mut templates = Vec::new();
    for source in find(&[samples]).expect("the samples are there") {
        let Content::File(path) = source.content else {
            continue;
        };
        let object = fs::read(path).expect("a sample");
        let read = reader.read(&object, None, |entry| {
            if let Entry::Record { record, .. } = entry {
                templates.extend(Template::new(record, &set));
            }
        });
        read.expect("the samples are sound");
    }
    assert!(templates.len() > 1000, "the samples are there");
    templates
}
