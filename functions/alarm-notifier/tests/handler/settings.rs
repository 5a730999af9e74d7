//! The environment: every fault is told, all at once.

use alarm_notifier::Settings;

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
    assert_eq!(
        (
            settings.chat_topic_arn.as_deref(),
            settings.minimum_severity
        ),
        (None, 0)
    );
    assert_eq!(settings.metric_namespace, "Trailwarden");
    assert_eq!(
        with(&[("CHAT_TOPIC_ARN", ""), ("MINIMUM_SEVERITY", "")]),
        Ok(settings)
    );
    assert_eq!(
        with(&[("MINIMUM_SEVERITY", "critical")])
            .unwrap()
            .minimum_severity,
        4
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let faults = Settings::from_env(|name| (name == "MINIMUM_SEVERITY").then(|| "severe".into()));
    let faults: Vec<String> = faults
        .unwrap_err()
        .faults
        .into_iter()
        .map(|fault| fault.name)
        .collect();
    let expected = [
        "TRAILWARDEN_TABLE",
        "MATCH_QUEUE_URL",
        "MATCH_DEAD_LETTER_QUEUE_URL",
        "ALARM_TOPIC_ARN",
        "MINIMUM_SEVERITY",
    ];
    assert_eq!(faults, expected);
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
            "MATCH_DEAD_LETTER_QUEUE_URL",
            "matches.fifo",
            "SQS FIFO queue",
        ),
        ("ALARM_TOPIC_ARN", "alarms", "the ARN of an SNS topic"),
        (
            "ALARM_TOPIC_ARN",
            "arn:aws:sqs:us-east-1:111122223333:alarms",
            "the ARN of an SNS topic",
        ),
        ("CHAT_TOPIC_ARN", "arn:aws:sns", "the ARN of an SNS topic"),
        (
            "MINIMUM_SEVERITY",
            "HIGH",
            "info, low, medium, high or critical",
        ),
        ("NOTIFICATION_PATH", "native", "direct, cloudwatch or both"),
        (
            "METRIC_NAMESPACE",
            "My Namespace",
            "the namespace of a metric",
        ),
    ] {
        let faults = with(&[(name, value)]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with(&format!("`{name}` is `{value}`, expected ")),
            "{}",
            faults[0]
        );
        assert!(faults[0].contains(expected), "{}", faults[0]);
    }
}
