//! Steps that are held for the summary of the hour while something goes wrong on the way.

use alarm_state::{Matches, QueueBody, Summary};
use ports::ErrorKind;
use serde_json::json;
use testkit::{Fault, sqs_record};

use crate::scene::{HOUR, NOW, Scene, batch, in_account, partition, sign_ins};

/// Whose step is held.
const HELD: &str = "444455556666";

const FAULTS: [Fault; 5] = [
    Fault::Fail(ErrorKind::Throttled),
    Fault::Fail(ErrorKind::Unknown),
    Fault::LoseAnswer,
    Fault::DieBefore,
    Fault::DieAfter,
];

/// A world in whose hour there is no place left, and one step is held already.
fn full() -> Scene {
    let scene = Scene::new();
    let events: Vec<(i64, u64)> = (0..21)
        .map(|n| (NOW - 50_000 + 1_000 * n, n as u64))
        .collect();
    let outcome = scene.deliver(&in_account(&sign_ins(1.0), "000000000001", 1, &events));
    assert_eq!(
        (outcome.count("StepsTold"), outcome.count("StepsHeld")),
        (20, 1)
    );
    scene
}

fn one_more() -> Matches {
    in_account(&sign_ins(1.0), HELD, 2, &[(NOW - 100, 100)]).remove(0)
}

fn tell_summary(scene: &Scene) {
    let body = QueueBody::Summary(Summary { hour: NOW }).to_json();
    let record = sqs_record("s", &body, 1, Some("summary"));
    let outcome = scene.handle(json!({ "Records": [record] }));
    assert_eq!(outcome.failed(), [""; 0]);
}

/// As the queue does it: until it is done.
fn deliver_until_done(scene: &Scene, message: &Matches) {
    let attempt = || {
        let outcome = scene.try_handle(batch(std::slice::from_ref(message)), 60_000);
        outcome.is_some_and(|outcome| outcome.failed().is_empty())
    };
    assert!((0..3).any(|_| attempt()));
}

fn hours_pass(scene: &Scene) {
    for _ in 0..3 * 12 {
        scene.world.advance(300);
        scene.tick();
    }
}

/// How many events of the incident were told by itself, and how many in summaries, told by told.
fn told_of_it(scene: &Scene) -> (Vec<u64>, Vec<u64>) {
    let (mut alone, mut in_summaries) = (Vec::new(), Vec::new());
    for told in scene.told() {
        let document = &told.document;
        if document["kind"] == "incident" && told.attributes["account"] == HELD {
            alone.push(document["matched"].as_u64().unwrap());
        }
        let rows = document["held"].as_array().into_iter().flatten();
        let ours = rows.filter(|row| row["group"] == HELD);
        in_summaries.extend(ours.map(|row| row["matched"].as_u64().unwrap()));
    }
    (alone, in_summaries)
}

/// Meets each fault at each request of the way of the message, and goes on as `go_on` does.
fn at_every_request(go_on: impl Fn(&Scene, &str)) {
    let mut runs = 0;
    for fault in FAULTS {
        for offset in 0.. {
            let scene = full();
            let index = scene.world.requests().len() + offset;
            scene.world.fault_at(index, fault);
            scene.try_handle(batch(&[one_more()]), 60_000);
            if scene.world.requests().len() <= index {
                break;
            }
            runs += 1;
            let context = format!("{fault:?} at {}", scene.world.requests()[index]);
            go_on(&scene, &context);
        }
    }
    assert!(runs > 40, "{runs} runs");
}

#[test]
fn a_step_held_by_one_who_fails_or_dies_anywhere_is_told_in_the_summary_once_and_not_by_itself() {
    at_every_request(|scene, context| {
        deliver_until_done(scene, &one_more());
        hours_pass(scene);
        assert_eq!(told_of_it(scene), (vec![], vec![1]), "{context}");
    });
}

#[test]
fn a_step_held_by_one_who_dies_is_told_in_the_summary_when_nothing_but_the_tick_comes() {
    at_every_request(|scene, context| {
        let of_it = partition(&one_more());
        let items = scene.world.items();
        let is_known = |key: &ports::ItemKey| key.partition == of_it && key.sort == "head";
        if !items.iter().any(|item| is_known(&item.key)) {
            return; // It is still in the queue, and nowhere else.
        }
        hours_pass(scene);
        assert_eq!(told_of_it(scene), (vec![], vec![1]), "{context}");
    });
}

#[test]
fn a_message_that_comes_again_after_the_summary_tells_what_that_has_not_told_and_nothing_else() {
    at_every_request(|scene, context| {
        scene.world.advance(HOUR + 120);
        tell_summary(scene);
        deliver_until_done(scene, &one_more());
        hours_pass(scene);
        let (alone, in_summaries) = told_of_it(scene);
        let all = [alone.clone(), in_summaries.clone()].concat();
        assert_eq!(all, [1], "{context}: {alone:?}, {in_summaries:?}");
    });
}

#[test]
fn a_message_that_comes_again_in_the_next_hour_before_the_summary_is_told_once() {
    at_every_request(|scene, context| {
        scene.world.advance(HOUR);
        deliver_until_done(scene, &one_more());
        hours_pass(scene);
        let (alone, in_summaries) = told_of_it(scene);
        let all = [alone.clone(), in_summaries.clone()].concat();
        assert_eq!(all, [1], "{context}: {alone:?}, {in_summaries:?}");
    });
}

#[test]
fn what_joins_a_held_incident_after_the_summary_is_a_further_step() {
    at_every_request(|scene, context| {
        scene.world.advance(HOUR + 120);
        tell_summary(scene);
        let more = in_account(
            &sign_ins(1.0),
            HELD,
            3,
            &[(NOW - 102, 101), (NOW - 101, 102)],
        );
        deliver_until_done(scene, &more[0]);
        deliver_until_done(scene, &one_more());
        hours_pass(scene);
        let (alone, in_summaries) = told_of_it(scene);
        let all = [in_summaries, alone].concat();
        // All events are told in the end, and no number twice.
        assert_eq!(all.last(), Some(&3), "{context}: {all:?}");
        assert!(all.is_sorted_by(|a, b| a < b), "{context}: {all:?}");
    });
}

#[test]
fn a_place_in_the_hour_that_cannot_be_read_is_taken_by_the_tick_later() {
    let scene = Scene::new();
    let throttled = Fault::Fail(ErrorKind::Throttled);
    scene.world.fail_all("GetItem quota#", throttled);
    for _ in 0..5 {
        assert_eq!(scene.deliver(&[one_more()]).failed(), ["m1"]);
        scene.world.advance(30);
    }
    // Now it is in the dead-letter queue.
    scene.world.heal();
    scene.world.advance(300);
    assert_eq!(scene.tick().count("StepsTold"), 1);
    hours_pass(&scene);
    assert_eq!(scene.steps(), [(1, false, 1)]);
}
