//! What the limit of messages per hour held back, in one message.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::attributes::listed;
use crate::chat::Notification;
use crate::fit::{SMALLER, clean, first_that_fits};
use crate::machine::{FINDING, SCHEMA};
use crate::message::{Message, fits_json, fits_text};
use crate::page::Page;
use crate::story::{SUBJECT_CHARACTERS, ascii, cut};
use crate::words::{counted, instant, plural, rfc3339, span};

/// The incidents of an hour that were not told one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary<'a> {
    /// When the hour began, in Unix seconds.
    pub hour_start: i64,
    /// When it ended, in Unix seconds.
    pub hour_end: i64,
    /// How many messages are sent in an hour.
    pub limit: u32,
    /// This summary may have been sent before.
    pub may_be_repeat: bool,
    /// What was held back, in any order.
    pub held: &'a [HeldIncident],
}

/// A step of an incident that was held back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeldIncident {
    /// The incident's id.
    pub id: String,
    /// The filter's name.
    pub name: String,
    /// The filter's title.
    pub title: String,
    /// The filter's severity.
    pub severity: String,
    /// The group, as people read it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// How many distinct events there are.
    pub matched: u64,
    /// The time of the first event, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event_time: Option<i64>,
    /// The time of the last event, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_time: Option<i64>,
    /// What happened, in one sentence.
    pub story: String,
    /// If these are findings: what one of them is about, as a singular noun. Empty for events.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

impl HeldIncident {
    /// `3 log files`.
    fn counted(&self, matched: u64) -> String {
        counted(
            matched,
            if self.unit.is_empty() {
                EVENT
            } else {
                &self.unit
            },
        )
    }
}

/// What is counted where there are no findings.
const EVENT: &str = "event";

/// Most incidents, and most filters, that are listed.
const MOST_ROWS: usize = 50;

/// Tells what was held back: exact counts for each filter, then the incidents, worst severity first.
/// What there is no room for is counted.
///
/// ```
/// use notification::{HeldIncident, Summary, summary};
///
/// let held = [HeldIncident { id: "3f9a".into(), name: "RootUsage".into(), title: "Root usage".into(),
///     severity: "high".into(), matched: 4, story: "root did it.".into(), ..Default::default() }];
/// let summary = summary(&Summary { hour_start: 1_772_460_000, hour_end: 1_772_463_600, limit: 20,
///     held: &held, ..Default::default() });
/// assert_eq!(summary.subject, "[HIGH] 1 incident held back at 14:00 UTC on 2 March 2026: 4 events");
/// ```
pub fn summary(summary: &Summary<'_>) -> Message {
    let report = Report::of(summary, usize::MAX);
    let shown = report.held.len().min(MOST_ROWS);
    let fit = |render: fn(&Report<'_>, usize) -> String, fits: fn(&str) -> bool| {
        let whole = (0..=shown).rev().map(|rows| render(&report, rows));
        let smaller = SMALLER.iter().map(|most| Report::of(summary, *most));
        first_that_fits(whole.chain(smaller.map(|report| render(&report, 0))), fits)
    };
    Message {
        text: fit(text, fits_text),
        json: fit(document, fits_json),
        chat: chat(&report),
        attributes: listed([
            ("filter", report.only_filter()),
            ("severity", report.worst_severity()),
        ]),
        subject: report.subject,
    }
}

/// A summary with nothing secret, unprintable or long in it.
struct Report<'a> {
    summary: &'a Summary<'a>,
    subject: String,
    /// All incidents.
    incidents: usize,
    /// The events of all incidents.
    matched: u64,
    /// What these are: `event`, `finding`, or both.
    unit: &'static str,
    /// The first incidents: worst severity first, then the most events.
    held: Vec<HeldIncident>,
    /// How many filters there are.
    all_filters: usize,
    /// The first filters, in the same order.
    filters: Vec<FilterCount>,
}

/// What was held back of one filter.
struct FilterCount {
    /// Its worst and largest incident, which says what the filter is.
    held: HeldIncident,
    incidents: u64,
    matched: u64,
}

impl<'a> Report<'a> {
    /// No part is longer than `most_characters`.
    fn of(summary: &'a Summary<'a>, most_characters: usize) -> Self {
        let mut held: Vec<&HeldIncident> = summary.held.iter().collect();
        held.sort_by_key(|held| {
            (
                rank(&held.severity),
                Reverse(held.matched),
                &held.name,
                &held.id,
            )
        });
        let matched = held.iter().map(|held| held.matched);
        let counts = counts(&held);
        let filter = |(held, incidents, matched): &(&HeldIncident, u64, u64)| FilterCount {
            held: cleaned(held, most_characters),
            incidents: *incidents,
            matched: *matched,
        };
        let first = held.iter().take(MOST_ROWS);
        let mut report = Report {
            summary,
            subject: String::new(),
            incidents: held.len(),
            matched: matched.fold(0, u64::saturating_add),
            unit: unit(&held),
            all_filters: counts.len(),
            filters: counts.iter().take(MOST_ROWS).map(filter).collect(),
            held: first.map(|held| cleaned(held, most_characters)).collect(),
        };
        report.subject = report.subject();
        report
    }

    /// The filter, if it is one.
    fn only_filter(&self) -> Option<&str> {
        match self.filters.as_slice() {
            [filter] => Some(&filter.held.name),
            _ => None,
        }
    }

    fn worst_severity(&self) -> Option<&str> {
        self.held.first().map(|held| held.severity.as_str())
    }

    /// `[CRITICAL] 37 incidents held back at 14:00 UTC on 2 March 2026: 1204 events`.
    fn subject(&self) -> String {
        let severity = self.worst_severity().unwrap_or_default();
        let severity = match ascii(severity).to_ascii_uppercase() {
            empty if empty.is_empty() => empty,
            severity => format!("[{}] ", cut(&severity, 10)),
        };
        let incidents = counted(self.incidents as u64, "incident");
        let hour = span(self.summary.hour_start, self.summary.hour_start);
        let events = counted(self.matched, self.unit);
        let subject = format!("{severity}{incidents} held back{hour}: {events}");
        cut(&subject, SUBJECT_CHARACTERS)
    }

    fn opening(&self) -> String {
        let Summary {
            hour_start,
            hour_end,
            limit,
            may_be_repeat,
            ..
        } = *self.summary;
        let incidents = counted(self.incidents as u64, "incident");
        let repeat = match may_be_repeat {
            true => " This summary may be a repeat: it may have reached you before.",
            false => "",
        };
        format!(
            "{incidents} with {} were held back between {} and {}, because at most {} an hour are sent.{repeat}",
            counted(self.matched, self.unit),
            instant(hour_start),
            instant(hour_end),
            counted(limit.into(), "message"),
        )
    }
}

/// What is counted in all.
fn unit(held: &[&HeldIncident]) -> &'static str {
    match held.iter().filter(|held| !held.unit.is_empty()).count() {
        0 => EVENT,
        findings if findings == held.len() => "finding",
        _ => "events and findings",
    }
}

/// Incidents and events of each filter, beside the first incident of it.
fn counts<'h>(held: &[&'h HeldIncident]) -> Vec<(&'h HeldIncident, u64, u64)> {
    let mut indices: BTreeMap<&str, usize> = BTreeMap::new();
    let mut counts: Vec<(&HeldIncident, u64, u64)> = Vec::new();
    for held in held {
        let index = *indices.entry(&held.name).or_insert(counts.len());
        if index == counts.len() {
            counts.push((held, 0, 0));
        }
        if let Some((_, incidents, matched)) = counts.get_mut(index) {
            *incidents += 1;
            *matched = matched.saturating_add(held.matched);
        }
    }
    counts
}

fn rank(severity: &str) -> usize {
    let order = ["critical", "high", "medium", "low", "info"];
    let known = order
        .iter()
        .position(|name| severity.eq_ignore_ascii_case(name));
    known.unwrap_or(order.len())
}

fn cleaned(held: &HeldIncident, most_characters: usize) -> HeldIncident {
    let text = |text: &str, most: usize| clean(text, most.min(most_characters));
    let or = |text: String, other: &str| match text.is_empty() {
        true => String::from(other),
        false => text,
    };
    let name = text(&held.name, 256);
    let title = or(text(&held.title, 128), &name);
    HeldIncident {
        id: text(&held.id, 128),
        name,
        severity: text(&held.severity, 20),
        group: text(&held.group, 200),
        unit: text(&held.unit, 24),
        story: or(text(&held.story, 400), &title),
        title,
        ..*held
    }
}

fn text(report: &Report<'_>, rows: usize) -> String {
    let mut page = Page::default();
    page.paragraph(&report.opening());
    page.paragraph("By filter");
    page.blank();
    let most_filters = rows.clamp(3, MOST_ROWS);
    for count in report.filters.iter().take(most_filters) {
        page.wrapped(&filter_line(count), "  ", "      ");
    }
    more(report.all_filters, most_filters, "filter", &mut page);
    page.paragraph("Incidents");
    page.blank();
    for (index, held) in report.held.iter().take(rows).enumerate() {
        let first = format!("{:>2}. ", index + 1);
        page.wrapped(&held.story, &first, "    ");
        page.wrapped(&held_line(held), "    ", "    ");
    }
    more(report.incidents, rows, "incident", &mut page);
    page.into_text()
}

fn more(all: usize, shown: usize, noun: &str, page: &mut Page) {
    match all.saturating_sub(shown) {
        0 => {}
        1 => page.line(&format!("  ... and 1 more {noun}")),
        left => page.line(&format!("  ... and {left} more {}", plural(noun))),
    }
}

/// `[HIGH] Root usage: 4 events in 2 incidents (filter RootUsage)`.
fn filter_line(count: &FilterCount) -> String {
    let FilterCount {
        held,
        incidents,
        matched,
    } = count;
    let HeldIncident {
        name,
        title,
        severity,
        ..
    } = held;
    let severity = match severity.as_str() {
        "" => String::new(),
        severity => format!("[{}] ", severity.to_uppercase()),
    };
    let (events, incidents) = (held.counted(*matched), counted(*incidents, "incident"));
    format!("{severity}{title}: {events} in {incidents} (filter {name})")
}

/// `high, Root usage: 4 events, last 2026-03-02 14:02:00 UTC, account 111122223333, incident 3f9a`.
fn held_line(held: &HeldIncident) -> String {
    let about = [held.severity.as_str(), held.title.as_str()];
    let about: Vec<&str> = about.into_iter().filter(|text| !text.is_empty()).collect();
    let mut line = format!("{}: {}", about.join(", "), held.counted(held.matched));
    let times = [
        ("first", held.first_event_time),
        ("last", held.last_event_time),
    ];
    for (which, time) in times {
        if let Some(time) = time {
            line.push_str(&format!(", {which} {}", instant(time)));
        }
    }
    if !held.group.is_empty() {
        line.push_str(&format!(", {}", held.group));
    }
    line.push_str(&format!(", incident {}", held.id));
    line
}

fn document(report: &Report<'_>, rows: usize) -> String {
    let summary = report.summary;
    let most_filters = rows.clamp(3, MOST_ROWS);
    let filters: Vec<Value> = report
        .filters
        .iter()
        .take(most_filters)
        .map(|count| {
            let row = json!({ "name": count.held.name, "title": count.held.title, "severity": count.held.severity,
                "incidents": count.incidents, "matched": count.matched });
            typed(row, &count.held)
        })
        .collect();
    let held: Vec<Value> = report
        .held
        .iter()
        .take(rows)
        .map(|held| {
            let row = json!({ "incident": held.id, "filter": held.name, "title": held.title,
                "severity": held.severity, "group": held.group, "matched": held.matched,
                "first_event_time": held.first_event_time.and_then(rfc3339),
                "last_event_time": held.last_event_time.and_then(rfc3339), "story": held.story });
            typed(row, held)
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "kind": "summary",
        "hour_start": rfc3339(summary.hour_start),
        "hour_end": rfc3339(summary.hour_end),
        "limit": summary.limit,
        "may_be_repeat": summary.may_be_repeat,
        "subject": report.subject,
        "incidents": report.incidents,
        "matched": report.matched,
        "filters_not_shown": report.all_filters.saturating_sub(filters.len()),
        "filters": filters,
        "held_not_shown": report.incidents.saturating_sub(held.len()),
        "held": held,
    })
    .to_string()
}

/// A row that says so if it is about findings.
fn typed(mut row: Value, held: &HeldIncident) -> Value {
    if let (Some(members), false) = (row.as_object_mut(), held.unit.is_empty()) {
        members.insert("type".into(), FINDING.into());
        members.insert("unit".into(), held.unit.as_str().into());
    }
    row
}

fn chat(report: &Report<'_>) -> String {
    let filters = report.filters.iter().take(10).map(filter_line);
    let thread = format!("held-back-{}", report.summary.hour_start);
    let mut lines: Vec<String> = [report.opening()].into_iter().chain(filters).collect();
    match report.all_filters.saturating_sub(10) {
        0 => {}
        left => lines.push(format!("... and {}", counted(left as u64, "more filter"))),
    }
    Notification {
        id: thread.clone(),
        thread: &thread,
        title: &report.subject,
        lines,
        next_steps: vec!["Read the mail of this summary: it lists the incidents".into()],
        keywords: report.worst_severity().into_iter().collect(),
    }
    .document()
}
