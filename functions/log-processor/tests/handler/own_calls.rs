//! What the stack's own roles do is suppressed, and nothing else is.

use serde_json::{Value, json};

use crate::scene::{ACCOUNT, NOW, Scene, event};

const ROLES: [&str; 2] = [
    "arn:aws:iam::111122223333:role/trailwarden-LogProcessorRole-1A2B3C",
    "arn:aws:iam::111122223333:role/trailwarden-AlarmNotifierRole-4D5E6F",
];

/// A call under a role that is refused.
fn refused(source: &str, name: &str, role: &str, id: &str) -> Value {
    let mut event = event(name, id, NOW - 600);
    event["eventSource"] = source.into();
    event["errorCode"] = "AccessDenied".into();
    event["userIdentity"] = json!({
        "type": "AssumedRole", "accountId": ACCOUNT,
        "arn": "arn:aws:sts::111122223333:assumed-role/role/session",
        "sessionContext": { "sessionIssuer": { "type": "Role", "arn": role, "userName": "role" } },
    });
    event
}

fn scene() -> Scene {
    Scene::with_environment(&[("OWN_ROLE_ARNS", &ROLES.join(","))])
}

#[test]
fn refusals_of_own_calls_are_counted_and_raise_nothing() {
    let scene = scene();
    let calls = log_processor::OWN_CALLS.iter().zip(0..);
    let records: Vec<Value> = calls
        .map(|((source, name), n)| refused(source, name, ROLES[n % 2], &n.to_string()))
        .collect();
    let key = scene.put(&records);
    let outcome = scene.announce(&[&key]);
    let all = records.len() as u64;
    assert!(all >= 15);
    assert_eq!(outcome.count("EventsMatched"), all, "{outcome:?}");
    assert_eq!(outcome.count("EventsSuppressed"), all);
    assert_eq!(outcome.count("OwnCallsSuppressed"), all);
    assert_eq!(outcome.count("EventsSent"), 0);
    assert!(scene.matches().is_empty() && scene.documents().is_empty());
}

#[test]
fn whatever_else_these_roles_do_is_matched() {
    let scene = scene();
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
    ];
    let key = scene.put(&records);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsSent"), 4, "{outcome:?}");
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
    let filters = ("FILTERS_OBJECT", "s3://config/filters.yaml");
    let scene = Scene::with_environment(&[("OWN_ROLE_ARNS", ROLES[0]), filters]);
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
