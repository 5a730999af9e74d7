//! Strict validation of every case there is, in memory.

use std::collections::BTreeMap;

use digest_chain::FindingKind;
use testkit::chain::{
    Chain, FoundBy, Placed as _, ReadFault, Staged, Tamper, TrailSpec, scenario, scenarios,
};

use super::strict::Found;
use super::strict_memory::{Kept, Memory, asked, options, run, run_with};
use super::strict_report::{finding_json, finding_text, summary_json, summary_text};
use crate::Outcome;

/// A few hours of one trail.
fn spec() -> TrailSpec {
    TrailSpec {
        hours: 10,
        logs_per_hour: 2,
        records_per_log: 1,
        ..TrailSpec::default()
    }
}

fn range(chain: &Chain) -> (i64, i64) {
    let (start, end) = chain.range();
    (start, end + 3_600)
}

/// Validates all Regions and accounts of a case.
fn staged_run(staged: &Staged, is_online: bool) -> (Kept, Found) {
    let mut memory = Memory::new(&staged.chain);
    memory.is_online = is_online;
    let mut options = options(staged.range);
    (options.all_regions, options.all_accounts) = (true, true);
    options.now = options.now.max(staged.chain.range().1);
    let asked = asked(&staged.chain.streams[0].spec, staged.range);
    run_with(&memory, &asked, &options).unwrap()
}

/// `log-not-found 3, stale 1`
fn counted(kept: &Kept) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in kept.findings() {
        *counts.entry(finding.kind.code()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(code, count)| format!("{code} {count}"))
        .collect();
    counts.join(", ")
}

#[test]
fn every_case_has_its_findings() {
    let told = scenarios().iter().map(|scenario| {
        let staged = (scenario.stage)();
        let (online, _) = staged_run(&staged, true);
        let (offline, _) = staged_run(&staged, false);
        let (online, offline) = (counted(&online), counted(&offline));
        let offline = match online == offline {
            true => String::new(),
            false => format!("; offline: {offline}"),
        };
        format!("{}: {online}{offline}\n", scenario.name)
    });
    insta::assert_snapshot!(told.collect::<String>());
}

#[test]
fn what_nobody_can_object_to_has_no_findings() {
    for scenario in scenarios()
        .iter()
        .filter(|scenario| scenario.found_by == FoundBy::Nobody)
    {
        let staged = (scenario.stage)();
        for is_online in [true, false] {
            let (kept, found) = staged_run(&staged, is_online);
            assert_eq!(counted(&kept), "", "{}", scenario.name);
            let totals = found.totals();
            assert_eq!(
                totals.digests.valid, totals.digests.total,
                "{}",
                scenario.name
            );
            assert_eq!(totals.logs.valid, totals.logs.total, "{}", scenario.name);
            assert_eq!(found.outcome(), Outcome::Fine);
        }
    }
}

#[test]
fn what_a_walk_or_a_listing_can_find_is_named() {
    for scenario in scenarios() {
        if matches!(scenario.found_by, FoundBy::Nobody | FoundBy::Checkpoint) {
            continue;
        }
        let staged = (scenario.stage)();
        let (kept, found) = staged_run(&staged, true);
        assert_ne!(counted(&kept), "", "{}", scenario.name);
        assert_ne!(found.outcome(), Outcome::CouldNotRunAsAwsCli);
        for (what, bucket, key) in &staged.tampered.what {
            let is_told = match what {
                Tamper::KeyWithdrawn | Tamper::KeyNotValid => {
                    let mut facts = kept.findings().flat_map(|finding| &finding.facts);
                    facts.any(|(_, value)| value == key)
                }
                Tamper::BucketCopied => kept.kinds().contains(&FindingKind::NoDigests),
                Tamper::Gap => kept.findings().any(|finding| {
                    let mut facts = finding.facts.iter();
                    finding.range.is_some() && facts.any(|(_, value)| value.contains(key.as_str()))
                }),
                Tamper::DigestDeleted | Tamper::LogDeleted | Tamper::DigestWeak => {
                    kept.names(bucket, key)
                        || is_in_a_range(&staged.chain, &kept, key)
                        || is_vouched_by_nobody_that_is_left(&staged, key)
                }
                _ => kept.names(bucket, key),
            };
            assert!(
                is_told,
                "{}: {what:?} {key}\n{}",
                scenario.name,
                counted(&kept)
            );
        }
    }
}

/// Whether a digest is named, or that of a log file, or one of its log files, or its time is told to be without one.
fn is_in_a_range(chain: &Chain, kept: &Kept, key: &str) -> bool {
    let digests = chain
        .streams
        .iter()
        .flat_map(|stream| stream.digests.iter().chain(&stream.backfill));
    let mut of_key =
        digests.filter(|digest| digest.key == key || digest.logs.iter().any(|log| log.key == key));
    of_key.any(|digest| {
        let is_log = |key: &String| digest.logs.iter().any(|log| log.key == *key);
        kept.findings().any(|finding| {
            let is_gap = finding
                .range
                .is_some_and(|(from, to)| from < digest.end && digest.end <= to);
            let location = finding.location.as_ref();
            is_gap
                || location
                    .is_some_and(|location| location.key == digest.key || is_log(&location.key))
        })
    })
}

/// Whether a log file is deleted of which no digest says any more that it was there.
fn is_vouched_by_nobody_that_is_left(staged: &Staged, key: &str) -> bool {
    let lists = |place: &(String, String)| {
        let text = String::from_utf8_lossy(&staged.chain.inflated(place)).into_owned();
        text.contains(key)
    };
    let places = staged.chain.objects.keys();
    let mut digests = places.filter(|(_, key)| key.contains("/CloudTrail-Digest/"));
    !digests.any(lists)
}

#[test]
fn log_files_of_unread_or_unproven_digests_are_not_called_planted() {
    for name in ["a digest may not be read", "no public key is published"] {
        let (kept, found) = staged_run(&scenario(name), true);
        assert!(
            !kept.kinds().contains(&FindingKind::UnreferencedLog),
            "{name}"
        );
        assert!(found.totals().unjudged > 0, "{name}");
    }
}

#[test]
fn unreadable_is_a_class_of_its_own_and_problems_weigh_more() {
    let mut chain = Chain::of(&spec());
    let (one, other) = (chain.log(0, 3, 0), chain.log(0, 5, 1));
    chain.make_unreadable(&one, ReadFault::Denied);
    let (kept, found) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "unreadable 1");
    assert_eq!(found.outcome(), Outcome::CouldNotRun);
    assert_eq!(found.totals().logs.valid, 19);
    chain.delete(&other);
    let (kept, found) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "log-not-found 1, unreadable 1");
    assert_eq!(found.outcome(), Outcome::Found);
}

#[test]
fn a_trail_may_move_to_another_bucket_and_back() {
    let chain = Chain::of(&TrailSpec {
        moves: vec![
            (3, "amzn-s3-demo-bucket1".into()),
            (6, "amzn-s3-demo-bucket".into()),
            (8, "amzn-s3-demo-bucket1".into()),
        ],
        ..spec()
    });
    let (kept, found) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "");
    assert_eq!(found.totals().digests.valid, 10);
    assert_eq!(found.totals().logs.valid, 20);
}

#[test]
fn what_is_wrong_in_the_earlier_bucket_is_found() {
    let mut chain = Chain::of(&TrailSpec {
        moves: vec![(6, "amzn-s3-demo-bucket1".into())],
        ..spec()
    });
    let planted = chain.plant_log(0, 2);
    let deleted = chain.digest(0, 4);
    chain.delete(&deleted);
    let (kept, _) = run(&chain, range(&chain));
    assert!(kept.names(&planted.0, &planted.1));
    assert!(kept.names(&deleted.bucket, &deleted.key));
}

#[test]
fn a_bucket_that_only_a_forged_digest_names_is_not_looked_at() {
    let mut chain = Chain::of(&spec());
    let digest = chain.digest(0, 5);
    chain.edit_json(&digest, |json| {
        json["previousDigestS3Bucket"] = "elsewhere".into()
    });
    let (kept, _) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "digest-bad-signature 1, unreferenced-log 2");
}

#[test]
fn a_chain_of_many_batches_is_walked_in_constant_concurrency() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 150,
        logs_per_hour: 1,
        records_per_log: 1,
        ..TrailSpec::default()
    });
    let log = chain.log(0, 130, 0);
    chain.delete(&log);
    chain.delete(&chain.digest(0, 64));
    let memory = Memory::new(&chain);
    let range = range(&chain);
    let asked = asked(&chain.streams[0].spec, range);
    let (kept, found) = run_with(&memory, &asked, &options(range)).unwrap();
    assert_eq!(
        counted(&kept),
        "digest-missing 1, log-not-found 1, unreferenced-log 1"
    );
    assert_eq!(found.totals().digests.valid, 149);
    assert_eq!(memory.most_under_way(), 8);
}

#[test]
fn another_trail_beside_it_makes_no_findings_and_vouches_for_its_files() {
    let mut chain = Chain::of(&spec());
    let other = TrailSpec {
        trail: "other".into(),
        start: spec().start - 1_500,
        hours: 9,
        ..spec()
    };
    chain.add(&other);
    let of_other = chain.log(1, 4, 0);
    let (start, end) = chain.range();
    let (kept, found) = run(&chain, (start + 3_000, end + 3_600));
    assert_eq!(counted(&kept), "");
    assert_eq!(found.totals().digests.total, 10);
    assert!(found.totals().other_trails.contains("other"));
    // What is wrong with the other trail's files is for whoever validates that trail.
    chain.delete(&of_other);
    let (kept, _) = run(&chain, (start + 3_000, end + 3_600));
    assert_eq!(counted(&kept), "");
}

#[test]
fn of_another_account_every_trail_is_validated() {
    let mut chain = Chain::of(&spec());
    let mut theirs = spec().in_account("123456789012");
    theirs.trail = "theirs".into();
    chain.add(&theirs);
    let log = chain.log(1, 4, 0);
    chain.delete(&log);
    let range = range(&chain);
    let mut options = options(range);
    options.all_accounts = true;
    let asked = asked(&chain.streams[0].spec, range);
    let (kept, found) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    assert_eq!(counted(&kept), "log-not-found 1");
    assert_eq!(kept.findings[0].0.trail, "theirs");
    assert_eq!(found.streams.len(), 2);
}

#[test]
fn a_copy_is_valid_only_if_copies_are_allowed() {
    let staged = scenario("all objects are in another bucket");
    let copy = "amzn-s3-demo-destination-bucket";
    let mut asked = asked(&staged.chain.streams[0].spec, staged.range);
    asked.bucket = copy.into();
    let mut options = options(staged.range);
    let memory = Memory::new(&staged.chain);
    let (kept, _) = run_with(&memory, &asked, &options).unwrap();
    assert!(kept.kinds().contains(&FindingKind::DigestMoved));
    options.takes_copies = true;
    let (kept, found) = run_with(&memory, &asked, &options).unwrap();
    assert_eq!(counted(&kept), "valid-copy 1");
    assert_eq!(found.totals().logs.valid, 48);
    assert_eq!(found.outcome(), Outcome::Fine);
    // A file that is missing in the copy is missing, and one that was planted there, planted.
    let mut chain = staged.chain.clone();
    let log = chain.log(0, 3, 0);
    chain.rename(
        &(copy, log.key.as_str()),
        &(copy, log.key.replace("Z_", "Z_X").as_str()),
    );
    let (kept, _) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    assert_eq!(
        counted(&kept),
        "log-not-found 1, unreferenced-log 1, valid-copy 1"
    );
}

#[test]
fn a_copy_below_another_prefix_is_valid_if_copies_are_allowed() {
    let original = Chain::of(&spec());
    let mut chain = original.clone();
    for (bucket, key) in original.objects.keys() {
        chain.rename(
            &(bucket.as_str(), key.as_str()),
            &(bucket.as_str(), format!("backup/{key}").as_str()),
        );
    }
    let range = range(&chain);
    let mut asked = asked(&spec(), range);
    asked.prefix = "backup".into();
    let mut options = options(range);
    options.takes_copies = true;
    let (kept, found) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    assert_eq!(counted(&kept), "valid-copy 1");
    assert_eq!(found.totals().logs.valid, 20);
}

#[test]
fn an_organization_s_folder_is_named_to_those_who_left_it_out() {
    let staged = scenario("an organization trail");
    let mut asked = asked(&staged.chain.streams[0].spec, staged.range);
    asked.organization_id = None;
    let error = run_with(&Memory::new(&staged.chain), &asked, &options(staged.range)).err();
    let error = error.unwrap().to_string();
    assert!(
        error.contains("--organization-id o-exampleorgid"),
        "{error}"
    );
}

#[test]
fn whoever_looks_in_the_wrong_place_is_told_what_is_where() {
    let chain = Chain::of(&spec());
    let range = range(&chain);
    let facts = |change: fn(&mut super::asked::Asked)| {
        let mut asked = asked(&spec(), range);
        change(&mut asked);
        let (kept, found) = run_with(&Memory::new(&chain), &asked, &options(range)).unwrap();
        assert_eq!(found.outcome(), Outcome::Found);
        let nothing = kept
            .findings()
            .find(|finding| finding.kind == FindingKind::NoDigests);
        nothing
            .unwrap()
            .facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    };
    let facts = |change| -> Vec<String> { facts(change) };
    assert_eq!(
        facts(|asked| asked.region = "eu-west-1".into()),
        [
            "Regions with digests: us-east-1",
            "accounts there: 111122223333"
        ]
    );
    assert_eq!(
        facts(|asked| asked.account_id = "123456789012".into()),
        ["accounts there: 111122223333"]
    );
    assert_eq!(
        facts(|asked| asked.prefix = "elsewhere".into()),
        ["folders of the bucket: AWSLogs"]
    );
    assert!(
        facts(|asked| asked.trail.name = "another".into())
            .contains(&"other trails there: audit-trail".to_owned())
    );
}

#[test]
fn a_range_too_short_for_a_digest_is_no_finding() {
    let chain = Chain::of(&spec());
    let end = chain.range().1;
    let (kept, found) = run(&chain, (end + 60, end + 3_000));
    assert_eq!(counted(&kept), "");
    assert_eq!(found.outcome(), Outcome::Fine);
}

#[test]
fn what_is_older_than_objects_are_kept_has_expired() {
    let mut chain = Chain::of(&spec());
    for hour in 0..4 {
        let digest = chain.digest(0, hour);
        chain.delete_with_logs(&digest);
    }
    let range = range(&chain);
    let asked = asked(&spec(), range);
    let mut options = options(range);
    let memory = Memory::new(&chain);
    let (kept, _) = run_with(&memory, &asked, &options).unwrap();
    assert_eq!(counted(&kept), "digest-missing 1");
    options.kept_from = Some(spec().start_of(4) + 60);
    let (kept, found) = run_with(&memory, &asked, &options).unwrap();
    assert_eq!(counted(&kept), "expired 1");
    assert_eq!(found.outcome(), Outcome::Fine);
}

#[test]
fn backfill_digests_that_do_not_say_when_they_were_made_are_proven_all_the_same() {
    let staged = scenario("backfill digests do not say when they were made");
    let range = staged.chain.range();
    let asked = asked(&staged.chain.streams[0].spec, range);
    let mut options = options(range);
    options.now += 60 * 86_400;
    let (kept, found) = run_with(&Memory::new(&staged.chain), &asked, &options).unwrap();
    assert_eq!(counted(&kept), "digest-metadata-damaged 3");
    assert_eq!(found.totals().backfill.valid, 3);
}

#[test]
fn a_deleted_run_does_not_hide_behind_a_damaged_digest() {
    let mut chain = Chain::of(&spec());
    for hour in 3..6 {
        let digest = chain.digest(0, hour);
        chain.delete_with_logs(&digest);
    }
    let last = chain.digest(0, 6);
    chain.cut_in_half(&last);
    let (kept, _) = run(&chain, range(&chain));
    let missing = kept
        .findings()
        .find(|finding| finding.kind == FindingKind::DigestMissing);
    assert_eq!(missing.unwrap().count, Some(3));
    assert!(kept.names(&last.bucket, &last.key));
}

#[test]
fn a_folder_that_a_person_made_is_nothing() {
    let mut chain = Chain::of(&spec());
    let base = chain.streams[0].spec.base();
    for folder in ["CloudTrail", "CloudTrail-Digest"] {
        let key = format!("{base}{folder}/us-east-1/2026/03/01/");
        chain.put(&("amzn-s3-demo-bucket", key.as_str()), b"");
    }
    let (kept, _) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "");
}

#[test]
fn a_file_planted_near_the_end_of_the_range_is_found_by_the_digests_behind_it() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 14,
        ..spec()
    });
    let planted = chain.plant_log(0, 7);
    let end = spec().start_of(8);
    let mut memory = Memory::new(&chain);
    memory.is_online = false;
    let mut options = options((spec().start, end));
    options.now = chain.range().1;
    let asked = asked(&spec(), (spec().start, end));
    let (kept, found) = run_with(&memory, &asked, &options).unwrap();
    assert!(kept.names(&planted.0, &planted.1));
    assert_eq!(counted(&kept), "unreferenced-log 1");
    assert_eq!(found.totals().digests.total, 9);
}

#[test]
fn a_file_that_was_written_just_now_may_wait_for_its_digest_unless_its_name_is_old() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 30,
        ..spec()
    });
    let (old, new) = (chain.plant_log(0, 2), chain.plant_log(0, 27));
    let range = range(&chain);
    for place in [&old, &new] {
        chain.objects.get_mut(place).unwrap().delivered = range.1 - 600;
    }
    let (kept, found) = run(&chain, range);
    assert!(kept.names(&old.0, &old.1));
    assert_eq!(counted(&kept), "unreferenced-log 1");
    assert_eq!(found.totals().pending, 1);
}

#[test]
fn log_files_that_were_copied_in_place_are_judged_as_before() {
    let mut chain = Chain::of(&spec());
    let range = chain.range();
    for object in chain.objects.values_mut() {
        object.delivered = range.1 + 86_400;
    }
    chain.make_unreadable(&chain.digest(0, 4), ReadFault::Denied);
    let asked = asked(&spec(), range);
    let mut options = options(range);
    options.now = range.1 + 30 * 86_400;
    let (kept, found) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    assert_eq!(counted(&kept), "unreadable 1");
    assert_eq!(found.totals().unjudged, 2);
}

/// Validates a part of a chain, when the whole of it is there.
fn run_later(chain: &Chain, range: (i64, i64), is_online: bool) -> (Kept, Found) {
    let mut memory = Memory::new(chain);
    memory.is_online = is_online;
    let mut options = options(range);
    options.now = chain.range().1;
    run_with(&memory, &asked(&chain.streams[0].spec, range), &options).unwrap()
}

/// Twenty hours, of which the range ends with the eighth; the digest of the ninth is validated, too.
fn long() -> (Chain, (i64, i64)) {
    let spec = TrailSpec {
        hours: 20,
        ..spec()
    };
    (Chain::of(&spec), (spec.start, spec.start_of(8)))
}

#[test]
fn the_last_digests_of_a_past_range_are_missed() {
    let (mut chain, range) = long();
    for hour in 6..9 {
        chain.delete_with_logs(&chain.digest(0, hour));
    }
    let (kept, found) = run_later(&chain, range, true);
    assert_eq!(counted(&kept), "digest-missing 1");
    assert_eq!(kept.findings[0].1.count, Some(3));
    assert_eq!(found.totals().digests.total, 6);
    // What is missing behind the range is not its matter.
    let (mut chain, range) = long();
    chain.delete_with_logs(&chain.digest(0, 9));
    chain.cut_in_half(&chain.digest(0, 11));
    let (kept, _) = run_later(&chain, range, true);
    assert_eq!(counted(&kept), "");
}

#[test]
fn a_short_past_range_without_digests_is_told() {
    let (mut chain, (_, end)) = long();
    for hour in 6..9 {
        chain.delete_with_logs(&chain.digest(0, hour));
    }
    let (kept, _) = run_later(&chain, (end - 3_600, end), true);
    assert_eq!(counted(&kept), "no-digests 1");
}

#[test]
fn the_last_digest_of_a_past_range_is_proven_by_the_next() {
    let (mut chain, range) = long();
    chain.drop_all_metadata(&chain.digest(0, 8));
    let (kept, found) = run_later(&chain, range, true);
    assert_eq!(counted(&kept), "digest-metadata-damaged 1");
    assert_eq!(found.totals().digests.valid, 9);
}

#[test]
fn a_log_file_that_is_delivered_hours_behind_the_range_is_listed_there() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 20,
        late_hours: vec![15],
        late_by_hours: 8,
        ..spec()
    });
    let range = (spec().start, spec().start_of(8));
    for is_online in [true, false] {
        let (kept, _) = run_later(&chain, range, is_online);
        assert_eq!(counted(&kept), "", "{is_online}");
    }
    let planted = chain.plant_log(0, 7);
    let (_, now) = chain.range();
    chain.objects.get_mut(&planted).unwrap().delivered = now - 4 * 3_600;
    for is_online in [true, false] {
        let (kept, _) = run_later(&chain, range, is_online);
        assert_eq!(counted(&kept), "unreferenced-log 1", "{is_online}");
        assert!(kept.names(&planted.0, &planted.1));
    }
}

#[test]
fn an_unproven_digest_of_an_invented_trail_excuses_no_planted_file() {
    let mut chain = Chain::of(&spec());
    let planted = chain.plant_log(0, 5);
    chain.objects.get_mut(&planted).unwrap().delivered = spec().start_of(5) + 1_300;
    let other = Chain::of(&TrailSpec {
        trail: "invented".into(),
        ..spec()
    });
    let forged = other.digest(0, 5);
    let place = forged.place();
    chain
        .objects
        .insert(place.clone(), other.object(&place).clone());
    chain.edit_json(&place, |json| {
        json["digestPublicKeyFingerprint"] = "00112233445566778899aabbccddeeff".into();
    });
    let (kept, found) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "key-unknown 1, unreferenced-log 1");
    assert!(kept.names(&planted.0, &planted.1));
    assert_eq!(found.totals().unjudged, 0);
    // One that cannot be read is an excuse, and told.
    chain.make_unreadable(&place, ReadFault::Archived);
    let (kept, found) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "unreadable 1");
    assert_eq!(found.totals().unjudged, 1);
    assert_eq!(found.outcome(), Outcome::CouldNotRun);
}

#[test]
fn a_chain_that_begins_anew_at_the_start_of_the_range_is_a_restart() {
    let chain = Chain::of(&TrailSpec {
        off_hours: vec![4, 5],
        empty_hours: vec![4, 5],
        ..spec()
    });
    let (start, end) = (spec().start_of(5), chain.range().1);
    let (kept, _) = run(&chain, (start, end));
    assert_eq!(counted(&kept), "chain-restart 1");
    assert_eq!(kept.findings[0].1.range, Some((start, spec().start_of(6))));
    let (kept, _) = run(&chain, (spec().start - 7_200, end));
    assert_eq!(counted(&kept), "chain-restart 1, new-stream 1");
}

#[test]
fn everything_in_an_earlier_bucket_is_read() {
    let moving = TrailSpec {
        moves: vec![(6, "amzn-s3-demo-bucket1".into())],
        backfill_hours: vec![2],
        backfill_after_days: 0,
        ..spec()
    };
    let mut chain = Chain::of(&moving);
    chain.add(&TrailSpec {
        trail: "other".into(),
        start: moving.start - 1_500,
        ..moving
    });
    let (kept, found) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "");
    assert_eq!(found.totals().backfill.valid, 1);
    assert!(found.totals().other_trails.contains("other"));
}

#[test]
fn a_digest_that_cannot_be_read_hides_no_deleted_ones_before_it() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 20,
        backfill_hours: vec![18],
        backfill_after_days: 0,
        ..spec()
    });
    for hour in 10..19 {
        chain.delete_with_logs(&chain.digest(0, hour));
    }
    chain.make_unreadable(&chain.digest(0, 19), ReadFault::Denied);
    let (kept, _) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "digest-missing 1, unreadable 1");
    assert!(kept.findings().any(|finding| finding.count == Some(9)));
    // What is unproven behind the range does not stand for what is missing in it.
    let (mut chain, range) = long();
    for hour in 6..20 {
        let digest = chain.digest(0, hour);
        match hour {
            6..9 => chain.delete_with_logs(&digest),
            _ => chain.cut_in_half(&digest),
        }
    }
    let (kept, _) = run_later(&chain, range, true);
    assert_eq!(counted(&kept), "stale 1");
    assert_eq!(
        kept.findings[0].1.range,
        Some((spec().start_of(6), range.1))
    );
}

#[test]
fn keys_that_cannot_be_asked_for_excuse_only_what_they_were_asked_for() {
    let mut chain = Chain::of(&TrailSpec {
        backfill_hours: vec![2],
        ..spec()
    });
    let forged = chain.digest(0, 4);
    chain.edit_json(&forged, |json| {
        json["digestPublicKeyFingerprint"] = "00112233445566778899aabbccddeeff".into();
    });
    let mut memory = Memory::new(&chain);
    memory.keys_before = spec().start + 86_400;
    let range = range(&chain);
    let (kept, _) = run_with(&memory, &asked(&spec(), range), &options(range)).unwrap();
    assert_eq!(counted(&kept), "key-unknown 1, unreadable 1");
    assert!(kept.names(&forged.bucket, &forged.key));
}

#[test]
fn a_name_alone_displaces_no_trail_of_another_account() {
    let mut chain = Chain::of(&spec());
    let mut theirs = spec().in_account("123456789012");
    chain.add(&TrailSpec {
        trail: "theirs".into(),
        ..theirs.clone()
    });
    theirs.trail = spec().trail;
    let named = theirs.digest_key(theirs.end_of(3), false);
    chain.put(&("amzn-s3-demo-bucket", named.as_str()), b"x");
    let log = chain.log(1, 4, 0);
    chain.delete(&log);
    let range = range(&chain);
    let mut options = options(range);
    options.all_accounts = true;
    let asked = asked(&spec(), range);
    let (kept, _) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    assert!(kept.names(&log.bucket, &log.key));
    assert!(kept.names("amzn-s3-demo-bucket", &named));
}

#[test]
fn folders_in_place_of_regions_are_told_and_every_kind_of_log_file_makes_a_region() {
    let mut chain = Chain::of(&spec());
    let range = range(&chain);
    let base = spec().base();
    let log = chain.log(0, 5, 0).key;
    let elsewhere = log
        .replace("/CloudTrail/", "/CloudTrail-Insight/")
        .replace("_CloudTrail_", "_CloudTrail-Insight_")
        .replace("us-east-1", "eu-west-1");
    let place = ("amzn-s3-demo-bucket".to_owned(), elsewhere.clone());
    chain.put(&place, b"x");
    chain.objects.get_mut(&place).unwrap().delivered = spec().start_of(5) + 1_300;
    let region = format!("{base}CloudTrail/no region/");
    chain.put(
        &("amzn-s3-demo-bucket", format!("{region}x").as_str()),
        b"x",
    );
    let mut options = options(range);
    options.all_regions = true;
    let asked = asked(&spec(), range);
    let (kept, _) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    assert_eq!(
        counted(&kept),
        "foreign-key-name 1, no-digests 1, unreferenced-log 1"
    );
    assert!(kept.names("amzn-s3-demo-bucket", &elsewhere));
    assert!(kept.names("amzn-s3-demo-bucket", &region));
}

#[test]
fn junk_behind_all_days_is_told_in_every_range() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 50,
        ..spec()
    });
    let junk = ["CloudTrail-Digest", "CloudTrail"]
        .map(|folder| format!("{}{folder}/us-east-1/zzz.json.gz", spec().base()));
    for key in &junk {
        chain.put(&("amzn-s3-demo-bucket", key.as_str()), b"x");
    }
    let (kept, _) = run_later(&chain, (spec().start, spec().start_of(5)), true);
    assert_eq!(counted(&kept), "foreign-key-name 1, unreferenced-log 1");
    assert!(
        junk.iter()
            .all(|key| kept.names("amzn-s3-demo-bucket", key))
    );
}

#[test]
fn a_range_that_is_older_than_objects_are_kept_has_expired() {
    let mut chain = Chain::of(&spec());
    let range = range(&chain);
    let asked = asked(&spec(), range);
    let mut options = options(range);
    options.now += 10 * 86_400;
    options.kept_from = Some(range.1 + 86_400);
    for hour in 0..10 {
        chain.delete_with_logs(&chain.digest(0, hour));
        let (kept, found) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
        assert!(
            kept.kinds()
                .iter()
                .all(|kind| *kind == FindingKind::Expired),
            "{}",
            counted(&kept)
        );
        assert_eq!(found.outcome(), Outcome::Fine);
    }
}

#[test]
fn a_flood_of_foreign_names_is_counted() {
    let mut chain = Chain::of(&spec());
    let folder = chain.digest(0, 2).key;
    for number in 0..1_200 {
        let key = folder.replace(".json.gz", &format!("_{number}.json.gz"));
        chain.put(&("amzn-s3-demo-bucket", key.as_str()), b"x");
    }
    let (kept, _) = run(&chain, range(&chain));
    assert_eq!(counted(&kept), "foreign-key-name 1001");
    assert!(kept.findings().any(|finding| finding.count == Some(200)));
}

#[test]
fn findings_and_summaries_read_well() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 16,
        off_hours: vec![8],
        empty_hours: vec![8],
        backfill_hours: vec![2],
        backfill_after_days: 0,
        ..spec()
    });
    let (deleted, changed) = (chain.log(0, 3, 0), chain.log(0, 5, 1));
    chain.delete(&deleted);
    chain.edit_records(&changed, Vec::clear);
    chain.make_unreadable(&chain.log(0, 6, 0), ReadFault::Archived);
    let metadata = chain.digest(0, 10);
    chain.drop_all_metadata(&metadata);
    let (bucket, key) = chain.digest(0, 12).place();
    chain.put(
        &(
            bucket.as_str(),
            key.replace(".json", "\u{1b}[31m.json").as_str(),
        ),
        b"x",
    );
    let range = range(&chain);
    let asked = asked(&spec(), range);
    let options = options(range);
    let (kept, found) = run_with(&Memory::new(&chain), &asked, &options).unwrap();
    let mut text: String = kept
        .findings
        .iter()
        .map(|(stream, finding)| finding_text(stream, finding) + "\n")
        .collect();
    text += &summary_text(&asked, &found);
    text += "\n";
    for (stream, finding) in &kept.findings {
        text += &format!("{}\n", finding_json(stream, finding));
    }
    text += &format!("{:#}\n", summary_json(&asked, &options, &found));
    insta::assert_snapshot!(text);
}

#[test]
fn every_finding_is_explained() {
    let page = include_str!("../../../../docs/integrity.md");
    for kind in FindingKind::ALL {
        let code = format!("`{}`", kind.code());
        let mut rows = page.lines().filter(|line| line.starts_with("| `"));
        let is_explained =
            rows.any(|row| row.split(" | ").next().unwrap_or_default().contains(&code));
        assert!(is_explained, "{code}");
    }
}
