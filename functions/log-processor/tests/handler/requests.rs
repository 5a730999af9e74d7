//! Requests that are refused, get no answer, or never return because the process dies.

use std::collections::{BTreeMap, BTreeSet};

use alarm_state::FileStatus;
use ports::ErrorKind;
use serde_json::Value;
use testkit::{Fault, s3_notification};

use crate::scene::{
    BUCKET, NOW, OTHER_ACCOUNT, SECONDS, Scene, batch, event, event_in, key, stop_logging,
};

const KINDS: [(ErrorKind, &str); 7] = [
    (ErrorKind::AccessDenied, "access_denied"),
    (ErrorKind::KeyDenied, "kms_denied"),
    (ErrorKind::Archived, "refused"),
    (ErrorKind::Throttled, "throttled"),
    (ErrorKind::TooLarge, "too_large"),
    (ErrorKind::Refused, "refused"),
    (ErrorKind::Unknown, "no_answer"),
];

#[test]
fn an_object_that_does_not_exist_fails_and_the_ledger_says_why() {
    let scene = Scene::new();
    let outcome = scene.announce(&[&key(77)]);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("FilesFailed:not_found"), 1);
    let entry = scene.entry(&key(77)).unwrap();
    assert_eq!(
        (entry.status, entry.reason.as_deref()),
        (FileStatus::Failed, Some("not_found"))
    );
}

#[test]
fn an_object_that_cannot_be_read_fails_with_the_reason_and_is_processed_when_it_can() {
    for (kind, reason) in KINDS {
        let scene = Scene::new();
        let key = scene.put(&[stop_logging("a")]);
        scene
            .world
            .fail_all(&format!("GetObject s3://{BUCKET}/"), Fault::Fail(kind));
        let outcome = scene.announce(&[&key]);
        assert_eq!(outcome.failed(), ["m1"], "{reason}");
        assert_eq!(
            outcome.count(&format!("FilesFailed:{reason}")),
            1,
            "{}",
            outcome.log
        );
        let entry = scene.entry(&key).unwrap();
        assert_eq!(
            (entry.status, entry.reason.as_deref()),
            (FileStatus::Failed, Some(reason))
        );
        scene.world.heal();
        let outcome = scene.announce_received(&[&key], 2);
        assert_eq!(outcome.failed(), [""; 0], "{reason}");
        assert_eq!(scene.entry(&key).unwrap().status, FileStatus::Done);
        assert_eq!((scene.matches().len(), scene.documents().len()), (1, 1));
    }
}

#[test]
fn whatever_cannot_be_written_fails_the_object_with_the_reason_and_the_next_attempt_does_it() {
    for request in ["PutItem file#", "SendMessageBatch matches", "PutLogEvents"] {
        for (kind, reason) in KINDS {
            let scene = Scene::new();
            let key = scene.put(&[stop_logging("a")]);
            scene.world.fail_all(request, Fault::Fail(kind));
            let outcome = scene.announce(&[&key]);
            assert_eq!(outcome.failed(), ["m1"], "{request}: {reason}");
            assert_eq!(
                outcome.count(&format!("FilesFailed:{reason}")),
                1,
                "{request}"
            );
            assert!(scene.documents().is_empty(), "{request}: {reason}");
            scene.world.heal();
            let outcome = scene.announce_received(&[&key], 2);
            assert_eq!(outcome.failed(), [""; 0], "{request}: {reason}");
            assert_eq!(
                (scene.matches().len(), scene.documents().len()),
                (1, 1),
                "{request}"
            );
            assert_eq!(scene.entry(&key).unwrap().status, FileStatus::Done);
        }
    }
}

#[test]
fn metrics_are_not_written_before_the_matches_are_sent() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.announce(&[&key]);
    let position = |start: &str| {
        let requests = scene.world.requests();
        requests
            .iter()
            .position(|request| request.starts_with(start))
            .unwrap()
    };
    let last_write = scene
        .world
        .requests()
        .iter()
        .rposition(|request| request.starts_with("PutItem file#"));
    assert!(position("PutItem file#") < position("SendMessageBatch"));
    assert!(position("SendMessageBatch") < position("PutLogEvents"));
    assert!(position("PutLogEvents") < last_write.unwrap());
}

#[test]
fn metrics_are_written_once_when_the_end_of_the_claim_is_refused() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.announce(&[&key]);
    let end = scene.world.requests().len() - 1;

    let scene = Scene::new();
    scene.put(&[stop_logging("a")]);
    scene.world.fault_at(end, Fault::Fail(ErrorKind::Throttled));
    assert_eq!(scene.announce(&[&key]).failed(), ["m1"]);
    scene.world.advance(SECONDS + 1);
    assert_eq!(scene.announce(&[&key]).failed(), [""; 0]);
    assert_eq!(scene.documents().len(), 1);
}

#[test]
fn a_file_whose_end_was_written_without_an_answer_is_processed() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.announce(&[&key]);
    let end = scene.world.requests().len() - 1;

    let scene = Scene::new();
    scene.put(&[stop_logging("a")]);
    scene.world.fault_at(end, Fault::LoseAnswer);
    let answer = scene.announce(&[&key]);
    assert_eq!(answer.failed(), [""; 0]);
    assert_eq!(scene.entry(&key).unwrap().status, FileStatus::Done);
}

/// Events of four days; the evidence log takes no more than one day at once.
fn four_days() -> Vec<Value> {
    let of_day = |day: i64| {
        let at = move |n: i64| NOW - 600 - 26 * 3_600 * day - 60 * n;
        (0..=day).map(move |n| event("StopLogging", &format!("{day}-{n}"), at(n)))
    };
    (0..4).flat_map(of_day).collect()
}

/// The sum of each minute in the evidence log, and whether a minute is there more than once.
fn sums(scene: &Scene) -> (BTreeMap<i64, u64>, bool) {
    let (mut sums, mut twice) = (BTreeMap::new(), false);
    for document in scene.documents() {
        let minute = document["_aws"]["Timestamp"].as_i64().unwrap();
        let value = document["TrailStoppedCount"].as_u64().unwrap();
        twice |= sums.insert(minute, value).is_some();
    }
    (sums, twice)
}

#[test]
fn a_batch_of_metrics_that_fails_is_written_later_and_those_before_it_are_not_written_again() {
    let whole = Scene::new();
    let key = whole.put(&four_days());
    whole.announce(&[&key]);
    let expected = sums(&whole);
    assert_eq!((expected.0.values().sum::<u64>(), expected.1), (10, false));
    let requests = whole.world.requests();
    let writes = || {
        let requests = requests.iter().enumerate();
        requests.filter(|(_, request)| request.starts_with("PutLogEvents"))
    };
    assert_eq!(writes().count(), 4);
    for (failing, _) in writes() {
        for (kind, _) in KINDS {
            let scene = Scene::new();
            let key = scene.put(&four_days());
            scene.world.fault_at(failing, Fault::Fail(kind));
            assert_eq!(scene.announce(&[&key]).failed(), ["m1"]);
            // The second attempt fails at the same place, the third before it comes so far.
            for request in ["PutLogEvents", "SendMessageBatch"] {
                scene.world.fail_all(request, Fault::Fail(kind));
                assert_eq!(scene.announce_received(&[&key], 2).failed(), ["m1"]);
                scene.world.heal();
            }
            assert_eq!(scene.announce_received(&[&key], 4).failed(), [""; 0]);
            assert_eq!(sums(&scene), expected, "request {failing}: {kind}");
        }
    }
}

#[test]
fn a_fault_at_any_request_loses_nothing_and_counts_nothing_twice() {
    let faults = [
        Fault::Fail(ErrorKind::Throttled),
        Fault::Fail(ErrorKind::Unknown),
        Fault::LoseAnswer,
        Fault::DieBefore,
        Fault::DieAfter,
    ];
    let mut runs = 0;
    for fault in faults {
        for index in 0.. {
            let scene = Scene::new();
            let one = scene.put(&[
                stop_logging("a"),
                event_in(OTHER_ACCOUNT, "StopLogging", "b", 0),
            ]);
            let two = scene.put(&[stop_logging("c")]);
            scene.world.fault_at(index, fault);
            let met = deliver_until_done(&scene, &[&one, &two], index);
            if !met {
                break;
            }
            runs += 1;
            let context = format!(
                "{fault:?} at {index}: {:?}",
                scene.world.requests().get(index)
            );
            for key in [&one, &two] {
                assert_eq!(
                    scene.entry(key).unwrap().status,
                    FileStatus::Done,
                    "{context}"
                );
            }
            let ids: BTreeSet<u64> = scene
                .matches()
                .iter()
                .flat_map(|matches| matches.samples().unwrap())
                .map(|sample| sample.id)
                .collect();
            assert_eq!(ids.len(), 3, "{context}");
            // Sent again, a message of the queue has the same deduplication id.
            let mut sent: Vec<_> = scene
                .world
                .sent("matches")
                .into_iter()
                .map(|sent| sent.message.deduplication_id)
                .collect();
            sent.sort();
            sent.dedup();
            assert_eq!(sent.len(), 3, "{context}");
            assert!(scene.documents().len() >= 2, "{context}");
        }
    }
    assert!(runs > 40, "{runs} runs");
}

/// As the queue does it: what failed, or whose process died, comes again. Returns whether the request
/// with this number was met.
fn deliver_until_done(scene: &Scene, keys: &[&str], index: usize) -> bool {
    let body = |key: &&str| s3_notification(BUCKET, &[(key, None)]).to_string();
    let mut waiting: Vec<String> = keys.iter().map(body).collect();
    for receive_count in 1..=5 {
        match scene.try_handle(batch(&waiting, receive_count), SECONDS * 1000) {
            None => scene.start_anew(),
            Some(outcome) => {
                let failed = outcome.failed();
                let mut n = 0;
                waiting.retain(|_| {
                    n += 1;
                    failed.contains(&format!("m{n}"))
                });
            }
        }
        if waiting.is_empty() {
            return scene.world.requests().len() > index;
        }
        scene.world.advance(SECONDS + 5);
    }
    panic!("not done after five times: {:#?}", scene.world.requests());
}

/// What docs/performance.md says it costs.
#[test]
fn a_file_without_a_match_takes_a_read_and_two_writes_of_the_ledger() {
    let scene = Scene::new();
    // With the first file the filters are read.
    let first = scene.put(&[event("DescribeInstances", "a", NOW)]);
    scene.announce(&[&first]);
    let before = scene.world.requests().len();
    let key = scene.put(&[event("DescribeInstances", "b", NOW)]);
    scene.announce(&[&key]);
    let requests = scene.world.requests();
    let operations: Vec<&str> = requests
        .iter()
        .skip(before)
        .filter_map(|request| request.split(' ').next())
        .collect();
    assert_eq!(operations, ["GetObject", "PutItem", "PutItem"]);
}
