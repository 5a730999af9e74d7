//! What must hold once everything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use alarm_state::{FileEntry, FileStatus, HORIZON_SECONDS, Head, file_key};
use metric_alarm::AlarmStatus;
use metric_filters::TimeRange;
use ports::{Body, Clock as _, Item};
use serde_json::Value;
use testkit::{Fault, run};
use trailwarden::report::Report;
use trailwarden::scan::{Options, scan};
use trailwarden::source::{Content, Source};

use crate::play::Played;
use crate::scene::{BUCKET, File, SLIDING, START, Scene, TOLD, filters};

/// Log files come within so many seconds.
const WATERMARK_SECONDS: i64 = 900;

/// An alarm as both sides tell it: filter, group, start, end, matched, open.
type Row = (String, Vec<Option<String>>, String, String, u64, bool);

/// Panics if something does not hold.
pub(crate) fn check(scene: &Scene, played: &Played) {
    files_are_done(scene, played);
    outcomes_add_up(scene, played);
    metrics_are_whole(scene, played);
    let groups = groups(played);
    alarms_are_those_of_scan(scene, played, &groups);
    incidents_agree_with_alarms(&groups, played.world.now());
    steps_are_told(played, &groups);
}

/// One group as it is in the table.
struct Group {
    head: Head,
    alarms: Vec<metric_alarm::Alarm>,
}

fn groups(played: &Played) -> Vec<Group> {
    let now = played.world.now();
    let heads = played.world.items().into_iter();
    let heads = heads.filter(|item| item.key.sort == "head");
    let group = |item: Item| {
        let partition = &item.key.partition;
        let alarms =
            alarm_notifier::alarms_of_group(&played.world, partition, now, now - WATERMARK_SECONDS);
        Group {
            head: Head::parse(text(&item)).unwrap(),
            alarms: run(alarms).unwrap().unwrap(),
        }
    };
    heads.map(group).collect()
}

fn files_are_done(scene: &Scene, played: &Played) {
    let items = played.world.items();
    for file in &scene.files {
        let (partition, sort) = file_key(BUCKET, &file.key);
        let entry = items
            .iter()
            .find(|item| item.key.partition == partition && item.key.sort == sort)
            .unwrap_or_else(|| panic!("{} is not in the ledger", file.key));
        let entry = FileEntry::parse(text(entry)).unwrap();
        let expected = match file.is_log_file {
            true => FileStatus::Done,
            false => FileStatus::Skipped,
        };
        assert_eq!(entry.status, expected, "{} in the ledger", file.key);
    }
    assert!(
        played.world.sent("dead-letters").is_empty(),
        "nothing is poison"
    );
}

fn outcomes_add_up(scene: &Scene, played: &Played) {
    let mut files = 0.0;
    for (announced, lines) in &played.processed {
        let count = |name: &str| lines.iter().map(|line| total(line, name)).sum::<f64>();
        let outcomes = [
            "FilesProcessed",
            "FilesSkipped",
            "FilesFailed",
            "FilesInProgress",
        ];
        let outcomes: f64 = outcomes.iter().map(|name| count(name)).sum();
        assert_eq!(
            outcomes, *announced as f64,
            "outcomes of what was announced: {lines:?}"
        );
        assert_eq!(
            count("RecordsRead"),
            count("RecordsEvaluated") + count("RecordsSkipped"),
            "records: {lines:?}"
        );
        files += count("FilesProcessed");
    }
    let log_files = scene.files.iter().filter(|file| file.is_log_file).count() as f64;
    assert!(
        files <= log_files,
        "{files} of {log_files} files are counted as processed"
    );
    if played.faults.is_empty() && played.timeouts == 0 {
        assert_eq!(files, log_files, "each file is processed once");
    }
}

/// What a line in embedded metric format counts under a name.
fn total(line: &str, name: &str) -> f64 {
    let line: Value = serde_json::from_str(line).unwrap();
    match &line[name] {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).sum(),
        value => value.as_f64().unwrap_or_default(),
    }
}

fn metrics_are_whole(scene: &Scene, played: &Played) {
    let logs = played.world.logs();
    let all = report(scene, START, |_| true);
    // What is surely in: neither too old nor too new at any time of the run.
    let sure = report(scene, START, |time| {
        (START - 12 * 86_400..=START + 900).contains(&time)
    });
    let once = is_written_once(played);
    for (row, sure) in all.metric_filters.iter().zip(&sure.metric_filters) {
        let sum: f64 = logs.iter().map(|log| total(&log.message, &row.name)).sum();
        let (least, most) = match scene.has_odd_times {
            true => (sure.metric_sum, row.metric_sum),
            false => (row.metric_sum, row.metric_sum),
        };
        assert!(
            sum >= least,
            "{}: metric {sum}, expected at least {least}",
            row.name
        );
        if once {
            assert!(
                sum <= most,
                "{}: metric {sum}, expected at most {most}",
                row.name
            );
        }
    }
}

/// Whether nothing went wrong between writing metrics and marking the file as done.
fn is_written_once(played: &Played) -> bool {
    let may_write_again = |(request, _): &(String, Fault)| {
        request.starts_with("PutLogEvents") || request.starts_with("PutItem file#")
    };
    played.timeouts == 0
        && !played
            .faults
            .iter()
            .any(|fault| may_write_again(fault) || is_death(fault))
}

/// A death costs whatever else the process was at work on.
fn is_death((_, fault): &(String, Fault)) -> bool {
    matches!(fault, Fault::DieBefore | Fault::DieAfter)
}

fn alarms_are_those_of_scan(scene: &Scene, played: &Played, groups: &[Group]) {
    let report = report(scene, played.world.now() - WATERMARK_SECONDS, |_| true);
    let expected: BTreeSet<Row> = report
        .alarms
        .iter()
        .map(|alarm| {
            (
                alarm.filter.clone(),
                alarm.group.values().cloned().collect(),
                alarm.start.clone(),
                alarm.end.clone(),
                alarm.matched,
                alarm.state == "open",
            )
        })
        .collect();
    let row = |group: &Group, alarm: &metric_alarm::Alarm| {
        (
            group.head.filter.name.clone(),
            group.head.group.clone(),
            testkit::time(alarm.start),
            testkit::time(alarm.end),
            alarm.matched as u64,
            alarm.state == AlarmStatus::Open,
        )
    };
    let of_group = |group| move |alarm| row(group, alarm);
    let found: BTreeSet<Row> = groups
        .iter()
        .flat_map(|group| group.alarms.iter().map(of_group(group)))
        .collect();
    assert_eq!(
        found, expected,
        "alarms of the table (left) and of scan (right)"
    );
}

fn incidents_agree_with_alarms(groups: &[Group], now: i64) {
    for group in groups {
        let name = group.head.filter.name.as_str();
        for alarm in &group.alarms {
            let overlaps = |incident: &&alarm_state::Incident| {
                incident.start < alarm.end && alarm.start < incident.end
            };
            let incidents: Vec<_> = group.head.incidents.iter().filter(overlaps).collect();
            if SLIDING.contains(&name) {
                assert_eq!(incidents.len(), 1, "{name}: incidents of {alarm:?}");
                let incident = incidents[0];
                let (start, end) = (incident.start, incident.end);
                assert_eq!((start, end), (alarm.start, alarm.end), "{name}: when");
                assert_eq!(incident.matched, alarm.matched as u64, "{name}: how many");
            } else if alarm.state == AlarmStatus::Open || alarm.start >= now - HORIZON_SECONDS {
                // What began and ended at the edge of what is remembered may be none.
                assert!(!incidents.is_empty(), "{name}: no incident of {alarm:?}");
            }
        }
        if SLIDING.contains(&name) {
            assert_eq!(
                group.head.incidents.len(),
                group.alarms.len(),
                "{name}: incidents"
            );
        }
    }
}

/// A step as it was published.
struct Step {
    filter: String,
    may_be_repeat: bool,
    matched: u64,
}

/// By incident and number.
type Steps = BTreeMap<(String, u32), Vec<Step>>;

fn steps_are_told(played: &Played, groups: &[Group]) {
    let (published, held) = published(played);
    let mut repeats = 0;
    for ((incident, step), told) in &published {
        let filter = told[0].filter.as_str();
        assert!(TOLD.contains(&filter), "{filter} must not be told");
        let again = told.len() - 1;
        repeats += again;
        for told in told.iter().skip(1) {
            assert!(
                told.may_be_repeat,
                "{filter}: {incident} step {step} again, and not said so"
            );
        }
    }
    let interruptions = played.faults.len() + played.timeouts;
    assert!(
        repeats <= interruptions,
        "{repeats} repeats of {interruptions} interruptions"
    );
    if interruptions == 0 {
        let marked = published
            .values()
            .flatten()
            .filter(|told| told.may_be_repeat);
        assert_eq!(marked.count(), 0, "may be repeats without a fault");
    }
    let known: BTreeSet<&str> = groups
        .iter()
        .flat_map(|group| {
            group
                .head
                .incidents
                .iter()
                .map(|incident| incident.id.as_str())
        })
        .collect();
    for group in groups {
        let name = group.head.filter.name.as_str();
        if !TOLD.contains(&name) {
            continue;
        }
        let absorbed = published.iter().any(|((incident, _), told)| {
            told[0].filter == name && !known.contains(incident.as_str())
        });
        for incident in &group.head.incidents {
            assert!(incident.steps > 0, "{name}: {} is not told", incident.id);
            assert!(
                incident.telling.is_none(),
                "{name}: {} is being told",
                incident.id
            );
            assert!(
                incident.told_matched >= incident.matched,
                "{name}: {incident:?} is not told to its end"
            );
            // What a late event takes away from an aligned alarm was told all the same.
            if absorbed || held.contains(&incident.id) || !SLIDING.contains(&name) {
                continue;
            }
            assert_eq!(
                incident.told_matched, incident.matched,
                "{name}: {incident:?}"
            );
            let told = (1..=incident.steps).map(|step| {
                published
                    .get(&(incident.id.clone(), step))
                    .unwrap_or_else(|| {
                        panic!("{name}: step {step} of {} is told nowhere", incident.id)
                    })
            });
            let last = told.flatten().last().unwrap();
            assert_eq!(
                last.matched, incident.matched,
                "{name}: what the last message says"
            );
        }
    }
}

/// Steps by incident and number, and incidents that a summary told.
fn published(played: &Played) -> (Steps, BTreeSet<String>) {
    let mut steps = Steps::new();
    let mut held = BTreeSet::new();
    for (topic, publication) in played.world.publications() {
        assert_eq!(topic, crate::play::TOPIC);
        let structure: Value = serde_json::from_str(&publication.message).unwrap();
        let told: Value = serde_json::from_str(structure["https"].as_str().unwrap()).unwrap();
        if told["kind"] == "summary" {
            let incidents = told["held"].as_array().unwrap();
            held.extend(
                incidents
                    .iter()
                    .map(|held| held["incident"].as_str().unwrap().to_owned()),
            );
            continue;
        }
        let incident = told["incident"].as_str().unwrap().to_owned();
        let step = told["step"].as_u64().unwrap() as u32;
        steps.entry((incident, step)).or_default().push(Step {
            filter: told["filter"]["name"].as_str().unwrap().to_owned(),
            may_be_repeat: told["may_be_repeat"].as_bool().unwrap(),
            matched: told["matched"].as_u64().unwrap(),
        });
    }
    (steps, held)
}

/// What `trailwarden scan` says of the same files, of events at times that are `wanted`.
fn report(scene: &Scene, now: i64, wanted: impl Fn(i64) -> bool) -> Report {
    let source = |file: &File| Source {
        location: format!("s3://{BUCKET}/{}", file.key),
        content: Content::Memory(content(file, &wanted)),
        named: true,
    };
    let log_files = scene.files.iter().filter(|file| file.is_log_file);
    let sources: Vec<Source> = log_files.map(source).collect();
    let options = Options {
        range: TimeRange::ALL,
        now: Some(now),
        max_events: 0,
        threads: NonZeroUsize::MIN,
        clock: now,
    };
    scan(filters(), &sources, &options, |_| {})
}

fn content(file: &File, wanted: &impl Fn(i64) -> bool) -> Vec<u8> {
    let is_wanted = |record: &&Value| {
        let time = record["eventTime"].as_str();
        // Without a time: that of the key.
        time.is_none_or(|time| wanted(testkit::seconds(time)))
    };
    let kept: Vec<Value> = file.records.iter().filter(is_wanted).cloned().collect();
    match kept.len() == file.records.len() {
        true => file.content.clone(),
        false => testkit::log_file(&kept),
    }
}

fn text(item: &Item) -> &str {
    match &item.body {
        Body::Text(text) => text,
        Body::Bytes(_) => "",
    }
}
