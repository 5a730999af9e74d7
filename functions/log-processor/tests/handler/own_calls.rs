//! What the stack's own roles do is suppressed, and nothing else is.

use log_processor::{OWN_CALLS, OwnCall, OwnRole};
use serde_json::{Value, json};

use crate::scene::{ACCOUNT, BUCKET, NOW, Scene, event};

const ROLES: [&str; 5] = [
    "arn:aws:iam::111122223333:role/trailwarden-LogProcessorRole-1A2B3C",
    "arn:aws:iam::111122223333:role/trailwarden-AlarmNotifierRole-4D5E6F",
    "arn:aws:iam::111122223333:role/trailwarden-TickScheduleRole-7A8B9C",
    "arn:aws:iam::111122223333:role/trailwarden-DigestValidatorRole-1D2E3F",
    "arn:aws:iam::111122223333:role/trailwarden-ValidationScheduleRole-4A5B6C",
];

/// A call under a role that is refused.
fn refused(source: &str, name: &str, role: &str, id: &str) -> Value {
    let mut event = event(name, id, NOW - 600);
    event["eventSource"] = source.into();
    event["errorCode"] = "AccessDenied".into();
    event["requestParameters"] = json!({ "bucketName": BUCKET });
    event["userIdentity"] = json!({
        "type": "AssumedRole", "accountId": ACCOUNT,
        "arn": "arn:aws:sts::111122223333:assumed-role/role/session",
        "sessionContext": { "sessionIssuer": { "type": "Role", "arn": role, "userName": "role" } },
    });
    event
}

const REPORTS: &str = "amzn-s3-demo-bucket2";

const VARIABLES: [(&str, &str); 8] = [
    ("LOG_PROCESSOR_ROLE_ARN", ROLES[0]),
    ("ALARM_NOTIFIER_ROLE_ARN", ROLES[1]),
    ("TICK_ROLE_ARN", ROLES[2]),
    ("DIGEST_VALIDATOR_ROLE_ARN", ROLES[3]),
    ("VALIDATION_ROLE_ARN", ROLES[4]),
    ("REPORT_BUCKET", REPORTS),
    ("TRAIL_BUCKET", BUCKET),
    ("AWS_REGION", "us-east-1"),
];

fn scene() -> Scene {
    Scene::with_environment(&VARIABLES)
}

fn role_of(call: &OwnCall) -> &'static str {
    match call.role {
        OwnRole::LogProcessor => ROLES[0],
        OwnRole::AlarmNotifier => ROLES[1],
        OwnRole::Tick => ROLES[2],
        OwnRole::DigestValidator => ROLES[3],
        OwnRole::Validation => ROLES[4],
    }
}

#[test]
fn refusals_of_own_calls_are_counted_and_raise_nothing() {
    let scene = scene();
    let mut records: Vec<Value> = Vec::new();
    for call in OWN_CALLS {
        for name in call.event_names {
            let id = records.len().to_string();
            let event = refused(call.event_source, name, role_of(call), &id);
            records.push(match *name {
                "PutObject" => of_object(event, REPORTS, "integrity/2026/03/01.json"),
                _ => event,
            });
        }
    }
    let key = scene.put(&records);
    let outcome = scene.announce(&[&key]);
    let all = records.len() as u64;
    assert!(all >= 39);
    assert_eq!(outcome.count("EventsMatched"), all, "{outcome:?}");
    assert_eq!(outcome.count("EventsSuppressed"), all);
    assert_eq!(outcome.count("OwnCallsSuppressed"), all);
    assert_eq!(outcome.count("EventsSent"), 0);
    assert!(scene.matches().is_empty() && scene.documents().is_empty());
}

/// The event, in another Region or of another bucket.
fn elsewhere(mut event: Value, what: &str, value: &str) -> Value {
    match what {
        "bucketName" => event["requestParameters"]["bucketName"] = value.into(),
        _ => event[what] = value.into(),
    }
    event
}

fn of_object(event: Value, bucket: &str, key: &str) -> Value {
    let mut event = elsewhere(event, "bucketName", bucket);
    event["requestParameters"]["key"] = key.into();
    event
}

#[test]
fn each_role_has_buckets_of_its_own() {
    let scene = scene();
    let put = |id| refused("s3.amazonaws.com", "PutObject", ROLES[3], id);
    let get = |role, id| refused("s3.amazonaws.com", "GetObject", role, id);
    let report = "integrity/2026/03/01.json";
    let log_file = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/a.json.gz";
    let key = scene.put(&[
        of_object(put("a"), REPORTS, report),
        of_object(get(ROLES[3], "b"), BUCKET, log_file),
        elsewhere(get(ROLES[0], "c"), "bucketName", REPORTS),
        of_object(put("d"), "payroll", report),
        // A log file that is forged with stolen credentials, and a report that is not one.
        of_object(put("e"), BUCKET, log_file),
        of_object(put("f"), BUCKET, report),
        of_object(put("g"), REPORTS, "reports.html"),
        of_object(get(ROLES[3], "h"), REPORTS, report),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("OwnCallsSuppressed"), 2, "{outcome:?}");
    assert_eq!(outcome.count("EventsSent"), 6);
}

#[test]
fn without_their_buckets_calls_of_the_validator_are_matched() {
    let known = ["TRAIL_BUCKET", "REPORT_BUCKET"];
    let variables: Vec<_> = VARIABLES
        .into_iter()
        .filter(|(name, _)| !known.contains(name))
        .collect();
    let scene = Scene::with_environment(&variables);
    let key = scene.put(&[
        refused("s3.amazonaws.com", "GetObject", ROLES[3], "a"),
        refused("s3.amazonaws.com", "PutObject", ROLES[3], "b"),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("OwnCallsSuppressed"), 0, "{outcome:?}");
    assert_eq!(outcome.count("EventsSent"), 2);
}

#[test]
fn public_keys_are_asked_for_in_every_region() {
    let scene = scene();
    let keys = refused("cloudtrail.amazonaws.com", "ListPublicKeys", ROLES[3], "a");
    let object = refused("s3.amazonaws.com", "GetObject", ROLES[3], "b");
    let key = scene.put(&[
        elsewhere(keys, "awsRegion", "eu-west-1"),
        elsewhere(object, "awsRegion", "eu-west-1"),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("OwnCallsSuppressed"), 1, "{outcome:?}");
    assert_eq!(outcome.count("EventsSent"), 1);
}

#[test]
fn whatever_else_these_roles_do_is_matched() {
    let scene = scene();
    let get = |id| refused("s3.amazonaws.com", "GetObject", ROLES[0], id);
    let records = [
        // Not what these functions do.
        refused("iam.amazonaws.com", "CreateUser", ROLES[0], "a"),
        // The name of an own call at another service.
        refused("kms.amazonaws.com", "GetObject", ROLES[0], "b"),
        // The same call of somebody else, and of somebody who only looks alike.
        refused(
            "s3.amazonaws.com",
            "GetObject",
            "arn:aws:iam::111122223333:role/other",
            "c",
        ),
        refused(
            "s3.amazonaws.com",
            "GetObject",
            &format!("{}x", ROLES[0]),
            "d",
        ),
        // What another role of the stack does.
        refused("sns.amazonaws.com", "Publish", ROLES[0], "e"),
        refused("s3.amazonaws.com", "GetObject", ROLES[2], "f"),
        elsewhere(get("g"), "bucketName", "payroll"),
        elsewhere(get("h"), "awsRegion", "eu-west-1"),
        // The trail itself is not the digest validator's to change.
        refused("cloudtrail.amazonaws.com", "StopLogging", ROLES[3], "i"),
        refused("s3.amazonaws.com", "DeleteObject", ROLES[3], "j"),
    ];
    let key = scene.put(&records);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsSent"), 11, "{outcome:?}");
    assert_eq!(outcome.count("EventsSuppressed"), 0);
    assert_eq!(outcome.count("OwnCallsSuppressed"), 0);
}

#[test]
fn filters_of_ones_own_are_spared_them_too_and_keep_their_suppressions() {
    let text = "
metric_filters:
  - name: Refused
    pattern: '{ $.errorCode = AccessDenied }'
    metric: { namespace: Audit, name: Refused }
    alarm: { threshold: 1 }
    suppress: [{ pattern: '{ $.eventName = CreateUser }', reason: a test }]
";
    let filters = [("FILTERS_OBJECT", "s3://config/filters.yaml")];
    let scene = Scene::with_environment(&[&VARIABLES[..], &filters].concat());
    scene.put_filters(text);
    let key = scene.put(&[
        refused("s3.amazonaws.com", "GetObject", ROLES[0], "a"),
        refused("iam.amazonaws.com", "CreateUser", ROLES[0], "b"),
        refused("s3.amazonaws.com", "GetObject", ROLES[1], "c"),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsSuppressed"), 2);
    assert_eq!(outcome.count("OwnCallsSuppressed"), 1);
    let [matches] = scene.matches().try_into().unwrap();
    assert_eq!(matches.matched, 1);
    assert!(matches.filter.expired_suppressions.is_empty());
}

#[test]
fn built_in_filters_are_said_to_have_native_alarms_and_others_are_not() {
    let stop = [crate::scene::stop_logging("a")];
    for (scene, native) in [(scene(), true), (Scene::new(), false)] {
        let key = scene.put(&stop);
        scene.announce(&[&key]);
        let matches = scene.matches();
        assert!(!matches.is_empty());
        assert!(
            matches
                .iter()
                .all(|sent| sent.filter.has_native_alarm == native)
        );
    }
}
