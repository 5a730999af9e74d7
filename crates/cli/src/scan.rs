//! The whole job: objects in, report out.
//!
//! Worker threads read, inflate and evaluate one object each; what they find goes to one collector,
//! which counts, drops copies and keeps alarms and evidence. What is found does not depend on the
//! order in which the workers finish: everything that is kept is a function of the set of events.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use cloudtrail::{FileName, LogFolder, ObjectKind, Origin, ReadError, lies_in_digest_folder};
use metric_alarm::{AlarmSeries, AlarmStatus, Sample};
use metric_filters::{
    Evaluator, FilterCount, FilterSet, LogFileReport, Match, MetricFilter, Mode, TimeRange,
};
use notification::{Evidence, EvidenceContext, StorySubject};

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
}

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

/// Evaluates all sources and returns what was found. `watch` is called after each object.
pub fn scan(
    set: &FilterSet,
    sources: &[Source],
    options: &Options,
    mut watch: impl FnMut(Progress),
) -> Report {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel(2 * options.threads.get());
    std::thread::scope(|scope| {
        for _ in 0..options.threads.get().min(sources.len().max(1)) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || work(set, sources, options, next, &sender));
        }
        drop(sender);
        collect(set, &receiver, &mut watch).report(set, options)
    })
}

/// One worker: takes the next source until there is none.
fn work(
    set: &FilterSet,
    sources: &[Source],
    options: &Options,
    next: &AtomicUsize,
    sender: &SyncSender<Examined>,
) {
    let mut examiner = Examiner {
        evaluator: set.evaluator(),
        set,
        range: options.range,
        buffer: Vec::new(),
    };
    while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
        let outcome =
            catch_unwind(AssertUnwindSafe(|| examiner.examine(source))).unwrap_or_else(|_| {
                // A fault of ours must not cost the other files; the evaluator may be half way through.
                examiner.evaluator = set.evaluator();
                Outcome::Failed {
                    kind: "internal_error",
                    message: "trailwarden failed on this object; please report it".to_owned(),
                }
            });
        if sender
            .send(Examined {
                location: source.location.clone(),
                outcome,
            })
            .is_err()
        {
            return; // The collector is gone.
        }
    }
}

struct Examined {
    location: String,
    outcome: Outcome,
}

/// What became of one object.
enum Outcome {
    Processed {
        report: LogFileReport,
        found: Vec<Found>,
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

/// One match, as the collector keeps it.
struct Found {
    filter: usize,
    group: Group,
    sample: Sample,
    evidence: Option<Evidence>,
}

type Group = Vec<Option<String>>;

/// Reads and evaluates objects, one after the other.
struct Examiner<'s> {
    set: &'s FilterSet,
    evaluator: Evaluator<'s>,
    range: TimeRange,
    buffer: Vec<u8>,
}

impl Examiner<'_> {
    fn examine(&mut self, source: &Source) -> Outcome {
        let name = source
            .location
            .rsplit(['/', std::path::MAIN_SEPARATOR])
            .next()
            .unwrap_or_default();
        let name = FileName::parse(name).ok();
        let is_digest = name.as_ref().map_or_else(
            || lies_in_digest_folder(&source.location),
            |name| !name.is_log_file(),
        );
        if is_digest {
            return Outcome::Skipped {
                reason: "digest_file",
                message: None,
            };
        }
        let mut origin = Origin {
            location: source.location.clone(),
            delivery_time: name.as_ref().map(|name| name.time),
            last_modified: None,
            account_id: name.as_ref().map(|name| name.account_id.clone()),
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = match &source.content {
            Content::Obstacle(obstacle) => stopped(obstacle),
            Content::Memory(object) => self.evaluate(object, name.as_ref(), &origin),
            Content::File(path) => match read_file(path, &mut buffer) {
                Ok(properties) => {
                    origin.last_modified = properties.last_modified;
                    self.evaluate(&buffer, name.as_ref(), &origin)
                }
                Err(error) => unreadable(&error),
            },
            Content::Stdin => match read_stdin(&mut buffer) {
                Ok(()) => self.evaluate(&buffer, name.as_ref(), &origin),
                Err(error) => unreadable(&error),
            },
        };
        self.buffer = buffer;
        outcome
    }

    fn evaluate(&mut self, object: &[u8], name: Option<&FileName>, origin: &Origin) -> Outcome {
        let folder = name.and_then(|name| match name.kind {
            ObjectKind::LogFile(folder) => Some(folder),
            ObjectKind::DigestFile { .. } => None,
        });
        let mut found = Vec::new();
        let filters = self.set.filters();
        let result = self
            .evaluator
            .evaluate(object, folder, origin, self.range, |matching| {
                found.extend(
                    filters
                        .get(matching.filter)
                        .and_then(|filter| keep(filter, &matching, origin)),
                );
            });
        match result {
            Ok(report) => Outcome::Processed { report, found },
            Err(error) => no_records(&error, folder, origin),
        }
    }
}

/// What is kept of a match: nothing if it can be in no alarm; evidence only if it can be told.
fn keep(filter: &MetricFilter, matching: &Match<'_>, origin: &Origin) -> Option<Found> {
    let (Some(_), None, Some(value)) = (&filter.alarm, matching.suppressed_by, matching.value)
    else {
        return None;
    };
    let evidence = (filter.mode == Mode::Live).then(|| {
        let context = EvidenceContext {
            time: matching.time,
            time_from_key: matching.time_from_key,
            account: matching.account,
            region: None,
            location: &origin.location,
            record_index: matching.record_index,
        };
        Evidence::of(matching.record, &context)
    });
    Some(Found {
        filter: matching.filter,
        group: matching.group.clone(),
        sample: Sample {
            time: matching.time,
            id: matching.identity,
            value,
        },
        evidence,
    })
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

/// An object without records has failed if its name says that it is a log file, or if it is broken;
/// otherwise it is somebody else's.
fn no_records(error: &ReadError, folder: Option<LogFolder>, origin: &Origin) -> Outcome {
    let expected = folder.is_some() || origin.location == "-";
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

/// What is kept of one group of one filter.
struct Kept {
    series: AlarmSeries,
    evidence: HashMap<u64, Evidence>,
}

fn collect(
    set: &FilterSet,
    receiver: &Receiver<Examined>,
    watch: &mut impl FnMut(Progress),
) -> Collected {
    let mut collected = Collected {
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
    };
    for examined in receiver {
        collected.add(set, examined);
        watch(Progress {
            files: collected.log_files.found,
            content_bytes: collected.log_files.content_bytes,
            records: collected.records.read,
        });
    }
    collected
}

impl Collected {
    fn add(&mut self, set: &FilterSet, examined: Examined) {
        let Examined { location, outcome } = examined;
        self.log_files.found += 1;
        match outcome {
            Outcome::Processed { report, found } => {
                self.log_files.processed += 1;
                self.processed(location, report);
                self.found(set, found);
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
        self.oldest = [self.oldest, report.oldest_event_time]
            .into_iter()
            .flatten()
            .min();
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

    /// Adds the matches of one object, those of a group together: a series takes many samples at
    /// once for little more than one.
    fn found(&mut self, set: &FilterSet, found: Vec<Found>) {
        let mut samples: HashMap<(usize, Group), Vec<Sample>> = HashMap::new();
        for Found {
            filter,
            group,
            sample,
            evidence,
        } in found
        {
            if let Some(evidence) = evidence {
                self.keep_evidence(set, (filter, group.clone()), sample.id, evidence);
            }
            samples.entry((filter, group)).or_default().push(sample);
        }
        for (key, samples) in samples {
            if let Some(kept) = self.kept(set, key) {
                kept.series.add(&samples);
            }
        }
    }

    /// Of copies the smallest is kept, so that the order of arrival does not matter.
    fn keep_evidence(&mut self, set: &FilterSet, key: (usize, Group), id: u64, evidence: Evidence) {
        let Some(kept) = self.kept(set, key) else {
            return;
        };
        match kept.evidence.get_mut(&id) {
            Some(known) if *known <= evidence => {}
            Some(known) => *known = evidence,
            None => drop(kept.evidence.insert(id, evidence)),
        }
    }

    fn kept(&mut self, set: &FilterSet, key: (usize, Group)) -> Option<&mut Kept> {
        let alarm = set.filters().get(key.0)?.alarm.as_ref()?;
        Some(self.groups.entry(key).or_insert_with(|| Kept {
            series: AlarmSeries::new(alarm.definition.clone()),
            evidence: HashMap::new(),
        }))
    }

    fn report(mut self, set: &FilterSet, options: &Options) -> Report {
        let now = options.now.or(self.newest).unwrap_or_default();
        let mut alarms_of = vec![0; set.filters().len()];
        let mut alarms = Vec::new();
        for ((index, group), kept) in &self.groups {
            let (Some(filter), Some(count)) =
                (set.filters().get(*index), alarms_of.get_mut(*index))
            else {
                continue;
            };
            let found = kept.series.alarms(now);
            *count += found.len() as u64;
            if filter.mode == Mode::Live {
                alarms.extend(found.iter().map(|alarm| {
                    alarm_row(filter, group, alarm, &kept.evidence, options.max_events)
                }));
            }
        }
        alarms.sort_by(|a: &AlarmRow, b: &AlarmRow| newest_first(a).cmp(&newest_first(b)));
        self.problems.sort();
        self.records.first_event_time = self.oldest.map(time::rfc3339);
        self.records.last_event_time = self.newest.map(time::rfc3339);
        Report {
            log_files: self.log_files,
            records: self.records,
            metric_filters: filter_rows(set, &self.counts, &alarms_of),
            alarms,
            problems: self.problems,
        }
    }
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

fn filter_rows(set: &FilterSet, counts: &[FilterCount], alarms_of: &[u64]) -> Vec<MetricFilterRow> {
    let rows = set.filters().iter().zip(counts).zip(alarms_of);
    rows.map(|((filter, count), alarms)| MetricFilterRow {
        name: filter.name.clone(),
        title: filter.title.clone(),
        severity: filter.severity.name(),
        mode: filter.mode.name(),
        matched: count.matched,
        metric_sum: count.metric_sum,
        suppressed: count.suppressed,
        without_value: count.without_value,
        alarms: *alarms,
    })
    .collect()
}

fn alarm_row(
    filter: &MetricFilter,
    group: &Group,
    alarm: &metric_alarm::Alarm,
    evidence: &HashMap<u64, Evidence>,
    max_events: usize,
) -> AlarmRow {
    let events: Vec<&Evidence> = alarm
        .samples
        .iter()
        .filter_map(|(_, id)| evidence.get(id))
        .collect();
    let selectors = filter
        .alarm
        .as_ref()
        .map(|alarm| alarm.group_by.as_slice())
        .unwrap_or_default();
    let group: BTreeMap<String, Option<String>> = selectors
        .iter()
        .map(ToString::to_string)
        .zip(group.iter().cloned())
        .collect();
    let condition = filter
        .alarm
        .as_ref()
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
        group,
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

fn event_row(evidence: &Evidence) -> EventRow {
    let Evidence {
        event_id,
        time,
        event_name,
        event_source,
        actor,
        source_ip,
        account,
        region,
        ..
    } = evidence.clone();
    EventRow {
        event_id,
        event_time: time::rfc3339(time),
        event_name,
        event_source,
        actor,
        source_ip,
        account,
        region,
        error_code: evidence.error_code.clone(),
        failed: evidence.outcome != notification::Outcome::Succeeded,
        target: evidence.target.clone(),
        location: evidence.location.clone(),
        record_index: evidence.record_index,
    }
}
