//! An incident made safe to tell, and what is found out about it.

use crate::evidence::Evidence;
use crate::finding::{FindingGuide, LOCATION_CHARACTERS};
use crate::finding_story::{self, FindingSubject};
use crate::fit::{clean, is_whole};
use crate::message::{FilterText, Incident, subject};
use crate::silence::Silence;
use crate::story::{StorySubject, story, subject_within};

/// Most events that are shown.
pub(crate) const MOST_EVENTS: usize = 10;

/// Most group values, and most expired suppressions, that are shown.
const MOST_ENTRIES: usize = 4;

/// Told later than this after the last event is late.
const LATE_SECONDS: i64 = 30 * 60;

/// An incident with nothing secret, unprintable or long in it.
pub(crate) struct Told<'a> {
    pub(crate) incident: &'a Incident<'a>,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) severity: String,
    pub(crate) pattern: String,
    pub(crate) condition: String,
    /// The first few.
    pub(crate) expired_suppressions: Vec<(String, String)>,
    /// The first few.
    pub(crate) group: Vec<(String, Option<String>)>,
    pub(crate) events: Vec<Evidence>,
    pub(crate) subject: String,
    pub(crate) story: String,
    pub(crate) silence: Option<Silence>,
    /// If its events are findings.
    pub(crate) guide: Option<FindingGuide>,
}

impl<'a> Told<'a> {
    /// No part is longer than `most_characters`.
    pub(crate) fn of(incident: &'a Incident<'a>, most_characters: usize) -> Told<'a> {
        let FilterText {
            name,
            title,
            severity,
            pattern,
            condition,
            expired_suppressions,
        } = incident.filter;
        let text = |text: &str, most: usize| clean(text, most.min(most_characters));
        let events: Vec<Evidence> = incident
            .events
            .iter()
            .map(|event| cleaned(event, most_characters))
            .collect();
        let title = match text(title, 128) {
            empty if empty.is_empty() => text(name, 128),
            title => title,
        };
        let severity = text(severity, 20);
        let group: Vec<(String, Option<String>)> = incident
            .group
            .iter()
            .take(MOST_ENTRIES)
            .map(|(selector, value)| {
                let value = value.as_deref().map(|value| text(value, 128));
                (text(selector, 100), value)
            })
            .collect();
        let guide = incident.finding.map(|guide| guide.cleaned(most_characters));
        let about = StorySubject {
            title: &title,
            severity: &severity,
            threshold: None,
        };
        let shown: Vec<&Evidence> = events.iter().collect();
        let total = usize::try_from(incident.matched).unwrap_or(usize::MAX);
        let (subject_line, story) = match &guide {
            Some(guide) => {
                let about = FindingSubject::of(&title, &severity, guide, &group);
                let write = |room| finding_story::subject_within(&shown, total, &about, room);
                let story = finding_story::story(&shown, total, &about);
                (subject(incident, write), story)
            }
            None => {
                let write = |room| subject_within(&shown, total, &about, room);
                (subject(incident, write), story(&shown, total, &about))
            }
        };
        Told {
            id: text(incident.id, 128),
            name: text(name, 512),
            pattern: text(pattern, 1024),
            condition: text(condition, 200),
            expired_suppressions: expired_suppressions
                .iter()
                .take(MOST_ENTRIES)
                .map(|(reason, day)| (text(reason, 120), text(day, 10)))
                .collect(),
            subject: subject_line,
            story,
            silence: Silence::of(&events, incident.told_at),
            incident,
            guide,
            group,
            title,
            severity,
            events,
        }
    }

    /// Events that no earlier step told of.
    pub(crate) fn new_events(&self) -> u64 {
        let Incident {
            matched,
            told_before,
            ..
        } = *self.incident;
        matched.saturating_sub(told_before)
    }

    /// How many events there are, as far as is known.
    pub(crate) fn matched(&self) -> u64 {
        self.incident.matched.max(self.events.len() as u64)
    }

    /// Seconds from the last event, or from when the last finding was found, until it is told.
    pub(crate) fn delay_seconds(&self) -> Option<i64> {
        let last = match self.guide {
            Some(_) => finding_story::found(self.events.iter()).map(|(_, last)| last)?,
            None => self.incident.last_event_time?,
        };
        Some(self.incident.told_at.saturating_sub(last))
    }

    pub(crate) fn is_late(&self) -> bool {
        self.delay_seconds()
            .is_some_and(|delay| delay > LATE_SECONDS)
    }

    /// The only account the alarm is about.
    pub(crate) fn account(&self) -> Option<&str> {
        let accounts = self.events.iter().map(|event| Some(event.account.as_str()));
        self.grouped_by("$.recipientAccountId", "account")
            .or_else(|| only(accounts))
            .filter(|account| is_whole(account) && *account != "unknown")
    }

    /// The only region the alarm is about.
    pub(crate) fn region(&self) -> Option<&str> {
        let regions = self.events.iter().map(|event| event.region.as_deref());
        self.grouped_by("$.awsRegion", "region")
            .or_else(|| only(regions))
            .filter(|region| is_whole(region))
    }

    /// `name` is what findings are grouped by.
    fn grouped_by(&self, selector: &str, name: &str) -> Option<&str> {
        let selector = if self.guide.is_some() { name } else { selector };
        let mut group = self.group.iter();
        let (_, value) = group.find(|(written, _)| written == selector)?;
        value.as_deref().filter(|value| !value.is_empty())
    }
}

/// What all have, if it is the same.
pub(crate) fn only<'e>(mut texts: impl Iterator<Item = Option<&'e str>>) -> Option<&'e str> {
    let first = texts.next().flatten().filter(|text| !text.is_empty())?;
    texts.all(|text| text == Some(first)).then_some(first)
}

/// Evidence that came from elsewhere may not be as [`Evidence::of`] makes it.
fn cleaned(event: &Evidence, most_characters: usize) -> Evidence {
    let text = |text: &str, most: usize| clean(text, most.min(most_characters));
    let id = |id: &Option<String>| id.as_deref().map(|id| text(id, 128));
    let line = |line: &Option<String>| line.as_deref().map(|line| text(line, 200));
    Evidence {
        event_time: id(&event.event_time),
        event_id: id(&event.event_id),
        event_name: text(&event.event_name, 128),
        event_source: text(&event.event_source, 128),
        actor: text(&event.actor, 256),
        actor_detail: text(&event.actor_detail, 512),
        source_ip: id(&event.source_ip),
        user_agent: line(&event.user_agent),
        account: text(&event.account, 128),
        region: id(&event.region),
        error_code: id(&event.error_code),
        error_message: line(&event.error_message),
        target: line(&event.target),
        detail: line(&event.detail),
        location: text(&event.location, LOCATION_CHARACTERS),
        actor_arn: line(&event.actor_arn),
        user_name: id(&event.user_name),
        finding: event
            .finding
            .as_ref()
            .map(|finding| Box::new(finding.cleaned(most_characters))),
        ..event.clone()
    }
}
