//! Spans that slide: each sample at `t` opens the span `[t, t + period)`.
//!
//! A span is breaching if the statistic over its samples breaches the threshold. Breaching spans that
//! start less than two periods apart share a sample or lie less than a period apart: they are one
//! alarm. The alarm's samples are those in its breaching spans, not those in a gap between them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::sample_set::{Entry, SampleSet};
use crate::window::Window;
use crate::{Alarm, AlarmDefinition, AlarmStatus};

/// Which spans are breaching.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlidingSpans {
    /// Where a breaching span starts.
    breaching: BTreeSet<i64>,
}

impl SlidingSpans {
    /// Looks again at the spans that reach a second in which samples changed; `touched` is sorted.
    pub(crate) fn update(
        &mut self,
        definition: &AlarmDefinition,
        samples: &SampleSet,
        touched: &[i64],
    ) {
        for starts in spans_that_reach(touched, definition.period_seconds()) {
            self.breaching
                .extract_if(starts.clone(), |_| true)
                .for_each(drop);
            let breaching = spans(definition, samples, starts)
                .filter(|&(_, value)| definition.breaches(value))
                .map(|(start, _)| start);
            self.breaching.extend(breaching);
        }
    }

    /// The alarms as seen at `now`, oldest first.
    pub(crate) fn alarms(
        &self,
        definition: &AlarmDefinition,
        samples: &SampleSet,
        now: i64,
    ) -> Vec<Alarm> {
        let period = definition.period_seconds();
        let mut alarms: Vec<Alarm> = Vec::new();
        let mut previous: Option<i64> = None;
        for stretch in self.stretches(period) {
            if !previous.is_some_and(|start| is_joined(start, *stretch.start(), period)) {
                alarms.push(Alarm::starting_at(*stretch.start()));
            }
            previous = Some(*stretch.end());
            if let Some(alarm) = alarms.last_mut() {
                take_in(alarm, stretch, definition, samples, now);
            }
        }
        alarms
    }

    /// Whether an alarm is open at `now`.
    pub(crate) fn has_open_alarm(&self, period: i64, now: i64) -> bool {
        let newest = self.breaching.last();
        newest.is_some_and(|&start| is_open(start, period, now))
    }

    /// First and last start of breaching spans that follow each other without a gap.
    fn stretches(&self, period: i64) -> impl Iterator<Item = RangeInclusive<i64>> + '_ {
        let mut starts = self.breaching.iter().copied().peekable();
        std::iter::from_fn(move || {
            let first = starts.next()?;
            let mut last = first;
            while let Some(next) =
                starts.next_if(|next| next.abs_diff(last) <= period.unsigned_abs())
            {
                last = next;
            }
            Some(first..=last)
        })
    }
}

/// Whether breaching spans with these starts, one after the other, are one alarm.
fn is_joined(start: i64, next_start: i64, period: i64) -> bool {
    next_start.abs_diff(start) < 2 * period.unsigned_abs()
}

/// Makes a stretch of breaching spans, newer than all it has, part of the alarm.
fn take_in(
    alarm: &mut Alarm,
    stretch: RangeInclusive<i64>,
    definition: &AlarmDefinition,
    samples: &SampleSet,
    now: i64,
) {
    let period = definition.period_seconds();
    let (first_start, last_start) = (*stretch.start(), *stretch.end());
    alarm.end = last_start.saturating_add(period);
    alarm.state = match is_open(last_start, period, now) {
        true => AlarmStatus::Open,
        false => AlarmStatus::Closed,
    };
    alarm.extend(samples.range(first_start..=last_start.saturating_add(period - 1)));
    let values = spans(definition, samples, stretch).map(|(_, value)| value);
    alarm.peak = alarm.peak.into_iter().chain(values).reduce(f64::max);
}

/// Whether a span that opens at `now` or later could join one that starts at `last_start`.
fn is_open(last_start: i64, period: i64, now: i64) -> bool {
    i128::from(now) < i128::from(last_start) + 2 * i128::from(period)
}

/// The starts of the spans that contain one of the `touched` seconds, as ranges apart from each other.
fn spans_that_reach(touched: &[i64], period: i64) -> Vec<RangeInclusive<i64>> {
    let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
    for &time in touched {
        let first = time.saturating_sub(period - 1);
        match ranges.last_mut() {
            Some(range) if first <= *range.end() => *range = *range.start()..=time,
            _ => ranges.push(first..=time),
        }
    }
    ranges
}

/// The start and the statistic of each span that starts in `starts`, oldest first.
///
/// Each sample enters and leaves one window once, so the work is that of looking at the samples.
fn spans<'a>(
    definition: &AlarmDefinition,
    samples: &'a SampleSet,
    starts: RangeInclusive<i64>,
) -> impl Iterator<Item = (i64, f64)> + 'a {
    let period = definition.period_seconds().unsigned_abs();
    let last_start = *starts.end();
    let mut window = Window::new(definition.statistic());
    let mut entering = samples.range(*starts.start()..=i64::MAX).peekable();
    let mut leaving = entering.clone();
    std::iter::from_fn(move || {
        let start = leaving
            .peek()
            .filter(|sample| sample.time <= last_start)?
            .time;
        let is_in_span = |sample: &Entry| sample.time.abs_diff(start) < period;
        while let Some(sample) = entering.next_if(is_in_span) {
            window.enter(sample.value, sample.count);
        }
        let value = window.value()?;
        while let Some(sample) = leaving.next_if(|sample| sample.time == start) {
            window.leave(sample.value, sample.count);
        }
        Some((start, value))
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        Alarm, AlarmDefinition, AlarmSeries, AlarmState, AlarmStatus, ComparisonOperator, Sample,
        Statistic, alarms, state,
    };

    /// At least `threshold` within 60 seconds.
    fn at_least(threshold: f64, statistic: Statistic) -> AlarmDefinition {
        let comparison = ComparisonOperator::GreaterThanOrEqualToThreshold;
        AlarmDefinition::builder(statistic, comparison, threshold, 60)
            .build()
            .unwrap()
    }

    /// One sample of value 1 at each time, with ids 0, 1, 2, ...
    fn ones(times: &[i64]) -> Vec<Sample> {
        let sample = |(id, &time)| Sample {
            time,
            id,
            value: 1.0,
        };
        (0..).zip(times).map(sample).collect()
    }

    /// Alarms on three samples within 60 seconds, seen long after.
    fn three_of(times: &[i64]) -> Vec<Alarm> {
        alarms(&at_least(3.0, Statistic::Sum), &ones(times), 1_000_000)
    }

    #[test]
    fn a_span_holds_its_first_second_and_not_the_one_a_period_later() {
        assert_eq!(three_of(&[100, 130, 159]).len(), 1);
        assert_eq!(three_of(&[100, 130, 160]).len(), 0);
    }

    #[test]
    fn a_burst_across_a_boundary_of_aligned_periods_is_seen() {
        let found = three_of(&[55, 59, 61]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].end), (55, 115));
        assert_eq!(found[0].samples, [(55, 0), (59, 1), (61, 2)]);
        assert_eq!(
            (found[0].first_event_time, found[0].last_event_time),
            (Some(55), Some(61))
        );
    }

    #[test]
    fn samples_in_the_same_second_are_one_span() {
        let found = three_of(&[100, 100, 100]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].matched, found[0].peak), (3, Some(3.0)));
    }

    #[test]
    fn breaching_spans_that_share_samples_are_one_alarm_that_counts_each_once() {
        let found = three_of(&[100, 120, 140, 160, 180]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].start, found[0].end, found[0].matched),
            (100, 200, 5)
        );
    }

    #[test]
    fn breaching_spans_less_than_a_period_apart_are_one_alarm() {
        let one = at_least(1.0, Statistic::SampleCount);
        let count = |times: &[i64]| alarms(&one, &ones(times), 0).len();
        assert_eq!(count(&[100, 219]), 1);
        assert_eq!(count(&[100, 220]), 2);
    }

    #[test]
    fn a_sample_in_the_gap_between_breaching_spans_is_not_part_of_the_alarm() {
        let three_and_three = [100, 100, 100, 165, 219, 219, 219];
        let found = alarms(&at_least(3.0, Statistic::Sum), &ones(&three_and_three), 0);
        // The sample at 165 opens a span of four, so it takes a higher threshold to stand apart.
        assert_eq!(found[0].matched, 7);

        let mut samples = ones(&three_and_three);
        samples[3].value = -2.0;
        let found = alarms(&at_least(3.0, Statistic::Sum), &samples, 0);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].start, found[0].end, found[0].matched),
            (100, 279, 6)
        );
        assert!(!found[0].samples.contains(&(165, 3)));
    }

    #[test]
    fn the_peak_is_the_highest_statistic_of_a_span() {
        let found = three_of(&[100, 110, 120, 130, 165, 180]);
        assert_eq!((found.len(), found[0].peak), (1, Some(4.0)));
        let maximum = at_least(5.0, Statistic::Maximum);
        let values = [(100, 5.0), (130, 9.0), (140, 1.0)];
        let samples = [0, 1, 2].map(|i| Sample {
            time: values[i].0,
            id: i as u64,
            value: values[i].1,
        });
        let found = alarms(&maximum, &samples, 0);
        assert_eq!(
            (found.len(), found[0].peak, found[0].matched),
            (1, Some(9.0), 3)
        );
    }

    #[test]
    fn an_alarm_closes_when_no_breaching_span_can_reach_it() {
        let one = at_least(1.0, Statistic::Sum);
        let seen_at = |now| alarms(&one, &ones(&[100]), now)[0].state;
        assert_eq!(seen_at(i64::MIN), AlarmStatus::Open);
        assert_eq!(seen_at(219), AlarmStatus::Open);
        assert_eq!(seen_at(220), AlarmStatus::Closed);
    }

    #[test]
    fn the_state_is_alarm_while_an_alarm_is_open_and_ok_otherwise() {
        let one = at_least(1.0, Statistic::Sum);
        assert_eq!(state(&one, &[], 0), AlarmState::Ok);
        assert_eq!(state(&one, &ones(&[100, 500]), 619), AlarmState::Alarm);
        assert_eq!(state(&one, &ones(&[100, 500]), 620), AlarmState::Ok);
    }

    #[test]
    fn a_sum_does_not_drift_while_large_values_pass_by() {
        let definition = at_least(0.25, Statistic::Sum);
        let values = [(0, 1e300), (10, 0.25), (65, -1e300), (130, 0.125)];
        let samples = values.map(|(time, value)| Sample {
            time,
            id: time as u64,
            value,
        });
        let starts: Vec<_> = alarms(&definition, &samples, 0)
            .iter()
            .map(|a| a.start)
            .collect();
        assert_eq!(starts, [0]);
        let without_first = alarms(&definition, &samples[1..], 0);
        assert!(
            without_first.is_empty(),
            "0.25 - 1e300 is below the threshold"
        );
    }

    #[test]
    fn a_late_sample_joins_two_alarms_to_one() {
        let mut series = AlarmSeries::new(at_least(1.0, Statistic::Sum));
        series.add(&ones(&[100, 300]));
        assert_eq!(series.alarms(0).len(), 2);
        series.add(&[Sample {
            time: 200,
            id: 9,
            value: 1.0,
        }]);
        assert_eq!(series.alarms(0).len(), 1);
    }

    #[test]
    fn a_copy_with_an_earlier_time_takes_its_span_along() {
        let mut series = AlarmSeries::new(at_least(1.0, Statistic::Sum));
        series.add(&[Sample {
            time: 500,
            id: 1,
            value: 1.0,
        }]);
        series.add(&[Sample {
            time: 100,
            id: 1,
            value: 1.0,
        }]);
        let found = series.alarms(0);
        assert_eq!((found.len(), found[0].start, series.len()), (1, 100, 1));
    }

    #[test]
    fn the_ends_of_time_are_times_like_others() {
        let two = at_least(2.0, Statistic::Sum);
        let found = alarms(
            &two,
            &ones(&[i64::MIN, i64::MIN + 59, i64::MAX - 1, i64::MAX]),
            i64::MAX,
        );
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].start, found[0].end), (i64::MIN, i64::MIN + 60));
        assert_eq!((found[1].start, found[1].end), (i64::MAX - 1, i64::MAX));
        assert_eq!(found[0].state, AlarmStatus::Closed);
        assert_eq!(found[1].state, AlarmStatus::Open);
    }
}
