//! Alarms found in the plainest way, by looking at everything again for each question: what the
//! crate's own ways are held against. Shares nothing with them but the public types.

use std::collections::BTreeSet;

use metric_alarm::{
    Alarm, AlarmDefinition, AlarmState, AlarmStatus, ComparisonOperator, Sample, Statistic,
    TreatMissingData,
};

/// The alarms and the state at `now`.
pub(crate) fn look(
    definition: &AlarmDefinition,
    samples: &[Sample],
    now: i64,
) -> (Vec<Alarm>, AlarmState) {
    let samples = distinct(samples);
    if definition.slides() {
        sliding(definition, &samples, now)
    } else {
        aligned(definition, &samples, now)
    }
}

/// One of all copies of each finite sample, by time and id.
pub(crate) fn distinct(samples: &[Sample]) -> Vec<Sample> {
    let finite = || samples.iter().filter(|sample| sample.value.is_finite());
    let mut distinct: Vec<Sample> = Vec::new();
    for sample in finite() {
        let is_lowest = finite().filter(|other| other.id == sample.id).all(|other| {
            other.time > sample.time
                || (other.time == sample.time && other.value.total_cmp(&sample.value).is_ge())
        });
        if is_lowest && distinct.iter().all(|kept| kept.id != sample.id) {
            distinct.push(*sample);
        }
    }
    distinct.sort_by_key(|sample| (sample.time, sample.id));
    distinct
}

fn statistic(definition: &AlarmDefinition, samples: &[&Sample]) -> f64 {
    let values = samples.iter().map(|sample| sample.value);
    match definition.statistic() {
        Statistic::SampleCount => samples.len() as f64,
        Statistic::Sum => exact_sum(values),
        Statistic::Average => exact_sum(values) / samples.len() as f64,
        Statistic::Minimum => values.reduce(f64::min).unwrap_or_default(),
        Statistic::Maximum => values.reduce(f64::max).unwrap_or_default(),
    }
}

/// Exact for multiples of 2^-60 that are not too large, and all the values in these tests are such.
fn exact_sum(values: impl Iterator<Item = f64>) -> f64 {
    let unit = (1_u64 << 60) as f64;
    let sum: i128 = values
        .map(|value| {
            let units = value * unit;
            assert!(units.fract() == 0.0 && units.abs() < 1e36);
            units as i128
        })
        .sum();
    sum as f64 / unit
}

fn breaches(definition: &AlarmDefinition, value: f64) -> bool {
    let threshold = definition.threshold();
    match definition.comparison() {
        ComparisonOperator::GreaterThanOrEqualToThreshold => value >= threshold,
        ComparisonOperator::GreaterThanThreshold => value > threshold,
        ComparisonOperator::LessThanThreshold => value < threshold,
        ComparisonOperator::LessThanOrEqualToThreshold => value <= threshold,
    }
}

fn is_greater(definition: &AlarmDefinition) -> bool {
    definition.comparison().to_string().starts_with("Greater")
}

fn alarm(
    definition: &AlarmDefinition,
    (start, end): (i128, i128),
    samples: &[&Sample],
    values: &[f64],
    state: AlarmStatus,
) -> Alarm {
    let worst = if is_greater(definition) {
        f64::max
    } else {
        f64::min
    };
    Alarm {
        start: saturate(start),
        end: saturate(end),
        first_event_time: samples.iter().map(|sample| sample.time).min(),
        last_event_time: samples.iter().map(|sample| sample.time).max(),
        matched: samples.len(),
        peak: values.iter().copied().reduce(worst),
        state,
        samples: samples
            .iter()
            .map(|sample| (sample.time, sample.id))
            .collect(),
    }
}

fn saturate(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn sliding(definition: &AlarmDefinition, samples: &[Sample], now: i64) -> (Vec<Alarm>, AlarmState) {
    let period = i128::from(definition.period_seconds());
    let is_in_span = |start: i128, sample: &Sample| {
        start <= i128::from(sample.time) && i128::from(sample.time) < start + period
    };
    let starts: BTreeSet<i128> = samples.iter().map(|sample| sample.time.into()).collect();
    let mut breaching: Vec<(i128, f64)> = Vec::new();
    for &start in &starts {
        let span: Vec<&Sample> = samples
            .iter()
            .filter(|sample| is_in_span(start, sample))
            .collect();
        let value = statistic(definition, &span);
        if breaches(definition, value) {
            breaching.push((start, value));
        }
    }

    let mut groups: Vec<Vec<(i128, f64)>> = Vec::new();
    for span in breaching {
        match groups.last_mut() {
            Some(group) if span.0 < group.last().expect("never empty").0 + 2 * period => {
                group.push(span)
            }
            _ => groups.push(vec![span]),
        }
    }

    let mut alarms = Vec::new();
    for group in groups {
        let first = group.first().expect("never empty").0;
        let last = group.last().expect("never empty").0;
        let is_matched =
            |sample: &&Sample| group.iter().any(|&(start, _)| is_in_span(start, sample));
        let matched: Vec<&Sample> = samples.iter().filter(is_matched).collect();
        let values: Vec<f64> = group.iter().map(|&(_, value)| value).collect();
        let is_closed = i128::from(now) >= last + 2 * period;
        let state = if is_closed {
            AlarmStatus::Closed
        } else {
            AlarmStatus::Open
        };
        alarms.push(alarm(
            definition,
            (first, last + period),
            &matched,
            &values,
            state,
        ));
    }
    let is_open = alarms.iter().any(|alarm| alarm.state == AlarmStatus::Open);
    (
        alarms,
        if is_open {
            AlarmState::Alarm
        } else {
            AlarmState::Ok
        },
    )
}

/// One aligned period as an evaluation sees it.
#[derive(Clone, Copy, PartialEq)]
enum Point {
    Breaching,
    NotBreaching,
    Missing,
    Undecided,
}

fn aligned(definition: &AlarmDefinition, samples: &[Sample], now: i64) -> (Vec<Alarm>, AlarmState) {
    let length = i128::from(definition.period_seconds());
    let period_of = |sample: &Sample| i128::from(sample.time).div_euclid(length);
    let samples_of = |period: i128| -> Vec<&Sample> {
        samples
            .iter()
            .filter(|sample| period_of(sample) == period)
            .collect()
    };
    let point = |period: i128| {
        let has_ended = (period + 1) * length <= now.into();
        let samples = samples_of(period);
        let is_breaching =
            !samples.is_empty() && breaches(definition, statistic(definition, &samples));
        let is_lasting = match definition.statistic() {
            Statistic::Average => false,
            Statistic::Minimum => !is_greater(definition),
            Statistic::SampleCount | Statistic::Sum | Statistic::Maximum => is_greater(definition),
        };
        match (has_ended, samples.is_empty(), is_breaching) {
            (true, true, _) => Point::Missing,
            (true, false, false) => Point::NotBreaching,
            (true, false, true) => Point::Breaching,
            (false, false, true) if is_lasting => Point::Breaching,
            (false, _, _) => Point::Undecided,
        }
    };

    let mut runs: Vec<(i128, i128, BTreeSet<i128>, AlarmStatus)> = Vec::new();
    let mut state = AlarmState::InsufficientData;
    let first = samples.iter().map(period_of).min();
    let newest = samples.iter().map(period_of).max();
    let last_ended = i128::from(now).div_euclid(length) - 1;
    let range = i128::from(definition.evaluation_periods()) + 2;
    let mut period = first.unwrap_or(0);
    while newest.is_some_and(|newest| period <= newest.max(last_ended)) {
        let points: Vec<(i128, Point)> = (period - range + 1..=period)
            .map(|period| (period, point(period)))
            .collect();
        let is_certain = points.iter().all(|&(_, point)| point != Point::Undecided);
        let existing = points
            .iter()
            .rev()
            .filter(|&&(_, point)| point != Point::Missing);
        let looked_at: Vec<&(i128, Point)> = existing
            .take(definition.evaluation_periods() as usize)
            .collect();
        let outcome = outcome(definition, period, &looked_at, state);
        let says_something = if period <= last_ended {
            true
        } else {
            point(period) != Point::Undecided && (is_certain || outcome == AlarmState::Alarm)
        };
        if says_something {
            if outcome == AlarmState::Alarm {
                if state != AlarmState::Alarm {
                    runs.push((period, period, BTreeSet::new(), AlarmStatus::Open));
                }
                let run = runs.last_mut().expect("just begun");
                run.1 = period;
                let breaching = looked_at
                    .iter()
                    .filter(|(_, point)| *point == Point::Breaching);
                run.2.extend(breaching.map(|(period, _)| period));
            } else if let Some(run) = runs.last_mut() {
                run.3 = AlarmStatus::Closed;
            }
            state = outcome;
        }
        period += 1;
    }

    let alarms = runs.into_iter().map(|(first, last, breaching, state)| {
        let values: Vec<f64> = breaching
            .iter()
            .map(|&period| statistic(definition, &samples_of(period)))
            .collect();
        let matched: Vec<&Sample> = breaching.into_iter().flat_map(&samples_of).collect();
        alarm(
            definition,
            (first * length, (last + 1) * length),
            &matched,
            &values,
            state,
        )
    });
    (alarms.collect(), state)
}

/// The state that follows `before`, by the rules as the guide tells them; `looked_at` is newest first.
fn outcome(
    definition: &AlarmDefinition,
    period: i128,
    looked_at: &[&(i128, Point)],
    before: AlarmState,
) -> AlarmState {
    let needed = definition.datapoints_to_alarm() as usize;
    let breaching = looked_at
        .iter()
        .filter(|(_, point)| *point == Point::Breaching)
        .count();
    let filled = definition.evaluation_periods() as usize - looked_at.len();
    let alarm_if = |is_alarm| {
        if is_alarm {
            AlarmState::Alarm
        } else {
            AlarmState::Ok
        }
    };
    if filled == 0 {
        return alarm_if(breaching >= needed);
    }
    match definition.treat_missing_data() {
        TreatMissingData::Breaching => alarm_if(breaching + filled >= needed),
        TreatMissingData::NotBreaching => alarm_if(breaching >= needed),
        TreatMissingData::Ignore if breaching >= needed => AlarmState::Alarm,
        TreatMissingData::Ignore if breaching < looked_at.len() => AlarmState::Ok,
        TreatMissingData::Ignore => before,
        TreatMissingData::Missing => match looked_at.last() {
            None => AlarmState::InsufficientData,
            Some(_) if breaching >= needed => AlarmState::Alarm,
            Some(_) if breaching < looked_at.len() => AlarmState::Ok,
            Some((oldest, _)) if period - oldest + 1 >= needed as i128 => AlarmState::Alarm,
            Some(_) => before,
        },
    }
}
