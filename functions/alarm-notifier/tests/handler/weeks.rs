//! Weeks of simulated time: what has been told is not told again, and what goes on is counted on.

use alarm_notifier::alarms_of_group;
use alarm_state::{BUCKET_SECONDS, Filter, HORIZON_SECONDS, bucket_start};
use metric_alarm::{AlarmDefinition, ComparisonOperator, Sample, Statistic, TreatMissingData};
use ports::{Clock, ErrorKind};
use testkit::{Fault, run};

use crate::scene::{
    ACCOUNT, HOUR, NOW, Scene, filter, matches, partition, sign_ins, text, with_values,
};

const DAY: i64 = 86_400;

/// Aligned minutes, each an alarm of its own.
fn bad_minutes() -> Filter {
    let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
    let definition = AlarmDefinition::builder(Statistic::Average, at_least, 1.0, 60)
        .treat_missing_data(TreatMissingData::NotBreaching)
        .build()
        .unwrap();
    assert!(!definition.slides());
    filter("medium", &definition)
}

fn deliver(scene: &Scene, filter: &Filter, file: u64, samples: &[Sample]) {
    let outcome = scene.deliver(&with_values(filter, ACCOUNT, file, samples));
    assert_eq!(outcome.failed(), [""; 0]);
}

/// A minute with an alarm and one without, so often, one after the other from `start`.
fn alternating(start: i64, alarms: i64) -> Vec<Sample> {
    let minutes = 0..2 * alarms;
    minutes
        .map(|n| Sample {
            time: start + 60 * n,
            id: n as u64,
            value: ((n + 1) % 2) as f64,
        })
        .collect()
}

/// Every so often for some weeks a harmless event and a tick; expired items go, or do not go yet.
fn harmless_weeks(scene: &Scene, filter: &Filter, weeks: i64, every: i64, deletes: bool) {
    for n in 0..weeks * 7 * DAY / every {
        scene.world.advance(every);
        if deletes {
            scene.world.delete_expired();
        }
        let (time, id) = (scene.world.now() - 1_000, 1_000_000 + n as u64);
        let value = 0.0;
        deliver(scene, filter, id, &[Sample { time, id, value }]);
        scene.tick();
    }
}

#[test]
fn an_aligned_alarm_that_leaves_the_horizon_is_not_told_again() {
    for deletes in [false, true] {
        let scene = Scene::new();
        let filter = bad_minutes();
        deliver(&scene, &filter, 1, &alternating(NOW - 6_000, 6));
        assert_eq!(scene.steps(), [(1, false, 1); 6]);
        harmless_weeks(&scene, &filter, 1, 6 * HOUR, deletes);
        // Every few minutes when its buckets expire, one after the other.
        let until_then = NOW - 7_200 + HORIZON_SECONDS - scene.world.now();
        scene.world.advance(until_then);
        for minute in 0..120_u64 {
            scene.world.advance(120);
            let time = scene.world.now() - 1_000;
            let harmless = Sample {
                time,
                id: 10_000 + minute,
                value: 0.0,
            };
            deliver(&scene, &filter, 10_000 + minute, &[harmless]);
            scene.tick();
        }
        harmless_weeks(&scene, &filter, 2, 6 * HOUR, deletes);
        assert_eq!(scene.told().len(), 6, "deletes: {deletes}");
    }
}

#[test]
fn more_alarms_than_a_group_remembers_are_told_once_each_and_never_again() {
    let scene = Scene::new();
    let filter = bad_minutes();
    scene.world.advance(3 * DAY);
    let samples = alternating(NOW, 900);
    for (file, samples) in samples.chunks(40).enumerate() {
        deliver(&scene, &filter, file as u64, samples);
        scene.world.advance(HOUR);
    }
    assert_eq!(scene.steps().len(), 900);
    assert_eq!(scene.told().len(), 900);
    assert!(scene.heads()[0].incidents.len() < 900, "some are forgotten");
    harmless_weeks(&scene, &filter, 3, 97 * 60, false);
    assert_eq!(scene.told().len(), 900);
}

/// Bad: an average below one half in two periods of three, and no data is bad.
fn mostly_bad() -> Filter {
    let below = ComparisonOperator::LessThanThreshold;
    let definition = AlarmDefinition::builder(Statistic::Average, below, 0.5, 300)
        .evaluation_periods(3)
        .datapoints_to_alarm(2)
        .treat_missing_data(TreatMissingData::Breaching)
        .build()
        .unwrap();
    filter("medium", &definition)
}

#[test]
fn good_values_without_a_gap_are_no_alarm_where_the_oldest_are_forgotten() {
    let scene = Scene::new();
    let filter = mostly_bad();
    let mut periods = 0;
    for file in 0..16 * 12 {
        scene.world.advance(2 * HOUR);
        let until = scene.world.now();
        let mut samples = Vec::new();
        while NOW + 300 * periods < until {
            let value = f64::from(u8::from(periods != 40 && periods != 41));
            let (time, id) = (NOW + 300 * periods, periods as u64);
            samples.push(Sample { time, id, value });
            periods += 1;
        }
        deliver(&scene, &filter, file, &samples);
        scene.tick();
    }
    let told = scene.told();
    let starts: Vec<&str> = told
        .iter()
        .map(|told| told.document["start"].as_str().unwrap())
        .collect();
    // Before the first value there is none, and the second bad one makes two of three.
    let expected = [0, 41].map(|period| testkit::time(NOW + 300 * period));
    assert_eq!(starts, expected);
}

#[test]
fn filters_that_are_not_told_keep_a_small_head_and_tell_nothing_when_they_are_told_again() {
    let quiet = Scene::with_environment(&[("MINIMUM_SEVERITY", "critical")]);
    let filter = sign_ins(1.0);
    let mut id = 0;
    for day in 0..60 {
        quiet.world.advance(DAY);
        let now = quiet.world.now();
        let events: Vec<(i64, u64)> = (0..20)
            .map(|n| {
                id += 1;
                (now - 80_000 + 4_000 * n, id)
            })
            .collect();
        quiet.deliver(&[matches(&filter, day, &events)]);
        quiet.tick();
    }
    let items = quiet.world.items();
    let head = items.iter().find(|item| item.key.sort == "head").unwrap();
    assert!(text(head).len() < 100_000, "{} bytes", text(head).len());
    assert_eq!(quiet.told().len(), 0);

    let loud = quiet.configured_anew(&[("MINIMUM_SEVERITY", "high")]);
    let now = loud.world.now();
    for _ in 0..3 {
        loud.world.advance(HOUR);
        loud.tick();
    }
    assert_eq!(loud.told().len(), 0, "what was passed over stays so");
    // The last incident grows, and there is a new one.
    let events = [
        (now - 80_000 + 4_000 * 19 + 60, 900_000),
        (now + 5_000, 900_001),
    ];
    loud.deliver(&[matches(&filter, 1_000, &events)]);
    assert_eq!(loud.steps(), [(2, false, 2), (1, false, 1)]);
    assert_eq!(loud.told()[0].document["new"].as_u64(), Some(1));
}

#[test]
fn what_is_not_told_is_not_written_again_with_every_message() {
    let quiet = Scene::with_environment(&[("MINIMUM_SEVERITY", "critical")]);
    let message = [matches(&sign_ins(1.0), 1, &[(NOW - 100, 1)])];
    quiet.deliver(&message);
    let stored = quiet.stored();
    quiet.world.advance(60);
    quiet.deliver(&message);
    assert_eq!(quiet.stored(), stored);
}

#[test]
fn an_incident_of_twenty_days_counts_every_event_and_tells_it_hour_by_hour() {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    let hours = 20 * 24;
    for hour in 0..hours {
        scene.world.advance(HOUR);
        scene.world.delete_expired();
        let first = scene.world.now() - HOUR;
        let id = |n: i64| (hour * 12 + n) as u64;
        let events: Vec<(i64, u64)> = (0..12).map(|n| (first + 300 * n, id(n))).collect();
        let outcome = scene.deliver(&[matches(&filter, hour as u64, &events)]);
        assert_eq!(outcome.count("MatchesCounted"), 12);
    }
    let [incident] = <[_; 1]>::try_from(scene.heads().remove(0).incidents).unwrap();
    assert_eq!(incident.matched, 12 * hours as u64);
    let expected: Vec<_> = (1..=hours as u64).map(|n| (n, false, 12 * n)).collect();
    assert_eq!(scene.steps(), expected);
    // A copy of what came last is no growth.
    scene.world.advance(HOUR);
    let last = NOW + hours * HOUR - 300;
    let copy = matches(&filter, 10_000, &[(last, (hours * 12 - 1) as u64)]);
    scene.deliver(&[copy]);
    assert_eq!(scene.steps().len(), hours as usize);
}

#[test]
fn minutes_of_a_split_bucket_outlive_it_while_late_events_prolong_it() {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    let start = bucket_start(NOW - 2 * BUCKET_SECONDS);
    let flood: Vec<(i64, u64)> = (0..3_000).map(|n| (start + n % 600, n as u64)).collect();
    let message = matches(&filter, 1, &flood);
    scene.deliver(std::slice::from_ref(&message));
    let is_part = |key: &str| key.starts_with("p#");
    let parts = || {
        let items = scene.world.items();
        let keys = items.into_iter().map(|item| item.key.sort);
        keys.filter(|key| is_part(key)).count()
    };
    let matched = || {
        let (now, partition) = (scene.world.now(), partition(&message));
        let alarms = run(alarms_of_group(&scene.world, &partition, now, now - 900));
        let alarms = alarms.unwrap().unwrap();
        alarms.iter().map(|alarm| alarm.matched).sum::<usize>()
    };
    assert_eq!((parts(), matched()), (10, 3_000));
    // An hour before the bucket expires there is one more event in its first minute.
    scene.world.advance(HORIZON_SECONDS - HOUR);
    scene.deliver(&[matches(&filter, 2, &[(start, 100_000)])]);
    // A day later, when all that expires is deleted, one more in its second minute.
    scene.world.advance(DAY);
    scene.world.delete_expired();
    scene.deliver(&[matches(&filter, 3, &[(start + 60, 100_001)])]);
    assert_eq!((parts(), matched()), (10, 3_002));
}

#[test]
fn a_late_alarm_in_a_group_that_has_forgotten_later_ones_is_told_or_counted_as_untold() {
    let loud = Scene::new();
    let quiet = loud.configured_anew(&[("MINIMUM_SEVERITY", "critical")]);
    let (filter, start) = (sign_ins(1.0), NOW - 900 * 1_200);
    let events: Vec<(i64, u64)> = (0..900).map(|n| (start + 1_200 * n, n as u64)).collect();
    for (file, events) in events.chunks(300).enumerate() {
        quiet.deliver(&[matches(&filter, file as u64, events)]);
    }
    // Between two of those that are forgotten.
    let outcome = loud.deliver(&[matches(&filter, 100, &[(start + 50 * 1_200 + 600, 5_000)])]);
    assert_eq!(outcome.count("MatchesCounted"), 1);
    let told = loud.steps().len() as u64;
    assert_eq!(told + outcome.count("IncidentsUntold"), 1);
}

#[test]
fn a_message_of_a_long_incident_that_fails_after_its_events_are_stored_is_counted_when_it_comes_again()
 {
    let scene = Scene::new();
    let filter = sign_ins(1.0);
    let hours = 8 * 24;
    for hour in 0..hours {
        scene.world.advance(HOUR);
        let first = scene.world.now() - HOUR;
        let id = |n: i64| (hour * 12 + n) as u64;
        let events: Vec<(i64, u64)> = (0..12).map(|n| (first + 300 * n, id(n))).collect();
        let message = [matches(&filter, hour as u64, &events)];
        if hour == hours - 10 {
            let head = format!("PutItem {}/head", partition(&message[0]));
            let throttled = Fault::Fail(ErrorKind::Throttled);
            scene.world.fail_all(&head, throttled);
            assert_eq!(scene.deliver(&message).failed(), ["m1"]);
            scene.world.heal();
        }
        assert_eq!(scene.deliver(&message).failed(), [""; 0]);
    }
    let incident = &scene.heads()[0].incidents[0];
    assert_eq!(incident.matched, 12 * hours as u64);
}
