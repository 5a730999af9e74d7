//! The parameters of the template take what is meant and nothing else, and say so.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use deployment::template::{Template, tool};
use serde_json::{Value, json};

/// The patterns are regular expressions of Java, which must match the whole value. Of what they use, Python's mean
/// the same.
const MATCH: &str = "import json, re, sys; \
    json.dump([re.fullmatch(p, v) is not None for p, v in json.load(sys.stdin)], sys.stdout)";

/// Whether each value matches its pattern.
fn matches(pairs: &[(&str, &str)]) -> Vec<bool> {
    let mut python = Command::new(tool("python"))
        .args(["-c", MATCH])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    input
        .write_all(json!(pairs).to_string().as_bytes())
        .unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn parameter(name: &str) -> &'static Value {
    let found = &Template::translated().json()["Parameters"][name];
    assert!(found.is_object(), "there is no parameter {name}");
    found
}

/// Whether each value is one that CloudFormation takes for the parameter.
fn takes(name: &str, values: &[&str]) -> Vec<bool> {
    let parameter = parameter(name);
    let limit = |limit: &str| parameter[limit].as_i64();
    let pattern = parameter["AllowedPattern"].as_str().unwrap_or("(?s:.*)");
    let pairs: Vec<_> = values.iter().map(|value| (pattern, *value)).collect();
    let fits = |value: &str| {
        let length = i64::try_from(value.chars().count()).unwrap();
        let is_long_enough = limit("MinLength").is_none_or(|least| length >= least);
        let is_short_enough = limit("MaxLength").is_none_or(|most| length <= most);
        let allowed = parameter["AllowedValues"].as_array();
        let is_allowed = allowed.is_none_or(|allowed| {
            allowed
                .iter()
                .any(|one| one == value || value.parse::<i64>().is_ok_and(|number| *one == number))
        });
        let is_number = parameter["Type"] != "Number"
            || value.parse::<i64>().is_ok_and(|number| {
                limit("MinValue").is_none_or(|least| number >= least)
                    && limit("MaxValue").is_none_or(|most| number <= most)
            });
        is_long_enough && is_short_enough && is_allowed && is_number
    };
    let matched = matches(&pairs).into_iter().zip(values);
    matched
        .map(|(matched, value)| matched && fits(value))
        .collect()
}

fn check(name: &str, good: &[&str], bad: &[&str]) {
    let taken = takes(name, good);
    let refused: Vec<_> = good.iter().zip(taken).filter(|(_, taken)| !taken).collect();
    assert!(refused.is_empty(), "{name} refuses {refused:?}");
    let taken = takes(name, bad);
    let taken: Vec<_> = bad.iter().zip(taken).filter(|(_, taken)| *taken).collect();
    assert!(taken.is_empty(), "{name} takes {taken:?}");
    let default = parameter(name)["Default"].as_str();
    if let Some(default) = default {
        assert_eq!(takes(name, &[default]), [true], "the default of {name}");
    }
}

#[test]
fn an_address_is_one_address() {
    let long = format!("{}@example.com", "a".repeat(250));
    let good = [
        "security@example.com",
        "a.b+trail@mail.example.co.uk",
        "o'hara@example.com",
    ];
    let bad = [
        "",
        "security",
        "a@b",
        "@example.com",
        "a@example.",
        "a@b@example.com",
        "a@example.com,b@example.com",
        "a@example.com;b@example.com",
        "a@example.com b@example.com",
        "Security <a@example.com>",
        " a@example.com",
        "a@example.com\n",
        "a@exam\nple.com",
        &long,
    ];
    check("AlarmEmail", &good, &bad);
}

#[test]
fn a_bucket_is_named_and_nothing_more() {
    let longest = "a".repeat(63);
    let too_long = "a".repeat(64);
    let good = ["amzn-s3-demo-bucket", "abc", "1.logs-of.2026", &longest];
    let bad = [
        "",
        "ab",
        "Amzn-S3-Demo-Bucket",
        "s3://amzn-s3-demo-bucket",
        "amzn-s3-demo-bucket/",
        "amzn-s3-demo-bucket/AWSLogs",
        "arn:aws:s3:::amzn-s3-demo-bucket",
        "amzn_s3_demo_bucket",
        "-amzn-s3-demo-bucket",
        "amzn-s3-demo-bucket.",
        "amzn s3",
        "amzn-s3-demo-bucket\n",
        "amzn-s3-demo-bucke*",
        &too_long,
    ];
    check("TrailBucketName", &good, &bad);
}

#[test]
fn a_prefix_is_the_beginning_of_keys() {
    let too_long = "a".repeat(513);
    let good = [
        "",
        "AWSLogs/",
        "logs/AWSLogs/o-exampleorgid/",
        "logs",
        "it's/(ours)!",
        "a_b.c-d/",
    ];
    let bad = [
        "/AWSLogs/",
        "/",
        "AWSLogs/*",
        "AWSLogs/?",
        "AWSLogs/${aws:username}/",
        "s3://amzn-s3-demo-bucket/AWSLogs/",
        "logs and more/",
        "AWSLogs/\n",
        "\"AWSLogs/\"",
        &too_long,
    ];
    check("KeyPrefix", &good, &bad);
}

#[test]
fn a_key_is_given_by_its_own_arn() {
    let good = [
        "",
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    ];
    let bad = [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/trail",
        "arn:aws:kms:us-east-1:111122223333:alias/trail",
        "arn:aws:s3:::amzn-s3-demo-bucket",
        "arn:aws:sns:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-east-1:11112222333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-east-1:111122223333:key/",
        "arn:aws:kms:us-east-1:111122223333:key/*",
        " arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab\n",
    ];
    check("TrailKmsKeyArn", &good, &bad);
    check("EvidenceKmsKeyArn", &good, &bad);
}

#[test]
fn objects_are_announced_in_one_of_three_ways() {
    let good = [
        "EventBridge",
        "S3",
        "arn:aws:sns:us-east-1:111122223333:trail-notifications",
        "arn:aws-cn:sns:cn-north-1:111122223333:Trail_1",
    ];
    let bad = [
        "",
        "eventbridge",
        "SNS",
        "S3 ",
        "trail-notifications",
        "arn:aws:sns:us-east-1:111122223333:trail-notifications.fifo",
        "arn:aws:sns:us-east-1:111122223333:trail-notifications:1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:sqs:us-east-1:111122223333:trail-notifications",
        "arn:aws:sns:us-east-1::trail-notifications",
        "arn:aws:sns:us-east-1:111122223333:",
        "arn:aws:sns:us-east-1:111122223333:trail\n",
    ];
    check("NotificationSource", &good, &bad);
}

#[test]
fn an_account_has_twelve_digits() {
    let bad = [
        "11112222333",
        "1111222233334",
        "1111-2222-3333",
        "alice",
        "111122223333\n",
    ];
    check(
        "TrailBucketAccountId",
        &["", "111122223333", "000000000001"],
        &bad,
    );
}

#[test]
fn a_filters_file_is_an_object() {
    let good = [
        "",
        "s3://amzn-s3-demo-bucket/filters.yaml",
        "s3://amzn-s3-demo-bucket/trailwarden/filters 2.json",
    ];
    let bad = [
        "s3://amzn-s3-demo-bucket",
        "s3://amzn-s3-demo-bucket/",
        "s3:///filters.yaml",
        "amzn-s3-demo-bucket/filters.yaml",
        "https://amzn-s3-demo-bucket.s3.amazonaws.com/filters.yaml",
        "s3://Amzn-S3-Demo-Bucket/filters.yaml",
        "s3://amzn-s3-demo-bucket/*",
        "s3://amzn-s3-demo-bucket/filters.yam?",
        "arn:aws:s3:::amzn-s3-demo-bucket/filters.yaml",
        "s3://amzn-s3-demo-bucket/filters.yaml\n",
    ];
    check("FiltersObject", &good, &bad);
}

#[test]
fn a_namespace_is_not_one_of_aws() {
    let longest = "a".repeat(255);
    let too_long = "a".repeat(256);
    let good = [
        "Trailwarden",
        "Security/Trail_1.a#b-c",
        "AWSTrail",
        "aws/x",
        &longest,
    ];
    let bad = [
        "",
        "AWS/CloudTrail",
        "AWS/",
        "Trail Warden",
        "Trail:Warden",
        "Trail*",
        "Trail\n",
        &too_long,
    ];
    check("MetricNamespace", &good, &bad);
}

#[test]
fn choices_are_those_that_are_listed() {
    check(
        "LogFileValidation",
        &["true", "unannounced", "false"],
        &["", "True", "yes"],
    );
    check("ChatTopic", &["true", "false"], &["", "True", "yes"]);
    let paths = ["direct", "cloudwatch", "both"];
    check("NotificationPath", &paths, &["", "Direct", "none"]);
    let severities = ["info", "low", "medium", "high", "critical"];
    check("MinimumSeverity", &severities, &["", "High", "3"]);
    let retentions = ["14", "30", "90", "365", "3653"];
    check(
        "EvidenceRetentionDays",
        &retentions,
        &["", "1", "7", "13", "100", "ninety"],
    );
    check(
        "MaximumConcurrency",
        &["2", "10", "1000"],
        &["", "0", "1", "1001", "2.5", "-2"],
    );
    let known = metric_filters::built_in().unwrap();
    check("Profile", &known.profiles(), &["", "Recommended", "none"]);
    let allowed = parameter("Profile")["AllowedValues"].as_array().unwrap();
    assert_eq!(allowed.len(), known.profiles().len());
}

#[test]
fn every_default_fits_its_own_constraints() {
    for (name, parameter) in Template::translated().section("Parameters") {
        let default = match &parameter["Default"] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(takes(name, &[&default]), [true], "{name}");
    }
}

#[test]
fn every_parameter_says_what_it_is_and_what_is_wrong() {
    for (name, parameter) in Template::translated().section("Parameters") {
        let description = parameter["Description"].as_str().unwrap();
        let constraint = parameter["ConstraintDescription"].as_str().unwrap();
        for sentence in [description, constraint] {
            assert!(
                sentence.starts_with(char::is_uppercase),
                "{name}: {sentence}"
            );
            assert!(sentence.ends_with('.'), "{name}: {sentence}");
            assert!(sentence.split(' ').count() > 3, "{name}: {sentence}");
        }
        // CloudFormation's limit of 4,000 bytes is far; what the console shows is not.
        assert!(description.len() < 400, "{name}");
        assert!(
            constraint.starts_with(&format!("{name} must ")),
            "{constraint}"
        );
    }
}

#[test]
fn every_parameter_is_in_one_group() {
    let template = Template::translated();
    let interface = &template.json()["Metadata"]["AWS::CloudFormation::Interface"];
    let groups = interface["ParameterGroups"].as_array().unwrap().iter();
    let grouped = groups.flat_map(|group| group["Parameters"].as_array().unwrap());
    let mut grouped: Vec<&str> = grouped.map(|name| name.as_str().unwrap()).collect();
    grouped.sort_unstable();
    let mut all: Vec<&str> = template
        .section("Parameters")
        .map(|(name, _)| name)
        .collect();
    all.sort_unstable();
    assert_eq!(grouped, all);
}

#[test]
fn a_value_that_does_not_fit_is_found() {
    // Proof that `takes` looks at each constraint.
    assert_eq!(
        takes("AlarmEmail", &["a b", "a@example.com"]),
        [false, true]
    );
    assert_eq!(
        takes(
            "KeyPrefix",
            &["a".repeat(512).as_str(), "a".repeat(513).as_str()]
        ),
        [true, false]
    );
    assert_eq!(
        takes("MaximumConcurrency", &["1", "2", "1001"]),
        [false, true, false]
    );
    assert_eq!(takes("Profile", &["cis", "CIS"]), [true, false]);
}
