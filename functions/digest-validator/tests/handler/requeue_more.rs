//! Very many log files that were never processed.

use std::collections::{BTreeMap, BTreeSet};

use ports::{Body, ItemKey, Items as _};
use serde_json::Value;
use testkit::{Chain, TrailSpec, run};

use crate::scene::{BUCKET, Scene};

const LOST: usize = 500;

fn spec() -> TrailSpec {
    TrailSpec {
        hours: 5,
        logs_per_hour: LOST,
        records_per_log: 1,
        ..TrailSpec::default()
    }
}

/// How often each key was announced.
fn announced(scene: &Scene) -> BTreeMap<String, usize> {
    let mut announced = BTreeMap::new();
    for sent in scene.world.sent("log-files") {
        let message: Value = serde_json::from_str(&sent.message.body).unwrap();
        let key = message["Records"][0]["s3"]["object"]["key"].as_str();
        *announced.entry(key.unwrap().to_owned()).or_default() += 1;
    }
    announced
}

fn keys(chain: &Chain, hours: std::ops::Range<usize>) -> BTreeSet<String> {
    let digests = hours.map(|hour| chain.digest(0, hour));
    digests
        .flat_map(|digest| digest.logs)
        .map(|log| log.key)
        .collect()
}

/// The list of missed files in the checkpoint, and how long it is.
fn remembered(scene: &Scene) -> (usize, usize) {
    let key = ItemKey {
        partition: format!("chain#{BUCKET}#AWSLogs/111122223333/CloudTrail-Digest/us-east-1/"),
        sort: "checkpoint".to_owned(),
    };
    let item = run(scene.world.get_item(&key)).unwrap().unwrap().unwrap();
    let Body::Text(text) = item.body else {
        panic!("{item:?}")
    };
    let state: Value = serde_json::from_str(&text).unwrap();
    let missed = state["missed"].as_array().unwrap();
    (missed.len(), state["missed"].to_string().len())
}

#[test]
fn of_very_many_files_each_is_counted_and_announced() {
    let mut chain = Chain::of(&TrailSpec {
        logs_per_hour: 1,
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.streams[0].spec.logs_per_hour = LOST;
    chain.grow(0, 1);
    let outcome = scene.at_end(&chain);
    let lost = keys(&chain, 5..6);
    assert_eq!(lost.len(), LOST);
    assert_eq!(outcome.count("FilesMissed"), LOST as u64);
    let at_once = announced(&scene);
    assert!((300..LOST).contains(&at_once.len()), "{}", at_once.len());
    assert!(at_once.values().all(|times| *times == 1));
    assert_eq!(outcome.count("FilesRequeued"), at_once.len() as u64);
    let (files, bytes) = remembered(&scene);
    assert!(files >= 200 && bytes <= 100_000, "{files}, {bytes}");

    chain.streams[0].spec.logs_per_hour = 0;
    scene.next_hour(&mut chain);
    let announced_by_now = announced(&scene);
    let all: BTreeSet<String> = announced_by_now.keys().cloned().collect();
    assert_eq!(all, lost);
    for _ in 0..6 {
        scene.next_hour(&mut chain);
    }
    let times = announced(&scene);
    assert!(times.values().all(|times| (1..=3).contains(times)));
    assert_eq!(remembered(&scene).0, 0, "those announced in vain are gone");
}

#[test]
fn hours_after_an_outage_are_announced_at_once_and_their_list_has_a_size() {
    let mut chain = Chain::of(&TrailSpec {
        logs_per_hour: 1,
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.streams[0].spec.logs_per_hour = 60;
    chain.grow(0, 20);
    let outcome = scene.at_end(&chain);
    let lost = keys(&chain, 5..25);
    assert_eq!(outcome.count("FilesMissed"), lost.len() as u64);
    let (_, bytes) = remembered(&scene);
    assert!(bytes <= 100_000, "{bytes}");
    let old = keys(&chain, 5..23);
    let at_once: BTreeSet<String> = announced(&scene).into_keys().collect();
    assert!(old.is_subset(&at_once));
    chain.streams[0].spec.logs_per_hour = 0;
    scene.next_hour(&mut chain);
    let all: BTreeSet<String> = announced(&scene).into_keys().collect();
    assert!(lost.is_subset(&all), "{} of {}", all.len(), lost.len());
}

#[test]
fn files_that_were_announced_in_vain_make_room_for_others() {
    let mut chain = Chain::of(&TrailSpec {
        logs_per_hour: 1,
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.streams[0].spec.logs_per_hour = 60;
    for _ in 0..12 {
        scene.next_hour(&mut chain);
    }
    let times = announced(&scene);
    for key in keys(&chain, 5..12) {
        assert_eq!(times.get(&key), Some(&3), "{key}");
    }
}
