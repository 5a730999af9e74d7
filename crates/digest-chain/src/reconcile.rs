//! Which log files of a bucket nobody vouches for.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use cloudtrail::{FileName, LogFolder};

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

/// No log file is written longer than this before the time in its name: that is the minute of its delivery, and clocks
/// differ.
const EARLIEST_SECONDS: i64 = 900;

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

    /// How an object stands that was listed in a folder of log files ([`Scope::log_folder`](crate::Scope::log_folder)).
    /// A name that CloudTrail does not give, or not in this folder, says nothing about its time, so it is no excuse;
    /// nor is one of a time after the object was written.
    pub fn standing_in(&self, folder: &str, log: &ListedLog, known: &Known) -> Standing {
        if self.is_vouched(&log.location) {
            return Standing::Vouched;
        }
        let named = match named_time(folder, log, known.now) {
            Ok(named) => named,
            Err(finding) => return Standing::Unreferenced(Box::new(finding)),
        };
        let Known { from, to, end, .. } = *known;
        let is_before = named < from || log.last_modified.is_some_and(|written| written < from);
        if is_before || named > end {
            return Standing::Outside;
        }
        let recent = known.now.saturating_sub(known.patience_seconds);
        let is_recent = |written: &i64| *written > to && (recent..=known.now).contains(written);
        let written = log.last_modified.filter(is_recent);
        if written.is_some_and(|written| written.saturating_sub(named) <= LATEST_SECONDS) {
            return Standing::Pending;
        }
        match judged(named, log, (from, to), known.patience_seconds) {
            None => Standing::Pending,
            Some(finding) if written.is_some() => Standing::Unreferenced(Box::new(
                finding.fact("may yet be listed by", "a backfill digest"),
            )),
            Some(finding) => Standing::Unreferenced(Box::new(finding)),
        }
    }

    /// [`standing_in`](Self::standing_in) the first folder of log files that the key names.
    pub fn standing(&self, log: &ListedLog, known: &Known) -> Standing {
        self.standing_in(first_folder(&log.location.key), log, known)
    }

    /// What is to be said of an object in a folder of log files, where digests are known of what was delivered
    /// in `covered` (Unix seconds): `None` if a digest lists it, or if one outside that time may.
    ///
    /// `patience_seconds`: for how long after the time in its name a log file may still be delivered.
    pub fn judge(
        &self,
        folder: &str,
        log: &ListedLog,
        covered: (i64, i64),
        patience_seconds: i64,
    ) -> Option<Finding> {
        if self.is_vouched(&log.location) {
            return None;
        }
        match named_time(folder, log, i64::MAX) {
            Ok(named) => judged(named, log, covered, patience_seconds),
            Err(finding) => Some(finding),
        }
    }
}

/// The time in the name of a log file.
///
/// # Errors
/// It cannot have that name there.
fn named_time(folder: &str, log: &ListedLog, now: i64) -> Result<i64, Finding> {
    let finding = || Finding::about(FindingKind::UnreferencedLog, log.location.clone());
    let Some(name) = own_name(folder, &log.location.key) else {
        return Err(finding().fact("name", "not one CloudTrail gives"));
    };
    let written = log.last_modified.unwrap_or(now);
    if name.time.saturating_sub(EARLIEST_SECONDS) > written {
        let finding = finding().fact("name", "of a time after it was written");
        return Err(finding.fact("last modified", display_time(written)));
    }
    Ok(name.time)
}

/// What is to be said of a log file that no digest lists.
fn judged(
    named: i64,
    log: &ListedLog,
    (from, to): (i64, i64),
    patience_seconds: i64,
) -> Option<Finding> {
    // A digest before the range may list what was delivered before it.
    let is_after_start = named >= from && log.last_modified.is_none_or(|written| written >= from);
    let was_written = log.last_modified.is_some_and(|written| written <= to);
    let is_overdue = named.saturating_add(patience_seconds) < to;
    if !is_after_start || !(was_written && named <= to || is_overdue) {
        return None;
    }
    let finding = Finding::about(FindingKind::UnreferencedLog, log.location.clone());
    Some(match log.last_modified {
        Some(written) => finding.fact("last modified", display_time(written)),
        None => finding,
    })
}

/// The name in a key, if CloudTrail gives it in such a folder: behind the folder come the day of the name, and the name.
fn own_name(folder: &str, key: &str) -> Option<FileName> {
    let name = FileName::parse(key.rsplit('/').next()?).ok()?;
    let FileName {
        account_id,
        kind,
        region,
        time,
        ..
    } = &name;
    let own_folder = format!("/{account_id}/{}/{region}/", kind.folder());
    let day = display_time(*time).get(..10)?.replace('-', "/");
    let is_own = name.is_log_file() && folder.ends_with(&own_folder);
    (is_own && key == format!("{folder}{day}/{name}")).then_some(name)
}

/// The first folder of log files that a key names: up to `AWSLogs/[organization/]account/kind/region/`.
fn first_folder(key: &str) -> &str {
    let is_kind = |name: &str| LogFolder::ALL.iter().any(|kind| kind.name() == name);
    let is_account =
        |name: &str| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = key.split('/').collect();
    let is_folder = |window: &[&str]| match window {
        ["AWSLogs", account, kind, _] => is_account(account) && is_kind(kind),
        ["AWSLogs", organization, account, kind, _] => {
            organization.starts_with("o-") && is_account(account) && is_kind(kind)
        }
        _ => false,
    };
    let ends = |at: usize| {
        let of_length = |length: usize| parts.get(at..at + length).filter(|part| is_folder(part));
        [4, 5]
            .into_iter()
            .find(|&length| of_length(length).is_some())
            .map(|length| at + length)
    };
    let end = (0..parts.len()).find_map(ends).unwrap_or(0);
    let length = parts.iter().take(end).map(|part| part.len() + 1).sum();
    key.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/";
    const NAME: &str = "2026/03/01/111122223333_CloudTrail_eu-west-1_";
    /// 2026-03-01T00:00:00Z
    const DAY: i64 = 1_772_323_200;

    fn log(time: &str, last_modified: Option<i64>) -> ListedLog {
        let key = format!("{FOLDER}{NAME}20260301T{time}Z_AbCdEfGhIjKlMnOp.json.gz");
        ListedLog {
            location: Location::new("trail", key),
            last_modified,
        }
    }

    fn is_found(log: &ListedLog) -> bool {
        let found = Reconciliation::new().judge(FOLDER, log, (DAY + 3_600, DAY + 36_000), 10_800);
        found.is_some()
    }

    #[test]
    fn what_a_digest_lists_is_vouched_for() {
        let log = log("0500", None);
        assert!(is_found(&log));
        let mut known = Reconciliation::new();
        known.vouch("trail", &log.location.key);
        assert_eq!(known.judge(FOLDER, &log, (DAY, DAY + 86_400), 0), None);
    }

    #[test]
    fn what_another_digest_may_list_is_not_judged() {
        assert!(!is_found(&log("0030", None)), "before the range");
        assert!(
            !is_found(&log("0110", Some(DAY + 3_590))),
            "delivered before it"
        );
        assert!(
            is_found(&log("0110", Some(DAY + 3_000))),
            "named of a time after it was written"
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

    fn standing(log: &ListedLog) -> Standing {
        let known = Known {
            from: DAY + 3_600,
            to: DAY + 36_000,
            end: DAY + 43_200,
            patience_seconds: 10_800,
            now: DAY + 90_000,
        };
        let known_folder = Reconciliation::new().standing_in(FOLDER, log, &known);
        assert_eq!(known_folder, Reconciliation::new().standing(log, &known));
        known_folder
    }

    #[test]
    fn what_may_still_be_listed_is_pending() {
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
    fn a_name_of_a_time_after_the_file_was_written_is_no_excuse() {
        let is_found = |log| matches!(standing(&log), Standing::Unreferenced(_));
        // In the range, behind its end, and before its start.
        for (time, written) in [("0500", 16_000), ("2300", 50_000), ("0130", 3_500)] {
            assert!(is_found(log(time, Some(DAY + written))), "{time}");
        }
        let clocks_differ = log("0500", Some(DAY + 17_200));
        assert!(is_found(clocks_differ.clone()), "delivered in the range");
        let clocks_differ = log("0110", Some(DAY + 3_500));
        assert_eq!(standing(&clocks_differ), Standing::Outside);
        let mut far = log("0500", None);
        far.location.key = far.location.key.replace("2026/03/01", "2099/03/01");
        far.location.key = far.location.key.replace("20260301", "20990301");
        assert!(is_found(far), "later than now");
    }

    #[test]
    fn a_key_within_a_folder_is_not_judged_by_the_name_at_its_end() {
        let old =
            "2020/01/01/111122223333_CloudTrail_eu-west-1_20200101T0000Z_AbCdEfGhIjKlMnOp.json.gz";
        let at = |key: String| ListedLog {
            location: Location::new("trail", key),
            last_modified: Some(DAY + 20_000),
        };
        assert_eq!(standing(&at(format!("{FOLDER}{old}"))), Standing::Outside);
        let nested = [
            format!("{FOLDER}2026/03/01/{FOLDER}{old}"),
            format!("{FOLDER}{FOLDER}{old}"),
            format!("{FOLDER}2026/03/01/{old}"),
            format!("{FOLDER}x/{old}"),
            format!(
                "{FOLDER}{}",
                old.replace("_CloudTrail_", "_CloudTrail-Insight_")
            ),
            format!("{FOLDER}{}", old.replace("111122223333", "123456789012")),
        ];
        for key in nested {
            let standing = standing(&at(key.clone()));
            assert!(matches!(standing, Standing::Unreferenced(_)), "{key}");
        }
    }

    #[test]
    fn the_first_folder_of_a_key_is_found_behind_any_prefix() {
        for prefix in ["", "logs/", "a/AWSLogs/b/", "AWSLogs/", "AWSLogs/o-x/"] {
            for inside in ["", "o-exampleorgid/"] {
                let folder =
                    format!("{prefix}AWSLogs/{inside}111122223333/CloudTrail-Insight/eu-west-1/");
                assert_eq!(first_folder(&format!("{folder}2026/03/01/x")), folder);
            }
        }
        assert_eq!(first_folder("AWSLogs/111122223333/x"), "");
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
