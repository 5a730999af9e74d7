//! The text of a message: what a person needs to act, most urgent first.

use std::collections::BTreeSet;

use crate::counts::Counts;
use crate::evidence::{Evidence, Outcome};
use crate::page::Page;
use crate::phrase::service;
use crate::shell::show_command;
use crate::told::Told;
use crate::words::{counted, duration, instant};

/// The text of one step, with so many events.
pub(crate) fn of_incident(told: &Told<'_>, shown: usize) -> String {
    let mut page = Page::default();
    page.paragraph(&told.story);
    page.paragraph(&which(told, "events"));
    page.blank();
    facts(told, &mut page);
    events(told, shown, &mut page);
    why(told, &mut page);
    silencing(told, &mut page);
    page.into_text()
}

/// Which message this is: filter, incident, step, repeat.
pub(crate) fn which(told: &Told<'_>, events: &str) -> String {
    let incident = told.incident;
    let severity = match told.severity.as_str() {
        "" => String::new(),
        severity => format!(", severity {severity}"),
    };
    let mut text = format!(
        "{}{severity}. Step {} of incident {}.",
        told.title, incident.step, told.id
    );
    text.push_str(&match incident.is_open {
        true => format!(" It is open: more {events} may join it."),
        false => " It is closed.".into(),
    });
    if incident.merged {
        text.push_str(" It joins incidents that were told apart before.");
    }
    if incident.may_be_repeat {
        text.push_str(" This message may be a repeat: the same step may have reached you before.");
    }
    text
}

fn facts(told: &Told<'_>, page: &mut Page) {
    let listed = |get: fn(&Evidence) -> Option<String>| {
        let texts: Vec<String> = told.events.iter().filter_map(get).collect();
        Counts::of(texts.iter().map(String::as_str)).listed()
    };
    page.fact("Who", &listed(|event| some(&event.actor_detail)));
    page.fact("Where", &listed(place));
    page.fact("From", &listed(|event| event.source_ip.clone()));
    page.fact("User agent", &listed(|event| event.user_agent.clone()));
    page.fact("On what", &listed(target));
    page.fact("Error", &listed(error));
    page.fact("When", &when(told));
    page.fact("How many", &how_many(told));
    page.fact("Group", &group(told));
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.into())
}

/// `us-east-1 of account 111122223333`.
fn place(event: &Evidence) -> Option<String> {
    match (event.region.as_deref(), event.account.as_str()) {
        (None, "") => None,
        (None, account) => Some(format!("account {account}")),
        (Some(region), "") => Some(region.into()),
        (Some(region), account) => Some(format!("{region} of account {account}")),
    }
}

/// `security group sg-1 (TCP 22 from 0.0.0.0/0)`.
fn target(event: &Evidence) -> Option<String> {
    match (&event.target, &event.detail) {
        (Some(target), Some(detail)) => Some(format!("{target} ({detail})")),
        (target, detail) => target.clone().or_else(|| detail.clone()),
    }
}

/// `AccessDenied: not authorized`.
fn error(event: &Evidence) -> Option<String> {
    match (&event.error_code, &event.error_message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.clone().or_else(|| message.clone()),
    }
}

fn when(told: &Told<'_>) -> String {
    let (first, last) = (
        told.incident.first_event_time,
        told.incident.last_event_time,
    );
    let span = match (first, last) {
        (Some(first), Some(last)) if first != last => {
            format!("first {}, last {}", instant(first), instant(last))
        }
        (Some(time), _) | (_, Some(time)) => instant(time),
        (None, None) => "at an unknown time".into(),
    };
    match delivery(told) {
        Some(delivery) => format!("{span}; {delivery}"),
        None => span,
    }
}

/// `delivered 42 minutes late`, `told 6 minutes after the last event`.
pub(crate) fn delivery(told: &Told<'_>) -> Option<String> {
    let delay = told.delay_seconds()?;
    Some(match delay {
        ..0 => format!(
            "the last event lies {} in the future",
            duration(delay.saturating_neg())
        ),
        _ if told.is_late() => format!("delivered {} late", duration(delay)),
        _ => format!("told {} after the last event", duration(delay)),
    })
}

/// `12 events, 7 of them new since the last message`.
fn how_many(told: &Told<'_>) -> String {
    let matched = told.matched();
    let mut text = counted(matched, "event");
    if told.incident.told_before > 0 {
        text.push_str(&format!(
            ", {} of them new since the last message",
            told.new_events()
        ));
    }
    let kept = told.events.len();
    if (kept as u64) < matched {
        text.push_str(&match kept {
            0 => "; none of them was kept for this message".into(),
            kept => format!("; what stands here is told from {kept} of them"),
        });
    }
    match told.incident.beyond_horizon {
        0 => {}
        old => text.push_str(&format!(
            "; {old} of them older than 14 days: those cannot be held against copies and may be counted \
             twice"
        )),
    }
    text
}

pub(crate) fn group(told: &Told<'_>) -> String {
    let entry = |(selector, value): &(String, Option<String>)| match value {
        Some(value) => format!("{selector} = {value}"),
        None => format!("{selector} without a value"),
    };
    let mut entries: Vec<String> = told.group.iter().map(entry).collect();
    match told.incident.group.len().saturating_sub(entries.len()) {
        0 => {}
        more => entries.push(format!("and {more} more")),
    }
    entries.join(", ")
}

fn events(told: &Told<'_>, shown: usize, page: &mut Page) {
    let matched = told.matched();
    if told.events.is_empty() {
        page.paragraph(
            "No event was kept. `trailwarden scan` over the log files of that time finds them.",
        );
        return;
    }
    page.paragraph("Events. The command prints the event as it was logged.");
    page.blank();
    for (index, event) in told.events.iter().take(shown).enumerate() {
        event_lines(index + 1, event, page);
    }
    match matched.saturating_sub(shown as u64) {
        0 => {}
        more => page.line(&format!("... and {}", counted_more(more, "event"))),
    }
}

/// `3 more events`.
pub(crate) fn counted_more(count: u64, noun: &str) -> String {
    counted(count, &format!("more {noun}"))
}

fn event_lines(number: usize, event: &Evidence, page: &mut Page) {
    let indent = "    ";
    let first = format!("{number:>2}. ");
    page.wrapped(&format!("{}  {}", time(event), did(event)), &first, indent);
    page.wrapped(&by(event), indent, indent);
    let id = match &event.event_id {
        Some(id) => format!("event id {id}"),
        None => "without an event id".into(),
    };
    let location = &event.location;
    match show_command(event) {
        Some(command) => {
            page.wrapped(
                &format!("{id}, record {} of its log file", event.record_index),
                indent,
                indent,
            );
            page.line(&format!("{indent}{command}"));
        }
        None => {
            page.wrapped(
                &format!("{id}, record {} of {location}", event.record_index),
                indent,
                indent,
            );
        }
    }
}

/// The time, and whose it is if not that of the record.
fn time(event: &Evidence) -> String {
    match (event.time_from_key, event.time) {
        (true, 0) => "unknown time".into(),
        (true, time) => format!("{} (of the log file)", instant(time)),
        (false, time) => instant(time),
    }
}

/// `signin:ConsoleLogin failed: Failed authentication`.
pub(crate) fn did(event: &Evidence) -> String {
    let name = match service(&event.event_source) {
        "" => event.event_name.clone(),
        service => format!("{service}:{}", event.event_name),
    };
    let outcome = match event.outcome {
        Outcome::Succeeded => "",
        Outcome::Denied => " denied",
        Outcome::Failed => " failed",
    };
    let error = error(event).map_or(String::new(), |error| format!(": {error}"));
    let correction = match event.correction {
        true => " (corrects an earlier event)",
        false => "",
    };
    format!("{name}{outcome}{error}{correction}")
}

/// `by alice (IAM user) from 198.51.100.7 on trail t in us-east-1 of account 111122223333`.
fn by(event: &Evidence) -> String {
    let parts = [
        ("by", some(&event.actor_detail)),
        ("from", event.source_ip.clone()),
        ("on", target(event)),
        ("in", place(event)),
    ];
    let said = |(word, text): (&str, Option<String>)| Some(format!("{word} {}", text?));
    let said: Vec<String> = parts.into_iter().filter_map(said).collect();
    said.join(" ")
}

fn why(told: &Told<'_>, page: &mut Page) {
    page.paragraph("Why this was sent");
    page.blank();
    page.fact("Filter", &told.name);
    page.fact("Condition", &condition(told));
    page.fact("Pattern", &told.pattern);
}

/// `Sum >= 3 in 300 s, between 2026-03-02 14:02:00 UTC and 2026-03-02 14:11:00 UTC`.
pub(crate) fn condition(told: &Told<'_>) -> String {
    let (start, end) = (instant(told.incident.start), instant(told.incident.end));
    let window = format!("between {start} and {end}");
    match told.condition.as_str() {
        "" => window,
        condition => format!("{condition}, {window}"),
    }
}

fn silencing(told: &Told<'_>, page: &mut Page) {
    page.paragraph("If this is expected");
    page.blank();
    let kept = told.events.len() as u64;
    match &told.silence {
        Some(silence) => {
            let of = match kept < told.matched() {
                true => format!("the {} told from here", counted(kept, "event")),
                false => "these events".into(),
            };
            let advice = format!(
                "Add this to the filter in the filters file. It covers what {of} have in common; take \
                 out or widen what should not matter, and say why. Matches are still counted, and it \
                 ends by itself."
            );
            page.wrapped(&advice, "", "");
            page.blank();
            for line in silence.yaml(4) {
                page.line(&line);
            }
        }
        None => {
            let why = match kept {
                0 => "no event was kept",
                _ => {
                    "the events have neither an actor nor an address in common that a pattern can name"
                }
            };
            let advice = format!(
                "Add a `suppress` entry (pattern, reason, expires) to the filter in the filters file. None is \
                 proposed here: {why}."
            );
            page.wrapped(&advice, "", "");
        }
    }
    expired(told, page);
}

fn expired(told: &Told<'_>, page: &mut Page) {
    let said: BTreeSet<String> = told
        .expired_suppressions
        .iter()
        .map(|(reason, day)| format!("`{reason}` (last day {day})"))
        .collect();
    if said.is_empty() {
        return;
    }
    let all = told.incident.filter.expired_suppressions.len();
    let more = match all.saturating_sub(told.expired_suppressions.len()) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let said: Vec<String> = said.into_iter().collect();
    page.paragraph(&format!(
        "Suppressions of this filter that have expired and no longer hold: {}{more}.",
        said.join(", ")
    ));
}
