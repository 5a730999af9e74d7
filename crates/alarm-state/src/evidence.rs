//! The first events of each ten minutes, with what they say.

use notification::Evidence;
use serde::{Deserialize, Serialize};

use crate::{MOST_EVIDENCE, StoredError, parse_stored};

const SCHEMA: u32 = 1;

/// The evidence of a bucket: its first events, each once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceBucket {
    schema: u32,
    /// By time.
    events: Vec<Evidence>,
}

impl Default for EvidenceBucket {
    fn default() -> Self {
        EvidenceBucket {
            schema: SCHEMA,
            events: Vec::new(),
        }
    }
}

impl EvidenceBucket {
    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, StoredError> {
        parse_stored("evidence", text, SCHEMA)
    }

    /// The form in which it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The events, by time.
    pub fn events(&self) -> &[Evidence] {
        &self.events
    }

    /// Takes in events; the first ones stay, whatever the order in which they come. Returns whether
    /// anything changed.
    pub fn merge<'e>(&mut self, events: impl Iterator<Item = &'e Evidence>) -> bool {
        let before = self.events.clone();
        self.events.extend(events.cloned());
        self.events.sort();
        // Of copies the smallest stays.
        let mut kept: Vec<Evidence> = Vec::new();
        for event in self.events.drain(..) {
            if !kept.iter().any(|kept| is_copy(kept, &event)) {
                kept.push(event);
            }
        }
        self.events = kept;
        self.events.truncate(MOST_EVIDENCE);
        self.events != before
    }
}

/// The same event or finding, or without an id the same record.
fn is_copy(one: &Evidence, other: &Evidence) -> bool {
    if let (Some(finding), Some(other_finding)) = (&one.finding, &other.finding) {
        return (one.time, &finding.id) == (other.time, &other_finding.id);
    }
    let is_same_record =
        || (&one.location, one.record_index) == (&other.location, other.record_index);
    one.time == other.time
        && one.event_id == other.event_id
        && (one.event_id.is_some() || is_same_record())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notification::EvidenceContext;

    fn evidence(time: i64, id: &str, location: &str) -> Evidence {
        let record = format!(r#"{{"eventID":"{id}"}}"#);
        let record = raw_json::Object::parse(record.as_bytes()).unwrap();
        let context = EvidenceContext {
            time,
            location,
            ..Default::default()
        };
        Evidence::of(record, &context)
    }

    #[test]
    fn the_first_events_stay_in_whatever_order_they_come() {
        let events: Vec<Evidence> = (0..30).map(|n| evidence(n, &n.to_string(), "a")).collect();
        let mut forwards = EvidenceBucket::default();
        let mut backwards = EvidenceBucket::default();
        events.iter().for_each(|event| {
            forwards.merge([event].into_iter());
        });
        events.iter().rev().for_each(|event| {
            backwards.merge([event].into_iter());
        });
        assert_eq!(forwards, backwards);
        assert_eq!(forwards.events().len(), MOST_EVIDENCE);
    }

    #[test]
    fn a_copy_changes_nothing() {
        let mut bucket = EvidenceBucket::default();
        assert!(bucket.merge([evidence(1, "x", "a")].iter()));
        assert!(!bucket.merge([evidence(1, "x", "b")].iter()));
        assert_eq!(bucket.events().len(), 1);
        assert_eq!(EvidenceBucket::parse(&bucket.to_json()).unwrap(), bucket);
    }
}
