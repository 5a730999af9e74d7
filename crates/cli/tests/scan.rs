//! `trailwarden scan`, as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod command;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use command::{gzip, root, trailwarden};
use serde_json::Value;

/// The report as JSON; the counts of every report are checked.
fn scan(arguments: &[&str]) -> Value {
    let run = trailwarden(&[&["scan", "--format", "json"], arguments].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let sum = |counts: &Value| {
        counts
            .as_object()
            .unwrap()
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum::<u64>()
    };
    let files = &report["log_files"];
    assert_eq!(
        files["found"].as_u64().unwrap(),
        files["processed"].as_u64().unwrap() + sum(&files["skipped"]) + sum(&files["failed"])
    );
    let records = &report["records"];
    assert_eq!(
        records["read"].as_u64().unwrap(),
        records["evaluated"].as_u64().unwrap() + sum(&records["skipped"])
    );
    report
}

fn failed(report: &Value) -> BTreeMap<String, u64> {
    nonzero(&report["log_files"]["failed"])
}

fn skipped(report: &Value) -> BTreeMap<String, u64> {
    nonzero(&report["log_files"]["skipped"])
}

fn nonzero(counts: &Value) -> BTreeMap<String, u64> {
    let counts = counts.as_object().unwrap().iter();
    counts
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// Alarms as `filter first last events`, oldest first.
fn alarms(report: &Value) -> Vec<String> {
    let mut alarms: Vec<String> = report["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| {
            let time = |member: &str| alarm[member].as_str().unwrap()[11..19].to_owned();
            format!(
                "{} {} {} {}",
                alarm["filter"].as_str().unwrap(),
                time("first_event_time"),
                time("last_event_time"),
                alarm["matched"]
            )
        })
        .collect();
    alarms.sort();
    alarms
}

/// The rows of a table in the samples' README, which its generator writes from what it put in.
fn expected(heading: &str) -> Vec<Vec<String>> {
    let readme = fs::read_to_string(root().join("samples/README.md")).unwrap();
    let table = readme
        .split(&format!("<!-- {heading}: written by make_samples.py -->"))
        .nth(1)
        .unwrap();
    let table = table.split("<!--").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .collect()
}

#[test]
fn the_samples_give_the_alarms_that_were_put_into_them() {
    let report = scan(&["samples"]);
    let rows = expected("alarms");
    let mut told: Vec<String> = rows
        .iter()
        .filter(|row| row[1] == "told")
        .map(|row| format!("{} {} {} {}", row[0], row[2], row[3], row[4]))
        .collect();
    told.sort();
    assert_eq!(alarms(&report), told);
    let mut shadow: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row[1] == "shadow") {
        *shadow.entry(row[0].clone()).or_default() += 1;
    }
    let filters = report["metric_filters"].as_array().unwrap().iter();
    let found: BTreeMap<String, u64> = filters
        .filter(|filter| filter["mode"] == "shadow")
        .map(|filter| {
            (
                filter["name"].as_str().unwrap().to_owned(),
                filter["alarms"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, shadow);
    assert_eq!(
        skipped(&report),
        counts(&[("digest_file", 72), ("not_a_log_file", 3)])
    );
}

#[test]
fn the_samples_with_filters_of_ones_own_give_what_was_put_into_them() {
    let report = scan(&["samples/AWSLogs", "--filters", "samples/filters.yaml"]);
    let rows = expected("own filters");
    let mut told: Vec<String> = rows
        .iter()
        .filter(|row| row[3] != "has no alarm")
        .map(|row| format!("{} {} {} {}", row[0], row[3], row[4], row[5]))
        .collect();
    told.sort();
    assert_eq!(alarms(&report), told);
    for (row, filter) in rows
        .iter()
        .zip(report["metric_filters"].as_array().unwrap())
    {
        assert_eq!(filter["name"], row[0].as_str());
        assert_eq!(
            (
                filter["matched"].to_string(),
                filter["suppressed"].to_string()
            ),
            (row[1].clone(), row[2].clone())
        );
    }
}

#[test]
fn the_report_for_people_reads_well() {
    let run = trailwarden(&["scan", "samples/AWSLogs", "--threads", "1"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(run.stdout);
}

#[test]
fn the_readme_shows_what_its_first_command_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let printed = trailwarden(&["scan", "samples/AWSLogs"]).stdout;
    let mut lines = printed.lines();
    for shown in block
        .lines()
        .filter(|line| line.trim() != "..." && !line.is_empty())
    {
        assert!(
            lines.any(|line| line == shown),
            "not printed, or not in this order: {shown}"
        );
    }
}

#[test]
fn copies_order_and_threads_change_no_alarm() {
    let once = scan(&["samples/AWSLogs", "--threads", "1"]);
    let folder = tempfile::tempdir().unwrap();
    copy(
        &root().join("samples/AWSLogs/111122223333/CloudTrail"),
        &folder.path().join("another-copy"),
    );
    let twice = scan(&[
        folder.path().to_str().unwrap(),
        "samples/AWSLogs",
        "--threads",
        "7",
    ]);
    assert_eq!(alarms(&once), alarms(&twice));
    assert_eq!(
        once["alarms"].as_array().unwrap().len(),
        twice["alarms"].as_array().unwrap().len()
    );
    let stories = |report: &Value| -> Vec<Value> {
        report["alarms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alarm| alarm["story"].clone())
            .collect()
    };
    assert_eq!(stories(&once), stories(&twice));
    assert!(twice["records"]["read"].as_u64() > once["records"]["read"].as_u64());
    let same = scan(&["samples/AWSLogs", "--threads", "5"]);
    assert_eq!(once, same);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

const STOP: &str = r#"{"eventVersion":"1.08","eventTime":"2026-03-02T10:00:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","awsRegion":"us-east-1","eventID":"e-1","recipientAccountId":"111122223333"}"#;

/// A folder with log files named as CloudTrail names them.
struct Folder(tempfile::TempDir, u32);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap(), 0)
    }

    fn put(&mut self, content: &[u8]) -> String {
        self.1 += 1;
        let name = format!(
            "111122223333_CloudTrail_us-east-1_20260302T{:02}{:02}Z_abcdefghijklmnop.json.gz",
            self.1 / 60,
            self.1 % 60
        );
        self.put_as(&name, content)
    }

    fn put_as(&mut self, name: &str, content: &[u8]) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn scan(&self) -> Value {
        scan(&[self.0.path().to_str().unwrap()])
    }
}

fn records(records: &[&str]) -> Vec<u8> {
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

#[test]
fn every_bad_object_has_an_outcome_and_costs_nothing_beside_it() {
    let mut folder = Folder::new();
    let good = gzip(&records(&[STOP]));
    folder.put(&good);
    folder.put(&good[..good.len() - 12]);
    let mut crc = good.clone();
    let end = crc.len();
    crc[end - 8] ^= 1;
    folder.put(&crc);
    let mut length = good.clone();
    length[end - 4..].copy_from_slice(&[0xff; 4]);
    folder.put(&length);
    folder.put(b"");
    folder.put(b"hello");
    folder.put(&gzip(b"{}"));
    folder.put(&gzip(br#"{"Records":{}}"#));
    folder.put(&gzip(
        br#"{"digestEndTime":"x","digestS3Object":"y","logFiles":[]}"#,
    ));
    folder.put_as(
        "CloudTrail-Digest/x.json.gz",
        &gzip(br#"{"logFiles":[],"digestEndTime":"x"}"#),
    );
    folder.put_as("CloudTrail-Digest/a-log-file-that-was-renamed.gz", &good);
    folder.put_as(
        "111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260302T001500Z.json.gz",
        b"whatever",
    );
    folder.put_as("notes.txt", b"not ours");
    folder.put_as("AWSLogs_$folder$", b"");
    folder.put_as("renamed.gz", &gzip(&records(&[STOP])));
    let report = folder.scan();
    assert_eq!(
        failed(&report),
        counts(&[
            ("crc_mismatch", 1),
            ("empty", 1),
            ("length_mismatch", 1),
            ("no_records", 1),
            ("not_json", 1),
            ("records_not_an_array", 1),
            ("truncated", 1)
        ])
    );
    assert_eq!(
        skipped(&report),
        counts(&[
            ("digest_file", 3),
            ("folder_marker", 1),
            ("not_a_log_file", 1)
        ])
    );
    assert_eq!(report["log_files"]["processed"], 3);
    assert_eq!(
        alarms(&report),
        ["CloudTrailChanges 10:00:00 10:00:00 1"],
        "the same event in two files counts once"
    );
    assert_eq!(
        report["problems"].as_array().unwrap().len(),
        8,
        "each failed or strange object is named"
    );
}

#[test]
fn of_an_object_too_large_for_the_buffer_nothing_counts_if_it_does_not_verify() {
    let mut folder = Folder::new();
    // Read while it is inflated: the event is met long before the checksum.
    let padding = format!(r#"{{"x":"{}"}}"#, "x".repeat(1 << 16));
    let mut content = vec![STOP];
    content.resize(550, &padding);
    let mut object = gzip(&records(&content));
    folder.put(&object);
    let report = folder.scan();
    assert_eq!(
        (&report["records"]["read"], alarms(&report).len()),
        (&550.into(), 1)
    );
    let end = object.len();
    object[end - 8] ^= 1;
    let mut folder = Folder::new();
    folder.put(&object);
    let report = folder.scan();
    assert_eq!(failed(&report), counts(&[("crc_mismatch", 1)]));
    assert_eq!(report["records"]["read"], 0);
    assert!(alarms(&report).is_empty());
    let mut filters = report["metric_filters"].as_array().unwrap().iter();
    assert!(filters.all(|filter| filter["matched"] == 0));
    let problem = report["problems"][0]["message"].as_str().unwrap();
    assert!(
        problem.contains("whole records in what could be inflated: 550"),
        "{problem}"
    );
}

#[test]
fn every_odd_record_is_evaluated_or_skipped_for_a_reason() {
    let surrogate = STOP
        .replace("e-1", "e-2")
        .replace("us-east-1", r"us-\ud800east-1");
    let duplicate = STOP
        .replace("e-1", "e-3")
        .replacen('{', r#"{"eventName":"Other","#, 1);
    let deep = STOP.replace("e-1", "e-4").replacen(
        '{',
        &format!("{{\"d\":{}{},", "[".repeat(10_000), "]".repeat(10_000)),
        1,
    );
    let long = STOP.replace("e-1", "e-5").replacen(
        '{',
        &format!("{{\"s\":\"{}\",", "x".repeat(200_000)),
        1,
    );
    let number = STOP.replace("e-1", "e-6").replacen(
        '{',
        "{\"n\":123456789012345678901234567890e999999999999,",
        1,
    );
    let comma = STOP
        .replace("e-1", "e-7")
        .replace("\"111122223333\"}", "\"111122223333\",}");
    let mut folder = Folder::new();
    let mut content = records(&[
        STOP, &surrogate, &duplicate, &deep, &long, &number, &comma, "null", "5", "[]",
    ]);
    let end = content.len() - 2;
    let invalid = [
        b",".to_vec(),
        STOP.replace("e-1", "e-8")
            .replace("us-east-1", "us-XX")
            .into_bytes(),
    ]
    .concat();
    let invalid: Vec<u8> = invalid
        .into_iter()
        .map(|byte| if byte == b'X' { 0xff } else { byte })
        .collect();
    content.splice(end..end, invalid);
    let content = [b"\xef\xbb\xbf".to_vec(), content].concat();
    let half = content.len() / 2;
    folder.put(
        &[
            gzip(&content[..half]),
            gzip(&content[half..]),
            b"junk".to_vec(),
        ]
        .concat(),
    );
    let report = folder.scan();
    assert_eq!(report["records"]["evaluated"], 8);
    assert_eq!(
        nonzero(&report["records"]["skipped"]),
        counts(&[("not_an_object", 3)])
    );
    let filter = report["metric_filters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|filter| filter["name"] == "CloudTrailChanges")
        .unwrap();
    assert_eq!(filter["matched"], 8, "no oddity hides an event");
    let kinds: Vec<&str> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "malformed_record",
            "multiple_members",
            "not_an_object",
            "trailing_data"
        ]
    );
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_loops_are_not() {
    let mut folder = Folder::new();
    folder.put_as("a/x.json", &records(&[STOP]));
    std::os::unix::fs::symlink(folder.0.path().join("a"), folder.0.path().join("b")).unwrap();
    std::os::unix::fs::symlink(folder.0.path(), folder.0.path().join("a/loop")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", folder.0.path().join("dangling")).unwrap();
    let report = folder.scan();
    assert_eq!(report["log_files"]["processed"], 2);
    assert_eq!(skipped(&report), counts(&[("symlink_loop", 2)]));
    assert_eq!(failed(&report), counts(&[("unreadable", 1)]));
}

#[test]
fn time_ranges_take_both_ends_and_count_what_they_leave_out() {
    let mut folder = Folder::new();
    let at = |n: u32| {
        STOP.replace("10:00:00", &format!("10:00:{n:02}"))
            .replace("e-1", &format!("e-{n}"))
    };
    folder.put(&gzip(&records(&[&at(1), &at(2), &at(3), &at(4)])));
    let path = folder.0.path().to_str().unwrap();
    let report = scan(&[
        path,
        "--start-time",
        "2026-03-02T10:00:02Z",
        "--end-time",
        "2026-03-02T10:00:03Z",
    ]);
    assert_eq!(
        (
            &report["records"]["evaluated"],
            &report["records"]["skipped"]["out_of_range"]
        ),
        (&2.into(), &2.into())
    );
    assert_eq!(
        scan(&[
            path,
            "--start-time",
            "2026-03-02",
            "--end-time",
            "2026-03-02"
        ])["records"]["evaluated"],
        4
    );
    assert_eq!(
        scan(&[path, "--end-time", "2026-03-01"])["records"]["evaluated"],
        0
    );
}

#[test]
fn evidence_is_limited_and_the_count_is_not() {
    let mut folder = Folder::new();
    let events: Vec<String> = (0..30)
        .map(|n| {
            STOP.replace("10:00:00", &format!("10:00:{n:02}"))
                .replace("e-1", &format!("e-{n}"))
        })
        .collect();
    folder.put(&gzip(&records(
        &events.iter().map(String::as_str).collect::<Vec<_>>(),
    )));
    let report = scan(&[folder.0.path().to_str().unwrap(), "--max-events", "3"]);
    let alarm = &report["alarms"][0];
    assert_eq!(
        (&alarm["matched"], alarm["events"].as_array().unwrap().len()),
        (&30.into(), 3)
    );
    assert_eq!(
        alarm["events"][0]["event_id"], "e-0",
        "the first events are shown"
    );
    assert_eq!(alarm["group"]["$.recipientAccountId"], "111122223333");
}

#[test]
fn standard_input_and_globs_are_read() {
    let run = command::with_input(&["scan", "-", "--format", "json"], &gzip(&records(&[STOP])));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["alarms"][0]["events"][0]["location"], "-");
    let run = command::with_input(&["scan", "-", "--format", "json"], b"not a log file");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(failed(&report), counts(&[("not_json", 1)]));
    let report = scan(&["samples/AWSLogs/*/CloudTrail-Insight/**/*.json.gz"]);
    assert_eq!(report["log_files"]["processed"], 2);
}

#[test]
fn the_exit_code_is_that_of_the_job_unless_asked_for() {
    assert_eq!(trailwarden(&["scan", "samples"]).status, 0);
    assert_eq!(trailwarden(&["scan", "samples", "--exit-code"]).status, 1);
    assert_eq!(
        trailwarden(&[
            "scan",
            "samples",
            "--exit-code",
            "--start-time",
            "2026-03-03"
        ])
        .status,
        0
    );
    let mut folder = Folder::new();
    let broken = folder.put(b"");
    assert_eq!(trailwarden(&["scan", &broken]).status, 0);
    assert_eq!(trailwarden(&["scan", &broken, "--exit-code"]).status, 1);
}

#[test]
fn what_cannot_run_says_why_and_exits_with_2() {
    for (arguments, says) in [
        (&["scan"][..], "required arguments"),
        (
            &["scan", "nowhere"],
            "`nowhere` does not exist, expected a file, a folder, a glob or -",
        ),
        (
            &["scan", "nowhere/*.gz"],
            "no file matches the glob `nowhere/*.gz`",
        ),
        (
            &["scan", "s3://bucket/prefix"],
            "is an S3 address, expected a local path",
        ),
        (
            &["scan", "samples", "--bogus"],
            "unexpected argument '--bogus'",
        ),
        (
            &["scan", "samples", "--start-time", "yesterday"],
            "expected a time such as 2026-03-02",
        ),
        (
            &[
                "scan",
                "samples",
                "--start-time",
                "2026-03-03",
                "--end-time",
                "2026-03-02",
            ],
            "--start-time is later than --end-time",
        ),
        (
            &["scan", "samples", "--profile", "nist"],
            "has no profile `nist`, expected cis, recommended, user-guide",
        ),
        (
            &["scan", "samples", "--filters", "nowhere.yaml"],
            "cannot read `nowhere.yaml`",
        ),
        (&["scan", "samples", "--threads", "0"], "invalid value '0'"),
        (
            &["scan", "-", "--filters", "-"],
            "standard input can be read once",
        ),
        (
            &["scan", "samples", "--start-time", "2026"],
            "expected a time such as 2026-03-02",
        ),
    ] {
        let run = trailwarden(arguments);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_filters_file_with_faults_stops_the_scan_with_all_of_them() {
    let mut folder = Folder::new();
    let filters = folder.put_as("filters.yaml", b"metric_filters:\n  - name: A\n    pattern: '{ $.a == 1 }'\n    metric: {namespace: N, name: M}\n  - nam: B\n    pattern: '{ $.a = 1 }'\n    metric: {namespace: N, name: M}\n");
    let run = trailwarden(&["scan", "samples", "--filters", &filters]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(run.stderr.replace(&filters, "filters.yaml"));
}

#[test]
#[cfg(unix)]
fn names_that_are_not_utf_8_are_all_read() {
    use std::os::unix::ffi::OsStringExt as _;
    let folder = tempfile::tempdir().unwrap();
    for (n, name) in [
        &b"a\xff.json"[..],
        b"a\xfe.json",
        "a\u{fffd}.json".as_bytes(),
    ]
    .iter()
    .enumerate()
    {
        let path = folder
            .path()
            .join(std::ffi::OsString::from_vec(name.to_vec()));
        fs::write(path, records(&[&STOP.replace("e-1", &format!("e-{n}"))])).unwrap();
    }
    let report = scan(&[folder.path().to_str().unwrap()]);
    assert_eq!(
        (
            &report["log_files"]["processed"],
            &report["alarms"][0]["matched"]
        ),
        (&3.into(), &3.into())
    );
    let locations: Vec<&str> = report["alarms"][0]["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["location"].as_str().unwrap())
        .collect();
    assert!(
        locations
            .iter()
            .any(|location| location.ends_with("a\\xff.json")),
        "{locations:?}"
    );
}

#[test]
fn a_path_counts_once_however_it_is_spelled() {
    let report = scan(&[
        "samples/AWSLogs",
        "./samples//AWSLogs/.",
        "samples/AWSLogs/111122223333",
    ]);
    assert_eq!(report["log_files"]["found"], 266);
}

#[test]
fn sums_do_not_depend_on_the_threads() {
    let mut folder = Folder::new();
    for (n, value) in ["0.1", "1e16", "-1e16", "0.3", "7.7"]
        .iter()
        .cycle()
        .take(100)
        .enumerate()
    {
        folder.put(&records(&[&format!(
            r#"{{"eventName":"x","v":{value},"eventID":"{n}"}}"#
        )]));
    }
    let filters = folder.put_as("../sum.yaml", b"metric_filters: [{name: A, pattern: '{ $.eventName = x }', metric: {namespace: N, name: M, value: $.v}}]");
    for threads in ["1", "2", "7"] {
        let report = scan(&[
            folder.0.path().to_str().unwrap(),
            "--filters",
            &filters,
            "--threads",
            threads,
        ]);
        assert_eq!(
            report["metric_filters"][0]["metric_sum"], 162.0,
            "rounded once, at the end"
        );
    }
    fs::remove_file(filters).unwrap();
}

#[test]
fn a_burst_is_counted_to_the_last_event_and_told_by_the_first() {
    let mut folder = Folder::new();
    let event = STOP.replace(r#""eventID":"e-1","#, "");
    folder.put(&gzip(&records(&vec![event.as_str(); 20_000])));
    let report = scan(&[folder.0.path().to_str().unwrap(), "--max-events", "1000000"]);
    let alarm = &report["alarms"][0];
    assert_eq!(
        (&alarm["matched"], alarm["events"].as_array().unwrap().len()),
        (&20_000.into(), 100)
    );
}

#[test]
fn copies_are_told() {
    let mut folder = Folder::new();
    folder.put(&records(&[STOP, STOP]));
    folder.put(&records(&[STOP]));
    let report = folder.scan();
    let filters = report["metric_filters"].as_array().unwrap();
    let filter = filters
        .iter()
        .find(|filter| filter["name"] == "CloudTrailChanges")
        .unwrap();
    assert_eq!(
        (
            &filter["matched"],
            &filter["copies"],
            &report["alarms"][0]["matched"]
        ),
        (&3.into(), &2.into(), &1.into())
    );
}

#[test]
fn a_file_that_the_user_named_is_expected_to_be_a_log_file() {
    let mut folder = Folder::new();
    let path = folder.put_as("notes.txt", b"not ours");
    assert_eq!(failed(&scan(&[&path])), counts(&[("not_json", 1)]));
    assert_eq!(trailwarden(&["scan", &path, "--exit-code"]).status, 1);
    assert_eq!(skipped(&folder.scan()), counts(&[("not_a_log_file", 1)]));
}

#[test]
fn nothing_secret_and_nothing_that_moves_the_terminal_leaves_as_a_group() {
    let mut folder = Folder::new();
    let record = STOP.replacen('{', r#"{"password":"hunter2","note":"a\u001b[2J\u202eb eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N","#, 1);
    folder.put(&records(&[&record]));
    let filters = folder.put_as("group.yaml", b"metric_filters: [{name: A, pattern: '{ $.eventName = * }', metric: {namespace: N, name: M}, alarm: {threshold: 1, group_by: [$.password, $.note]}}]");
    for format in ["json", "text"] {
        let run = trailwarden(&[
            "scan",
            folder.0.path().to_str().unwrap(),
            "--filters",
            &filters,
            "--format",
            format,
        ]);
        assert!(run.stdout.contains("***"), "{}", run.stdout);
        for harm in [
            "hunter2",
            "dozjgNryP4J3jVmNHl0w5N",
            "\u{1b}",
            "u001b",
            "\u{202e}",
            "u202e",
        ] {
            assert!(!run.stdout.contains(harm), "{harm}: {}", run.stdout);
        }
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_does_not_change_the_exit_status() {
    let run = |arguments: &str| {
        let command = format!(
            "'{}' {arguments} | true; exit ${{PIPESTATUS[0]}}",
            env!("CARGO_BIN_EXE_trailwarden")
        );
        let mut shell = std::process::Command::new("bash");
        shell
            .args(["-c", &command])
            .current_dir(root())
            .status()
            .unwrap()
            .code()
            .unwrap()
    };
    assert_eq!(run("scan samples/AWSLogs --exit-code"), 1);
    assert_eq!(run("scan samples/AWSLogs"), 0);
    assert_eq!(run("completions bash"), 0);
}

#[test]
fn more_threads_than_there_can_be_are_as_many_as_are_of_use() {
    for threads in ["4000000000", "18446744073709551615"] {
        let report = scan(&[
            "samples/AWSLogs/111122223333/CloudTrail-Insight",
            "--threads",
            threads,
        ]);
        assert_eq!(report["log_files"]["processed"], 2);
    }
}
