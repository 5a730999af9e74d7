//! Whatever the order, the repetitions and the batches, the alarms are those of the set of samples:
//! the incremental form and the pure function are held against a plain reference.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic, also outside of its test functions"
)]

mod reference;

use metric_alarm::{
    Alarm, AlarmDefinition, AlarmSeries, ComparisonOperator, Sample, Statistic, Tally,
    TreatMissingData, alarms, state,
};
use proptest::prelude::*;
use proptest::sample::select;

const CASES: u32 = 1_200;

/// Times at, just before and just after the edges of periods, and some in between.
fn times(period: i64) -> impl Strategy<Value = i64> {
    let edge = (-6..9_i64).prop_map(move |number| number * period);
    prop_oneof![
        4 => (edge, select(vec![-1, 0, 0, 1])).prop_map(|(edge, off)| edge + off),
        1 => -3 * period..6 * period,
    ]
}

/// Values that cancel, that round and that swallow each other; now and then one that is refused.
fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => select(vec![1.0, 1.0, 1.0, 2.0, -1.0, 0.5]),
        2 => select(vec![0.0, -0.0, 0.1, 0.2, 0.3, -0.1, 1e16, -1e16]),
        1 => select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

/// Samples of few ids, so that many are copies, and most of the copies disagree; some are repeated.
fn samples(period: i64) -> impl Strategy<Value = Vec<Sample>> {
    let sample = (times(period), 0..16_u64, values()).prop_map(|(time, id, value)| Sample {
        time,
        id,
        value,
    });
    (
        prop::collection::vec(sample, 0..24),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(mut samples, again)| {
            let repeated: Vec<Sample> = samples.iter().take(again.index(25)).copied().collect();
            samples.extend(repeated);
            samples
        })
}

fn thresholds() -> impl Strategy<Value = f64> {
    select(vec![0.0, 0.3, 0.6, 1.0, 1.0, 2.0, 2.0, 3.0, 1e16])
}

fn sliding() -> impl Strategy<Value = AlarmDefinition> {
    let statistic = select(vec![
        Statistic::Sum,
        Statistic::Sum,
        Statistic::SampleCount,
        Statistic::Maximum,
    ]);
    let comparison = select(vec![
        ComparisonOperator::GreaterThanOrEqualToThreshold,
        ComparisonOperator::GreaterThanThreshold,
    ]);
    (statistic, comparison, thresholds(), select(vec![10, 60])).prop_map(
        |(statistic, comparison, threshold, period)| {
            AlarmDefinition::builder(statistic, comparison, threshold, period)
                .build()
                .expect("a valid definition")
        },
    )
}

fn aligned() -> impl Strategy<Value = AlarmDefinition> {
    let settings = (
        select(Statistic::ALL),
        select(ComparisonOperator::ALL),
        select(TreatMissingData::ALL),
        thresholds(),
        select(vec![10, 60]),
        1..=5_i64,
        any::<prop::sample::Index>(),
    );
    settings
        .prop_map(
            |(statistic, comparison, treatment, threshold, period, n, m)| {
                AlarmDefinition::builder(statistic, comparison, threshold, period)
                    .evaluation_periods(n)
                    .datapoints_to_alarm(m.index(n as usize) as i64 + 1)
                    .treat_missing_data(treatment)
                    .build()
                    .expect("a valid definition")
            },
        )
        .prop_filter("slides", |definition| !definition.slides())
}

#[derive(Debug, Clone)]
struct Scene {
    definition: AlarmDefinition,
    samples: Vec<Sample>,
    /// The same in another order.
    shuffled: Vec<Sample>,
    /// Where the shuffled ones are split into batches.
    cuts: Vec<prop::sample::Index>,
    now: i64,
}

fn scenes(definitions: impl Strategy<Value = AlarmDefinition>) -> impl Strategy<Value = Scene> {
    definitions
        .prop_flat_map(|definition| {
            let period = definition.period_seconds();
            let now =
                prop_oneof![8 => times(period), 1 => Just(-50 * period), 1 => Just(40 * period)];
            (
                Just(definition),
                samples(period),
                now,
                prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            )
        })
        .prop_flat_map(|(definition, samples, now, cuts)| {
            let shuffled = Just(samples.clone()).prop_shuffle();
            (Just((definition, samples, now, cuts)), shuffled)
        })
        .prop_map(|((definition, samples, now, cuts), shuffled)| Scene {
            definition,
            samples,
            shuffled,
            cuts,
            now,
        })
}

/// Holds all there is against the reference, after each batch.
fn check(scene: &Scene) -> Result<(), TestCaseError> {
    let Scene {
        definition,
        samples,
        shuffled,
        cuts,
        now,
    } = scene;
    let (expected, expected_state) = reference::look(definition, samples, *now);
    prop_assert_eq!(&alarms(definition, samples, *now), &expected);
    prop_assert_eq!(&alarms(definition, shuffled, *now), &expected);
    prop_assert_eq!(state(definition, samples, *now), expected_state);

    let mut ends: Vec<usize> = cuts
        .iter()
        .map(|cut| cut.index(shuffled.len() + 1))
        .collect();
    ends.push(shuffled.len());
    ends.sort_unstable();
    let mut series = AlarmSeries::new(definition.clone());
    let mut added = 0;
    for end in ends {
        series.add(&shuffled[added..end]);
        added = end;
        check_series(&series, &shuffled[..end], *now)?;
    }
    prop_assert_eq!(series.alarms(*now), expected);
    Ok(())
}

fn check_series(series: &AlarmSeries, so_far: &[Sample], now: i64) -> Result<(), TestCaseError> {
    let (expected, expected_state) = reference::look(series.definition(), so_far, now);
    prop_assert_eq!(series.alarms(now), expected);
    prop_assert_eq!(series.state(now), expected_state);
    let distinct = reference::distinct(so_far);
    prop_assert_eq!(series.len(), distinct.len());
    prop_assert_eq!(series.is_empty(), distinct.is_empty());
    prop_assert_eq!(series.newest(), distinct.last().map(|sample| sample.time));
    let refused = so_far
        .iter()
        .filter(|sample| !sample.value.is_finite())
        .count();
    prop_assert_eq!(series.rejected(), refused as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn sliding_alarms_are_those_of_the_reference_in_any_order_and_split(scene in scenes(sliding())) {
        check(&scene)?;
    }

    #[test]
    fn aligned_alarms_are_those_of_the_reference_in_any_order_and_split(scene in scenes(aligned())) {
        check(&scene)?;
    }

    #[test]
    fn samples_one_by_one_are_as_good_as_all_at_once(scene in scenes(prop_oneof![sliding(), aligned()])) {
        let mut series = AlarmSeries::new(scene.definition.clone());
        scene.shuffled.iter().for_each(|&sample| series.add(&[sample]));
        prop_assert_eq!(series.alarms(scene.now), alarms(&scene.definition, &scene.samples, scene.now));
    }

    #[test]
    fn samples_told_by_their_number_give_the_same_alarms(scene in scenes(prop_oneof![sliding(), aligned()])) {
        let mut series = AlarmSeries::new(scene.definition.clone());
        for sample in reference::distinct(&scene.shuffled) {
            series.add_tallies(&[Tally { time: sample.time, value: sample.value, count: 1 }]);
        }
        let without_samples = |alarms: Vec<Alarm>| -> Vec<Alarm> {
            alarms.into_iter().map(|alarm| Alarm { samples: Vec::new(), ..alarm }).collect()
        };
        prop_assert_eq!(
            without_samples(series.alarms(scene.now)),
            without_samples(alarms(&scene.definition, &scene.samples, scene.now))
        );
        prop_assert_eq!(series.state(scene.now), state(&scene.definition, &scene.samples, scene.now));
    }

    #[test]
    fn no_time_is_too_far_away(
        definition in prop_oneof![sliding(), aligned()],
        samples in prop::collection::vec((extreme_times(), 0..9_u64, values()), 0..12),
        now in extreme_times(),
    ) {
        let samples: Vec<Sample> =
            samples.into_iter().map(|(time, id, value)| Sample { time, id, value }).collect();
        let found = alarms(&definition, &samples, now);
        prop_assert!(found.is_sorted_by_key(|alarm| alarm.start));
        prop_assert!(found.iter().all(|alarm| alarm.start < alarm.end || alarm.end == i64::MAX));
        if definition.slides() {
            prop_assert_eq!(&found, &reference::look(&definition, &samples, now).0);
        }
        let mut series = AlarmSeries::new(definition);
        samples.iter().rev().for_each(|&sample| series.add(&[sample]));
        prop_assert_eq!(series.alarms(now), found);
    }
}

fn extreme_times() -> impl Strategy<Value = i64> {
    prop_oneof![
        (0..130_i64).prop_map(|off| i64::MIN + off),
        (0..130_i64).prop_map(|off| i64::MAX - off),
        -100..100_i64,
        any::<i64>(),
    ]
}

/// Without this the properties above could hold because there is hardly ever an alarm.
#[test]
fn the_generated_samples_raise_alarms_of_every_kind() {
    use metric_alarm::AlarmStatus::{Closed, Open};
    use proptest::strategy::ValueTree;

    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut count = |definitions: BoxedStrategy<AlarmDefinition>| {
        let scenes = scenes(definitions);
        let mut kinds = [0; 4];
        for _ in 0..400 {
            let scene = scenes.new_tree(&mut runner).expect("a scene").current();
            let (found, _) = reference::look(&scene.definition, &scene.samples, scene.now);
            kinds[0] += usize::from(found.iter().any(|alarm| alarm.state == Open));
            kinds[1] += usize::from(found.iter().any(|alarm| alarm.state == Closed));
            kinds[2] += usize::from(found.len() > 1);
            kinds[3] += usize::from(found.is_empty());
        }
        kinds
    };
    for kinds in [count(sliding().boxed()), count(aligned().boxed())] {
        assert!(kinds.iter().all(|&scenes| scenes >= 20), "{kinds:?}");
    }
}
