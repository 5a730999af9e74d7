//! Whatever is done to the digests of a chain, the walk names them; whatever batches they come in.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

mod support;

use std::sync::OnceLock;

use digest_chain::{ChainWalk, DigestRead, FindingKind, in_chain_order};
use proptest::prelude::*;
use support::{digests, examined, findings, inflated, is_named, keys, kinds, spec, stream, walk};
use testkit::chain::{Chain, Placed as _, TrailSpec};

const HOURS: usize = 8;

fn clean() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| Chain::of(&spec(HOURS)))
}

fn with_backfill() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        Chain::of(&TrailSpec {
            backfill_hours: vec![5, 1, 6, 2, 0],
            ..spec(HOURS)
        })
    })
}

#[test]
fn every_flipped_bit_of_a_digest_is_named() {
    for hour in [0, 3, HOURS - 1] {
        let mut chain = clean().clone();
        let digest = chain.digest(0, hour);
        let (bucket, key) = digest.place();
        let content = chain.object(&digest).content.clone();
        for byte in 0..content.len() {
            let bit = u32::try_from(byte % 8).unwrap();
            chain.flip(&digest, byte, bit);
            let is_same = inflated(&chain.object(&digest).content).as_ref() == Some(&digest.json);
            let examined = examined(&chain, &[]);
            assert_eq!(
                is_named(&examined, &bucket, &key),
                !is_same,
                "byte {byte}, bit {bit}"
            );
            chain.replace(&digest, content.clone());
        }
    }
}

#[test]
fn every_flipped_bit_of_the_metadata_is_named() {
    for hour in [0, 3, HOURS - 1] {
        for name in ["signature", "signature-algorithm"] {
            let mut chain = clean().clone();
            let digest = chain.digest(0, hour);
            let (bucket, key) = digest.place();
            for byte in 0..chain.object(&digest).metadata[name].len() {
                let bit = u32::try_from(byte % 7).unwrap();
                chain.flip_metadata(&digest, name, byte, bit);
                let examined = examined(&chain, &[]);
                assert!(
                    is_named(&examined, &bucket, &key),
                    "{name}, byte {byte}, bit {bit}"
                );
                let is_last = hour == HOURS - 1;
                let is_trusted = examined[hour].trusted.is_some();
                assert_eq!(
                    is_trusted,
                    !is_last || name != "signature" || is_case(byte, bit, &digest.signature)
                );
                chain.flip_metadata(&digest, name, byte, bit);
            }
        }
    }
}

/// Whether flipping this bit of hex digits changes a letter's case only.
fn is_case(byte: usize, bit: u32, text: &str) -> bool {
    bit == 5 && text.as_bytes()[byte].is_ascii_alphabetic()
}

/// What is done to a digest.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Delete(usize),
    Replace(usize, usize),
    Swap(usize, usize),
    LoseMetadata(usize),
    Append(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let hour = 0..HOURS;
    prop_oneof![
        hour.clone().prop_map(Deed::Delete),
        (hour.clone(), hour.clone()).prop_map(|(from, to)| Deed::Replace(from, to)),
        (hour.clone(), hour.clone()).prop_map(|(one, other)| Deed::Swap(one, other)),
        hour.clone().prop_map(Deed::LoseMetadata),
        hour.prop_map(Deed::Append),
    ]
}

fn done(deeds: &[Deed]) -> Chain {
    let mut chain = clean().clone();
    let digest = |hour| clean().digest(0, hour);
    let is_there = |chain: &Chain, hour| chain.objects.contains_key(&digest(hour).place());
    for deed in deeds {
        match *deed {
            Deed::Delete(hour) if is_there(&chain, hour) => chain.delete(&digest(hour)),
            Deed::Replace(from, to) if from != to && is_there(&chain, from) => {
                chain.copy(&digest(from), &digest(to));
            }
            Deed::Swap(one, other)
                if one != other && is_there(&chain, one) && is_there(&chain, other) =>
            {
                chain.swap(&digest(one), &digest(other));
            }
            Deed::LoseMetadata(hour) if is_there(&chain, hour) => {
                chain.drop_all_metadata(&digest(hour));
            }
            Deed::Append(hour) if is_there(&chain, hour) => chain.append(&digest(hour), b"more"),
            _ => {}
        }
    }
    chain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_done_to_digests_is_named(deeds in prop::collection::vec(deed(), 0..6)) {
        let chain = done(&deeds);
        let examined = examined(&chain, &[]);
        let before = |hour: usize| clean().digest(0, hour);
        let is_there = |hour: usize| chain.objects.contains_key(&before(hour).place());
        let newest = (0..HOURS).rev().find(|&hour| is_there(hour));
        for hour in 0..HOURS {
            let digest = before(hour);
            let (bucket, key) = digest.place();
            let is_as_delivered = chain.objects.get(&digest.place()) == Some(&digest.object());
            let is_in_a_run = findings(&examined).iter().any(|finding| {
                let is_missing = finding.kind == FindingKind::DigestMissing;
                is_missing && finding.range.is_some_and(|(from, to)| from < digest.end && digest.end <= to)
            });
            // What lies behind the newest digest is missed by those who know the time.
            let is_behind = newest.is_none_or(|newest| hour > newest);
            // Unproven digests behind the newest proven one say nothing about what is missing among them.
            let is_seen = (hour..HOURS).any(|later| examined.iter().any(|digest| {
                digest.location.key == before(later).key && digest.trusted.is_some()
            }));
            // Nor do those that are there before the oldest proven one.
            let is_proven = |hour: usize| examined.iter().any(|digest| {
                digest.location.key == before(hour).key && digest.trusted.is_some()
            });
            let oldest = (0..HOURS).find(|&hour| is_proven(hour)).unwrap_or(HOURS);
            let is_before = (hour + 1..oldest).any(is_there);
            let is_found = is_named(&examined, &bucket, &key) || is_in_a_run;
            if is_as_delivered {
                prop_assert!(!is_named(&examined, &bucket, &key), "hour {hour} was not touched");
            } else if is_there(hour) || !is_behind && is_seen && !is_before {
                prop_assert!(is_found, "hour {hour}: {:?}", findings(&examined));
            }
        }
    }

    #[test]
    fn batches_change_nothing(
        deeds in prop::collection::vec(deed(), 0..4),
        sizes in prop::collection::vec(0..4_usize, 0..6),
    ) {
        let chain = done(&deeds);
        prop_assert_eq!(examined(&chain, &sizes), examined(&chain, &[]));
    }

    #[test]
    fn backfill_digests_find_their_order(seed in Just(()).prop_perturb(|(), mut rng| rng.next_u64())) {
        let chain = with_backfill();
        let stream = stream(chain, 0);
        let mut reads = digests(chain, &stream, true);
        let mut rng = seed;
        for at in (1..reads.len()).rev() {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            reads.swap(at, usize::try_from(rng >> 33).unwrap() % (at + 1));
        }
        let ordered = in_chain_order(reads);
        let made: Vec<String> = chain.streams[0].backfill.iter().map(|digest| digest.key.clone()).collect();
        let order: Vec<String> = ordered.iter().map(|read| read.location().key).collect();
        prop_assert_eq!(order, made);
        let keys = keys(chain, "us-east-1");
        let examined = walk(ChainWalk::new(true, None), ordered, &keys, &[2]);
        prop_assert_eq!(findings(&examined), Vec::<&digest_chain::Finding>::new());
    }
}

#[test]
fn backfill_digests_without_a_time_find_their_order_by_their_links() {
    let mut chain = with_backfill().clone();
    for digest in chain.streams[0].backfill.clone() {
        chain.drop_metadata(&digest, "backfill-generation-timestamp");
    }
    let ordered = in_chain_order(digests(&chain, &stream(&chain, 0), true));
    let order: Vec<String> = ordered.iter().map(|read| read.location().key).collect();
    let made: Vec<String> = chain.streams[0]
        .backfill
        .iter()
        .map(|digest| digest.key.clone())
        .collect();
    assert_eq!(order, made);
    let examined = walk(
        ChainWalk::new(true, None),
        ordered,
        &keys(&chain, "us-east-1"),
        &[],
    );
    assert_eq!(
        kinds(&examined),
        [FindingKind::DigestMetadataDamaged].into()
    );
}

#[test]
fn an_untouched_chain_of_any_shape_has_no_findings() {
    let shapes: [TrailSpec; 6] = [
        spec(HOURS),
        TrailSpec {
            empty_hours: (0..HOURS).collect(),
            ..spec(HOURS)
        },
        TrailSpec {
            late_hours: vec![2, 3],
            insight_hours: vec![4],
            ..spec(HOURS)
        },
        TrailSpec {
            key_changes: vec![1, 5],
            ..spec(HOURS)
        },
        TrailSpec {
            prefix: Some("a/AWSLogs/b".into()),
            organization_id: Some("o-exampleorgid".into()),
            ..spec(HOURS)
        },
        TrailSpec {
            moves: vec![
                (3, "amzn-s3-demo-bucket1".into()),
                (6, "amzn-s3-demo-bucket".into()),
            ],
            ..spec(HOURS)
        },
    ];
    for shape in shapes {
        let chain = Chain::of(&shape);
        let examined = examined(&chain, &[3, 1]);
        assert_eq!(
            findings(&examined),
            Vec::<&digest_chain::Finding>::new(),
            "{shape:?}"
        );
        assert!(examined.iter().all(|digest| digest.trusted.is_some()));
        assert_eq!(examined.len(), HOURS);
    }
}

#[test]
fn reads_that_failed_are_opened_by_nobody() {
    let read = DigestRead::unreadable(digest_chain::Location::new("b", "k"), "denied");
    assert!(read.opened().is_none());
    assert_eq!(read.location().to_string(), "s3://b/k");
}
