//! Public keys of Regions, each asked for once.

use std::collections::HashMap;

use digest_chain::{DigestRead, Location, OpenedDigest, PublicKeys};

use super::store::{ReadError, Store};

/// How long after the end of the range the keys of its last digests may begin.
const KEYS_AFTER_SECONDS: i64 = 2 * 3_600;

/// What was asked for a digest answers for those signed so shortly before or after, too.
const DAY_SECONDS: u64 = 86_400;

/// So often keys of other times than those of the range are asked for. Metadata that nobody signs say of which.
const MOST_REQUESTS: usize = 100;

/// The public keys that were asked for, by Region.
#[derive(Debug)]
pub(super) struct KeyRing {
    range: (i64, i64),
    now: i64,
    regions: HashMap<String, RegionKeys>,
}

/// The keys of one Region.
#[derive(Debug, Default)]
struct RegionKeys {
    keys: PublicKeys,
    /// For which times keys were asked, with more to either side; why there was no answer.
    asked: Vec<(i64, Option<String>)>,
}

impl KeyRing {
    /// Keys of what is signed in this range, in Unix seconds.
    pub(super) fn new(range: (i64, i64), now: i64) -> Self {
        KeyRing {
            range,
            now,
            regions: HashMap::new(),
        }
    }

    /// Asks for the keys of a Region, unless that was done.
    ///
    /// # Errors
    /// They could not be asked for.
    pub(super) async fn prepare<S: Store>(
        &mut self,
        store: &S,
        region: &str,
    ) -> Result<(), ReadError> {
        if self.regions.contains_key(region) {
            return Ok(());
        }
        let (start, end) = self.range;
        let end = end.saturating_add(KEYS_AFTER_SECONDS);
        let keys = store.public_keys(region, start, end).await?;
        let of_region = RegionKeys {
            keys,
            ..RegionKeys::default()
        };
        self.regions.insert(region.to_owned(), of_region);
        Ok(())
    }

    /// Asks once more around the digests whose keys are not known. Those whose keys could not be asked for are answered,
    /// with the reason.
    pub(super) async fn complete<S: Store>(
        &mut self,
        store: &S,
        region: &str,
        digests: &[DigestRead],
    ) -> Vec<(Location, String)> {
        let mut failed = Vec::new();
        let of_region = self.regions.entry(region.to_owned()).or_default();
        for digest in digests.iter().filter_map(DigestRead::opened) {
            let fingerprint = &digest.file.public_key_fingerprint;
            let (Some(at), Some((start, mut end))) = (digest.signed_at(), digest.key_range())
            else {
                continue;
            };
            if of_region.keys.get(fingerprint).is_some() {
                continue;
            }
            if is_undated_backfill(digest) {
                end = end.max(self.now);
            }
            let mut asked = of_region.asked.iter();
            let near = asked.find(|(asked, _)| asked.abs_diff(at) <= DAY_SECONDS);
            let failure = match near {
                Some((_, failure)) => failure.clone(),
                None if of_region.asked.len() >= MOST_REQUESTS => {
                    Some(format!("{MOST_REQUESTS} other times were asked for"))
                }
                None => {
                    let keys = store.public_keys(region, start, end).await;
                    let failure = keys.as_ref().err().map(ReadError::to_string);
                    let keys = keys.unwrap_or_default();
                    of_region.keys.extend(keys.sorted().into_iter().cloned());
                    of_region.asked.push((at, failure.clone()));
                    failure
                }
            };
            let location = Location::new(&digest.bucket, &digest.key);
            failed.extend(failure.map(|failure| (location, failure)));
        }
        failed
    }

    /// The keys of a Region, as far as they are known.
    pub(super) fn of(&self, region: &str) -> PublicKeys {
        let of_region = self.regions.get(region);
        of_region
            .map(|of_region| of_region.keys.clone())
            .unwrap_or_default()
    }
}

/// Whether it was signed later than its hour, and does not say when.
fn is_undated_backfill(digest: &OpenedDigest) -> bool {
    digest.key.ends_with("_backfill.json.gz") && digest.signed_at() == digest.file.end()
}
