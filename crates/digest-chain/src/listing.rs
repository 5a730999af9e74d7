//! Which keys of a listing are digests of a stream: as the AWS CLI sees it.
//!
//! The AWS CLI matches keys loosely and stops listing at the first name whose last characters sort above the end of
//! the range, whatever they are. [`DigestKeys`] does the same, for answers that must be those of the AWS CLI; everything
//! else goes by [`DigestKey`](crate::DigestKey).

use std::ops::ControlFlow;

use crate::{Scope, Stream, stamp_text};

/// What a listing gave: keys in the order of the listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DigestListing {
    /// Digests.
    pub standard: Vec<String>,
    /// Backfill digests.
    pub backfill: Vec<String>,
}

/// Picks the digests of a stream out of a listing.
#[derive(Debug)]
pub struct DigestKeys {
    /// What keys begin with, up to the three numbers of the day.
    folder: String,
    /// What the names begin with.
    name: String,
    first: String,
    last: String,
    start_after: String,
    found: DigestListing,
}

impl DigestKeys {
    /// Of the digests that end between `start` and an hour after `end`, in Unix seconds.
    pub fn new(stream: &Stream, start: i64, end: i64) -> Self {
        let Stream {
            scope,
            trail,
            home_region,
        } = stream;
        let Scope {
            account_id, region, ..
        } = scope;
        DigestKeys {
            folder: scope.digest_folder(),
            name: format!("{account_id}_CloudTrail-Digest_{region}_{trail}_{home_region}_"),
            first: stamp_text(start),
            last: stamp_text(end.saturating_add(3600)),
            // Names of the same minute are to be found, too.
            start_after: stream.digest_key(start.saturating_sub(60), false),
            found: DigestListing::default(),
        }
    }

    /// What the keys to be listed begin with.
    pub fn prefix(&self) -> &str {
        self.folder.trim_end_matches('/')
    }

    /// Listing begins behind this key.
    pub fn start_after(&self) -> &str {
        &self.start_after
    }

    /// Takes the next key of the listing; `Break` when the listing ends here.
    pub fn take(&mut self, key: &str) -> ControlFlow<()> {
        if !self.fits(key) {
            return ControlFlow::Continue(());
        }
        let stamp = stamp_of(key);
        if stamp > self.last.as_str() {
            return ControlFlow::Break(());
        }
        if stamp < self.first.as_str() {
            return ControlFlow::Continue(());
        }
        let list = match is_backfill(key) {
            true => &mut self.found.backfill,
            false => &mut self.found.standard,
        };
        list.push(key.to_owned());
        ControlFlow::Continue(())
    }

    /// What was found.
    pub fn finish(self) -> DigestListing {
        self.found
    }

    fn fits(&self, key: &str) -> bool {
        (|| {
            let mut rest = key.strip_prefix(&self.folder)?;
            for _ in 0..3 {
                let (number, behind) = rest.split_once('/')?;
                let is_number =
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                rest = is_number.then_some(behind)?;
            }
            let rest = rest.strip_prefix(&self.name)?.strip_suffix(".json.gz")?;
            Some(!rest.is_empty())
        })()
        .unwrap_or(false)
    }
}

pub(crate) fn is_backfill(key: &str) -> bool {
    key.ends_with("_backfill.json.gz")
}

/// The 16 characters where a digest's time stands, counted from the end.
pub(crate) fn stamp_of(key: &str) -> &str {
    let behind = if is_backfill(key) { 17 } else { 8 };
    let back = |count: usize| {
        key.char_indices()
            .rev()
            .nth(count - 1)
            .map_or(0, |(at, _)| at)
    };
    key.get(back(behind + 16)..back(behind)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DigestKey;

    const KEY: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2026/03/01/111122223333_CloudTrail-Digest_us-east-2_management-events_us-east-2_20260301T012902Z.json.gz";
    const END: i64 = 1_772_328_542;

    fn taken(keys: &[String]) -> (DigestListing, bool) {
        let stream = DigestKey::parse(KEY).unwrap().stream;
        let mut digests = DigestKeys::new(&stream, END - 7_200, END);
        let has_ended = keys.iter().any(|key| digests.take(key).is_break());
        (digests.finish(), has_ended)
    }

    fn key(end: i64, is_backfill: bool) -> String {
        DigestKey::parse(KEY)
            .unwrap()
            .stream
            .digest_key(end, is_backfill)
    }

    #[test]
    fn the_range_goes_from_its_start_to_an_hour_behind_its_end() {
        let ends = [END - 7_201, END - 7_200, END, END + 3_600, END + 3_601];
        let keys: Vec<String> = ends.iter().map(|&end| key(end, false)).collect();
        let (found, has_ended) = taken(&keys);
        assert_eq!(found.standard, keys[1..4]);
        assert!(has_ended);
    }

    #[test]
    fn backfill_digests_are_kept_apart() {
        let keys = [key(END, false), key(END, true)];
        let (found, _) = taken(&keys);
        assert_eq!(
            (found.standard, found.backfill),
            (vec![keys[0].clone()], vec![keys[1].clone()])
        );
    }

    #[test]
    fn another_trail_and_other_names_are_passed_over() {
        let keys = [
            KEY.replace("management-events", "other"),
            KEY.replace("/03/01/", "/03/x/"),
            KEY.replace(".json.gz", ".json"),
            KEY.replace("CloudTrail-Digest/", "CloudTrail/"),
        ];
        assert_eq!(taken(&keys), (DigestListing::default(), false));
    }

    #[test]
    fn a_junk_name_that_sorts_high_ends_the_listing_as_with_the_aws_cli() {
        let junk = KEY.replace(".json.gz", "_zzzzzzzzzzzzzzzz.json.gz");
        let (found, has_ended) = taken(&[junk, KEY.to_owned()]);
        assert!(has_ended && found.standard.is_empty());
    }
}
