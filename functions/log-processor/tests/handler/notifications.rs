//! What arrives: every shape of notification, batches in which some messages fail, duplicates, and
//! objects that are no log files.

use alarm_state::FileStatus;
use serde_json::{Value, json};
use testkit::{gzip, log_file, s3_notification};

use crate::scene::{ACCOUNT, BUCKET, Scene, batch, key, stop_logging};

fn event_bridge(key: &str) -> Value {
    json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
        "source": "aws.s3", "account": ACCOUNT, "time": "2026-03-02T03:00:00Z", "region": "us-east-1",
        "resources": [format!("arn:aws:s3:::{BUCKET}")],
        "detail": { "version": "0", "bucket": { "name": BUCKET }, "object": { "key": key, "size": 512,
                    "sequencer": "0055AED6DCD90281E5" }, "request-id": "N4N7GDK58NMKJ12R",
                    "requester": "cloudtrail.amazonaws.com", "reason": "PutObject" },
    })
}

fn cloudtrail(key: &str) -> Value {
    json!({ "s3Bucket": BUCKET, "s3ObjectKey": [key] })
}

fn in_sns(message: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": format!("arn:aws:sns:us-east-1:{ACCOUNT}:trail"), "Message": message.to_string(),
        "Timestamp": "2026-03-02T03:00:00.000Z", "SignatureVersion": "1", "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/cert.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    })
}

fn sns_to_lambda(message: &Value) -> Value {
    json!({ "Records": [{ "EventSource": "aws:sns", "EventVersion": "1.0",
        "EventSubscriptionArn": format!("arn:aws:sns:us-east-1:{ACCOUNT}:trail:x"), "Sns": in_sns(message) }] })
}

fn queued(message: &Value) -> Value {
    batch(&[message.to_string()], 1)
}

#[test]
fn every_shape_of_notification_has_its_log_file_processed() {
    let key = key(1);
    let s3 = s3_notification(BUCKET, &[(&key, None)]);
    let shapes = [
        ("S3 by queue", queued(&s3)),
        ("S3 by topic and queue", queued(&in_sns(&s3))),
        ("EventBridge by queue", queued(&event_bridge(&key))),
        (
            "CloudTrail by topic and queue",
            queued(&in_sns(&cloudtrail(&key))),
        ),
        (
            "CloudTrail by topic and queue, raw",
            queued(&cloudtrail(&key)),
        ),
        ("S3 directly", s3.clone()),
        ("S3 by topic", sns_to_lambda(&s3)),
        ("CloudTrail by topic", sns_to_lambda(&cloudtrail(&key))),
        ("EventBridge directly", event_bridge(&key)),
    ];
    for (shape, invocation) in shapes {
        let scene = Scene::new();
        assert_eq!(scene.put(&[stop_logging("a")]), key);
        let is_batch = invocation["Records"][0]["eventSource"] == "aws:sqs";
        let outcome = scene.handle(invocation);
        let expected = if is_batch {
            json!({ "batchItemFailures": [] })
        } else {
            Value::Null
        };
        assert_eq!(outcome.answer, Ok(expected), "{shape}");
        assert_eq!(outcome.count("FilesProcessed"), 1, "{shape}");
        assert_eq!(scene.matches().len(), 1, "{shape}");
        assert_eq!(scene.documents().len(), 1, "{shape}");
        assert_eq!(
            scene.entry(&key).unwrap().status,
            FileStatus::Done,
            "{shape}"
        );
    }
}

#[test]
fn one_notification_of_several_objects_has_all_of_them_processed() {
    let scene = Scene::new();
    let keys = [
        scene.put(&[stop_logging("a")]),
        scene.put(&[stop_logging("b")]),
    ];
    let notification = s3_notification(BUCKET, &[(&keys[0], None), (&keys[1], None)]);
    let outcome = scene.handle(queued(&notification));
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FilesProcessed"), 2);
    assert_eq!(
        (outcome.count("MessagesReceived"), scene.matches().len()),
        (1, 2)
    );
}

#[test]
fn a_key_is_read_as_it_is_and_not_as_it_is_encoded() {
    let scene = Scene::new();
    let key = format!("Prüf protokoll+1%/{}", key(1));
    scene
        .world
        .put_object(BUCKET, &key, log_file(&[stop_logging("a")]));
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(scene.matches()[0].object.key, key);
}

#[test]
fn setup_messages_and_what_is_no_creation_are_skipped_by_reason() {
    let test_event = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-02T03:00:00.000Z",
        "Bucket": BUCKET, "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR" });
    let confirmation = json!({ "Type": "SubscriptionConfirmation", "MessageId": "m", "Token": "t", "Message": "m",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail", "SubscribeURL": "https://sns" });
    let mut removed = s3_notification(BUCKET, &[(&key(1), None)]);
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete".into();
    let bodies = [
        test_event.to_string(),
        confirmation.to_string(),
        "CloudTrail validation message.".to_owned(),
        removed.to_string(),
        json!({ "Records": [] }).to_string(),
    ];
    let outcome = Scene::new().handle(batch(&bodies, 1));
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FilesSkipped:setup_message"), 3);
    assert_eq!(outcome.count("FilesSkipped:not_object_created"), 1);
    assert_eq!(outcome.count("FilesSkipped:empty_notification"), 1);
    assert_eq!(outcome.count("FilesSkipped"), 5);
}

#[test]
fn only_the_message_whose_object_fails_comes_again() {
    let scene = Scene::new();
    let good = [
        scene.put(&[stop_logging("a")]),
        scene.put(&[stop_logging("b")]),
    ];
    let outcome = scene.announce(&[&good[0], &key(77), &good[1]]);
    assert_eq!(outcome.failed(), ["m2"]);
    assert_eq!(outcome.count("FilesProcessed"), 2);
    assert_eq!(outcome.count("FilesFailed:not_found"), 1);
    assert_eq!(scene.matches().len(), 2);
}

#[test]
fn a_message_with_a_good_and_a_bad_object_comes_again_and_the_good_one_is_done_once() {
    let scene = Scene::new();
    let good = scene.put(&[stop_logging("a")]);
    let notification = s3_notification(BUCKET, &[(&good, None), (&key(77), None)]);
    assert_eq!(scene.handle(queued(&notification)).failed(), ["m1"]);
    scene.overwrite(&key(77), &[stop_logging("b")]);
    let outcome = scene.handle(queued(&notification));
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(outcome.count("FilesSkipped:already_processed"), 1);
    assert_eq!(scene.matches().len(), 2);
}

#[test]
fn a_message_that_cannot_be_read_fails_alone_and_is_counted_when_it_is_the_last_time() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    let bodies = [
        "hello".to_owned(),
        s3_notification(BUCKET, &[(&key, None)]).to_string(),
    ];
    let outcome = scene.handle(batch(&bodies, 4));
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("MessagesUnparsable"), 1);
    assert_eq!(outcome.count("MessagesDeadLettered"), 0);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    let outcome = scene.handle(batch(&bodies, 5));
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("MessagesDeadLettered"), 1);
    assert!(!outcome.log.contains("hello"), "{}", outcome.log);
}

#[test]
fn what_cannot_be_processed_the_last_time_is_counted_as_lost_to_the_dead_letter_queue() {
    let scene = Scene::with_environment(&[("MAX_RECEIVE_COUNT", "3")]);
    for (receive_count, dead) in [(2, 0), (3, 1), (4, 1)] {
        let outcome = scene.announce_received(&[&key(77)], receive_count);
        assert_eq!(outcome.failed(), ["m1"]);
        assert_eq!(
            outcome.count("FilesDeadLettered"),
            dead,
            "received {receive_count} times"
        );
        assert_eq!(
            outcome.count("MessagesDeadLettered"),
            dead,
            "received {receive_count} times"
        );
    }
}

#[test]
fn a_direct_invocation_fails_as_a_whole_and_never_with_a_list_of_messages() {
    let scene = Scene::new();
    let good = scene.put(&[stop_logging("a")]);
    let both = s3_notification(BUCKET, &[(&good, None), (&key(77), None)]);
    for invocation in [both.clone(), sns_to_lambda(&both)] {
        let outcome = scene.handle(invocation);
        assert_eq!(
            outcome.answer,
            Err("1 of 2 objects failed, see the log".to_owned())
        );
        assert_eq!(outcome.count("FilesFailed:not_found"), 1);
    }
    assert_eq!(scene.matches().len(), 1, "the good one is processed once");
}

#[test]
fn an_invocation_that_is_no_notification_fails_and_is_counted() {
    for invocation in [
        json!({ "hello": "secret-4711" }),
        json!([1]),
        json!("x"),
        Value::Null,
    ] {
        let outcome = Scene::new().handle(invocation);
        assert!(outcome.answer.is_err(), "{outcome:?}");
        assert_eq!(outcome.count("MessagesUnparsable"), 1);
        assert!(!format!("{outcome:?}").contains("secret-4711"));
    }
}

#[test]
fn an_object_that_is_announced_again_is_processed_once_and_told_as_already_processed() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    // Twice in one batch, once of them twice in one message.
    let twice = s3_notification(BUCKET, &[(&key, None), (&key, None)]).to_string();
    let once = s3_notification(BUCKET, &[(&key, None)]).to_string();
    let outcome = scene.handle(batch(&[twice, once], 1));
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(outcome.count("FilesSkipped:repeated"), 1);
    assert_eq!(outcome.count("FilesSkipped:already_processed"), 1);
    // And in another batch.
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesProcessed"), 0);
    assert_eq!(outcome.count("FilesSkipped:already_processed"), 1);
    assert_eq!((scene.matches().len(), scene.documents().len()), (1, 1));
}

#[test]
fn a_bad_object_that_two_messages_announce_has_both_come_again() {
    let outcome = Scene::new().announce(&[&key(77), &key(77)]);
    assert_eq!(outcome.failed(), ["m1", "m2"]);
    assert_eq!(outcome.count("FilesFailed:not_found"), 2);
}

#[test]
fn a_digest_file_is_skipped_without_being_read_and_by_content_under_any_name() {
    let scene = Scene::new();
    let digest = format!(
        "AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2026/03/02/{ACCOUNT}_CloudTrail-Digest_us-east-1_trail_us-east-1_20260302T030000Z.json.gz"
    );
    let content = json!({ "awsAccountId": ACCOUNT, "digestStartTime": "2026-03-02T02:00:00Z",
        "digestEndTime": "2026-03-02T03:00:00Z", "logFiles": [], "previousDigestSignature": null });
    let content = gzip(content.to_string().as_bytes());
    scene.world.put_object(BUCKET, &digest, content.clone());
    scene.world.put_object(BUCKET, "copied.json.gz", content);
    let outcome = scene.announce(&[&digest, "copied.json.gz"]);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FilesSkipped:digest_file"), 2);
    assert_eq!(scene.requests(&format!("GetObject s3://{BUCKET}/")), 1);
}

#[test]
fn folder_markers_and_what_others_put_into_the_bucket_are_skipped_by_reason() {
    let foreign = [
        ("AWSLogs/111122223333/", Vec::new(), "folder_marker"),
        ("notes.txt", b"not for you".to_vec(), "not_a_log_file"),
        ("empty.txt", Vec::new(), "not_a_log_file"),
        ("config.json", b"{\"a\": 1}".to_vec(), "not_a_log_file"),
        ("export.csv.gz", gzip(b"a,b\n1,2\n"), "not_a_log_file"),
        ("export.json.gz", gzip(b"{\"a\": 1}"), "not_a_log_file"),
    ];
    let scene = Scene::new();
    for (key, content, reason) in foreign {
        scene.world.put_object(BUCKET, key, content);
        let outcome = scene.announce(&[key]);
        assert_eq!(outcome.failed(), [""; 0], "{key}");
        assert_eq!(
            outcome.count(&format!("FilesSkipped:{reason}")),
            1,
            "{key}: {}",
            outcome.log
        );
        assert_eq!(
            scene.announce(&[key]).count("FilesSkipped"),
            1,
            "{key}, again"
        );
    }
    assert!(scene.matches().is_empty() && scene.documents().is_empty());
}

#[test]
fn an_object_that_is_a_folder_marker_or_far_too_large_by_its_announcement_is_not_read() {
    let scene = Scene::new();
    for (key, size, reason) in [
        ("AWSLogs/", 0, "folder_marker"),
        ("AWSLogs_$folder$", 0, "folder_marker"),
        ("backup.tar", (64 << 20) + 1, "not_a_log_file"),
    ] {
        let mut notification = s3_notification(BUCKET, &[(key, None)]);
        notification["Records"][0]["s3"]["object"]["size"] = size.into();
        let outcome = scene.handle(queued(&notification));
        assert_eq!(outcome.failed(), [""; 0], "{key}");
        assert_eq!(outcome.count(&format!("FilesSkipped:{reason}")), 1, "{key}");
    }
    assert_eq!(scene.requests(&format!("GetObject s3://{BUCKET}/")), 0);
}

#[test]
fn an_object_of_another_name_with_records_is_a_log_file() {
    let scene = Scene::new();
    scene
        .world
        .put_object(BUCKET, "replay/one.json.gz", log_file(&[stop_logging("a")]));
    scene.world.put_object(
        BUCKET,
        "replay/two.json",
        json!({ "Records": [stop_logging("b")] }).to_string().into(),
    );
    let outcome = scene.announce(&["replay/one.json.gz", "replay/two.json"]);
    assert_eq!(outcome.count("FilesProcessed"), 2);
    assert_eq!(scene.matches().len(), 2);
}

#[test]
fn what_is_outside_the_prefix_is_skipped_whoever_announces_it() {
    let scene = Scene::with_environment(&[("KEY_PREFIX", "AWSLogs/")]);
    let inside = scene.put(&[stop_logging("a")]);
    let outcome = scene.announce(&[
        &inside,
        "Config/111122223333/snapshot.json.gz",
        "logs/AWSLogs/x",
    ]);
    assert!(outcome.failed().is_empty(), "{outcome:?}");
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(outcome.count("FilesSkipped:outside_prefix"), 2);
    assert_eq!(scene.requests("GetObject"), 1);
}
