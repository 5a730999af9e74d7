//! What a scan keeps of matches until all objects are read: little, and the same in any order.

use std::collections::BTreeMap;
use std::sync::Arc;

use metric_alarm::Sample;
use notification::Evidence;

/// Events of one group and minute whose evidence is kept, the first ones. A burst of thousands is
/// counted to the last event and told by these.
const MOST_EVIDENCE_A_MINUTE: usize = 100;

/// What is kept of the matches of one group of one filter.
#[derive(Default)]
pub(crate) struct Kept {
    /// One per match, copies included.
    pub(crate) samples: Vec<Sample>,
    /// By minute, then by time and identity. What several filters match is kept once.
    evidence: BTreeMap<i64, Vec<(Event, Arc<Evidence>)>>,
}

/// Time and identity.
type Event = (i64, u64);

impl Kept {
    /// Would the evidence of this event be kept?
    pub(crate) fn wants_evidence(&self, time: i64, id: u64) -> bool {
        let Some(minute) = self.evidence.get(&time.div_euclid(60)) else {
            return true;
        };
        let last = minute.last().map(|(event, _)| *event);
        minute.len() < MOST_EVIDENCE_A_MINUTE || last.is_some_and(|last| (time, id) <= last)
    }

    /// Keeps evidence; of copies the smallest, so that the order of arrival does not matter.
    pub(crate) fn keep_evidence(&mut self, time: i64, id: u64, evidence: Arc<Evidence>) {
        let minute = self.evidence.entry(time.div_euclid(60)).or_default();
        match minute.binary_search_by_key(&(time, id), |(event, _)| *event) {
            Ok(known) => {
                if let Some((_, known)) = minute.get_mut(known).filter(|(_, it)| evidence < *it) {
                    *known = evidence;
                }
            }
            Err(place) => minute.insert(place, ((time, id), evidence)),
        }
        minute.truncate(MOST_EVIDENCE_A_MINUTE);
    }

    /// The evidence of an event, if it was kept.
    pub(crate) fn evidence(&self, time: i64, id: u64) -> Option<&Evidence> {
        let minute = self.evidence.get(&time.div_euclid(60))?;
        let place = minute.binary_search_by_key(&(time, id), |(event, _)| *event);
        minute
            .get(place.ok()?)
            .map(|(_, evidence)| evidence.as_ref())
    }

    /// Adds what was kept elsewhere.
    pub(crate) fn merge(&mut self, other: Kept) {
        if self.samples.is_empty() && self.evidence.is_empty() {
            *self = other;
            return;
        }
        self.samples.extend(other.samples);
        for ((time, id), evidence) in other.evidence.into_values().flatten() {
            self.keep_evidence(time, id, evidence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notification::EvidenceContext;

    fn evidence(time: i64, location: &str) -> Arc<Evidence> {
        let record = raw_json::Object::parse(b"{}").unwrap();
        Arc::new(Evidence::of(
            record,
            &EvidenceContext {
                time,
                location,
                ..Default::default()
            },
        ))
    }

    #[test]
    fn the_first_events_of_a_minute_are_kept_in_whatever_order_they_come() {
        let events: Vec<(i64, u64)> = (0..300).map(|n| (n / 5, n as u64)).collect();
        let mut reversed = events.clone();
        reversed.reverse();
        for order in [events, reversed] {
            let mut kept = Kept::default();
            for (time, id) in order {
                if kept.wants_evidence(time, id) {
                    kept.keep_evidence(time, id, evidence(time, "a"));
                }
            }
            assert!((0..300).all(|n| kept.evidence(n / 5, n as u64).is_some() == (n < 100)));
        }
    }

    #[test]
    fn of_copies_the_same_one_is_kept() {
        for order in [["a", "b"], ["b", "a"]] {
            let mut kept = Kept::default();
            order
                .iter()
                .for_each(|location| kept.keep_evidence(7, 1, evidence(7, location)));
            assert_eq!(kept.evidence(7, 1).unwrap().location, "a");
        }
    }
}
