//! The environment.

use digest_validator::Settings;

use crate::scene::required;

#[test]
fn the_required_variables_are_enough() {
    let settings = Settings::from_env(|name| required().get(name).cloned()).unwrap();
    assert_eq!(settings.metric_namespace, "Trailwarden");
    assert_eq!(settings.recheck_seconds, 48 * 3_600);
    assert_eq!(
        (settings.report_bucket, settings.key_prefix.as_str()),
        (None, "")
    );
}

#[test]
fn a_beginning_of_keys_leaves_out_neither_digests_nor_log_files_of_an_account() {
    let with = |prefix: &str| {
        Settings::from_env(|name| match name {
            "KEY_PREFIX" => Some(prefix.to_owned()),
            _ => required().get(name).cloned(),
        })
    };
    for prefix in [
        "logs",
        "logs/",
        "AWSLogs/",
        "AWSLogs/1111",
        "AWSLogs/111122223333/",
        "logs/AWSLogs/o-exampleorgid/",
        "logs/AWSLogs/o-exampleorgid/111122223333/",
        "AWSLogs/111122223333/Cloud",
        "AWSLogs/111122223333/CloudTrail",
        "111122223333/CloudTrail/",
    ] {
        assert_eq!(with(prefix).unwrap().key_prefix, prefix);
    }
    for prefix in [
        "AWSLogs/111122223333/CloudTrail/",
        "AWSLogs/111122223333/CloudTrail-Digest/",
        "AWSLogs/111122223333/CloudTrail/us-east-1/",
        "AWSLogs/111122223333/CloudTrail-",
        "AWSLogs/111122223333/Config",
        "logs/AWSLogs/o-exampleorgid/111122223333/CloudTrail/",
        "AWSLogs/AWSLogs/111122223333/CloudTrail/",
    ] {
        let faults = with(prefix).unwrap_err();
        let [fault] = faults.faults.as_slice() else {
            panic!("{faults}")
        };
        assert_eq!(fault.name, "KEY_PREFIX");
        assert!(faults.to_string().contains("of the account"), "{faults}");
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = Settings::from_env(|name| match name {
        "RECHECK_HOURS" => Some("169".into()),
        "KEY_PREFIX" => Some("/logs".into()),
        "LOG_FILE_QUEUE_URL" => {
            Some("https://sqs.us-east-1.amazonaws.com/111122223333/a.fifo".into())
        }
        _ => None,
    });
    let faults = faults.unwrap_err();
    let names: Vec<&str> = faults
        .faults
        .iter()
        .map(|fault| fault.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "TRAILWARDEN_TABLE",
            "TRAIL_BUCKET",
            "KEY_PREFIX",
            "MATCH_QUEUE_URL",
            "LOG_FILE_QUEUE_URL",
            "RECHECK_HOURS"
        ]
    );
}
