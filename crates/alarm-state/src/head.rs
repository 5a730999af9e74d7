//! The head of a group: its filter, and its incidents.

use metric_alarm::{Alarm, AlarmDefinition};
use serde::{Deserialize, Serialize};

use crate::{
    Action, Filter, GroupId, HORIZON_SECONDS, Incident, NewEvents, StoredError, hash, parse_stored,
};

const SCHEMA: u32 = 1;

/// Incidents a group remembers; with the shortest alarms there could be more in 14 days than fit into
/// an item. The oldest that are told go first.
const MOST_INCIDENTS: usize = 800;

/// For how long after its last event can matter an incident is remembered, so that what is left of it in
/// the buckets is known to have been told.
const REMEMBERED_SECONDS: i64 = HORIZON_SECONDS + 86_400;

/// How old events may be that are left to a native alarm. It looks back over half an hour; the metric may
/// take some minutes to get there, and another attempt.
pub const NATIVE_ALARM_SECONDS: i64 = 900;

/// What is known of a group besides its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    schema: u32,
    /// The filter, as the last message told of it.
    pub filter: Filter,
    /// The group.
    pub group_id: GroupId,
    /// The values of the filter's `group_by`, masked, for people.
    pub group: Vec<Option<String>>,
    /// By their start.
    pub incidents: Vec<Incident>,
    /// The newest event of all, in Unix seconds.
    pub newest_event_time: i64,
    /// Alarms that end before this were forgotten because there were too many: they are not told again.
    #[serde(default = "never", skip_serializing_if = "is_never")]
    forgotten_until: i64,
}

fn never() -> i64 {
    i64::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_never(time: &i64) -> bool {
    *time == never()
}

/// What [`Head::reconcile`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Incidents that were not known.
    pub new: usize,
}

/// What [`Head::forget`] let go of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Incidents that no event can reach any more, or of which there were too many; all of them told.
    pub told: u64,
    /// Incidents of which there were too many before they could be told.
    pub untold: u64,
}

impl Head {
    /// The head of a group that nothing is known of.
    pub fn new(filter: Filter, group_id: GroupId, group: Vec<Option<String>>) -> Self {
        Head {
            schema: SCHEMA,
            filter,
            group_id,
            group,
            incidents: Vec::new(),
            newest_event_time: i64::MIN,
            forgotten_until: never(),
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, StoredError> {
        parse_stored("head of a group", text, SCHEMA)
    }

    /// The form in which it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Makes the incidents agree with alarms: each alarm is one incident, a new one or the one (or
    /// those) it overlaps. Incidents without an alarm stay as they are.
    ///
    /// `is_new` says whether an alarm that overlaps no incident is to become one; `new_events` what of an
    /// alarm's events was not known before.
    pub fn reconcile<'a>(
        &mut self,
        alarms: impl IntoIterator<Item = &'a Alarm>,
        is_new: impl Fn(&Alarm) -> bool,
        new_events: impl Fn(&Alarm) -> NewEvents,
    ) -> Reconciled {
        let mut reconciled = Reconciled::default();
        for alarm in alarms {
            let overlaps =
                |incident: &Incident| incident.start < alarm.end && alarm.start < incident.end;
            let is_known = self.incidents.iter().any(overlaps);
            // Of an alarm that was forgotten some events are known.
            let was_known = || new_events(alarm).count < alarm.matched as u64;
            let was_forgotten = alarm.end <= self.forgotten_until && was_known();
            if !is_known && (was_forgotten || !is_new(alarm)) {
                continue;
            }
            let (mut overlapping, others): (Vec<Incident>, Vec<Incident>) =
                std::mem::take(&mut self.incidents)
                    .into_iter()
                    .partition(overlaps);
            self.incidents = others;
            // The one that was told first keeps its name; then the one that starts first.
            overlapping
                .sort_by_key(|incident| (incident.steps == 0, incident.told_at, incident.start));
            let mut overlapping = overlapping.into_iter();
            let mut incident = overlapping.next().unwrap_or_else(|| {
                reconciled.new += 1;
                Incident::new(self.incident_id(alarm), alarm)
            });
            overlapping.for_each(|other| incident.absorb(other));
            incident.take(alarm, new_events(alarm));
            self.incidents.push(incident);
        }
        self.incidents
            .sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        reconciled
    }

    /// Forgets told incidents that no event can reach any more, and the oldest if there are too many:
    /// told ones first.
    pub fn forget(&mut self, now: i64) -> Forgotten {
        let horizon = now.saturating_sub(REMEMBERED_SECONDS);
        let is_over = |incident: &Incident| {
            incident.steps > 0 && incident.telling.is_none() && incident.holding.is_none()
        };
        let mut forgotten = Forgotten::default();
        let before = self.incidents.len();
        self.incidents.retain(|incident| {
            !is_over(incident)
                || incident.end >= horizon
                || incident.told_at >= now.saturating_sub(3 * 86_400)
        });
        forgotten.told = (before - self.incidents.len()) as u64;
        let mut surplus = self.incidents.len().saturating_sub(MOST_INCIDENTS);
        for wants_told in [true, false] {
            let mut kept = Vec::with_capacity(self.incidents.len());
            for incident in self.incidents.drain(..) {
                if surplus == 0 || is_over(&incident) != wants_told {
                    kept.push(incident);
                    continue;
                }
                surplus -= 1;
                self.forgotten_until = self.forgotten_until.max(incident.end);
                match wants_told {
                    true => forgotten.told += 1,
                    false => forgotten.untold += 1,
                }
            }
            self.incidents = kept;
        }
        forgotten
    }

    /// Takes what there is to tell as told, where the filter's incidents are not told at all. What is
    /// told already stays as it is: it is to be forgotten some day.
    pub fn pass_over(&mut self, now: i64) {
        self.pass_over_where(now, |_| true);
    }

    /// Takes as told what a native alarm tells of, where each event counts one. What is late, or being
    /// told, is not left to it, nor what it may not see because it counts in periods of the clock. Returns
    /// how many incidents there are.
    pub fn leave_to_native_alarm(&mut self, definition: &AlarmDefinition, now: i64) -> u64 {
        let oldest = now.saturating_sub(NATIVE_ALARM_SECONDS);
        let period = |time: i64| time.div_euclid(definition.period_seconds());
        self.pass_over_where(now, |incident| {
            let is_being_told = incident.telling.is_some() || incident.holding.is_some();
            let times = incident.first_event_time.zip(incident.last_event_time);
            let Some((first, last)) = times.filter(|_| !is_being_told) else {
                return false;
            };
            // From the future: it is in no metric.
            if last > now {
                return false;
            }
            if incident.steps > 0 {
                // What came late is no later event.
                return last >= oldest && Some(last) > incident.told_last_event_time;
            }
            // However its events lie, one of its periods has so many of them.
            let periods = period(last).saturating_sub(period(first)).saturating_add(1);
            let most = incident.matched.div_ceil(periods.max(1).unsigned_abs());
            first >= oldest && definition.breaches(most as f64)
        })
    }

    fn pass_over_where(&mut self, now: i64, is_passed: impl Fn(&Incident) -> bool) -> u64 {
        let mut passed = 0;
        for incident in &mut self.incidents {
            if incident.action(now) != Action::Nothing && is_passed(incident) {
                incident.told(now);
                passed += 1;
            }
        }
        passed
    }

    /// When something is to be done at the latest, in Unix seconds.
    ///
    /// `told` says whether the filter's incidents are told at all.
    pub fn due_at(
        &self,
        definition: &AlarmDefinition,
        now: i64,
        watermark: i64,
        told: bool,
    ) -> Option<i64> {
        let evaluation = next_evaluation(definition, self.newest_event_time, watermark)
            .map(|at| at.saturating_add(now.saturating_sub(watermark)));
        let incidents = self.incidents.iter().filter(|_| told);
        let incidents = incidents.filter_map(|incident| incident.due_at(now));
        incidents.chain(evaluation).min()
    }

    /// Until when it is kept, in Unix seconds.
    pub fn expires_at(&self, now: i64) -> i64 {
        now.saturating_add(HORIZON_SECONDS + 2 * 86_400)
    }

    /// Stable, should the writer die before the head is stored: the same events give it again.
    fn incident_id(&self, alarm: &Alarm) -> String {
        let mut id = hash(&[
            &self.group_id.0,
            &self.filter.definition_hash(),
            &alarm.start.to_string(),
        ]);
        id.truncate(16);
        id
    }
}

/// The next time at which the watermark decides a period, for aligned periods whose state may change
/// without a new event; `None` once it cannot.
fn next_evaluation(definition: &AlarmDefinition, newest: i64, watermark: i64) -> Option<i64> {
    if definition.slides() || newest == i64::MIN {
        return None;
    }
    let period = definition.period_seconds();
    // After the last event as many periods as an evaluation can reach back, and some to spare.
    let reach = period.saturating_mul(i64::from(definition.evaluation_periods()) + 3);
    let settled = newest.saturating_add(reach).saturating_add(period);
    let next = watermark
        .saturating_sub(watermark.rem_euclid(period))
        .saturating_add(period);
    (next <= settled).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::filter;
    use crate::incident::tests::alarm;

    fn head() -> Head {
        Head::new(filter(1.0), GroupId::of("Failures", &[]), vec![])
    }

    fn reconcile(head: &mut Head, alarms: &[Alarm]) -> Reconciled {
        head.reconcile(alarms, |_| true, |_| NewEvents::default())
    }

    #[test]
    fn a_head_comes_back_as_it_was() {
        let mut head = head();
        reconcile(&mut head, &[alarm(0, 60, 3)]);
        assert_eq!(Head::parse(&head.to_json()).unwrap(), head);
        assert!(Head::parse("{}").is_err());
        let later = head.to_json().replace(r#""schema":1"#, r#""schema":2"#);
        let error = Head::parse(&later).unwrap_err();
        assert!(error.source.to_string().contains("schema 2, expected 1"));
    }

    #[test]
    fn an_alarm_that_grows_stays_the_same_incident() {
        let mut head = head();
        assert_eq!(reconcile(&mut head, &[alarm(100, 160, 3)]).new, 1);
        let id = head.incidents[0].id.clone();
        assert_eq!(reconcile(&mut head, &[alarm(40, 300, 6)]).new, 0);
        assert_eq!(head.incidents.len(), 1);
        assert_eq!((&head.incidents[0].id, head.incidents[0].matched), (&id, 6));
    }

    #[test]
    fn an_alarm_that_joins_two_takes_the_name_of_the_one_told_first() {
        let mut head = head();
        reconcile(&mut head, &[alarm(0, 60, 3), alarm(1_000, 1_060, 2)]);
        let id = head.incidents[1].id.clone();
        head.incidents[1].told(5_000);
        reconcile(&mut head, &[alarm(0, 1_060, 6)]);
        assert_eq!(head.incidents.len(), 1);
        assert_eq!(head.incidents[0].id, id);
        assert_eq!(head.incidents[0].told_matched, 2);
    }

    #[test]
    fn the_same_events_give_the_same_incident_again() {
        let (mut one, mut other) = (head(), head());
        reconcile(&mut one, &[alarm(0, 60, 3)]);
        reconcile(&mut other, &[alarm(0, 60, 3)]);
        assert_eq!(one, other);
    }

    #[test]
    fn old_incidents_are_forgotten_once_they_are_told() {
        let mut head = head();
        reconcile(&mut head, &[alarm(0, 60, 3), alarm(5_000, 5_060, 1)]);
        head.incidents[0].told(100);
        head.forget(HORIZON_SECONDS * 2);
        assert_eq!(head.incidents.len(), 1, "the other one is still to be told");
    }

    #[test]
    fn a_group_has_a_bounded_number_of_incidents() {
        let mut head = head();
        let alarms: Vec<Alarm> = (0..900).map(|n| alarm(n * 1_000, n * 1_000, 1)).collect();
        reconcile(&mut head, &alarms[..850]);
        head.pass_over(0);
        reconcile(&mut head, &alarms);
        assert_eq!(
            head.forget(0),
            Forgotten {
                told: 100,
                untold: 0
            }
        );
        assert_eq!(head.incidents.len(), MOST_INCIDENTS);
        // What was forgotten is not told again when its buckets are read again.
        assert_eq!(reconcile(&mut head, &alarms).new, 0);
        assert!(head.to_json().len() < 390_000, "{}", head.to_json().len());
    }

    #[test]
    fn too_many_incidents_at_once_are_bounded_and_counted() {
        let mut head = head();
        let alarms: Vec<Alarm> = (0..2_000).map(|n| alarm(n * 1_000, n * 1_000, 1)).collect();
        reconcile(&mut head, &alarms);
        let untold = 2_000 - MOST_INCIDENTS as u64;
        assert_eq!(head.forget(0), Forgotten { told: 0, untold });
        assert!(head.incidents[0].start >= 1_000_000, "the newest stay");
    }

    #[test]
    fn an_alarm_that_is_not_new_becomes_no_incident() {
        let mut head = head();
        assert_eq!(
            head.reconcile(&[alarm(0, 60, 3)], |_| false, |_| NewEvents::default())
                .new,
            0
        );
        assert!(head.incidents.is_empty());
    }

    #[test]
    fn a_group_is_due_when_a_follow_up_is() {
        let mut head = head();
        let definition = head.filter.definition().unwrap();
        assert_eq!(head.due_at(&definition, 0, 0, true), None);
        reconcile(&mut head, &[alarm(0, 60, 3)]);
        head.incidents[0].told(100);
        assert_eq!(head.due_at(&definition, 100, 0, true), None);
        reconcile(&mut head, &[alarm(0, 90, 4)]);
        assert_eq!(head.due_at(&definition, 100, 0, true), Some(3_700));
        assert_eq!(head.due_at(&definition, 100, 0, false), None);
    }

    #[test]
    fn aligned_periods_are_evaluated_until_nothing_can_change() {
        use metric_alarm::{ComparisonOperator, Statistic};
        let less = ComparisonOperator::LessThanThreshold;
        let definition = AlarmDefinition::builder(Statistic::Average, less, 1.0, 60)
            .evaluation_periods(2)
            .build()
            .unwrap();
        assert_eq!(next_evaluation(&definition, 100, 0), Some(60));
        assert_eq!(next_evaluation(&definition, 100, 60), Some(120));
        assert_eq!(next_evaluation(&definition, 100, 400), Some(420));
        assert_eq!(next_evaluation(&definition, 100, 480), None);
        assert_eq!(next_evaluation(&definition, i64::MIN, 0), None);
    }
}
