//! What native alarms tell, and what is told directly all the same.

use alarm_state::{Filter, NATIVE_ALARM_SECONDS};

use crate::scene::{HOUR, NOW, Scene, matches, sign_ins};

fn path(path: &str) -> Scene {
    Scene::with_environment(&[("NOTIFICATION_PATH", path)])
}

/// A filter that the stack has a native alarm for.
fn built_in() -> Filter {
    native(1.0)
}

fn native(threshold: f64) -> Filter {
    let mut filter = sign_ins(threshold);
    filter.has_native_alarm = true;
    filter
}

#[test]
fn what_a_native_alarm_sees_is_told_directly_unless_the_path_is_cloudwatch() {
    for (name, told) in [("direct", 1), ("both", 1), ("cloudwatch", 0)] {
        let scene = path(name);
        let outcome = scene.deliver(&[matches(&built_in(), 1, &[(NOW - 600, 1)])]);
        assert_eq!(outcome.count("Incidents"), 1, "{name}");
        assert_eq!(outcome.count("IncidentsLeftToCloudWatch"), 1 - told as u64);
        assert_eq!(scene.told().len(), told, "{name}");
        // Nor later, by the tick.
        scene.world.advance(2 * HOUR);
        scene.tick();
        assert_eq!(scene.told().len(), told, "{name}");
    }
}

#[test]
fn a_filter_without_a_native_alarm_is_told_directly_whatever_the_path() {
    let scene = path("cloudwatch");
    let outcome = scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 600, 1)])]);
    assert_eq!(outcome.count("IncidentsLeftToCloudWatch"), 0);
    assert_eq!(scene.told().len(), 1);
}

#[test]
fn what_is_too_late_for_a_native_alarm_is_told_directly() {
    let scene = path("cloudwatch");
    let (last, late) = (NOW - NATIVE_ALARM_SECONDS, NOW - NATIVE_ALARM_SECONDS - 1);
    scene.deliver(&[matches(&built_in(), 1, &[(last, 1)])]);
    assert_eq!(scene.told().len(), 0, "the alarm will see it");
    let scene = path("cloudwatch");
    scene.deliver(&[matches(&built_in(), 1, &[(late, 1)])]);
    let [told] = scene.told().try_into().unwrap();
    assert_eq!(told.document["matched"], 1);
}

#[test]
fn what_is_dated_ahead_is_in_no_metric_and_told_directly() {
    let scene = path("cloudwatch");
    scene.deliver(&[matches(&built_in(), 1, &[(NOW + 1_200, 1)])]);
    assert_eq!(scene.told().len(), 1);
}

#[test]
fn a_late_event_that_joins_an_incident_that_was_left_is_told_directly() {
    let scene = path("cloudwatch");
    scene.deliver(&[matches(&built_in(), 1, &[(NOW - 800, 1)])]);
    scene.world.advance(600);
    scene.deliver(&[matches(&built_in(), 2, &[(NOW - 801, 2)])]);
    assert_eq!(scene.told().len(), 0, "not within the hour");
    scene.world.advance(HOUR);
    scene.tick();
    assert_eq!(scene.told().len(), 1);
}

#[test]
fn a_burst_across_a_boundary_of_the_clock_is_told_directly_since_no_period_has_enough() {
    // It is three o'clock: a period ended ten minutes ago.
    let end = NOW - 600;
    for (events, told) in [
        ([end - 2, end - 1, end + 1], 1),
        ([end + 1, end + 2, end + 3], 0),
    ] {
        let scene = path("cloudwatch");
        let events: Vec<(i64, u64)> = events.into_iter().zip(1..).collect();
        let outcome = scene.deliver(&[matches(&native(3.0), 1, &events)]);
        assert_eq!(outcome.count("Incidents"), 1);
        assert_eq!(scene.told().len(), told, "{events:?}");
    }
    // Six in two periods: one of them has three.
    let scene = path("cloudwatch");
    let events: Vec<(i64, u64)> = (-3..3).map(|n| end + n).zip(1..).collect();
    scene.deliver(&[matches(&native(3.0), 1, &events)]);
    assert_eq!(scene.told().len(), 0);
}

#[test]
fn what_joins_an_incident_that_was_left_is_left_too() {
    let scene = path("cloudwatch");
    scene.deliver(&[matches(&built_in(), 1, &[(NOW - 10, 1)])]);
    scene.deliver(&[matches(&built_in(), 2, &[(NOW - 5, 2)])]);
    scene.world.advance(2 * HOUR);
    scene.tick();
    assert_eq!(scene.told().len(), 0);
    let heads = scene.heads();
    assert_eq!(heads[0].incidents[0].matched, 2);
}

#[test]
fn how_long_it_took_from_the_event_to_the_alarm_is_measured() {
    let scene = Scene::new();
    let outcome = scene.deliver(&[matches(&sign_ins(1.0), 1, &[(NOW - 42, 1)])]);
    assert_eq!(outcome.count("EventToAlarmSeconds"), 42);
}
