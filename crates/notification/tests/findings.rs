//! Messages about findings of integrity checks, as they are read, and what holds for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use insta::assert_snapshot;
use notification::{
    Evidence, EvidenceContext, FilterText, FindingGuide, FindingSubject, FindingText, HeldIncident,
    Incident, Message, Summary, finding_story, finding_subject_line, message, summary,
};
use proptest::prelude::*;
use serde_json::Value;

/// 2 March 2026, 13:02 UTC.
const TIME: i64 = 1_772_456_520;
const FOUND: i64 = TIME + 3_780;
const ACCOUNT: &str = "111122223333";
const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail";
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const MODIFIED: FilterText<'_> = FilterText {
    name: "LogFileModified",
    title: "Log file modified",
    severity: "critical",
    pattern: "",
    condition: "Sum >= 1 in 7200 s",
    expired_suppressions: &[],
};

fn guide() -> FindingGuide {
    FindingGuide {
        unit: "file".into(),
        meaning: "Somebody with the right to write to the bucket has replaced what CloudTrail delivered. What \
                  the file says can no longer be relied on."
            .into(),
        response: vec![
            "Find out who wrote to the bucket since then: PutObject and DeleteObject in the data events of \
             the bucket, or in the server access logs."
                .into(),
            "If the bucket keeps versions, restore the one that is named here.".into(),
            "Take away the rights that made it possible.".into(),
        ],
        acceptance: Some(
            "Name the file under `accepted` in the settings of the validator, with the reason."
                .into(),
        ),
    }
}

fn key(n: usize) -> String {
    format!(
        "s3://amzn-s3-demo-bucket/trails/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/02/{ACCOUNT}_CloudTrail_us-east-1_20260302T{:02}{:02}Z_Ab3dEfGhIjKlMnOp.json.gz",
        12 + n / 60,
        n % 60
    )
}

fn check_command() -> Vec<String> {
    [
        "trailwarden",
        "validate-logs",
        "--strict",
        "--trail-arn",
        ARN,
        "--start-time",
        "2026-03-02T12:02:00Z",
        "--end-time",
        "2026-03-02T13:02:00Z",
        "--region",
        "us-east-1",
    ]
    .map(String::from)
    .into()
}

fn text(n: usize) -> FindingText {
    let facts = [
        ("expected hash value", HASH),
        (
            "found hash value",
            "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        ),
        ("last modified", "2026-03-02 13:40:11 UTC"),
        ("size", "4711 bytes"),
        ("version found", "3HL4kqtJvjVBH40Nrjfkd.GsMlkhw2Mz"),
        ("version right", "ydlaNkwWm0SfKJR.T1b1fIdPRbldTYRI"),
    ];
    let fact = |(label, value): (&str, &str)| (label.to_owned(), value.to_owned());
    FindingText {
        id: format!("{n:016x}"),
        statement: "the content does not have the hash value that its signed digest file gives"
            .into(),
        since: Some(TIME),
        found_at: Some(FOUND),
        facts: facts.map(fact).into(),
        check_command: check_command(),
    }
}

fn evidence(text: FindingText, location: &str) -> Evidence {
    let context = EvidenceContext {
        time: TIME,
        account: ACCOUNT,
        region: Some("us-east-1"),
        location,
        ..EvidenceContext::default()
    };
    Evidence::of_finding("LogFileModified", text, &context)
}

fn modified(count: usize) -> Vec<Evidence> {
    (0..count).map(|n| evidence(text(n), &key(n))).collect()
}

fn group() -> Vec<(String, Option<String>)> {
    [
        ("account", ACCOUNT),
        ("region", "us-east-1"),
        ("trail", "audit-trail"),
        ("location", "s3://amzn-s3-demo-bucket/trails"),
    ]
    .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
    .into()
}

/// Told two minutes after they were found.
fn incident<'a>(
    events: &'a [Evidence],
    group: &'a [(String, Option<String>)],
    guide: &'a FindingGuide,
) -> Incident<'a> {
    Incident {
        id: "7c1a5b0e9d3f2468",
        step: 1,
        filter: MODIFIED,
        group,
        start: TIME,
        end: TIME + 7_200,
        first_event_time: Some(TIME),
        last_event_time: Some(TIME),
        matched: events.len() as u64,
        is_open: true,
        told_at: FOUND + 120,
        events,
        finding: Some(guide),
        ..Incident::default()
    }
}

fn told(message: &Message) -> String {
    format!("Subject: {}\n\n{}", message.subject, message.text)
}

fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
}

#[test]
fn three_files_modified() {
    let (events, group, guide) = (modified(3), group(), guide());
    let message = message(&incident(&events, &group, &guide));
    assert_eq!(
        message.subject,
        "[CRITICAL] Log file modified: 3 files of trail audit-trail in 111122223333, us-east-1"
    );
    assert_snapshot!(told(&message));
    assert_snapshot!("three_files_modified_json", pretty(&message.json));
    assert_snapshot!("three_files_modified_chat", pretty(&message.chat));
    let attributes: Vec<String> = message
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_snapshot!(attributes.join(" "), @"filter=LogFileModified severity=critical account=111122223333 region=us-east-1 incident=7c1a5b0e9d3f2468 step=1 type=finding");
}

#[test]
fn a_second_step_late_and_maybe_a_repeat() {
    let mut events = modified(2);
    let finding = events[1].finding.as_mut().unwrap();
    finding.since = None;
    finding.statement = "it cannot be inflated".into();
    let (group, guide) = (group(), guide());
    let message = message(&Incident {
        step: 2,
        matched: 300,
        told_before: 280,
        may_be_repeat: true,
        merged: true,
        is_open: false,
        told_at: FOUND + 7_000,
        beyond_horizon: 3,
        ..incident(&events, &group, &guide)
    });
    assert_snapshot!(told(&message));
    let json: Value = serde_json::from_str(&message.json).unwrap();
    assert_eq!(
        (&json["delay_seconds"], &json["is_late"], &json["matched"]),
        (&7_000.into(), &true.into(), &300.into())
    );
}

#[test]
fn a_region_that_is_silent_with_an_arn_for_a_trail() {
    let text = FindingText {
        statement: "no digest file has come since 2026-03-02 13:02:00 UTC".into(),
        found_at: Some(FOUND),
        since: Some(TIME),
        ..FindingText::default()
    };
    let events = [evidence(
        text,
        "s3://amzn-s3-demo-bucket/trails/AWSLogs/111122223333/CloudTrail-Digest/us-east-1/",
    )];
    let mut group = group();
    group[2].1 = Some(ARN.into());
    let guide = FindingGuide {
        unit: "region".into(),
        ..FindingGuide::default()
    };
    let message = message(&Incident {
        filter: FilterText {
            name: "DigestsSilent",
            title: "No digest files",
            severity: "high",
            ..MODIFIED
        },
        ..incident(&events, &group, &guide)
    });
    assert_snapshot!(told(&message));
}

#[test]
fn findings_of_which_none_was_kept_are_counted() {
    let (group, guide) = (group(), guide());
    let message = message(&Incident {
        matched: 7,
        ..incident(&[], &group, &guide)
    });
    assert!(
        message
            .text
            .contains("7 files of trail audit-trail in us-east-1"),
        "{}",
        message.text
    );
    assert!(message.text.contains("was not kept"), "{}", message.text);
    assert!(
        message
            .attributes
            .contains(&("account".into(), ACCOUNT.into()))
    );
    let json: Value = serde_json::from_str(&message.json).unwrap();
    assert_eq!(json["delay_seconds"], Value::Null);
}

#[test]
fn ten_ordinary_findings_stand_in_text_and_json_with_all_their_facts() {
    let (events, group, guide) = (modified(10), group(), guide());
    let message = message(&Incident {
        matched: 300,
        ..incident(&events, &group, &guide)
    });
    let json: Value = serde_json::from_str(&message.json).unwrap();
    assert_eq!(json["events"].as_array().unwrap().len(), 10);
    assert_eq!(json["events_not_shown"], 290);
    for n in 0..10 {
        assert!(message.text.contains(&key(n)), "{n}");
    }
    assert!(message.text.contains("... and 290 more files"));
    assert_eq!(message.text.matches("version right: ").count(), 10);
    assert!(message.subject.contains(": 300 files of trail"));
    assert!(message.structure().len() <= 200 * 1024);
}

#[test]
fn commands_are_quoted_and_left_out_where_they_would_do_something_else() {
    let shown = |trail: &str| {
        let mut text = text(0);
        text.check_command[4] = trail.into();
        let events = [evidence(text, &key(0))];
        let (group, guide) = (group(), guide());
        let message = message(&incident(&events, &group, &guide));
        let json: Value = serde_json::from_str(&message.json).unwrap();
        let command = json["events"][0]["finding"]["check_command"].clone();
        if let Some(command) = command.as_str() {
            assert!(message.text.contains(&format!("    {command}\n")));
        }
        command.as_str().map(String::from)
    };
    let quoted = shown("a'; $(reboot) `x` \u{1f512}").unwrap();
    assert!(
        quoted.contains(r"--trail-arn 'a'\''; $(reboot) `x` 🔒' --start-time"),
        "{quoted}"
    );
    assert_eq!(shown(&"a".repeat(300)), None, "cut");
    assert_eq!(shown("token=hunter2-swordfish"), None, "masked");
    assert_eq!(shown("a\u{1b}[2J"), None, "a character was replaced");
    assert_eq!(shown(""), None);
}

#[test]
fn names_give_way_in_the_subject_and_the_count_stays() {
    let long = "x".repeat(128);
    let subject = FindingSubject {
        title: "Log files that no digest file lists were found in the bucket",
        severity: "critical",
        unit: "file",
        account: ACCOUNT,
        region: "ap-southeast-1",
        trail: &long,
    };
    let events = modified(1);
    let events: Vec<&Evidence> = events.iter().collect();
    let line = finding_subject_line(&events, 123_456, &subject);
    assert_eq!(
        line,
        "[CRITICAL] Log files that no...: 123456 files of trail xxxxxxxxx... in 111122223333, ap-southeast-1"
    );
    assert!(line.len() <= 99, "{}", line.len());
}

#[test]
fn what_is_wrong_in_many_ways_is_told_with_the_most_frequent_ones() {
    let mut events = modified(7);
    for (n, event) in events.iter_mut().enumerate() {
        let way = [0, 0, 0, 1, 2, 3, 4][n];
        event.finding.as_mut().unwrap().statement = format!("way {way}");
    }
    let group = group();
    let guide = guide();
    let subject = FindingSubject::of("Log file modified", "critical", &guide, &group);
    let mut events: Vec<&Evidence> = events.iter().collect();
    let told = finding_story(&events, 9, &subject);
    assert_eq!(
        told,
        "9 files of trail audit-trail in us-east-1 of account 111122223333: of 7 of them is known: way 0; \
         way 1; way 2; and 2 other statements; last found right at 13:02 UTC on 2 March 2026."
    );
    events.reverse();
    assert_eq!(finding_story(&events, 9, &subject), told);
}

#[test]
fn stored_evidence_of_events_has_no_member_for_findings() {
    let record = raw_json::Object::parse(br#"{"eventID":"e"}"#).unwrap();
    let event = Evidence::of(record, &EvidenceContext::default());
    let stored = serde_json::to_string(&event).unwrap();
    assert!(!stored.contains("finding"), "{stored}");
    assert_eq!(serde_json::from_str::<Evidence>(&stored).unwrap(), event);
    let finding = modified(1).remove(0);
    let stored = serde_json::to_string(&finding).unwrap();
    assert_eq!(serde_json::from_str::<Evidence>(&stored).unwrap(), finding);
    assert!(stored.len() < 2_000, "{}", stored.len());
}

#[test]
fn a_summary_counts_findings_beside_events() {
    let held = |unit: &str, name: &str, severity: &str| HeldIncident {
        id: format!("id-{name}"),
        name: name.into(),
        title: format!("Title of {name}"),
        severity: severity.into(),
        matched: 3,
        first_event_time: Some(TIME),
        last_event_time: Some(TIME + 60),
        story: format!("story of {name}."),
        unit: unit.into(),
        ..HeldIncident::default()
    };
    let both = [
        held("file", "LogFileModified", "critical"),
        held("", "RootUsage", "high"),
    ];
    let hour = Summary {
        hour_start: 1_772_460_000,
        hour_end: 1_772_463_600,
        limit: 20,
        ..Summary::default()
    };
    let both = summary(&Summary {
        held: &both,
        ..hour
    });
    assert_snapshot!(told(&both));
    let json: Value = serde_json::from_str(&both.json).unwrap();
    assert_eq!(
        (&json["held"][0]["type"], &json["filters"][0]["unit"]),
        (&"finding".into(), &"file".into())
    );
    assert_eq!(json["held"][1].get("type"), None);
    let findings = [held("file", "LogFileModified", "critical")];
    let findings = summary(&Summary {
        held: &findings,
        ..hour
    });
    assert!(
        findings.subject.ends_with(": 3 findings"),
        "{}",
        findings.subject
    );
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

/// As it may come from elsewhere: not as the constructor makes it.
fn any_evidence() -> impl Strategy<Value = Evidence> {
    let texts = prop::collection::vec(any_text(), 4);
    let facts = prop::collection::vec((any_text(), any_text()), 0..20);
    let words = prop::collection::vec(any_text(), 0..30);
    let times = any::<(i64, Option<i64>, Option<i64>)>();
    (texts, facts, words, times, any::<[bool; 2]>()).prop_map(
        |(texts, facts, check_command, (time, since, found_at), flags)| {
            let finding = FindingText {
                id: texts[0].clone(),
                statement: texts[1].clone(),
                since,
                found_at,
                facts,
                check_command,
            };
            let context = EvidenceContext {
                time,
                account: &texts[2],
                region: Some(&texts[3]),
                location: &texts[0],
                ..EvidenceContext::default()
            };
            let mut evidence = Evidence::of_finding(&texts[3], finding.clone(), &context);
            if flags[0] {
                evidence.finding = flags[1].then(|| Box::new(finding));
                evidence.location = texts[1].clone();
                evidence.event_name = texts[0].clone();
            }
            evidence
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
    let chat: Value = serde_json::from_str(&message.chat).unwrap();
    for part in ["title", "description"] {
        let part = chat["content"][part].as_str().unwrap();
        prop_assert!(!part.is_empty() && part.chars().count() <= 3000);
        prop_assert!(!part.contains(['<', '>', '*', '`']), "{part}");
    }
    for step in chat["content"]["nextSteps"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let step = step.as_str().unwrap();
        prop_assert!(
            !step.contains(['<', '>', '*', '\n', '$', '\'']) || !step.contains('`'),
            "{step}"
        );
    }
    for (name, value) in &message.attributes {
        prop_assert!(!value.is_empty() && value.chars().count() <= 256, "{name}");
        prop_assert!(!value.contains(char::is_control), "{name}");
    }
    prop_assert!(message.attributes.len() <= 10);
    let attributes = format!("{:?}", message.attributes);
    for form in [subject, text, &message.json, &message.chat, &attributes] {
        prop_assert!(!form.contains("hunter2"), "{form}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_findings_are_told_safely_and_within_bounds(
        events in prop::collection::vec(any_evidence(), 0..14),
        texts in prop::collection::vec(any_text(), 8),
        response in prop::collection::vec(any_text(), 0..12),
        numbers in any::<(u32, [i64; 5], [u64; 3])>(), flags in any::<[bool; 4]>(),
    ) {
        let (step, times, counts) = numbers;
        let mut group = group();
        for (index, (_, value)) in group.iter_mut().enumerate() {
            *value = flags[3].then(|| texts[index].clone());
        }
        let guide = FindingGuide { unit: texts[0].clone(), meaning: texts[1].clone(), response,
            acceptance: flags[0].then(|| texts[2].clone()) };
        let told = message(&Incident {
            id: &texts[0],
            step,
            may_be_repeat: flags[0],
            filter: FilterText { name: &texts[4], title: &texts[5], severity: &texts[6], pattern: "",
                condition: &texts[7], expired_suppressions: &[] },
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
            finding: Some(&guide),
        });
        check(&told)?;
        let json: Value = serde_json::from_str(&told.json).unwrap();
        prop_assert_eq!(&json["type"], "finding");
        let shown = json["events"].as_array().unwrap().len() as u64;
        prop_assert_eq!(json["matched"].as_u64().unwrap(), counts[0].max(events.len() as u64));
        prop_assert_eq!(json["events_not_shown"].as_u64().unwrap() + shown, json["matched"].as_u64().unwrap());
    }

    #[test]
    fn every_story_of_findings_is_one_bounded_line(
        events in prop::collection::vec(any_evidence(), 0..6), total in 0_usize..20, text in any::<String>()
    ) {
        let events: Vec<&Evidence> = events.iter().collect();
        let subject = FindingSubject { title: &text, severity: &text, unit: "file", account: &text, region: &text,
            trail: &text };
        let told = finding_story(&events, total, &subject);
        prop_assert!(!told.contains(char::is_control) && told.ends_with('.'), "{told:?}");
        prop_assert!(told.chars().count() <= 1_201);
        let line = finding_subject_line(&events, total, &subject);
        prop_assert!(line.len() <= 99 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line:?}");
        let count = total.max(events.len());
        let count = if count == 1 { ": 1 file".into() } else { format!(": {count} files") };
        prop_assert!(line.contains(&count), "{line:?}");
    }

    #[test]
    fn evidence_of_a_finding_is_printable_and_small(evidence in any_evidence()) {
        let context = EvidenceContext { time: evidence.time, account: &evidence.account, location: &evidence.location,
            region: evidence.region.as_deref(), ..EvidenceContext::default() };
        let text = evidence.finding.as_deref().cloned().unwrap_or_default();
        let kept = Evidence::of_finding(&evidence.event_name, text, &context);
        let json = serde_json::to_string(&kept).unwrap();
        prop_assert!(json.len() <= 34_000, "{}", json.len());
        prop_assert!(!json.contains("hunter2") && !json.contains("\\u00"), "{json}");
        prop_assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), kept);
    }
}
