//! Log files that cannot be read, and records that cannot.

use alarm_state::FileStatus;
use serde_json::json;
use testkit::{gzip, log_file};

use crate::scene::{Scene, stop_logging};

/// The bytes of a log file whose name says what is wrong with them.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let good = log_file(&[stop_logging("a"), stop_logging("b")]);
    let end = good.len();
    let mut wrong_crc = good.clone();
    wrong_crc[end - 8] ^= 1;
    let mut wrong_length = good.clone();
    wrong_length[end - 1] ^= 1;
    let mut corrupt = good.clone();
    corrupt[20] ^= 0xff;
    corrupt[21] ^= 0xff;
    vec![
        ("truncated", good[..end / 2].to_vec()),
        ("truncated", good[..end - 1].to_vec()),
        ("crc_mismatch", wrong_crc),
        ("length_mismatch", wrong_length),
        ("empty", Vec::new()),
        ("empty", gzip(b"")),
        ("not_json", gzip(b"hello")),
        ("no_records", gzip(b"{}")),
        ("records_not_an_array", gzip(br#"{"Records": 7}"#)),
    ]
}

#[test]
fn a_log_file_that_cannot_be_read_fails_with_its_reason_and_nothing_of_it_is_used() {
    for (reason, content) in broken() {
        let scene = Scene::new();
        let key = scene.put_bytes(content);
        let outcome = scene.announce(&[&key]);
        assert_eq!(outcome.failed(), ["m1"], "{reason}");
        assert_eq!(
            outcome.count(&format!("FilesFailed:{reason}")),
            1,
            "{}",
            outcome.log
        );
        assert!(
            outcome.log.contains(&format!("reason={reason}")),
            "{}",
            outcome.log
        );
        assert!(
            scene.matches().is_empty() && scene.documents().is_empty(),
            "{reason}"
        );
        let entry = scene.entry(&key).unwrap();
        assert_eq!(entry.status, FileStatus::Failed, "{reason}");
        assert_eq!(entry.reason.as_deref(), Some(reason));
        assert_eq!(entry.attempts, 1);
    }
}

#[test]
fn a_broken_log_file_is_processed_once_it_is_whole() {
    let scene = Scene::new();
    let content = log_file(&[stop_logging("a")]);
    let key = scene.put_bytes(content[..content.len() / 2].to_vec());
    assert_eq!(scene.announce(&[&key]).failed(), ["m1"]);
    scene.overwrite(&key, &[stop_logging("a")]);
    let outcome = scene.announce_received(&[&key], 2);
    assert_eq!(outcome.failed(), [""; 0]);
    let entry = scene.entry(&key).unwrap();
    assert_eq!(
        (entry.status, entry.attempts, entry.reason),
        (FileStatus::Done, 2, None)
    );
    assert_eq!(scene.matches().len(), 1);
}

#[test]
fn a_broken_log_file_costs_no_other_in_its_batch() {
    let scene = Scene::new();
    let broken = scene.put_bytes(log_file(&[stop_logging("a")])[..30].to_vec());
    let good = scene.put(&[stop_logging("b")]);
    let outcome = scene.announce(&[&broken, &good]);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(scene.entry(&good).unwrap().status, FileStatus::Done);
}

#[test]
fn a_bad_record_costs_itself_only_and_all_records_add_up() {
    let scene = Scene::new();
    let records = [
        json!(7),
        stop_logging("a"),
        json!("x"),
        stop_logging("b"),
        json!({}),
    ];
    let key = scene.put(&records);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("RecordsRead"), 5);
    assert_eq!(outcome.count("RecordsEvaluated"), 3);
    assert_eq!(outcome.count("RecordsSkipped:not_an_object"), 2);
    assert_eq!(outcome.count("Problems:not_an_object"), 1);
    assert_eq!(outcome.count("EventsMatched"), 2);
    assert_eq!(scene.matches()[0].matched, 2);
}

#[test]
fn a_log_file_of_several_gzip_members_is_read_whole_and_reported() {
    let scene = Scene::new();
    let text = json!({ "Records": [stop_logging("a"), stop_logging("b")] }).to_string();
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let key = scene.put_bytes([gzip(first), gzip(second), b"rest".to_vec()].concat());
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsMatched"), 2);
    assert_eq!(outcome.count("Problems:multiple_members"), 1);
    assert_eq!(outcome.count("Problems:trailing_data"), 1);
}
