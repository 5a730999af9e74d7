//! Alarms as a function of samples, and the same for samples that come in batches.

use crate::aligned::AlignedPeriods;
use crate::sample_set::SampleSet;
use crate::sliding::SlidingSpans;
use crate::{Alarm, AlarmDefinition, AlarmState, Sample, Tally};

/// The alarms in a set of samples as seen at `now` (Unix seconds), oldest first.
///
/// The order of the samples does not matter and copies count once (see [`AlarmSeries::add`]).
/// Nothing is said of missing data at or after `now`, and what could still go on there is open.
pub fn alarms(definition: &AlarmDefinition, samples: &[Sample], now: i64) -> Vec<Alarm> {
    series_of(definition, samples).alarms(now)
}

/// The state at `now` (Unix seconds) with this set of samples.
///
/// Where spans slide it is `Alarm` while an alarm is open and `Ok` otherwise: no samples is no news.
/// With aligned periods it is the outcome of the last evaluation, `InsufficientData` before the first.
pub fn state(definition: &AlarmDefinition, samples: &[Sample], now: i64) -> AlarmState {
    series_of(definition, samples).state(now)
}

fn series_of(definition: &AlarmDefinition, samples: &[Sample]) -> AlarmSeries {
    let mut series = AlarmSeries::new(definition.clone());
    series.add(samples);
    series
}

/// The samples of one group and what they amount to, batch by batch.
///
/// After any batches, in any order, it answers as [`alarms`] and [`state`] do for all samples so far.
///
/// ```
/// use metric_alarm::{AlarmDefinition, AlarmSeries, AlarmState, ComparisonOperator, Sample, Statistic};
///
/// let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
/// let definition = AlarmDefinition::builder(Statistic::SampleCount, at_least, 2.0, 300).build();
/// let mut series = AlarmSeries::new(definition.map_err(|faults| format!("{faults:?}"))?);
///
/// series.add(&[Sample { time: 1_000, id: 7, value: 1.0 }]);
/// assert_eq!(series.state(1_000), AlarmState::Ok);
/// series.add(&[Sample { time: 900, id: 8, value: 1.0 }]); // older, and late
/// assert_eq!(series.state(1_000), AlarmState::Alarm);
/// assert_eq!(series.state(1_500), AlarmState::Ok);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct AlarmSeries {
    definition: AlarmDefinition,
    samples: SampleSet,
    spans: Spans,
    rejected: u64,
}

#[derive(Debug, Clone)]
enum Spans {
    Sliding(SlidingSpans),
    Aligned(AlignedPeriods),
}

impl AlarmSeries {
    /// A series without samples.
    pub fn new(definition: AlarmDefinition) -> Self {
        let spans = if definition.slides() {
            Spans::Sliding(SlidingSpans::default())
        } else {
            Spans::Aligned(AlignedPeriods::default())
        };
        Self {
            definition,
            samples: SampleSet::default(),
            spans,
            rejected: 0,
        }
    }

    /// Adds a batch: late, early, repeated or out of order.
    ///
    /// Samples with the same id count once; where copies disagree, the lowest time wins, then the
    /// lowest value, whenever it comes. A value that is not finite is counted and otherwise ignored.
    /// The work is that of looking at the spans (or periods) that the batch touches.
    pub fn add(&mut self, batch: &[Sample]) {
        let mut touched = Vec::new();
        for &sample in batch {
            if sample.value.is_finite() {
                self.samples.add(sample, |time| touched.push(time));
            } else {
                self.rejected = self.rejected.saturating_add(1);
            }
        }
        self.look_again(touched);
    }

    /// Adds samples that are known to be distinct, by their number. A series takes either samples or
    /// tallies; of the same samples both give the same alarms.
    ///
    /// ```
    /// use metric_alarm::{AlarmDefinition, AlarmSeries, ComparisonOperator, Statistic, Tally};
    ///
    /// let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
    /// let definition = AlarmDefinition::builder(Statistic::Sum, at_least, 5000.0, 60).build();
    /// let mut series = AlarmSeries::new(definition.map_err(|faults| format!("{faults:?}"))?);
    /// series.add_tallies(&[Tally { time: 0, value: 1.0, count: 3000 }, Tally { time: 59, value: 1.0, count: 2000 }]);
    /// assert_eq!(series.alarms(60)[0].matched, 5000);
    /// # Ok::<(), String>(())
    /// ```
    pub fn add_tallies(&mut self, tallies: &[Tally]) {
        let mut touched = Vec::new();
        for &tally in tallies {
            if tally.value.is_finite() {
                self.samples.add_tally(tally, |time| touched.push(time));
            } else {
                self.rejected = self.rejected.saturating_add(tally.count);
            }
        }
        self.look_again(touched);
    }

    fn look_again(&mut self, mut touched: Vec<i64>) {
        touched.sort_unstable();
        touched.dedup();
        match &mut self.spans {
            Spans::Sliding(spans) => spans.update(&self.definition, &self.samples, &touched),
            Spans::Aligned(periods) => periods.update(&self.definition, &self.samples, &touched),
        }
    }

    /// The alarms as seen at `now` (Unix seconds), oldest first.
    pub fn alarms(&self, now: i64) -> Vec<Alarm> {
        match &self.spans {
            Spans::Sliding(spans) => spans.alarms(&self.definition, &self.samples, now),
            Spans::Aligned(periods) => periods.alarms(&self.definition, &self.samples, now),
        }
    }

    /// The state at `now` (Unix seconds); see [`state`].
    pub fn state(&self, now: i64) -> AlarmState {
        match &self.spans {
            Spans::Sliding(spans) => {
                if spans.has_open_alarm(self.definition.period_seconds(), now) {
                    AlarmState::Alarm
                } else {
                    AlarmState::Ok
                }
            }
            Spans::Aligned(periods) => periods.state(&self.definition, now),
        }
    }

    /// What the series is held against.
    pub fn definition(&self) -> &AlarmDefinition {
        &self.definition
    }

    /// How many distinct samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The time of the newest sample, in Unix seconds.
    pub fn newest(&self) -> Option<i64> {
        self.samples.newest()
    }

    /// How many samples were refused because their value is not finite, copies included.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}
