//! Digest files and the log files they list.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::key::SigningKey;
use super::records::iso;
use super::{Object, Placed, sha256};
use crate::gzip;

/// A log file as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The bucket it is in.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Hash of the content, in hex.
    pub sha256: String,
    /// The content, inflated.
    pub content: Vec<u8>,
    /// Time of the oldest event.
    pub oldest: i64,
    /// Time of the newest event.
    pub newest: i64,
    /// When it was put into the bucket.
    pub delivered: i64,
}

impl Log {
    /// What is in the bucket.
    pub fn object(&self) -> Object {
        Object {
            content: gzip(&self.content),
            metadata: BTreeMap::new(),
            delivered: self.delivered,
        }
    }
}

impl Placed for Log {
    fn place(&self) -> (String, String) {
        (self.bucket.clone(), self.key.clone())
    }
}

/// A digest file as it was delivered.
#[derive(Debug, Clone)]
pub struct Digest {
    /// The bucket it is in.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Which hour of the stream it is of.
    pub hour: usize,
    /// When it begins.
    pub start: i64,
    /// When it ends.
    pub end: i64,
    /// The file, inflated.
    pub json: Vec<u8>,
    /// Hash of [`json`](Self::json), in hex.
    pub sha256: String,
    /// The signature in the object's metadata, in hex.
    pub signature: String,
    /// What it calls the key that it is signed with.
    pub fingerprint: String,
    /// The log files it lists.
    pub logs: Vec<Log>,
    /// When it was made, if it is a backfill digest.
    pub generated: Option<i64>,
    signer: &'static SigningKey,
    with_sha1: bool,
}

/// What a digest file says, before it is signed.
pub(super) struct Draft<'a> {
    pub(super) account: &'a str,
    pub(super) bucket: &'a str,
    pub(super) key: String,
    pub(super) hour: usize,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) logs: Vec<Log>,
    pub(super) generated: Option<i64>,
}

impl Draft<'_> {
    pub(super) fn signed(self, previous: Option<&Digest>, signer: &'static SigningKey) -> Digest {
        let json = json!({
            "awsAccountId": self.account,
            "digestStartTime": iso(self.start),
            "digestEndTime": iso(self.end),
            "digestS3Bucket": self.bucket,
            "digestS3Object": self.key,
            "digestPublicKeyFingerprint": signer.fingerprint(),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": newest(&self.logs),
            "oldestEventTime": oldest(&self.logs),
            "previousDigestS3Bucket": previous.map(|previous| &previous.bucket),
            "previousDigestS3Object": previous.map(|previous| &previous.key),
            "previousDigestHashValue": previous.map(|previous| &previous.sha256),
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": previous.map(|previous| &previous.signature),
            "logFiles": listed(&self.logs),
        });
        let digest = Digest {
            bucket: self.bucket.to_owned(),
            key: self.key,
            hour: self.hour,
            start: self.start,
            end: self.end,
            json: Vec::new(),
            sha256: String::new(),
            signature: String::new(),
            fingerprint: signer.fingerprint().to_owned(),
            logs: self.logs,
            generated: self.generated,
            signer,
            with_sha1: false,
        };
        digest.saying(&json)
    }
}

impl Digest {
    /// What is in the bucket.
    pub fn object(&self) -> Object {
        let mut metadata = BTreeMap::from([
            ("signature".to_owned(), self.signature.clone()),
            ("signature-algorithm".to_owned(), "SHA256withRSA".to_owned()),
        ]);
        if let Some(generated) = self.generated {
            metadata.insert("backfill-generation-timestamp".to_owned(), iso(generated));
        }
        Object {
            content: gzip(&self.json),
            metadata,
            delivered: self.generated.unwrap_or(self.end + 420),
        }
    }

    /// The same digest with other log files, signed.
    #[must_use]
    pub fn with_logs(&self, logs: Vec<Log>) -> Digest {
        let mut digest = self.with_json(|json| {
            json["newestEventTime"] = json!(newest(&logs));
            json["oldestEventTime"] = json!(oldest(&logs));
            json["logFiles"] = listed(&logs);
        });
        digest.logs = logs;
        digest
    }

    /// The same digest as it would be after another one, signed.
    #[must_use]
    pub fn after(&self, previous: &Digest) -> Digest {
        self.with_json(|json| {
            json["previousDigestS3Bucket"] = json!(previous.bucket);
            json["previousDigestS3Object"] = json!(previous.key);
            json["previousDigestHashValue"] = json!(previous.sha256);
            json["previousDigestHashAlgorithm"] = json!("SHA-256");
            json["previousDigestSignature"] = json!(previous.signature);
        })
    }

    /// The same digest saying something else, signed.
    #[must_use]
    pub fn with_json(&self, edit: impl FnOnce(&mut Value)) -> Digest {
        let mut json = serde_json::from_slice(&self.json).unwrap();
        edit(&mut json);
        self.clone().saying(&json)
    }

    /// The same digest signed with another key, which it still calls by the name of the first.
    #[must_use]
    pub fn signed_by(&self, signer: &'static SigningKey) -> Digest {
        let other = Digest {
            signer,
            ..self.clone()
        };
        other.with_json(|_| ())
    }

    /// The same digest signed with SHA-1.
    #[must_use]
    pub fn signed_with_sha1(&self) -> Digest {
        let weak = Digest {
            with_sha1: true,
            ..self.clone()
        };
        weak.with_json(|_| ())
    }

    /// Writes and signs.
    fn saying(mut self, json: &Value) -> Digest {
        self.json = json.to_string().into_bytes();
        self.sha256 = sha256(&self.json);
        let text = signed_text(json, &self.sha256);
        self.signature = match self.with_sha1 {
            false => self.signer.sign(&text),
            true => self.signer.sign_sha1(&text),
        };
        self
    }
}

impl Placed for Digest {
    fn place(&self) -> (String, String) {
        (self.bucket.clone(), self.key.clone())
    }
}

/// What CloudTrail signs: end time, place, hash, and the signature before, in four lines.
fn signed_text(json: &Value, sha256: &str) -> String {
    let text = |member: &str| json[member].as_str().unwrap_or_default();
    let previous = json["previousDigestSignature"].as_str().unwrap_or("null");
    let (end, bucket, key) = (
        text("digestEndTime"),
        text("digestS3Bucket"),
        text("digestS3Object"),
    );
    format!("{end}\n{bucket}/{key}\n{sha256}\n{previous}")
}

fn newest(logs: &[Log]) -> Option<String> {
    logs.iter().map(|log| log.newest).max().map(iso)
}

fn oldest(logs: &[Log]) -> Option<String> {
    logs.iter().map(|log| log.oldest).min().map(iso)
}

fn listed(logs: &[Log]) -> Value {
    let entry = |log: &Log| {
        json!({
            "s3Bucket": log.bucket,
            "s3Object": log.key,
            "hashValue": log.sha256,
            "hashAlgorithm": "SHA-256",
            "newestEventTime": iso(log.newest),
            "oldestEventTime": iso(log.oldest),
        })
    };
    logs.iter().map(entry).collect()
}
