//! Junk, faults of reading and outages: nothing of it blinds the function, and nothing of it is told for what it is not.

use ports::{ErrorKind, Trail};
use testkit::chain::ReadFault;
use testkit::{Chain, Fault, TrailSpec};

use crate::scene::{BUCKET, HOUR, Scene};

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

/// Puts an object that is no digest under a name.
fn junk(scene: &Scene, key: &str) {
    scene.world.put_object(BUCKET, key, b"x".to_vec());
}

#[test]
fn a_name_in_the_future_is_told_at_once_and_hides_no_silence_and_no_digest() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    let trail = chain.streams[0].spec.clone();
    junk(&scene, &trail.digest_key(4_102_444_800, false));
    scene.validate();
    assert_eq!(kinds(&scene), [kind("ForeignKeyName", 1)]);
    scene.world.advance(3 * HOUR);
    scene.validate();
    let told = [kind("ForeignKeyName", 1), kind("Stale", 1)];
    assert_eq!(kinds(&scene), told);
    // Nobody asks for three days, and then all of them are gone through.
    chain.grow(0, 72);
    let outcome = scene.at_end(&chain);
    assert_eq!(outcome.count("DigestsValidated"), 72);
    assert_eq!(kinds(&scene), told);
}

#[test]
fn archived_digests_hold_up_nothing_and_their_log_files_are_not_called_planted() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 4);
    for hour in [5, 6, 7] {
        chain.make_unreadable(&chain.digest(0, hour), ReadFault::Archived);
    }
    let outcome = scene.at_end(&chain);
    assert_eq!(outcome.count("DigestsValidated"), 1);
    for _ in 0..6 {
        assert_eq!(scene.next_hour(&mut chain).count("DigestsValidated"), 1);
    }
    assert_eq!(kinds(&scene), [kind("Unreadable", 3)]);
}

#[test]
fn archived_history_is_one_finding_with_a_count() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 60,
        ..spec()
    });
    for hour in 0..20 {
        chain.make_unreadable(&chain.digest(0, hour), ReadFault::Archived);
    }
    let scene = Scene::new(&chain);
    assert_eq!(scene.at_end(&chain).count("DigestsValidated"), 40);
    scene.next_hour(&mut chain);
    assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
    let finding = scene.sent()[0].evidence[0].finding.clone().unwrap();
    let files = ("files".to_owned(), "about 20".to_owned());
    assert!(finding.facts.contains(&files), "{:?}", finding.facts);
}

#[test]
fn many_digests_that_are_denied_cost_a_day_together_and_silence_is_told_after_it() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 30);
    for hour in 5..35 {
        chain.make_unreadable(&chain.digest(0, hour), ReadFault::Denied);
    }
    scene.at_end(&chain);
    let stale = kind("Stale", 1);
    assert!(kinds(&scene).contains(&stale), "{:?}", kinds(&scene));
    chain.read_faults.clear();
    assert_eq!(scene.next_hour(&mut chain).count("DigestsValidated"), 31);
}

#[test]
fn a_digest_that_was_waited_for_and_is_gone_hides_no_silence() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let digest = chain.digest(0, 5);
    chain.make_unreadable(&digest, ReadFault::Denied);
    scene.at_end(&chain);
    chain.read_faults.clear();
    chain.delete(&digest);
    scene.deliver(&chain);
    scene.world.advance(3 * HOUR);
    scene.validate();
    assert_eq!(scene.samples()["Stale"].len(), 1);
}

#[test]
fn a_region_that_gives_no_keys_is_said_once_and_waited_for() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    for hour in 0..3 {
        chain.grow(0, 1);
        scene.deliver(&chain);
        scene
            .world
            .fail_all("ListPublicKeys", Fault::Fail(ErrorKind::AccessDenied));
        scene.pass_until(chain.range().1 + 600);
        let outcome = scene.validate();
        assert!(outcome.finished());
        assert_eq!(outcome.count("DigestsValidated"), 0, "{hour}");
        assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
    }
    assert_eq!(scene.next_hour(&mut chain).count("DigestsValidated"), 9);
    assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
}

#[test]
fn what_does_not_answer_once_is_not_told() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    chain.make_unreadable(&chain.log(0, 5, 0), ReadFault::ConnectionCut);
    scene.at_end(&chain);
    chain.read_faults.clear();
    chain.grow(0, 1);
    chain.make_unreadable(&chain.digest(0, 6), ReadFault::ConnectionCut);
    scene.at_end(&chain);
    chain.read_faults.clear();
    assert_eq!(scene.next_hour(&mut chain).count("DigestsValidated"), 2);
    assert_eq!(kinds(&scene), []);
    chain.grow(0, 1);
    chain.make_unreadable(&chain.digest(0, 8), ReadFault::ConnectionCut);
    scene.at_end(&chain);
    scene.next_hour(&mut chain);
    scene.next_hour(&mut chain);
    assert_eq!(kinds(&scene), [kind("Unreadable", 1)]);
}

#[test]
fn junk_with_long_names_fills_no_item_and_is_told_once() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    let trail = chain.streams[0].spec.clone();
    let day = trail.digest_key(chain.range().1, false);
    let day = day.rsplit_once('/').unwrap().0.to_owned();
    let log = trail.log_key("CloudTrail", chain.range().1, "x");
    let log_day = log.rsplit_once('/').unwrap().0.to_owned();
    let long = "\u{1}".repeat(700);
    for n in 0..700 {
        junk(&scene, &format!("{day}/{n}{long}"));
        junk(&scene, &format!("{log_day}/{n}{long}"));
        let account = format!("{}AWSLogs/{n:012}/CloudTrail-Digest/us-east-1/x", long);
        junk(&scene, &account);
        junk(
            &scene,
            &format!("AWSLogs/111122223333/CloudTrail-Digest/{n}{long}/x"),
        );
    }
    scene.next_hour(&mut chain);
    let foreign = |scene: &Scene| scene.samples()["ForeignKeyName"].len();
    let told = foreign(&scene);
    assert!((602..1_400).contains(&told), "{told}");
    for _ in 0..2 {
        scene.next_hour(&mut chain);
        assert_eq!(foreign(&scene), told);
    }
    for item in scene.world.items() {
        let ports::Body::Text(text) = &item.body else {
            panic!()
        };
        assert!(text.len() < 350_000, "{}: {}", item.key.sort, text.len());
    }
}

#[test]
fn invented_trails_keep_no_genuine_one_out() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    for n in 0..40 {
        let invented = TrailSpec {
            trail: format!("invented-{n}"),
            ..chain.streams[0].spec.clone()
        };
        junk(&scene, &invented.digest_key(chain.range().1, false));
    }
    scene.validate();
    chain.grow(0, 3);
    let start = chain.range().1 - 2 * HOUR;
    chain.add(&TrailSpec {
        trail: "second-trail".into(),
        start,
        hours: 2,
        ..spec()
    });
    let outcome = scene.at_end(&chain);
    assert!(outcome.count("DigestsValidated") >= 5, "{outcome:?}");
    assert_eq!(scene.samples()["NewStream"].len(), 1);
}

#[test]
fn nothing_at_all_is_told_once() {
    let chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.world.add_trail(Trail {
        arn: "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail".into(),
        name: "audit-trail".into(),
        home_region: "us-east-1".into(),
        bucket: BUCKET.into(),
        validates_log_files: false,
        ..Trail::default()
    });
    scene.validate();
    assert_eq!(kinds(&scene), [kind("TrailStopped", 1)]);
    for _ in 0..5 {
        scene.world.advance(HOUR);
        scene.validate();
    }
    let told = [kind("NoDigests", 1), kind("TrailStopped", 1)];
    assert_eq!(kinds(&scene), told);
}

#[test]
fn a_folder_in_which_nothing_is_ever_proven_is_told_as_such() {
    let mut chain = Chain::of(&spec());
    chain.withdraw_all_keys();
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    for _ in 0..4 {
        scene.world.advance(HOUR);
        scene.validate();
    }
    assert_eq!(scene.samples()["Stale"].len(), 1);
}

#[test]
fn what_gets_worse_is_told_again() {
    let mut chain = Chain::of(&spec());
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 1);
    let (log, digest) = (chain.log(0, 5, 0), chain.digest(0, 4));
    chain.cut(&log, 4);
    chain.drop_all_metadata(&digest);
    scene.at_end(&chain);
    scene.next_hour(&mut chain);
    let mut told = vec![kind("DigestMetadataDamaged", 1), kind("LogTrailerCut", 1)];
    assert_eq!(kinds(&scene), told);
    chain.put(&log, b"x");
    scene.next_hour(&mut chain);
    told.insert(1, kind("LogHashMismatch", 1));
    assert_eq!(kinds(&scene), told);
    chain.delete(&log);
    chain.delete(&digest);
    scene.next_hour(&mut chain);
    scene.next_hour(&mut chain);
    told.insert(0, kind("DigestDeleted", 1));
    told.insert(3, kind("LogNotFound", 1));
    assert_eq!(kinds(&scene), told);
}

#[test]
fn objects_that_are_written_anew_as_they_were_are_no_finding() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 90,
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    scene.next_hour(&mut chain);
    scene.world.advance(600);
    for ((bucket, key), object) in &chain.objects {
        let (content, metadata) = (object.content.clone(), object.metadata.clone());
        scene.world.put_object_with(bucket, key, content, metadata);
    }
    for _ in 0..6 {
        scene.next_hour(&mut chain);
    }
    assert_eq!(kinds(&scene), []);
}

#[test]
fn what_was_validated_before_an_outage_is_looked_at_after_it() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 30,
        ..spec()
    });
    let scene = Scene::new(&chain);
    scene.at_end(&chain);
    chain.grow(0, 60);
    chain.delete(&chain.log(0, 20, 0));
    chain.delete(&chain.digest(0, 15));
    scene.at_end(&chain);
    assert_eq!(
        kinds(&scene),
        [kind("DigestDeleted", 1), kind("LogNotFound", 1)]
    );
}
