//! Batches in which messages fail, messages that cannot be read, payloads that are neither.

use alarm_state::QueueBody;
use ports::ErrorKind;
use serde_json::{Value, json};
use testkit::{Fault, sqs_record};

use crate::scene::{ACCOUNT, NOW, Scene, batch, in_account, matches, partition, sign_ins};

#[test]
fn a_message_that_fails_holds_up_the_later_ones_of_its_group_only() {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    let of = |account: &str, file: u64| {
        in_account(&filter, account, file, &[(NOW - 10 * file as i64, file)]).remove(0)
    };
    let messages = [
        of(ACCOUNT, 1),
        of("444455556666", 2),
        of(ACCOUNT, 3),
        of("444455556666", 4),
        of(ACCOUNT, 5),
    ];
    scene.world.fail_all(
        &format!("GetItem {}", partition(&messages[0])),
        Fault::Fail(ErrorKind::Throttled),
    );
    let outcome = scene.deliver(&messages);
    assert_eq!(outcome.failed(), ["m1", "m3", "m5"]);
    assert_eq!(outcome.count("MessagesFailed:throttled"), 1);
    assert_eq!(outcome.count("MatchesCounted"), 2);
    scene.world.heal();
    let outcome = scene.deliver(&messages);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(
        (
            outcome.count("MatchesCounted"),
            outcome.count("MatchesKnown")
        ),
        (3, 2)
    );
}

#[test]
fn a_message_that_fails_leaves_those_before_it_done() {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    let messages: Vec<_> = (1..=3)
        .map(|n| matches(&filter, n, &[(NOW - 10, n)]))
        .collect();
    scene.deliver(&messages[..1]);
    let done = scene.world.requests().len();
    scene.deliver(&messages[1..2]);
    let each = scene.world.requests().len() - done;

    let scene = Scene::new();
    scene
        .world
        .fault_at(done + each, Fault::Fail(ErrorKind::Refused));
    let outcome = scene.deliver(&messages);
    assert_eq!(outcome.failed(), ["m3"]);
    assert_eq!(outcome.count("MessagesFailed:refused"), 1);
    assert_eq!(scene.heads()[0].incidents[0].matched, 2);
}

/// Bodies that are no messages.
fn unreadable() -> Vec<String> {
    let good = QueueBody::Matches(Box::new(matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)]))).to_json();
    vec![
        "hello".to_owned(),
        "{}".to_owned(),
        String::new(),
        json!({ "type": "unknown" }).to_string(),
        good.replace(r#""schema":1"#, r#""schema":2"#),
        good.replace(r#""samples":""#, r#""samples":"!"#),
        good.replace(r#""matched":1"#, r#""matched":2"#),
    ]
}

#[test]
fn a_message_that_cannot_be_read_goes_to_the_dead_letter_queue_at_once_and_its_group_goes_on() {
    for body in unreadable() {
        let scene = Scene::new();
        let good = matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)]);
        let mut invocation = batch(std::slice::from_ref(&good));
        let poison = sqs_record("poison", &body, 1, Some(&good.group_id.0));
        invocation["Records"]
            .as_array_mut()
            .unwrap()
            .insert(0, poison);
        let outcome = scene.handle(invocation.clone());
        assert_eq!(outcome.failed(), [""; 0], "{body}");
        assert_eq!(
            (
                outcome.count("MessagesUnparsable"),
                outcome.count("MessagesDeadLettered")
            ),
            (1, 1)
        );
        assert_eq!(scene.steps(), [(1, false, 1)], "{body}");
        let dead = scene.world.sent("dead-letters");
        assert_eq!(dead.len(), 1);
        assert_eq!(
            (&dead[0].message.body, &dead[0].message.group_id),
            (&body, &good.group_id.0)
        );
        // Should it be delivered again, the copy is the same.
        scene.handle(invocation);
        assert_eq!(scene.world.sent("dead-letters").len(), 1, "{body}");
    }
}

#[test]
fn a_message_that_cannot_be_moved_away_comes_again() {
    let scene = Scene::new();
    scene.world.fail_all(
        "SendMessageBatch dead-letters",
        Fault::Fail(ErrorKind::AccessDenied),
    );
    let invocation = json!({ "Records": [sqs_record("m1", "hello", 1, Some("g")), sqs_record("m2", "hello", 1, Some("g"))] });
    let outcome = scene.handle(invocation.clone());
    assert_eq!(outcome.failed(), ["m1", "m2"]);
    assert_eq!(outcome.count("MessagesFailed:access_denied"), 1);
    assert_eq!(outcome.count("MessagesDeadLettered"), 0);
    scene.world.heal();
    assert_eq!(scene.handle(invocation).failed(), [""; 0]);
    assert_eq!(scene.world.sent("dead-letters").len(), 2);
}

#[test]
fn a_payload_that_is_neither_a_batch_nor_a_tick_fails_without_being_repeated_in_the_error() {
    let without_group = json!({ "Records": [sqs_record("m1", "hello", 1, None)] });
    let payloads = [
        (
            json!({ "secret": "hunter2" }),
            "found an object with the members secret",
        ),
        (
            json!({ "source": "aws.s3", "detail": "hunter2" }),
            "an object with the members source, detail",
        ),
        (json!(["hunter2"]), "found an array"),
        (Value::Null, "found neither an object nor an array"),
        (
            without_group,
            "Records[0] without messageId, body or attributes.MessageGroupId",
        ),
    ];
    for (payload, expected) in payloads {
        let error = Scene::new().handle(payload).answer.unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn no_message_is_begun_when_the_time_is_nearly_over() {
    let scene = Scene::new();
    let messages = [matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)])];
    let outcome = scene.try_handle(batch(&messages), 1_000).unwrap();
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("MessagesFailed:no_time"), 1);
    assert!(scene.world.requests().is_empty());
    assert_eq!(
        scene.try_handle(batch(&messages), 10_000).unwrap().failed(),
        [""; 0]
    );
    assert_eq!(scene.told().len(), 1);
}
