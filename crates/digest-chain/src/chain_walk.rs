//! The walk forward along a chain: each digest is held against its successor and its predecessor.
//!
//! A digest is trusted if its own metadata hold a signature that verifies, or if its successor does: every digest
//! carries the signature of the one before it. It does not matter where a signature was found: nobody but CloudTrail
//! can make one that verifies. So trust is decided from the newest digest of a batch back to the oldest, and digests at
//! the end of a batch that only a successor can prove wait for the next batch, as many as fit. Then the links are
//! looked at from the oldest to the newest: what a digest names as its predecessor must be there, with that hash and
//! signature, and end when it starts.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::listing::is_backfill;
use crate::{
    DigestFile, DigestKey, DigestObject, Finding, FindingKind, Location, OpenedDigest, Previous,
    PublicKeys, Sha256, SignatureCheck, signing_string, verify,
};

/// Digests in one batch.
pub const MOST_IN_BATCH: usize = 64;

/// Digests that wait for a successor to prove them.
const MOST_WAITING: usize = 1_000;

/// What they hold in memory, in bytes: a hundred times what is usual.
const MOST_WAITING_BYTES: usize = 16 << 20;

/// Trusted digests that are remembered, to see when a chain passes one by.
const MOST_REMEMBERED: usize = 48;

/// The name of the signature algorithm in digests and metadata.
const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// A digest that is proven, as far as its successor speaks of it: a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The bucket CloudTrail put it into.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// The start of its hour, in Unix seconds.
    pub start: i64,
    /// The end of its hour, in Unix seconds.
    pub end: i64,
    /// The hash of its content, inflated: 64 hex digits.
    pub sha256: String,
    /// Its signature, in hex.
    pub signature: String,
}

/// What became of reading a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestRead {
    /// It was read and opened.
    Opened(Box<OpenedDigest>),
    /// It cannot be judged: this is what is to be said of it.
    Failed(Location, Box<Finding>),
}

/// A digest whose content is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedDigest {
    /// What it says.
    pub file: DigestFile,
    /// What its successor must say of it.
    pub link: Link,
}

/// What is to be said of one digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Where it was read.
    pub location: Location,
    /// Its content, if that is proven. Its log files are to be looked at, whatever the findings.
    pub trusted: Option<Box<TrustedDigest>>,
    /// What was found, about it and about the chain before it.
    pub findings: Vec<Finding>,
}

/// What the walk wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainNext {
    /// These digests; answered by [`read`](ChainWalk::read), in this order.
    Read(Vec<Location>),
    /// Nothing: the walk is over.
    Done,
}

/// The walk along the digests, or the backfill digests, of one stream.
#[derive(Debug)]
pub struct ChainWalk {
    is_backfill: bool,
    takes_copies: bool,
    /// What is listed and not read, the oldest first.
    listed: VecDeque<Location>,
    /// Names of everything that was listed: what is read and invalid is not missing.
    present: HashSet<String>,
    /// Read, and to be proven by a successor; their lists of log files stay compressed until then.
    waiting: Vec<DigestRead>,
    last: Option<Link>,
    /// Before the last, the newest first.
    remembered: VecDeque<Link>,
    /// The end of the last digest that was there, proven or not.
    last_present_end: Option<i64>,
    /// How many were there since the last that was proven.
    unproven: u64,
    /// Digests from this time on should be there, though none before is known.
    complete_from: Option<i64>,
    /// Digests that end after this were not looked for.
    complete_to: Option<i64>,
    /// Digests that ended before this are not kept.
    kept_from: Option<i64>,
    /// Until when there were digests before the first that was listed.
    began_before: Option<i64>,
    /// The time, if it is known.
    now: i64,
}

/// The signatures that digests name, by the key they name.
type Named = HashMap<String, Vec<String>>;

/// A digest of a batch on its way to a verdict.
struct Candidate {
    location: Location,
    opened: Option<OpenedDigest>,
    /// The signature that proves it.
    proof: Option<String>,
    findings: Vec<Finding>,
}

impl ChainWalk {
    /// A walk that begins behind `checkpoint`, or with the oldest digest.
    pub fn new(is_backfill: bool, checkpoint: Option<Link>) -> Self {
        ChainWalk {
            is_backfill,
            takes_copies: false,
            listed: VecDeque::new(),
            present: HashSet::new(),
            waiting: Vec::new(),
            last_present_end: checkpoint.as_ref().map(|link| link.end),
            unproven: 0,
            last: checkpoint,
            remembered: VecDeque::new(),
            complete_from: None,
            complete_to: None,
            kept_from: None,
            began_before: None,
            now: i64::MAX,
        }
    }

    /// Copies in another bucket, or below another prefix, are valid, too.
    #[must_use]
    pub fn taking_copies(mut self, takes_copies: bool) -> Self {
        self.takes_copies = takes_copies;
        self
    }

    /// Digests that end at this time or later have been listed, so one of them that is named and was not is missing.
    #[must_use]
    pub fn complete_from(mut self, time: i64) -> Self {
        self.complete_from = Some(time);
        self
    }

    /// Digests that end after this time have not been listed, so it is no finding that one is missing. It matters to
    /// backfill digests only, which are not made in the order of their hours.
    #[must_use]
    pub fn complete_to(mut self, time: i64) -> Self {
        self.complete_to = Some(time);
        self
    }

    /// Digests that ended before this time are not kept, so it is no finding that one is missing.
    #[must_use]
    pub fn kept_from(mut self, time: Option<i64>) -> Self {
        self.kept_from = time;
        self
    }

    /// The stream is known to have digests before the first that is listed, the last of which ends at this time, so a
    /// first digest that names none before it is a restart.
    #[must_use]
    pub fn began_before(mut self, end: Option<i64>) -> Self {
        self.began_before = end;
        self
    }

    /// The time: no backfill digest is made later.
    #[must_use]
    pub fn now(mut self, now: i64) -> Self {
        self.now = now;
        self
    }

    /// Adds what a listing gave: digests of this stream, the oldest first, none older than what was added before.
    pub fn listed(&mut self, locations: impl IntoIterator<Item = Location>) {
        for location in locations {
            self.present.insert(self.name(&location.key).to_owned());
            self.listed.push_back(location);
        }
    }

    /// What a digest is known by: its key, or where copies are taken its file name, which is unique, too.
    fn name<'k>(&self, key: &'k str) -> &'k str {
        match self.takes_copies {
            true => file_name(key),
            false => key,
        }
    }

    /// Whether it walks along the backfill digests.
    pub fn is_backfill(&self) -> bool {
        self.is_backfill
    }

    /// What the walk wants next.
    pub fn next(&self) -> ChainNext {
        let batch: Vec<Location> = self.listed.iter().take(MOST_IN_BATCH).cloned().collect();
        match batch.is_empty() {
            true => ChainNext::Done,
            false => ChainNext::Read(batch),
        }
    }

    /// Locations that will be wanted, the next one first; for reading ahead.
    pub fn ahead(&self) -> impl Iterator<Item = &Location> {
        self.listed.iter()
    }

    /// The last digest that was examined and proven: the checkpoint from which to go on.
    pub fn checkpoint(&self) -> Option<&Link> {
        self.last.as_ref()
    }

    /// The end of the newest digest that was examined, proven or not.
    pub fn newest_present(&self) -> Option<i64> {
        self.last_present_end
    }

    /// What is missing between the last digest that is proven and those that are there behind it and prove nothing,
    /// so that none of them says so; asked when the walk is over. What ends after `until` is not counted.
    pub fn missing_at_end(&self, until: i64) -> Option<Finding> {
        let last = self.last.as_ref().filter(|_| !self.is_backfill)?;
        let newest = self.last_present_end?.min(until);
        if self.unproven == 0 || newest <= last.end {
            return None;
        }
        let missing = hours_between(last.end, newest).saturating_sub(self.unproven);
        let finding = Finding::of_range(FindingKind::DigestMissing, last.end, newest);
        let finding = finding
            .counting(missing)
            .fact("last proven digest", last.key.as_str());
        (missing > 0).then_some(finding)
    }

    /// About how many bytes the digests hold that wait for a successor.
    pub fn held_bytes(&self) -> usize {
        self.waiting.iter().map(DigestRead::held_bytes).sum()
    }

    /// Examines the batch that was wanted.
    ///
    /// `keys` are the public keys of the digests' Region, all that could be found; see
    /// [`OpenedDigest::key_range`]. `is_last`: nothing will be listed any more, so nothing waits.
    pub fn read(
        &mut self,
        reads: Vec<DigestRead>,
        keys: &PublicKeys,
        is_last: bool,
    ) -> Vec<Examined> {
        self.listed.drain(..reads.len().min(self.listed.len()));
        let mut reads: Vec<DigestRead> = self.waiting.drain(..).chain(reads).collect();
        if !(is_last && self.listed.is_empty()) {
            let decided = self.decided(&reads, keys);
            let mut bytes = 0;
            let fits = |read: &&DigestRead| {
                bytes += read.held_bytes();
                bytes <= MOST_WAITING_BYTES
            };
            // Of too many that nothing proves, the oldest wait no longer.
            let undecided = reads.iter().skip(decided).rev();
            let waiting = undecided.take(MOST_WAITING).take_while(fits).count();
            self.waiting = reads.split_off(reads.len() - waiting);
        }
        let candidates = self.proven(reads, keys);
        candidates
            .into_iter()
            .map(|candidate| self.linked(candidate))
            .collect()
    }

    /// How many, from the oldest on, need no digest behind these: up to the newest that is proven.
    fn decided(&self, reads: &[DigestRead], keys: &PublicKeys) -> usize {
        let mut named = Named::new();
        for (at, read) in reads.iter().enumerate().rev() {
            let Some(digest) = read.opened().filter(|digest| !self.is_moved(digest)) else {
                continue;
            };
            if own_signature(digest, keys) == OwnSignature::Valid
                || named_signature(digest, keys, &named).is_some()
            {
                return at + 1;
            }
            note_named(digest, &mut named);
        }
        0
    }

    /// Decides from the newest to the oldest whose content is proven.
    fn proven(&self, reads: Vec<DigestRead>, keys: &PublicKeys) -> Vec<Candidate> {
        let mut named = Named::new();
        // Those that wait lie behind these and speak of them.
        let waiting = self.waiting.iter().filter_map(DigestRead::opened);
        for digest in waiting.filter(|digest| !self.is_moved(digest)) {
            note_named(digest, &mut named);
        }
        let mut candidates: Vec<Candidate> = Vec::with_capacity(reads.len());
        for read in reads.into_iter().rev() {
            let candidate = match read {
                DigestRead::Failed(location, finding) => Candidate {
                    location,
                    opened: None,
                    proof: None,
                    findings: vec![*finding],
                },
                DigestRead::Opened(digest) => self.judged(*digest, keys, &named),
            };
            // One that lies elsewhere does not follow here.
            let opened = candidate.opened.as_ref();
            if let Some(digest) = opened.filter(|digest| !self.is_moved(digest)) {
                note_named(digest, &mut named);
            }
            candidates.push(candidate);
        }
        candidates.reverse();
        candidates
    }

    fn judged(&self, digest: OpenedDigest, keys: &PublicKeys, named: &Named) -> Candidate {
        let location = Location::new(&digest.bucket, &digest.key);
        let mut findings = Vec::new();
        let about = |kind| Finding::about(kind, location.clone());
        let place = self.place(&digest);
        let proof = match place {
            Some(FindingKind::DigestMoved) => {
                let original = Location::new(&digest.file.bucket, &digest.file.key);
                findings
                    .push(about(FindingKind::DigestMoved).fact("original", original.to_string()));
                None
            }
            _ => self.proof(&digest, keys, named, &mut findings),
        };
        if proof.is_some() {
            if digest.has_trailing_data {
                findings.push(about(FindingKind::DigestTrailingData));
            }
            findings.extend(self.formal_findings(&digest, keys, &location));
        }
        Candidate {
            location,
            opened: Some(digest),
            proof,
            findings,
        }
    }

    /// `DigestMoved` or `ValidCopy` if it does not lie where it says.
    fn place(&self, digest: &OpenedDigest) -> Option<FindingKind> {
        if digest.is_in_place() {
            None
        } else if self.takes_copies && is_copy(&digest.file.key, &digest.key) {
            Some(FindingKind::ValidCopy)
        } else {
            Some(FindingKind::DigestMoved)
        }
    }

    fn is_moved(&self, digest: &OpenedDigest) -> bool {
        self.place(digest) == Some(FindingKind::DigestMoved)
    }

    /// The signature that proves the digest; else, why there is none.
    fn proof(
        &self,
        digest: &OpenedDigest,
        keys: &PublicKeys,
        named: &Named,
        findings: &mut Vec<Finding>,
    ) -> Option<String> {
        let location = Location::new(&digest.bucket, &digest.key);
        let about = |kind| Finding::about(kind, location.clone());
        let fingerprint = &digest.file.public_key_fingerprint;
        let own = own_signature(digest, keys);
        if own == OwnSignature::Valid {
            return digest.metadata.signature.clone();
        }
        if let Some(signature) = named_signature(digest, keys, named) {
            let what = match own {
                OwnSignature::Missing => "signature missing",
                _ => "signature does not verify",
            };
            findings.push(about(FindingKind::DigestMetadataDamaged).fact("metadata", what));
            return Some(signature.to_owned());
        }
        findings.push(match own {
            OwnSignature::Missing => about(FindingKind::DigestSignatureMissing),
            OwnSignature::KeyUnknown => {
                about(FindingKind::KeyUnknown).fact("fingerprint", fingerprint.as_str())
            }
            OwnSignature::KeyUnusable => {
                about(FindingKind::KeyUnusable).fact("fingerprint", fingerprint.as_str())
            }
            OwnSignature::Invalid | OwnSignature::Valid => about(FindingKind::DigestBadSignature),
        });
        None
    }

    /// What is odd about a digest whose content is proven.
    fn formal_findings(
        &self,
        digest: &OpenedDigest,
        keys: &PublicKeys,
        location: &Location,
    ) -> Vec<Finding> {
        let about = |kind| Finding::about(kind, location.clone());
        let mut findings = Vec::new();
        let file = &digest.file;
        let algorithms = [
            (&file.signature_algorithm, SIGNATURE_ALGORITHM),
            (&file.previous.hash_algorithm, "SHA-256"),
        ];
        for (named, expected) in algorithms {
            if named.as_deref().is_some_and(|named| named != expected) {
                findings.push(
                    about(FindingKind::UnknownAlgorithm)
                        .fact("named", named.clone().unwrap_or_default())
                        .fact("expected", expected),
                );
            }
        }
        let metadata = &digest.metadata;
        let is_lower =
            |signature: &String| !signature.bytes().any(|byte| byte.is_ascii_uppercase());
        let is_as_written = metadata.signature.as_ref().is_none_or(is_lower)
            && metadata.signature_algorithm.as_deref() == Some(SIGNATURE_ALGORITHM);
        if metadata.signature.is_some() && !is_as_written {
            let algorithm = metadata.signature_algorithm.as_deref().unwrap_or("missing");
            findings.push(
                about(FindingKind::DigestMetadataDamaged).fact("signature-algorithm", algorithm),
            );
        }
        let key = keys.get(&file.public_key_fingerprint);
        let is_dated = !self.is_backfill || digest.generated_at(self.now).is_some();
        if !is_dated {
            let generated = metadata.backfill_generated.as_deref().unwrap_or("missing");
            findings.push(
                about(FindingKind::DigestMetadataDamaged)
                    .fact("backfill-generation-timestamp", generated),
            );
        }
        if let Some((key, at)) = key.zip(digest.signed_at_by(self.now).filter(|_| is_dated))
            && !key.is_valid_at(at)
        {
            findings.push(
                about(FindingKind::KeyOutsideValidity)
                    .fact("fingerprint", key.fingerprint.as_str())
                    .between(key.validity_start, key.validity_end),
            );
        }
        findings
    }

    /// Holds a digest against the chain before it.
    fn linked(&mut self, candidate: Candidate) -> Examined {
        let Candidate {
            location,
            opened,
            proof,
            mut findings,
        } = candidate;
        let name_end = DigestKey::parse(&location.key).map(|key| key.end);
        let trusted = opened.zip(proof).and_then(|(digest, signature)| {
            let trusted = trusted_digest(digest, signature);
            if trusted.is_none() {
                findings.push(
                    Finding::about(FindingKind::DigestBadFormat, location.clone())
                        .fact("reason", "its start or end is no time"),
                );
            }
            trusted
        });
        match &trusted {
            Some(trusted) => {
                let TrustedDigest { file, link } = trusted;
                findings.extend(self.link_findings(file, link));
                if let Some(before) = self.last.replace(link.clone()) {
                    self.remembered.push_front(before);
                    self.remembered.truncate(MOST_REMEMBERED);
                }
                self.unproven = 0;
            }
            None => self.unproven += 1,
        }
        let end = trusted
            .as_ref()
            .map(|trusted| trusted.link.end)
            .or(name_end);
        self.last_present_end = self.last_present_end.max(end);
        Examined {
            location,
            trusted: trusted.map(Box::new),
            findings,
        }
    }

    fn link_findings(&self, file: &DigestFile, link: &Link) -> Vec<Finding> {
        let previous = &file.previous;
        let here = Location::new(&link.bucket, &link.key);
        let Some(key) = previous.key.as_deref() else {
            return match (
                previous.is_none(),
                self.last_present_end.or(self.began_before),
            ) {
                (true, Some(end)) if !self.is_backfill => {
                    let missing = self.missing_before(link);
                    let from = missing.map_or(end, |(last_end, _)| last_end);
                    let from = from.min(link.start);
                    let gap = Finding::of_range(FindingKind::ChainRestart, from, link.start);
                    vec![gap.fact("first digest after", here.to_string())]
                }
                (true, _) => Vec::new(),
                (false, _) => vec![partly_linked(here)],
            };
        };
        if !previous.is_whole() {
            return vec![partly_linked(here)];
        }
        match &self.last {
            Some(last) if last.key == key => self.continued(file, link, last),
            _ => self.broken(file, link, key, &here),
        }
    }

    /// Between the last digest that was proven and this one: the end of the last, and how many hours there are for
    /// which there is no digest at all, proven or not; `None` if there is one for each.
    fn missing_before(&self, link: &Link) -> Option<(i64, u64)> {
        let last = self.last.as_ref()?;
        let missing = hours_between(last.end, link.start).saturating_sub(self.unproven);
        (link.start > last.end && missing > 0).then_some((last.end, missing))
    }

    /// The predecessor is a digest that was proven.
    fn continued(&self, file: &DigestFile, link: &Link, last: &Link) -> Vec<Finding> {
        let previous = &file.previous;
        let mut findings = Vec::new();
        if !is_linked(previous, last) {
            let location = Location::new(&last.bucket, &last.key);
            let named = |name: &Option<String>| name.clone().unwrap_or_default();
            findings.push(
                Finding::about(FindingKind::DigestLinkMismatch, location)
                    .fact("named by", link.key.as_str())
                    .fact("hash named", named(&previous.hash_value))
                    .fact("hash found", last.sha256.as_str()),
            );
        }
        if link.start > last.end && !self.is_backfill {
            let gap = Finding::of_range(FindingKind::QuietGap, last.end, link.start);
            findings.push(gap.fact("digest after", link.key.as_str()));
        }
        findings
    }

    /// The predecessor is not the last digest that was proven.
    fn broken(&self, file: &DigestFile, link: &Link, key: &str, here: &Location) -> Vec<Finding> {
        if let Some(at) = self.remembered.iter().position(|link| link.key == key) {
            // Those in between are in nobody's chain.
            let passed = self.last.iter().chain(self.remembered.iter().take(at));
            let passed_by = |passed: &Link| {
                let location = Location::new(&passed.bucket, &passed.key);
                Finding::about(FindingKind::DigestLinkMismatch, location)
                    .fact("passed by", here.to_string())
            };
            let mut findings: Vec<Finding> = passed.map(passed_by).collect();
            if let Some(named) = self.remembered.get(at) {
                findings.extend(self.continued(file, link, named));
            }
            return findings;
        }
        if self.present.contains(self.name(key)) {
            return self.hidden(link, here); // It was read, and what is wrong with it has been said.
        }
        let named_end = DigestKey::parse(key).map_or(link.start, |key| key.end);
        let is_outside = self.complete_from.is_some_and(|from| named_end < from)
            || self.complete_to.is_some_and(|to| named_end > to);
        if self.is_backfill && is_outside {
            return Vec::new();
        }
        let from = match (self.last_present_end, self.complete_from) {
            (Some(end), _) => end,
            (None, Some(from)) if named_end >= from => from.min(link.start),
            (None, _) => return Vec::new(), // It lies before the range.
        };
        let bucket = file.previous.bucket.clone().unwrap_or_default();
        let missing = Location::new(bucket, key);
        if from >= link.start && self.last_present_end.is_some() && !self.is_backfill {
            return vec![
                Finding::about(FindingKind::DigestLinkMismatch, here.clone())
                    .fact("names", missing.to_string()),
            ];
        }
        // What is there and proves nothing may stand in the middle of what is missing.
        let (from, count) = match (self.is_backfill, self.missing_before(link)) {
            (true, _) => (from, 1),
            (false, Some((last_end, missing))) if self.unproven > 0 => (last_end, missing),
            (false, _) => (from, hours_between(from, link.start)),
        };
        let kind = match self.kept_from {
            Some(kept) if named_end < kept => FindingKind::Expired,
            _ => FindingKind::DigestMissing,
        };
        let mut finding = Finding::about(kind, missing)
            .counting(count)
            .fact("named by", here.to_string());
        if !self.is_backfill {
            finding = finding.between(from.min(link.start), link.start);
        }
        if self.last_present_end.is_none() && !self.is_backfill {
            finding = finding.fact("counted from", "the start of the range");
        }
        vec![finding]
    }

    /// The predecessor is there and proves nothing, so it does not say whether more are missing before it.
    fn hidden(&self, link: &Link, here: &Location) -> Vec<Finding> {
        let missing = self.missing_before(link).filter(|_| !self.is_backfill);
        let finding = |(from, count)| {
            Finding::of_range(FindingKind::DigestMissing, from, link.start)
                .counting(count)
                .fact("next proven digest", here.to_string())
        };
        missing.map(finding).into_iter().collect()
    }
}

/// The last part of a key.
fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

fn note_named(digest: &OpenedDigest, named: &mut Named) {
    let Previous { key, signature, .. } = &digest.file.previous;
    if let Some((key, signature)) = key.clone().zip(signature.clone()) {
        named.entry(key).or_default().push(signature);
    }
}

/// A signature that another digest names, and that proves this one.
fn named_signature<'n>(
    digest: &OpenedDigest,
    keys: &PublicKeys,
    named: &'n Named,
) -> Option<&'n str> {
    let named = named.get(&digest.file.key)?;
    let key = keys.get(&digest.file.public_key_fingerprint)?;
    let text = signing_string(&digest.file, &digest.sha256);
    let mut named = named.iter().map(String::as_str);
    named.find(|signature| verify(key, &text, signature) == SignatureCheck::Valid)
}

/// Puts backfill digests into the order of their links: each behind the one that it names. CloudTrail makes them when
/// late log files come, not in the order of their hours. Those without a link stand by the time they were signed.
pub fn in_chain_order(mut reads: Vec<DigestRead>) -> Vec<DigestRead> {
    reads.sort_by_cached_key(|read| (read.made_at(), read.location().key.clone()));
    let at: HashMap<String, usize> = reads
        .iter()
        .enumerate()
        .map(|(at, read)| (file_name(&read.location().key).to_owned(), at))
        .collect();
    let previous = |read: &DigestRead| {
        let key = read.opened()?.file.previous.key.as_deref()?;
        at.get(file_name(key)).copied()
    };
    let previous: Vec<Option<usize>> = reads.iter().map(previous).collect();
    let mut order = Vec::with_capacity(reads.len());
    let mut is_placed = vec![false; reads.len()];
    for first in 0..reads.len() {
        // Back to one that is placed or names none; a circle ends where it began.
        let mut behind = Vec::new();
        let mut next = Some(first);
        while let Some(at) = next {
            let Some(placed) = is_placed.get_mut(at).filter(|placed| !**placed) else {
                break;
            };
            *placed = true;
            behind.push(at);
            next = previous.get(at).copied().flatten();
        }
        order.extend(behind.into_iter().rev());
    }
    let mut reads: Vec<Option<DigestRead>> = reads.into_iter().map(Some).collect();
    let mut take = |at: usize| reads.get_mut(at)?.take();
    order.into_iter().filter_map(&mut take).collect()
}

/// Whether a digest says of its predecessor what that one is.
fn is_linked(previous: &Previous, last: &Link) -> bool {
    let same = |named: &Option<String>, found: &str| {
        named
            .as_deref()
            .is_some_and(|named| named.eq_ignore_ascii_case(found))
    };
    previous.bucket.as_deref() == Some(last.bucket.as_str())
        && same(&previous.hash_value, &last.sha256)
        && same(&previous.signature, &last.signature)
}

/// Whether a key is that of the original, or the same below another prefix.
fn is_copy(original: &str, key: &str) -> bool {
    let from_logs = |key: &str| {
        let mut digest = DigestKey::parse(key)?;
        digest.stream.scope.prefix.clear();
        Some(digest)
    };
    original == key || from_logs(original).is_some_and(|original| Some(original) == from_logs(key))
}

impl OpenedDigest {
    /// When it was signed, as far as that can be known without trusting it, in Unix seconds: a backfill digest when its
    /// metadata say, every other at the end of its hour.
    pub fn signed_at(&self) -> Option<i64> {
        self.signed_at_by(i64::MAX)
    }

    /// The same where the time is known: metadata that name a later one are not believed.
    pub fn signed_at_by(&self, now: i64) -> Option<i64> {
        self.generated_at(now).or_else(|| self.file.end())
    }

    /// When a backfill digest was made, if its metadata say so and it can be.
    fn generated_at(&self, now: i64) -> Option<i64> {
        let generated = self.metadata.backfill_generated.as_deref();
        let generated = generated.filter(|_| is_backfill(&self.key))?;
        let generated = crate::parse_time(generated)?;
        let is_possible = generated <= now && Some(generated) >= self.file.end();
        is_possible.then_some(generated)
    }

    /// The range to ask public keys of, if its own is not known: 30 days to either side.
    pub fn key_range(&self) -> Option<(i64, i64)> {
        const DAYS: i64 = 30 * 86_400;
        let at = self.signed_at()?;
        Some((at.saturating_sub(DAYS), at.saturating_add(DAYS)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnSignature {
    Valid,
    Invalid,
    Missing,
    KeyUnknown,
    KeyUnusable,
}

fn own_signature(digest: &OpenedDigest, keys: &PublicKeys) -> OwnSignature {
    let Some(key) = keys.get(&digest.file.public_key_fingerprint) else {
        return OwnSignature::KeyUnknown;
    };
    let Some(signature) = digest.metadata.signature.as_deref() else {
        return OwnSignature::Missing;
    };
    match verify(
        key,
        &signing_string(&digest.file, &digest.sha256),
        signature,
    ) {
        SignatureCheck::Valid => OwnSignature::Valid,
        SignatureCheck::KeyUnusable => OwnSignature::KeyUnusable,
        SignatureCheck::Invalid | SignatureCheck::NotHex { .. } => OwnSignature::Invalid,
    }
}

fn trusted_digest(digest: OpenedDigest, signature: String) -> Option<TrustedDigest> {
    let link = Link {
        bucket: digest.file.bucket.clone(),
        key: digest.file.key.clone(),
        start: digest.file.start()?,
        end: digest.file.end()?,
        sha256: Sha256::to_string(&digest.sha256),
        signature,
    };
    let file = digest.into_file();
    Some(TrustedDigest { file, link })
}

fn partly_linked(location: Location) -> Finding {
    Finding::about(FindingKind::DigestBadFormat, location)
        .fact("reason", "it names only parts of the digest before it")
}

/// About how many digests there are in this time; one at least.
fn hours_between(from: i64, to: i64) -> u64 {
    let hours = to
        .saturating_sub(from)
        .saturating_add(1_800)
        .div_euclid(3_600);
    u64::try_from(hours).unwrap_or(0).max(1)
}

impl DigestRead {
    /// Where it was read.
    pub fn location(&self) -> Location {
        match self {
            DigestRead::Opened(digest) => Location::new(&digest.bucket, &digest.key),
            DigestRead::Failed(location, _) => location.clone(),
        }
    }

    /// The digest, if it could be opened.
    pub fn opened(&self) -> Option<&OpenedDigest> {
        match self {
            DigestRead::Opened(digest) => Some(digest),
            DigestRead::Failed(..) => None,
        }
    }

    /// About how many bytes it holds in memory.
    pub fn held_bytes(&self) -> usize {
        match self {
            DigestRead::Opened(digest) => digest.held_bytes(),
            DigestRead::Failed(location, finding) => {
                let facts = finding.facts.iter().map(|(_, value)| value.len());
                size_of::<Finding>() + 2 * location.key.len() + facts.sum::<usize>()
            }
        }
    }

    /// When it was made, as far as that can be known.
    fn made_at(&self) -> Option<i64> {
        let signed_at = self.opened().and_then(OpenedDigest::signed_at);
        signed_at.or_else(|| Some(DigestKey::parse(&self.location().key)?.end))
    }

    /// Opens a digest object.
    pub fn of(object: DigestObject) -> Self {
        let location = Location::new(&object.bucket, &object.key);
        match OpenedDigest::open(object) {
            Ok(digest) => DigestRead::Opened(Box::new(digest)),
            Err(error) => {
                let finding = Finding::about(FindingKind::DigestBadFormat, location.clone());
                DigestRead::Failed(
                    location,
                    Box::new(finding.fact("reason", error.to_string())),
                )
            }
        }
    }

    /// A digest that could not be read: nothing is known of it.
    pub fn unreadable(location: Location, reason: impl Into<String>) -> Self {
        let finding = Finding::about(FindingKind::Unreadable, location.clone());
        DigestRead::Failed(location, Box::new(finding.fact("reason", reason)))
    }

    /// A digest that was listed and is gone.
    pub fn not_found(location: Location) -> Self {
        let finding = Finding::about(FindingKind::DigestMissing, location.clone());
        DigestRead::Failed(location, Box::new(finding.counting(1)))
    }
}
