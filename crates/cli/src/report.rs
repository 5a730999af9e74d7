//! What `scan` found, as one document. The members that are named here are a contract: more may be
//! added, none goes away.

use std::collections::BTreeMap;

use serde::Serialize;

/// The document that `scan --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Objects: `found = processed + skipped + failed`.
    pub log_files: LogFiles,
    /// Elements of `Records`: `read = evaluated + skipped`.
    pub records: Records,
    /// One entry per filter, in the order of the file.
    pub metric_filters: Vec<MetricFilterRow>,
    /// Newest first.
    pub alarms: Vec<AlarmRow>,
    /// What was skipped or failed, and what was odd, and why; by location.
    pub problems: Vec<ProblemRow>,
}

/// Outcomes of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogFiles {
    /// Objects found.
    pub found: u64,
    /// Objects whose records were evaluated.
    pub processed: u64,
    /// Objects that are no log files, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Log files that could not be read, by kind of failure.
    pub failed: BTreeMap<&'static str, u64>,
    /// Bytes of all processed log files, inflated.
    pub content_bytes: u64,
}

impl LogFiles {
    /// Adds other objects.
    pub(crate) fn add(&mut self, other: &LogFiles) {
        self.found += other.found;
        self.processed += other.processed;
        add_counts(&mut self.skipped, &other.skipped);
        add_counts(&mut self.failed, &other.failed);
        self.content_bytes += other.content_bytes;
    }
}

fn add_counts(counts: &mut BTreeMap<&'static str, u64>, more: &BTreeMap<&'static str, u64>) {
    for (name, count) in more {
        *counts.entry(name).or_default() += count;
    }
}

/// Outcomes of records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Elements of `Records`.
    pub read: u64,
    /// Records held against the filters.
    pub evaluated: u64,
    /// Elements that were not, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Evaluated records without a readable time: the key's or the file's was taken.
    pub time_from_key: u64,
    /// Evaluated records with a time in the future.
    pub future: u64,
    /// The oldest event time, RFC 3339.
    pub first_event_time: Option<String>,
    /// The newest event time that is not in the future, RFC 3339.
    pub last_event_time: Option<String>,
}

impl Records {
    /// Adds the counts of other records; the times stay.
    pub(crate) fn add(&mut self, other: &Records) {
        self.read += other.read;
        self.evaluated += other.evaluated;
        add_counts(&mut self.skipped, &other.skipped);
        self.time_from_key += other.time_from_key;
        self.future += other.future;
    }
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricFilterRow {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// `info` to `critical`.
    pub severity: &'static str,
    /// `live` or `shadow`.
    pub mode: &'static str,
    /// Evaluated records that match, copies included.
    pub matched: u64,
    /// Sum of the metric values of the matches that are not suppressed, copies included.
    pub metric_sum: f64,
    /// Matches that a suppression covers: in no metric and no alarm.
    pub suppressed: u64,
    /// Matches without a number where the metric value should be: no data point.
    pub without_value: u64,
    /// Samples of events that had been seen before: in an alarm an event counts once. Only for
    /// filters with an alarm.
    pub copies: u64,
    /// Alarms; those of a filter in shadow mode are counted here and not listed.
    pub alarms: u64,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlarmRow {
    /// Name of the filter.
    pub filter: String,
    /// Title of the filter.
    pub title: String,
    /// `info` to `critical`.
    pub severity: &'static str,
    /// The value of each selector that the alarm groups by; `null` where the events have none.
    pub group: BTreeMap<String, Option<String>>,
    /// Time of the first event, RFC 3339; `null` if missing data alone is the reason.
    pub first_event_time: Option<String>,
    /// Time of the last event, RFC 3339.
    pub last_event_time: Option<String>,
    /// Distinct events.
    pub matched: u64,
    /// What happened, in one sentence.
    pub story: String,
    /// `open` if later events could still belong to it, else `closed`.
    pub state: &'static str,
    /// The condition: `Sum >= 3 in 300 s`.
    pub condition: String,
    /// When it starts and ends, RFC 3339: what the state is judged by.
    pub start: String,
    /// See `start`.
    pub end: String,
    /// The first events, oldest first.
    pub events: Vec<EventRow>,
}

/// One event of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    /// `eventID`
    pub event_id: Option<String>,
    /// RFC 3339
    pub event_time: String,
    /// `eventName`
    pub event_name: String,
    /// `eventSource`
    pub event_source: String,
    /// Who acted.
    pub actor: String,
    /// `sourceIPAddress`
    pub source_ip: Option<String>,
    /// The account it counts for.
    pub account: String,
    /// `awsRegion`
    pub region: Option<String>,
    /// `errorCode`
    pub error_code: Option<String>,
    /// Did the call fail, by its error or its answer?
    pub failed: bool,
    /// What it was done to.
    pub target: Option<String>,
    /// Path of the log file.
    pub location: String,
    /// The record has no readable time; `event_time` is that of the delivery in the name of the log
    /// file or, failing that, the file's.
    pub time_from_key: bool,
    /// Position in the log file, from 0.
    pub record_index: u64,
}

/// Something that a person should know about an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ProblemRow {
    /// Path of the object.
    pub location: String,
    /// `truncated`, `multiple_members`, ...
    pub kind: String,
    /// What was found and what was expected.
    pub message: String,
    /// What became of the object: `processed`, `skipped` or `failed`.
    pub outcome: &'static str,
}

impl Report {
    /// Does any alarm or failed object stand in it?
    pub fn has_findings(&self) -> bool {
        !self.alarms.is_empty() || self.log_files.failed.values().any(|count| *count > 0)
    }
}
