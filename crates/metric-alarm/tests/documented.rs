//! The worked examples of `docs/alarms.md`.

#![expect(
    clippy::unwrap_used,
    reason = "a test may panic, also outside of its test functions"
)]

use metric_alarm::{
    Alarm, AlarmDefinition, AlarmStatus, ComparisonOperator, Sample, Statistic, TreatMissingData,
    alarms, state,
};

/// Seconds after the epoch at this time of its first day.
fn at(hours: i64, minutes: i64, seconds: i64) -> i64 {
    (hours * 60 + minutes) * 60 + seconds
}

/// Three events in five minutes.
fn sign_in_failures(times: &[i64], now: i64) -> Vec<Alarm> {
    let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
    let definition = AlarmDefinition::builder(Statistic::Sum, at_least, 3.0, 300)
        .build()
        .unwrap();
    let sample = |(id, &time)| Sample {
        time,
        id,
        value: 1.0,
    };
    let samples: Vec<Sample> = (0..).zip(times).map(sample).collect();
    alarms(&definition, &samples, now)
}

#[test]
fn a_burst_across_the_boundary_is_an_alarm() {
    let found = sign_in_failures(
        &[at(14, 4, 10), at(14, 4, 50), at(14, 5, 20)],
        at(14, 5, 20),
    );
    let [alarm] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((alarm.start, alarm.matched), (at(14, 4, 10), 3));
}

#[test]
fn two_bursts_less_than_a_period_apart_are_one_alarm_without_what_lies_between() {
    let times = [
        at(10, 0, 0),
        at(10, 0, 10),
        at(10, 0, 20),
        at(10, 6, 0),
        at(10, 9, 50),
        at(10, 11, 0),
        at(10, 12, 0),
    ];
    let found = sign_in_failures(&times, at(10, 19, 49));
    let [alarm] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((alarm.start, alarm.end), (at(10, 0, 0), at(10, 14, 50)));
    assert_eq!((alarm.matched, alarm.peak), (6, Some(3.0)));
    assert_eq!(alarm.state, AlarmStatus::Open);
    let found = sign_in_failures(&times, at(10, 19, 50));
    assert!(found.iter().all(|alarm| alarm.state == AlarmStatus::Closed));
}

/// M out of 3 averages above 10 in minutes drawn as on the page, and now at their end.
fn drawn(m: i64, treatment: TreatMissingData, drawn: &str) -> (AlarmDefinition, Vec<Sample>, i64) {
    let greater = ComparisonOperator::GreaterThanThreshold;
    let definition = AlarmDefinition::builder(Statistic::Average, greater, 10.0, 60)
        .evaluation_periods(3)
        .datapoints_to_alarm(m)
        .treat_missing_data(treatment)
        .build()
        .unwrap();
    let minutes = (0..).zip(drawn.split(' '));
    let samples = minutes
        .clone()
        .filter(|&(_, drawn)| drawn != "-")
        .map(|(minute, drawn)| {
            let value = if drawn == "X" { 20.0 } else { 0.0 };
            Sample {
                time: minute * 60,
                id: minute as u64,
                value,
            }
        });
    (definition, samples.collect(), minutes.count() as i64 * 60)
}

#[test]
fn two_out_of_three_is_one_alarm_over_three_periods() {
    let (definition, samples, now) = drawn(2, TreatMissingData::Missing, "0 0 X X 0 X 0 0");
    let found = alarms(&definition, &samples, now);
    let [alarm] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((alarm.start / 60, alarm.end / 60), (3, 6));
    assert_eq!(alarm.samples, [(120, 2), (180, 3), (300, 5)]);
}

#[test]
fn the_table_of_missing_data_says_what_happens() {
    let rows = [
        ("0 - X - X", "Ok Ok Ok Ok"),
        ("0 - - - -", "Ok Ok Ok Ok"),
        ("- - - - -", "InsufficientData stays Alarm Ok"),
        ("0 X X - X", "Alarm Alarm Alarm Alarm"),
        ("- - X - -", "Alarm stays Alarm Ok"),
        ("- - - - X", "stays stays Alarm Ok"),
    ];
    let treatments = [
        TreatMissingData::Missing,
        TreatMissingData::Ignore,
        TreatMissingData::Breaching,
        TreatMissingData::NotBreaching,
    ];
    for (row, expected) in rows {
        for (treatment, expected) in treatments.into_iter().zip(expected.split(' ')) {
            // Three datapoints leave a state behind; when the row is over they are out of range.
            for (before, state_before) in [("0 0 0", "Ok"), ("X X X", "Alarm")] {
                let (definition, samples, now) = drawn(3, treatment, &format!("{before} {row}"));
                let found = format!("{:?}", state(&definition, &samples, now));
                let expected = if expected == "stays" {
                    state_before
                } else {
                    expected
                };
                assert_eq!(found, expected, "{row} after {before}, {treatment}");
            }
        }
    }
}
