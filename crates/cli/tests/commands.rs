//! `trailwarden test-filter`, `filters` and `show`, as a user runs them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod command;

use std::fs;

use command::{gzip, trailwarden, with_input};
use serde_json::{Value, json};

fn tested(arguments: &[&str]) -> (i32, Value) {
    let run = trailwarden(&[&["test-filter", "--format", "json"], arguments].concat());
    (run.status, serde_json::from_str(&run.stdout).unwrap())
}

#[test]
fn test_filter_prints_what_aws_prints() {
    let (status, document) = tested(&[
        "--filter-pattern",
        "{ $.eventName = Console* && $.n >= 5 }",
        "--log-event-messages",
        r#"{"eventName":"ConsoleLogin","n":5.0}"#,
        "",
        r#"{"eventName":"ConsoleLogin","n":4}"#,
    ]);
    assert_eq!(status, 0);
    let expected = json!({"matches": [{
        "eventNumber": 1,
        "eventMessage": r#"{"eventName":"ConsoleLogin","n":5.0}"#,
        "extractedValues": {"$.eventName": "ConsoleLogin", "$.n": "5.0"},
    }]});
    assert_eq!(document, expected);
}

#[test]
fn test_filter_says_so_when_nothing_matches() {
    assert_eq!(
        tested(&["--filter-pattern", "ERROR", "--log-event-messages", "fine"]),
        (1, json!({"matches": []}))
    );
}

#[test]
fn test_filter_takes_hyphens_empty_messages_and_empty_patterns() {
    assert_eq!(
        tested(&["--filter-pattern", "-DEBUG", "--log-event-messages=-x"]).1["matches"][0]["eventMessage"],
        "-x"
    );
    assert_eq!(
        tested(&["--filter-pattern", "", "--log-event-messages", ""]).1["matches"][0]["eventNumber"],
        1
    );
    assert_eq!(
        tested(&["--filter-pattern", "", "--log-event-messages="]).1["matches"][0]["eventNumber"],
        1
    );
    let (_, repeated) = tested(&[
        "--filter-pattern=a",
        "--log-event-messages=a",
        "--log-event-messages=b",
        "--log-event-messages",
        "c",
        "xay",
    ]);
    let numbers: Vec<_> = repeated["matches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|matched| matched["eventNumber"].clone())
        .collect();
    assert_eq!(numbers, [json!(1), json!(4)]);
}

#[test]
fn test_filter_counts_lines_blank_ones_included() {
    let run = with_input(
        &[
            "test-filter",
            "--filter-pattern",
            "[a, b]",
            "--file",
            "-",
            "--format",
            "json",
        ],
        b"x y\r\n\n\xff z\nlast line",
    );
    assert_eq!(run.status, 0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = json!({"matches": [
        {"eventNumber": 1, "eventMessage": "x y", "extractedValues": {"$a": "x", "$b": "y"}},
        {"eventNumber": 3, "eventMessage": "\u{fffd} z", "extractedValues": {"$a": "\u{fffd}", "$b": "z"}},
        {"eventNumber": 4, "eventMessage": "last line", "extractedValues": {"$a": "last", "$b": "line"}},
    ]});
    assert_eq!(document, expected);
}

#[test]
fn test_filter_has_no_limit_of_50_messages() {
    let messages: Vec<String> = (0..120).map(|n| format!("m{n}")).collect();
    let arguments: Vec<&str> = ["--filter-pattern", "m119", "--log-event-messages"]
        .into_iter()
        .chain(messages.iter().map(String::as_str))
        .collect();
    assert_eq!(tested(&arguments).1["matches"][0]["eventNumber"], 120);
}

#[test]
fn an_invalid_pattern_is_pointed_at() {
    let run = trailwarden(&[
        "test-filter",
        "--filter-pattern",
        r#"{ $.eventName ~= "Stop*" }"#,
        "--log-event-messages",
        "x",
    ]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn test_filter_without_messages_or_with_an_unreadable_file_could_not_run() {
    for (arguments, says) in [
        (
            &["test-filter", "--filter-pattern", "x"][..],
            "no messages, expected --log-event-messages",
        ),
        (
            &["test-filter", "--filter-pattern", "x", "--file", "nowhere"],
            "cannot read `nowhere`",
        ),
        (
            &["test-filter", "--log-event-messages", "x"],
            "--filter-pattern",
        ),
    ] {
        let run = trailwarden(arguments);
        assert_eq!(run.status, 2, "{arguments:?}");
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn the_built_in_filters_pass_their_tests() {
    let run = trailwarden(&["filters", "test"]);
    assert_eq!(run.status, 0, "{}", run.stdout);
    assert!(run.stdout.contains(", 0 failed"), "{}", run.stdout);
    assert_eq!(
        trailwarden(&["filters", "test", "samples/filters.yaml"]).status,
        0
    );
    assert_eq!(
        trailwarden(&["filters", "test", "--profile", "nist"]).status,
        2
    );
}

#[test]
fn a_failing_test_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.yaml");
    fs::write(&path, "metric_filters:\n  - name: A\n    pattern: '{ ($.eventName = StopLogging) && ($.errorCode NOT EXISTS) }'\n    metric: {namespace: N, name: M}\n    tests:\n      - {name: refused, event: {eventName: StopLogging, errorCode: AccessDenied}, matches: true}\n").unwrap();
    let path = path.to_str().unwrap();
    let run = trailwarden(&["filters", "test", path]);
    assert_eq!(run.status, 1);
    insta::assert_snapshot!(run.stdout.replace(path, "f.yaml"));
}

#[test]
fn filters_check_shows_faults_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.yaml");
    fs::write(&path, "metric_filters:\n  - name: A\n    pattern: '{ $.readOnly = false }'\n    metric: {namespace: N, name: M}\n").unwrap();
    let path = path.to_str().unwrap();
    let run = trailwarden(&["filters", "check", path]);
    assert_eq!(
        (run.status, run.stdout.replace(path, "f.yaml").as_str()),
        (0, "f.yaml: 1 filter, no fault\n")
    );
    insta::assert_snapshot!(run.stderr.replace(path, "f.yaml"));
    fs::write(path, "metric_filters:\n  - name: A\n    pattern: '{ $.a = 1'\n    metric: {namespace: N}\n    treshold: 1\n").unwrap();
    let run = trailwarden(&["filters", "check", path, "samples/filters.yaml"]);
    assert_eq!(run.status, 1);
    assert_eq!(
        run.stdout.replace(path, "f.yaml"),
        "f.yaml: 3 faults\nsamples/filters.yaml: 3 filters, no fault\n"
    );
    insta::assert_snapshot!(run.stderr.replace(path, "f.yaml"));
}

#[test]
fn filters_list_lists_a_profile() {
    let run = trailwarden(&["filters", "list", "--profile", "cis"]);
    assert_eq!((run.status, run.stdout.lines().count()), (0, 16));
    let run = trailwarden(&["filters", "list", "--format", "json"]);
    let filters: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(filters.as_array().unwrap().len(), 19);
}

#[test]
fn filters_explain_says_what_held_and_what_did_not() {
    let event = br#"{"eventName":"ConsoleLogin","errorMessage":null}"#;
    let run = with_input(
        &[
            "filters",
            "explain",
            "ConsoleSignInFailures",
            "--event",
            "-",
        ],
        event,
    );
    assert_eq!(run.status, 1);
    insta::assert_snapshot!(run.stdout);
    let run = with_input(
        &[
            "filters",
            "explain",
            "--filter-pattern",
            "{ $.eventName = Console* }",
            "--event",
            "-",
        ],
        event,
    );
    assert_eq!(run.status, 0);
    let run = trailwarden(&["filters", "explain", "Nothing", "--event", "x"]);
    assert!(
        run.status == 2
            && run
                .stderr
                .contains("no filter `Nothing` in built-in filters, expected one of"),
        "{}",
        run.stderr
    );
}

#[test]
fn show_prints_an_event_as_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json.gz");
    fs::write(&path, gzip(br#"{"Records":[{"eventID":"a"},{"eventID":"b","n":1.50,"k":"\u00e9","responseElements":{"credentials":{"sessionToken":"secret"}}}]}"#)).unwrap();
    let path = path.to_str().unwrap();
    let run = trailwarden(&["show", "b", "--from", path]);
    assert_eq!(run.status, 0);
    let expected = "{\n  \"eventID\": \"b\",\n  \"n\": 1.50,\n  \"k\": \"\\u00e9\",\n  \"responseElements\": {\n    \"credentials\": {\n      \"sessionToken\": \"secret\"\n    }\n  }\n}\n";
    assert_eq!(run.stdout, expected);
    assert!(run.stderr.contains(&format!("{path}, record 1")));
    assert!(
        !trailwarden(&["show", "b", "--from", path, "--mask"])
            .stdout
            .contains("secret")
    );
    let run = trailwarden(&["show", "b", "--from", path, "--format", "json"]);
    let line: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&line["record_index"], &line["event"]["eventID"]),
        (&json!(1), &json!("b"))
    );
    let run = trailwarden(&["show", "c", "--from", path]);
    assert!(
        run.status == 1 && run.stderr.contains("no event `c` in 1 object"),
        "{}",
        run.stderr
    );
}

#[test]
fn show_does_not_show_what_does_not_verify() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.gz");
    // Too large to be verified before it is read.
    let padding = format!(r#",{{"x":"{}"}}"#, "x".repeat(1 << 16)).repeat(550);
    let content = format!(r#"{{"Records":[{{"eventID":"a"}}{padding}]}}"#);
    let mut object = gzip(content.as_bytes());
    fs::write(&path, &object).unwrap();
    let show = ["show", "a", "--from", path.to_str().unwrap()];
    assert_eq!(trailwarden(&show).status, 0);
    let end = object.len();
    object[end - 8] ^= 1;
    fs::write(&path, &object).unwrap();
    let run = trailwarden(&show);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    assert!(
        run.stderr.contains("1 object could not be read in full"),
        "{}",
        run.stderr
    );
}

#[test]
fn show_says_what_it_could_not_look_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.gz");
    let object = gzip(br#"{"Records":[{"eventID":"a"}]}"#);
    fs::write(&path, &object[..object.len() - 4]).unwrap();
    let run = trailwarden(&["show", "a", "--from", path.to_str().unwrap()]);
    assert_eq!(run.status, 1);
    assert!(
        run.stderr.contains("1 object could not be read in full"),
        "{}",
        run.stderr
    );
    let run = trailwarden(&[
        "show",
        "--from",
        "samples/AWSLogs",
        "0fb6e1f0-672f-4d43-a807-6f1e613cc800",
    ]);
    assert!(
        run.status == 0 && run.stdout.contains("StopLogging"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_pattern_that_looks_like_a_mistake_is_warned_about() {
    let run = trailwarden(&[
        "test-filter",
        "--filter-pattern",
        "{ $.readOnly = false }",
        "--log-event-messages",
        r#"{"readOnly":false}"#,
    ]);
    assert_eq!(run.status, 1);
    assert!(
        run.stderr.contains("did you mean `$.readOnly IS FALSE`?"),
        "{}",
        run.stderr
    );
    let run = with_input(
        &["filters", "explain", "CloudTrailChanges", "--event", "-"],
        br#"{"Records":[{"eventName":"StopLogging"}]}"#,
    );
    assert!(
        run.stderr.contains("expected one of its records"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_check_of_the_others() {
    let run = trailwarden(&["filters", "check", "nowhere.yaml", "samples/filters.yaml"]);
    assert_eq!(run.status, 2);
    assert_eq!(run.stdout, "samples/filters.yaml: 3 filters, no fault\n");
    assert!(run.stderr.contains("cannot read `nowhere.yaml`"));
}

#[test]
fn completions_are_printed() {
    let run = trailwarden(&["completions", "bash"]);
    assert!(run.status == 0 && run.stdout.contains("test-filter"));
}

#[test]
fn attach_refuses_what_is_no_bucket_name() {
    let run = trailwarden(&["attach", "--bucket", "arn:aws:s3:::amzn-s3-demo-bucket"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("an ARN, expected the name of a bucket"),
        "{}",
        run.stderr
    );
}

/// Run with `--no-default-features`.
#[cfg(not(feature = "aws"))]
#[test]
fn attach_without_aws_support_says_how_to_get_it() {
    let run = trailwarden(&["attach", "--bucket", "amzn-s3-demo-bucket"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    let expected = "error: this build has no AWS support, expected one without --no-default-features: \
                    cargo build --release --package trailwarden\n";
    assert_eq!(run.stderr, expected);
}
