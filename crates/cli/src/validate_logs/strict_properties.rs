//! Whatever is done to a clean chain, strict validation names it.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::bufread::GzDecoder;
use testkit::chain::{Chain, Placed, TrailSpec};

use super::strict_memory::{Kept, run};

/// A small chain with everything there is in one.
fn clean() -> Chain {
    Chain::of(&TrailSpec {
        hours: 5,
        logs_per_hour: 1,
        records_per_log: 1,
        late_hours: vec![3],
        insight_hours: vec![2],
        key_changes: vec![3],
        backfill_hours: vec![3, 1],
        ..TrailSpec::default()
    })
}

fn validated(chain: &Chain) -> Kept {
    let (start, end) = chain.range();
    run(chain, (start, end + 3_600)).0
}

fn places(chain: &Chain) -> Vec<(String, String)> {
    chain.objects.keys().cloned().collect()
}

fn is_named(kept: &Kept, (bucket, key): &(String, String)) -> bool {
    kept.names(bucket, key)
}

/// What an object inflates to if it is one gzip member that verifies, and nothing else.
fn inflated(mut content: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    GzDecoder::new(&mut content)
        .read_to_end(&mut inflated)
        .ok()?;
    content.is_empty().then_some(inflated)
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn every_flipped_byte_of_every_object_is_named() {
    let mut chain = clean();
    let mut silent = 0;
    for place in places(&chain) {
        let content = chain.object(&place).content.clone();
        let whole = inflated(&content);
        for byte in 0..content.len() {
            // Each bit of each byte would take minutes; which bit it is goes through all eight.
            chain.flip(&place, byte, u32::try_from(byte % 8).unwrap());
            let is_same = inflated(&chain.object(&place).content) == whole;
            silent += usize::from(is_same);
            let kept = validated(&chain);
            assert_eq!(
                is_named(&kept, &place),
                !is_same,
                "byte {byte} of {place:?}"
            );
            chain.replace(&place, content.clone());
        }
    }
    // Time, operating system and the like in headers, and bits behind the end of the compressed data.
    let objects = places(&chain).len();
    assert!(
        silent <= 10 * objects,
        "{silent} silent flips in {objects} objects"
    );
}

#[test]
fn every_flipped_byte_of_the_metadata_is_named() {
    let mut chain = clean();
    for place in places(&chain) {
        for (name, value) in chain.object(&place).metadata.clone() {
            for byte in 0..value.len() {
                chain.flip_metadata(&place, &name, byte, u32::try_from(byte % 7).unwrap());
                let kept = validated(&chain);
                // When a backfill digest was made nobody signs: another time says nothing wrong.
                let now = &chain.object(&place).metadata[&name];
                let is_time = name == "backfill-generation-timestamp"
                    && digest_chain::parse_time(now).is_some();
                assert!(
                    is_named(&kept, &place) || is_time,
                    "byte {byte} of {name} of {place:?}: {now}"
                );
                chain.set_metadata(&place, &name, &value);
            }
        }
    }
}

#[test]
fn every_object_that_is_copied_over_another_is_named() {
    let clean = clean();
    let places = places(&clean);
    for from in &places {
        for to in places.iter().filter(|to| *to != from) {
            let mut chain = clean.clone();
            chain.copy(from, to);
            assert!(is_named(&validated(&chain), to), "{from:?} over {to:?}");
        }
    }
}

#[test]
fn every_object_that_appears_under_another_name_is_named() {
    let clean = clean();
    let places = places(&clean);
    // Until then every log file of these hours was digested, however late it came.
    let mut clean = clean;
    clean.grow(0, 4);
    for from in places {
        let unique = from.1.len() - ".json.gz".len();
        let mut key = from.1.clone();
        key.insert(unique, 'A');
        let mut chain = clean.clone();
        let to = (from.0.clone(), key);
        chain.copy(&from, &to);
        assert!(is_named(&validated(&chain), &to), "{to:?}");
    }
}

/// The digest that lists a log file, or the digest itself.
fn digest_of(chain: &Chain, place: &(String, String)) -> testkit::chain::Digest {
    let stream = &chain.streams[0];
    let mut digests = stream.digests.iter().chain(&stream.backfill);
    let lists = |digest: &&testkit::chain::Digest| {
        digest.place() == *place || digest.logs.iter().any(|log| log.place() == *place)
    };
    digests.find(lists).unwrap().clone()
}

#[test]
fn any_objects_that_are_deleted_swapped_or_replaced_are_named() {
    let clean = clean();
    let places = places(&clean);
    let mut numbers = Numbers(5);
    for _ in 0..1_500 {
        let mut chain = clean.clone();
        for _ in 0..=numbers.below(6) {
            let (one, other) = (
                &places[numbers.below(places.len())],
                &places[numbers.below(places.len())],
            );
            let is_there = |chain: &Chain, place| chain.objects.contains_key(place);
            match numbers.below(4) {
                0 | 1 if is_there(&chain, one) => chain.delete(one),
                2 if is_there(&chain, one) && is_there(&chain, other) => chain.swap(one, other),
                3 if is_there(&chain, one) => chain.copy(one, other),
                _ => {}
            }
        }
        let kept = validated(&chain);
        let untouched: BTreeSet<_> = places
            .iter()
            .filter(|place| chain.objects.get(*place) == clean.objects.get(*place))
            .collect();
        for place in places.iter().filter(|place| !untouched.contains(place)) {
            let digest = digest_of(&clean, place);
            let is_without_digest = |end: i64| {
                kept.findings().any(|finding| {
                    finding
                        .range
                        .is_some_and(|(from, to)| from < end && end <= to)
                })
            };
            // Whose digest is gone or wrong, of that nobody says that it was there.
            let is_told = is_named(&kept, place)
                || is_without_digest(digest.end)
                || digest.place() != *place && !untouched.contains(&digest.place());
            // Nor of the newest digests of a chain; those of every hour are missed when it is time.
            let stream = &clean.streams[0];
            let behind = |digests: &[testkit::chain::Digest]| {
                let at = digests.iter().position(|other| other.key == digest.key);
                at.is_some_and(|at| {
                    digests[at..]
                        .iter()
                        .all(|later| !untouched.contains(&later.place()))
                })
            };
            let is_newest = behind(&stream.digests) || behind(&stream.backfill);
            // Nor of the oldest ones, if what was the next is there and proves nothing.
            let before = |digests: &[testkit::chain::Digest]| {
                let is_untouched =
                    |digest: &testkit::chain::Digest| untouched.contains(&digest.place());
                let at = digests.iter().position(|other| other.key == digest.key);
                let first = digests.iter().position(is_untouched);
                at.zip(first).is_some_and(|(at, first)| {
                    at + 1 < first && chain.objects.contains_key(&digests[first - 1].place())
                })
            };
            let is_oldest = before(&stream.digests) || before(&stream.backfill);
            assert!(
                is_told || is_newest || is_oldest,
                "{place:?} of {:?}",
                chain.objects.keys()
            );
        }
        for place in untouched {
            let named = kept.findings().find(|finding| {
                finding
                    .location
                    .as_ref()
                    .is_some_and(|location| location.key == place.1)
            });
            let is_log = !place.1.contains("CloudTrail-Digest");
            let is_unvouched = is_log && !kept.valid.iter().any(|valid| valid.key == place.1);
            assert!(named.is_none() || is_unvouched, "{place:?}: {named:?}");
        }
    }
}
