//! Objects of another size than announced, or than usual.

use alarm_state::FileStatus;
use serde_json::{Value, json};
use testkit::{gzip, s3_notification};

use crate::scene::{BUCKET, Outcome, STOPPED, Scene, batch, stop_logging};

const MEGABYTE: usize = 1 << 20;

/// With so many megabytes of memory, a quarter of which is for objects.
fn with_memory(megabytes: &str) -> Scene {
    let scene = Scene::with_environment(&[
        ("FILTERS_OBJECT", "s3://config/filters.yaml"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", megabytes),
    ]);
    scene.put_filters(STOPPED);
    scene
}

/// A log file as large as this, as it is stored.
fn plain(event: &str, bytes: usize) -> Vec<u8> {
    let mut file = json!({ "Records": [stop_logging(event)] }).to_string();
    file.push_str(&" ".repeat(bytes - file.len()));
    file.into_bytes()
}

/// The notifications as CloudTrail sends them, which say nothing of the size.
fn without_size(keys: &[&str]) -> Vec<String> {
    let body = |key: &&str| json!({ "s3Bucket": BUCKET, "s3ObjectKey": [key] }).to_string();
    keys.iter().map(body).collect()
}

fn announced_as(size: u64, key: &str) -> Vec<String> {
    let mut notification: Value = s3_notification(BUCKET, &[(key, None)]);
    notification["Records"][0]["s3"]["object"]["size"] = size.into();
    vec![notification.to_string()]
}

fn reads(scene: &Scene) -> usize {
    scene.requests(&format!("GetObject s3://{BUCKET}/"))
}

#[test]
fn an_object_larger_than_announced_is_read_again_and_processed() {
    for size in [0, 1, 1_000_000] {
        let scene = with_memory("128");
        let key = scene.put_bytes(plain("a", 2 * MEGABYTE));
        let outcome = scene.handle(batch(&announced_as(size, &key), 1));
        assert_eq!(outcome.failed(), [""; 0], "{size}: {}", outcome.log);
        assert_eq!(outcome.count("FilesProcessed"), 1);
        assert_eq!((scene.matches().len(), reads(&scene)), (1, 2), "{size}");
    }
}

#[test]
fn an_object_that_is_announced_as_it_is_is_read_once() {
    let scene = with_memory("128");
    let key = scene.put_bytes(plain("a", 6 * MEGABYTE));
    let size = 6 * MEGABYTE as u64;
    let outcome = scene.handle(batch(&announced_as(size, &key), 1));
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!((scene.matches().len(), reads(&scene)), (1, 1));
}

#[test]
fn large_objects_without_an_announced_size_are_processed_one_after_the_other() {
    let scene = with_memory("128");
    // Requests take turns, so that all would be in memory at once if they could.
    scene.world.take_turns();
    let names = ["a", "b", "c"];
    let keys = names.map(|event| scene.put_bytes(plain(event, 6 * MEGABYTE)));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let outcome = scene.handle(batch(&without_size(&keys), 1));
    assert_eq!(outcome.failed(), [""; 0], "{}", outcome.log);
    assert_eq!(outcome.count("FilesProcessed"), 3);
    assert_eq!((scene.matches().len(), reads(&scene)), (3, 6));
}

fn is_too_large(scene: &Scene, outcome: &Outcome, key: &str) {
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("FilesFailed:too_large"), 1, "{}", outcome.log);
    let entry = scene.entry(key).unwrap();
    assert_eq!(
        (entry.status, entry.reason.as_deref()),
        (FileStatus::Failed, Some("too_large"))
    );
    assert!(scene.matches().is_empty() && scene.documents().is_empty());
}

#[test]
fn a_small_object_that_inflates_to_more_than_four_gigabytes_is_too_large() {
    let scene = Scene::new();
    let records = json!({ "Records": [stop_logging("a")] }).to_string();
    let zeros = gzip(&vec![b' '; 64 * MEGABYTE]).repeat(64);
    let key = scene.put_bytes([gzip(records.as_bytes()), zeros].concat());
    let outcome = scene.announce(&[&key]);
    is_too_large(&scene, &outcome, &key);
}

#[test]
fn an_object_beyond_the_memory_is_too_large_whatever_is_announced() {
    // 32 of 128 megabytes are for objects.
    let content = plain("a", 32 * MEGABYTE + 1);
    for size in [1_024, 33 << 20] {
        let scene = with_memory("128");
        let key = scene.put_bytes(content.clone());
        let outcome = scene.handle(batch(&announced_as(size, &key), 1));
        is_too_large(&scene, &outcome, &key);
    }
    let scene = with_memory("128");
    let key = scene.put_bytes(content.clone());
    let outcome = scene.handle(batch(&without_size(&[&key]), 1));
    is_too_large(&scene, &outcome, &key);

    let scene = with_memory("256");
    let key = scene.put_bytes(content);
    let outcome = scene.handle(batch(&without_size(&[&key]), 1));
    assert_eq!(outcome.count("FilesProcessed"), 1);
}
