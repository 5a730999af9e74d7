//! How many messages leave in an hour, and the summary of the rest.

use alarm_state::{QueueBody, Summary};
use ports::ErrorKind;
use serde_json::json;
use testkit::{Fault, sqs_record};

use crate::scene::{HOUR, NOW, Outcome, Scene, in_account, sign_ins};

/// One alarm in each of so many accounts, of two events each.
fn many(scene: &Scene, accounts: u64) -> Outcome {
    let filter = sign_ins(2.0);
    let messages: Vec<_> = (0..accounts)
        .flat_map(|n| {
            in_account(
                &filter,
                &format!("{n:012}"),
                1,
                &[(NOW - 100, 2 * n), (NOW - 99, 2 * n + 1)],
            )
        })
        .collect();
    scene.deliver(&messages)
}

fn summary_message(id: &str) -> serde_json::Value {
    let body = QueueBody::Summary(Summary { hour: NOW }).to_json();
    json!({ "Records": [sqs_record(id, &body, 1, Some("summary"))] })
}

fn summaries(scene: &Scene) -> Vec<crate::scene::Told> {
    let told = scene.told().into_iter();
    told.filter(|told| told.document["kind"] != "incident")
        .collect()
}

#[test]
fn groups_of_a_batch_that_are_told_at_the_same_time_all_find_a_place() {
    let scene = Scene::new();
    scene.world.take_turns();
    let filter = sign_ins(1.0);
    let messages: Vec<_> = (1..=10)
        .flat_map(|n| in_account(&filter, &format!("{n:012}"), n, &[(NOW - 10, n)]))
        .collect();
    let outcome = scene.deliver(&messages);
    assert_eq!(outcome.failed(), Vec::<String>::new(), "{outcome:?}");
    assert_eq!(scene.told().len(), 10);
    let requests = scene.world.requests();
    let places = requests
        .iter()
        .filter(|request| request.starts_with("PutItem quota#"));
    assert_eq!(places.count(), 10, "none met another: {requests:?}");
}

#[test]
fn of_25_incidents_in_an_hour_20_are_told_and_5_are_in_one_summary_with_exact_counts() {
    let scene = Scene::new();
    let outcome = many(&scene, 25);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(
        (outcome.count("StepsTold"), outcome.count("StepsHeld")),
        (20, 5)
    );
    assert_eq!(scene.steps().len(), 20);
    // The summary waits until nobody can be at work on the hour any more.
    scene.world.advance(HOUR + 119);
    scene.tick();
    assert!(summaries(&scene).is_empty());
    scene.world.advance(1);
    let outcome = scene.tick();
    assert_eq!(
        (outcome.count("SummariesTold"), outcome.count("EventsTold")),
        (1, 10)
    );
    let [summary] = summaries(&scene).try_into().unwrap();
    assert!(
        summary
            .subject
            .starts_with("[HIGH] 5 incidents held back at 03:00 UTC"),
        "{}",
        summary.subject
    );
    assert!(summary.subject.contains("10 events"), "{}", summary.subject);
    for _ in 0..5 {
        scene.world.advance(HOUR);
        scene.tick();
    }
    assert_eq!(
        (scene.told().len(), scene.steps().len()),
        (21, 20),
        "nothing is told again"
    );
}

#[test]
fn every_event_is_told_once_in_a_message_or_in_the_summary() {
    let scene = Scene::new();
    let outcome = many(&scene, 25);
    scene.world.advance(HOUR + 120);
    let after = scene.tick();
    assert_eq!(outcome.count("EventsTold") + after.count("EventsTold"), 50);
}

#[test]
fn a_summary_whose_message_comes_twice_is_told_once() {
    let scene = Scene::new();
    many(&scene, 22);
    scene.world.advance(HOUR + 120);
    for id in ["m1", "m1", "m2"] {
        assert_eq!(scene.handle(summary_message(id)).failed(), [""; 0]);
    }
    assert_eq!(summaries(&scene).len(), 1);
}

#[test]
fn a_summary_that_is_refused_is_told_later_and_one_that_may_have_been_told_says_so() {
    for (fault, may_be_repeat, times) in [
        (Fault::Fail(ErrorKind::Throttled), false, 1),
        (Fault::LoseAnswer, true, 2),
    ] {
        let scene = Scene::new();
        many(&scene, 22);
        scene.world.advance(HOUR + 120);
        scene.world.fail_all("Publish", fault);
        assert_eq!(scene.handle(summary_message("m1")).failed(), ["m1"]);
        scene.world.heal();
        assert_eq!(scene.handle(summary_message("m1")).failed(), [""; 0]);
        let told = summaries(&scene);
        assert_eq!(told.len(), times);
        assert_eq!(
            told.last().unwrap().document["may_be_repeat"],
            may_be_repeat
        );
        assert_eq!(scene.handle(summary_message("m1")).failed(), [""; 0]);
        assert_eq!(summaries(&scene).len(), times);
    }
}

#[test]
fn a_summary_of_an_hour_in_which_nothing_is_held_tells_nothing() {
    let scene = Scene::new();
    many(&scene, 3);
    scene.world.advance(HOUR + 120);
    assert_eq!(scene.handle(summary_message("m1")).failed(), [""; 0]);
    assert_eq!(scene.told().len(), 3);
}

#[test]
fn the_next_hour_has_places_again_and_an_incident_that_was_held_can_have_one() {
    let scene = Scene::new();
    many(&scene, 21);
    let held = scene
        .heads()
        .into_iter()
        .find(|head| {
            !scene
                .told()
                .iter()
                .any(|told| Some(&told.attributes["account"]) == head.group[0].as_ref())
        })
        .unwrap();
    let account = held.group[0].clone().unwrap();
    scene.world.advance(HOUR + 120);
    scene.tick();
    scene.deliver(&in_account(&sign_ins(2.0), &account, 2, &[(NOW - 98, 999)]));
    let told = scene.told();
    let last = told.last().unwrap();
    assert_eq!(last.attributes["account"], account);
    assert_eq!(
        (
            last.document["step"].as_u64(),
            last.document["matched"].as_u64()
        ),
        (Some(2), Some(3))
    );
    assert_eq!(last.document["told_before"].as_u64(), Some(2));
}

#[test]
fn a_step_that_is_told_again_takes_no_second_place() {
    let scene = Scene::new();
    scene
        .world
        .fail_all("Publish", Fault::Fail(ErrorKind::Throttled));
    for _ in 0..3 {
        assert_eq!(many(&scene, 20).failed().len(), 20);
    }
    scene.world.heal();
    let outcome = many(&scene, 20);
    assert_eq!(
        (outcome.count("StepsTold"), outcome.count("StepsHeld")),
        (20, 0)
    );
}
