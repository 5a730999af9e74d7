//! `validate-logs --strict` beside `validate-logs`: what the AWS CLI is silent about is found.
//!
//! Both run on copies in a folder. The first answers as AWS CLI 1.46.2 does.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod command;

use std::path::Path;

use command::{Run, trailwarden};
use serde_json::Value;
use testkit::chain::{Chain, Placed as _, Staged, TrailSpec, scenario};

/// A case, and how both modes answer.
struct Answers {
    compatible: Run,
    strict: Run,
}

fn time(seconds: i64) -> String {
    digest_chain::display_time(seconds)
}

fn arguments(staged: &Staged, folder: &Path, more: &[&str]) -> Vec<String> {
    let spec = &staged.chain.streams[0].spec;
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    // It is long after that: what no digest covers by now is missed up to the last second.
    let last = spec.start_of(spec.hours);
    let (start, end) = (time(staged.range.0), time(last.min(staged.range.1)));
    let keys = path(&format!("public_keys/{}.json", spec.region));
    let (arn, objects, signatures) = (spec.arn(), path("."), path("metadata.json"));
    let mut arguments: Vec<String> = [
        "validate-logs",
        "--dir",
        &objects,
        "--public-keys",
        &keys,
        "--signatures",
        &signatures,
        "--trail-arn",
        &arn,
        "--start-time",
        &start,
        "--end-time",
        &end,
        "--region",
        &spec.region,
        "--account-id",
        &spec.account,
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    arguments
}

fn run(staged: &Staged, folder: &Path, more: &[&str]) -> Run {
    let arguments = arguments(staged, folder, more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    trailwarden(&arguments)
}

fn answers(staged: &Staged) -> Answers {
    let folder = tempfile::tempdir().unwrap();
    staged.chain.write_folder(folder.path());
    Answers {
        compatible: run(staged, folder.path(), &[]),
        strict: run(staged, folder.path(), &["--strict", "--format", "json"]),
    }
}

impl Answers {
    fn of(name: &str) -> Self {
        answers(&scenario(name))
    }

    /// The AWS CLI has nothing to say.
    fn said_nothing(self) -> Self {
        let Run {
            status,
            stdout,
            stderr,
        } = &self.compatible;
        assert_eq!(*status, 0, "{stdout}{stderr}");
        assert!(
            !stdout.contains("INVALID") && !stderr.contains("INVALID"),
            "{stdout}{stderr}"
        );
        self
    }

    /// Strict mode finds these, in this order, and says so by its exit status.
    fn finds(self, codes: &[&str]) -> Vec<Value> {
        let Run {
            status,
            stdout,
            stderr,
        } = &self.strict;
        let lines: Vec<Value> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (summary, findings) = lines.split_last().unwrap_or_else(|| panic!("{stderr}"));
        let mut found: Vec<&str> = findings
            .iter()
            .map(|line| line["code"].as_str().unwrap())
            .collect();
        found.dedup();
        assert_eq!(found, codes, "{stdout}");
        let is_problem = findings.iter().any(|finding| finding["level"] == "problem");
        assert_eq!(*status, i32::from(is_problem), "{stdout}{stderr}");
        assert_eq!(summary["type"], "summary");
        findings.to_vec()
    }
}

fn key(finding: &Value) -> &str {
    finding["key"].as_str().unwrap()
}

#[test]
fn newest_digests_that_are_deleted_are_missed() {
    let name = "the newest digests are deleted with their log files";
    let findings = Answers::of(name).said_nothing().finds(&["stale"]);
    let last = scenario(name).chain.digest(0, 12);
    assert_eq!(findings[0]["from"], time(last.end));
}

#[test]
fn the_last_digests_of_a_past_range_that_are_deleted_are_missed() {
    let mut staged = staged(|spec| spec.hours = 16);
    let spec = &staged.chain.streams[0].spec;
    staged.range = (spec.start, spec.start_of(8));
    for hour in 6..9 {
        let digest = staged.chain.digest(0, hour);
        staged.chain.delete_with_logs(&digest);
    }
    let findings = answers(&staged).said_nothing().finds(&["digest-missing"]);
    assert_eq!(findings[0]["count"], 3);
}

#[test]
fn a_chain_that_is_gone_is_missed() {
    let mut staged = scenario("every digest is deleted with its log files");
    // A folder without any file is nothing that can be validated.
    let other = staged
        .chain
        .add(&staged.chain.streams[0].spec.in_region("eu-west-1"));
    assert_eq!(other, 1);
    let answers = answers(&staged);
    // Without files the AWS CLI would say "No digests found" and exit with 0; in a folder the question is refused.
    assert_ne!(answers.compatible.status, 1);
    let findings = answers.finds(&["no-digests"]);
    assert_eq!(findings[0]["facts"]["Regions with digests"], "eu-west-1");
}

#[test]
fn validation_that_ended_is_missed() {
    Answers::of("validation ends")
        .said_nothing()
        .finds(&["stale", "unreferenced-log"]);
    Answers::of("logging ends with a short digest")
        .said_nothing()
        .finds(&["stale"]);
}

#[test]
fn a_restart_is_a_gap_and_log_files_in_it_are_nobodys() {
    let name = "validation is off for some hours";
    let answers = Answers::of(name).said_nothing();
    assert!(
        answers
            .compatible
            .stderr
            .contains("No log files were delivered by CloudTrail between")
    );
    let findings = answers.finds(&["chain-restart", "unreferenced-log"]);
    let staged = scenario(name);
    let spec = &staged.chain.streams[0].spec;
    assert_eq!(findings[0]["from"], time(spec.start_of(5)));
    assert_eq!(findings[0]["to"], time(spec.start_of(10)));
    assert_eq!(findings.len() - 1, staged.chain.streams[0].unlisted.len());
}

#[test]
fn digests_that_are_deleted_before_a_restart_are_part_of_the_gap() {
    let name = "the digests before a restart are deleted with their log files";
    let findings = Answers::of(name)
        .said_nothing()
        .finds(&["chain-restart", "unreferenced-log"]);
    let spec = scenario(name).chain.streams[0].spec.clone();
    assert_eq!(findings[0]["from"], time(spec.start_of(4)));
}

#[test]
fn a_run_of_deleted_digests_is_counted() {
    let answers = Answers::of("three digests in a row are deleted with their log files");
    let invalid = answers
        .compatible
        .stderr
        .matches("INVALID: not found")
        .count();
    assert_eq!((answers.compatible.status, invalid), (1, 1));
    let findings = answers.finds(&["digest-missing"]);
    assert_eq!(findings[0]["count"], 3);
}

#[test]
fn planted_log_files_are_found() {
    for name in ["a log file is planted", "a copy of a log file is planted"] {
        let findings = Answers::of(name)
            .said_nothing()
            .finds(&["unreferenced-log"]);
        assert_eq!(key(&findings[0]), scenario(name).tampered.what[0].2);
    }
}

#[test]
fn a_trail_with_a_name_that_begins_alike_hides_nothing() {
    let name = "another trail's name hides that log files are deleted";
    let findings = Answers::of(name).said_nothing().finds(&["log-not-found"]);
    assert_eq!(key(&findings[0]), scenario(name).tampered.what[0].2);
}

#[test]
fn junk_among_the_digests_hides_nothing() {
    let name = "junk among the digests hides that log files are deleted";
    let findings = Answers::of(name)
        .said_nothing()
        .finds(&["foreign-key-name", "log-not-found"]);
    assert_eq!(findings.len(), 1 + 15);
}

#[test]
fn another_digest_that_cloudtrail_signed_for_the_same_place_does_not_link() {
    let name = "another digest signed for the same place lacks a deleted log file";
    let findings = Answers::of(name)
        .said_nothing()
        .finds(&["digest-link-mismatch"]);
    assert_eq!(key(&findings[0]), scenario(name).chain.digest(0, 9).key);
}

#[test]
fn time_between_linked_digests_is_a_gap() {
    let name = "linked digests leave hours out";
    let findings = Answers::of(name)
        .said_nothing()
        .finds(&["quiet-gap", "unreferenced-log"]);
    let spec = scenario(name).chain.streams[0].spec.clone();
    assert_eq!(findings[0]["from"], time(spec.start_of(6)));
    assert_eq!(findings[0]["to"], time(spec.start_of(8)));
}

#[test]
fn what_is_appended_to_a_log_file_is_found() {
    for name in [
        "forged records follow a log file",
        "bytes follow a log file",
    ] {
        // AWS CLI 1.46.2 says so, too; those before 1.45.12 do not.
        let answers = Answers::of(name);
        assert_eq!(answers.compatible.status, 1);
        answers.finds(&["log-trailing-data"]);
    }
}

#[test]
fn what_is_appended_to_a_digest_is_found() {
    for name in ["a gzip member follows a digest", "bytes follow a digest"] {
        Answers::of(name)
            .said_nothing()
            .finds(&["digest-trailing-data"]);
    }
}

#[test]
fn a_gzip_trailer_that_is_cut_off_is_found() {
    let name = "the gzip trailer of a log file is cut off";
    Answers::of(name).said_nothing().finds(&["log-trailer-cut"]);
}

#[test]
fn weak_hashes_odd_algorithms_and_keys_out_of_use_are_found() {
    for (name, code) in [
        ("a digest is signed with SHA-1", "digest-bad-signature"),
        (
            "a digest names another signature algorithm",
            "unknown-algorithm",
        ),
        (
            "a digest names another hash algorithm for a log file",
            "unknown-algorithm",
        ),
        (
            "a digest names another hash algorithm for the digest before",
            "unknown-algorithm",
        ),
        ("a public key was not valid yet", "key-outside-validity"),
    ] {
        Answers::of(name).said_nothing().finds(&[code]);
    }
}

#[test]
fn what_the_aws_cli_objects_to_without_reason_is_no_problem() {
    let answers = Answers::of("a signature in the metadata is wrong");
    assert_eq!(answers.compatible.status, 1);
    answers.finds(&["digest-metadata-damaged"]);
    // In a folder it is no news that metadata are missing: the signature comes from the digest that follows.
    Answers::of("a digest loses its metadata")
        .said_nothing()
        .finds(&[]);
    let answers = Answers::of("keys are published in another form");
    assert_eq!(answers.compatible.status, 1);
    answers.finds(&[]);
}

/// Everything about a clean chain of a few hours but what the closure changes.
fn staged(change: impl FnOnce(&mut TrailSpec)) -> Staged {
    let mut spec = TrailSpec {
        hours: 8,
        logs_per_hour: 2,
        ..TrailSpec::default()
    };
    change(&mut spec);
    let chain = Chain::of(&spec);
    let (start, end) = chain.range();
    Staged {
        before: chain.clone(),
        chain,
        tampered: Default::default(),
        range: (start, end + 3_600),
    }
}

#[test]
fn a_clean_chain_has_nothing_to_say_but_the_summary() {
    let staged = staged(|spec| spec.moves = vec![(4, "amzn-s3-demo-bucket1".into())]);
    let folder = tempfile::tempdir().unwrap();
    staged.chain.write_folder(folder.path());
    let Run {
        status,
        stdout,
        stderr,
    } = run(&staged, folder.path(), &["--strict"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    insta::assert_snapshot!(stdout);
    let verbose = run(&staged, folder.path(), &["--strict", "--verbose"]);
    let valid = verbose
        .stdout
        .lines()
        .filter(|line| line.starts_with("valid: "))
        .count();
    assert_eq!(valid, 8 + 16);
}

#[test]
fn offsets_of_times_are_honoured() {
    let staged = staged(|_| ());
    let folder = tempfile::tempdir().unwrap();
    staged.chain.write_folder(folder.path());
    let from = staged.range.0 + 4 * 3_600;
    let local = time(from + 9 * 3_600).replace('Z', "+09:00");
    let mut arguments = arguments(&staged, folder.path(), &["--strict", "--format", "json"]);
    let at = arguments
        .iter()
        .position(|argument| argument == "--start-time")
        .unwrap();
    arguments[at + 1] = local;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = trailwarden(&arguments);
    let summary: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["from"], time(from));
    assert_eq!(summary["digests"]["total"], 5);
}

#[test]
fn without_the_metadata_the_newest_digest_is_not_proven_and_a_note_says_what_to_do() {
    let staged = staged(|_| ());
    let folder = tempfile::tempdir().unwrap();
    staged.chain.write_folder(folder.path());
    let mut arguments = arguments(&staged, folder.path(), &["--strict", "--format", "json"]);
    let at = arguments
        .iter()
        .position(|argument| argument == "--signatures")
        .unwrap();
    arguments.drain(at..at + 2);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = trailwarden(&arguments);
    assert!(run.stderr.contains("--signatures"), "{}", run.stderr);
    let newest = staged.chain.digest(0, 7).place().1;
    let first: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["key"], newest);
    assert_eq!(first["code"], "digest-signature-missing");
}

#[test]
fn what_cannot_be_asked_is_told_by_exit_status_2() {
    let staged = staged(|_| ());
    let folder = tempfile::tempdir().unwrap();
    staged.chain.write_folder(folder.path());
    for (more, word) in [
        (["--strict", "--start-time", "yesterday"], "--start-time"),
        (
            ["--strict", "--start-time", "2030-01-01T00:00:00Z"],
            "before",
        ),
        (["--strict", "--trail-arn", "audit-trail"], "--trail-arn"),
    ] {
        let mut arguments = arguments(&staged, folder.path(), &["--strict"]);
        let at = arguments
            .iter()
            .position(|argument| argument == more[1])
            .unwrap();
        arguments[at + 1] = more[2].to_owned();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = trailwarden(&arguments);
        assert_eq!(run.status, 2, "{}", run.stderr);
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
}

#[test]
fn options_of_strict_mode_need_strict_mode() {
    let staged = staged(|_| ());
    let folder = tempfile::tempdir().unwrap();
    staged.chain.write_folder(folder.path());
    let run = run(&staged, folder.path(), &["--all-regions"]);
    assert_ne!(run.status, 0);
    assert!(run.stderr.contains("--strict"), "{}", run.stderr);
}
