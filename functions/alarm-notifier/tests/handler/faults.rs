//! Requests that are refused, get no answer, meet another writer, or never return; state that cannot
//! be read.

use std::cell::Cell;

use ports::{Body, Clock, ErrorKind, Item, ItemKey, Items, Put, RequestError};
use serde_json::Value;
use testkit::{Fault, World, run};

use crate::scene::{
    CHAT_TOPIC, HOUR, NOW, Scene, TOPIC, batch, matches, partition, sign_ins, text,
};

fn three() -> alarm_state::Matches {
    matches(
        &sign_ins(3.0),
        1,
        &[(NOW - 300, 1), (NOW - 200, 2), (NOW - 100, 3)],
    )
}

#[test]
fn what_the_topic_refuses_is_not_told_and_told_later_as_the_first_time() {
    for kind in [
        ErrorKind::Throttled,
        ErrorKind::AccessDenied,
        ErrorKind::Refused,
    ] {
        let scene = Scene::new();
        scene.world.fail_all("Publish", Fault::Fail(kind));
        let outcome = scene.deliver(&[three()]);
        assert_eq!(outcome.failed(), ["m1"], "{kind}");
        assert_eq!(outcome.count(&format!("TellingFailed:{}", kind.name())), 1);
        assert_eq!((outcome.count("StepsTold"), scene.told().len()), (0, 0));
        assert_eq!(scene.heads()[0].incidents[0].steps, 0);
        scene.world.heal();
        assert_eq!(scene.deliver(&[three()]).failed(), [""; 0]);
        assert_eq!(scene.steps(), [(1, false, 3)], "{kind}");
    }
}

#[test]
fn what_the_topic_may_have_accepted_is_told_once_more_and_says_so() {
    let scene = Scene::new();
    scene.world.fail_all("Publish", Fault::LoseAnswer);
    assert_eq!(scene.deliver(&[three()]).failed(), ["m1"]);
    assert_eq!(scene.steps(), [(1, false, 3)], "it was accepted");
    scene.world.heal();
    let outcome = scene.deliver(&[three()]);
    assert_eq!(outcome.count("StepsRepeated"), 1);
    assert_eq!(scene.steps(), [(1, false, 3), (1, true, 3)]);
    let told = scene.told();
    assert_eq!(told[0].document["incident"], told[1].document["incident"]);
    assert!(told[1].text.contains("may be a repeat"), "{}", told[1].text);
    scene.deliver(&[three()]);
    scene.world.advance(2 * HOUR);
    scene.tick();
    assert_eq!(scene.steps().len(), 2);
}

#[test]
fn a_step_whose_message_is_lost_to_the_dead_letter_queue_is_told_by_a_tick() {
    let scene = Scene::new();
    scene
        .world
        .fail_all("Publish", Fault::Fail(ErrorKind::Throttled));
    scene.deliver(&[three()]);
    scene.world.heal();
    scene.world.advance(300);
    scene.tick();
    assert_eq!(scene.steps(), [(1, false, 3)]);
}

#[test]
fn a_chat_topic_that_fails_does_not_hold_up_the_alarm() {
    for fault in [Fault::Fail(ErrorKind::AccessDenied), Fault::LoseAnswer] {
        let scene = Scene::with_environment(&[("CHAT_TOPIC_ARN", CHAT_TOPIC)]);
        scene
            .world
            .fail_all(&format!("Publish {CHAT_TOPIC}"), fault);
        let outcome = scene.deliver(&[three()]);
        assert_eq!(outcome.failed(), [""; 0]);
        assert_eq!(
            (outcome.count("ChatFailed"), outcome.count("StepsTold")),
            (1, 1)
        );
        scene.deliver(&[three()]);
        assert_eq!(scene.steps(), [(1, false, 3)]);
    }
}

#[test]
fn a_step_is_told_in_the_table_before_chat_is_tried() {
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        let scene = Scene::with_environment(&[("CHAT_TOPIC_ARN", CHAT_TOPIC)]);
        scene
            .world
            .fail_all(&format!("Publish {CHAT_TOPIC}"), fault);
        let answer = scene.try_handle(batch(&[three()]), 60_000);
        assert!(answer.is_none(), "chat hangs until the process is killed");
        let incident = scene.heads().remove(0).incidents.remove(0);
        assert_eq!((incident.steps, incident.telling), (1, None));
        scene.world.heal();
        assert_eq!(scene.deliver(&[three()]).failed(), [""; 0]);
        scene.world.advance(HOUR);
        scene.tick();
        assert_eq!(scene.steps(), [(1, false, 3)]);
    }
}

#[test]
fn an_incident_that_the_topic_refuses_does_not_keep_the_next_of_its_group_from_being_told() {
    let two = || matches(&sign_ins(1.0), 1, &[(NOW - 2_000, 1), (NOW - 1_000, 2)]);
    let scene = Scene::new();
    scene.deliver(&[two()]);
    let requests = scene.world.requests();
    let publish = |request: &String| request.starts_with("Publish");
    let first = requests.iter().position(publish).unwrap();

    let scene = Scene::new();
    let refused = Fault::Fail(ErrorKind::Refused);
    scene.world.fault_at(first, refused);
    let outcome = scene.deliver(&[two()]);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("TellingFailed:refused"), 1);
    assert_eq!(scene.steps(), [(1, false, 1)]);
    assert_eq!(scene.deliver(&[two()]).failed(), [""; 0]);
    assert_eq!(scene.steps(), [(1, false, 1), (1, false, 1)]);
    let told = scene.told();
    assert_ne!(told[0].document["incident"], told[1].document["incident"]);
}

#[test]
fn nothing_is_begun_to_be_told_when_the_time_is_nearly_over() {
    let world = World::new(NOW);
    let table = Slow {
        world: world.clone(),
    };
    let scene = Scene::over(world, table, &[]);
    let events: Vec<(i64, u64)> = (0..15).map(|n| (NOW - 1_000 * n, n as u64)).collect();
    let message = [matches(&sign_ins(1.0), 1, &events)];
    let outcome = scene.deliver(&message);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("MessagesFailed:no_time"), 1, "{outcome:?}");
    assert!(
        outcome.count("TellingFailed") <= 1,
        "the one that was begun in time"
    );
    assert!((1..15).contains(&scene.told().len()));
    assert!(scene.world.now_millis() < 1000 * NOW + 60_000);
    assert_eq!(scene.deliver(&message).failed(), [""; 0]);
    assert_eq!(scene.steps(), [(1, false, 1); 15]);
}

/// A table that takes a second for each write.
struct Slow {
    world: World,
}

impl Items for Slow {
    async fn get_item(&self, key: &ItemKey) -> Result<Option<Item>, RequestError> {
        self.world.get_item(key).await
    }

    async fn items_between(
        &self,
        partition: &str,
        first: &str,
        last: &str,
        backwards: bool,
        most: usize,
    ) -> Result<Vec<Item>, RequestError> {
        self.world
            .items_between(partition, first, last, backwards, most)
            .await
    }

    async fn put_item(&self, item: &Item, expected: Option<u64>) -> Result<Put, RequestError> {
        self.world.advance(1);
        self.world.put_item(item, expected).await
    }

    async fn due_items(&self, now: i64, most: usize) -> Result<Vec<(ItemKey, i64)>, RequestError> {
        self.world.due_items(now, most).await
    }
}

#[test]
fn chat_is_not_told_what_the_alarm_topic_has_not_accepted() {
    let scene = Scene::with_environment(&[("CHAT_TOPIC_ARN", CHAT_TOPIC)]);
    scene.world.fail_all(
        &format!("Publish {TOPIC}"),
        Fault::Fail(ErrorKind::Throttled),
    );
    scene.deliver(&[three()]);
    assert!(scene.world.publications().is_empty());
}

/// A table in which somebody else begins to tell right before we do.
struct Contested {
    world: World,
    is_done: Cell<bool>,
}

impl Items for Contested {
    async fn get_item(&self, key: &ItemKey) -> Result<Option<Item>, RequestError> {
        self.world.get_item(key).await
    }

    async fn items_between(
        &self,
        partition: &str,
        first: &str,
        last: &str,
        backwards: bool,
        most: usize,
    ) -> Result<Vec<Item>, RequestError> {
        self.world
            .items_between(partition, first, last, backwards, most)
            .await
    }

    async fn put_item(&self, item: &Item, expected: Option<u64>) -> Result<Put, RequestError> {
        let begins_to_tell = item.key.sort == "head" && text(item).contains("\"telling\"");
        if begins_to_tell && !self.is_done.replace(true) {
            let others = Item {
                due_at: Some(0),
                ..item.clone()
            };
            assert_eq!(self.world.put_item(&others, expected).await?, Put::Written);
        }
        self.world.put_item(item, expected).await
    }

    async fn due_items(&self, now: i64, most: usize) -> Result<Vec<(ItemKey, i64)>, RequestError> {
        self.world.due_items(now, most).await
    }
}

#[test]
fn one_that_meets_another_writer_fails_and_tells_nothing() {
    let world = World::new(NOW);
    let table = Contested {
        world: world.clone(),
        is_done: Cell::new(false),
    };
    let scene = Scene::over(world, table, &[]);
    let outcome = scene.deliver(&[three()]);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("MessagesFailed:conflict"), 1);
    assert!(scene.told().is_empty());
    // The other one had begun to tell: it may have been told.
    assert_eq!(scene.deliver(&[three()]).failed(), [""; 0]);
    assert_eq!(scene.steps(), [(1, true, 3)]);
}

/// Replaces the body of the item with this sort key.
fn spoil(scene: &Scene, sort: &str, body: Body) -> Item {
    let known = scene
        .world
        .items()
        .into_iter()
        .find(|item| item.key.sort.starts_with(sort))
        .unwrap();
    let spoilt = Item {
        version: known.version + 1,
        body,
        ..known.clone()
    };
    run(scene.world.put_item(&spoilt, Some(known.version)))
        .unwrap()
        .unwrap();
    spoilt
}

#[test]
fn state_that_cannot_be_read_fails_the_message_and_stays() {
    let bodies = || {
        [
            Body::Text("{}".into()),
            Body::Text("garbage".into()),
            Body::Bytes(vec![9, 9]),
        ]
    };
    for sort in ["head", "b#", "e#"] {
        for body in bodies() {
            let scene = Scene::new();
            scene.deliver(&[matches(&sign_ins(3.0), 1, &[(NOW - 300, 1)])]);
            let spoilt = spoil(&scene, sort, body);
            let later = matches(&sign_ins(3.0), 2, &[(NOW - 299, 2)]);
            let outcome = scene.deliver(&[later]);
            assert_eq!(outcome.failed(), ["m1"], "{sort} {:?}", spoilt.body);
            assert_eq!(outcome.count("MessagesFailed:stored_state"), 1, "{sort}");
            assert!(scene.world.items().contains(&spoilt), "{sort}");
            assert!(scene.told().is_empty());
        }
    }
}

#[test]
fn state_of_a_newer_schema_fails_the_message_and_stays() {
    for sort in ["head", "e#"] {
        let scene = Scene::new();
        let message = matches(&sign_ins(3.0), 1, &[(NOW - 300, 1)]);
        scene.deliver(std::slice::from_ref(&message));
        let known = scene
            .world
            .items()
            .into_iter()
            .find(|item| item.key.sort.starts_with(sort))
            .unwrap();
        let mut newer: Value = serde_json::from_str(text(&known)).unwrap();
        newer["schema"] = 2.into();
        newer["something_new"] = "kept".into();
        let newer = spoil(&scene, sort, Body::Text(newer.to_string()));
        let outcome = scene.deliver(&[matches(&sign_ins(3.0), 2, &[(NOW - 299, 2)])]);
        assert_eq!(outcome.count("MessagesFailed:stored_state"), 1, "{sort}");
        assert!(scene.world.items().contains(&newer), "{sort}");
    }
}

#[test]
fn a_bucket_of_a_newer_schema_fails_the_message_and_stays() {
    let scene = Scene::new();
    scene.deliver(&[matches(&sign_ins(3.0), 1, &[(NOW - 300, 1)])]);
    let newer = spoil(&scene, "b#", Body::Bytes(vec![3, 1, 2, 3]));
    let outcome = scene.deliver(&[matches(&sign_ins(3.0), 2, &[(NOW - 299, 2)])]);
    assert_eq!(outcome.count("MessagesFailed:stored_state"), 1);
    assert!(scene.world.items().contains(&newer));
}

#[test]
fn a_fault_at_any_request_loses_nothing_and_repeats_a_step_only_with_the_word() {
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
            scene.world.fault_at(index, fault);
            let invocation = batch(&[three()]);
            let is_done = || {
                let outcome = scene.try_handle(invocation.clone(), 60_000);
                outcome.is_some_and(|outcome| outcome.failed().is_empty())
            };
            assert!((0..4).any(|_| is_done()), "{fault:?} at {index}");
            if scene.world.requests().len() <= index {
                break;
            }
            runs += 1;
            let context = format!("{fault:?} at {index}: {}", scene.world.requests()[index]);
            let incident = &scene.heads()[0].incidents[0];
            assert_eq!(
                (incident.matched, incident.steps, incident.telling),
                (3, 1, None),
                "{context}"
            );
            let steps = scene.steps();
            match steps.as_slice() {
                [(1, _, 3)] | [(1, false, 3), (1, true, 3)] => {}
                other => panic!("{context}: {other:?}"),
            }
            // Refused is refused: nobody can have told it before.
            if fault == Fault::Fail(ErrorKind::Throttled)
                && scene.world.requests()[index].starts_with("Publish")
            {
                assert_eq!(steps, [(1, false, 3)], "{context}");
            }
            assert_eq!(partition(&three()), scene.stored()[0].0);
        }
    }
    assert!(runs > 40, "{runs} runs");
}
