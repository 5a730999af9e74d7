//! How many messages leave in an hour, over all groups.

use serde::{Deserialize, Serialize};

use crate::{Head, Incident, StoredError, parse_stored};

/// Messages of the whole stack in one hour; what is beyond is told in one summary.
pub const MOST_MESSAGES_AN_HOUR: usize = 20;

const HOUR_SECONDS: i64 = 3_600;

/// How long after its end the summary of an hour is due: nobody is at work on that hour any more.
const SUMMARY_DELAY_SECONDS: i64 = 120;

const SCHEMA: u32 = 1;

/// When the hour with this time started, in Unix seconds.
pub fn hour_of(time: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(HOUR_SECONDS))
}

/// The partition of an hour; `quota` is the sort key of its [`HourQuota`], `held#ID` that of a
/// [`HeldStep`].
pub fn quota_key(hour: i64) -> String {
    format!("quota#{hour}")
}

/// Who told what in an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourQuota {
    schema: u32,
    /// When the hour started, in Unix seconds.
    pub hour: i64,
    /// The steps that were told, as `incident#step`: one that is told again takes no second place.
    slots: Vec<String>,
    /// Whether steps are held for the summary.
    held: bool,
    /// Whether the summary is told.
    pub summary: SummaryState,
}

/// Where the summary of an hour stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryState {
    /// Not begun.
    Open,
    /// It is being told, or somebody died telling it.
    Telling,
    /// The topic has certainly not accepted it.
    Refused,
    /// The topic has accepted it.
    Told,
}

/// Whether a step may be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Yes; `changed` if the quota is to be written first.
    Taken {
        /// Whether this took a place.
        changed: bool,
    },
    /// No: the hour is full. The step is to be held for the summary.
    Full,
    /// The hour is over and summed up: take the next one.
    Closed,
}

/// A step that the summary tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldStep {
    schema: u32,
    /// The incident.
    pub incident_id: String,
    /// The filter's name.
    pub filter: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: String,
    /// The group, for people.
    pub group: String,
    /// How many events the incident has.
    pub matched: u64,
    /// How many of them no message told.
    pub new: u64,
    /// Its first event, in Unix seconds.
    pub first_event_time: Option<i64>,
    /// Its last event.
    pub last_event_time: Option<i64>,
    /// What happened, in a sentence.
    pub story: String,
    /// If its events are findings: what one of them is about, as a singular noun.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

impl HeldStep {
    /// What a summary says of a step: the incident's counts and times, and what happened in a sentence.
    pub fn new(head: &Head, incident: &Incident, story: String) -> Self {
        let filter = &head.filter;
        let group = head
            .group
            .iter()
            .map(|value| value.as_deref().unwrap_or("-"));
        HeldStep {
            schema: SCHEMA,
            incident_id: incident.id.clone(),
            filter: filter.name.clone(),
            title: filter.title.clone(),
            severity: filter.severity.clone(),
            group: group.collect::<Vec<_>>().join(", "),
            matched: incident.matched,
            new: incident.matched.saturating_sub(incident.told_matched),
            first_event_time: incident.first_event_time,
            last_event_time: incident.last_event_time,
            story,
            unit: filter
                .finding
                .as_ref()
                .map_or_else(String::new, |guide| guide.unit().to_owned()),
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, StoredError> {
        parse_stored("step held for a summary", text, SCHEMA)
    }

    /// The form in which it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl HourQuota {
    /// An hour in which nothing was told.
    pub fn new(hour: i64) -> Self {
        HourQuota {
            schema: SCHEMA,
            hour,
            slots: Vec::new(),
            held: false,
            summary: SummaryState::Open,
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, StoredError> {
        parse_stored("quota of an hour", text, SCHEMA)
    }

    /// The form in which it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Asks for a place for a step of an incident.
    pub fn take(&mut self, incident_id: &str, step: u32) -> Slot {
        let slot = format!("{incident_id}#{step}");
        if self.slots.contains(&slot) {
            return Slot::Taken { changed: false };
        }
        if self.summary != SummaryState::Open {
            return Slot::Closed;
        }
        if self.slots.len() >= MOST_MESSAGES_AN_HOUR {
            return Slot::Full;
        }
        self.slots.push(slot);
        Slot::Taken { changed: true }
    }

    /// Notes that a step is held. Returns whether that is news, to be written.
    pub fn hold(&mut self) -> bool {
        !std::mem::replace(&mut self.held, true)
    }

    /// When the summary is due, in Unix seconds; never if nothing is held or it is told.
    pub fn due_at(&self) -> Option<i64> {
        let is_wanted = self.held && self.summary != SummaryState::Told;
        is_wanted.then_some(
            self.hour
                .saturating_add(HOUR_SECONDS + SUMMARY_DELAY_SECONDS),
        )
    }

    /// When it ends, in Unix seconds.
    pub fn end(&self) -> i64 {
        self.hour.saturating_add(HOUR_SECONDS)
    }

    /// Until when it is kept, in Unix seconds.
    pub fn expires_at(&self) -> i64 {
        self.hour.saturating_add(14 * 86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_so_many_places_and_a_step_takes_one() {
        let mut quota = HourQuota::new(0);
        for n in 0..MOST_MESSAGES_AN_HOUR as u32 {
            assert_eq!(quota.take("i", n), Slot::Taken { changed: true });
        }
        assert_eq!(quota.take("i", 3), Slot::Taken { changed: false });
        assert_eq!(quota.take("j", 1), Slot::Full);
        assert_eq!(quota.due_at(), None);
        assert!(quota.hold());
        assert!(!quota.hold());
        assert_eq!(quota.due_at(), Some(3_720));
        assert_eq!(HourQuota::parse(&quota.to_json()).unwrap(), quota);
    }

    #[test]
    fn an_hour_that_is_summed_up_takes_nothing_more() {
        let mut quota = HourQuota::new(0);
        quota.take("i", 1);
        quota.summary = SummaryState::Telling;
        assert_eq!(quota.take("j", 1), Slot::Closed);
        assert_eq!(quota.take("i", 1), Slot::Taken { changed: false });
        quota.hold();
        quota.summary = SummaryState::Told;
        assert_eq!(quota.due_at(), None);
    }

    #[test]
    fn hours_start_at_whole_hours() {
        assert_eq!(hour_of(7_199), 3_600);
        assert_eq!(hour_of(-1), -3_600);
    }
}
