//! Every case of the test kit, by a first run and by one that follows a checkpoint.

use std::collections::BTreeSet;

use alarm_state::{Filter, Finding, FindingGuide, FindingStream};
use testkit::chain::{FoundBy, Staged, Tamper, TrailSpec, scenarios};

use crate::scene::{BUCKET, HOUR, Scene};

/// Hours that go by after something was done: what waits for patience or for a successor is decided by then.
const HOURS_AFTER: usize = 5;

/// What a run finds is one of these.
fn kinds(what: Tamper) -> &'static [&'static str] {
    match what {
        Tamper::LogDeleted => &["LogNotFound", "UnreferencedLogDeleted"],
        Tamper::LogModified | Tamper::LogDamaged | Tamper::LogTrailing => &[
            "LogHashMismatch",
            "LogBadFormat",
            "LogTrailingData",
            "LogTrailerCut",
            "LogChanged",
            "UnreferencedLog",
        ],
        Tamper::LogPlanted => &["UnreferencedLog"],
        Tamper::DigestDeleted => &["DigestMissing", "DigestDeleted"],
        Tamper::DigestModified => &["DigestBadSignature", "KeyUnknown", "DigestChanged"],
        Tamper::DigestDamaged => &["DigestBadFormat", "DigestChanged"],
        Tamper::DigestTrailing => &["DigestTrailingData", "DigestChanged"],
        Tamper::DigestReplaced => &["DigestLinkMismatch", "DigestChanged"],
        Tamper::DigestMoved => &["DigestMoved", "DigestChanged"],
        Tamper::SignatureDamaged | Tamper::SignatureLost => &[
            "DigestMetadataDamaged",
            "DigestSignatureMissing",
            "DigestBadSignature",
        ],
        Tamper::BackfillTimestampLost => &["KeyUnknown"],
        Tamper::DigestWeak => &[
            "UnknownAlgorithm",
            "DigestBadSignature",
            "DigestMetadataDamaged",
        ],
        Tamper::JunkObject => &["ForeignKeyName"],
        Tamper::Unreadable => &["Unreadable"],
        Tamper::Gap => &["ChainRestart", "QuietGap"],
        Tamper::Stopped => &["Stale", "NoDigests"],
        Tamper::KeyWithdrawn => &["KeyUnknown", "KeyUnusable"],
        Tamper::KeyNotValid => &["KeyOutsideValidity"],
        Tamper::Harmless | Tamper::BucketCopied => &[],
    }
}

/// What follows from something that was done, beside it.
const CONSEQUENCES: [&str; 6] = [
    // Log files of a digest that is not proven, or of a gap.
    "UnreferencedLog",
    "DigestMissing",
    "DigestLinkMismatch",
    "Stale",
    "NoDigests",
    "ChainRestart",
];

fn streams(staged: &Staged) -> BTreeSet<(String, String, String, String)> {
    let spec = |spec: &TrailSpec| {
        let place = spec
            .prefix
            .as_ref()
            .map_or(String::new(), |prefix| format!("/{prefix}"));
        (
            spec.account.clone(),
            spec.region.clone(),
            spec.trail.clone(),
            format!("s3://{BUCKET}{place}"),
        )
    };
    let all = staged.before.streams.iter().chain(&staged.chain.streams);
    all.map(|stream| spec(&stream.spec)).collect()
}

/// Whether there is a finding of this kind about an object.
fn has(scene: &Scene, staged: &Staged, kind: &str, location: &str) -> bool {
    let filter = Filter::finding(kind, "", "high", FindingGuide::default());
    let finding = Finding {
        location: location.to_owned(),
        ..Finding::default()
    };
    let samples = scene.samples();
    streams(staged)
        .into_iter()
        .any(|(account, region, trail, location)| {
            let stream = FindingStream {
                account,
                region,
                trail,
                location,
            };
            let id = finding.id(&filter, &stream);
            samples
                .get(kind)
                .is_some_and(|samples| samples.iter().any(|(_, known)| *known == id))
        })
}

/// Runs over what a case ends as, and the hours after it.
fn run_over(staged: &Staged, scene: &Scene, name: &str) {
    let mut chain = staged.chain.clone();
    scene.deliver(&chain);
    scene.pass_until(chain.range().1 + 600);
    scene.validate();
    let has_stopped = staged
        .tampered
        .what
        .iter()
        .any(|(what, ..)| *what == Tamper::Stopped);
    let hours = if name == WAITING { 0 } else { HOURS_AFTER };
    for _ in 0..hours {
        if !has_stopped && name != IN_THE_FUTURE {
            for stream in 0..chain.streams.len() {
                chain.grow(stream, 1);
            }
            scene.deliver(&chain);
        }
        scene.world.advance(HOUR);
        scene.validate();
    }
}

/// The next hour of this chain would be a restart.
const WAITING: &str = "log files wait for their digest";

/// The next digest of this chain would be put over what was put there.
const IN_THE_FUTURE: &str = "a digest that lies about its time is put in the future";

/// What happens in other buckets is not seen by a function that watches one.
const ELSEWHERE: [&str; 2] = [
    "the trail moves to another bucket",
    "all objects are in another bucket",
];

/// Of regular digests 40 days ago, when the backfill digests came, nothing is looked at again.
const LONG_AGO: &str = "a backfill digest is put in place of a regular one";

/// Nobody who comes later can know of digests that nothing names any more.
const WITHOUT_A_TRACE: &str = "the oldest digests are deleted with their log files";

fn names_of(scene: &Scene) -> BTreeSet<String> {
    scene.samples().into_keys().collect()
}

/// Whether what was done is found.
fn is_found(
    scene: &Scene,
    staged: &Staged,
    (what, bucket, key): &(Tamper, String, String),
) -> bool {
    let kinds = kinds(*what);
    match what {
        Tamper::Harmless => true,
        Tamper::Gap
        | Tamper::Stopped
        | Tamper::DigestWeak
        | Tamper::KeyWithdrawn
        | Tamper::KeyNotValid => {
            let found = names_of(scene);
            kinds.iter().any(|kind| found.contains(*kind))
        }
        _ => {
            let location = format!("s3://{bucket}/{key}");
            kinds.iter().any(|kind| has(scene, staged, kind, &location))
        }
    }
}

/// Findings that nothing explains that was done.
fn unexplained(scene: &Scene, staged: &Staged, found_by: FoundBy) -> Vec<String> {
    let what = staged.tampered.what.iter();
    let explained: Vec<&str> = what.flat_map(|(what, ..)| kinds(*what)).copied().collect();
    let follows = |kind: &str| found_by != FoundBy::Nobody && CONSEQUENCES.contains(&kind);
    let found = names_of(scene).into_iter();
    found
        .filter(|kind| !explained.contains(&kind.as_str()) && !follows(kind))
        .collect()
}

#[test]
fn what_is_done_after_a_checkpoint_is_found_and_nothing_else() {
    for scenario in scenarios() {
        let staged = (scenario.stage)();
        let name = scenario.name;
        if ELSEWHERE.contains(&name) || name == LONG_AGO {
            continue;
        }
        let scene = Scene::new(&staged.before);
        scene.at_end(&staged.before);
        run_over(&staged, &scene, name);
        for tamper in &staged.tampered.what {
            // The object is as it was; its turn to be read again comes within two days. A key that was good once is.
            let is_same = matches!(
                tamper.0,
                Tamper::Unreadable
                    | Tamper::KeyWithdrawn
                    | Tamper::KeyNotValid
                    | Tamper::BackfillTimestampLost
            );
            assert!(
                is_same || is_found(&scene, &staged, tamper),
                "{name}: {tamper:?}"
            );
        }
        assert_eq!(
            unexplained(&scene, &staged, scenario.found_by),
            [""; 0],
            "{name}"
        );
    }
}

#[test]
fn what_was_done_before_the_first_run_is_found_by_it_as_far_as_it_left_a_trace() {
    for scenario in scenarios() {
        let staged = (scenario.stage)();
        let name = scenario.name;
        let left_no_trace = scenario.found_by == FoundBy::Checkpoint || name == WITHOUT_A_TRACE;
        if ELSEWHERE.contains(&name) || left_no_trace {
            continue;
        }
        let scene = Scene::new(&staged.before);
        run_over(&staged, &scene, name);
        let tampers = &staged.tampered.what;
        let found = |tamper: &&(Tamper, String, String)| is_found(&scene, &staged, tamper);
        assert!(
            tampers.is_empty() || tampers.iter().any(|tamper| found(&tamper)),
            "{name}"
        );
        for tamper in tampers {
            // What a digest said that is gone or changed, too, is not known.
            let is_gone = matches!(tamper.0, Tamper::LogDeleted | Tamper::DigestDeleted);
            assert!(is_gone || found(&tamper), "{name}: {tamper:?}");
        }
        assert_eq!(
            unexplained(&scene, &staged, scenario.found_by),
            [""; 0],
            "{name}"
        );
    }
}
