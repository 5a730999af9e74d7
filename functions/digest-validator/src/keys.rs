//! The public keys that are known, by Region. They never change, so a process asks once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use digest_chain::{DigestKey, OpenedDigest, PublicKey, PublicKeys};
use ports::{Clock as _, PublicKeys as _};

use crate::ports::Outside;
use crate::reading::{TRIES, Unread};

/// Digests are signed up to two hours after the end of a key.
const MARGIN_SECONDS: i64 = 7_200;

/// Ranges that are asked for one after the other, for digests whose key is not known, in one go.
const MOST_ASKED: usize = 4;

const DAY_SECONDS: i64 = 86_400;

/// Before 2015 there were no digests: no key is asked for.
const FIRST_KEYS: i64 = 1_420_070_400;

/// To either side of a digest whose key was not found.
const WIDER_SECONDS: i64 = 30 * DAY_SECONDS;

/// What is known of the keys of some digests.
#[derive(Debug)]
pub(crate) enum Keys {
    /// All that are published.
    Known(PublicKeys),
    /// A key of them is not known, and the Region cannot be asked.
    Unavailable(Unread),
}

/// What a process knows of public keys.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    regions: RefCell<BTreeMap<String, Region>>,
}

#[derive(Debug, Default)]
struct Region {
    keys: PublicKeys,
    /// Ranges that were asked for: what was not in the answer is not published.
    asked: BTreeSet<(i64, i64)>,
    /// Why it does not answer in this run.
    failed: Option<Unread>,
}

impl KeyRing {
    /// Keys that were not published may be by now.
    pub(crate) fn ask_again(&self) {
        for region in self.regions.borrow_mut().values_mut() {
            region.asked.clear();
            region.failed = None;
        }
    }

    /// The keys of a Region, those of these digests among them if they are published.
    pub(crate) async fn keys_of(
        &self,
        outside: &impl Outside,
        region: &str,
        digests: &[&OpenedDigest],
    ) -> Keys {
        let unknown = self.unknown(region, digests);
        let signed = unknown.iter().filter_map(|digest| signed_at(digest));
        let (first, last) = (signed.clone().min(), signed.max());
        if let Some((first, last)) = first.zip(last) {
            let range = (
                first.saturating_sub(MARGIN_SECONDS),
                last.saturating_add(MARGIN_SECONDS),
            );
            self.ask(outside, region, range).await;
        }
        for digest in self.unknown(region, digests).iter().take(MOST_ASKED) {
            if let Some(at) = signed_at(digest) {
                let range = (
                    at.saturating_sub(WIDER_SECONDS),
                    at.saturating_add(WIDER_SECONDS),
                );
                self.ask(outside, region, range).await;
            }
        }
        let is_known = self.unknown(region, digests).is_empty();
        let regions = self.regions.borrow();
        let known = regions.get(region);
        match known.and_then(|known| known.failed.clone()) {
            Some(failed) if !is_known => Keys::Unavailable(failed),
            _ => Keys::Known(known.map(|known| known.keys.clone()).unwrap_or_default()),
        }
    }

    fn unknown<'a>(&self, region: &str, digests: &[&'a OpenedDigest]) -> Vec<&'a OpenedDigest> {
        let regions = self.regions.borrow();
        let known = regions.get(region).map(|region| &region.keys);
        let is_unknown = |digest: &&&OpenedDigest| {
            let fingerprint = &digest.file.public_key_fingerprint;
            known.is_none_or(|keys| keys.get(fingerprint).is_none())
        };
        digests.iter().filter(is_unknown).copied().collect()
    }

    async fn ask(&self, outside: &impl Outside, region: &str, (start, end): (i64, i64)) {
        // What lies there may say any time.
        let (start, end) = (
            start.max(FIRST_KEYS),
            end.min(outside.clock().now().saturating_add(DAY_SECONDS)),
        );
        if start > end {
            return;
        }
        // Whole days, so that junk with times of its own does not make many questions.
        let start = start.div_euclid(DAY_SECONDS) * DAY_SECONDS;
        let end = end
            .div_euclid(DAY_SECONDS)
            .saturating_add(1)
            .saturating_mul(DAY_SECONDS);
        let was_asked = {
            let mut regions = self.regions.borrow_mut();
            let known = regions.entry(region.to_owned()).or_default();
            known.failed.is_some() || known.asked.contains(&(start, end))
        };
        if was_asked {
            return;
        }
        let mut tries = 1;
        let told = loop {
            let keys = outside.public_keys(region);
            match keys.list_public_keys(start, end).await {
                Err(error) if Unread::of(&error).may_pass() && tries < TRIES => tries += 1,
                told => break told,
            }
        };
        let mut regions = self.regions.borrow_mut();
        let known = regions.entry(region.to_owned()).or_default();
        let told = match told {
            Ok(told) => told,
            Err(error) => {
                let failed = Unread::of(&error);
                tracing::warn!(region, reason = failed.reason, "no public keys");
                known.failed = Some(failed);
                return;
            }
        };
        known.asked.insert((start, end));
        known.keys.extend(told.into_iter().map(|entry| PublicKey {
            fingerprint: entry.fingerprint,
            der: entry.value,
            validity_start: entry.validity_start,
            validity_end: entry.validity_end,
        }));
    }
}

/// When a digest was signed: what its name says, for its content is not proven yet. A backfill digest's does not.
fn signed_at(digest: &OpenedDigest) -> Option<i64> {
    match DigestKey::parse(&digest.key) {
        Some(key) if !key.is_backfill => Some(key.end),
        _ => digest.signed_at(),
    }
}
