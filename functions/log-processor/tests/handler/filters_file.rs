//! The filters in force: loaded, changed, refused, remembered, missing.

use ports::ErrorKind;
use testkit::Fault;

use crate::scene::{FILTERS_BUCKET, FILTERS_KEY, STOPPED, Scene, key, stop_logging};

/// The same filter under another name.
fn renamed() -> String {
    STOPPED.replace("TrailStopped", "Renamed")
}

const BROKEN: &str = "metric_filters:\n  - name: Broken\n    pattern: '{ $.eventName ~= x }'\n";

/// Processes a new log file and returns the filter that matched.
fn matching_filter(scene: &Scene) -> String {
    let key = scene.put(&[stop_logging("a")]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), [""; 0], "{}", outcome.log);
    scene.matches().pop().unwrap().filter.name
}

fn reads(scene: &Scene) -> usize {
    scene.requests(&format!("GetObject s3://{FILTERS_BUCKET}/"))
}

#[test]
fn a_changed_file_is_in_force_after_a_minute_and_looked_at_no_oftener() {
    let scene = Scene::new();
    assert_eq!(matching_filter(&scene), "TrailStopped");
    scene.put_filters(&renamed());
    scene.world.advance(59);
    assert_eq!(matching_filter(&scene), "TrailStopped");
    assert_eq!(reads(&scene), 1);
    scene.world.advance(1);
    assert_eq!(matching_filter(&scene), "Renamed");
    assert_eq!(reads(&scene), 2);
}

#[test]
fn a_file_with_faults_changes_nothing_and_is_told_once_with_all_of_them() {
    let scene = Scene::new();
    matching_filter(&scene);
    scene.put_filters(BROKEN);
    scene.world.advance(60);
    let key = scene.put(&[stop_logging("b")]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FiltersRefused"), 1);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!(scene.matches().pop().unwrap().filter.name, "TrailStopped");
    assert!(
        outcome.log.contains("~=") && outcome.log.contains("`metric`"),
        "{}",
        outcome.log
    );
    scene.world.advance(60);
    let key = scene.put(&[stop_logging("c")]);
    assert_eq!(scene.announce(&[&key]).count("FiltersRefused"), 0);
    scene.world.advance(60);
    scene.put_filters(&renamed());
    assert_eq!(matching_filter(&scene), "Renamed");
}

#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    for kind in [
        ErrorKind::AccessDenied,
        ErrorKind::NotFound,
        ErrorKind::Throttled,
        ErrorKind::TooLarge,
    ] {
        let scene = Scene::new();
        matching_filter(&scene);
        scene.world.fail_all(
            &format!("GetObject s3://{FILTERS_BUCKET}/"),
            Fault::Fail(kind),
        );
        scene.world.advance(60);
        let key = scene.put(&[stop_logging("b")]);
        let outcome = scene.announce(&[&key]);
        assert_eq!(outcome.count("FilesProcessed"), 1, "{kind}");
        assert_eq!(outcome.count("FiltersRefused"), 1, "{kind}");
    }
}

#[test]
fn a_new_process_uses_the_last_good_file_if_the_present_one_is_none() {
    let scene = Scene::new();
    matching_filter(&scene);
    for remove in [false, true] {
        match remove {
            false => scene.put_filters(BROKEN),
            true => scene.world.delete_object(FILTERS_BUCKET, FILTERS_KEY),
        }
        scene.start_anew();
        assert_eq!(matching_filter(&scene), "TrailStopped");
    }
    // The next good one replaces it, and is the last good one then.
    scene.put_filters(&renamed());
    scene.world.advance(60);
    assert_eq!(matching_filter(&scene), "Renamed");
    scene.put_filters(BROKEN);
    scene.start_anew();
    assert_eq!(matching_filter(&scene), "Renamed");
}

#[test]
fn without_any_filters_messages_fail_and_are_processed_once_there_are_some() {
    let scene = Scene::with_filters(BROKEN);
    let key = scene.put(&[stop_logging("a")]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), ["m1"]);
    assert_eq!(outcome.count("FilesFailed:no_filters"), 1);
    assert_eq!(outcome.count("FiltersRefused"), 1);
    let entry = scene.entry(&key).unwrap();
    assert_eq!(entry.reason.as_deref(), Some("no_filters"));
    scene.put_filters(STOPPED);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.failed(), [""; 0], "without waiting a minute");
    assert_eq!(scene.matches().len(), 1);
}

#[test]
fn a_profile_without_filters_is_as_bad_as_no_file() {
    let filters = format!("s3://{FILTERS_BUCKET}/{FILTERS_KEY}");
    let scene = Scene::with_environment(&[("FILTERS_OBJECT", &filters), ("PROFILE", "cis")]);
    scene.put_filters(&STOPPED.replace("severity: critical", "profiles: { mine: {} }"));
    let outcome = scene.announce(&[&key(77)]);
    assert_eq!(outcome.count("FilesFailed:no_filters"), 1);
    assert!(
        outcome
            .log
            .contains("no filter is in profile `cis`, expected one of: mine"),
        "{}",
        outcome.log
    );
}

#[test]
fn a_table_that_cannot_be_written_costs_no_filters() {
    let scene = Scene::new();
    scene
        .world
        .fail_all("PutItem filters", Fault::Fail(ErrorKind::AccessDenied));
    assert_eq!(matching_filter(&scene), "TrailStopped");
}

#[test]
fn the_built_in_filters_need_no_file_and_have_the_namespace_of_the_stack() {
    let scene = Scene::with_environment(&[("METRIC_NAMESPACE", "Security")]);
    let key = scene.put(&[stop_logging("a")]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert!(!scene.matches().is_empty());
    for document in scene.documents() {
        assert_eq!(
            document["_aws"]["CloudWatchMetrics"][0]["Namespace"],
            "Security"
        );
    }
    assert_eq!(reads(&scene), 0);
}
