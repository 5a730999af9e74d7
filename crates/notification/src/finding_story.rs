//! Findings of an integrity check in one sentence, and their subject line.

use cloudtrail::printable;

use crate::counts::Counts;
use crate::evidence::Evidence;
use crate::finding::FindingGuide;
use crate::story::{SUBJECT_CHARACTERS, ascii, cut};
use crate::words::{counted, span};

/// Longest story, in characters.
const STORY_CHARACTERS: usize = 1_200;

/// Most statements that are told.
const MOST_STATEMENTS: usize = 3;

/// What findings are about, besides what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FindingSubject<'a> {
    /// The title of the kind: `Log file modified`.
    pub title: &'a str,
    /// Its severity: `critical`.
    pub severity: &'a str,
    /// What one finding is about, as a singular noun: `log file`; `finding` if it is empty.
    pub unit: &'a str,
    /// The account, where it is known.
    pub account: &'a str,
    /// The region, where it is known.
    pub region: &'a str,
    /// The trail, by its name or its ARN, where it is known.
    pub trail: &'a str,
}

impl<'a> FindingSubject<'a> {
    /// `group` is what findings are grouped by: names and values.
    pub fn of(
        title: &'a str,
        severity: &'a str,
        guide: &'a FindingGuide,
        group: &'a [(String, Option<String>)],
    ) -> Self {
        let value = |wanted: &str| {
            let mut group = group.iter();
            let (_, value) = group.find(|(name, _)| name == wanted)?;
            value.as_deref()
        };
        FindingSubject {
            title,
            severity,
            unit: guide.unit(),
            account: value("account").unwrap_or_default(),
            region: value("region").unwrap_or_default(),
            trail: value("trail").unwrap_or_default(),
        }
    }

    /// `3 log files`.
    fn counted(&self, count: usize) -> String {
        let unit = match self.unit {
            "" => "finding",
            unit => unit,
        };
        counted(count as u64, unit)
    }

    /// The name of the trail, which an ARN ends in.
    fn trail_name(&self) -> &'a str {
        match self.trail.strip_prefix("arn:") {
            Some(arn) => arn.rsplit('/').next().unwrap_or(arn),
            None => self.trail,
        }
    }

    /// ` of trail audit-trail in us-east-1 of account 111122223333`.
    fn place(&self) -> String {
        let trail = match self.trail_name() {
            "" => String::new(),
            trail => format!(" of trail {trail}"),
        };
        match (self.region, self.account) {
            ("", "") => trail,
            ("", account) => format!("{trail} in account {account}"),
            (region, "") => format!("{trail} in {region}"),
            (region, account) => format!("{trail} in {region} of account {account}"),
        }
    }
}

/// Tells in one sentence how many findings there are, where, what is wrong and since when.
///
/// `events` is the evidence that was kept, in any order; `total` is how many findings there are. What was not
/// kept is counted.
pub fn story(events: &[&Evidence], total: usize, subject: &FindingSubject<'_>) -> String {
    let mut events = events.to_vec();
    events.sort();
    let count = total.max(events.len());
    let head = format!("{}{}", subject.counted(count), subject.place());
    let said = match events.len() {
        0 => "what was found was not kept".into(),
        kept if kept < count => format!("of {kept} of them is known: {}", statements(&events)),
        _ => statements(&events),
    };
    printable(
        &format!("{head}: {said}{}", last_right(&events)),
        STORY_CHARACTERS,
    ) + "."
}

/// The subject of a message: `[CRITICAL] Log file modified: 3 files of trail audit-trail in 111122223333, us-east-1`.
/// One line of at most 99 ASCII characters; where it would be longer, names are cut and the count stays.
pub fn subject_line(events: &[&Evidence], total: usize, subject: &FindingSubject<'_>) -> String {
    subject_within(events, total, subject, SUBJECT_CHARACTERS)
}

/// [`subject_line`] of at most so many characters.
pub(crate) fn subject_within(
    events: &[&Evidence],
    total: usize,
    subject: &FindingSubject<'_>,
    most_characters: usize,
) -> String {
    let severity = match ascii(subject.severity).to_ascii_uppercase() {
        empty if empty.is_empty() => empty,
        severity => format!("[{}] ", cut(&severity, 10)),
    };
    let count = ascii(&subject.counted(total.max(events.len())));
    let places = [subject.account, subject.region].map(|place| cut(&ascii(place), 16));
    let places: Vec<String> = places
        .into_iter()
        .filter(|place| !place.is_empty())
        .collect();
    let places = match places.as_slice() {
        [] => String::new(),
        places => format!(" in {}", places.join(", ")),
    };
    let trail = ascii(subject.trail_name());
    let title = ascii(subject.title);
    let of_trail = if trail.is_empty() { "" } else { " of trail " };
    let fixed = severity.len() + ": ".len() + count.len() + of_trail.len() + places.len();
    let room = most_characters.saturating_sub(fixed);
    // The title is what the reader knows; a long name gives way first, but not below 12 characters.
    let trail = cut(&trail, room.saturating_sub(title.len()).max(12));
    let title = cut(&title, room.saturating_sub(trail.len()).max(10));
    cut(
        &format!("{severity}{title}: {count}{of_trail}{trail}{places}"),
        most_characters,
    )
}

/// First and last time at which findings were found.
pub(crate) fn found<'e>(events: impl Iterator<Item = &'e Evidence>) -> Option<(i64, i64)> {
    first_and_last(events.filter_map(|event| event.finding.as_ref()?.found_at))
}

/// First and last time at which what was found had last been right.
pub(crate) fn right<'e>(events: impl Iterator<Item = &'e Evidence>) -> Option<(i64, i64)> {
    first_and_last(events.filter_map(|event| event.finding.as_ref()?.since))
}

/// What is wrong, in the words of who found it.
pub(crate) fn statement(event: &Evidence) -> &str {
    match &event.finding {
        Some(finding) if !finding.statement.is_empty() => &finding.statement,
        _ => &event.event_name,
    }
}

fn first_and_last(times: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    times.fold(None, |known: Option<(i64, i64)>, time| {
        let (first, last) = known.unwrap_or((time, time));
        Some((first.min(time), last.max(time)))
    })
}

/// `the content is not what was signed; it does not exist`.
fn statements(events: &[&Evidence]) -> String {
    let counts = Counts::of(events.iter().map(|event| statement(event)));
    let mut told = counts.names();
    let more = told.len().saturating_sub(MOST_STATEMENTS);
    told.truncate(MOST_STATEMENTS);
    if more > 0 {
        told.push(format!("and {}", counted(more as u64, "other statement")));
    }
    told.join("; ")
}

/// `, last found right at 13:02 UTC on 2 March 2026`.
fn last_right(events: &[&Evidence]) -> String {
    match right(events.iter().copied()) {
        Some((first, last)) => format!("; last found right{}", span(first, last)),
        None => String::new(),
    }
}
