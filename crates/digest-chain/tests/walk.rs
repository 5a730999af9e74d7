//! What the walk knows besides: where a chain began, what is missing at its end, copies, and how little it holds.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

#[allow(dead_code, reason = "other tests use the rest")]
mod support;

use std::io::Write as _;

use digest_chain::{
    ChainWalk, DigestKey, DigestObject, DigestRead, Finding, FindingKind, PublicKeys, Stream,
    display_time, in_chain_order,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use support::{digests, findings, keys, kinds, spec, stream, walk};
use testkit::chain::{Chain, Placed as _, TrailSpec};

const HOURS: usize = 8;
const MIB: usize = 1 << 20;

fn gzip(content: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// What anybody can put there: a digest of this hour that lies in place, is not signed, and has these members, too.
fn junk(stream: &Stream, hour: usize, members: &str, level: Compression) -> DigestRead {
    let start = 1_772_323_200 + 3_600 * i64::try_from(hour).unwrap();
    let end = start + 3_600;
    let key = stream.digest_key(end, false);
    let (start, end) = (display_time(start), display_time(end));
    let json = format!(
        r#"{{"digestPublicKeyFingerprint":"f","digestS3Bucket":"b","digestS3Object":"{key}","previousDigestSignature":null,
        "digestStartTime":"{start}","digestEndTime":"{end}",{members}}}"#
    );
    let read = DigestRead::of(DigestObject {
        bucket: "b".to_owned(),
        key,
        content: gzip(json.as_bytes(), level),
        metadata: [("signature".to_owned(), "ab".repeat(256))].into(),
    });
    assert!(read.opened().is_some());
    read
}

#[test]
fn a_list_of_log_files_stays_compressed_until_its_digest_is_proven() {
    let chain = Chain::of(&spec(HOURS));
    let stream = stream(&chain, 0);
    let log = r#"{"s3Bucket":"","s3Object":"","hashValue":""}"#;
    let count = 4 * MIB / log.len();
    let logs = format!(r#""logFiles":[{}]"#, vec![log; count].join(","));
    let texts = format!(r#""awsAccountId":"{}""#, "1".repeat(4 * MIB));
    let nested = format!(r#""awsAccountId":[{}0]"#, "0,".repeat(2 * MIB));
    for members in [logs.as_str(), &texts, &nested] {
        let read = junk(&stream, 0, members, Compression::new(6));
        assert!(read.held_bytes() < 32 << 10, "{}", read.held_bytes());
        let digest = read.opened().unwrap();
        assert_eq!(digest.file.log_files.capacity(), 0);
        assert_eq!(
            digest.log_files().len(),
            if members == logs { count } else { 0 }
        );
    }
    // A batch, and all that may wait, in a bucket full of them.
    let reads = 64 + 1_000;
    let read = junk(&stream, 0, &logs, Compression::new(6));
    assert!(reads * read.held_bytes() < 64 * MIB);
}

#[test]
fn log_files_of_proven_digests_are_all_there() {
    let chain = Chain::of(&TrailSpec {
        logs_per_hour: 3,
        ..spec(HOURS)
    });
    let examined = support::examined(&chain, &[1, 2]);
    for (hour, digest) in examined.iter().enumerate() {
        let told = &digest.trusted.as_ref().unwrap().file.log_files;
        let told: Vec<&String> = told.iter().map(|log| &log.key).collect();
        let digest = chain.digest(0, hour);
        let made: Vec<&String> = digest.logs.iter().map(|log| &log.key).collect();
        assert_eq!(told, made);
        assert_eq!(made.len(), 3);
    }
}

#[test]
fn what_waits_for_a_successor_is_bounded_in_bytes() {
    let chain = Chain::of(&spec(HOURS));
    let stream = stream(&chain, 0);
    let filler = format!(r#""filler":"{}""#, "x".repeat(MIB));
    let mut walk = ChainWalk::new(false, None);
    let (mut told, mut most) = (Vec::new(), 0);
    for hour in 0..40 {
        let read = junk(&stream, hour, &filler, Compression::none());
        assert!(read.held_bytes() > MIB);
        walk.listed([read.location()]);
        told.extend(walk.read(vec![read], &PublicKeys::new(), false));
        most = most.max(walk.held_bytes());
    }
    assert!(most > 8 * MIB && most <= 16 * MIB, "{most}");
    told.extend(walk.read(Vec::new(), &PublicKeys::new(), true));
    let ends: Vec<i64> = told
        .iter()
        .map(|digest| DigestKey::parse(&digest.location.key).unwrap().end)
        .collect();
    assert_eq!(ends.len(), 40);
    assert!(ends.is_sorted());
    assert_eq!(kinds(&told), [FindingKind::KeyUnknown].into());
}

#[test]
fn what_a_successor_proves_waits_no_longer() {
    let mut chain = Chain::of(&spec(HOURS));
    for hour in 0..HOURS {
        chain.drop_all_metadata(&chain.digest(0, hour));
    }
    let stream = stream(&chain, 0);
    let keys = keys(&chain, "us-east-1");
    let mut walk = ChainWalk::new(false, None);
    let mut examined = Vec::new();
    for read in digests(&chain, &stream, false) {
        let bytes = read.held_bytes();
        walk.listed([read.location()]);
        examined.extend(walk.read(vec![read], &keys, false));
        assert_eq!(walk.held_bytes(), bytes, "only the newest waits");
    }
    assert_eq!(examined.len(), HOURS - 1);
    assert!(examined.iter().all(|digest| digest.trusted.is_some()));
    let rest = walk.read(Vec::new(), &keys, true);
    assert_eq!(kinds(&rest), [FindingKind::DigestSignatureMissing].into());
}

#[test]
fn a_first_digest_that_names_none_is_a_restart_if_there_were_digests_before() {
    let chain = Chain::of(&TrailSpec {
        off_hours: vec![3, 4],
        ..spec(HOURS)
    });
    let stream = stream(&chain, 0);
    let keys = keys(&chain, "us-east-1");
    let all = &chain.streams[0].digests;
    let before = all.iter().find(|digest| digest.hour == 2).unwrap();
    let after = all.iter().find(|digest| digest.hour == 5).unwrap();
    let from = |end: i64, began: Option<i64>| {
        let mut reads = digests(&chain, &stream, false);
        reads.retain(|read| DigestKey::parse(&read.location().key).unwrap().end >= end);
        let new = ChainWalk::new(false, None).complete_from(end);
        let examined = walk(new.began_before(began), reads, &keys, &[1]);
        findings(&examined)
            .into_iter()
            .cloned()
            .collect::<Vec<Finding>>()
    };
    let restarts = from(after.end, Some(before.end));
    assert_eq!(restarts.len(), 1);
    assert_eq!(restarts[0].kind, FindingKind::ChainRestart);
    assert_eq!(restarts[0].range, Some((before.end, after.start)));
    assert_eq!(from(after.end, None), []);
    // One that is linked to what lies before the range is none.
    let linked = all.iter().find(|digest| digest.hour == 6).unwrap();
    assert_eq!(from(linked.end, Some(after.end)), []);
}

#[test]
fn a_run_that_is_missing_before_an_unproven_end_is_told() {
    let whole = Chain::of(&spec(HOURS));
    let stream = stream(&whole, 0);
    let keys = keys(&whole, "us-east-1");
    let at_end = |deleted: std::ops::Range<usize>, until: i64| {
        let mut chain = whole.clone();
        deleted.for_each(|hour| chain.delete(&whole.digest(0, hour)));
        chain.drop_all_metadata(&whole.digest(0, HOURS - 1));
        let reads = digests(&chain, &stream, false);
        let mut walk = ChainWalk::new(false, None);
        walk.listed(reads.iter().map(DigestRead::location));
        walk.read(reads, &keys, true);
        assert_eq!(walk.newest_present(), Some(whole.digest(0, HOURS - 1).end));
        walk.missing_at_end(until)
    };
    let (last, newest) = (whole.digest(0, 2).end, whole.digest(0, HOURS - 1).end);
    let finding = at_end(3..HOURS - 1, i64::MAX).unwrap();
    assert_eq!(finding.kind, FindingKind::DigestMissing);
    assert_eq!(finding.range, Some((last, newest)));
    assert_eq!(finding.count, Some(4));
    assert_eq!(at_end(0..0, i64::MAX), None);
    assert_eq!(at_end(3..HOURS - 1, last + 3_600), None);
}

#[test]
fn a_time_in_the_metadata_is_believed_where_it_can_be() {
    let chain = Chain::of(&TrailSpec {
        backfill_hours: vec![2],
        ..spec(HOURS)
    });
    let (standard, backfill) = (chain.digest(0, 2), chain.streams[0].backfill[0].clone());
    let generated = backfill.generated.unwrap();
    let stream = stream(&chain, 0);
    let signed_at = |is_backfill: bool, time: i64, now: i64| {
        let mut chain = chain.clone();
        let digest = if is_backfill { &backfill } else { &standard };
        let object = chain.objects.get_mut(&digest.place()).unwrap();
        let name = "backfill-generation-timestamp".to_owned();
        object.metadata.insert(name, display_time(time));
        let reads = digests(&chain, &stream, is_backfill);
        let is_meant = |read: &&DigestRead| read.location().key == digest.key;
        let read = reads.iter().find(is_meant).unwrap();
        let signed_at = read.opened().unwrap().signed_at_by(now);
        let new = ChainWalk::new(is_backfill, None).now(now);
        let examined = walk(new, reads, &keys(&chain, "us-east-1"), &[]);
        (
            signed_at.unwrap(),
            kinds(&examined).into_iter().collect::<Vec<FindingKind>>(),
        )
    };
    let damaged = vec![FindingKind::DigestMetadataDamaged];
    let (now, end) = (generated + 3_600, backfill.end);
    assert_eq!(signed_at(true, generated, now), (generated, vec![]));
    let too_early = vec![FindingKind::KeyOutsideValidity];
    assert_eq!(signed_at(true, end, now), (end, too_early));
    assert_eq!(signed_at(true, end - 1, now), (end, damaged.clone()));
    assert_eq!(signed_at(true, now + 1, now), (end, damaged));
    let years = 3 * 365 * 86_400;
    assert_eq!(
        signed_at(false, generated + years, i64::MAX).0,
        standard.end
    );
}

/// The chain with every object below another prefix.
fn below_a_prefix(chain: &Chain) -> (Chain, Stream) {
    let mut copied = chain.clone();
    copied.objects = std::mem::take(&mut copied.objects)
        .into_iter()
        .map(|((bucket, key), object)| ((bucket, format!("copy/{key}")), object))
        .collect();
    let mut stream = stream(chain, 0);
    stream.scope.prefix = "copy".to_owned();
    (copied, stream)
}

#[test]
fn a_copy_below_another_prefix_that_is_there_is_not_called_missing() {
    let mut chain = Chain::of(&spec(HOURS));
    chain.replace(&chain.digest(0, 3), b"no digest".to_vec());
    let (copied, stream) = below_a_prefix(&chain);
    let new = || ChainWalk::new(false, None).taking_copies(true);
    let keys = keys(&chain, "us-east-1");
    let examined = walk(new(), digests(&copied, &stream, false), &keys, &[2]);
    assert_eq!(kinds(&examined), [FindingKind::DigestBadFormat].into());
    // One that is not there is.
    let mut reads = digests(&copied, &stream, false);
    reads.remove(3);
    let examined = walk(new(), reads, &keys, &[2]);
    assert_eq!(kinds(&examined), [FindingKind::DigestMissing].into());
}

#[test]
fn copied_backfill_digests_find_their_order_by_their_links() {
    let mut chain = Chain::of(&TrailSpec {
        backfill_hours: vec![5, 1, 6, 2, 0],
        ..spec(HOURS)
    });
    let made = chain.streams[0].backfill.clone();
    for digest in &made {
        chain.drop_metadata(digest, "backfill-generation-timestamp");
    }
    let (copied, stream) = below_a_prefix(&chain);
    let ordered = in_chain_order(digests(&copied, &stream, true));
    let order: Vec<String> = ordered.iter().map(|read| read.location().key).collect();
    let made: Vec<String> = made
        .iter()
        .map(|digest| format!("copy/{}", digest.key))
        .collect();
    assert_eq!(order, made);
}
