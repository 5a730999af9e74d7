//! The message as one JSON document for machines.

use serde_json::{Value, json};

use crate::evidence::Evidence;
use crate::finding_story::statement;
use crate::shell::command;
use crate::told::Told;
use crate::words::rfc3339;

/// The version of both documents: members may be added without a new one.
pub(crate) const SCHEMA: u32 = 1;

/// The type of an incident of findings, in the document and among the attributes.
pub(crate) const FINDING: &str = "finding";

/// The document of one step, with so many events. Its members are listed in `docs/notifications.md`.
pub(crate) fn of_incident(told: &Told<'_>, shown: usize) -> String {
    let incident = told.incident;
    let as_value = match told.guide {
        Some(_) => finding,
        None => event,
    };
    let events: Vec<Value> = told.events.iter().take(shown).map(as_value).collect();
    let group: Vec<Value> = told
        .group
        .iter()
        .map(|(selector, value)| json!({ "selector": selector, "value": value }))
        .collect();
    let expired: Vec<Value> = told
        .expired_suppressions
        .iter()
        .map(|(reason, day)| json!({ "reason": reason, "expired_on": day }))
        .collect();
    let silence = told
        .silence
        .as_ref()
        .map(|silence| json!({ "pattern": silence.pattern, "expires": silence.expires }));
    let mut document = json!({
        "schema": SCHEMA,
        "kind": "incident",
        "incident": told.id,
        "step": incident.step,
        "may_be_repeat": incident.may_be_repeat,
        "merged": incident.merged,
        "is_open": incident.is_open,
        "subject": told.subject,
        "story": told.story,
        "filter": {
            "name": told.name,
            "title": told.title,
            "severity": told.severity,
            "pattern": told.pattern,
            "condition": told.condition,
            "expired_suppressions": expired,
        },
        "group": group,
        "start": rfc3339(incident.start),
        "end": rfc3339(incident.end),
        "first_event_time": incident.first_event_time.and_then(rfc3339),
        "last_event_time": incident.last_event_time.and_then(rfc3339),
        "told_at": rfc3339(incident.told_at),
        "delay_seconds": told.delay_seconds(),
        "is_late": told.is_late(),
        "matched": told.matched(),
        "told_before": incident.told_before,
        "new": told.new_events(),
        "beyond_horizon": incident.beyond_horizon,
        "events_not_shown": told.matched().saturating_sub(events.len() as u64),
        "events": events,
        "suppress": silence,
    });
    if let (Some(guide), Some(members)) = (&told.guide, document.as_object_mut()) {
        members.insert("type".into(), FINDING.into());
        let guide = json!({ "unit": guide.unit(), "meaning": guide.meaning, "response": guide.response,
            "acceptance": guide.acceptance });
        members.insert("finding".into(), guide);
    }
    document.to_string()
}

/// The evidence with its time as text.
fn event(evidence: &Evidence) -> Value {
    let is_known = !(evidence.time_from_key && evidence.time == 0);
    let time = rfc3339(evidence.time).filter(|_| is_known);
    let evidence = Evidence {
        event_time: None,
        ..evidence.clone()
    };
    let mut value = serde_json::to_value(evidence).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.insert("time".into(), time.into());
    }
    value
}

/// A finding: where, when it was last right, and what is wrong.
fn finding(evidence: &Evidence) -> Value {
    let text = evidence.finding.as_deref().cloned().unwrap_or_default();
    let facts = text.facts.iter();
    let facts: Vec<Value> = facts
        .map(|(label, value)| json!({ "label": label, "value": value }))
        .collect();
    json!({
        "time": rfc3339(evidence.time),
        "account": evidence.account,
        "region": evidence.region,
        "location": evidence.location,
        "finding": {
            "id": text.id,
            "statement": statement(evidence),
            "last_right": text.since.and_then(rfc3339),
            "found_at": text.found_at.and_then(rfc3339),
            "facts": facts,
            "check_command": command(&text.check_command),
        },
    })
}
