//! Which matches are handed on, in which messages.

use std::collections::BTreeSet;

use alarm_state::{GroupId, HORIZON_SECONDS};
use serde_json::json;
use testkit::time;

use crate::scene::{ACCOUNT, NOW, OTHER_ACCOUNT, STOPPED, Scene, event, event_in, stop_logging};

/// [`STOPPED`] with more members of the filter.
fn stopped_with(members: &str) -> String {
    format!("{STOPPED}    {members}\n")
}

#[test]
fn a_match_is_handed_on_with_all_that_a_message_needs() {
    let scene = Scene::new();
    let key = scene.put(&[stop_logging("a")]);
    scene.announce(&[&key]);
    let [matches] = scene.matches().try_into().unwrap();
    let filter = &matches.filter;
    assert_eq!(
        [
            &filter.name,
            &filter.title,
            &filter.severity,
            &filter.pattern
        ],
        [
            "TrailStopped",
            "A trail was stopped",
            "critical",
            "{ $.eventName = StopLogging }"
        ]
    );
    assert_eq!(filter.group_by, ["$.recipientAccountId"]);
    assert_eq!(filter.definition().unwrap().threshold(), 1.0);
    let account = [Some(ACCOUNT.to_owned())];
    assert_eq!(matches.group, account);
    assert_eq!(matches.group_id, GroupId::of("TrailStopped", &account));
    assert_eq!(
        (matches.object.bucket.as_str(), &matches.object.key),
        ("trail", &key)
    );
    assert_eq!(
        (matches.part, matches.parts, matches.processed_at),
        (1, 1, NOW)
    );
    let [sample] = matches.samples().unwrap().try_into().unwrap();
    assert_eq!((sample.time, sample.value), (NOW - 600, 1.0));
    let [evidence] = matches.evidence.as_slice() else {
        panic!("{:?}", matches.evidence)
    };
    assert_eq!(evidence.event_id.as_deref(), Some("a"));
    assert_eq!(evidence.location, format!("s3://trail/{key}"));
    let sent = &scene.world.sent("matches")[0].message;
    assert_eq!(sent.group_id, matches.group_id.0);
}

#[test]
fn two_accounts_of_one_filter_are_two_groups() {
    let scene = Scene::new();
    let events = [
        stop_logging("a"),
        event_in(OTHER_ACCOUNT, "StopLogging", "a", NOW - 500),
        stop_logging("b"),
    ];
    let key = scene.put(&events);
    let outcome = scene.announce(&[&key]);
    let mut groups: Vec<_> = scene
        .matches()
        .into_iter()
        .map(|matches| (matches.group, matches.matched))
        .collect();
    groups.sort();
    assert_eq!(
        groups,
        [
            (vec![Some(ACCOUNT.to_owned())], 2),
            (vec![Some(OTHER_ACCOUNT.to_owned())], 1)
        ]
    );
    assert_eq!(
        (outcome.count("EventsMatched"), outcome.count("EventsSent")),
        (3, 3)
    );
}

#[test]
fn an_alarm_over_all_accounts_has_one_group() {
    let scene = Scene::with_filters(&STOPPED.replace("threshold: 1", "threshold: 1, group_by: []"));
    let key = scene.put(&[
        stop_logging("a"),
        event_in(OTHER_ACCOUNT, "StopLogging", "b", NOW),
    ]);
    scene.announce(&[&key]);
    let [matches] = scene.matches().try_into().unwrap();
    assert_eq!((matches.group.len(), matches.matched), (0, 2));
}

#[test]
fn events_without_the_value_of_a_group_are_a_group_of_their_own() {
    let filters = STOPPED.replace(
        "threshold: 1",
        "threshold: 1, group_by: [$.requestParameters.name]",
    );
    let scene = Scene::with_filters(&filters);
    let mut nameless = stop_logging("b");
    nameless["requestParameters"] = json!(null);
    let mut empty = stop_logging("c");
    empty["requestParameters"]["name"] = "".into();
    let key = scene.put(&[stop_logging("a"), nameless, empty]);
    scene.announce(&[&key]);
    let ids: BTreeSet<_> = scene
        .matches()
        .into_iter()
        .map(|matches| matches.group_id)
        .collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn suppressed_matches_are_counted_and_neither_handed_on_nor_a_metric() {
    let text = stopped_with(
        "suppress: [{ pattern: '{ $.userIdentity.userName = alice }', reason: a test, expires: 2026-03-02 }]",
    );
    let scene = Scene::with_filters(&text);
    let mut mallory = stop_logging("b");
    mallory["userIdentity"]["userName"] = "mallory".into();
    // The last day on which it holds is one of event time.
    let later = event("StopLogging", "c", NOW + 86_400);
    let key = scene.put(&[stop_logging("a"), mallory, later]);
    scene.world.advance(86_400);
    let outcome = scene.announce(&[&key]);
    assert_eq!(
        (
            outcome.count("EventsMatched"),
            outcome.count("EventsSuppressed")
        ),
        (3, 1)
    );
    assert_eq!(outcome.count("EventsSent"), 2);
    let matches = scene.matches().pop().unwrap();
    assert_eq!(matches.matched, 2);
    let [expired] = matches.filter.expired_suppressions.as_slice() else {
        panic!("it ended yesterday")
    };
    assert_eq!(
        (expired.reason.as_str(), expired.expires.as_str()),
        ("a test", "2026-03-02")
    );
    let in_metrics: u64 = scene
        .documents()
        .iter()
        .map(|document| document["matched"].as_u64().unwrap())
        .sum();
    assert_eq!(in_metrics, 2);
}

#[test]
fn a_shadow_filter_and_one_without_alarm_are_metrics_only() {
    let shadow = stopped_with("mode: shadow");
    let without_alarm = STOPPED.replace("    alarm: { threshold: 1 }\n", "");
    for text in [shadow, without_alarm] {
        let scene = Scene::with_filters(&text);
        let key = scene.put(&[stop_logging("a")]);
        let outcome = scene.announce(&[&key]);
        assert_eq!(
            (outcome.count("EventsMatched"), outcome.count("EventsSent")),
            (1, 0)
        );
        assert!(scene.matches().is_empty());
        assert_eq!(scene.documents()[0]["TrailStoppedCount"], 1);
    }
}

#[test]
fn an_event_has_the_same_identity_in_every_file_and_one_without_id_only_in_its_own() {
    let scene = Scene::new();
    let mut nameless = stop_logging("x");
    nameless.as_object_mut().unwrap().remove("eventID");
    let keys = [0, 1].map(|_| scene.put(&[stop_logging("a"), nameless.clone()]));
    scene.announce(&[&keys[0], &keys[1]]);
    let ids: Vec<u64> = scene
        .matches()
        .iter()
        .flat_map(|matches| matches.samples().unwrap())
        .map(|sample| sample.id)
        .collect();
    assert_eq!(
        (ids.len(), ids.iter().collect::<BTreeSet<_>>().len()),
        (4, 3)
    );
}

#[test]
fn six_thousand_matches_of_one_group_are_several_messages_and_none_is_missing() {
    let scene = Scene::new();
    let events: Vec<_> = (0..6_000)
        .map(|n| event("StopLogging", &format!("id-{n}"), NOW - 600 + n % 300))
        .collect();
    let key = scene.put(&events);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsSent"), 6_000);
    let matches = scene.matches();
    assert!(matches.len() >= 2, "{}", matches.len());
    assert!(
        scene
            .world
            .sent("matches")
            .iter()
            .all(|sent| sent.message.body.len() < 200_000)
    );
    let ids: BTreeSet<u64> = matches
        .iter()
        .flat_map(|matches| matches.samples().unwrap())
        .map(|sample| sample.id)
        .collect();
    assert_eq!(ids.len(), 6_000);
    let parts: BTreeSet<(u32, u32)> = matches
        .iter()
        .map(|matches| (matches.part, matches.parts))
        .collect();
    assert_eq!(parts.len(), matches.len());
    let groups: BTreeSet<_> = matches.iter().map(|matches| &matches.group_id).collect();
    assert_eq!(groups.len(), 1, "one writer counts them");
}

#[test]
fn twenty_thousand_copies_of_one_event_are_one_match_in_one_message() {
    let scene = Scene::new();
    let key = scene.put(&vec![stop_logging("a"); 20_000]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), [""; 0], "{}", outcome.log);
    assert_eq!(
        (outcome.count("RecordsRead"), outcome.count("EventsSent")),
        (20_000, 1)
    );
    let [message] = scene.matches().try_into().unwrap();
    assert_eq!((message.matched, message.parts), (1, 1));
    assert_eq!(message.evidence.len(), 1);
}

#[test]
fn groups_beyond_the_thousandth_share_one_and_are_counted() {
    let scene = Scene::with_filters(&STOPPED.replace(
        "threshold: 1",
        "threshold: 1, group_by: [$.requestParameters.name]",
    ));
    let events: Vec<_> = (0..1_010)
        .flat_map(|n| {
            let mut event = stop_logging(&format!("id-{n}"));
            event["requestParameters"]["name"] = format!("trail-{n}").into();
            let mut again = event.clone();
            again["eventID"] = format!("again-{n}").into();
            [event, again]
        })
        .collect();
    let key = scene.put(&events);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsSent"), 2_020);
    assert_eq!(outcome.count("Problems:group_limit"), 1);
    assert!(
        outcome.log.contains("problem=group_limit events=20"),
        "{}",
        outcome.log
    );
    let matches = scene.matches();
    assert_eq!(matches.len(), 1_001);
    let shared: Vec<_> = matches
        .iter()
        .filter(|matches| matches.matched == 20)
        .collect();
    assert_eq!(shared.len(), 1);
    assert_eq!(shared[0].group, [Some("(further groups)".to_owned())]);
}

#[test]
fn an_event_without_a_readable_time_counts_at_the_time_of_its_log_file() {
    let scene = Scene::new();
    let mut event = stop_logging("a");
    event["eventTime"] = "yesterday".into();
    let key = scene.put(&[event]);
    scene.announce(&[&key]);
    let matches = scene.matches().pop().unwrap();
    // 20260302T0255Z stands in the key.
    assert_eq!(matches.samples().unwrap()[0].time, NOW - 300);
    assert!(matches.evidence[0].time_from_key);
}

#[test]
fn events_beyond_the_horizon_are_handed_on_and_counted() {
    let scene = Scene::new();
    let key = scene.put(&[
        event("StopLogging", "a", NOW - HORIZON_SECONDS - 1),
        event("StopLogging", "b", NOW - HORIZON_SECONDS),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("EventsSent"), 2);
    assert_eq!(outcome.count("BeyondDedupHorizon"), 1);
    assert_eq!(outcome.count("TooOldForMetrics"), 2);
}

#[test]
fn late_events_are_counted_as_such() {
    let scene = Scene::new();
    let at = |id: &str, seconds: i64| event("StopLogging", id, NOW - seconds);
    let key = scene.put(&[at("a", 1_800), at("b", 1_801), at("c", 7_200)]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("LateEvents"), 2);
    assert_eq!(outcome.count("EventsSent"), 3);
}

#[test]
fn events_from_the_future_are_handed_on_and_in_no_metric() {
    let scene = Scene::new();
    let key = scene.put(&[
        event("StopLogging", "a", NOW + 900),
        event("StopLogging", "b", NOW + 901),
        event("StopLogging", "c", NOW + 10 * 365 * 86_400),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(outcome.count("FutureEvents"), 2);
    assert_eq!(outcome.count("EventsSent"), 3);
    let times: Vec<String> = scene
        .documents()
        .iter()
        .map(|document| time(document["_aws"]["Timestamp"].as_i64().unwrap() / 1000))
        .collect();
    assert_eq!(times, ["2026-03-02T03:15:00Z"]);
}

#[test]
fn times_at_the_ends_of_what_can_be_written_break_nothing() {
    let scene = Scene::new();
    let times = [
        "0001-01-01T00:00:00Z",
        "9999-12-30T23:59:59Z",
        "-9999-01-02T01:59:59Z",
        "1969-12-31T23:59:59Z",
    ];
    let events: Vec<_> = times
        .iter()
        .map(|time| {
            let mut event = stop_logging(time);
            event["eventTime"] = (*time).into();
            event
        })
        .collect();
    let key = scene.put(&events);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), [""; 0], "{}", outcome.log);
    assert_eq!(outcome.count("EventsSent"), 4);
    let sent: u64 = scene
        .matches()
        .iter()
        .map(|matches| matches.samples().unwrap().len() as u64)
        .sum();
    assert_eq!(sent, 4);
}
