//! What is told of incidents, and when.

use alarm_state::HORIZON_SECONDS;

use crate::scene::{
    ACCOUNT, CHAT_TOPIC, HOUR, NOW, Scene, TOPIC, filter, in_account, matches, sign_ins,
};

#[test]
fn an_alarm_is_told_at_once_with_what_happened() {
    let scene = Scene::new();
    let outcome = scene.deliver(&[matches(
        &sign_ins(3.0),
        1,
        &[(NOW - 300, 1), (NOW - 200, 2), (NOW - 100, 3)],
    )]);
    assert_eq!(outcome.failed(), [""; 0]);
    let [told] = scene.told().try_into().unwrap();
    assert!(
        told.subject.starts_with("[HIGH] Console sign-in failures"),
        "{}",
        told.subject
    );
    assert!(told.subject.is_ascii() && told.subject.len() <= 99);
    let document = &told.document;
    assert_eq!(
        (document["step"].as_u64(), document["matched"].as_u64()),
        (Some(1), Some(3))
    );
    assert_eq!(document["may_be_repeat"], false);
    assert_eq!(document["first_event_time"], "2026-03-02T02:55:00Z");
    assert_eq!(document["last_event_time"], "2026-03-02T02:58:20Z");
    assert_eq!(document["events"].as_array().unwrap().len(), 3);
    assert!(
        told.text.contains("alice") && told.text.contains("id-1"),
        "{}",
        told.text
    );
    let expected = [
        ("account", ACCOUNT),
        ("filter", "ConsoleSignInFailures"),
        ("region", "us-east-1"),
        ("severity", "high"),
    ];
    for (name, value) in expected {
        assert_eq!(
            told.attributes.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(
        (
            outcome.count("StepsTold"),
            outcome.count("EventsTold"),
            outcome.count("Incidents")
        ),
        (1, 3, 1)
    );
    assert_eq!(
        (
            outcome.count("MatchesReceived"),
            outcome.count("MatchesCounted")
        ),
        (3, 3)
    );
}

#[test]
fn matches_below_the_threshold_are_told_once_the_rest_of_them_comes() {
    let scene = Scene::new();
    let filter = sign_ins(3.0);
    let outcome = scene.deliver(&[matches(&filter, 1, &[(NOW - 300, 1), (NOW - 100, 3)])]);
    assert_eq!((outcome.failed().len(), scene.told().len()), (0, 0));
    assert_eq!(outcome.count("Incidents"), 0);
    scene.deliver(&[matches(&filter, 2, &[(NOW - 1, 3)])]);
    assert_eq!(
        scene.told().len(),
        0,
        "a copy of an event is no other event"
    );
    scene.deliver(&[matches(&filter, 3, &[(NOW - 200, 2)])]);
    assert_eq!(scene.steps(), [(1, false, 3)]);
}

#[test]
fn what_joins_an_incident_within_the_hour_is_told_by_a_tick_after_it() {
    let scene = Scene::new();
    let filter = sign_ins(2.0);
    scene.deliver(&[matches(&filter, 1, &[(NOW - 100, 1), (NOW - 99, 2)])]);
    scene.world.advance(60);
    scene.deliver(&[matches(
        &filter,
        2,
        &[(NOW - 50, 3), (NOW - 49, 4), (NOW - 48, 5)],
    )]);
    assert_eq!(scene.steps(), [(1, false, 2)]);
    scene.world.advance(HOUR - 61);
    scene.tick();
    assert_eq!(scene.steps().len(), 1, "a second is missing");
    scene.world.advance(1);
    let outcome = scene.tick();
    assert_eq!(
        (outcome.count("StepsTold"), outcome.count("EventsTold")),
        (1, 3)
    );
    assert_eq!(scene.steps(), [(1, false, 2), (2, false, 5)]);
    let told = scene.told();
    assert_eq!(
        (
            told[1].document["told_before"].as_u64(),
            told[1].document["new"].as_u64()
        ),
        (Some(2), Some(3))
    );
    assert_eq!(told[0].document["incident"], told[1].document["incident"]);
    for _ in 0..3 {
        scene.world.advance(HOUR);
        scene.tick();
    }
    assert_eq!(scene.steps().len(), 2, "nothing more has happened");
}

#[test]
fn what_happens_after_a_gap_is_another_incident_and_told_at_once() {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    scene.deliver(&[matches(&filter, 1, &[(NOW - 1_000, 1)])]);
    scene.deliver(&[matches(&filter, 2, &[(NOW - 1_000 + 601, 2)])]);
    assert_eq!(scene.steps(), [(1, false, 1), (1, false, 1)]);
    let told = scene.told();
    assert_ne!(told[0].document["incident"], told[1].document["incident"]);
}

#[test]
fn a_late_event_that_joins_two_incidents_makes_them_one() {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    scene.deliver(&[matches(&filter, 1, &[(NOW - 2_000, 1)])]);
    scene.deliver(&[matches(&filter, 2, &[(NOW - 1_000, 2)])]);
    assert_eq!(scene.steps().len(), 2);
    scene.deliver(&[matches(&filter, 3, &[(NOW - 1_500, 3)])]);
    assert_eq!(scene.heads()[0].incidents.len(), 1);
    scene.world.advance(HOUR);
    scene.tick();
    assert_eq!(scene.steps()[2..], [(2, false, 3)]);
    let told = scene.told();
    assert_eq!(told[2].document["merged"], true);
    assert_eq!(told[2].document["incident"], told[0].document["incident"]);
    assert_eq!(
        (
            told[2].document["told_before"].as_u64(),
            told[2].document["new"].as_u64()
        ),
        (Some(2), Some(1))
    );
}

#[test]
fn incidents_below_the_minimum_severity_are_kept_and_not_told() {
    let definition = sign_ins(1.0).definition().unwrap();
    for (severity, told) in [
        ("info", 0),
        ("low", 0),
        ("medium", 1),
        ("high", 1),
        ("critical", 1),
    ] {
        let scene = Scene::with_environment(&[("MINIMUM_SEVERITY", "medium")]);
        let outcome =
            scene.deliver(&[matches(&filter(severity, &definition), 1, &[(NOW - 10, 1)])]);
        assert_eq!(outcome.count("Incidents"), 1, "{severity}");
        scene.world.advance(2 * HOUR);
        scene.tick();
        assert_eq!(scene.told().len(), told, "{severity}");
        assert_eq!(scene.heads()[0].incidents.len(), 1);
    }
}

#[test]
fn the_chat_topic_has_a_body_of_its_own() {
    let scene = Scene::with_environment(&[("CHAT_TOPIC_ARN", CHAT_TOPIC)]);
    scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 10, 1)])]);
    let publications = scene.world.publications();
    let topics: Vec<&str> = publications
        .iter()
        .map(|(topic, _)| topic.as_str())
        .collect();
    assert_eq!(topics, [TOPIC, CHAT_TOPIC], "mail first");
    let chat = &publications[1].1;
    assert!(!chat.is_json_structure);
    let body: serde_json::Value = serde_json::from_str(&chat.message).unwrap();
    assert_eq!(
        (&body["version"], &body["source"]),
        (&"1.0".into(), &"custom".into())
    );
    assert_eq!(chat.attributes, publications[0].1.attributes);
}

#[test]
fn a_burst_over_two_files_and_a_boundary_of_buckets_is_one_incident() {
    let scene = Scene::new();
    let filter = sign_ins(4.0);
    // Ten minutes of event time are stored together; NOW is such a boundary.
    scene.deliver(&[matches(&filter, 1, &[(NOW - 2, 1), (NOW - 1, 2)])]);
    scene.deliver(&[matches(&filter, 2, &[(NOW, 3), (NOW + 1, 4)])]);
    assert_eq!(scene.steps(), [(1, false, 4)]);
}

#[test]
fn events_beyond_the_horizon_are_told_and_marked() {
    let scene = Scene::new();
    let long_ago = NOW - HORIZON_SECONDS - 86_400;
    scene.deliver(&[matches(
        &sign_ins(2.0),
        1,
        &[(long_ago, 1), (long_ago + 1, 2)],
    )]);
    assert_eq!(scene.steps(), [(1, false, 2)]);
    let told = scene.told();
    assert_eq!(told[0].document["beyond_horizon"].as_u64(), Some(2));
    assert_eq!(told[0].document["is_late"], true);
    scene.world.advance(HOUR);
    scene.deliver(&[matches(
        &sign_ins(2.0),
        1,
        &[(long_ago, 1), (long_ago + 1, 2)],
    )]);
    assert_eq!(
        scene.steps().len(),
        1,
        "a copy that comes soon after is known all the same"
    );
}

#[test]
fn each_group_and_each_filter_has_incidents_of_its_own() {
    let scene = Scene::new();
    let mut messages = in_account(&sign_ins(1.0), ACCOUNT, 1, &[(NOW - 10, 1)]);
    messages.extend(in_account(
        &sign_ins(1.0),
        "444455556666",
        1,
        &[(NOW - 10, 1)],
    ));
    let outcome = scene.deliver(&messages);
    assert_eq!(outcome.count("StepsTold"), 2);
    let told = scene.told();
    let accounts: Vec<&str> = told
        .iter()
        .map(|told| told.attributes["account"].as_str())
        .collect();
    assert!(
        accounts.contains(&ACCOUNT) && accounts.contains(&"444455556666"),
        "{accounts:?}"
    );
    assert_ne!(told[0].document["incident"], told[1].document["incident"]);
}

/// What docs/performance.md says it costs.
#[test]
fn an_incident_that_is_told_takes_six_reads_six_writes_and_a_publish() {
    let scene = Scene::new();
    scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 60, 1)])]);
    let requests = scene.world.requests();
    let of = |operations: &[&str]| {
        let is_one = |request: &&String| operations.iter().any(|start| request.starts_with(start));
        requests.iter().filter(is_one).count()
    };
    assert_eq!(of(&["GetItem", "Query"]), 6, "{requests:#?}");
    assert_eq!(of(&["PutItem"]), 6, "{requests:#?}");
    assert_eq!(of(&["Publish"]), 1);
    assert_eq!(requests.len(), 13);
}
