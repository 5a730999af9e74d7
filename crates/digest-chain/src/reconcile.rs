//! Which log files of a bucket nobody vouches for.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use cloudtrail::ObjectKey;

use crate::{Finding, FindingKind, Location, display_time};

/// An object in a folder of log files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLog {
    /// Where it lies.
    pub location: Location,
    /// When it was written, in Unix seconds, if that is known: S3 says so, nobody can set it.
    pub last_modified: Option<i64>,
}

/// What is written longer than this after the time in its name is not waited for: it is a log file for a backfill
/// digest, or planted, and the second is worse.
const LATEST_SECONDS: i64 = 86_400;

/// The time for which all digests are known, and what may still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Digests of what was delivered from this time on, in Unix seconds, ...
    pub from: i64,
    /// ... up to this time are known.
    pub to: i64,
    /// The end of what was asked for.
    pub end: i64,
    /// For how long after the time in its name, and after it was written, a log file may wait for its digest.
    pub patience_seconds: i64,
    /// The time.
    pub now: i64,
}

/// How an object in a folder of log files stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A digest lists it.
    Vouched,
    /// It is of another time.
    Outside,
    /// Its digest may still come.
    Pending,
    /// Nobody vouches for it.
    Unreferenced(Box<Finding>),
}

/// Log files that digests list, of all trails that deliver to a folder; and then who is not among them.
#[derive(Debug, Default)]
pub struct Reconciliation {
    /// Hashes of bucket and key, under a secret of this process: eight bytes a file.
    vouched: HashSet<u64>,
    hasher: RandomState,
}

impl Reconciliation {
    /// Nothing is vouched for.
    pub fn new() -> Self {
        Reconciliation::default()
    }

    /// A digest lists this log file.
    pub fn vouch(&mut self, bucket: &str, key: &str) {
        self.vouched.insert(self.hasher.hash_one((bucket, key)));
    }

    /// Whether a digest lists it.
    pub fn is_vouched(&self, location: &Location) -> bool {
        let Location { bucket, key } = location;
        let hash = self.hasher.hash_one((bucket.as_str(), key.as_str()));
        self.vouched.contains(&hash)
    }

    /// How an object in a folder of log files stands. A name that CloudTrail does not give, or not in this folder, says
    /// nothing about its time, so it is no excuse.
    pub fn standing(&self, log: &ListedLog, known: &Known) -> Standing {
        if self.is_vouched(&log.location) {
            return Standing::Vouched;
        }
        let unreferenced = |finding: Option<Finding>| match finding {
            Some(finding) => Standing::Unreferenced(Box::new(finding)),
            None => Standing::Pending,
        };
        let Some(key) = own_name(&log.location.key) else {
            let finding = Finding::about(FindingKind::UnreferencedLog, log.location.clone());
            return unreferenced(Some(finding.fact("name", "not one CloudTrail gives")));
        };
        let Known { from, to, end, .. } = *known;
        let named = key.name.time;
        let is_before = named < from || log.last_modified.is_some_and(|written| written < from);
        if is_before || named > end {
            return Standing::Outside;
        }
        let recent = known.now.saturating_sub(known.patience_seconds);
        let is_recent = |written: &i64| *written > to && (recent..=known.now).contains(written);
        match log.last_modified.filter(is_recent) {
            Some(written) if written.saturating_sub(named) <= LATEST_SECONDS => Standing::Pending,
            written => {
                let finding = self.judge(log, (from, to), known.patience_seconds);
                let note = |finding: Finding| match written {
                    Some(_) => finding.fact("may yet be listed by", "a backfill digest"),
                    None => finding,
                };
                unreferenced(finding.map(note))
            }
        }
    }

    /// What is to be said of an object in a folder of log files, where digests are known of what was delivered
    /// in `covered` (Unix seconds): `None` if a digest lists it, or if one outside that time may.
    ///
    /// `patience_seconds`: for how long after the time in its name a log file may still be delivered.
    pub fn judge(
        &self,
        log: &ListedLog,
        covered: (i64, i64),
        patience_seconds: i64,
    ) -> Option<Finding> {
        if self.is_vouched(&log.location) {
            return None;
        }
        let about = |kind| Finding::about(kind, log.location.clone());
        let Ok(key) = ObjectKey::parse(&log.location.key) else {
            return Some(
                about(FindingKind::UnreferencedLog).fact("name", "not one CloudTrail gives"),
            );
        };
        let (from, to) = covered;
        let named = key.name.time;
        // A digest before the range may list what was delivered before it.
        let is_after_start =
            named >= from && log.last_modified.is_none_or(|written| written >= from);
        let was_written = log.last_modified.is_some_and(|written| written <= to);
        let is_overdue = named.saturating_add(patience_seconds) < to;
        if !is_after_start || !(was_written && named <= to || is_overdue) {
            return None;
        }
        let mut finding = about(FindingKind::UnreferencedLog);
        if let Some(written) = log.last_modified {
            finding = finding.fact("last modified", display_time(written));
        }
        Some(finding)
    }
}

/// The key, if CloudTrail gives such a name in such a folder.
fn own_name(key: &str) -> Option<ObjectKey> {
    let parsed = ObjectKey::parse(key).ok()?;
    let day = format!(
        "/{}/",
        display_time(parsed.name.time).get(..10)?.replace('-', "/")
    );
    let is_in_its_folder = parsed.region_folder == parsed.name.region && key.contains(&day);
    (is_in_its_folder && parsed.to_string() == key).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str =
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/111122223333_CloudTrail_eu-west-1_";
    /// 2026-03-01T00:00:00Z
    const DAY: i64 = 1_772_323_200;

    fn log(time: &str, last_modified: Option<i64>) -> ListedLog {
        let key = format!("{FOLDER}20260301T{time}Z_AbCdEfGhIjKlMnOp.json.gz");
        ListedLog {
            location: Location::new("trail", key),
            last_modified,
        }
    }

    fn is_found(log: &ListedLog) -> bool {
        let found = Reconciliation::new().judge(log, (DAY + 3_600, DAY + 36_000), 10_800);
        found.is_some()
    }

    #[test]
    fn what_a_digest_lists_is_vouched_for() {
        let log = log("0500", None);
        assert!(is_found(&log));
        let mut known = Reconciliation::new();
        known.vouch("trail", &log.location.key);
        assert_eq!(known.judge(&log, (DAY, DAY + 86_400), 0), None);
    }

    #[test]
    fn what_another_digest_may_list_is_not_judged() {
        assert!(!is_found(&log("0030", None)), "before the range");
        assert!(
            !is_found(&log("0110", Some(DAY + 3_000))),
            "delivered before it"
        );
        assert!(!is_found(&log("0955", None)), "may still come");
        assert!(
            !is_found(&log("0955", Some(DAY + 36_060))),
            "delivered after it"
        );
        assert!(
            is_found(&log("0955", Some(DAY + 35_900))),
            "delivered in it"
        );
        assert!(is_found(&log("0500", Some(DAY + 90_000))), "planted later");
    }

    #[test]
    fn what_may_still_be_listed_is_pending() {
        let standing = |log: &ListedLog| {
            let known = Known {
                from: DAY + 3_600,
                to: DAY + 36_000,
                end: DAY + 43_200,
                patience_seconds: 10_800,
                now: DAY + 90_000,
            };
            Reconciliation::new().standing(log, &known)
        };
        assert_eq!(standing(&log("0030", None)), Standing::Outside);
        assert_eq!(standing(&log("1230", None)), Standing::Outside);
        assert_eq!(standing(&log("0955", None)), Standing::Pending);
        assert_eq!(standing(&log("1100", None)), Standing::Pending);
        let late = log("0500", Some(DAY + 89_000));
        assert_eq!(standing(&late), Standing::Pending);
        let is_found = |log| matches!(standing(&log), Standing::Unreferenced(_));
        assert!(is_found(log("0500", Some(DAY + 70_000))));
        assert!(is_found(log("0500", Some(DAY + 99_000))), "in the future");
        let elsewhere = |from, to| ListedLog {
            location: Location::new("trail", log("0500", None).location.key.replace(from, to)),
            last_modified: None,
        };
        assert!(is_found(elsewhere("/2026/03/01/", "/2026/03/02/")));
        assert!(is_found(elsewhere("_20260301T", "_20250301T")));
        assert!(is_found(elsewhere("_eu-west-1_", "_eu-west-2_")));
        assert!(is_found(elsewhere(".json.gz", ".json")));
    }

    #[test]
    fn a_name_that_is_not_cloudtrails_is_found() {
        let log = ListedLog {
            location: Location::new("trail", "AWSLogs/111122223333/CloudTrail/eu-west-1/x.gz"),
            last_modified: None,
        };
        assert!(is_found(&log));
    }
}
