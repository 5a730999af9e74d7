//! What is remembered from run to run, and how it lies in the table.
//!
//! | pk | sk | body |
//! | --- | --- | --- |
//! | `integrity` | `installation` | [`Installation`] |
//! | `integrity` | `trails` | [`TrailsState`](crate::trails::TrailsState) |
//! | `chain#BUCKET#FOLDER` | `checkpoint` | [`FolderState`]: where every chain of the folder stands, in one write |
//! | | `seen` | [`Seen`]: log files that are there and that no digest lists yet |
//! | | `d#TIME#NAME#PART` | [`WindowDigest`]: a digest that was validated lately, with its log files |
//!
//! Every write is conditional on the version that was read. Findings are sent before the checkpoint that has passed
//! over them is written, with the time of the checkpoint that was there: a run that dies and is repeated sends the same.

use std::collections::{BTreeMap, BTreeSet};

use digest_chain::{FindingKind, Level, Link, Stamp};
use ports::{Body, Item, ItemKey, Items, Put, with_sources};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::Tally;
use crate::requeue::Missed;
use crate::stopped::Stopped;

const SCHEMA: u32 = 1;

/// Chains of one folder. CloudTrail allows five trails in a Region.
pub(crate) const MOST_STREAMS: usize = 20;

/// Backfill digests of a chain that are remembered.
const MOST_BACKFILL: usize = 300;

/// Objects of a folder that are remembered as told.
const MOST_TOLD: usize = 300;

/// Log files of a folder that are remembered as seen.
const MOST_SEEN: usize = 1_000;

/// Folders that are known by name.
const MOST_FOLDERS: usize = 2_500;

/// Days of which so many foreign objects are remembered that not each is named, and how they are told apart.
const MOST_DAYS: usize = 100;
const OF_DAY: &str = "day ";

/// Ranges of hours that cannot be decided.
const MOST_UNDECIDABLE: usize = 200;

/// Bytes of a checkpoint, of the 400 KB that an item may have.
const MOST_BYTES: usize = 330_000;

/// Bytes of the names of folders that are remembered.
const MOST_FOLDER_BYTES: usize = 250_000;

/// Bytes of the log files of a folder that are remembered as seen.
const MOST_SEEN_BYTES: usize = 250_000;

/// For how long what is told is not told again.
const TOLD_SECONDS: i64 = 14 * 86_400;

/// Bytes of log files in one item.
const PART_BYTES: usize = 250_000;

/// State is kept for ten years after it was last written.
const KEPT_SECONDS: i64 = 3_650 * 86_400;

/// The partition of what is about the whole installation.
pub(crate) const INTEGRITY: &str = "integrity";

/// Something that has a schema number.
pub(crate) trait Form: Serialize + DeserializeOwned {
    /// What it is, for errors.
    const WHAT: &'static str;
}

/// Its stored form: the schema beside its members.
#[derive(Serialize, Deserialize)]
struct WithSchema<T> {
    schema: u32,
    #[serde(flatten)]
    value: T,
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

/// What was read from the table, or is to be written there.
#[derive(Debug, Clone)]
pub(crate) struct Stored<T> {
    key: ItemKey,
    /// The version that is in the table; `None` if there is none.
    version: Option<u64>,
    pub(crate) value: T,
}

impl<T: Form> Stored<T> {
    /// What is to be written under a key where nothing is.
    pub(crate) fn new(partition: &str, sort: &str, value: T) -> Self {
        Stored {
            key: key(partition, sort),
            version: None,
            value,
        }
    }

    /// Reads what is there.
    pub(crate) async fn load(
        items: &impl Items,
        partition: &str,
        sort: &str,
    ) -> Result<Option<Self>, Stopped> {
        let item = items.get_item(&key(partition, sort)).await?;
        item.map(Stored::of).transpose()
    }

    fn of(item: Item) -> Result<Self, Stopped> {
        let Body::Text(text) = &item.body else {
            return Err(unreadable::<T>("it is not text"));
        };
        let failed = |error: serde_json::Error| unreadable::<T>(&with_sources(&error));
        let Schema { schema } = serde_json::from_str(text).map_err(failed)?;
        if schema != SCHEMA {
            return Err(unreadable::<T>(&format!(
                "it has schema {schema}, expected {SCHEMA}: a later version wrote it"
            )));
        }
        let read: WithSchema<T> = serde_json::from_str(text).map_err(failed)?;
        Ok(Stored {
            key: item.key,
            version: Some(item.version),
            value: read.value,
        })
    }

    /// Writes it, if nobody else has.
    pub(crate) async fn save(&mut self, items: &impl Items, now: i64) -> Result<(), Stopped> {
        self.save_until(items, now.saturating_add(KEPT_SECONDS))
            .await
    }

    async fn save_until(&mut self, items: &impl Items, expires_at: i64) -> Result<(), Stopped> {
        let value = &self.value;
        let body = serde_json::to_string(&WithSchema {
            schema: SCHEMA,
            value,
        });
        let body = body.map_err(|error| unreadable::<T>(&with_sources(&error)))?;
        let version = self.version.map_or(1, |version| version.saturating_add(1));
        let item = Item {
            key: self.key.clone(),
            version,
            body: Body::Text(body),
            due_at: None,
            expires_at,
        };
        match items.put_item(&item, self.version).await? {
            Put::Written => {
                self.version = Some(version);
                Ok(())
            }
            Put::Conflict(_) => Err(Stopped::conflict()),
        }
    }
}

fn unreadable<T: Form>(error: &str) -> Stopped {
    Stopped::failed(
        "stored_state",
        format!("cannot read the stored {}: {error}", T::WHAT),
    )
}

fn key(partition: &str, sort: &str) -> ItemKey {
    ItemKey {
        partition: partition.to_owned(),
        sort: sort.to_owned(),
    }
}

/// The partition of a folder of digests.
pub(crate) fn partition(bucket: &str, folder: &str) -> String {
    format!("chain#{bucket}#{folder}")
}

/// What is known of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installation {
    /// When the first run was, in Unix seconds.
    pub(crate) installed_at: i64,
    /// When all folders had been gone through for the first time.
    #[serde(default)]
    pub(crate) completed_at: Option<i64>,
    /// The folders of digests that are known, whether they are there or not.
    #[serde(default)]
    pub(crate) folders: BTreeSet<String>,
    /// How many chains there were, and when that was counted.
    #[serde(default)]
    pub(crate) streams: u64,
    #[serde(default)]
    pub(crate) counted_at: i64,
    /// The folder to begin with, if time ran out.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    /// The day that was reported last: `2026-03-01`.
    #[serde(default)]
    pub(crate) reported: Option<String>,
    /// Hashes of folders that are none of CloudTrail's, which is told.
    #[serde(default)]
    pub(crate) foreign: BTreeSet<String>,
    /// It is told that there is no folder at all.
    #[serde(default)]
    pub(crate) is_silent: bool,
}

impl Form for Installation {
    const WHAT: &'static str = "state of the installation";
}

impl Installation {
    pub(crate) fn new(now: i64) -> Self {
        Installation {
            installed_at: now,
            completed_at: None,
            folders: BTreeSet::new(),
            streams: 0,
            counted_at: now,
            cursor: None,
            reported: None,
            foreign: BTreeSet::new(),
            is_silent: false,
        }
    }

    /// Of folders that are none of CloudTrail's: those that are to be told, and how many more there are.
    pub(crate) fn new_foreign(&mut self, folders: Vec<String>) -> (Vec<String>, u64) {
        let mut new = Vec::new();
        let mut more = 0;
        for folder in folders {
            let hash = short_hash(&folder);
            if self.foreign.contains(&hash) {
                continue;
            }
            match self.foreign.len() < MOST_TOLD {
                true => {
                    self.foreign.insert(hash);
                    new.push(folder);
                }
                false => more += 1,
            }
        }
        let is_said = more > 0 && !self.foreign.insert("more".to_owned());
        (new, if is_said { 0 } else { more })
    }

    /// Adds folders; whether one was new. Those beyond the limit are looked at as long as they are there, and not missed.
    pub(crate) fn add(&mut self, folders: &[String]) -> bool {
        let before = self.folders.len();
        let mut bytes: usize = self.folders.iter().map(|folder| stored_bytes(folder)).sum();
        for folder in folders {
            let more = bytes + stored_bytes(folder);
            let fits = self.folders.len() < MOST_FOLDERS && more <= MOST_FOLDER_BYTES;
            if fits && self.folders.insert(folder.clone()) {
                bytes = more;
            }
        }
        self.folders.len() > before
    }
}

/// Where the chains of one folder stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FolderState {
    /// When it was first seen, in Unix seconds.
    pub(crate) created_at: i64,
    /// When it was last gone through to its end: the time of findings.
    pub(crate) checked_at: i64,
    /// Whether it was gone through to its end once.
    #[serde(default)]
    pub(crate) is_complete: bool,
    /// Digests that end before this have been walked.
    #[serde(default)]
    pub(crate) walked_until: Option<Stamp>,
    /// Log files written before this have been held against the digests.
    #[serde(default)]
    pub(crate) decided_until: Option<i64>,
    /// How many hours are walked between two checkpoints; fewer once time ran out between.
    pub(crate) slice_hours: i64,
    /// By trail and home Region.
    #[serde(default)]
    pub(crate) streams: BTreeMap<String, StreamState>,
    /// Log files that no ledger knows.
    #[serde(default)]
    pub(crate) missed: Vec<Missed>,
    /// Objects that are told, by the hash of their names, and when: they are still there, and not told again.
    #[serde(default)]
    pub(crate) told: BTreeMap<String, i64>,
    /// The same of foreign objects, which anybody can make as many of as he likes.
    #[serde(default)]
    pub(crate) foreign: BTreeMap<String, i64>,
    /// Hours of digests that nobody could judge, merged, the oldest first: nothing is said of log files of these.
    #[serde(default)]
    pub(crate) undecidable: Vec<(i64, i64)>,
    /// The time in the window of the digest that was last read again in full.
    #[serde(default)]
    pub(crate) turn: i64,
    /// When older days were last looked through.
    #[serde(default)]
    pub(crate) swept_at: i64,
    /// What was done, by day and chain.
    #[serde(default)]
    pub(crate) tallies: BTreeMap<String, BTreeMap<String, Tally>>,
}

impl Form for FolderState {
    const WHAT: &'static str = "checkpoint of a folder";
}

/// Where one chain stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamState {
    /// The name of the trail.
    pub(crate) trail: String,
    /// Where the trail was made.
    pub(crate) home_region: String,
    /// The last digest that is proven.
    #[serde(default)]
    pub(crate) link: Option<Link>,
    /// The end of the last digest that was there, proven or not.
    #[serde(default)]
    pub(crate) examined_until: Option<Stamp>,
    /// The last backfill digest that is proven.
    #[serde(default)]
    pub(crate) backfill: Option<Link>,
    /// The ends of the backfill digests that were seen.
    #[serde(default)]
    pub(crate) backfill_ends: BTreeSet<Stamp>,
    /// What it waits for: a digest, or the public keys of one.
    #[serde(default)]
    pub(crate) unread: Option<Waiting>,
    /// Objects of the time before the installation that are archived, until they are told as one.
    #[serde(default)]
    pub(crate) archived: Option<Archived>,
    /// It is told that there is no new digest.
    #[serde(default)]
    pub(crate) is_stale: bool,
    /// It was there no more long before it was first looked at: nobody waits for its digests.
    #[serde(default)]
    pub(crate) has_ended: bool,
    /// It is to be told as new.
    #[serde(default)]
    pub(crate) is_new: bool,
}

/// What a chain waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The digest that cannot be read or judged.
    pub(crate) key: String,
    /// Whether that is told.
    pub(crate) is_told: bool,
    /// It can be read, and there are no public keys for it.
    #[serde(default)]
    pub(crate) is_for_keys: bool,
}

/// Archived objects, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Archived {
    pub(crate) count: u64,
    /// The ends of the first and the last digest they belong to.
    pub(crate) from: Stamp,
    pub(crate) to: Stamp,
    /// Bucket and key of the first.
    pub(crate) first: (String, String),
}

/// What became of noting that something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is new.
    New,
    /// It was told before.
    Known,
    /// It is new, and there are too many to remember.
    TooMany,
}

impl FolderState {
    pub(crate) fn new(now: i64) -> Self {
        FolderState {
            created_at: now,
            checked_at: now,
            is_complete: false,
            walked_until: None,
            decided_until: None,
            slice_hours: 24,
            streams: BTreeMap::new(),
            missed: Vec::new(),
            told: BTreeMap::new(),
            foreign: BTreeMap::new(),
            undecidable: Vec::new(),
            turn: 0,
            swept_at: 0,
            tallies: BTreeMap::new(),
        }
    }

    /// Notes that something is told of an object; `false` if it was before.
    pub(crate) fn tell(&mut self, what: &str, now: i64) -> bool {
        let is_new = self.told.insert(short_hash(what), now).is_none();
        self.told.retain(|_, told_at| now - *told_at < TOLD_SECONDS);
        while self.told.len() > MOST_TOLD {
            let oldest = self.told.iter().min_by_key(|(_, told_at)| **told_at);
            let Some((oldest, _)) = oldest.map(|(what, at)| (what.clone(), *at)) else {
                break;
            };
            self.told.remove(&oldest);
        }
        is_new
    }

    /// Notes that a foreign object is told. What is remembered stays, however many come.
    pub(crate) fn tell_foreign(&mut self, what: &str, now: i64) -> Noted {
        self.foreign
            .retain(|_, told_at| now - *told_at < TOLD_SECONDS);
        let objects = self.foreign.keys().filter(|name| !name.starts_with(OF_DAY));
        let is_full = objects.count() >= MOST_TOLD;
        match self.foreign.get_mut(&short_hash(what)) {
            Some(told_at) => {
                *told_at = now;
                Noted::Known
            }
            None if is_full => Noted::TooMany,
            None => {
                self.foreign.insert(short_hash(what), now);
                Noted::New
            }
        }
    }

    /// The same of those of a day that are too many to name.
    pub(crate) fn tell_foreign_of_day(&mut self, day: &str, now: i64) -> Noted {
        let name = format!("{}{}", OF_DAY, short_hash(day));
        let days = self.foreign.keys().filter(|name| name.starts_with(OF_DAY));
        let is_full = days.count() >= MOST_DAYS;
        match self.foreign.get_mut(&name) {
            Some(told_at) => {
                *told_at = now;
                Noted::Known
            }
            None if is_full => Noted::TooMany,
            None => {
                self.foreign.insert(name, now);
                Noted::New
            }
        }
    }

    /// Notes that the digest of an hour could not be judged.
    pub(crate) fn cannot_decide(&mut self, from: i64, to: i64) {
        self.undecidable.push((from, to));
        self.undecidable.sort();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for &(from, to) in &self.undecidable {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        // Too many to tell apart: the oldest become one.
        while merged.len() > MOST_UNDECIDABLE {
            let (from, _) = merged.remove(0);
            if let Some(next) = merged.first_mut() {
                next.0 = from;
            }
        }
        self.undecidable = merged;
    }

    /// Whether nothing can be said of a log file written at this time.
    pub(crate) fn is_undecidable(&self, written: i64) -> bool {
        let mut hours = self.undecidable.iter();
        hours.any(|&(from, to)| from <= written && written < to)
    }

    /// Shortens what is kept for the report until the whole fits into an item; how much was taken out.
    pub(crate) fn fit(&mut self) -> usize {
        let mut cut = 0;
        while serde_json::to_string(&*self).map_or(0, |body| body.len()) > MOST_BYTES {
            let tallies = self.tallies.values_mut().flat_map(BTreeMap::values_mut);
            let longest = tallies.max_by_key(|tally| tally.first.len());
            let Some(longest) = longest.filter(|tally| !tally.first.is_empty()) else {
                break;
            };
            let kept = longest.first.len() / 2;
            cut += longest.first.len() - kept;
            longest.first.truncate(kept);
        }
        cut
    }
}

/// Enough of a name to tell it from others.
pub(crate) fn short_hash(what: &str) -> String {
    alarm_state::hash(&[what]).chars().take(16).collect()
}

impl StreamState {
    /// Notes backfill digests, the latest of which are remembered.
    pub(crate) fn saw_backfill(&mut self, end: Stamp) {
        self.backfill_ends.insert(end);
        while self.backfill_ends.len() > MOST_BACKFILL {
            self.backfill_ends.pop_first();
        }
    }

    /// The end of the last digest that was there.
    pub(crate) fn last_end(&self) -> Option<Stamp> {
        let link = self.link.as_ref().map(|link| link.end);
        link.max(self.examined_until)
    }
}

/// What a text takes as JSON, with a comma.
fn stored_bytes(text: &str) -> usize {
    serde_json::to_string(text).map_or(usize::MAX / 4, |text| text.len() + 1)
}

/// Log files that are there and that no digest lists yet, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) files: BTreeMap<String, SeenFile>,
    /// How many more there were.
    #[serde(default)]
    pub(crate) more: u64,
}

impl Seen {
    /// Remembers a file, if there is room; else counts it.
    pub(crate) fn remember(&mut self, key: &str, file: SeenFile, bytes: &mut usize) {
        let more = *bytes + stored_bytes(key) + stored_bytes(&file.etag) + 64;
        if self.files.len() >= MOST_SEEN || more > MOST_SEEN_BYTES {
            self.more += 1;
            return;
        }
        *bytes = more;
        self.files.insert(key.to_owned(), file);
    }
}

impl Form for Seen {
    const WHAT: &'static str = "list of log files seen";
}

/// A log file that no digest lists yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenFile {
    /// When it was first seen, in Unix seconds.
    pub(crate) first: i64,
    pub(crate) etag: String,
    pub(crate) size: u64,
}

/// A digest that was validated lately, or a part of one with very many log files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WindowDigest {
    /// Trail and home Region.
    pub(crate) stream: String,
    pub(crate) key: String,
    pub(crate) end: Stamp,
    /// From when on it is in the window: its end; when it was found, for a backfill digest.
    pub(crate) at: i64,
    #[serde(default)]
    pub(crate) is_backfill: bool,
    /// The first part stands for the digest itself, too.
    pub(crate) part: usize,
    pub(crate) etag: String,
    /// The hash of its content; none if it is not proven.
    #[serde(default)]
    pub(crate) sha256: Option<String>,
    /// What is told of it.
    #[serde(default)]
    pub(crate) told: Option<Told>,
    pub(crate) logs: Vec<WindowLog>,
}

/// A log file of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WindowLog {
    /// Where it lies, if not in the bucket of its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bucket: Option<String>,
    pub(crate) key: String,
    /// The entity tag with which it was found right; empty if it never was.
    pub(crate) etag: String,
    pub(crate) sha256: String,
    /// What is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<Told>,
    /// It could not be read yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_unread: bool,
    /// In which run it did not answer: that is told if it does not in the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_answer: Option<i64>,
}

/// What is told of a file of the window, and of which object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The gravest kind.
    pub(crate) kind: String,
    /// The entity tag of the last object that was looked at; empty if there was none.
    pub(crate) etag: String,
}

impl Told {
    pub(crate) fn of(kind: FindingKind, etag: &str) -> Self {
        Told {
            kind: kind.code().to_owned(),
            etag: etag.to_owned(),
        }
    }

    /// Whether it says that the file is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.gravity() == GONE
    }

    /// How bad it is.
    pub(crate) fn gravity(&self) -> u8 {
        let kind = FindingKind::ALL.iter();
        let kind = kind.copied().find(|kind| kind.code() == self.kind);
        kind.map_or(0, gravity)
    }
}

/// The gravity of what is gone.
const GONE: u8 = 3;

/// How bad a finding about a file is: what is worse is told of a file of which something is told already.
pub(crate) fn gravity(kind: FindingKind) -> u8 {
    match kind {
        FindingKind::LogNotFound | FindingKind::DigestDeleted => GONE,
        kind if kind.level() == Level::Problem => 2,
        _ => 1,
    }
}

impl Form for WindowDigest {
    const WHAT: &'static str = "digest of the re-check window";
}

impl WindowDigest {
    /// As many parts as it takes.
    pub(crate) fn parts(self) -> Vec<WindowDigest> {
        let logs = self.logs;
        let head = WindowDigest {
            logs: Vec::new(),
            ..self
        };
        let mut parts = vec![head.clone()];
        let mut bytes = 0;
        for log in logs {
            let length = log.key.len() + log.etag.len() + log.sha256.len() + 96;
            if bytes + length > PART_BYTES {
                bytes = 0;
                parts.push(WindowDigest {
                    part: parts.len(),
                    ..head.clone()
                });
            }
            bytes += length;
            if let Some(part) = parts.last_mut() {
                part.logs.push(log);
            }
        }
        parts
    }

    fn sort(&self) -> String {
        let name = alarm_state::hash(&[&self.key]);
        let name = name.get(..12).unwrap_or_default();
        format!("{}#{name}#{:03}", window_sort(self.at), self.part)
    }
}

/// Digests of later times sort behind.
fn window_sort(at: i64) -> String {
    format!("d#{:012}", at.max(0))
}

/// Digests of the window from this time on.
pub(crate) async fn load_window(
    items: &impl Items,
    partition: &str,
    from: i64,
) -> Result<Vec<Stored<WindowDigest>>, Stopped> {
    const MOST: usize = 100;
    let mut window = Vec::new();
    let mut first = window_sort(from);
    loop {
        let page = items
            .items_between(partition, &first, "d#~", false, MOST)
            .await?;
        let is_last = page.len() < MOST;
        if let Some(last) = page.last() {
            first = format!("{}\u{1}", last.key.sort);
        }
        for item in page {
            window.push(Stored::of(item)?);
        }
        if is_last {
            return Ok(window);
        }
    }
}

/// Writes digests into the window; one that is there, from a run that died, is written over.
pub(crate) async fn save_in_window(
    items: &impl Items,
    partition: &str,
    digest: WindowDigest,
    expires_at: i64,
) -> Result<Vec<Stored<WindowDigest>>, Stopped> {
    let mut saved = Vec::new();
    for part in digest.parts() {
        let sort = part.sort();
        let mut stored = Stored::new(partition, &sort, part);
        if stored.save_until(items, expires_at).await.is_err() {
            let there: Option<Stored<WindowDigest>> = Stored::load(items, partition, &sort).await?;
            stored.version = there.and_then(|there| there.version);
            stored.save_until(items, expires_at).await?;
        }
        saved.push(stored);
    }
    Ok(saved)
}

/// Writes one again that was read from it.
pub(crate) async fn save_again(
    items: &impl Items,
    stored: &mut Stored<WindowDigest>,
    expires_at: i64,
) -> Result<(), Stopped> {
    stored.save_until(items, expires_at).await
}
