//! Chains that fall silent or are new, trails that change, and files that cannot be read.

use ports::{ErrorKind, Trail, TrailStatus};
use serde_json::json;
use testkit::chain::ReadFault;
use testkit::{Chain, Fault, TrailSpec};

use crate::scene::{BUCKET, HOUR, Scene, short};

const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail";

fn spec() -> TrailSpec {
    TrailSpec {
        hours: 5,
        logs_per_hour: 2,
        records_per_log: 1,
        ..TrailSpec::default()
    }
}

fn kinds(scene: &Scene) -> Vec<(String, usize)> {
    let samples = scene.samples().into_iter();
    samples
        .map(|(kind, samples)| (kind, samples.len()))
        .collect()
}

fn kind(name: &str, count: usize) -> (String, usize) {
    (name.to_owned(), count)
}

#[test]
fn a_clean_chain_is_validated_file_by_file_and_nothing_is_found() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 60,
        ..spec()
    });
    let scene = Scene::new(&chain);
    let outcome = scene.at_end(&chain);
    assert_eq!(outcome.count("DigestsValidated"), 60);
    assert_eq!(outcome.count("LogFilesValidated"), 120);
    assert_eq!(
        (
            outcome.count("ValidationRuns"),
            outcome.count("StreamsKnown")
        ),
        (1, 1)
    );
    assert_eq!(outcome.count("ValidationUnfinished"), 0);
    let answer = outcome.answer.unwrap();
    assert_eq!(
        (&answer["finished"], &answer["findings"]),
        (&json!(true), &json!(0))
    );
    let outcome = scene.next_hour(&mut chain);
    assert_eq!(outcome.count("DigestsValidated"), 1);
    assert_eq!(outcome.count("LogFilesValidated"), 2);
    for _ in 0..50 {
        scene.next_hour(&mut chain);
    }
    assert_eq!(kinds(&scene), []);
}

#[test]
fn anything_but_the_order_to_validate_is_an_error() {
    let scene = Scene::new(&Chain::of(&spec()));
    for payload in [
        json!({}),
        json!({ "validate": false }),
        json!({ "validate": true, "more": 1 }),
        json!([]),
        json!("validate"),
    ] {
        let outcome = scene.try_handle(payload.clone(), 900).unwrap();
        let error = outcome.answer.unwrap_err();
        assert!(
            error.contains(r#"expected {"validate": true}"#),
            "{payload}: {error}"
        );
    }
    assert_eq!(scene.world.requests(), [""; 0]);
}

#[test]
fn silence_is_told_once_and_again_after_it_had_ended() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    scene.world.advance(2 * HOUR);
    scene.validate();
    assert_eq!(kinds(&scene), []);
    scene.world.advance(HOUR);
    scene.validate();
    assert_eq!(kinds(&scene), [kind("Stale", 1)]);
    for _ in 0..5 {
        scene.world.advance(HOUR);
        assert_eq!(scene.validate().count("StreamsStale"), 1);
    }
    assert_eq!(kinds(&scene), [kind("Stale", 1)]);
    chain.grow(0, 9);
    scene.at_end(&chain);
    scene.world.advance(3 * HOUR);
    scene.validate();
    assert_eq!(kinds(&scene), [kind("Stale", 2)]);
}

#[test]
fn a_chain_that_ended_long_before_the_first_run_is_nobodys_concern() {
    let chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.deliver(&chain);
    scene.world.advance(20 * 24 * HOUR);
    let outcome = scene.validate();
    assert_eq!((kinds(&scene), outcome.count("StreamsKnown")), (vec![], 0));
}

#[test]
fn everything_of_a_region_is_gone_and_its_folder_with_it() {
    let mut chain = Chain::of_all(&[spec(), spec().in_region("eu-west-1")]);
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain
        .objects
        .retain(|(_, key), _| !key.contains("/eu-west-1/"));
    chain.grow(0, 4);
    scene.at_end(&chain);
    assert_eq!(
        kinds(&scene),
        [
            kind("DigestDeleted", 5),
            kind("LogNotFound", 10),
            kind("NoDigests", 1)
        ]
    );
}

#[test]
fn a_new_region_is_told_as_such_but_not_by_the_first_run() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    assert_eq!(kinds(&scene), []);
    chain.grow(0, 5);
    let start = chain.range().1 - 4 * HOUR;
    let elsewhere = TrailSpec {
        start,
        hours: 3,
        ..spec().in_region("eu-west-1")
    };
    chain.add(&elsewhere);
    scene.at_end(&chain);
    assert_eq!(kinds(&scene), [kind("NewStream", 1)]);
    let told = scene.sent();
    assert_eq!(told[0].filter.severity, "info");
    scene.next_hour(&mut chain);
    assert_eq!(kinds(&scene), [kind("NewStream", 1)]);
}

#[test]
fn a_digest_that_cannot_be_read_is_waited_for_and_passed_after_a_day() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let digest = chain.digest(0, 5);
    chain.make_unreadable(&digest, ReadFault::Denied);
    scene.at_end(&chain);
    assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
    let mut validated = 0;
    for hour in 0..26 {
        validated += scene.next_hour(&mut chain).count("DigestsValidated");
        assert_eq!(validated > 0, hour >= 23, "hour {hour}");
    }
    let found = scene.samples();
    assert_eq!(found["Unreadable"].len(), 1);
    assert_eq!(
        (found.get("DigestMissing"), found.get("Stale")),
        (None, None)
    );
}

#[test]
fn a_digest_that_can_be_read_again_is_validated_and_its_log_files_with_it() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    chain.make_unreadable(&chain.digest(0, 5), ReadFault::Denied);
    scene.at_end(&chain);
    chain.read_faults.clear();
    let outcome = scene.next_hour(&mut chain);
    assert_eq!(outcome.count("DigestsValidated"), 2);
    assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
}

#[test]
fn a_log_file_that_cannot_be_read_is_never_called_tampered_and_is_tried_again() {
    for fault in [
        ReadFault::Denied,
        ReadFault::Archived,
        ReadFault::ConnectionCut,
    ] {
        let mut chain = Chain::of(&spec());
        let scene = Scene::new(&chain);
        scene.at_end(&chain);
        chain.grow(0, 1);
        let log = chain.log(0, 5, 0);
        chain.make_unreadable(&log, fault);
        let outcome = scene.at_end(&chain);
        assert_eq!(outcome.count("LogFilesUnreadable"), 1);
        scene.next_hour(&mut chain);
        assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
        chain.read_faults.clear();
        chain.edit_records(&log, |records| records.clear());
        scene.next_hour(&mut chain);
        assert_eq!(
            kinds(&scene),
            [kind("LogHashMismatch", 1), kind("Unreadable", 1)]
        );
    }
}

#[test]
fn versions_tell_when_it_was_deleted_and_where_the_original_is() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.keeps_versions.set(true);
    scene.at_end(&chain);
    let (gone, changed) = (chain.log(0, 3, 0), chain.log(0, 4, 0));
    chain.delete(&gone);
    chain.edit_records(&changed, |records| records.clear());
    scene.next_hour(&mut chain);
    let facts = |kind: &str| {
        let sent = scene.sent();
        let message = sent
            .iter()
            .find(|message| message.filter.name == kind)
            .unwrap();
        let finding = message.evidence[0].finding.clone().unwrap();
        let labels: Vec<String> = finding
            .facts
            .iter()
            .map(|(label, _)| label.clone())
            .collect();
        (
            labels,
            finding.since.is_some(),
            finding.check_command.join(" "),
        )
    };
    let (labels, was_right, command) = facts("LogNotFound");
    assert_eq!(
        labels,
        [
            "deleted",
            "delete marker",
            "original version",
            "original written"
        ]
    );
    assert!(was_right);
    assert!(command.starts_with(
        "trailwarden validate-logs --strict --trail-arn arn:aws:cloudtrail:us-east-1:"
    ));
    let (labels, ..) = facts("LogChanged");
    assert!(
        labels.contains(&"original version".to_owned()),
        "{labels:?}"
    );
}

#[test]
fn versions_that_must_not_be_listed_are_left_out() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.delete(&chain.log(0, 3, 0));
    scene.deliver(&chain);
    scene
        .world
        .fail_all("ListObjectVersions", Fault::Fail(ErrorKind::AccessDenied));
    scene.world.advance(HOUR);
    assert!(scene.validate().finished());
    assert_eq!(kinds(&scene), [kind("LogNotFound", 1)]);
}

#[test]
fn trails_that_stop_change_or_go_are_told_once() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    let trail = Trail {
        arn: ARN.into(),
        name: "audit-trail".into(),
        home_region: "us-east-1".into(),
        bucket: BUCKET.into(),
        validates_log_files: true,
        ..Trail::default()
    };
    scene.world.add_trail(trail.clone());
    scene.at_end(&chain);
    assert_eq!(kinds(&scene), []);
    let status = |is_logging: bool, error: Option<&str>| TrailStatus {
        is_logging,
        latest_delivery_error: error.map(String::from),
        ..TrailStatus::default()
    };
    scene
        .world
        .set_trail_status(ARN, status(true, Some("AccessDenied")));
    scene.next_hour(&mut chain);
    scene
        .world
        .set_trail_status(ARN, status(false, Some("AccessDenied")));
    scene.next_hour(&mut chain);
    scene.next_hour(&mut chain);
    scene.world.add_trail(Trail {
        bucket: "amzn-s3-demo-bucket1".into(),
        validates_log_files: false,
        ..trail
    });
    scene.next_hour(&mut chain);
    scene.world.delete_trail(ARN);
    scene.next_hour(&mut chain);
    scene.next_hour(&mut chain);
    assert_eq!(
        kinds(&scene),
        [
            kind("TrailCannotDeliver", 1),
            kind("TrailChanged", 1),
            kind("TrailStopped", 2)
        ]
    );
    let changed = scene
        .sent()
        .into_iter()
        .find(|sent| sent.filter.name == "TrailChanged");
    let finding = changed.unwrap().evidence[0].finding.clone().unwrap();
    assert_eq!(
        finding.facts[1..3],
        [
            (
                "bucket".to_owned(),
                "amzn-s3-demo-bucket, now amzn-s3-demo-bucket1".to_owned()
            ),
            ("log file validation".to_owned(), "on, now off".to_owned()),
        ]
    );
}

#[test]
fn trails_that_must_not_be_described_are_no_finding() {
    let chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene
        .world
        .fail_all("DescribeTrails", Fault::Fail(ErrorKind::AccessDenied));
    scene.deliver_until(&chain, i64::MAX);
    scene
        .world
        .fail_all("DescribeTrails", Fault::Fail(ErrorKind::AccessDenied));
    scene.pass_until(chain.range().1 + 600);
    assert!(scene.validate().finished());
    assert_eq!(kinds(&scene), []);
}

#[test]
fn a_key_that_is_not_published_yet_is_asked_for_again() {
    let mut chain = Chain::of(&TrailSpec {
        key_changes: vec![5],
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let published = chain.public_keys.clone();
    let fingerprint = chain.digest(0, 5).fingerprint;
    chain.withdraw_key(&fingerprint);
    let outcome = scene.at_end(&chain);
    assert_eq!(outcome.count("DigestsValidated"), 0);
    chain.public_keys = published;
    let outcome = scene.next_hour(&mut chain);
    assert_eq!(outcome.count("DigestsValidated"), 2);
    assert_eq!(kinds(&scene), []);
}

#[test]
fn the_newest_digest_without_a_signature_is_proven_by_its_successor() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let digest = chain.digest(0, 5);
    chain.drop_all_metadata(&digest);
    assert_eq!(scene.at_end(&chain).count("DigestsValidated"), 0);
    assert_eq!(kinds(&scene), []);
    scene.next_hour(&mut chain);
    assert_eq!(kinds(&scene), [kind("DigestMetadataDamaged", 1)]);
    let place = scene.found().into_iter().next().unwrap().1;
    assert_eq!(short(&place), short(&digest.key));
}

#[test]
fn after_a_long_silence_only_what_nobody_vouches_for_is_found() {
    let mut chain = Chain::of(&TrailSpec {
        off_hours: (6..24 * 12).collect(),
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    scene.at_end(&chain);
    // Validation is off, but for the log files; the table forgets what has expired.
    for _ in 6..24 * 12 {
        chain.grow(0, 1);
    }
    scene.at_end(&chain);
    scene.world.delete_expired();
    for _ in 0..5 {
        scene.next_hour(&mut chain);
    }
    let unlisted = chain.streams[0].unlisted.len();
    assert_eq!(
        kinds(&scene),
        [
            kind("ChainRestart", 1),
            kind("Stale", 1),
            kind("UnreferencedLog", unlisted)
        ]
    );
}
