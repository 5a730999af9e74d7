//! The environment: every fault is told, all at once.

use log_processor::{FiltersSource, Settings};

use crate::scene::required;

fn with(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let mut environment = required();
    for (name, value) in variables {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    let settings = Settings::from_env(|name| environment.get(name).cloned());
    settings.map_err(|faults| faults.faults.iter().map(ToString::to_string).collect())
}

#[test]
fn what_need_not_be_set_has_its_default() {
    let settings = with(&[]).unwrap();
    assert_eq!(settings.filters, FiltersSource::BuiltIn);
    assert_eq!(
        (
            settings.profile.as_str(),
            settings.metric_namespace.as_str()
        ),
        ("recommended", "Trailwarden")
    );
    assert_eq!(
        (settings.max_receive_count, settings.evidence_retention_days),
        (5, 14)
    );
    assert_eq!(settings.memory_bytes, 512 << 20);
    // An empty variable is as good as none.
    assert_eq!(
        with(&[("FILTERS_OBJECT", ""), ("PROFILE", "")]),
        Ok(settings)
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let faults = Settings::from_env(|name| match name {
        "EVIDENCE_LOG_GROUP" => Some("/evidence".into()),
        "MAX_RECEIVE_COUNT" => Some("often".into()),
        "FILTERS_OBJECT" => Some("filters.yaml".into()),
        _ => None,
    });
    let faults: Vec<String> = faults
        .unwrap_err()
        .faults
        .iter()
        .map(|fault| fault.name.clone())
        .collect();
    assert_eq!(
        faults,
        [
            "TRAILWARDEN_TABLE",
            "MATCH_QUEUE_URL",
            "FILTERS_OBJECT",
            "MAX_RECEIVE_COUNT"
        ]
    );
}

#[test]
fn a_bad_value_is_told_with_its_name_the_value_and_what_was_expected() {
    for (name, value, expected) in [
        (
            "TRAILWARDEN_TABLE",
            "a table",
            "the name of a DynamoDB table",
        ),
        (
            "MATCH_QUEUE_URL",
            "https://sqs.us-east-1.amazonaws.com/1/matches",
            "SQS FIFO queue",
        ),
        (
            "MATCH_QUEUE_URL",
            "arn:aws:sqs:us-east-1:111122223333:matches.fifo",
            "SQS FIFO queue",
        ),
        ("EVIDENCE_LOG_GROUP", "a group", "the name of a log group"),
        ("EVIDENCE_RETENTION_DAYS", "0", "days from 1 to 3653"),
        ("EVIDENCE_RETENTION_DAYS", "4000", "days from 1 to 3653"),
        ("EVIDENCE_RETENTION_DAYS", "14.5", "days from 1 to 3653"),
        ("FILTERS_OBJECT", "s3://bucket", "s3://bucket/key"),
        ("FILTERS_OBJECT", "https://bucket/key", "s3://bucket/key"),
        ("PROFILE", "my profile", "the name of a profile"),
        (
            "METRIC_NAMESPACE",
            "My:Namespace",
            "the namespace of a metric",
        ),
        (
            "TICK_ROLE_ARN",
            "arn:aws:iam::111122223333:user/alice",
            "the ARN of an IAM role",
        ),
        (
            "LOG_PROCESSOR_ROLE_ARN",
            "arn:aws:iam::111122223333:role/a\"b",
            "the ARN of an IAM role",
        ),
        (
            "VALIDATION_ROLE_ARN",
            "arn:aws:iam::111122223333:policy/x",
            "the ARN of an IAM role",
        ),
        ("TRAIL_BUCKET", "amzn-*", "the name of a bucket"),
        ("REPORT_BUCKET", "a bucket", "the name of a bucket"),
        ("KEY_PREFIX", "/AWSLogs/", "without a leading slash"),
        ("MAX_RECEIVE_COUNT", "0", "1 to 1000"),
        ("MAX_RECEIVE_COUNT", "-1", "1 to 1000"),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "64",
            "megabytes from 128",
        ),
    ] {
        let faults = with(&[(name, value)]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        let fault = &faults[0];
        assert!(
            fault.starts_with(&format!("`{name}` is `{value}`, expected ")),
            "{fault}"
        );
        assert!(fault.contains(expected), "{fault}");
    }
}
