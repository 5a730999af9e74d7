//! What is found: alarms, and the state an alarm is in.

use crate::sample_set::Entry;

/// One alarm: breaching spans that belong together, and what is in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// When it starts, in Unix seconds: the start of the first breaching span, or with aligned
    /// periods the start of the first period at whose end the state is `Alarm`.
    pub start: i64,
    /// When it ends (exclusive): the end of the last breaching span, or of the last period at whose
    /// end the state is `Alarm`. An open alarm may yet end later.
    pub end: i64,
    /// The time of its oldest sample; none if missing data alone is the reason.
    pub first_event_time: Option<i64>,
    /// The time of its newest sample.
    pub last_event_time: Option<i64>,
    /// How many distinct samples its breaching spans, or periods, have.
    pub matched: usize,
    /// The most breaching value of the statistic; none if missing data alone is the reason.
    pub peak: Option<f64>,
    /// Whether it may still go on.
    pub state: AlarmStatus,
    /// Time and id of each of its samples, in this order; in a series of tallies one entry for each
    /// second and value, with a number in place of the id.
    pub samples: Vec<(i64, u64)>,
}

/// Whether an alarm may still go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlarmStatus {
    /// What happens at or after `now` could still become part of it.
    Open,
    /// It is over: no breaching span at or after `now` can reach it, or with aligned periods a later
    /// evaluation has ended it.
    Closed,
}

/// The outcome of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlarmState {
    /// Within the threshold.
    Ok,
    /// Outside of the threshold.
    Alarm,
    /// Too little is known: nothing has been evaluated yet, or all data is missing.
    InsufficientData,
}

impl Alarm {
    /// An alarm that ends where it starts and has no samples yet.
    pub(crate) fn starting_at(start: i64) -> Self {
        Self {
            start,
            end: start,
            first_event_time: None,
            last_event_time: None,
            matched: 0,
            peak: None,
            state: AlarmStatus::Open,
            samples: Vec::new(),
        }
    }

    /// Takes in samples that are all newer than those it has.
    pub(crate) fn extend(&mut self, samples: impl Iterator<Item = Entry>) {
        for sample in samples {
            self.samples.push((sample.time, sample.id));
            self.matched = self
                .matched
                .saturating_add(usize::try_from(sample.count).unwrap_or(usize::MAX));
        }
        self.first_event_time = self.samples.first().map(|&(time, _)| time);
        self.last_event_time = self.samples.last().map(|&(time, _)| time);
    }
}
