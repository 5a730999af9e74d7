//! CloudWatch's aligned periods: `[k * period, (k + 1) * period)`, counted from the epoch.
//!
//! A period with samples has a datapoint. It is decided once the period has ended at `now`, and before
//! that if it is breaching and more samples cannot take that back. A period without samples is missing
//! once it has ended. The state is evaluated at the end of each period, from that of the first sample
//! on; where the evaluation depends on periods that are not decided, it says nothing but "alarm
//! whatever they bring". An alarm is a run of evaluations with the state `Alarm`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use crate::evaluation::{EXTRA_PERIODS, Evidence, Verdict, judge};
use crate::sample_set::SampleSet;
use crate::window::Window;
use crate::{Alarm, AlarmDefinition, AlarmState, AlarmStatus};

/// The datapoint of each period that has samples.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlignedPeriods {
    /// The statistic by the number of the period.
    datapoints: BTreeMap<i64, f64>,
}

impl AlignedPeriods {
    /// Looks again at the periods in which samples changed; `touched` is sorted.
    pub(crate) fn update(
        &mut self,
        definition: &AlarmDefinition,
        samples: &SampleSet,
        touched: &[i64],
    ) {
        let length = definition.period_seconds();
        let mut periods: Vec<i64> = touched.iter().map(|time| time.div_euclid(length)).collect();
        periods.dedup();
        for period in periods {
            let mut window = Window::new(definition.statistic());
            samples
                .range(seconds_of(period, length))
                .for_each(|sample| window.enter(sample.value, sample.count));
            match window.value() {
                Some(value) => self.datapoints.insert(period, value),
                None => self.datapoints.remove(&period),
            };
        }
    }

    /// The alarms as seen at `now`, oldest first.
    pub(crate) fn alarms(
        &self,
        definition: &AlarmDefinition,
        samples: &SampleSet,
        now: i64,
    ) -> Vec<Alarm> {
        let decided = Decided::at(now, definition, &self.datapoints);
        let (runs, _) = decided.runs();
        runs.into_iter()
            .map(|run| decided.alarm(run, samples))
            .collect()
    }

    /// The state at `now`: that of the last evaluation.
    pub(crate) fn state(&self, definition: &AlarmDefinition, now: i64) -> AlarmState {
        let (_, state) = Decided::at(now, definition, &self.datapoints).runs();
        state
    }
}

/// The datapoints that are decided, and where the decided time ends.
struct Decided<'a> {
    definition: &'a AlarmDefinition,
    /// The newest period that has ended: up to here a period without samples is missing.
    last_ended: i64,
    /// Oldest first.
    datapoints: Vec<Datapoint>,
}

struct Datapoint {
    period: i64,
    value: f64,
    breaches: bool,
    /// How many older datapoints breach.
    breaching_before: i64,
}

/// Evaluations one after the other that said `Alarm`.
struct Run {
    first_period: i64,
    last_period: i64,
    /// The indices of the datapoints they looked at: ranges apart from each other, oldest first.
    looked_at: Vec<Range<usize>>,
    state: AlarmStatus,
}

impl Run {
    fn starting_at(first_period: i64) -> Self {
        Self {
            first_period,
            last_period: first_period,
            looked_at: Vec::new(),
            state: AlarmStatus::Open,
        }
    }

    /// Goes on until `last_period`, with evaluations that looked at these datapoints.
    fn extend(&mut self, last_period: i64, datapoints: Range<usize>) {
        self.last_period = last_period;
        match self.looked_at.last_mut() {
            Some(last) if datapoints.start <= last.end => last.end = datapoints.end,
            _ => self.looked_at.push(datapoints),
        }
    }
}

impl<'a> Decided<'a> {
    fn at(now: i64, definition: &'a AlarmDefinition, values: &BTreeMap<i64, f64>) -> Self {
        let last_ended = now.div_euclid(definition.period_seconds()) - 1;
        let mut datapoints = Vec::new();
        let mut breaching_before = 0;
        for (&period, &value) in values {
            let breaches = definition.breaches(value);
            if period <= last_ended || (breaches && definition.breach_is_lasting()) {
                datapoints.push(Datapoint {
                    period,
                    value,
                    breaches,
                    breaching_before,
                });
                breaching_before += i64::from(breaches);
            }
        }
        Self {
            definition,
            last_ended,
            datapoints,
        }
    }

    /// The runs of evaluations in state `Alarm`, oldest first, and the state in the end.
    fn runs(&self) -> (Vec<Run>, AlarmState) {
        let mut runs = Vec::new();
        let mut current: Option<Run> = None;
        let mut state = AlarmState::InsufficientData;
        for periods in self.stretches() {
            let Some((verdict, datapoints)) = self.evaluate(*periods.start()) else {
                continue;
            };
            state = verdict.state_after(state);
            if state == AlarmState::Alarm {
                current
                    .get_or_insert(Run::starting_at(*periods.start()))
                    .extend(*periods.end(), datapoints);
            } else if let Some(run) = current.take() {
                runs.push(Run {
                    state: AlarmStatus::Closed,
                    ..run
                });
            }
        }
        runs.extend(current);
        (runs, state)
    }

    /// Stretches of periods with the same evaluation, oldest first.
    ///
    /// An evaluation differs from the one before only where a datapoint comes, becomes old enough to
    /// count alone, or goes out of range; so a long silence is one stretch. Time that has not ended is
    /// looked at only where there is a datapoint.
    fn stretches(&self) -> Vec<RangeInclusive<i64>> {
        let old_enough = i64::from(self.definition.datapoints_to_alarm()) - 1;
        let mut starts = BTreeSet::new();
        for &Datapoint { period, .. } in &self.datapoints {
            starts.insert(period);
            let later = [period + old_enough, period + self.range_periods()];
            starts.extend(
                later
                    .into_iter()
                    .filter(|&period| period <= self.last_ended),
            );
        }
        let mut next_starts = starts.iter().copied().skip(1);
        let stretch = |&start: &i64| {
            let before_next = next_starts.next().map_or(i64::MAX, |next| next - 1);
            start..=before_next.min(self.last_ended).max(start)
        };
        starts.iter().map(stretch).collect()
    }

    /// Evaluates at the end of `period`: the verdict and the indices of the datapoints looked at.
    ///
    /// None if that cannot be said before more periods have ended.
    fn evaluate(&self, period: i64) -> Option<(Verdict, Range<usize>)> {
        let wanted = i64::from(self.definition.evaluation_periods());
        let first_in_range = period - self.range_periods() + 1;
        let first_not_ended = first_in_range.max(self.last_ended + 1);

        // What has not ended counts as a datapoint in each period, within the threshold until decided.
        let end = self.index_of(period + 1);
        let not_ended = (period + 1 - first_not_ended).max(0);
        let first_index_not_ended = self.index_of(first_not_ended).min(end);
        let is_decided = (end - first_index_not_ended) as i64 == not_ended;

        let start = if not_ended >= wanted {
            self.index_of(period + 1 - wanted)
        } else {
            let older_wanted = (wanted - not_ended) as usize;
            let newest = first_index_not_ended.saturating_sub(older_wanted);
            newest.max(self.index_of(first_in_range))
        };
        let older = first_index_not_ended.saturating_sub(start) as i64;
        let verdict = judge(
            self.definition,
            Evidence {
                real: (older + not_ended).min(wanted),
                breaching: self.breaching_before(end) - self.breaching_before(start),
                oldest_age: self
                    .datapoints
                    .get(start)
                    .map_or(0, |oldest| period - oldest.period + 1),
            },
        );
        let is_certain = is_decided || verdict == Verdict::State(AlarmState::Alarm);
        is_certain.then_some((verdict, start..end))
    }

    /// How many periods an evaluation reaches back over.
    fn range_periods(&self) -> i64 {
        i64::from(self.definition.evaluation_periods()) + EXTRA_PERIODS
    }

    /// The index of the first datapoint at or after `period`.
    fn index_of(&self, period: i64) -> usize {
        self.datapoints
            .partition_point(|datapoint| datapoint.period < period)
    }

    /// How many of the datapoints before `index` breach.
    fn breaching_before(&self, index: usize) -> i64 {
        match self.datapoints.get(index) {
            Some(datapoint) => datapoint.breaching_before,
            None => self
                .datapoints
                .last()
                .map_or(0, |last| last.breaching_before + i64::from(last.breaches)),
        }
    }

    fn alarm(&self, run: Run, samples: &SampleSet) -> Alarm {
        let length = self.definition.period_seconds();
        let mut alarm = Alarm::starting_at(*seconds_of(run.first_period, length).start());
        alarm.end = seconds_of(run.last_period, length).end().saturating_add(1);
        alarm.state = run.state;
        let looked_at = run.looked_at.into_iter();
        let looked_at = looked_at.flat_map(|range| self.datapoints.get(range).unwrap_or_default());
        for datapoint in looked_at.filter(|datapoint| datapoint.breaches) {
            alarm.extend(samples.range(seconds_of(datapoint.period, length)));
            let comparison = self.definition.comparison();
            alarm.peak = Some(alarm.peak.map_or(datapoint.value, |peak| {
                comparison.worse(peak, datapoint.value)
            }));
        }
        alarm
    }
}

/// The seconds of the period with this number, cut off at the ends of time.
fn seconds_of(period: i64, length: i64) -> RangeInclusive<i64> {
    let first = i128::from(period) * i128::from(length);
    let last = first + i128::from(length) - 1;
    saturate(first)..=saturate(last)
}

fn saturate(seconds: i128) -> i64 {
    i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use crate::TreatMissingData::{Breaching, Ignore, Missing, NotBreaching};
    use crate::{
        Alarm, AlarmDefinition, AlarmState, AlarmStatus, ComparisonOperator, Sample, Statistic,
        TreatMissingData, alarms, state,
    };

    const PERIOD: i64 = 60;

    /// M out of N averages above 10, in periods of 60 seconds.
    fn average(m: i64, n: i64, treat_missing_data: TreatMissingData) -> AlarmDefinition {
        above_ten(Statistic::Average, m, n, treat_missing_data)
    }

    fn above_ten(
        statistic: Statistic,
        m: i64,
        n: i64,
        treat_missing_data: TreatMissingData,
    ) -> AlarmDefinition {
        AlarmDefinition::builder(
            statistic,
            ComparisonOperator::GreaterThanThreshold,
            10.0,
            PERIOD,
        )
        .evaluation_periods(n)
        .datapoints_to_alarm(m)
        .treat_missing_data(treat_missing_data)
        .build()
        .unwrap()
    }

    /// One sample in the middle of each period that is not `-`: 20 for `X`, 0 for `0`.
    fn periods(drawn: &str) -> Vec<Sample> {
        let sample = |(period, drawn)| {
            let value = match drawn {
                'X' => 20.0,
                '0' => 0.0,
                _ => return None,
            };
            Some(Sample {
                time: period * PERIOD + 30,
                id: period as u64,
                value,
            })
        };
        (0..).zip(drawn.chars()).filter_map(sample).collect()
    }

    /// Where each alarm starts and ends, in periods.
    fn spans(found: &[Alarm]) -> Vec<(i64, i64)> {
        found
            .iter()
            .map(|alarm| (alarm.start / PERIOD, alarm.end / PERIOD))
            .collect()
    }

    fn end_of(drawn: &str) -> i64 {
        drawn.len() as i64 * PERIOD
    }

    #[test]
    fn m_of_the_n_newest_datapoints_must_breach() {
        let drawn = "00XX0X000";
        let found = alarms(&average(2, 3, Missing), &periods(drawn), end_of(drawn));
        assert_eq!(spans(&found), [(3, 6)]);
        assert_eq!(found[0].samples, [(150, 2), (210, 3), (330, 5)]);
        assert_eq!(
            (found[0].peak, found[0].state),
            (Some(20.0), AlarmStatus::Closed)
        );
    }

    #[test]
    fn datapoints_of_the_range_within_the_threshold_are_no_part_of_the_alarm() {
        let drawn = "X0X";
        let found = alarms(&average(2, 3, Missing), &periods(drawn), end_of(drawn));
        assert_eq!(found[0].matched, 2);
        assert_eq!(
            (found[0].first_event_time, found[0].last_event_time),
            (Some(30), Some(150))
        );
    }

    #[test]
    fn periods_before_the_epoch_are_aligned_as_those_after_it() {
        let one = average(1, 1, Missing);
        let samples = [-61, -60, -1, 0].map(|time| Sample {
            time,
            id: time as u64,
            value: 20.0,
        });
        let starts = |samples: &[Sample]| alarms(&one, samples, 600)[0].start;
        assert_eq!(samples.map(|sample| starts(&[sample])), [-120, -60, -60, 0]);
    }

    #[test]
    fn an_average_counts_when_its_period_has_ended() {
        let samples = periods("X");
        assert_eq!(alarms(&average(1, 1, Missing), &samples, 59), []);
        assert_eq!(alarms(&average(1, 1, Missing), &samples, 60).len(), 1);
    }

    #[test]
    fn a_breach_that_more_samples_cannot_take_back_counts_at_once() {
        let samples = periods("XX");
        let sum = above_ten(Statistic::Sum, 2, 2, Missing);
        let found = alarms(&sum, &samples, 61);
        assert_eq!(
            (spans(&found), found[0].state),
            (vec![(1, 2)], AlarmStatus::Open)
        );
        assert_eq!(alarms(&average(2, 2, Missing), &samples, 61), []);

        let low = |statistic| {
            let less = ComparisonOperator::LessThanThreshold;
            let definition = AlarmDefinition::builder(statistic, less, 10.0, PERIOD)
                .build()
                .unwrap();
            alarms(&definition, &periods("0"), 31).len()
        };
        assert_eq!(low(Statistic::Minimum), 1);
        assert_eq!(low(Statistic::Maximum), 0);
        assert_eq!(low(Statistic::Sum), 0);
    }

    #[test]
    fn a_datapoint_within_the_threshold_ends_no_alarm_before_its_period_has_ended() {
        let sum = above_ten(Statistic::Sum, 1, 2, Missing);
        let samples = periods("X00");
        assert_eq!(alarms(&sum, &samples, 179)[0].state, AlarmStatus::Open);
        assert_eq!(alarms(&sum, &samples, 180)[0].state, AlarmStatus::Closed);
    }

    #[test]
    fn beyond_now_only_what_nothing_can_change_is_an_alarm() {
        // Between the breaches lies a period that has not ended and may yet be within the threshold.
        let samples = periods("X-X");
        assert_eq!(
            alarms(&above_ten(Statistic::Sum, 2, 2, NotBreaching), &samples, 60),
            []
        );
        assert_eq!(
            alarms(&above_ten(Statistic::Sum, 2, 3, NotBreaching), &samples, 60).len(),
            1
        );
        // Nor is it missing and filled in: that would make three breaches of the one at the end.
        let breaching = above_ten(Statistic::Sum, 3, 3, Breaching);
        assert_eq!(alarms(&breaching, &periods("0-----X"), 5 * PERIOD), []);
    }

    #[test]
    fn silence_that_breaches_is_an_alarm_without_samples() {
        let found = alarms(&average(2, 2, Breaching), &periods("0"), 10 * PERIOD);
        assert_eq!(spans(&found), [(4, 10)]);
        assert_eq!((found[0].matched, found[0].peak), (0, None));
        assert_eq!(
            (found[0].first_event_time, found[0].state),
            (None, AlarmStatus::Open)
        );
    }

    #[test]
    fn a_state_that_is_kept_is_kept_through_silence() {
        let found = alarms(&average(1, 1, Ignore), &periods("X---------0"), 20 * PERIOD);
        assert_eq!(
            (spans(&found), found[0].state),
            (vec![(0, 10)], AlarmStatus::Closed)
        );
        let found = alarms(&average(1, 1, Ignore), &periods("X"), 20 * PERIOD);
        assert_eq!(
            (spans(&found), found[0].state),
            (vec![(0, 20)], AlarmStatus::Open)
        );
    }

    #[test]
    fn an_alarm_whose_data_goes_missing_ends_when_it_is_out_of_range() {
        let found = alarms(&average(1, 1, Missing), &periods("X"), 20 * PERIOD);
        assert_eq!(
            (spans(&found), found[0].state),
            (vec![(0, 3)], AlarmStatus::Closed)
        );
        assert_eq!(
            state(&average(1, 1, Missing), &periods("X"), 20 * PERIOD),
            AlarmState::InsufficientData
        );
    }

    #[test]
    fn a_lone_breach_waits_until_others_could_have_denied_it() {
        let found = alarms(&average(3, 3, Missing), &periods("X"), 20 * PERIOD);
        assert_eq!(spans(&found), [(2, 5)]);
        assert_eq!(
            alarms(&average(3, 3, Missing), &periods("X0"), 20 * PERIOD),
            []
        );
    }

    #[test]
    fn before_the_first_evaluation_too_little_is_known() {
        assert_eq!(
            state(&average(1, 1, NotBreaching), &[], 600),
            AlarmState::InsufficientData
        );
        assert_eq!(
            state(&average(1, 1, NotBreaching), &periods("X"), 59),
            AlarmState::InsufficientData
        );
        assert_eq!(
            state(&average(1, 1, NotBreaching), &periods("X"), 60),
            AlarmState::Alarm
        );
    }

    #[test]
    fn the_peak_of_a_low_alarm_is_the_lowest_value() {
        let less = ComparisonOperator::LessThanOrEqualToThreshold;
        let definition = AlarmDefinition::builder(Statistic::Average, less, 5.0, PERIOD)
            .build()
            .unwrap();
        let samples = [(0, 4.0), (60, 1.0), (120, 2.0)];
        let samples = samples.map(|(time, value)| Sample {
            time,
            id: time as u64,
            value,
        });
        let found = alarms(&definition, &samples, 180);
        assert_eq!((found.len(), found[0].peak), (1, Some(1.0)));
    }

    #[test]
    fn a_silence_of_a_century_costs_nothing() {
        let year_2100 = 4_102_444_800;
        let samples = [0, year_2100].map(|time| Sample {
            time,
            id: time as u64,
            value: 20.0,
        });
        for (treatment, alarm_count) in
            [(Missing, 2), (NotBreaching, 2), (Ignore, 1), (Breaching, 1)]
        {
            let definition = AlarmDefinition::builder(
                Statistic::Average,
                ComparisonOperator::GreaterThanThreshold,
                10.0,
                10,
            )
            .evaluation_periods(8_640)
            .datapoints_to_alarm(1)
            .treat_missing_data(treatment)
            .build()
            .unwrap();
            assert_eq!(
                alarms(&definition, &samples, year_2100 + 10).len(),
                alarm_count
            );
        }
    }

    #[test]
    fn the_ends_of_time_are_times_like_others() {
        let samples = [i64::MIN, i64::MAX].map(|time| Sample {
            time,
            id: time as u64,
            value: 20.0,
        });
        for &treatment in TreatMissingData::ALL {
            let definition = above_ten(Statistic::Sum, 1, 3, treatment);
            for now in [i64::MIN, i64::MIN + 60, 0, i64::MAX] {
                let found = alarms(&definition, &samples, now);
                assert_eq!(found[0].start, i64::MIN);
                assert_eq!(found.last().unwrap().end, i64::MAX);
            }
        }
    }
}
