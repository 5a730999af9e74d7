//! What the whole job costs, as a multiple of inflating alone.
//!
//! The corpus is made here from the records of `samples/`: new event ids and times, files of
//! lognormal size, gzip level 6, all objects in memory. Two things are measured in turn, in CPU time
//! (user and system) of this process:
//!
//! - the limit L: libdeflate inflates every object into one reused buffer, nothing else;
//! - the job: what `trailwarden scan` does, with one worker thread and the built-in filters: verify,
//!   inflate, cut the records, evaluate, drop copies, alarms, evidence and stories.
//!
//! The job's counts are compared with what each record gives by itself, pattern by pattern.
//!
//! `TRAILWARDEN_BENCH_EVENTS` sets the size of the corpus (default 200,000 events, about 0.25 GB
//! inflated), `TRAILWARDEN_BENCH_ROUNDS` the number of rounds (default 5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may fail by panicking, and prints its result"
)]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloudtrail::{Entry, LogFileReader};
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use metric_filters::{FilterSet, TimeRange, built_in};
use raw_json::Object;
use rustix::time::{ClockId, clock_gettime};
use trailwarden::report::Report;
use trailwarden::scan::{Options, scan};
use trailwarden::source::{Content, Source};

fn main() {
    let events = setting("TRAILWARDEN_BENCH_EVENTS", 200_000);
    let rounds = setting("TRAILWARDEN_BENCH_ROUNDS", 5).max(1);
    let set = FilterSet::new(
        built_in()
            .expect("the built-in filters load")
            .in_profile("recommended"),
    );
    let corpus = Corpus::make(events, &set);
    println!(
        "{events} events, {} objects, {:.1} MB inflated, {:.1} MB gzip, {} filters",
        corpus.sources.len(),
        corpus.inflated_bytes as f64 / 1e6,
        corpus.gzip_bytes as f64 / 1e6,
        set.filters().len(),
    );
    let options = Options {
        range: TimeRange::ALL,
        now: None,
        max_events: 10,
        threads: NonZeroUsize::MIN,
        clock: 0,
    };
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let (limit, inflated) = measured(|| inflate_all(&corpus));
        assert_eq!(
            inflated, corpus.inflated_bytes,
            "the limit must inflate everything"
        );
        let (job, report) = measured(|| scan(&set, &corpus.sources, &options, |_| {}));
        check(&report, &corpus, events);
        let ratio = job.as_secs_f64() / limit.as_secs_f64();
        println!(
            "round {round}: L = {:.3} CPU s ({:.2} GB/s), job = {:.3} CPU s = {ratio:.2} L, {:.0} ns an event",
            limit.as_secs_f64(),
            corpus.inflated_bytes as f64 / limit.as_secs_f64() / 1e9,
            job.as_secs_f64(),
            job.as_nanos() as f64 / events as f64,
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "the whole job costs {:.2} L (median of {rounds}; {:.2} to {:.2})",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// CPU time of this process over a call.
fn measured<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let clock = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let before = clock();
    let result = std::hint::black_box(call());
    (clock() - before, result)
}

fn inflate_all(corpus: &Corpus) -> usize {
    let mut decompressor = Decompressor::new();
    let mut buffer = vec![0; corpus.largest_object];
    let objects = corpus.sources.iter().map(|source| match &source.content {
        Content::Memory(object) => object,
        _ => unreachable!("the corpus is in memory"),
    });
    objects
        .map(|object| {
            decompressor
                .gzip_decompress(object, &mut buffer)
                .expect("the corpus is sound")
        })
        .sum()
}

fn check(report: &Report, corpus: &Corpus, events: usize) {
    assert_eq!(report.records.evaluated, events as u64);
    assert_eq!(report.log_files.processed, corpus.sources.len() as u64);
    let matched: Vec<u64> = report
        .metric_filters
        .iter()
        .map(|filter| filter.matched)
        .collect();
    assert_eq!(
        matched, corpus.expected,
        "the job must count what each record gives by itself"
    );
    assert!(
        report
            .alarms
            .iter()
            .any(|alarm| !alarm.events.is_empty() && !alarm.story.is_empty())
    );
}

struct Corpus {
    sources: Vec<Source>,
    inflated_bytes: usize,
    gzip_bytes: usize,
    largest_object: usize,
    /// Matches per filter.
    expected: Vec<u64>,
}

/// A record of the samples, cut where its event id and time stand.
struct Template {
    pieces: [String; 3],
    id_first: bool,
    matches: Vec<bool>,
}

impl Corpus {
    fn make(events: usize, set: &FilterSet) -> Self {
        let templates = templates(set);
        let mut random = Random(42);
        let mut compressor = Compressor::new(CompressionLvl::new(6).expect("a level"));
        let mut corpus = Corpus {
            sources: Vec::new(),
            inflated_bytes: 0,
            gzip_bytes: 0,
            largest_object: 0,
            expected: vec![0; set.filters().len()],
        };
        let mut left = events;
        let mut second = 1_772_409_600_u64;
        while left > 0 {
            let records = random.records_of_a_file().min(left);
            left -= records;
            second += 300 * 86_400 / (events as u64 / 50 + 1) / 300;
            let mut text = String::from("{\"Records\":[");
            for n in 0..records {
                let template = &templates[random.below(templates.len())];
                if n > 0 {
                    text.push(',');
                }
                template.write(&mut random, second, &mut text);
                for (count, matches) in corpus.expected.iter_mut().zip(&template.matches) {
                    *count += u64::from(*matches);
                }
            }
            text.push_str("]}");
            let mut object = vec![0; compressor.gzip_compress_bound(text.len())];
            let length = compressor
                .gzip_compress(text.as_bytes(), &mut object)
                .expect("room enough");
            object.truncate(length);
            corpus.inflated_bytes += text.len();
            corpus.gzip_bytes += length;
            corpus.largest_object = corpus.largest_object.max(text.len());
            let location = format!(
                "111122223333_CloudTrail_us-east-1_20260302T0215Z_{:016}.json.gz",
                corpus.sources.len()
            );
            corpus.sources.push(Source {
                location,
                content: Content::Memory(object),
                named: false,
            });
        }
        corpus
    }
}

impl Template {
    fn new(record: Object<'_>, set: &FilterSet) -> Option<Self> {
        let text = String::from_utf8(record.raw().to_vec()).ok()?;
        let id = text.find(&format!(
            "\"eventID\":\"{}\"",
            cloudtrail::event_id(record)?
        ))? + "\"eventID\":\"".len();
        let time = text.find("\"eventTime\":\"")? + "\"eventTime\":\"".len();
        let (first, first_length, second, second_length) = if id < time {
            (id, 36, time, 20)
        } else {
            (time, 20, id, 36)
        };
        Some(Template {
            pieces: [
                text[..first].to_owned(),
                text[first + first_length..second].to_owned(),
                text[second + second_length..].to_owned(),
            ],
            id_first: id < time,
            matches: set
                .filters()
                .iter()
                .map(|filter| filter.pattern.matches_record(record))
                .collect(),
        })
    }

    fn write(&self, random: &mut Random, around: u64, text: &mut String) {
        let (a, b) = (random.next(), random.next());
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        );
        let time = jiff::Timestamp::from_second((around + random.next() % 300) as i64)
            .expect("in range")
            .to_string();
        let [first, second] = if self.id_first {
            [id, time]
        } else {
            [time, id]
        };
        for piece in [
            &self.pieces[0],
            &first,
            &self.pieces[1],
            &second,
            &self.pieces[2],
        ] {
            text.push_str(piece);
        }
    }
}

fn templates(set: &FilterSet) -> Vec<Template> {
    let samples =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/AWSLogs/111122223333/CloudTrail");
    let mut reader = LogFileReader::new();
    let mut templates = Vec::new();
    for path in files(&samples) {
        let object = fs::read(&path).expect("a sample");
        let read = reader.read(&object, None, |entry| {
            if let Entry::Record { record, .. } = entry {
                templates.extend(Template::new(record, set));
            }
        });
        read.expect("the samples are sound");
    }
    assert!(templates.len() > 1000, "the samples are there");
    templates
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the samples are there") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// A small generator of our own (splitmix64): the same corpus each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Lognormal with a median of 50 records (some 60 KB) and a long tail.
    fn records_of_a_file(&mut self) -> usize {
        let normal: f64 = (0..12)
            .map(|_| self.next() as f64 / u64::MAX as f64)
            .sum::<f64>()
            - 6.0;
        ((50.0_f64.ln() + 1.5 * normal).exp() as usize).clamp(1, 20_000)
    }
}
