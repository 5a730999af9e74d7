//! The tick: it finds what is due, sends it messages, and writes nothing.

use metric_alarm::{AlarmDefinition, ComparisonOperator, Statistic, TreatMissingData};
use ports::ErrorKind;
use serde_json::json;
use testkit::Fault;

use crate::scene::{HOUR, NOW, Scene, filter, matches, sign_ins, tick};

#[test]
fn a_tick_with_nothing_due_sends_nothing() {
    let scene = Scene::new();
    scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)])]);
    let before = scene.stored();
    for invocation in [
        tick(),
        json!({ "source": "aws.scheduler" }),
        json!({ "tick": true }),
    ] {
        let outcome = scene.handle(invocation);
        assert_eq!(outcome.answer, Ok(json!({ "due": 0 })));
        assert_eq!(
            (outcome.count("Ticks"), outcome.count("TickMessages")),
            (1, 0)
        );
    }
    assert!(scene.world.sent("matches").is_empty());
    assert_eq!(scene.stored(), before);
}

#[test]
fn a_tick_sends_each_due_group_a_message_in_its_own_group_and_writes_nothing() {
    let scene = Scene::new();
    let message = matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)]);
    scene.deliver(std::slice::from_ref(&message));
    scene.deliver(&[matches(&sign_ins(1.0), 2, &[(NOW - 9, 2)])]);
    scene.world.advance(HOUR);
    let before = scene.stored();
    let outcome = scene.handle(tick());
    assert_eq!(outcome.count("TickMessages"), 1);
    // Sent again at once, the queue drops it.
    scene.handle(tick());
    let sent = scene.world.sent("matches");
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].message.group_id, message.group_id.0,
        "a group has one writer"
    );
    assert_eq!(scene.stored(), before);
    assert!(scene.told().len() == 1, "the tick itself tells nothing");
    scene.deliver_sent();
    assert_eq!(scene.told().len(), 2);
}

#[test]
fn a_tick_message_that_comes_twice_tells_once() {
    let scene = Scene::new();
    scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)])]);
    scene.deliver(&[matches(&sign_ins(1.0), 2, &[(NOW - 9, 2)])]);
    scene.world.advance(HOUR);
    scene.handle(tick());
    let message = scene.world.sent("matches").remove(0).message;
    for _ in 0..2 {
        let record = testkit::sqs_record("m1", &message.body, 1, Some(&message.group_id));
        assert_eq!(
            scene.handle(json!({ "Records": [record] })).failed(),
            [""; 0]
        );
    }
    assert_eq!(scene.steps(), [(1, false, 1), (2, false, 2)]);
}

#[test]
fn a_tick_that_cannot_look_or_send_fails() {
    for request in ["Query due", "SendMessageBatch matches"] {
        let scene = Scene::new();
        scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)])]);
        scene.deliver(&[matches(&sign_ins(1.0), 2, &[(NOW - 9, 2)])]);
        scene.world.advance(HOUR);
        scene
            .world
            .fail_all(request, Fault::Fail(ErrorKind::Throttled));
        let error = scene.handle(tick()).answer.unwrap_err();
        assert!(
            error.starts_with("the tick failed: ") && error.contains("throttled"),
            "{error}"
        );
        scene.world.heal();
        scene.tick();
        assert_eq!(scene.told().len(), 2);
    }
}

/// Silence: no event in two minutes, one after the other.
fn silence() -> AlarmDefinition {
    AlarmDefinition::builder(
        Statistic::SampleCount,
        ComparisonOperator::LessThanThreshold,
        1.0,
        60,
    )
    .evaluation_periods(2)
    .treat_missing_data(TreatMissingData::Breaching)
    .build()
    .unwrap()
}

#[test]
fn silence_is_told_by_ticks_once_it_is_certain_and_once_only() {
    let scene = Scene::new();
    scene.deliver(&[matches(&filter("medium", &silence()), 1, &[(NOW - 30, 1)])]);
    assert!(scene.told().is_empty());
    let mut told_after = None;
    for minute in 1..=120 {
        scene.world.advance(60);
        scene.tick();
        if told_after.is_none() && !scene.told().is_empty() {
            told_after = Some(minute);
        }
    }
    // Once the event is in none of the four minutes that CloudWatch looks at for two, and a quarter
    // of an hour later, when such files have come as are to come.
    assert_eq!(told_after, Some(19));
    assert_eq!(scene.steps().len(), 1);
    let told = scene.told();
    assert_eq!(told[0].document["start"], "2026-03-02T03:03:00Z");
}

#[test]
fn events_that_go_on_are_no_silence() {
    let scene = Scene::new();
    for minute in 0..60 {
        scene.deliver(&[matches(
            &filter("medium", &silence()),
            minute,
            &[(NOW - 30 + 60 * minute as i64, minute)],
        )]);
        scene.world.advance(60);
        scene.tick();
    }
    assert!(scene.told().is_empty());
}

#[test]
fn an_average_of_events_dated_ahead_of_the_clock_is_told_by_a_tick_once_its_minute_is_over() {
    let above = ComparisonOperator::GreaterThanOrEqualToThreshold;
    let average = AlarmDefinition::builder(Statistic::Average, above, 1.0, 60)
        .build()
        .unwrap();
    let scene = Scene::new();
    scene.deliver(&[matches(&filter("medium", &average), 1, &[(NOW + 7_200, 1)])]);
    let mut told_after = None;
    for minute in (5..=180).step_by(5) {
        scene.world.advance(300);
        scene.tick();
        if told_after.is_none() && !scene.told().is_empty() {
            told_after = Some(minute);
        }
    }
    // Two hours, the minute itself, and a quarter of an hour for files that are to come.
    assert_eq!(told_after, Some(140));
    assert_eq!(scene.steps().len(), 1);
}
