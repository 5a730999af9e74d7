//! The whole job: objects in, report out.
//!
//! Worker threads read, inflate and evaluate one object each. Each collects for itself: it counts and keeps what alarms and evidence
//! need; at the end what they have is put together. What is found does not depend on who did
//! what, nor in which order: everything that is kept is a function of the set of events.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use cloudtrail::{FileName, ObjectKind, Origin, ReadError};
use filter_pattern::Selector;
use metric_alarm::{AlarmSeries, AlarmStatus, Sample};
use metric_filters::{
    Evaluator, FilterCount, FilterSet, LogFileReport, Match, MetricFilter, Mode, TimeRange,
};
use notification::{Evidence, EvidenceContext, StorySubject};

use crate::kept::Kept;
use crate::report::{AlarmRow, EventRow, LogFiles, MetricFilterRow, ProblemRow, Records, Report};
use crate::source::{Content, Obstacle, Source, read_file, read_stdin};
use crate::time;

/// What to evaluate and how.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which events.
    pub range: TimeRange,
    /// The time at which alarms are judged, in Unix seconds; the newest event if not given.
    pub now: Option<i64>,
    /// How many events of an alarm are shown.
    pub max_events: usize,
    /// How many objects are read at the same time.
    pub threads: NonZeroUsize,
    /// The time now, in Unix seconds: what is read from standard input was last modified now.
    pub clock: i64,
}

/// More threads than this are of no use to anybody.
const MOST_THREADS: usize = 256;

/// How far a scan is, for who wants to watch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Objects done.
    pub files: u64,
    /// Bytes read of them, inflated.
    pub content_bytes: u64,
    /// Records in them.
    pub records: u64,
}

/// Evaluates all sources and returns what was found. `watch` is called after each object, or with several threads from time to time.
pub fn scan(
    set: &FilterSet,
    sources: &[Source],
    options: &Options,
    mut watch: impl FnMut(Progress),
) -> Report {
    let threads = options
        .threads
        .get()
        .min(sources.len().max(1))
        .min(MOST_THREADS);
    let work = Work {
        set,
        sources,
        options,
        next: AtomicUsize::new(0),
        files: AtomicU64::new(0),
        content_bytes: AtomicU64::new(0),
        records: AtomicU64::new(0),
    };
    let collected = match threads {
        // Nobody to wait for.
        1 => work.run(|| watch(work.progress())),
        _ => work.run_on(threads, watch),
    };
    collected.report(set, options, threads)
}

/// What all workers share.
struct Work<'w> {
    set: &'w FilterSet,
    sources: &'w [Source],
    options: &'w Options,
    /// The source that is to be read next.
    next: AtomicUsize,
    files: AtomicU64,
    content_bytes: AtomicU64,
    records: AtomicU64,
}

/// How often somebody who watches hears of several threads.
const WATCH_EVERY: Duration = Duration::from_millis(100);

impl Work<'_> {
    fn progress(&self) -> Progress {
        Progress {
            files: self.files.load(Ordering::Relaxed),
            content_bytes: self.content_bytes.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
        }
    }

    fn run_on(&self, threads: usize, mut watch: impl FnMut(Progress)) -> Collected {
        // Nothing is ever sent: it is disconnected when all are done.
        let (at_work, all) = channel::<()>();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let at_work = at_work.clone();
                    scope.spawn(move || {
                        let collected = self.run(|| {});
                        drop(at_work);
                        collected
                    })
                })
                .collect();
            drop(at_work);
            while all.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                watch(self.progress());
            }
            watch(self.progress());
            let mut together = Collected::new(self.set);
            for worker in workers {
                match worker.join() {
                    Ok(collected) => together.merge(collected),
                    Err(panic) => resume_unwind(panic),
                }
            }
            together
        })
    }

    /// One worker: takes the next source until there is none.
    fn run(&self, mut after_each: impl FnMut()) -> Collected {
        let (set, options) = (self.set, self.options);
        let mut collected = Collected::new(set);
        let mut examiner = Examiner {
            evaluator: set.evaluator(),
            set,
            range: options.range,
            clock: options.clock,
            buffer: Vec::new(),
        };
        while let Some(source) = self.sources.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = catch_unwind(AssertUnwindSafe(|| examiner.examine(source)))
                .unwrap_or_else(|_| {
                    // A fault of ours must not cost the other files; the evaluator may be half way through.
                    examiner.evaluator = set.evaluator();
                    Outcome::Failed {
                        kind: "internal_error",
                        message: "trailwarden failed on this object; please report it".to_owned(),
                    }
                });
            self.files.fetch_add(1, Ordering::Relaxed);
            if let Outcome::Processed { report, .. } = &outcome {
                let summary = &report.summary;
                let bytes = summary.content_bytes;
                self.content_bytes.fetch_add(bytes, Ordering::Relaxed);
                self.records.fetch_add(summary.read, Ordering::Relaxed);
            }
            collected.add(source.location.clone(), outcome);
            after_each();
        }
        collected
    }
}

/// What became of one object.
enum Outcome {
    Processed {
        report: LogFileReport,
        found: HashMap<(usize, Group), Kept>,
    },
    Skipped {
        reason: &'static str,
        message: Option<String>,
    },
    Failed {
        kind: &'static str,
        message: String,
    },
}

type Group = Vec<Option<String>>;

/// Reads and evaluates objects, one after the other.
struct Examiner<'s> {
    set: &'s FilterSet,
    evaluator: Evaluator<'s>,
    range: TimeRange,
    clock: i64,
    buffer: Vec<u8>,
}

/// A buffer that grew larger for one object is given back after it.
const KEPT_BUFFER_BYTES: usize = 32 << 20;

impl Examiner<'_> {
    fn examine(&mut self, source: &Source) -> Outcome {
        let name = source
            .location
            .rsplit(['/', std::path::MAIN_SEPARATOR])
            .next()
            .unwrap_or_default();
        let name = FileName::parse(name).ok();
        let is_digest = name.as_ref().is_some_and(|name| !name.is_log_file());
        if is_digest && !matches!(source.content, Content::Obstacle(_)) {
            return Outcome::Skipped {
                reason: "digest_file",
                message: None,
            };
        }
        let expected = source.named || name.is_some();
        let mut origin = Origin {
            location: source.location.clone(),
            delivery_time: name.as_ref().map(|name| name.time),
            last_modified: None,
            account_id: name.as_ref().map(|name| name.account_id.clone()),
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = match &source.content {
            Content::Obstacle(obstacle) => stopped(obstacle),
            Content::Memory(object) => self.evaluate(object, name.as_ref(), &origin, expected),
            Content::File(path) => match read_file(path, &mut buffer) {
                Ok(properties) => {
                    origin.last_modified = properties.last_modified;
                    self.evaluate(&buffer, name.as_ref(), &origin, expected)
                }
                Err(error) => unreadable(&error),
            },
            Content::Stdin => match read_stdin(&mut buffer) {
                Ok(()) => {
                    origin.last_modified = Some(self.clock);
                    self.evaluate(&buffer, name.as_ref(), &origin, expected)
                }
                Err(error) => unreadable(&error),
            },
        };
        if buffer.capacity() <= KEPT_BUFFER_BYTES {
            self.buffer = buffer;
        }
        outcome
    }

    /// `expected` says that the object was named, by its own name or by the user, as a log file.
    fn evaluate(
        &mut self,
        object: &[u8],
        name: Option<&FileName>,
        origin: &Origin,
        expected: bool,
    ) -> Outcome {
        let folder = name.and_then(|name| match name.kind {
            ObjectKind::LogFile(folder) => Some(folder),
            ObjectKind::DigestFile { .. } => None,
        });
        let mut found = HashMap::new();
        let mut last = None;
        let filters = self.set.filters();
        let each = |matching: Match<'_>| {
            if let Some(filter) = filters.get(matching.filter) {
                keep(filter, matching, origin, &mut found, &mut last);
            }
        };
        match self
            .evaluator
            .evaluate(object, folder, origin, self.range, each)
        {
            Ok(report) => Outcome::Processed { report, found },
            Err(error) => no_records(&error, expected, origin),
        }
    }
}

/// Keeps of a match what an alarm needs: nothing if it can be in none; evidence only if it can be
/// told. `last` is the record whose evidence was made last, and that evidence: filters that match the same record share it.
fn keep(
    filter: &MetricFilter,
    matching: Match<'_>,
    origin: &Origin,
    found: &mut HashMap<(usize, Group), Kept>,
    last: &mut Option<(u64, Arc<Evidence>)>,
) {
    let (Some(_), None, Some(value)) = (&filter.alarm, matching.suppressed_by, matching.value)
    else {
        return;
    };
    let (time, id) = (matching.time, matching.identity);
    let kept = found.entry((matching.filter, matching.group)).or_default();
    kept.samples.push(Sample { time, id, value });
    if filter.mode == Mode::Live && kept.wants_evidence(time, id) {
        let evidence = match last {
            Some((index, evidence)) if *index == matching.record_index => Arc::clone(evidence),
            _ => {
                let context = EvidenceContext {
                    time,
                    time_from_key: matching.time_from_key,
                    account: matching.account,
                    region: None,
                    location: &origin.location,
                    record_index: matching.record_index,
                };
                let evidence = Arc::new(Evidence::of(matching.record, &context));
                *last = Some((matching.record_index, Arc::clone(&evidence)));
                evidence
            }
        };
        kept.keep_evidence(time, id, evidence);
    }
}

fn stopped(obstacle: &Obstacle) -> Outcome {
    match obstacle {
        Obstacle::SymlinkLoop => Outcome::Skipped {
            reason: "symlink_loop",
            message: Some(
                "the link leads back to a folder around it; it was not followed".to_owned(),
            ),
        },
        Obstacle::NotAFile => Outcome::Skipped {
            reason: "not_a_file",
            message: Some("a pipe, socket or device, expected a file".to_owned()),
        },
        Obstacle::Unreadable(why) => Outcome::Failed {
            kind: "unreadable",
            message: why.clone(),
        },
    }
}

fn unreadable(error: &std::io::Error) -> Outcome {
    let kind = match error.kind() {
        std::io::ErrorKind::FileTooLarge => "too_large",
        _ => "unreadable",
    };
    Outcome::Failed {
        kind,
        message: error.to_string(),
    }
}

/// An object without records has failed if it is expected to be a log file, or if it is broken;
/// otherwise it is somebody else's.
fn no_records(error: &ReadError, expected: bool, origin: &Origin) -> Outcome {
    let message = error.to_string();
    match error {
        ReadError::DigestFile => Outcome::Skipped {
            reason: "digest_file",
            message: None,
        },
        ReadError::Empty if origin.location.ends_with("$folder$") => Outcome::Skipped {
            reason: "folder_marker",
            message: None,
        },
        ReadError::Gzip { .. } => Outcome::Failed {
            kind: error.kind(),
            message,
        },
        _ if expected => Outcome::Failed {
            kind: error.kind(),
            message,
        },
        _ => Outcome::Skipped {
            reason: "not_a_log_file",
            message: Some(message),
        },
    }
}

/// Reasons and kinds that stand in every report, also with 0.
const SKIPPED_FILES: [&str; 3] = ["digest_file", "folder_marker", "not_a_log_file"];
const FAILED_FILES: [&str; 9] = [
    "truncated",
    "crc_mismatch",
    "length_mismatch",
    "corrupt_gzip",
    "empty",
    "not_json",
    "no_records",
    "records_not_an_array",
    "unreadable",
];
const SKIPPED_RECORDS: [&str; 4] = ["not_an_object", "unterminated", "too_large", "out_of_range"];

/// Everything found so far.
struct Collected {
    log_files: LogFiles,
    records: Records,
    oldest: Option<i64>,
    newest: Option<i64>,
    counts: Vec<FilterCount>,
    groups: HashMap<(usize, Group), Kept>,
    problems: Vec<ProblemRow>,
}

impl Collected {
    fn new(set: &FilterSet) -> Self {
        Collected {
            log_files: LogFiles {
                skipped: SKIPPED_FILES.map(|reason| (reason, 0)).into(),
                failed: FAILED_FILES.map(|kind| (kind, 0)).into(),
                ..LogFiles::default()
            },
            records: Records {
                skipped: SKIPPED_RECORDS.map(|reason| (reason, 0)).into(),
                ..Records::default()
            },
            oldest: None,
            newest: None,
            counts: vec![FilterCount::default(); set.filters().len()],
            groups: HashMap::new(),
            problems: Vec::new(),
        }
    }

    fn add(&mut self, location: String, outcome: Outcome) {
        self.log_files.found += 1;
        match outcome {
            Outcome::Processed { report, found } => {
                self.log_files.processed += 1;
                self.processed(location, report);
                self.found(found);
            }
            Outcome::Skipped { reason, message } => {
                *self.log_files.skipped.entry(reason).or_default() += 1;
                let row = |message| ProblemRow {
                    location,
                    kind: reason.to_owned(),
                    message,
                    outcome: "skipped",
                };
                self.problems.extend(message.map(row));
            }
            Outcome::Failed { kind, message } => {
                *self.log_files.failed.entry(kind).or_default() += 1;
                self.problems.push(ProblemRow {
                    location,
                    kind: kind.to_owned(),
                    message,
                    outcome: "failed",
                });
            }
        }
    }

    fn processed(&mut self, location: String, report: LogFileReport) {
        let records = &mut self.records;
        records.read += report.summary.read;
        records.evaluated += report.evaluated;
        records.time_from_key += report.time_from_key;
        records.future += report.future;
        for (reason, count) in &report.summary.skipped {
            *records.skipped.entry(reason.name()).or_default() += count;
        }
        *records.skipped.entry("out_of_range").or_default() += report.out_of_range;
        self.log_files.content_bytes += report.summary.content_bytes;
        self.newest = self.newest.max(report.newest_event_time);
        self.oldest = earlier(self.oldest, report.oldest_event_time);
        for (count, more) in self.counts.iter_mut().zip(&report.filters) {
            count.add(more);
        }
        self.problems.extend(
            report
                .summary
                .problems
                .into_iter()
                .map(|problem| ProblemRow {
                    location: location.clone(),
                    kind: problem.kind.name().to_owned(),
                    message: problem.message,
                    outcome: "processed",
                }),
        );
    }

    /// Adds what another worker has.
    fn merge(&mut self, other: Collected) {
        self.log_files.add(&other.log_files);
        self.records.add(&other.records);
        self.newest = self.newest.max(other.newest);
        self.oldest = earlier(self.oldest, other.oldest);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            count.add(more);
        }
        self.found(other.groups);
        self.problems.extend(other.problems);
    }

    fn found(&mut self, found: HashMap<(usize, Group), Kept>) {
        for (key, kept) in found {
            self.groups.entry(key).or_default().merge(kept);
        }
    }

    fn report(mut self, set: &FilterSet, options: &Options, threads: usize) -> Report {
        let judge = Judge {
            set,
            now: options.now.or(self.newest).unwrap_or_default(),
            max_events: options.max_events,
        };
        let groups: Vec<_> = std::mem::take(&mut self.groups).into_iter().collect();
        let (totals, mut alarms) = judge.judge(&groups, threads);
        alarms.sort_by(|a: &AlarmRow, b: &AlarmRow| newest_first(a).cmp(&newest_first(b)));
        self.problems.sort();
        self.records.first_event_time = self.oldest.map(time::rfc3339);
        self.records.last_event_time = self.newest.map(time::rfc3339);
        Report {
            log_files: self.log_files,
            records: self.records,
            metric_filters: filter_rows(set, &self.counts, &totals),
            alarms,
            problems: self.problems,
        }
    }
}

/// Finds the alarms among the groups.
struct Judge<'j> {
    set: &'j FilterSet,
    now: i64,
    max_events: usize,
}

/// A group of a filter, and what is kept of its matches.
type KeptGroup = ((usize, Group), Kept);

/// Fewer groups than this are not worth a thread.
const FEW_GROUPS: usize = 64;

impl Judge<'_> {
    /// The totals of each filter, and the alarms in any order.
    fn judge(&self, groups: &[KeptGroup], threads: usize) -> (Vec<Totals>, Vec<AlarmRow>) {
        let share = groups.len().div_ceil(threads).max(FEW_GROUPS);
        let mut shares = groups.chunks(share);
        let first = shares.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = shares
                .map(|share| scope.spawn(|| self.judge_share(share)))
                .collect();
            let (mut totals, mut alarms) = self.judge_share(first);
            for other in others {
                let (more, found) = other.join().unwrap_or_else(|panic| resume_unwind(panic));
                for (total, more) in totals.iter_mut().zip(more) {
                    total.alarms += more.alarms;
                    total.copies += more.copies;
                }
                alarms.extend(found);
            }
            (totals, alarms)
        })
    }

    fn judge_share(&self, groups: &[KeptGroup]) -> (Vec<Totals>, Vec<AlarmRow>) {
        let mut totals = vec![Totals::default(); self.set.filters().len()];
        let mut alarms = Vec::new();
        for ((index, group), kept) in groups {
            let (Some(filter), Some(totals)) =
                (self.set.filters().get(*index), totals.get_mut(*index))
            else {
                continue;
            };
            let Some(settings) = &filter.alarm else {
                continue;
            };
            let mut series = AlarmSeries::new(settings.definition.clone());
            series.add(&kept.samples);
            let found = series.alarms(self.now);
            totals.alarms += found.len() as u64;
            totals.copies += (kept.samples.len() - series.len()) as u64;
            if filter.mode == Mode::Live {
                let row = |alarm| alarm_row(filter, group, alarm, kept, self.max_events);
                alarms.extend(found.iter().map(row));
            }
        }
        (totals, alarms)
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// Newest first; what is equally new by how bad it is, then by name and group.
fn newest_first(alarm: &AlarmRow) -> impl Ord {
    let severity: Option<metric_filters::Severity> = alarm.severity.parse().ok();
    let newest = alarm
        .last_event_time
        .clone()
        .unwrap_or_else(|| alarm.end.clone());
    (
        std::cmp::Reverse(cloudtrail::parse_time(&newest)),
        std::cmp::Reverse(severity),
        alarm.filter.clone(),
        alarm.group.clone(),
    )
}

/// What the groups of one filter add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    alarms: u64,
    /// Samples of events that were there already.
    copies: u64,
}

fn filter_rows(set: &FilterSet, counts: &[FilterCount], totals: &[Totals]) -> Vec<MetricFilterRow> {
    let rows = set.filters().iter().zip(counts).zip(totals);
    rows.map(|((filter, count), totals)| MetricFilterRow {
        name: filter.name.clone(),
        title: filter.title.clone(),
        severity: filter.severity.name(),
        mode: filter.mode.name(),
        matched: count.matched,
        metric_sum: count.metric_sum(),
        suppressed: count.suppressed,
        without_value: count.without_value,
        copies: totals.copies,
        alarms: totals.alarms,
    })
    .collect()
}

fn alarm_row(
    filter: &MetricFilter,
    group: &Group,
    alarm: &metric_alarm::Alarm,
    kept: &Kept,
    max_events: usize,
) -> AlarmRow {
    let evidence = |(time, id): &(i64, u64)| kept.evidence(*time, *id);
    let events: Vec<&Evidence> = alarm.samples.iter().filter_map(evidence).collect();
    let settings = filter.alarm.as_ref();
    let selectors = settings
        .map(|alarm| alarm.group_by.as_slice())
        .unwrap_or_default();
    let condition = settings
        .map(|alarm| alarm.definition.to_string())
        .unwrap_or_default();
    let subject = StorySubject {
        title: &filter.title,
        severity: filter.severity.name(),
        threshold: None,
    };
    AlarmRow {
        filter: filter.name.clone(),
        title: filter.title.clone(),
        severity: filter.severity.name(),
        group: selectors
            .iter()
            .zip(group)
            .map(|(selector, value)| shown(selector, value))
            .collect(),
        first_event_time: alarm.first_event_time.map(time::rfc3339),
        last_event_time: alarm.last_event_time.map(time::rfc3339),
        matched: alarm.matched as u64,
        story: notification::story(&events, alarm.matched, &subject),
        state: match alarm.state {
            AlarmStatus::Open => "open",
            AlarmStatus::Closed => "closed",
        },
        condition,
        start: time::rfc3339(alarm.start),
        end: time::rfc3339(alarm.end),
        events: events.into_iter().take(max_events).map(event_row).collect(),
    }
}

/// A value of a group as it may leave.
fn shown(selector: &Selector, value: &Option<String>) -> (String, Option<String>) {
    let name = selector.to_string();
    let value = value.as_deref();
    let value = value.map(|value| notification::group_value(&name, value));
    (name, value)
}

fn event_row(evidence: &Evidence) -> EventRow {
    EventRow {
        event_id: evidence.event_id.clone(),
        event_time: time::rfc3339(evidence.time),
        event_name: evidence.event_name.clone(),
        event_source: evidence.event_source.clone(),
        actor: evidence.actor.clone(),
        source_ip: evidence.source_ip.clone(),
        account: evidence.account.clone(),
        region: evidence.region.clone(),
        error_code: evidence.error_code.clone(),
        failed: evidence.outcome != notification::Outcome::Succeeded,
        target: evidence.target.clone(),
        location: evidence.location.clone(),
        time_from_key: evidence.time_from_key,
        record_index: evidence.record_index,
    }
}
