//! Are the counts right? A part of the objects, evaluated record by record and filter by filter.

use std::time::Instant;

use cloudtrail::{Entry, FileName, LogFileReader, ObjectKind};
use raw_json::Object;
use trailwarden::report::Report;
use trailwarden::scan::scan;
use trailwarden::source::{Content, Source};

use crate::corpus::{Corpus, inflated_bytes, object, records_of};
use crate::filters::Filters;
use crate::rows::options;

/// Filters times events that are evaluated one by one.
const BUDGET: usize = 12_000_000;
/// Hardly any record is smaller.
const BYTES_OF_A_RECORD: usize = 1000;
/// A record's tree costs as much as so many filters on it.
const COST_OF_A_TREE: usize = 200;

/// What the filters count in a part of the corpus.
#[derive(Clone)]
struct Counts {
    records: u64,
    matched: Vec<u64>,
}

/// Compares [`scan`] with trees of `serde_json` and what made patterns mean.
pub fn clean(corpus: &Corpus, filters: &Filters) {
    // What `serde_json` does not read has no meaning here.
    let fits = |source: &Source| records_of(source).is_some();
    compare(
        corpus,
        filters,
        "the meaning of each pattern",
        fits,
        |sources| {
            let mut counts = Counts::none(filters);
            for record in sources.iter().filter_map(records_of).flatten() {
                // The built-in filters have no tree here: each pattern alone, on the record alone.
                let text = record.to_string();
                let alone = Object::parse(text.as_bytes()).expect("what was printed is an object");
                let built_in = filters.set.filters().iter().take(filters.built_in());
                let built_in = built_in.map(|filter| filter.pattern.matches_record(alone));
                counts.add(built_in.chain(filters.made.iter().map(|made| made.matches(&record))));
            }
            counts
        },
    );
}

/// Compares [`scan`] with each pattern alone, on records that need not be well-formed.
pub fn odd(corpus: &Corpus, filters: &Filters) {
    compare(
        corpus,
        filters,
        "each pattern by itself",
        |_| true,
        |sources| {
            let mut counts = Counts::none(filters);
            let mut reader = LogFileReader::new();
            for source in sources {
                let name = source.location.rsplit('/').next().unwrap_or_default();
                let folder = match FileName::parse(name).map(|name| name.kind) {
                    Ok(ObjectKind::LogFile(folder)) => Some(folder),
                    _ => None,
                };
                let before = counts.clone();
                let read = reader.read(object(source), folder, |entry| {
                    if let Entry::Record { record, .. } = entry {
                        let all = filters.set.filters().iter();
                        counts.add(all.map(|filter| filter.pattern.matches_record(record)));
                    }
                });
                if read.is_err() {
                    // An object without records counts nothing, here and there.
                    counts = before;
                }
            }
            counts
        },
    );
}

fn compare(
    corpus: &Corpus,
    filters: &Filters,
    with: &str,
    fits: impl Fn(&Source) -> bool,
    count: impl Fn(&[Source]) -> Counts,
) {
    let part = part(corpus, filters.set.filters().len(), fits);
    let started = Instant::now();
    let expected = count(&part);
    let seconds = started.elapsed().as_secs_f64();
    let report = scan(&filters.set, &part, &options(1), |_| {});
    assert_eq!(
        report.records.evaluated, expected.records,
        "every record of the part is evaluated"
    );
    for ((filter, row), expected) in filters
        .set
        .filters()
        .iter()
        .zip(&report.metric_filters)
        .zip(&expected.matched)
    {
        assert_eq!(
            row.matched,
            *expected,
            "the count of {} is that of {with}: {}",
            filter.name,
            filter.pattern.source()
        );
    }
    let matches: u64 = expected.matched.iter().sum();
    let matching = expected.matched.iter().filter(|count| **count > 0);
    eprintln!(
        "counts agree with {with}: {} objects, {} records, {matches} matches of {} of {} filters ({seconds:.1} s)",
        part.len(),
        expected.records,
        matching.count(),
        expected.matched.len(),
    );
}

/// Objects picked at random, as many as can be evaluated one by one in some seconds.
fn part(corpus: &Corpus, filters: usize, fits: impl Fn(&Source) -> bool) -> Vec<Source> {
    let mut left = BUDGET;
    let mut part = Vec::new();
    for source in corpus.shuffled() {
        let cost = (filters + COST_OF_A_TREE) * (1 + inflated_bytes(source) / BYTES_OF_A_RECORD);
        if (cost <= left || part.is_empty()) && fits(source) {
            left = left.saturating_sub(cost);
            part.push(Source {
                location: source.location.clone(),
                content: Content::Memory(object(source).to_vec()),
                named: source.named,
            });
        }
    }
    part
}

/// Every run of a job must count the same.
pub fn same(first: &mut Option<Vec<u64>>, report: &Report) {
    let counts: Vec<u64> = std::iter::once(report.records.evaluated)
        .chain(report.metric_filters.iter().map(|row| row.matched))
        .collect();
    let first = first.get_or_insert_with(|| counts.clone());
    assert_eq!(*first, counts, "every round counts the same");
}

impl Counts {
    fn none(filters: &Filters) -> Self {
        Counts {
            records: 0,
            matched: vec![0; filters.set.filters().len()],
        }
    }

    fn add(&mut self, matches: impl Iterator<Item = bool>) {
        self.records += 1;
        for (count, matches) in self.matched.iter_mut().zip(matches) {
            *count += u64::from(matches);
        }
    }
}
