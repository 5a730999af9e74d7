//! Processes that die, requests that fail, and time that runs out.

use std::collections::BTreeSet;

use ports::ErrorKind;
use serde_json::Value;
use testkit::{Chain, Fault, TrailSpec};

use crate::scene::{HOUR, Scene};

fn spec() -> TrailSpec {
    TrailSpec {
        hours: 6,
        logs_per_hour: 2,
        records_per_log: 1,
        ..TrailSpec::default()
    }
}

/// A chain that was checked, and an hour later with a log file changed, one deleted, one planted and one changed in the
/// new hour.
fn tampered() -> (Chain, Chain) {
    let before = Chain::of(&spec());
    let mut chain = before.clone();
    chain.plant_log(0, 4);
    chain.grow(0, 1);
    let (changed, gone, new) = (chain.log(0, 2, 0), chain.log(0, 3, 1), chain.log(0, 6, 0));
    chain.edit_records(&changed, |records| records.clear());
    chain.delete(&gone);
    chain.append(&new, b"more");
    (before, chain)
}

/// Everything that is told: kind and object.
fn told(scene: &Scene) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for document in scene.told() {
        let kind = document["filter"]["name"]
            .as_str()
            .or(document["filter"].as_str());
        let kind = kind.unwrap_or_else(|| panic!("{document:#}")).to_owned();
        let findings = ["findings", "events"]
            .iter()
            .find_map(|name| document[*name].as_array());
        for finding in findings.unwrap_or_else(|| panic!("{document:#}")) {
            let text = |value: &Value| value.as_str().map(String::from);
            let location = text(&finding["location"]).or(text(&finding["object"]));
            told.push((
                kind.clone(),
                location.unwrap_or_else(|| panic!("{finding:#}")),
            ));
        }
    }
    told
}

/// Hours go by until everything is decided, each with a run.
fn hours_go_by(scene: &Scene, chain: &mut Chain, hours: usize) {
    for _ in 0..hours {
        chain.grow(0, 1);
        scene.deliver(chain);
        scene.world.advance(HOUR);
        scene.validate();
        scene.notify();
    }
}

#[test]
fn a_death_before_or_after_any_request_loses_no_finding_and_tells_each_once() {
    let (before, after) = tampered();
    let expected = {
        let scene = Scene::new(&before);
        scene.at_end(&before);
        let mut chain = after.clone();
        scene.at_end(&chain);
        scene.notify();
        hours_go_by(&scene, &mut chain, 4);
        (scene.samples(), told(&scene))
    };
    let kinds: BTreeSet<&str> = expected.0.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "LogChanged",
            "LogNotFound",
            "LogTrailingData",
            "UnreferencedLog"
        ]
        .into()
    );
    assert!(expected.0.values().all(|samples| samples.len() == 1));
    assert_eq!(expected.1.len(), 4, "{:?}", expected.1);

    let mut deaths = 0;
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for nth in 0.. {
            let scene = Scene::new(&before);
            scene.at_end(&before);
            let mut chain = after.clone();
            scene.deliver(&chain);
            scene.pass_until(chain.range().1 + 600);
            let at = scene.world.requests().len() + nth;
            scene.world.fault_at(at, fault);
            if scene.try_validate(900).is_some() {
                break;
            }
            deaths += 1;
            let request = scene.world.requests()[at].clone();
            scene.notify();
            // What comes next is a run, an hour later or at once.
            if nth % 2 == 0 {
                scene.validate();
                scene.notify();
            }
            hours_go_by(&scene, &mut chain, 4);
            let context = format!("{fault:?} at {nth}: {request}");
            assert_eq!(scene.samples(), expected.0, "{context}");
            assert_eq!(
                sorted(told(&scene)),
                sorted(expected.1.clone()),
                "{context}"
            );
        }
    }
    assert!(deaths > 60, "{deaths} deaths");
}

fn sorted(mut list: Vec<(String, String)>) -> Vec<(String, String)> {
    list.sort();
    list
}

#[test]
fn a_death_anywhere_in_a_first_run_changes_nothing_that_is_found() {
    let (_, chain) = tampered();
    let expected = {
        let scene = Scene::new(&chain);
        scene.at_end(&chain);
        hours_go_by(&scene, &mut chain.clone(), 4);
        scene.samples()
    };
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for nth in 0.. {
            let scene = Scene::new(&chain);
            scene.deliver(&chain);
            scene.pass_until(chain.range().1 + 600);
            scene
                .world
                .fault_at(scene.world.requests().len() + nth, fault);
            if scene.try_validate(900).is_some() {
                break;
            }
            scene.validate();
            hours_go_by(&scene, &mut chain.clone(), 4);
            assert_eq!(scene.samples(), expected, "{fault:?} at {nth}");
        }
    }
}

#[test]
fn a_request_that_fails_fails_the_run_or_is_said_and_the_next_run_finds_the_same() {
    let (before, after) = tampered();
    let expected = {
        let scene = Scene::new(&before);
        scene.at_end(&before);
        scene.at_end(&after);
        hours_go_by(&scene, &mut after.clone(), 4);
        scene.samples()
    };
    for nth in 0.. {
        let scene = Scene::new(&before);
        scene.at_end(&before);
        scene.deliver(&after);
        scene.pass_until(after.range().1 + 600);
        let at = scene.world.requests().len() + nth;
        scene.world.fault_at(at, Fault::Fail(ErrorKind::Throttled));
        let outcome = scene.try_validate(900).unwrap();
        if scene.world.requests().len() <= at {
            break;
        }
        let request = scene.world.requests()[at].clone();
        scene.world.heal();
        let tolerated = [
            "GetObject",
            "DescribeTrails",
            "GetTrailStatus",
            "ListPublicKeys",
            "ListObjectVersions",
        ];
        let is_tolerated = tolerated.iter().any(|name| request.starts_with(name));
        // A new digest of the window is written once more.
        let may_pass = request.contains("/d#");
        let is_expected = may_pass || outcome.answer.is_err() != is_tolerated;
        assert!(is_expected, "{request}: {outcome:?}");
        scene.validate();
        hours_go_by(&scene, &mut after.clone(), 4);
        assert_eq!(scene.samples(), expected, "{request}");
    }
}

#[test]
fn a_bucket_that_must_not_be_listed_is_said() {
    let chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.deliver(&chain);
    scene
        .world
        .fail_all("ListObjectsV2", Fault::Fail(ErrorKind::AccessDenied));
    let outcome = scene.try_validate(900).unwrap();
    let error = outcome.answer.as_ref().unwrap_err();
    assert!(
        error.contains("ListObjectsV2") || error.contains("access denied"),
        "{error}"
    );
    assert_eq!(outcome.count("ValidationFailed:access_denied"), 1);
}

#[test]
fn runs_that_end_in_mid_history_come_to_what_one_run_comes_to() {
    let mut chain = Chain::of_all(&[
        TrailSpec {
            hours: 24 * 9,
            ..spec()
        },
        TrailSpec {
            hours: 24 * 9,
            ..spec().in_region("eu-west-1")
        },
    ]);
    for (stream, hour) in [(0, 3), (0, 100), (1, 170)] {
        let log = chain.log(stream, hour, 1);
        chain.edit_records(&log, |records| records.clear());
    }
    let gone = chain.digest(1, 60);
    chain.delete(&gone);
    let once = Scene::new(&chain);
    once.at_end(&chain);
    let expected: Vec<_> = once.found().into_iter().collect();
    assert_eq!(expected.len(), 3 + 1 + 2, "{expected:?}");

    let scene = Scene::new(&chain);
    scene.deliver(&chain);
    scene.pass_until(chain.range().1 + 600);
    scene.request_millis.set(10);
    let mut runs = 0;
    loop {
        runs += 1;
        assert!(runs < 60, "it never ends");
        // A second and a half, or 150 requests, beyond what is kept in reserve.
        let outcome = scene.try_validate(60 + 1).unwrap();
        assert!(outcome.answer.is_ok(), "{outcome:?}");
        if outcome.finished() {
            break;
        }
        assert_eq!(outcome.count("ValidationUnfinished"), 1);
        if runs == 2 {
            let items = scene.world.items().into_iter();
            let begun = items.filter(|item| item.key.sort == "checkpoint");
            assert_eq!(begun.count(), 2, "both Regions have had a turn");
        }
    }
    assert!(runs > 5, "{runs} runs");
    assert_eq!(scene.found().into_iter().collect::<Vec<_>>(), expected);
    let samples = |scene: &Scene| scene.samples().values().map(BTreeSet::len).sum::<usize>();
    assert_eq!(samples(&scene), samples(&once));
}
