//! The walk over a chain in memory.

use std::collections::BTreeSet;

use digest_chain::{
    ChainWalk, DigestKey, DigestObject, DigestRead, Examined, Finding, FindingKind, Location,
    PublicKey, PublicKeys, Stream,
};
use flate2::bufread::GzDecoder;
use testkit::chain::{Chain, Object, TrailSpec};

/// A day of one trail in a bucket.
pub(crate) fn spec(hours: usize) -> TrailSpec {
    TrailSpec {
        hours,
        logs_per_hour: 1,
        records_per_log: 1,
        ..TrailSpec::default()
    }
}

/// The stream with this number.
pub(crate) fn stream(chain: &Chain, number: usize) -> Stream {
    let spec = &chain.streams[number].spec;
    DigestKey::parse(&spec.digest_key(spec.start, false))
        .unwrap()
        .stream
}

/// What is published in a Region.
pub(crate) fn keys(chain: &Chain, region: &str) -> PublicKeys {
    let mut keys = PublicKeys::new();
    keys.extend(chain.public_keys[region].iter().map(|key| PublicKey {
        fingerprint: key.fingerprint.clone(),
        der: key.value.clone(),
        validity_start: key.validity_start,
        validity_end: key.validity_end,
    }));
    keys
}

/// The digests of a stream that are there, the oldest first.
pub(crate) fn digests(chain: &Chain, stream: &Stream, is_backfill: bool) -> Vec<DigestRead> {
    let is_meant = |key: &DigestKey| key.stream == *stream && key.is_backfill == is_backfill;
    let there = chain.objects.iter().filter_map(|((bucket, key), object)| {
        let end = DigestKey::parse(key).filter(is_meant)?.end;
        Some((end, DigestRead::of(digest_object(bucket, key, object))))
    });
    let mut there: Vec<(i64, DigestRead)> = there.collect();
    there.sort_by_key(|(end, _)| *end);
    there.into_iter().map(|(_, read)| read).collect()
}

fn digest_object(bucket: &str, key: &str, object: &Object) -> DigestObject {
    DigestObject {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        content: object.content.clone(),
        metadata: object.metadata.clone(),
    }
}

/// Walks over digests in batches of these sizes, then over the rest in one.
pub(crate) fn walk(
    mut walk: ChainWalk,
    reads: Vec<DigestRead>,
    keys: &PublicKeys,
    sizes: &[usize],
) -> Vec<Examined> {
    let mut reads = reads.into_iter();
    let mut examined = Vec::new();
    for &size in sizes {
        let batch: Vec<DigestRead> = reads.by_ref().take(size).collect();
        walk.listed(batch.iter().map(DigestRead::location));
        examined.extend(walk.read(batch, keys, false));
    }
    let rest: Vec<DigestRead> = reads.collect();
    walk.listed(rest.iter().map(DigestRead::location));
    examined.extend(walk.read(rest, keys, true));
    examined
}

/// Walks over the digests of the first stream, all of which should be there.
pub(crate) fn examined(chain: &Chain, sizes: &[usize]) -> Vec<Examined> {
    let stream = stream(chain, 0);
    let new = ChainWalk::new(false, None).complete_from(chain.range().0);
    let keys = keys(chain, &stream.scope.region);
    walk(new, digests(chain, &stream, false), &keys, sizes)
}

/// All findings.
pub(crate) fn findings(examined: &[Examined]) -> Vec<&Finding> {
    examined
        .iter()
        .flat_map(|digest| &digest.findings)
        .collect()
}

/// The kinds of all findings.
pub(crate) fn kinds(examined: &[Examined]) -> BTreeSet<FindingKind> {
    findings(examined)
        .iter()
        .map(|finding| finding.kind)
        .collect()
}

/// Whether a finding names an object.
pub(crate) fn is_named(examined: &[Examined], bucket: &str, key: &str) -> bool {
    let location = Location::new(bucket, key);
    findings(examined)
        .iter()
        .any(|finding| finding.location.as_ref() == Some(&location))
}

/// What an object inflates to if it is one gzip member that verifies, and nothing else.
pub(crate) fn inflated(mut content: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    let mut decoder = GzDecoder::new(&mut content);
    std::io::copy(&mut decoder, &mut inflated).ok()?;
    content.is_empty().then_some(inflated)
}
