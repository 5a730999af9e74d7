//! Findings of integrity checks on the path of alarms.

use std::collections::{BTreeMap, BTreeSet};

use alarm_state::{Filter, Finding, FindingGuide, FindingStream, Matches, findings};
use ports::{Clock, ErrorKind};
use proptest::prelude::*;
use serde_json::Value;
use testkit::Fault;

use crate::scene::{
    ACCOUNT, CHAT_TOPIC, HOUR, NOW, Scene, Told, batch, in_account, partition, sign_ins,
};

const FAULTS: [Fault; 5] = [
    Fault::Fail(ErrorKind::Throttled),
    Fault::Fail(ErrorKind::Unknown),
    Fault::LoseAnswer,
    Fault::DieBefore,
    Fault::DieAfter,
];

/// When a run last found everything right: an hour before it.
const RIGHT: i64 = NOW - 3_700;

fn modified(severity: &str) -> Filter {
    let guide = FindingGuide {
        unit: "file".into(),
        meaning: "Somebody has written to the bucket.".into(),
        response: vec!["Find out who wrote to it.".into()],
        acceptance: None,
    };
    Filter::finding("LogFileModified", "Log file modified", severity, guide)
}

fn stream() -> FindingStream {
    FindingStream {
        account: ACCOUNT.into(),
        region: "us-east-1".into(),
        trail: "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail".into(),
        location: "s3://amzn-s3-demo-bucket/trails".into(),
    }
}

fn file(time: i64, n: usize) -> Finding {
    Finding {
        time,
        location: format!("s3://amzn-s3-demo-bucket/trails/file-{n:03}"),
        was_right: true,
        statement: "the content does not have the hash value that its digest file gives".into(),
        facts: vec![("size".into(), n.to_string())],
        check_command: vec!["trailwarden".into(), "validate-logs".into()],
        ..Finding::default()
    }
}

fn files(time: i64, numbers: impl IntoIterator<Item = usize>) -> Vec<Finding> {
    numbers.into_iter().map(|n| file(time, n)).collect()
}

/// What a run finds at this time of the clock.
fn found(scene: &Scene, list: &[Finding]) -> Vec<Matches> {
    findings(&modified("critical"), &stream(), scene.world.now(), list)
}

/// As the queue does it: each until it is done.
fn deliver_until_done(scene: &Scene, messages: &[Matches]) {
    for message in messages {
        let attempt = || {
            let outcome = scene.try_handle(batch(std::slice::from_ref(message)), 60_000);
            outcome.is_some_and(|outcome| outcome.failed().is_empty())
        };
        assert!((0..4).any(|_| attempt()));
    }
}

fn hours_pass(scene: &Scene, hours: u32) {
    for _ in 0..12 * hours {
        scene.world.advance(300);
        scene.tick();
    }
}

/// The files that a message names.
fn named(told: &Told) -> BTreeSet<String> {
    let events = told.document["events"].as_array().into_iter().flatten();
    events
        .map(|event| event["location"].as_str().unwrap().to_owned())
        .collect()
}

/// Files `0..count` have been told, as one incident, whose steps are told once, or once more with
/// the word for it; how often that was.
fn told_as_one_incident(scene: &Scene, count: usize, context: &str) -> usize {
    let head = scene.heads().remove(0);
    assert_eq!(head.incidents.len(), 1, "{context}");
    let incident = &head.incidents[0];
    assert_eq!(
        (incident.matched, incident.told_matched, incident.telling),
        (count as u64, count as u64, None),
        "{context}"
    );
    let told = scene.told();
    let all: BTreeSet<String> = told.iter().flat_map(named).collect();
    assert_eq!(all.len(), count, "{context}: {all:?}");
    let mut steps: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
    for Told { document, .. } in &told {
        assert_eq!(document["incident"], incident.id.as_str(), "{context}");
        let step = document["step"].as_u64().unwrap();
        let may_be_repeat = document["may_be_repeat"].as_bool().unwrap();
        steps.entry(step).or_default().push(may_be_repeat);
    }
    let numbers: Vec<u64> = steps.keys().copied().collect();
    let expected: Vec<u64> = (1..=u64::from(incident.steps)).collect();
    assert_eq!(numbers, expected, "{context}");
    let mut repeats = 0;
    for told in steps.values() {
        // A process that died before it published leaves a single message that says it may be one.
        assert!(
            matches!(told.as_slice(), [_] | [false, true]),
            "{context}: {steps:?}"
        );
        repeats += told.iter().filter(|repeat| **repeat).count();
    }
    repeats
}

#[test]
fn findings_are_told_at_once_in_a_form_of_their_own() {
    let scene = Scene::with_environment(&[("CHAT_TOPIC_ARN", CHAT_TOPIC)]);
    let outcome = scene.deliver(&found(&scene, &files(RIGHT, 0..3)));
    assert_eq!(outcome.failed(), [""; 0]);
    let [told] = scene.told().try_into().unwrap();
    assert_eq!(
        told.subject,
        "[CRITICAL] Log file modified: 3 files of trail audit-trail in 111122223333, us-east-1"
    );
    for expected in [
        "3 files of trail audit-trail in us-east-1 of account 111122223333",
        "last found right at 01:58 UTC on 2 March 2026",
        "s3://amzn-s3-demo-bucket/trails/file-002",
        "Somebody has written to the bucket.",
        "1. Find out who wrote to it.",
        "trailwarden validate-logs",
    ] {
        assert!(told.text.contains(expected), "{expected}: {}", told.text);
    }
    let document = &told.document;
    assert_eq!(document["type"], "finding");
    assert_eq!(document["is_late"], false, "it was found just now");
    assert_eq!(named(&told).len(), 3);
    for (name, value) in [
        ("filter", "LogFileModified"),
        ("severity", "critical"),
        ("account", ACCOUNT),
        ("region", "us-east-1"),
        ("type", "finding"),
    ] {
        assert_eq!(
            told.attributes.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    let publications = scene.world.publications();
    assert_eq!(publications[1].0, CHAT_TOPIC);
    let chat: Value = serde_json::from_str(&publications[1].1.message).unwrap();
    let steps = chat["content"]["nextSteps"].to_string();
    assert!(steps.contains("Find out who wrote to it."), "{steps}");
    assert_eq!(
        (
            outcome.count("StepsTold"),
            outcome.count("EventsTold"),
            outcome.count("Incidents"),
            outcome.count("MatchesCounted")
        ),
        (1, 3, 1, 3)
    );
    // It would say how long ago things were right, not how long telling takes.
    assert_eq!(outcome.count("EventToAlarmSeconds"), 0);
}

#[test]
fn three_hundred_files_in_one_run_are_counted_exactly_and_the_first_ten_are_named() {
    let scene = Scene::new();
    scene.deliver(&found(&scene, &files(RIGHT, 0..300)));
    let [told] = scene.told().try_into().unwrap();
    assert!(
        told.subject.contains(": 300 files of trail"),
        "{}",
        told.subject
    );
    assert_eq!(told.document["matched"], 300);
    assert_eq!(told.document["events_not_shown"], 290);
    let first: BTreeSet<String> = files(RIGHT, 0..10)
        .into_iter()
        .map(|finding| finding.location)
        .collect();
    assert_eq!(named(&told), first);
    assert!(
        told.text.contains("... and 290 more files"),
        "{}",
        told.text
    );
}

#[test]
fn what_later_runs_find_is_the_same_incident_told_hourly_while_there_is_more() {
    let scene = Scene::new();
    let mut all: Vec<Finding> = Vec::new();
    for run in 0..4 {
        let time = RIGHT + run * HOUR;
        // Two runs find something new; each finds again what was found before.
        if run < 2 {
            all.extend(files(time, [2 * run as usize, 2 * run as usize + 1]));
        }
        scene.deliver(&found(&scene, &all));
        hours_pass(&scene, 1);
    }
    assert_eq!(scene.steps(), [(1, false, 2), (2, false, 4)]);
    let told = scene.told();
    assert_eq!(
        (
            &told[1].document["told_before"],
            &told[1].document["new"],
            &told[0].document["incident"]
        ),
        (&2.into(), &2.into(), &told[1].document["incident"])
    );
    assert_eq!(named(&told[1]).len(), 4);
    told_as_one_incident(&scene, 4, "");
}

#[test]
fn what_is_found_a_day_later_is_another_incident() {
    let scene = Scene::new();
    scene.deliver(&found(&scene, &files(RIGHT, [0])));
    hours_pass(&scene, 24);
    scene.deliver(&found(&scene, &files(RIGHT + 24 * HOUR, [1])));
    assert_eq!(scene.steps(), [(1, false, 1), (1, false, 1)]);
    assert_eq!(scene.heads()[0].incidents.len(), 2);
}

#[test]
fn findings_below_the_minimum_severity_are_kept_and_not_told() {
    let scene = Scene::with_environment(&[("MINIMUM_SEVERITY", "high")]);
    let list = files(RIGHT, 0..2);
    for (severity, region) in [("low", "eu-west-1"), ("high", "eu-west-2")] {
        let stream = FindingStream {
            region: region.into(),
            ..stream()
        };
        scene.deliver(&findings(&modified(severity), &stream, NOW, &list));
    }
    let [told] = scene.told().try_into().unwrap();
    assert_eq!(told.attributes["region"], "eu-west-2");
    assert_eq!(scene.heads().len(), 2);
}

#[test]
fn findings_are_told_where_alarms_are_left_to_cloudwatch() {
    let scene = Scene::with_environment(&[("NOTIFICATION_PATH", "cloudwatch")]);
    let outcome = scene.deliver(&found(&scene, &files(RIGHT, 0..1)));
    assert_eq!(
        (
            outcome.count("StepsTold"),
            outcome.count("IncidentsLeftToCloudWatch")
        ),
        (1, 0)
    );
}

#[test]
fn findings_of_a_full_hour_are_told_in_its_summary_with_their_number() {
    let scene = Scene::new();
    let events: Vec<(i64, u64)> = (0..20)
        .map(|n| (NOW - 50_000 + 1_000 * n, n as u64))
        .collect();
    scene.deliver(&in_account(&sign_ins(1.0), "000000000001", 1, &events));
    let outcome = scene.deliver(&found(&scene, &files(RIGHT, 0..12)));
    assert_eq!(
        (outcome.count("StepsTold"), outcome.count("StepsHeld")),
        (0, 1)
    );
    hours_pass(&scene, 2);
    let told = scene.told();
    let summary = told
        .iter()
        .find(|told| told.document["kind"] == "summary")
        .unwrap();
    let [row] = summary.document["held"].as_array().unwrap().as_slice() else {
        panic!("{}", summary.document)
    };
    assert_eq!(
        (&row["type"], &row["unit"], &row["matched"]),
        (&"finding".into(), &"file".into(), &12.into())
    );
    let story = row["story"].as_str().unwrap();
    assert!(
        story.starts_with("12 files of trail audit-trail in us-east-1 of account 111122223333"),
        "{story}"
    );
    assert!(
        summary.text.contains("Log file modified: 12 files"),
        "{}",
        summary.text
    );
    let incidents = told.iter().filter(|told| {
        told.attributes.get("filter").map(String::as_str) == Some("LogFileModified")
    });
    assert_eq!(incidents.count(), 1, "the summary alone");
}

#[test]
fn a_fault_at_any_request_loses_no_file_and_repeats_one_step_at_most_with_the_word() {
    let mut runs = 0;
    for fault in FAULTS {
        for index in 0.. {
            let scene = Scene::new();
            scene.world.fault_at(index, fault);
            // Two messages of a run, the first again, and what the next run finds.
            let one = found(&scene, &files(RIGHT, 0..3));
            let other = found(&scene, &files(RIGHT, 3..6));
            deliver_until_done(&scene, &[one.clone(), other, one].concat());
            scene.world.advance(HOUR);
            let later = [files(RIGHT, 0..6), files(RIGHT + HOUR, 6..8)].concat();
            deliver_until_done(&scene, &found(&scene, &later));
            if scene.world.requests().len() <= index {
                break;
            }
            runs += 1;
            scene.world.heal();
            hours_pass(&scene, 3);
            let request = scene.world.requests()[index].clone();
            let context = format!("{fault:?} at {index}: {request}");
            let of_findings = partition(&found(&scene, &later)[0]);
            assert_eq!(of_findings, scene.stored()[0].0, "{context}");
            let repeats = told_as_one_incident(&scene, 8, &context);
            assert!(repeats <= 1, "{context}: {repeats} repeats");
        }
    }
    assert!(runs > 100, "{runs} runs");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_same_findings_in_any_order_split_repeated_and_killed_are_one_incident(
        order in Just((0..10_usize).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::vec(0_usize..10, 0..4),
        again in prop::collection::vec(0_usize..5, 0..4),
        fault in prop::sample::select(FAULTS.to_vec()),
        index in 0_usize..120,
    ) {
        let scene = Scene::new();
        scene.world.fault_at(index, fault);
        // The files of three runs, whatever is delivered first.
        let all: Vec<Finding> = order.iter().map(|&n| file(RIGHT + (n as i64 % 3) * HOUR, n)).collect();
        let mut cuts = [cuts, vec![0, 10]].concat();
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|ends| &all[ends[0]..ends[1]]);
        let mut messages: Vec<Matches> = parts.flat_map(|part| found(&scene, part)).collect();
        let repeated: Vec<Matches> = again.iter().filter_map(|n| messages.get(*n).cloned()).collect();
        messages.extend(repeated);
        deliver_until_done(&scene, &messages);
        scene.world.heal();
        hours_pass(&scene, 4);
        let repeats = told_as_one_incident(&scene, 10, "");
        prop_assert!(repeats <= 1);
    }
}
