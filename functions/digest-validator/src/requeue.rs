//! Log files that a digest lists and that were never processed: they are announced again.
//!
//! A notification can get lost. The ledger says which log files are done; one that a proven digest lists and that it
//! does not know goes to the log-file queue as S3 would announce it. A few of a new digest are left to the second run, since
//! they may be on their way still. Older ones, and what is beyond these few, are announced as soon as they are seen, before
//! the checkpoint has passed them: so the list that is kept from run to run has a size, and what does not fit into it has
//! been announced once.

use std::collections::HashSet;

use alarm_state::{FileEntry, FileStatus, file_key};
use futures_util::{StreamExt as _, stream};
use ports::{Body, ItemKey, Items as _, QueueMessage, SendMessages as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ports::Outside;
use crate::reading::AT_A_TIME;
use crate::stopped::Stopped;

/// How long after the hour of its digest a file is still looked up in the ledger.
pub(crate) const REQUEUE_SECONDS: i64 = 7 * 86_400;

/// How often a file is announced again.
const MOST_TIMES: u32 = 3;

/// How long a file that was claimed or failed is left to whoever is at work on it.
const PATIENCE_SECONDS: i64 = 3_600;

/// Between two announcements of a file.
const BETWEEN_SECONDS: i64 = 3_000;

/// A digest that ended before this is new: its files may be on their way still.
const NEW_SECONDS: i64 = 7_200;

/// Files that are left to the second run each time that a folder's digests are gone through, in bytes as they are stored.
const MOST_LEFT_BYTES: usize = 25_000;

/// Files of a folder that are remembered, in bytes as they are stored: four times those that are left, since the digests of
/// two hours are gone through in three times at most.
const MOST_BYTES: usize = 4 * MOST_LEFT_BYTES;

/// What a file takes in the list beside its names.
const BYTES_BESIDE_NAMES: usize = 150;

/// A log file that no ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missed {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) size: u64,
    /// The end of its digest's hour.
    pub(crate) end: i64,
    /// In which run it was seen missing first.
    pub(crate) first_at: i64,
    /// How often it was announced again, and when last.
    #[serde(default)]
    pub(crate) sent: u32,
    #[serde(default)]
    pub(crate) sent_at: i64,
}

impl Missed {
    /// What it takes in the list.
    fn bytes(&self) -> usize {
        BYTES_BESIDE_NAMES + self.bucket.len() + self.key.len() + self.etag.len()
    }

    fn is_sent(&mut self, now: i64) {
        self.sent += 1;
        self.sent_at = now;
    }
}

/// Those of the files that the ledger does not know, or that nobody has been at work on for an hour. Those that cannot be
/// left to the second run are announced.
pub(crate) async fn unknown(
    outside: &impl Outside,
    files: Vec<Missed>,
    now: i64,
) -> Result<Vec<Missed>, Stopped> {
    let mut unknown = not_in_ledger(outside, files, now).await?;
    let mut at_once = Vec::new();
    let mut left_bytes = 0;
    for file in &mut unknown {
        let is_new = now - file.end < NEW_SECONDS;
        if is_new && left_bytes + file.bytes() <= MOST_LEFT_BYTES {
            left_bytes += file.bytes();
        } else {
            file.is_sent(now);
            at_once.push(file.clone());
        }
    }
    announce(outside, &at_once).await?;
    if !at_once.is_empty() {
        tracing::warn!(files = at_once.len(), "announced at once");
    }
    Ok(unknown)
}

async fn not_in_ledger(
    outside: &impl Outside,
    files: Vec<Missed>,
    now: i64,
) -> Result<Vec<Missed>, Stopped> {
    let asked = stream::iter(files).map(|file| async move {
        let is_known = is_known(outside, &file, now).await?;
        Ok::<_, Stopped>((file, is_known))
    });
    let mut answers = asked.buffered(AT_A_TIME);
    let mut unknown = Vec::new();
    while let Some(answer) = answers.next().await {
        let (file, is_known) = answer?;
        if !is_known {
            unknown.push(file);
        }
    }
    Ok(unknown)
}

async fn is_known(outside: &impl Outside, file: &Missed, now: i64) -> Result<bool, Stopped> {
    let (partition, sort) = file_key(&file.bucket, &file.key);
    let item = outside
        .items()
        .get_item(&ItemKey { partition, sort })
        .await?;
    let Some(item) = item else {
        return Ok(false);
    };
    let entry = match &item.body {
        Body::Text(text) => FileEntry::parse(text).ok(),
        Body::Bytes(_) => None,
    };
    // A form that cannot be read here was written by a later version: it is known.
    Ok(entry.is_none_or(|entry| match entry.status {
        FileStatus::Done | FileStatus::Skipped => true,
        FileStatus::Claimed | FileStatus::Failed => now - entry.updated_at < PATIENCE_SECONDS,
    }))
}

/// Adds files that are missing; how many are new, those included that the list has no room for.
pub(crate) fn note(missed: &mut Vec<Missed>, files: Vec<Missed>) -> u64 {
    let name = |file: &Missed| (file.bucket.clone(), file.key.clone());
    let mut noted: HashSet<(String, String)> = missed.iter().map(name).collect();
    let mut new = 0;
    for file in files {
        if noted.insert(name(&file)) {
            missed.push(file);
            new += 1;
        }
    }
    forget_most_sent(missed);
    new
}

/// Keeps what the list has room for: first of all what was never announced.
fn forget_most_sent(missed: &mut Vec<Missed>) {
    missed.sort_by_key(|file| file.sent);
    let mut bytes = 0;
    let room = missed.iter().take_while(|file| {
        bytes += file.bytes();
        bytes <= MOST_BYTES
    });
    let forgotten = missed.split_off(room.count());
    let unsent = forgotten.iter().filter(|file| file.sent == 0).count();
    if unsent > 0 {
        // Only if the ends of several runs have failed, which is told by itself.
        tracing::error!(files = unsent, "missed, and never announced");
    }
    if forgotten.len() > unsent {
        let files = forgotten.len() - unsent;
        tracing::warn!(files, "missed, announced and not remembered");
    }
}

/// Of the files that were noted in earlier runs, those that are to be announced now. What is known by now or was announced
/// often enough is forgotten.
pub(crate) async fn due(
    outside: &impl Outside,
    missed: &mut Vec<Missed>,
    now: i64,
) -> Result<Vec<Missed>, Stopped> {
    let all = std::mem::take(missed);
    let (earlier, new): (Vec<Missed>, Vec<Missed>) =
        all.into_iter().partition(|file| file.first_at < now);
    let mut due = Vec::new();
    for mut file in not_in_ledger(outside, earlier, now).await? {
        if now - file.sent_at >= BETWEEN_SECONDS {
            if file.sent >= MOST_TIMES {
                let object = format!("s3://{}/{}", file.bucket, file.key);
                tracing::warn!(object, "announced in vain");
                continue;
            }
            file.is_sent(now);
            due.push(file.clone());
        }
        missed.push(file);
    }
    missed.extend(new);
    Ok(due)
}

/// Announces files to the log-file queue.
pub(crate) async fn announce(outside: &impl Outside, files: &[Missed]) -> Result<(), Stopped> {
    let messages: Vec<QueueMessage> = files
        .iter()
        .map(|file| QueueMessage {
            body: announcement(file),
            // The queue knows neither; they tell the files apart for one that does.
            group_id: alarm_state::hash(&[&file.bucket, &file.key]),
            deduplication_id: alarm_state::hash(&[&file.bucket, &file.key, &file.sent.to_string()]),
        })
        .collect();
    outside.log_files().send_messages(&messages).await?;
    Ok(())
}

/// As S3 announces an object.
fn announcement(file: &Missed) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": file.bucket, "arn": format!("arn:aws:s3:::{}", file.bucket) },
            "object": { "key": form_encoded(&file.key), "size": file.size, "eTag": file.etag },
        },
    }] })
    .to_string()
}

/// As S3 encodes keys in notifications.
fn form_encoded(key: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(number: usize, sent: u32) -> Missed {
        Missed {
            bucket: "amzn-s3-demo-bucket".to_owned(),
            key: format!("{number:0100}"),
            etag: "e".repeat(32),
            size: 1_000,
            end: 1_772_326_643,
            first_at: 1_772_326_643,
            sent,
            sent_at: 1_772_326_643,
        }
    }

    #[test]
    fn what_was_never_announced_is_the_last_to_be_forgotten() {
        let mut list = Vec::new();
        let sent = (0..500).map(|number| missed(number, 1)).collect();
        assert_eq!(note(&mut list, sent), 500);
        let full = list.len();
        assert!((250..500).contains(&full), "{full}");
        assert!(serde_json::to_string(&list).unwrap().len() <= MOST_BYTES);
        let unsent = (500..600).map(|number| missed(number, 0)).collect();
        assert_eq!(note(&mut list, unsent), 100);
        assert_eq!(list.len(), full);
        assert_eq!(list.iter().filter(|file| file.sent == 0).count(), 100);
        assert_eq!(note(&mut list, vec![missed(500, 0)]), 0, "it is noted");
    }

    #[test]
    fn keys_are_encoded_as_s3_encodes_them() {
        assert_eq!(form_encoded("a/b_c-1.json.gz"), "a/b_c-1.json.gz");
        assert_eq!(form_encoded("a b+c=é"), "a+b%2Bc%3D%C3%A9");
    }
}
