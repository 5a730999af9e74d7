//! Log files that were never processed.

use alarm_state::{Claim, FileEntry, file_key};
use ports::{Body, Item, ItemKey, Items as _};
use serde_json::Value;
use testkit::chain::Log;
use testkit::{Chain, TrailSpec, run};

use crate::scene::{HOUR, Scene};

/// Bucket, key and entity tag of the one object that a message announces.
fn object_of(body: &str) -> (String, String, String) {
    let message: Value = serde_json::from_str(body).unwrap();
    let [record] = message["Records"].as_array().unwrap().as_slice() else {
        panic!("{message}")
    };
    assert_eq!(record["eventSource"], "aws:s3");
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    let text = |pointer: &str| {
        record
            .pointer(pointer)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    // No key of these tests has a character that is encoded.
    (
        text("/s3/bucket/name"),
        text("/s3/object/key"),
        text("/s3/object/eTag"),
    )
}

fn spec() -> TrailSpec {
    TrailSpec {
        hours: 5,
        logs_per_hour: 2,
        records_per_log: 1,
        ..TrailSpec::default()
    }
}

/// Writes into the ledger that a log file is processed, or that somebody is at work on it.
fn process(scene: &Scene, log: &Log, is_done: bool) {
    let (partition, sort) = file_key(&log.bucket, &log.key);
    let now = ports::Clock::now_millis(&scene.world);
    let Claim::Grant { entry, .. } = FileEntry::claim(None, "e", None, "me", now, now + 60_000)
    else {
        panic!()
    };
    let entry = if is_done {
        entry.finished(None, now / 1_000)
    } else {
        entry
    };
    let item = Item {
        key: ItemKey { partition, sort },
        version: 1,
        body: Body::Text(entry.to_json()),
        due_at: None,
        expires_at: i64::MAX,
    };
    run(scene.world.put_item(&item, None)).unwrap().unwrap();
}

fn announced(scene: &Scene) -> Vec<String> {
    let sent = scene.world.sent("log-files").into_iter();
    sent.map(|sent| object_of(&sent.message.body).1).collect()
}

#[test]
fn a_first_run_over_history_announces_nothing() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 24 * 6,
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    for _ in 0..3 {
        chain.grow(0, 1);
        for log in chain.digest(0, chain.streams[0].spec.hours - 1).logs {
            process(&scene, &log, true);
        }
        let outcome = scene.at_end(&chain);
        assert_eq!(outcome.count("FilesMissed"), 0);
    }
    assert_eq!(announced(&scene), [""; 0]);
}

#[test]
fn a_file_that_no_ledger_knows_is_announced_by_the_second_run_and_three_times_at_most() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let (missed, done) = (chain.log(0, 5, 0), chain.log(0, 5, 1));
    process(&scene, &done, true);
    let outcome = scene.at_end(&chain);
    assert_eq!(
        (outcome.count("FilesMissed"), announced(&scene).len()),
        (1, 0)
    );
    for announcements in [1, 2, 3, 3, 3] {
        chain.grow(0, 1);
        for log in chain.digest(0, chain.streams[0].spec.hours - 1).logs {
            process(&scene, &log, true);
        }
        scene.at_end(&chain);
        assert_eq!(announced(&scene), vec![missed.key.clone(); announcements]);
    }
    let etag = scene
        .world
        .object(&missed.bucket, &missed.key)
        .unwrap()
        .etag;
    let first = object_of(&scene.world.sent("log-files")[0].message.body);
    assert_eq!(first, (missed.bucket, missed.key, etag));
}

#[test]
fn a_file_that_is_processed_meanwhile_or_in_work_is_not_announced() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let (one, other) = (chain.log(0, 5, 0), chain.log(0, 5, 1));
    let outcome = scene.at_end(&chain);
    assert_eq!(outcome.count("FilesMissed"), 2);
    process(&scene, &one, true);
    scene.world.advance(HOUR - 60);
    process(&scene, &other, false);
    scene.world.advance(60);
    assert_eq!(scene.validate().count("FilesRequeued"), 0);
    assert_eq!(announced(&scene), [""; 0]);
}

#[test]
fn a_file_that_is_gone_is_found_and_not_announced() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let gone = chain.log(0, 5, 0);
    chain.delete(&gone);
    process(&scene, &chain.log(0, 5, 1), true);
    let outcome = scene.at_end(&chain);
    assert_eq!(outcome.count("FilesMissed"), 0);
    assert_eq!(outcome.count("Findings:log-not-found"), 1);
}
