//! An alarm as it is told: step by step.

use metric_alarm::{Alarm, AlarmStatus};
use serde::{Deserialize, Serialize};

/// How long an incident that goes on is silent after each message: one hour, in seconds.
pub const FOLLOW_UP_SECONDS: i64 = 3_600;

/// How long after a step began to be told the tick looks after it.
const STUCK_SECONDS: i64 = 60;

/// An alarm and what has been told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Names it in messages and in the table; it stays when the alarm grows.
    pub id: String,
    /// When the alarm starts, in Unix seconds.
    pub start: i64,
    /// When it ends (exclusive).
    pub end: i64,
    /// The time of its first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event_time: Option<i64>,
    /// The time of its last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_time: Option<i64>,
    /// How many distinct events it has.
    pub matched: u64,
    /// How many of them were older than what is remembered when they came: copies of these may count
    /// again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub beyond_horizon: u64,
    /// Whether it may go on.
    pub is_open: bool,
    /// It joins incidents that were told apart, and that has not been told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
    /// Steps that are over: told, or held for a summary.
    pub steps: u32,
    /// Events that these steps told.
    pub told_matched: u64,
    /// The last event that they told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_last_event_time: Option<i64>,
    /// When the last step was over, in Unix seconds.
    pub told_at: i64,
    /// The step that is being told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telling: Option<Telling>,
    /// The next step is being held for the summary of the hour that starts then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What of an alarm's events was not known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewEvents {
    /// How many.
    pub count: u64,
    /// How many of these are older than what is remembered.
    pub beyond_horizon: u64,
}

/// A step that is being told: written before it is published, removed after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// Since when, in Unix seconds.
    pub since: i64,
    /// The topic has certainly not accepted it: telling it is no repetition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// What is to be done about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tell this step now.
    Tell {
        /// The number of the step, from 1.
        step: u32,
        /// Somebody died while telling it: it may have been told.
        may_be_repeat: bool,
    },
    /// Look again at this time, in Unix seconds.
    Wait(i64),
    /// Nothing, unless there are more events.
    Nothing,
}

impl Incident {
    /// A new incident.
    pub(crate) fn new(id: String, alarm: &Alarm) -> Self {
        let mut incident = Incident {
            id,
            start: alarm.start,
            end: alarm.end,
            first_event_time: None,
            last_event_time: None,
            matched: 0,
            beyond_horizon: 0,
            is_open: false,
            merged: false,
            steps: 0,
            told_matched: 0,
            told_last_event_time: None,
            told_at: 0,
            telling: None,
            holding: None,
        };
        incident.take(alarm, NewEvents::default());
        incident
    }

    /// Takes over what the alarm is now; `new` is how many of its events were not known before.
    ///
    /// An alarm that starts later than its incident, or ends before it, is a piece of one that is longer
    /// than what was looked at, or remembered: the incident stays as long as it is and counts on.
    pub(crate) fn take(&mut self, alarm: &Alarm, new: NewEvents) {
        let is_whole = alarm.start <= self.start && alarm.end >= self.end;
        self.start = self.start.min(alarm.start);
        self.end = self.end.max(alarm.end);
        self.first_event_time = match (self.first_event_time, alarm.first_event_time) {
            (Some(known), Some(found)) => Some(known.min(found)),
            (known, found) => known.or(found),
        };
        self.last_event_time = self.last_event_time.max(alarm.last_event_time);
        let known = match is_whole {
            true => self.matched,
            false => self.matched.saturating_add(new.count),
        };
        self.matched = known.max(alarm.matched as u64);
        let beyond = self.beyond_horizon.saturating_add(new.beyond_horizon);
        self.beyond_horizon = beyond.min(self.matched);
        self.is_open = alarm.state == AlarmStatus::Open;
    }

    /// Makes another incident part of this one.
    pub(crate) fn absorb(&mut self, other: Incident) {
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        self.beyond_horizon += other.beyond_horizon;
        self.merged |= self.steps > 0 && other.steps > 0;
        self.steps = self.steps.max(other.steps);
        self.told_matched += other.told_matched;
        self.told_last_event_time = self.told_last_event_time.max(other.told_last_event_time);
        self.told_at = self.told_at.max(other.told_at);
        self.telling = self.telling.or(other.telling);
        self.holding = self.holding.or(other.holding);
    }

    /// What is to be done about it at `now` (Unix seconds).
    ///
    /// The first message comes at once; then at most one an hour, if there are more events.
    pub fn action(&self, now: i64) -> Action {
        let step = self.steps + 1;
        match self.telling {
            Some(telling) => Action::Tell {
                step,
                may_be_repeat: !telling.refused,
            },
            None if self.steps == 0 || self.holding.is_some() => Action::Tell {
                step,
                may_be_repeat: false,
            },
            None if !self.has_grown() => Action::Nothing,
            None if now >= self.told_at.saturating_add(FOLLOW_UP_SECONDS) => Action::Tell {
                step,
                may_be_repeat: false,
            },
            None => Action::Wait(self.told_at.saturating_add(FOLLOW_UP_SECONDS)),
        }
    }

    fn has_grown(&self) -> bool {
        self.matched > self.told_matched || self.last_event_time > self.told_last_event_time
    }

    /// When the tick must look after it at the latest.
    pub(crate) fn due_at(&self, now: i64) -> Option<i64> {
        match (self.telling, self.action(now)) {
            (Some(telling), _) => Some(telling.since.saturating_add(STUCK_SECONDS)),
            (None, Action::Tell { .. }) => Some(now.saturating_add(STUCK_SECONDS)),
            (None, Action::Wait(until)) => Some(until),
            (None, Action::Nothing) => None,
        }
    }

    /// Marks its next step as being told; to be stored before it is published.
    pub fn begin_telling(&mut self, now: i64) {
        self.telling = Some(Telling {
            since: now,
            refused: false,
        });
    }

    /// The topic has certainly not accepted the step.
    pub fn was_refused(&mut self) {
        if let Some(telling) = &mut self.telling {
            telling.refused = true;
        }
    }

    /// The step is over. Returns how many events it told that no step before it had told.
    pub fn told(&mut self, now: i64) -> u64 {
        let new = self.matched.saturating_sub(self.told_matched);
        self.steps += 1;
        self.told_matched = self.matched.max(self.told_matched);
        self.told_last_event_time = self.last_event_time;
        self.told_at = now;
        self.telling = None;
        self.holding = None;
        self.merged = false;
        new
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn alarm(start: i64, last: i64, matched: usize) -> Alarm {
        Alarm {
            start,
            end: last + 300,
            first_event_time: Some(start),
            last_event_time: Some(last),
            matched,
            peak: None,
            state: AlarmStatus::Open,
            samples: Vec::new(),
        }
    }

    fn new(count: u64) -> NewEvents {
        NewEvents {
            count,
            beyond_horizon: 0,
        }
    }

    fn tell(step: u32) -> Action {
        Action::Tell {
            step,
            may_be_repeat: false,
        }
    }

    #[test]
    fn the_first_message_comes_at_once_and_the_next_an_hour_later_if_there_is_more() {
        let mut incident = Incident::new("i".into(), &alarm(0, 60, 3));
        assert_eq!(incident.action(100), tell(1));
        incident.begin_telling(100);
        assert_eq!(incident.told(100), 3);
        assert_eq!(incident.action(100_000), Action::Nothing);
        incident.take(&alarm(0, 120, 5), new(0));
        assert_eq!(incident.action(200), Action::Wait(3_700));
        assert_eq!(incident.action(3_700), tell(2));
        assert_eq!(incident.told(3_700), 2);
    }

    #[test]
    fn a_step_that_somebody_died_telling_is_told_again_and_says_so() {
        let mut incident = Incident::new("i".into(), &alarm(0, 60, 3));
        incident.begin_telling(100);
        assert_eq!(incident.due_at(101), Some(160));
        let repeat = Action::Tell {
            step: 1,
            may_be_repeat: true,
        };
        assert_eq!(incident.action(100), repeat);
        incident.was_refused();
        assert_eq!(incident.action(100), tell(1));
    }

    #[test]
    fn what_is_forgotten_takes_nothing_back() {
        let mut incident = Incident::new("i".into(), &alarm(0, 60, 3));
        incident.told(100);
        incident.take(&alarm(50, 400, 2), new(0));
        assert_eq!((incident.start, incident.matched), (0, 3));
        assert_eq!(incident.action(4_000), tell(2), "there is a later event");
    }

    #[test]
    fn an_alarm_longer_than_what_is_remembered_counts_on() {
        let mut incident = Incident::new("i".into(), &alarm(0, 1_000, 4_000));
        incident.told(100);
        incident.take(&alarm(500, 1_100, 4_000), new(2));
        assert_eq!(incident.matched, 4_002);
        incident.take(&alarm(500, 1_100, 4_000), new(0));
        assert_eq!(
            incident.matched, 4_002,
            "a message that comes again brings nothing new"
        );
    }

    #[test]
    fn a_step_that_is_being_held_is_held_before_anything_else() {
        let mut incident = Incident::new("i".into(), &alarm(0, 60, 3));
        incident.told(100);
        incident.holding = Some(0);
        assert_eq!(incident.action(101), tell(2));
        incident.told(101);
        assert_eq!(
            (incident.holding, incident.action(102)),
            (None, Action::Nothing)
        );
    }

    #[test]
    fn incidents_told_apart_are_told_to_be_one_when_there_is_more() {
        let mut first = Incident::new("a".into(), &alarm(0, 60, 3));
        first.told(100);
        let mut second = Incident::new("b".into(), &alarm(900, 960, 2));
        second.told(1_000);
        first.absorb(second);
        first.take(&alarm(0, 960, 5), new(0));
        assert!(first.merged);
        assert_eq!(
            first.action(9_000),
            Action::Nothing,
            "all five have been told"
        );
        first.take(&alarm(0, 960, 6), new(0));
        assert_eq!(first.action(9_000), tell(2));
        first.told(9_000);
        assert!(!first.merged);
    }
}
