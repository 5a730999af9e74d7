//! Many files, small pages, and what an hour costs.

use std::collections::BTreeMap;

use ports::Body;
use testkit::{Chain, TrailSpec};

use crate::scene::{BUCKET, Scene};

#[test]
fn an_hour_costs_what_the_documentation_says() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 60,
        logs_per_hour: 12,
        ..TrailSpec::default()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    scene.next_hour(&mut chain);
    let before = scene.world.requests().len();
    scene.next_hour(&mut chain);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for request in &scene.world.requests()[before..] {
        let operation = request.split(' ').next().unwrap();
        *counts.entry(operation.to_owned()).or_default() += 1;
    }
    let count = |operation: &str| counts.get(operation).copied().unwrap_or_default();
    // 13 new objects, 13 whose turn it is; of the ledger the 12 new log files and the 12 that were missed the hour before.
    assert_eq!(count("GetObject"), 26, "{counts:?}");
    assert_eq!(count("ListObjectsV2"), 8, "{counts:?}");
    assert_eq!(count("GetItem"), 24 + 4, "{counts:?}");
    assert_eq!(count("PutItem"), 6, "{counts:?}");
    assert_eq!(count("Query"), 1, "{counts:?}");
    assert_eq!(
        count("ListPublicKeys"),
        1,
        "a process that was just started"
    );
}

#[test]
fn small_pages_change_nothing() {
    let mut chain = Chain::of_all(&[
        TrailSpec {
            hours: 30,
            ..TrailSpec::default()
        },
        TrailSpec {
            hours: 30,
            ..TrailSpec::default().in_region("eu-west-1")
        },
    ]);
    let found = |pages: Option<usize>, chain: &Chain| {
        let scene = Scene::new(chain);
        if let Some(pages) = pages {
            scene.world.list_in_pages_of(pages);
        }
        scene.at_end(chain);
        scene.samples()
    };
    assert!(found(Some(3), &chain).is_empty());
    chain.delete(&chain.log(0, 7, 1));
    chain.plant_log(1, 9);
    chain.delete(&chain.digest(0, 20));
    assert_eq!(found(Some(3), &chain), found(None, &chain));
}

#[test]
fn very_many_files_stay_within_items_and_messages_and_are_counted_exactly() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 3,
        logs_per_hour: 1_200,
        records_per_log: 1,
        ..TrailSpec::default()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    // The world refuses what the table would refuse; this says how far it is from that.
    for item in scene.world.items() {
        let Body::Text(text) = &item.body else {
            panic!()
        };
        assert!(text.len() < 350_000, "{}: {}", item.key.sort, text.len());
    }
    let spec = chain.streams[0].spec.clone();
    let time = spec.start + 5 * 1_800;
    let planted = 1_500;
    for n in 0..planted {
        let key = spec.log_key("CloudTrail", time, &format!("{n:016}"));
        scene.world.put_object(BUCKET, &key, b"x".to_vec());
    }
    let gone = chain.digest(0, 1).logs;
    for log in &gone {
        chain.delete(log);
    }
    chain.streams[0].spec.logs_per_hour = 1;
    for _ in 0..5 {
        scene.next_hour(&mut chain);
    }
    let samples = scene.samples();
    assert_eq!(samples["UnreferencedLog"].len(), planted);
    assert_eq!(samples["LogNotFound"].len(), gone.len());
    scene.notify();
    let incidents = scene.told();
    let told: BTreeMap<String, u64> = incidents
        .iter()
        .map(|told| {
            let name = told["filter"]["name"]
                .as_str()
                .or(told["filter"].as_str())
                .unwrap();
            (name.to_owned(), told["matched"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("LogNotFound", gone.len() as u64),
        ("UnreferencedLog", planted as u64),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(told, expected.into());
    assert_eq!(incidents.len(), 2);
}
