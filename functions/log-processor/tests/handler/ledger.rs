//! Claims, leases, contents that change, and the end of an invocation.

use alarm_state::{FileStatus, LEDGER_SECONDS, file_key};
use ports::{Body, Item, ItemKey};
use serde_json::json;
use testkit::{Fault, s3_notification};

use crate::scene::{BUCKET, NOW, SECONDS, Scene, batch, key, stop_logging};

#[test]
fn an_object_that_another_is_at_work_on_comes_again_and_is_processed_after_the_lease() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.world.fail_all("SendMessageBatch", Fault::DieBefore);
    let message = batch(&[s3_notification(BUCKET, &[(&key, None)]).to_string()], 1);
    assert!(
        scene.try_handle(message, SECONDS * 1000).is_none(),
        "the process dies with its claim"
    );
    scene.world.heal();
    scene.start_anew();

    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("FilesInProgress"), 1);
    assert_eq!(
        (
            outcome.count("FilesFailed"),
            outcome.count("FilesProcessed")
        ),
        (0, 0)
    );
    assert!(scene.matches().is_empty());

    // The lease ends a second after the deadline of the one that died, and not before.
    scene.world.advance(SECONDS);
    assert_eq!(scene.announce(&[&key]).count("FilesInProgress"), 1);
    scene.world.advance(1);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(scene.entry(&key).unwrap().attempts, 2);
    assert_eq!(scene.matches().len(), 1);
}

#[test]
fn an_object_in_work_for_the_last_time_is_counted_as_lost_to_the_dead_letter_queue() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.world.fail_all("SendMessageBatch", Fault::DieBefore);
    let message = batch(&[s3_notification(BUCKET, &[(&key, None)]).to_string()], 1);
    assert!(scene.try_handle(message, SECONDS * 1000).is_none());
    scene.world.heal();
    scene.start_anew();
    let outcome = scene.announce_received(&[&key], 5);
    assert_eq!(outcome.count("FilesInProgress"), 1);
    assert_eq!(outcome.count("FilesDeadLettered"), 1);
}

#[test]
fn a_done_object_is_remembered_for_45_days() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    assert_eq!(scene.announce(&[&key]).count("FilesProcessed"), 1);
    scene.world.advance(LEDGER_SECONDS - 1);
    assert_eq!(
        scene
            .announce(&[&key])
            .count("FilesSkipped:already_processed"),
        1
    );
    // The table deletes late; what has expired is as good as deleted.
    scene.world.advance(1);
    assert_eq!(scene.announce(&[&key]).count("FilesProcessed"), 1);
}

#[test]
fn a_content_that_changes_is_evaluated_again_and_reported() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("Problems:object_changed"), 0);
    scene.overwrite(&key, &[stop_logging("a"), stop_logging("b")]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(outcome.count("Problems:object_changed"), 1);
    assert_eq!(outcome.count("EventsMatched"), 2);
    // Each of the two contents is done.
    let entry = scene.entry(&key).unwrap();
    assert_eq!(
        (entry.status, entry.done_etags.len()),
        (FileStatus::Done, 2)
    );
    assert_eq!(
        scene
            .announce(&[&key])
            .count("FilesSkipped:already_processed"),
        1
    );
}

#[test]
fn an_object_that_is_not_the_announced_one_any_more_is_reported() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    let now = scene.overwrite(&key, &[stop_logging("b")]);
    let announced = |etag: &str| {
        batch(
            &[s3_notification(BUCKET, &[(&key, Some(etag))]).to_string()],
            1,
        )
    };
    let outcome = scene.handle(announced("d41d8cd98f00b204e9800998ecf8427e"));
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(outcome.count("Problems:object_changed"), 1);

    let scene = Scene::new();
    scene.put(&[stop_logging("a")]);
    scene.overwrite(&key, &[stop_logging("b")]);
    let outcome = scene.handle(announced(&now.etag));
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(
        outcome.count("Problems:object_changed"),
        0,
        "it is the announced one"
    );
}

#[test]
fn the_announced_version_is_read_and_not_the_newest() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.overwrite(&key, &[]);
    let mut notification = s3_notification(BUCKET, &[(&key, None)]);
    notification["Records"][0]["s3"]["object"]["versionId"] = "v0".into();
    let outcome = scene.handle(batch(&[notification.to_string()], 1));
    assert_eq!(outcome.count("EventsMatched"), 1);
    let entry = scene.entry(&key).unwrap();
    assert_eq!(entry.version.as_deref(), Some("v0"));
}

#[test]
fn nothing_that_others_see_is_begun_when_the_time_is_nearly_over() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    let message = || batch(&[s3_notification(BUCKET, &[(&key, None)]).to_string()], 1);
    for millis in [2_000, 100, 0, -1_000] {
        let outcome = scene.handle_within(message(), millis);
        assert_eq!(outcome.failed(), ["m1"], "{millis} ms left");
        assert_eq!(
            outcome.count("FilesFailed:lease_ended"),
            1,
            "{}",
            outcome.log
        );
        assert_eq!(
            scene.requests("SendMessageBatch") + scene.requests("PutLogEvents"),
            0
        );
    }
    let outcome = scene.handle_within(message(), 2_001);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(scene.matches().len(), 1);
}

#[test]
fn an_entry_that_cannot_be_read_fails_the_object_and_stays() {
    let partition = file_key(BUCKET, &key(1)).0;
    for body in [
        Body::Text("{}".into()),
        Body::Text("garbage".into()),
        Body::Bytes(vec![1, 2]),
    ] {
        let scene = Scene::new();
        let key = scene.put(&[stop_logging("a")]);
        let item = Item {
            key: ItemKey {
                partition: partition.clone(),
                sort: "file".into(),
            },
            version: 3,
            body,
            due_at: None,
            expires_at: NOW + 1_000_000,
        };
        testkit::run(ports::Items::put_item(&scene.world, &item, None))
            .unwrap()
            .unwrap();
        let outcome = scene.announce(&[&key]);
        assert_eq!(outcome.failed(), ["m1"]);
        assert_eq!(outcome.count("FilesFailed:stored_state"), 1);
        assert!(scene.matches().is_empty());
        assert_eq!(scene.item(&item.key), Some(item));
    }
}

#[test]
fn an_entry_of_a_newer_schema_fails_the_object_and_stays() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.announce(&[&key]);
    let (partition, sort) = file_key(BUCKET, &key);
    let known = scene.item(&ItemKey { partition, sort }).unwrap();
    let Body::Text(text) = &known.body else {
        panic!("an entry is text")
    };
    let mut entry: serde_json::Value = serde_json::from_str(text).unwrap();
    entry["schema"] = json!(2);
    let newer = Item {
        version: known.version + 1,
        body: Body::Text(entry.to_string()),
        ..known.clone()
    };
    testkit::run(ports::Items::put_item(
        &scene.world,
        &newer,
        Some(known.version),
    ))
    .unwrap()
    .unwrap();
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesFailed:stored_state"), 1);
    assert_eq!(scene.item(&newer.key), Some(newer));
}

#[test]
fn a_claim_whose_answer_is_lost_ends_with_its_lease() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.world.fail_all("PutItem file#", Fault::LoseAnswer);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesFailed:no_answer"), 1);
    assert_eq!(scene.entry(&key).unwrap().status, FileStatus::Claimed);
    assert!(scene.matches().is_empty());
    scene.world.heal();
    assert_eq!(scene.announce(&[&key]).count("FilesInProgress"), 1);
    scene.world.advance(SECONDS + 1);
    assert_eq!(scene.announce(&[&key]).failed(), [""; 0]);
    let entry = scene.entry(&key).unwrap();
    assert_eq!((entry.status, entry.attempts), (FileStatus::Done, 2));
}
