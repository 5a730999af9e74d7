//! What CloudTrail delivers, with a chain of signed digest files, and ways to tamper with it.
//!
//! ```
//! use testkit::chain::{Chain, TrailSpec};
//!
//! let mut chain = Chain::of(&TrailSpec { hours: 6, ..TrailSpec::default() });
//! let log = chain.log(0, 4, 1);
//! chain.edit_records(&log, |records| {
//!     records.remove(0);
//! });
//! assert_ne!(chain.inflated(&log), log.content);
//! ```
//!
//! A [`TrailSpec`] says what is to be delivered, [`Chain::of`] delivers it: [`Stream`]s say what that
//! was, [`Chain::objects`] is what the buckets hold. Whoever tampers changes the objects, never the
//! streams. [`scenarios`] are ready-made cases, each with the truth about what was done.
//!
//! Everything is a function of the specification but the keys, which each process makes for itself,
//! and with them fingerprints, signatures and hashes of digest files.

use std::collections::BTreeMap;
use std::fmt::Write;

use ports::PublicKeyEntry;

mod digest;
mod folder;
mod in_world;
mod key;
mod modular;
mod records;
mod scenarios;
mod spec;
mod tamper;
#[cfg(test)]
mod tests;

pub use digest::{Digest, Log};
pub use in_world::Deletion;
pub use key::{SigningKey, spki};
pub use scenarios::{FoundBy, Scenario, Staged, Tamper, Tampered, scenario, scenarios};
pub use spec::TrailSpec;
pub use tamper::ReadFault;

/// What is in a bucket under a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    /// As it is stored.
    pub content: Vec<u8>,
    /// User metadata; names are lower-case, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// When it was put there, in Unix seconds.
    pub delivered: i64,
}

/// What was delivered for one trail in one account and Region. Every list begins with the oldest.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What was asked for; the hours are those so far.
    pub spec: TrailSpec,
    /// The chain of digests.
    pub digests: Vec<Digest>,
    /// The chain of backfill digests.
    pub backfill: Vec<Digest>,
    /// Log files that no digest lists.
    pub unlisted: Vec<Log>,
}

impl Stream {
    /// Every log file, listed or not.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        let digests = self.digests.iter().chain(&self.backfill);
        let listed = digests.flat_map(|digest| &digest.logs);
        listed.chain(&self.unlisted)
    }
}

/// Something that has a bucket and a key.
pub trait Placed {
    /// Bucket and key.
    fn place(&self) -> (String, String);
}

impl Placed for (&str, &str) {
    fn place(&self) -> (String, String) {
        (self.0.to_owned(), self.1.to_owned())
    }
}

impl Placed for (String, String) {
    fn place(&self) -> (String, String) {
        self.clone()
    }
}

/// Streams of log files and digests, and the buckets they are in.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// What was delivered.
    pub streams: Vec<Stream>,
    /// What is there now, by bucket and key.
    pub objects: BTreeMap<(String, String), Object>,
    /// The public keys of each Region, the oldest first.
    pub public_keys: BTreeMap<String, Vec<PublicKeyEntry>>,
    /// What cannot be read, and why.
    pub read_faults: Vec<((String, String), ReadFault)>,
    /// Numbers of keys, by Region and how many there were before it.
    key_numbers: BTreeMap<(String, usize), usize>,
}

/// A key is valid from a day before its first use, for 30 days.
const DAY: i64 = 86_400;

impl Chain {
    /// One stream.
    pub fn of(spec: &TrailSpec) -> Chain {
        Chain::of_all([spec])
    }

    /// Several streams.
    pub fn of_all<'a>(specs: impl IntoIterator<Item = &'a TrailSpec>) -> Chain {
        let mut chain = Chain::default();
        for spec in specs {
            chain.add(spec);
        }
        chain
    }

    /// Adds a stream and returns its number.
    pub fn add(&mut self, spec: &TrailSpec) -> usize {
        let number = self.streams.len();
        self.streams.push(Stream {
            spec: TrailSpec {
                hours: 0,
                ..spec.clone()
            },
            digests: Vec::new(),
            backfill: Vec::new(),
            unlisted: Vec::new(),
        });
        self.grow(number, spec.hours);
        for &hour in &spec.backfill_hours {
            self.add_backfill(number, hour);
        }
        number
    }

    /// Goes on with a stream for some hours.
    pub fn grow(&mut self, stream: usize, hours: usize) {
        for _ in 0..hours {
            let spec = &self.streams[stream].spec;
            let hour = spec.hours;
            let logs = logs_of(spec, hour);
            for log in &logs {
                self.objects.insert(log.place(), log.object());
            }
            let has_digest = !spec.off_hours.contains(&hour) && !spec.skipped_hours.contains(&hour);
            match has_digest {
                true => self.add_digest(stream, hour, logs),
                false => self.streams[stream].unlisted.extend(logs),
            }
            self.streams[stream].spec.hours += 1;
        }
    }

    fn add_digest(&mut self, stream: usize, hour: usize, logs: Vec<Log>) {
        let spec = self.streams[stream].spec.clone();
        let signer = self.signer(&spec, spec.end_of(hour));
        let draft = digest::Draft {
            account: &spec.account,
            bucket: spec.bucket_of(hour),
            key: spec.digest_key(spec.end_of(hour), false),
            hour,
            start: spec.start_of(hour),
            end: spec.end_of(hour),
            logs,
            generated: None,
        };
        let digests = &mut self.streams[stream].digests;
        let previous = spec
            .previous_hour(hour)
            .and_then(|hour| digests.iter().find(|digest| digest.hour == hour));
        let digest = draft.signed(previous, signer);
        self.objects.insert(digest.place(), digest.object());
        digests.push(digest);
    }

    /// Adds a backfill digest of an hour, with log files of its own, to the chain of those.
    pub fn add_backfill(&mut self, stream: usize, hour: usize) {
        let spec = self.streams[stream].spec.clone();
        let (start, end) = (spec.start_of(hour), spec.end_of(hour));
        let made_after = i64::from(spec.backfill_after_days) * DAY + (end - spec.start) / 60;
        let generated = end + made_after;
        let logs: Vec<Log> = (0..2)
            .map(|index| {
                let mut log = log_of(&spec, hour, "CloudTrail", &format!("backfill{index}"), 1);
                log.delivered = generated - 600;
                log
            })
            .collect();
        for log in &logs {
            self.objects.insert(log.place(), log.object());
        }
        let signer = self.signer(&spec, generated);
        let draft = digest::Draft {
            account: &spec.account,
            bucket: spec.bucket_of(hour),
            key: spec.digest_key(end, true),
            hour,
            start,
            end,
            logs,
            generated: Some(generated),
        };
        let backfill = &mut self.streams[stream].backfill;
        let digest = draft.signed(backfill.last(), signer);
        self.objects.insert(digest.place(), digest.object());
        backfill.push(digest);
    }

    /// The key that signs in a Region at a time; it is published.
    fn signer(&mut self, spec: &TrailSpec, time: i64) -> &'static SigningKey {
        let hour = usize::try_from((time - 1 - spec.start) / 3600).unwrap();
        let (first_hour, generation) = spec.key_of(hour);
        let slot = (spec.region.clone(), generation);
        if let Some(&number) = self.key_numbers.get(&slot) {
            return SigningKey::test(number);
        }
        let number = self.key_numbers.len();
        self.key_numbers.insert(slot, number);
        let signer = SigningKey::test(number);
        let validity_start = spec.start_of(first_hour) - DAY;
        let published = self.public_keys.entry(spec.region.clone()).or_default();
        published.push(PublicKeyEntry {
            fingerprint: signer.fingerprint().to_owned(),
            value: signer.der().to_vec(),
            validity_start,
            validity_end: validity_start + 30 * DAY,
        });
        signer
    }

    /// The digest of an hour.
    pub fn digest(&self, stream: usize, hour: usize) -> Digest {
        let mut digests = self.streams[stream].digests.iter();
        let digest = digests.find(|digest| digest.hour == hour);
        digest
            .unwrap_or_else(|| panic!("hour {hour} has no digest"))
            .clone()
    }

    /// A log file that the digest of an hour lists.
    pub fn log(&self, stream: usize, hour: usize, index: usize) -> Log {
        self.digest(stream, hour).logs[index].clone()
    }

    /// When the first digest of all begins, and when the last one ends.
    pub fn range(&self) -> (i64, i64) {
        let specs = || self.streams.iter().map(|stream| &stream.spec);
        let start = specs().map(|spec| spec.start).min().unwrap();
        let end = specs().map(|spec| spec.start_of(spec.hours)).max().unwrap();
        (start, end)
    }
}

/// The log files of an hour, the first delivered first.
fn logs_of(spec: &TrailSpec, hour: usize) -> Vec<Log> {
    if spec.empty_hours.contains(&hour) {
        return Vec::new();
    }
    let count = spec.logs_per_hour;
    let mut logs: Vec<Log> = (0..count)
        .map(|index| log_of(spec, hour, "CloudTrail", &index.to_string(), count))
        .collect();
    if spec.insight_hours.contains(&hour) {
        logs.push(log_of(spec, hour, "CloudTrail-Insight", "insight", 1));
    }
    logs
}

/// A log file: one of `count` in an hour, at its place among them if its name is a number.
fn log_of(spec: &TrailSpec, hour: usize, folder: &'static str, name: &str, count: usize) -> Log {
    let index: usize = name.parse().unwrap_or(0);
    let seconds = spec.end_of(hour) - spec.start_of(hour);
    let (nth, of) = (
        i64::try_from(2 * index + 1).unwrap(),
        i64::try_from(2 * count).unwrap(),
    );
    let delivered = spec.start_of(hour) + seconds * nth / of;
    let is_late = spec.late_hours.contains(&hour) && name == "0";
    let late_by = if is_late {
        i64::from(spec.late_by_hours) * 3600
    } else {
        0
    };
    let newest = delivered - 120 - late_by;
    let draft = records::Draft {
        spec,
        folder,
        seed: &format!("{hour}/{name}"),
        oldest: if spec.records_per_log == 1 {
            newest
        } else {
            newest - 300
        },
        newest,
        records: spec.records_per_log,
    };
    let content = draft.content();
    Log {
        bucket: spec.bucket_of(hour).to_owned(),
        key: draft.key(delivered - late_by),
        sha256: sha256(&content),
        content,
        oldest: draft.oldest,
        newest,
        delivered,
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[cfg(test)]
fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}
