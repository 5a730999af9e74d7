//! Which log files are done, and who is at work on which.

use serde::{Deserialize, Serialize};

use crate::{StoredError, parse_stored};

/// How long a log file is remembered: 45 days, in seconds.
pub const LEDGER_SECONDS: i64 = 45 * 86_400;

/// Entity tags of one key that are remembered. A log file is written once; more is tampering or a test.
const MOST_ETAGS: usize = 20;

const SCHEMA: u32 = 1;

/// The partition and the sort key of a log file's entry.
pub fn file_key(bucket: &str, key: &str) -> (String, String) {
    (format!("file#{bucket}/{key}"), "file".to_owned())
}

/// What is known of a log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    schema: u32,
    /// Where it stands.
    pub status: FileStatus,
    /// The entity tag of what was read last.
    pub etag: String,
    /// Its version, in a bucket that keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who claimed it last.
    pub owner: String,
    /// Until when nobody else may, in milliseconds since the epoch.
    pub lease_until_millis: i64,
    /// How often it was claimed.
    pub attempts: u32,
    /// Why it was skipped or failed: a reason's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entity tags that are done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done_etags: Vec<String>,
    /// Documents of metrics that were not written when the last attempt failed, the newest ones; the older
    /// ones were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_left: Option<usize>,
    /// When this was written, in Unix seconds.
    pub updated_at: i64,
}

/// Where a log file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// Somebody is at work on it, or was when it died.
    Claimed,
    /// It is processed.
    Done,
    /// It is no log file.
    Skipped,
    /// The last attempt failed.
    Failed,
}

/// Whether a log file may be processed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Yes, once this entry is written.
    Grant {
        /// What is to be written.
        entry: FileEntry,
        /// Another content under this key is done already: the log file was changed.
        replaces: bool,
    },
    /// No: this content is done.
    Done,
    /// Not now: somebody else is at work on it.
    Held {
        /// Until then, in milliseconds since the epoch.
        until_millis: i64,
    },
}

impl FileEntry {
    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, StoredError> {
        parse_stored("entry of a log file", text, SCHEMA)
    }

    /// The form in which it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Asks to process the content with this entity tag; `known` is what is known of the log file.
    pub fn claim(
        known: Option<&FileEntry>,
        etag: &str,
        version: Option<&str>,
        owner: &str,
        now_millis: i64,
        lease_until_millis: i64,
    ) -> Claim {
        let done_etags = known
            .map(|entry| entry.done_etags.as_slice())
            .unwrap_or_default();
        if done_etags.iter().any(|done| done == etag) {
            return Claim::Done;
        }
        if let Some(entry) = known
            && entry.status == FileStatus::Claimed
            && now_millis < entry.lease_until_millis
        {
            return Claim::Held {
                until_millis: entry.lease_until_millis,
            };
        }
        Claim::Grant {
            entry: FileEntry {
                schema: SCHEMA,
                status: FileStatus::Claimed,
                etag: etag.to_owned(),
                version: version.map(String::from),
                owner: owner.to_owned(),
                lease_until_millis,
                attempts: known.map_or(0, |entry| entry.attempts).saturating_add(1),
                reason: None,
                done_etags: done_etags.to_vec(),
                metrics_left: known
                    .filter(|entry| entry.etag == etag)
                    .and_then(|entry| entry.metrics_left),
                updated_at: now_millis.div_euclid(1000),
            },
            replaces: !done_etags.is_empty(),
        }
    }

    /// A log file that could not even be claimed.
    pub fn failed_before(known: Option<&FileEntry>, reason: &str, now: i64) -> FileEntry {
        let none = FileEntry {
            schema: SCHEMA,
            status: FileStatus::Failed,
            etag: String::new(),
            version: None,
            owner: String::new(),
            lease_until_millis: 0,
            attempts: 0,
            reason: None,
            done_etags: Vec::new(),
            metrics_left: None,
            updated_at: now,
        };
        let entry = known.cloned().unwrap_or(none);
        FileEntry {
            status: FileStatus::Failed,
            attempts: entry.attempts.saturating_add(1),
            reason: Some(reason.to_owned()),
            updated_at: now,
            ..entry
        }
    }

    /// The entry of a log file that is processed, or skipped for a reason.
    pub fn finished(mut self, skipped: Option<&str>, now: i64) -> FileEntry {
        self.status = match skipped {
            None => FileStatus::Done,
            Some(_) => FileStatus::Skipped,
        };
        self.reason = skipped.map(String::from);
        self.lease_until_millis = 0;
        self.metrics_left = None;
        self.updated_at = now;
        self.done_etags.push(self.etag.clone());
        let surplus = self.done_etags.len().saturating_sub(MOST_ETAGS);
        self.done_etags.drain(..surplus);
        self
    }

    /// The entry of a log file whose processing failed: the next attempt need not wait.
    /// `metrics_left` is how many documents of metrics were not written, if some were.
    pub fn failed(mut self, reason: &str, metrics_left: Option<usize>, now: i64) -> FileEntry {
        self.metrics_left = metrics_left.or(self.metrics_left);
        self.status = FileStatus::Failed;
        self.reason = Some(reason.to_owned());
        self.lease_until_millis = 0;
        self.updated_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(known: Option<&FileEntry>, etag: &str, now: i64) -> Claim {
        FileEntry::claim(known, etag, None, "me", now, now + 1_000)
    }

    fn granted(known: Option<&FileEntry>, etag: &str, now: i64) -> (FileEntry, bool) {
        match claim(known, etag, now) {
            Claim::Grant { entry, replaces } => (entry, replaces),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_processed_once() {
        let (entry, replaces) = granted(None, "a", 0);
        assert!(!replaces);
        let done = entry.finished(None, 1);
        assert_eq!(claim(Some(&done), "a", 5), Claim::Done);
        assert_eq!(FileEntry::parse(&done.to_json()).unwrap(), done);
    }

    #[test]
    fn a_file_in_work_is_held_until_the_lease_ends() {
        let (entry, _) = granted(None, "a", 0);
        assert_eq!(
            claim(Some(&entry), "a", 999),
            Claim::Held {
                until_millis: 1_000
            }
        );
        assert_eq!(granted(Some(&entry), "a", 1_000).0.attempts, 2);
    }

    #[test]
    fn a_failed_file_can_be_claimed_at_once() {
        let failed = granted(None, "a", 0).0.failed("throttled", Some(3), 0);
        let (again, _) = granted(Some(&failed), "a", 1);
        assert_eq!((again.attempts, again.metrics_left), (2, Some(3)));
        let (other, _) = granted(Some(&failed), "b", 1);
        assert_eq!(
            other.metrics_left, None,
            "another content has other metrics"
        );
        assert_eq!(again.finished(None, 1).metrics_left, None);
        assert_eq!(failed.reason.as_deref(), Some("throttled"));
        let before = FileEntry::failed_before(Some(&failed), "not_found", 2);
        assert_eq!((before.attempts, before.status), (2, FileStatus::Failed));
    }

    #[test]
    fn a_changed_content_is_processed_and_said_to_be_changed() {
        let done = granted(None, "a", 0).0.finished(None, 0);
        let (entry, replaces) = granted(Some(&done), "b", 1);
        assert!(replaces);
        let done = entry.finished(None, 1);
        assert_eq!(claim(Some(&done), "a", 2), Claim::Done);
        assert_eq!(claim(Some(&done), "b", 2), Claim::Done);
    }

    #[test]
    fn entity_tags_do_not_pile_up() {
        let mut entry = granted(None, "0", 0).0.finished(None, 0);
        for n in 1..100 {
            entry = granted(Some(&entry), &n.to_string(), 0).0.finished(None, 0);
        }
        assert_eq!(entry.done_etags.len(), MOST_ETAGS);
    }
}
