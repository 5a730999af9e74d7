//! Real log files with known answers, where they are to be had.
//!
//! `TRAILWARDEN_REAL_LOG_FILES` names a folder with `expected-cis14.json` (patterns, and for each set
//! of log files how many records match) and a folder for each set. The answers were counted by
//! three programs that have nothing to do with this one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail by panicking"
)]

mod command;

use std::fs;
use std::path::PathBuf;

use command::trailwarden;
use serde_json::{Value, json};

#[test]
#[ignore = "needs TRAILWARDEN_REAL_LOG_FILES, a folder with expected-cis14.json and log files"]
fn the_counts_of_14_well_known_filters_on_real_log_files_are_the_known_ones() {
    let folder = std::env::var("TRAILWARDEN_REAL_LOG_FILES").expect("a folder with real log files");
    let folder = PathBuf::from(folder).canonicalize().unwrap();
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("expected-cis14.json")).unwrap())
            .unwrap();
    let filters = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        filters.path(),
        filters_file(&expected["patterns"]).to_string(),
    )
    .unwrap();
    for (set, expected) in expected["sets"].as_object().unwrap() {
        let path = folder.join(set);
        let arguments = [
            "scan",
            path.to_str().unwrap(),
            "--filters",
            filters.path().to_str().unwrap(),
            "--format",
            "json",
        ];
        let run = trailwarden(&arguments);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["records"]["evaluated"], expected["events"], "{set}");
        for filter in report["metric_filters"].as_array().unwrap() {
            let name = filter["name"].as_str().unwrap();
            // A comparison with a member that is missing is false (filter pattern rules, D01).
            let known = match &expected["matches_if_not_equal_needs_the_field"][name] {
                Value::Null => &expected["matches"][name],
                known => known,
            };
            assert_eq!(&filter["matched"], known, "{name} on {set}");
        }
    }
}

fn filters_file(patterns: &Value) -> Value {
    let filters: Vec<Value> = patterns
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, pattern)| json!({ "name": name, "pattern": pattern, "metric": { "namespace": "Known", "name": name } }))
        .collect();
    json!({ "metric_filters": filters })
}
