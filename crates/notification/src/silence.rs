//! How to silence an alarm that is expected: an entry for the filters file, as narrow as the events are
//! alike.

use jiff::{SignedDuration, Timestamp};

use crate::evidence::{EventKind, Evidence, UNNAMED};
use crate::fit::is_whole;
use crate::told::only;

/// How long a suppression is proposed to hold.
const DAYS: i64 = 30;

/// Longest pattern that is proposed, in characters.
const PATTERN_CHARACTERS: usize = 600;

/// A suppression that would have silenced all the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    /// A JSON pattern.
    pub(crate) pattern: String,
    /// The last day it holds, such as `2027-01-31`.
    pub(crate) expires: String,
}

impl Silence {
    /// `None` if the events have neither an actor nor an address in common: what they do have in
    /// common would silence others too.
    pub(crate) fn of(events: &[Evidence], told_at: i64) -> Option<Silence> {
        let arn = arn(events);
        let actor = arn.clone().or_else(|| user_name(events));
        let address = common(events, |event| event.source_ip.as_deref())
            .filter(|source| actor.is_some() || source.parse::<std::net::IpAddr>().is_ok());
        let address = address.map(|source| test("$.sourceIPAddress", source));
        if actor.is_none() && address.is_none() {
            return None;
        }
        // An ARN names its account, a user name and an address do not.
        let account = if arn.is_none() { account(events) } else { None };
        let tests: Vec<String> = [event_name(events), account, actor, address]
            .into_iter()
            .flatten()
            .collect();
        let pattern = format!("{{ {} }}", tests.join(" && "));
        (pattern.chars().count() <= PATTERN_CHARACTERS).then_some(())?;
        Some(Silence {
            pattern,
            expires: last_day(told_at)?,
        })
    }

    /// The entry as YAML, each line indented by so many spaces.
    pub(crate) fn yaml(&self, indent: usize) -> Vec<String> {
        // In single quotes only the single quote itself has to be written otherwise.
        let pattern = self.pattern.replace('\'', "''");
        [
            "suppress:".into(),
            format!("  - pattern: '{pattern}'"),
            "    reason: say why this is expected, and who agreed".into(),
            format!("    expires: {}", self.expires),
        ]
        .map(|line| " ".repeat(indent) + &line)
        .into()
    }
}

/// Who it was: one identity, or sessions of one role.
fn arn(events: &[Evidence]) -> Option<String> {
    let selector = "$.userIdentity.arn";
    if let Some(same) = common(events, |event| event.actor_arn.as_deref()) {
        return Some(test(selector, same));
    }
    let role = common(events, |event| {
        role(event.actor_arn.as_deref().filter(|arn| is_whole(arn))?)
    })?;
    Some(test(selector, &format!("{role}/*")))
}

fn user_name(events: &[Evidence]) -> Option<String> {
    let name = common(events, |event| event.user_name.as_deref())?;
    Some(test("$.userIdentity.userName", name))
}

fn account(events: &[Evidence]) -> Option<String> {
    let account = common(events, |event| Some(event.account.as_str()))?;
    (account != "unknown").then(|| test("$.recipientAccountId", account))
}

/// `arn:aws:sts::111122223333:assumed-role/DeployRole` of the ARN of a session.
fn role(arn: &str) -> Option<&str> {
    let (role, _session) = arn.rsplit_once('/')?;
    let (_, name) = role.split_once(":assumed-role/")?;
    (!name.is_empty()).then_some(role)
}

fn event_name(events: &[Evidence]) -> Option<String> {
    let is_call = |event: &Evidence| event.kind != EventKind::Insight;
    let name = common(events, |event| {
        Some(event.event_name.as_str()).filter(|_| is_call(event))
    });
    name.filter(|name| *name != UNNAMED)
        .map(|name| test("$.eventName", name))
}

/// What all events have, if a pattern can say it: a `*` would stand for anything.
fn common<'e>(
    events: &'e [Evidence],
    get: impl Fn(&'e Evidence) -> Option<&'e str>,
) -> Option<&'e str> {
    only(events.iter().map(get)).filter(|text| is_whole(text) && !text.contains('*'))
}

/// `($.eventName = "StopLogging")`.
fn test(selector: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', r#"\""#);
    format!(r#"({selector} = "{value}")"#)
}

fn last_day(told_at: i64) -> Option<String> {
    let from = Timestamp::from_second(told_at).ok()?;
    let last = from
        .checked_add(SignedDuration::from_hours(24 * DAYS))
        .ok()?;
    let day = jiff::tz::Offset::UTC.to_datetime(last).date();
    // The filters file reads years of four digits.
    (0..=9999).contains(&day.year()).then(|| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvidenceContext, mask_text};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const TIME: i64 = 1_772_460_120;

    fn evidence(record: &Value) -> Evidence {
        let text = record.to_string();
        let record = raw_json::Object::parse(text.as_bytes()).unwrap();
        let context = EvidenceContext {
            account: "111122223333",
            ..EvidenceContext::default()
        };
        Evidence::of(record, &context)
    }

    fn pattern(records: &[Value]) -> Option<String> {
        let events: Vec<Evidence> = records.iter().map(evidence).collect();
        Silence::of(&events, TIME).map(|silence| silence.pattern)
    }

    fn session(name: &str, address: &str) -> Value {
        json!({ "eventName": "StopLogging", "sourceIPAddress": address, "userIdentity": { "type": "AssumedRole",
            "arn": format!("arn:aws:sts::111122223333:assumed-role/DeployRole/{name}") } })
    }

    #[test]
    fn one_session_from_one_address_is_named_with_both() {
        assert_eq!(
            pattern(&[session("ci", "198.51.100.7"), session("ci", "198.51.100.7")]).unwrap(),
            r#"{ ($.eventName = "StopLogging") && ($.userIdentity.arn = "arn:aws:sts::111122223333:assumed-role/DeployRole/ci") && ($.sourceIPAddress = "198.51.100.7") }"#
        );
    }

    #[test]
    fn sessions_of_a_role_have_the_role_in_common() {
        assert_eq!(
            pattern(&[session("a", "198.51.100.7"), session("b", "198.51.100.8")]).unwrap(),
            r#"{ ($.eventName = "StopLogging") && ($.userIdentity.arn = "arn:aws:sts::111122223333:assumed-role/DeployRole/*") }"#
        );
    }

    #[test]
    fn a_user_without_an_arn_is_named_by_user_name() {
        let failed = json!({ "eventName": "ConsoleLogin", "userIdentity": { "type": "IAMUser", "userName": "alice" } });
        assert_eq!(
            pattern(&[failed]).unwrap(),
            r#"{ ($.eventName = "ConsoleLogin") && ($.recipientAccountId = "111122223333") && ($.userIdentity.userName = "alice") }"#
        );
    }

    #[test]
    fn what_would_silence_others_too_is_not_proposed() {
        let by = |name: &str, address: &str| {
            json!({ "eventName": "StopLogging", "sourceIPAddress": address,
                "userIdentity": { "type": "IAMUser", "userName": name } })
        };
        assert_eq!(
            pattern(&[by("a", "198.51.100.7"), by("b", "198.51.100.8")]),
            None
        );
        let service = |name| by(name, "cloudformation.amazonaws.com");
        assert_eq!(pattern(&[service("a"), service("b")]), None);
        assert_eq!(pattern(&[by("*", "*")]), None);
        assert_eq!(pattern(&[by("token=hunter2", "")]), None);
        assert_eq!(pattern(&[by(&"a".repeat(500), "")]), None);
        assert_eq!(pattern(&[]), None);
    }

    #[test]
    fn an_unreadable_time_proposes_nothing() {
        let events = [evidence(&session("ci", "198.51.100.7"))];
        assert_eq!(Silence::of(&events, i64::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_proposed_is_a_suppression_that_matches(
            name in r#"[ -~é'"\\{}:#&|]{1,40}"#, address in r#"[ -~é'"\\]{1,40}"#, event in r#"[A-Za-z'"\\ ]{1,20}"#
        ) {
            let record = json!({ "eventName": event, "sourceIPAddress": address, "recipientAccountId": "111122223333",
                "userIdentity": { "type": "IAMUser", "userName": name } });
            let evidence = evidence(&record);
            // White space at the ends is not kept in a message.
            prop_assume!([&name, &address, &event].iter().all(|text| text.trim() == text.as_str()));
            let silence = Silence::of(&[evidence], TIME);
            prop_assert!(silence.is_some() || name.contains('*') || mask_text(&name) != name);
            if let Some(silence) = silence {
                let pattern = filter_pattern::compile(&silence.pattern).unwrap();
                prop_assert!(pattern.matches(record.to_string().as_bytes()), "{}", silence.pattern);
                let head = "metric_filters:\n  - name: F\n    pattern: ''\n    metric: { namespace: N, name: M }\n";
                let file = head.to_string() + &silence.yaml(4).join("\n");
                let parsed = metric_filters::FiltersFile::parse(&file);
                prop_assert!(parsed.is_ok(), "{file}\n{:?}", parsed.err());
            }
        }
    }
}
