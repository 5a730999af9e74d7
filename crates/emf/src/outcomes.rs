//! What one invocation of a function did, as metrics about the function itself.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::{Document, Unit, Value, document};

/// Counts of one invocation, written to standard output at its end: the log group of a Lambda function
/// is read for metrics.
///
/// ```
/// let mut outcomes = emf::Outcomes::new("log-processor");
/// outcomes.count("FilesProcessed", 2);
/// outcomes.count("FilesFailed", 0);
/// outcomes.measure("ObjectToReadSeconds", 41.0);
/// outcomes.count_by("Problems", "Kind", "crc_mismatch", 1);
/// let lines = outcomes.lines("Trailwarden", 1_772_421_120_000);
/// assert_eq!(lines.len(), 2);
/// assert!(lines[0].contains(r#""FilesProcessed":2"#) && !lines[0].contains("FilesFailed"));
/// assert!(lines[1].contains(r#""Dimensions":[[],["Kind"]]"#));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    counts: BTreeMap<String, u64>,
    /// By name and value of the dimension.
    counts_by: BTreeMap<(String, String), BTreeMap<String, u64>>,
    /// Times in seconds.
    measured: BTreeMap<String, Vec<f64>>,
    properties: Vec<(String, serde_json::Value)>,
}

impl Outcomes {
    /// No outcomes yet; every line will have the function's name as the property `Function`.
    pub fn new(function: &str) -> Outcomes {
        Outcomes {
            counts: BTreeMap::new(),
            counts_by: BTreeMap::new(),
            measured: BTreeMap::new(),
            properties: vec![("Function".to_owned(), json!(function))],
        }
    }

    /// Adds to a metric without dimensions.
    pub fn count(&mut self, metric: &str, n: u64) {
        add(&mut self.counts, metric, n);
    }

    /// Adds to a metric under one value of a dimension, and to the same metric without dimensions: the
    /// sum of its kinds. (So a metric is counted either here or by [`Outcomes::count`].)
    pub fn count_by(&mut self, metric: &str, dimension: &str, value: &str, n: u64) {
        let key = (dimension.to_owned(), value.to_owned());
        add(self.counts_by.entry(key).or_default(), metric, n);
    }

    /// Adds a time in seconds to a metric whose values matter one by one: its percentiles and its maximum.
    pub fn measure(&mut self, metric: &str, seconds: f64) {
        let values = self.measured.entry(metric.to_owned()).or_default();
        values.push(seconds);
    }

    /// Adds a property to every line.
    pub fn property(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| json!(format!("no JSON form: {error}")));
        self.properties.push((name.to_owned(), value));
    }

    /// What a metric adds up to without dimensions.
    pub fn total(&self, metric: &str) -> u64 {
        self.counts_by
            .values()
            .chain([&self.counts])
            .filter_map(|counts| counts.get(metric))
            .fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The outcomes as lines of embedded metric format: one for the counts without dimensions, then one
    /// for each value of a dimension. Counts of zero are left out, and with them lines without counts.
    pub fn lines(&self, namespace: &str, timestamp_millis: i64) -> Vec<String> {
        let begin = || document(namespace, timestamp_millis);
        let mut totals = begin();
        for (metric, seconds) in &self.measured {
            totals = totals.metric(metric, Unit::Seconds, Value::Many(seconds));
        }
        let plain = self.written(totals, &self.counts, !self.measured.is_empty());
        let by_value = self
            .counts_by
            .iter()
            .flat_map(|((dimension, value), counts)| {
                let with_dimension = begin().dimension_sets(&[&[], &[(dimension, value)]]);
                self.written(with_dimension, counts, false)
            });
        plain.into_iter().chain(by_value).collect()
    }

    /// The document with the counts; nothing if it would be without metrics.
    fn written(
        &self,
        begun: Document,
        counts: &BTreeMap<String, u64>,
        mut has_metrics: bool,
    ) -> Vec<String> {
        let counts = counts.iter().filter(|(_, n)| **n > 0);
        let mut document = begun;
        for (metric, n) in counts {
            document = document.metric(metric, Unit::Count, Value::One(*n as f64));
            has_metrics = true;
        }
        if !has_metrics {
            return Vec::new();
        }
        for (name, value) in &self.properties {
            document = document.property(name, value);
        }
        document.to_json()
    }
}

fn add(counts: &mut BTreeMap<String, u64>, metric: &str, n: u64) {
    let count = counts.entry(metric.to_owned()).or_default();
    *count = count.saturating_add(n);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;

    fn lines(outcomes: &Outcomes) -> Vec<Json> {
        outcomes
            .lines("Trailwarden", 0)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn counts_of_one_metric_add_up() {
        let mut outcomes = Outcomes::new("log-processor");
        outcomes.count("FilesProcessed", 2);
        outcomes.count("FilesProcessed", 3);
        outcomes.count("RecordsRead", 40);
        let lines = lines(&outcomes);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["FilesProcessed"], 5);
        assert_eq!(lines[0]["RecordsRead"], 40);
        assert_eq!(
            lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
            json!([[]])
        );
    }

    #[test]
    fn measured_times_are_told_one_by_one_with_the_counts() {
        let mut outcomes = Outcomes::new("log-processor");
        outcomes.measure("ObjectToReadSeconds", 2.0);
        outcomes.measure("ObjectToReadSeconds", 40.0);
        let told = lines(&outcomes);
        assert_eq!(told.len(), 1, "a line without counts is a line, too");
        assert_eq!(told[0]["ObjectToReadSeconds"], json!([2, 40]));
        let metric = &told[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"][0];
        assert_eq!(metric["Unit"], "Seconds");
        outcomes.count("FilesProcessed", 2);
        outcomes.measure("ObjectToReadSeconds", 0.0);
        let told = lines(&outcomes);
        assert_eq!((told.len(), &told[0]["FilesProcessed"]), (1, &json!(2)));
        assert_eq!(told[0]["ObjectToReadSeconds"], json!([2, 40, 0]));
    }

    #[test]
    fn a_count_by_kind_is_published_with_and_without_the_dimension() {
        let mut outcomes = Outcomes::new("log-processor");
        outcomes.count_by("Problems", "Kind", "crc_mismatch", 1);
        outcomes.count_by("Problems", "Kind", "truncated", 2);
        outcomes.count_by("Problems", "Kind", "truncated", 2);
        let lines = lines(&outcomes);
        let told: Vec<(&Json, &Json)> = lines
            .iter()
            .map(|line| (&line["Kind"], &line["Problems"]))
            .collect();
        assert_eq!(
            told,
            [
                (&json!("crc_mismatch"), &json!(1)),
                (&json!("truncated"), &json!(4))
            ]
        );
        for line in &lines {
            assert_eq!(
                line["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
                json!([[], ["Kind"]])
            );
        }
        assert_eq!(outcomes.total("Problems"), 5);
    }

    #[test]
    fn zero_counts_are_left_out_and_nothing_makes_no_line() {
        let mut outcomes = Outcomes::new("log-processor");
        outcomes.property("request", "r-1");
        outcomes.count("FilesFailed", 0);
        outcomes.count_by("Problems", "Kind", "truncated", 0);
        assert_eq!(lines(&outcomes), Vec::<Json>::new());
        outcomes.count("FilesProcessed", 1);
        let lines = lines(&outcomes);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].get("FilesFailed"), None);
    }

    #[test]
    fn every_line_has_the_function_and_the_properties() {
        let mut outcomes = Outcomes::new("log-processor");
        outcomes.property("request", "r-1");
        outcomes.count("FilesProcessed", 1);
        outcomes.count_by("Problems", "Kind", "truncated", 1);
        for line in lines(&outcomes) {
            assert_eq!(line["Function"], "log-processor");
            assert_eq!(line["request"], "r-1");
        }
    }
}
