//! Messages as they are read, and what holds for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;

use insta::assert_snapshot;
use notification::{
    EventKind, Evidence, EvidenceContext, FilterText, HeldIncident, Incident, Message, Outcome,
    Summary, message, summary,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2 March 2026, 14:02 UTC.
const TIME: i64 = 1_772_460_120;

const SIGN_INS: FilterText<'_> = FilterText {
    name: "ConsoleSignInFailures",
    title: "Console sign-in failures",
    severity: "high",
    pattern: r#"{ ($.eventName = ConsoleLogin) && ($.errorMessage = "Failed authentication") }"#,
    condition: "Sum >= 3 in 300 s",
    expired_suppressions: &[],
};

/// A failed sign-in of alice at `minute` past 14:02.
fn sign_in(minute: i64, account: &str) -> Evidence {
    let record = json!({ "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin",
        "eventID": format!("3038ebd2-c98a-4c65-9b6e-e22506292{minute:03}"), "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
        "errorMessage": "Failed authentication", "responseElements": { "ConsoleLogin": "Failure" },
        "additionalEventData": { "MFAUsed": "No" },
        "userIdentity": { "type": "IAMUser", "accountId": account, "userName": "alice" } });
    evidence(&record, TIME + 60 * minute, account)
}

fn evidence(record: &Value, time: i64, account: &str) -> Evidence {
    let location = format!(
        "s3://org-trail-logs/AWSLogs/{account}/CloudTrail/us-east-1/2026/03/02/{account}_CloudTrail_us-east-1_20260302T1405Z_Ab3dEfGhIjKlMnOp.json.gz"
    );
    let context = EvidenceContext {
        time,
        account,
        location: &location,
        record_index: 17,
        ..EvidenceContext::default()
    };
    let text = record.to_string();
    Evidence::of(raw_json::Object::parse(text.as_bytes()).unwrap(), &context)
}

/// Told six minutes after the last event.
fn incident(events: &[Evidence]) -> Incident<'_> {
    let first = events.first().map(|event| event.time);
    let last = events.last().map(|event| event.time);
    Incident {
        id: "5d41402abc4b2a76",
        step: 1,
        filter: SIGN_INS,
        start: TIME,
        end: TIME + 540,
        first_event_time: first,
        last_event_time: last,
        matched: events.len() as u64,
        is_open: true,
        told_at: last.unwrap_or(TIME) + 360,
        events,
        ..Incident::default()
    }
}

fn sign_ins(count: i64) -> Vec<Evidence> {
    let minutes = 0..count;
    minutes
        .map(|minute| sign_in(minute, "111122223333"))
        .collect()
}

fn in_account(account: &str) -> Vec<(String, Option<String>)> {
    vec![("$.recipientAccountId".into(), Some(account.into()))]
}

fn told(message: &Message) -> String {
    format!("Subject: {}\n\n{}", message.subject, message.text)
}

#[test]
fn failed_sign_ins() {
    let events = sign_ins(5);
    let group = in_account("111122223333");
    let message = message(&Incident {
        group: &group,
        ..incident(&events)
    });
    assert_snapshot!(told(&message));
    assert_snapshot!("failed_sign_ins_json", pretty(&message.json));
    assert_snapshot!("failed_sign_ins_chat", pretty(&message.chat));
    let attributes: Vec<String> = message
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_snapshot!(attributes.join(" "), @"filter=ConsoleSignInFailures severity=high account=111122223333 region=us-east-1 incident=5d41402abc4b2a76 step=1");
}

#[test]
fn a_second_step() {
    let events = sign_ins(12);
    let message = message(&Incident {
        step: 2,
        matched: 40,
        told_before: 28,
        merged: true,
        is_open: false,
        ..incident(&events)
    });
    assert_snapshot!(told(&message));
}

#[test]
fn late_and_maybe_a_repeat() {
    let events = sign_ins(3);
    let expired = [(
        "penetration test, ticket SEC-123".into(),
        "2026-01-31".into(),
    )];
    let message = message(&Incident {
        may_be_repeat: true,
        told_at: TIME + 120 + 42 * 60,
        beyond_horizon: 2,
        filter: FilterText {
            expired_suppressions: &expired,
            ..SIGN_INS
        },
        ..incident(&events)
    });
    assert_snapshot!(told(&message));
}

#[test]
fn several_accounts() {
    let stop = |minute: i64, account: &str, role: &str, trail: &str| {
        let record = json!({ "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
            "eventID": format!("e-{minute}"), "awsRegion": "eu-west-1", "sourceIPAddress": "198.51.100.7",
            "errorCode": (minute == 1).then_some("AccessDenied"), "requestParameters": { "name": trail },
            "userIdentity": { "type": "AssumedRole", "accountId": account,
                "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/session-{minute}") } });
        evidence(&record, TIME + 60 * minute, account)
    };
    let events = [
        stop(0, "111122223333", "Deploy", "management-events"),
        stop(1, "444455556666", "Admin", "audit"),
    ];
    let message = message(&Incident {
        filter: FilterText {
            name: "CloudTrailChanges",
            title: "CloudTrail configuration changes",
            severity: "critical",
            pattern: "{ $.eventName = StopLogging }",
            condition: "Sum >= 1 in 300 s",
            expired_suppressions: &[],
        },
        ..incident(&events)
    });
    assert_snapshot!(told(&message));
    let names: Vec<&str> = message
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["filter", "severity", "region", "incident", "step"]);
}

#[test]
fn without_any_evidence() {
    let group = in_account("111122223333");
    let message = message(&Incident {
        group: &group,
        matched: 7,
        first_event_time: Some(TIME),
        last_event_time: Some(TIME + 60),
        ..incident(&[])
    });
    assert_snapshot!(told(&message));
    assert!(
        message
            .attributes
            .contains(&("account".into(), "111122223333".into()))
    );
}

fn held(id: usize, severity: &str, name: &str, matched: u64) -> HeldIncident {
    HeldIncident {
        id: format!("incident-{id}"),
        name: name.into(),
        title: format!("Title of {name}"),
        severity: severity.into(),
        group: "account 111122223333".into(),
        matched,
        first_event_time: Some(TIME),
        last_event_time: Some(TIME + 60),
        story: format!("alice did {name} {matched} times from 198.51.100.7."),
        unit: String::new(),
    }
}

const HOUR: Summary<'_> = Summary {
    hour_start: 1_772_460_000,
    hour_end: 1_772_463_600,
    limit: 20,
    may_be_repeat: false,
    held: &[],
};

#[test]
fn a_summary() {
    let held = [
        held(1, "low", "Small", 3),
        held(2, "critical", "Worst", 2),
        held(3, "low", "Small", 40),
        held(4, "strange", "Other", 1),
    ];
    let summary = summary(&Summary {
        held: &held,
        may_be_repeat: true,
        ..HOUR
    });
    assert_snapshot!(told(&summary));
    assert_snapshot!("a_summary_json", pretty(&summary.json));
    assert_snapshot!("a_summary_chat", pretty(&summary.chat));
    assert_eq!(summary.attributes, [("severity".into(), "critical".into())]);
}

fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
}

#[test]
fn what_a_summary_has_no_room_for_is_counted() {
    let held: Vec<HeldIncident> = (0..1000)
        .map(|id| held(id, "high", &format!("F{}", id % 60), 1))
        .collect();
    let summary = summary(&Summary {
        held: &held,
        ..HOUR
    });
    let json: Value = serde_json::from_str(&summary.json).unwrap();
    assert_eq!(
        (&json["incidents"], &json["matched"]),
        (&1000.into(), &1000.into())
    );
    let shown = json["held"].as_array().unwrap().len() as u64;
    assert_eq!(shown + json["held_not_shown"].as_u64().unwrap(), 1000);
    assert!(
        summary.text.contains("... and 950 more incidents"),
        "{}",
        summary.text
    );
    assert!(
        summary.text.contains("... and 10 more filters"),
        "{}",
        summary.text
    );
    assert!(summary.subject.contains("1000 incidents") && summary.subject.contains("1000 events"));
}

#[test]
fn an_ordinary_message_shows_ten_events_in_every_form() {
    let events = sign_ins(13);
    let message = message(&incident(&events));
    assert!(message.text.contains("\n10. ") && message.text.contains("... and 3 more events"));
    let json: Value = serde_json::from_str(&message.json).unwrap();
    assert_eq!(json["events"].as_array().unwrap().len(), 10);
    assert_eq!(json["events_not_shown"], 3);
    let chat: Value = serde_json::from_str(&message.chat).unwrap();
    let description = chat["content"]["description"].as_str().unwrap();
    assert!(
        description.contains("... and 10 more events"),
        "{description}"
    );
}

#[test]
fn each_protocol_gets_its_form() {
    let events = sign_ins(1);
    let message = message(&incident(&events));
    let structure: BTreeMap<String, String> = serde_json::from_str(&message.structure()).unwrap();
    for (protocols, form) in [
        (vec!["default", "email"], &message.text),
        (vec!["sqs", "lambda", "http", "https"], &message.json),
        (vec!["sms"], &message.subject),
    ] {
        for protocol in protocols {
            assert_eq!(&structure[protocol], form, "{protocol}");
        }
    }
}

#[test]
fn what_the_largest_text_costs_is_cut_from_its_end() {
    // Characters of four bytes everywhere: the most that a text of so many characters can take.
    let long = "\u{1f512} ".repeat(2000);
    let mut event = sign_in(0, "111122223333");
    event.location = long.clone();
    event.error_message = Some(long.clone());
    event.target = Some(long.clone());
    let events = vec![event; 12];
    let message = message(&incident(&events));
    assert!(message.text.len() <= 24 * 1024 && message.text.len() > 12 * 1024);
    assert!(message.text.contains(" more events\n"), "{}", message.text);
    assert!(message.text.contains("suppress:"), "{}", message.text);
}

#[test]
fn texts_of_the_costliest_characters_stay_within_bounds() {
    // Doubled by each escaping, or four bytes long.
    for costly in ["\"", "\\", "\u{1f512}", "& "] {
        let long = costly.repeat(3000);
        let text = || Some(long.clone());
        let mut event = sign_in(0, &long);
        for member in [
            &mut event.event_id,
            &mut event.source_ip,
            &mut event.user_agent,
            &mut event.error_code,
            &mut event.error_message,
            &mut event.target,
            &mut event.detail,
            &mut event.actor_arn,
        ] {
            *member = text();
        }
        event.actor_detail = long.clone();
        event.location = long.clone();
        let events = vec![event; 12];
        let pairs = vec![(long.clone(), long.clone()); 9];
        let group = vec![(long.clone(), text()); 9];
        let told = message(&Incident {
            id: &long,
            group: &group,
            filter: FilterText {
                name: &long,
                title: &long,
                severity: &long,
                pattern: &long,
                condition: &long,
                expired_suppressions: &pairs,
            },
            ..incident(&events)
        });
        check(&told).unwrap();
        let held = HeldIncident {
            name: long.clone(),
            title: long.clone(),
            story: long.clone(),
            ..held(1, &long, &long, u64::MAX)
        };
        let held: Vec<HeldIncident> = vec![held; 60];
        check(&summary(&Summary {
            held: &held,
            ..HOUR
        }))
        .unwrap();
    }
}

/// Texts that are costly, hostile or secret.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\"",
        "\\",
        "\u{1f512}",
        "\n",
        "\u{1b}[2J",
        "\u{202e}",
        "<!channel>",
        "@here",
        "`",
        "*_~",
        " ",
        "password=hunter2-swordfish ",
        "--token hunter2-swordfish ",
        "a",
        "'",
        "$(reboot)",
        "&",
        "…",
        "",
    ]);
    (pieces, 0_usize..400, "[ -~]{0,8}")
        .prop_map(|(piece, times, end)| piece.repeat(times) + " " + &end)
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let outcome = prop::sample::select(vec![Outcome::Succeeded, Outcome::Denied, Outcome::Failed]);
    let kind = prop::sample::select(vec![
        EventKind::Call,
        EventKind::ServiceEvent,
        EventKind::Insight,
    ]);
    let texts = prop::collection::vec(any_text(), 8);
    (any::<i64>(), outcome, kind, any::<[bool; 4]>(), texts).prop_map(
        |(time, outcome, kind, flags, texts)| {
            let some = |n: usize| flags[0].then(|| texts[n].clone());
            Evidence {
                time,
                event_time: some(0),
                event_id: some(1),
                event_name: texts[2].clone(),
                event_source: texts[3].clone(),
                kind,
                outcome,
                actor: texts[4].clone(),
                actor_detail: texts[5].clone(),
                actor_is_machine: flags[1],
                mfa: some(0).map(|_| flags[2]),
                source_ip: some(6),
                user_agent: some(7),
                account: texts[0].clone(),
                region: some(1),
                error_code: some(2),
                error_message: some(3),
                target: some(4),
                detail: some(5),
                location: texts[6].clone(),
                record_index: u64::MAX,
                time_from_key: flags[3],
                correction: flags[1],
                actor_arn: some(7),
                user_name: some(0),
                finding: None,
            }
        },
    )
}

/// What holds for a message of any input.
fn check(message: &Message) -> Result<(), TestCaseError> {
    let subject = &message.subject;
    prop_assert!(subject.len() <= 99 && !subject.is_empty(), "{subject:?}");
    prop_assert!(
        subject.is_ascii() && !subject.contains(char::is_control),
        "{subject:?}"
    );
    let text = &message.text;
    prop_assert!(text.len() <= 24 * 1024, "{}", text.len());
    let is_bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
    prop_assert!(!text.contains(is_bad), "{text:?}");
    prop_assert!(message.structure().len() <= 200 * 1024);
    prop_assert!(message.chat.len() <= 200 * 1024);
    for document in [&message.json, &message.chat, &message.structure()] {
        prop_assert!(serde_json::from_str::<Value>(document).unwrap().is_object());
    }
    let chat: Value = serde_json::from_str(&message.chat).unwrap();
    for part in ["title", "description"] {
        let part = chat["content"][part].as_str().unwrap();
        prop_assert!(!part.is_empty() && part.chars().count() <= 3000);
        prop_assert!(!part.contains(['<', '>', '*', '`']), "{part}");
    }
    for (name, value) in &message.attributes {
        prop_assert!(!value.is_empty() && value.chars().count() <= 256, "{name}");
        prop_assert!(!value.contains(char::is_control), "{name}");
    }
    let attributes = format!("{:?}", message.attributes);
    for form in [subject, text, &message.json, &message.chat, &attributes] {
        prop_assert!(!form.contains("hunter2"), "{form}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_incident_is_told_safely_and_within_bounds(
        events in prop::collection::vec(any_evidence(), 0..14),
        texts in prop::collection::vec(any_text(), 6),
        pairs in prop::collection::vec((any_text(), any_text()), 0..7),
        numbers in any::<(u32, [i64; 5], [u64; 3])>(), flags in any::<[bool; 4]>(),
    ) {
        let (step, times, counts) = numbers;
        let group: Vec<_> = pairs.iter().map(|(name, value)| (name.clone(), flags[3].then(|| value.clone()))).collect();
        let told = message(&Incident {
            id: &texts[0],
            step,
            may_be_repeat: flags[0],
            filter: FilterText { name: &texts[1], title: &texts[2], severity: &texts[3], pattern: &texts[4],
                condition: &texts[5], expired_suppressions: &pairs },
            group: &group,
            start: times[0],
            end: times[1],
            first_event_time: Some(times[2]),
            last_event_time: Some(times[3]),
            matched: counts[0],
            told_before: counts[1],
            is_open: flags[1],
            told_at: times[4],
            beyond_horizon: counts[2],
            events: &events,
            merged: flags[2],
            finding: None,
        });
        check(&told)?;
        let json: Value = serde_json::from_str(&told.json).unwrap();
        let shown = json["events"].as_array().unwrap().len() as u64;
        prop_assert_eq!(json["matched"].as_u64().unwrap(), counts[0].max(events.len() as u64));
        prop_assert_eq!(json["events_not_shown"].as_u64().unwrap() + shown, json["matched"].as_u64().unwrap());
    }

    #[test]
    fn any_summary_is_told_safely_and_within_bounds(
        texts in prop::collection::vec(any_text(), 6), count in 0_usize..200, numbers in any::<(i64, i64, u64, Option<i64>)>(),
    ) {
        let (hour_start, hour_end, matched, time) = numbers;
        let held: Vec<HeldIncident> = (0..count).map(|id| HeldIncident {
            id: format!("{id} {}", texts[0]),
            name: format!("{} {}", id % 70, texts[1]),
            title: texts[2].clone(),
            severity: texts[3].clone(),
            group: texts[4].clone(),
            matched,
            first_event_time: time,
            last_event_time: time,
            story: texts[5].clone(),
            unit: if id % 3 == 0 { texts[2].clone() } else { String::new() },
        }).collect();
        let told = summary(&Summary { hour_start, hour_end, held: &held, ..HOUR });
        check(&told)?;
        let json: Value = serde_json::from_str(&told.json).unwrap();
        prop_assert_eq!(&json["incidents"], &json!(count));
    }
}
