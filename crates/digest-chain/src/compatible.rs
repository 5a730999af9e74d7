//! The walk of `aws cloudtrail validate-logs`: from the newest digest to the oldest.
//!
//! Source: the behaviour of AWS CLI 1.46.2. Where it is fooled, so is this; [`ChainWalk`](crate::ChainWalk) is not.

use std::collections::HashMap;

use crate::digest_file::FormatError;
use crate::listing::{is_backfill, stamp_of};
use crate::time::{display_time, parse_stamp, parse_time};
use crate::{
    DigestFile, DigestListing, DigestObject, OpenedDigest, PublicKey, PublicKeys, SignatureCheck,
    Stream, Unopened, signing_string, verify_any_hash,
};

/// How long after the end of the range keys are asked for.
const KEYS_AFTER_SECONDS: i64 = 2 * 3600;

/// How long before and after a backfill digest was generated its key is looked for.
const BACKFILL_KEY_SECONDS: i64 = 3600;

/// What the walk wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The digests of a bucket between the start of the range and this time; answered by
    /// [`listed`](CompatibleWalk::listed).
    List {
        /// The bucket.
        bucket: String,
        /// The end of the range, in Unix seconds.
        end: i64,
    },
    /// The public keys of a range; answered by [`keys`](CompatibleWalk::keys).
    PublicKeys {
        /// Its start, in Unix seconds.
        start: i64,
        /// Its end, in Unix seconds.
        end: i64,
    },
    /// A digest; answered by [`read`](CompatibleWalk::read).
    Read {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Nothing: the walk is over.
    Done,
}

/// What became of reading a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestOutcome {
    /// It was read.
    Object(DigestObject),
    /// There is none.
    NotFound,
    /// It could not be read for a reason that does not end the run.
    Failed(String),
}

/// What the walk has seen, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A valid digest; its log files are to be looked at before what is seen next.
    Valid(Box<DigestFile>),
    /// An invalid digest; its log files are not looked at.
    Invalid {
        /// The bucket it was looked for in.
        bucket: String,
        /// Its key.
        key: String,
        /// What is wrong.
        reason: Invalid,
    },
    /// The chain begins anew: nothing vouches for what was delivered in between.
    Gap {
        /// The end of the digest before, in Unix seconds.
        from: i64,
        /// The start of the digest after, in Unix seconds.
        to: i64,
    },
}

/// What is wrong with a digest, in the words of the AWS CLI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// There is none.
    #[error("not found")]
    NotFound,
    /// It is no digest file.
    #[error("invalid format")]
    Format,
    /// The signature does not verify, or there is none.
    #[error("signature verification failed")]
    Signature,
    /// It says that it lies elsewhere.
    #[error("has been moved from its original location")]
    Moved,
    /// The key is not known.
    #[error("public key not found in region {region} for fingerprint {fingerprint}")]
    KeyUnknown {
        /// The home Region of the trail.
        region: String,
        /// The key's fingerprint.
        fingerprint: String,
    },
    /// The key cannot be used.
    #[error("Unable to load PKCS #1 key with fingerprint {0}")]
    KeyUnusable(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What ends the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// There is no key for the range.
    #[error("No public keys found between {} and {}", display_time(*.start), display_time(*.end))]
    NoPublicKeys {
        /// The start of the range.
        start: i64,
        /// Its end.
        end: i64,
    },
    /// A name among the digests has no time in it.
    #[error("Unable to parse date value: {0}")]
    Stamp(String),
}

/// The walk along one of the two chains of a stream: that of the digests, or that of the backfill digests.
#[derive(Debug)]
pub struct CompatibleWalk {
    home_region: String,
    start: i64,
    end: i64,
    is_backfill: bool,
    public_keys: HashMap<String, PublicKey>,
    bucket: String,
    /// Keys that were listed and not taken yet; the newest is the last.
    listed: Vec<String>,
    state: State,
    /// The next digest.
    key: Option<String>,
    /// The start of the last valid digest, or the time in the name of the first.
    last_start: i64,
}

#[derive(Debug)]
enum State {
    /// The listing is wanted; `end` of the range.
    Listing {
        end: i64,
        is_first: bool,
    },
    /// The keys of the range are wanted.
    Keys,
    /// A key of a backfill digest is wanted, to judge it.
    BackfillKey {
        digest: Box<OpenedDigest>,
        at: i64,
    },
    Walking,
}

impl CompatibleWalk {
    /// A walk from `end` back to `start` (Unix seconds) that begins in this bucket.
    pub fn new(stream: &Stream, bucket: &str, (start, end): (i64, i64), is_backfill: bool) -> Self {
        CompatibleWalk {
            home_region: stream.home_region.clone(),
            start,
            end,
            is_backfill,
            public_keys: HashMap::new(),
            bucket: bucket.to_owned(),
            listed: Vec::new(),
            state: State::Listing {
                end,
                is_first: true,
            },
            key: None,
            last_start: i64::MIN,
        }
    }

    /// What the walk wants next.
    pub fn next(&self) -> Next {
        let bucket = self.bucket.clone();
        match &self.state {
            State::Listing { end, .. } => Next::List { bucket, end: *end },
            State::Keys => Next::PublicKeys {
                start: self.start,
                end: self.end.saturating_add(KEYS_AFTER_SECONDS),
            },
            State::BackfillKey { at, .. } => Next::PublicKeys {
                start: at.saturating_sub(BACKFILL_KEY_SECONDS),
                end: at.saturating_add(BACKFILL_KEY_SECONDS),
            },
            State::Walking => match &self.key {
                Some(key) if self.start <= self.last_start => Next::Read {
                    bucket,
                    key: key.clone(),
                },
                _ => Next::Done,
            },
        }
    }

    /// Keys that will probably be wanted, the next one first; for reading ahead.
    pub fn ahead(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_listing = matches!(self.state, State::Listing { .. });
        let next = self.key.as_deref();
        let next = next.filter(|_| !is_listing && self.start <= self.last_start);
        // The walk goes by links: the listing still has what lies behind it.
        let older = next.map_or(0, |next| {
            self.listed.partition_point(|listed| listed.as_str() < next)
        });
        let older = self.listed.get(..older).unwrap_or_default();
        let older = older.iter().rev().map(String::as_str);
        // One that waits for its public key has been read.
        let next = next.filter(|_| !matches!(self.state, State::BackfillKey { .. }));
        let keys = next.into_iter().chain(older);
        keys.map(|key| (self.bucket.as_str(), key))
    }

    /// What a listing gave.
    ///
    /// # Errors
    /// The newest name has no time in it.
    pub fn listed(&mut self, listing: DigestListing) -> Result<(), WalkError> {
        self.listed = match self.is_backfill {
            true => listing.backfill,
            false => listing.standard,
        };
        let State::Listing { is_first, .. } = self.state else {
            return Ok(());
        };
        self.state = match is_first && !self.is_backfill {
            true => State::Keys,
            false => State::Walking,
        };
        if is_first && let Some(key) = self.listed.pop() {
            self.last_start = stamp(&key)?;
            self.key = Some(key);
        }
        Ok(())
    }

    /// What was asked of `ListPublicKeys`. Of a backfill digest this judges it.
    ///
    /// # Errors
    /// There is no key for the range.
    pub fn keys(&mut self, keys: PublicKeys) -> Result<Vec<Seen>, WalkError> {
        let Next::PublicKeys { start, end } = self.next() else {
            return Ok(Vec::new());
        };
        let none = WalkError::NoPublicKeys { start, end };
        let found = keys.sorted().into_iter();
        let found = found.map(|key| (key.fingerprint.clone(), key.clone()));
        self.public_keys.extend(found);
        match std::mem::replace(&mut self.state, State::Walking) {
            State::BackfillKey { digest, .. } if keys.is_empty() => self.invalid(
                &digest.bucket,
                &digest.key,
                Invalid::Other(none.to_string()),
            ),
            State::BackfillKey { digest, .. } => self.judged(*digest),
            _ if keys.is_empty() => Err(none),
            _ => Ok(Vec::new()),
        }
    }

    /// What became of reading the digest that was wanted.
    ///
    /// # Errors
    /// A name among the digests has no time in it.
    pub fn read(&mut self, outcome: DigestOutcome) -> Result<Vec<Seen>, WalkError> {
        let Next::Read { bucket, key } = self.next() else {
            return Ok(Vec::new());
        };
        let reason = match outcome {
            DigestOutcome::NotFound => Invalid::NotFound,
            DigestOutcome::Failed(text) => Invalid::Other(text),
            DigestOutcome::Object(object) => match self.opened(object) {
                Ok(digest) => return self.opened_digest(digest),
                Err(reason) => reason,
            },
        };
        self.invalid(&bucket, &key, reason)
    }

    /// The checks that need no key.
    fn opened(&self, mut object: DigestObject) -> Result<OpenedDigest, Invalid> {
        // Whatever the metadata say, its content is looked at first.
        let has_signature = ["signature", "signature-algorithm"]
            .iter()
            .all(|name| object.metadata.contains_key(*name));
        let has_generated = object
            .metadata
            .contains_key("backfill-generation-timestamp");
        let wants_generated = is_backfill(&object.key);
        let (bucket, key) = (object.bucket.clone(), object.key.clone());
        if !has_signature {
            object.metadata.clear();
        }
        let opened = OpenedDigest::open(object);
        match opened {
            Err(Unopened::Gzip(_) | Unopened::Format(FormatError::Json(_))) => Err(Invalid::Format),
            _ if !has_signature => Err(Invalid::Signature),
            Err(Unopened::Format(FormatError::NotAnObject(what))) => {
                Err(Invalid::Other(python_words(what).to_owned()))
            }
            _ if wants_generated && !has_generated => Err(Invalid::Format),
            Err(Unopened::Format(FormatError::Missing(_))) => Err(Invalid::Format),
            Ok(digest) if digest.file.bucket != bucket || digest.file.key != key => {
                Err(Invalid::Moved)
            }
            Ok(digest) => Ok(digest),
        }
    }

    fn opened_digest(&mut self, digest: OpenedDigest) -> Result<Vec<Seen>, WalkError> {
        let fingerprint = &digest.file.public_key_fingerprint;
        if self.public_keys.contains_key(fingerprint) || !self.is_backfill {
            return self.judged(digest);
        }
        let generated = digest.metadata.backfill_generated.as_deref();
        let generated = generated.unwrap_or_default();
        let Some(at) = parse_time(generated) else {
            let reason = Invalid::Other(format!("Unable to parse date value: {generated}"));
            return self.invalid(&digest.bucket, &digest.key, reason);
        };
        self.state = State::BackfillKey {
            digest: Box::new(digest),
            at,
        };
        Ok(Vec::new())
    }

    fn judged(&mut self, digest: OpenedDigest) -> Result<Vec<Seen>, WalkError> {
        match self.check(&digest) {
            Err(reason) => self.invalid(&digest.bucket, &digest.key, reason),
            Ok((start, end)) => self.valid(digest, start, end),
        }
    }

    fn check(&self, digest: &OpenedDigest) -> Result<(i64, i64), Invalid> {
        let fingerprint = &digest.file.public_key_fingerprint;
        let key = self
            .public_keys
            .get(fingerprint)
            .ok_or_else(|| Invalid::KeyUnknown {
                region: self.home_region.clone(),
                fingerprint: fingerprint.clone(),
            })?;
        let text = signing_string(&digest.file, &digest.sha256);
        let signature = digest.metadata.signature.as_deref().unwrap_or_default();
        // The AWS CLI reads keys of one form only.
        let check = match key.form() {
            crate::KeyForm::Pkcs1 => verify_any_hash(key, &text, signature),
            _ => SignatureCheck::KeyUnusable,
        };
        match check {
            SignatureCheck::Valid => {}
            SignatureCheck::Invalid => return Err(Invalid::Signature),
            SignatureCheck::KeyUnusable => return Err(Invalid::KeyUnusable(fingerprint.clone())),
            SignatureCheck::NotHex { is_odd: true } => {
                return Err(Invalid::Other("Odd-length string".to_owned()));
            }
            SignatureCheck::NotHex { is_odd: false } => {
                return Err(Invalid::Other("Non-hexadecimal digit found".to_owned()));
            }
        }
        let time = |text: &str| {
            parse_time(text)
                .ok_or_else(|| Invalid::Other(format!("Unable to parse date value: {text}")))
        };
        Ok((time(&digest.file.start_time)?, time(&digest.file.end_time)?))
    }

    fn valid(
        &mut self,
        digest: OpenedDigest,
        start: i64,
        end: i64,
    ) -> Result<Vec<Seen>, WalkError> {
        let key = digest.key.clone();
        let file = digest.into_file();
        self.last_start = start;
        let mut seen = Vec::with_capacity(2);
        match (&file.previous.bucket, &file.previous.key) {
            (Some(bucket), Some(previous)) => {
                self.key = Some(previous.clone());
                if *bucket != self.bucket {
                    self.bucket.clone_from(bucket);
                    self.state = State::Listing {
                        end,
                        is_first: false,
                    };
                }
                seen.push(Seen::Valid(Box::new(file)));
            }
            _ => {
                seen.push(Seen::Valid(Box::new(file)));
                if let Some(from) = self.take_older(&key)? {
                    seen.push(Seen::Gap { from, to: start });
                }
            }
        }
        Ok(seen)
    }

    fn invalid(
        &mut self,
        bucket: &str,
        key: &str,
        reason: Invalid,
    ) -> Result<Vec<Seen>, WalkError> {
        let seen = Seen::Invalid {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            reason,
        };
        self.take_older(key)?;
        Ok(vec![seen])
    }

    /// Goes on with the newest listed digest whose name is older than this; returns the time in it.
    fn take_older(&mut self, key: &str) -> Result<Option<i64>, WalkError> {
        self.key = None;
        if self.listed.is_empty() {
            return Ok(None);
        }
        let before = stamp(key)?;
        while let Some(listed) = self.listed.pop() {
            let time = stamp(&listed)?;
            if time < before {
                self.key = Some(listed);
                return Ok(Some(time));
            }
        }
        Ok(None)
    }
}

fn stamp(key: &str) -> Result<i64, WalkError> {
    let text = stamp_of(key);
    parse_stamp(text).ok_or_else(|| WalkError::Stamp(text.to_owned()))
}

/// What Python says when the metadata are added to JSON that is no object.
fn python_words(what: &str) -> &'static str {
    match what {
        "an array" => "list indices must be integers or slices, not str",
        "a string" => "'str' object does not support item assignment",
        "a number" => "'int' object does not support item assignment",
        "a truth value" => "'bool' object does not support item assignment",
        _ => "'NoneType' object does not support item assignment",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use testkit::chain::{Chain, TrailSpec};

    use super::*;
    use crate::{DigestKey, DigestKeys};

    /// Walks along a chain and calls `look` before each step.
    fn walked(chain: &Chain, is_backfill: bool, mut look: impl FnMut(&CompatibleWalk)) {
        let bucket = &chain.streams[0].spec.bucket;
        let (start, end) = chain.range();
        let keys = || chain.objects.keys().filter(|(of, _)| of == bucket);
        let stream = keys().find_map(|(_, key)| DigestKey::parse(key)).unwrap();
        let stream = stream.stream;
        let mut walk = CompatibleWalk::new(&stream, bucket, (start, end), is_backfill);
        loop {
            look(&walk);
            let seen = match walk.next() {
                Next::Done => return,
                Next::List { end, .. } => {
                    let mut digests = DigestKeys::new(&stream, start, end);
                    keys().for_each(|(_, key)| _ = digests.take(key));
                    walk.listed(digests.finish()).map(|()| Vec::new())
                }
                Next::PublicKeys { .. } => {
                    let published = chain.public_keys.values().flatten();
                    let mut keys = PublicKeys::new();
                    keys.extend(published.map(|key| PublicKey {
                        fingerprint: key.fingerprint.clone(),
                        der: key.value.clone(),
                        validity_start: key.validity_start,
                        validity_end: key.validity_end,
                    }));
                    walk.keys(keys)
                }
                Next::Read { bucket, key } => {
                    let object = chain.objects.get(&(bucket.clone(), key.clone()));
                    walk.read(match object {
                        None => DigestOutcome::NotFound,
                        Some(object) => DigestOutcome::Object(DigestObject {
                            bucket,
                            key,
                            content: object.content.clone(),
                            metadata: object.metadata.clone(),
                        }),
                    })
                }
            };
            let is_valid = |seen: &Seen| !matches!(seen, Seen::Invalid { .. });
            assert!(seen.unwrap().iter().all(is_valid));
        }
    }

    #[test]
    fn what_is_ahead_begins_with_what_is_wanted_and_holds_nothing_that_was_read() {
        let chain = Chain::of(&TrailSpec {
            hours: 30,
            logs_per_hour: 1,
            backfill_hours: (3..9).collect(),
            off_hours: vec![12, 13],
            ..TrailSpec::default()
        });
        for (is_backfill, digests) in [(false, 28), (true, 6)] {
            let mut read = BTreeSet::new();
            walked(&chain, is_backfill, |walk| {
                let ahead: Vec<&str> = walk.ahead().map(|(_, key)| key).collect();
                assert!(ahead.iter().all(|key| !read.contains(*key)));
                if let Next::Read { key, .. } = walk.next() {
                    assert_eq!(ahead.first(), Some(&key.as_str()));
                    assert_eq!(ahead.len() + read.len(), digests);
                    read.insert(key);
                }
            });
            assert_eq!(read.len(), digests);
        }
    }
}
