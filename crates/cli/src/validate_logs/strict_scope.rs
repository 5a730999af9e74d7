//! The strict validation of one account and Region.

mod unjudged;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::pin::pin;

use anyhow::bail;
use cloudtrail::{LogFolder, ObjectKey};
use digest_chain::{
    ChainWalk, DigestKey, DigestRead, Examined, Finding, FindingKind, Known, Level, ListedLog,
    Location, LogContent, LogFile, LogProblem, MOST_IN_BATCH, PublicKeys, Reconciliation, Scope,
    SignatureCheck, Standing, Stream, in_chain_order, signing_string, verify,
};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::asked::Asked;
use super::store::{ReadError, Store};
use super::strict::{Options, PATIENCE_SECONDS, Totals, due, is_account, names};
use super::strict_keys::KeyRing;
use super::strict_listing::{Chains, DigestFolder, Entry, earlier, list_days};
use super::strict_report::Report;
use unjudged::Unjudged;

/// Digests end within an hour of what they list.
const HOUR: i64 = 3_600;

/// How long after the time in its name a log file may be delivered.
const LATE_SECONDS: i64 = 3 * HOUR;

/// What is delivered even later is listed by the digest of its delivery, or by a backfill digest.
const LATEST_SECONDS: i64 = 24 * HOUR;

/// A batch of digests has no more bytes than this, compressed.
const MOST_BATCH_BYTES: u64 = 16 << 20;

/// Backfill digests that are held at the same time, to put them into their order.
const MOST_BACKFILL: usize = 4_096;

/// So many log files nobody vouches for are told one by one.
const MOST_NAMED: u64 = 10_000;

/// So many other places are named to those who looked in the wrong one.
const MOST_ELSEWHERE: usize = 20;

/// The validation of one account and Region.
pub(super) struct ScopeRun<'a, S> {
    store: &'a S,
    asked: &'a Asked,
    options: &'a Options,
    scope: &'a Scope,
    keys: &'a mut KeyRing,
    report: &'a mut dyn Report,
    /// The chain that is validated at present, or of which something is told.
    stream: Stream,
    found: BTreeMap<Stream, Totals>,
    reconciliation: Reconciliation,
    /// Times whose digests could not be read or verified, each of which was told.
    unjudged: Unjudged,
    /// The end of the newest regular digest of each stream that was proven.
    newest: BTreeMap<Stream, i64>,
    /// How many regular digests of the stream behind that are there and not proven, or were told to be missing before
    /// those; and the end of the newest of them.
    unproven: (i64, i64),
    /// There are digests behind the range, proven or not.
    goes_on: bool,
    /// Digests that were listed and not walked yet.
    chains: BTreeMap<Stream, Chains>,
    /// Until when the digests that are there were read.
    read_to: i64,
    /// Why the keys of digests could not be asked for.
    keyless: HashMap<Location, String>,
    /// A digest that the stream has before the range.
    earlier: Option<String>,
    buckets: Vec<String>,
    /// Buckets that could not be listed.
    closed: BTreeSet<String>,
    told_of_copies: bool,
}

/// How a chain is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is validated.
    Target,
    /// It is read for the log files it vouches for.
    Witness,
}

/// Digests and log files in the order in which they are told.
enum Due<'e> {
    Digest(&'e Examined),
    Log(&'e LogFile, Location),
}

enum Done<'e> {
    Digest(&'e Examined),
    Log(&'e LogFile, Location, Result<LogContent, ReadError>),
}

impl<'a, S: Store> ScopeRun<'a, S> {
    pub(super) fn new(
        store: &'a S,
        asked: &'a Asked,
        options: &'a Options,
        scope: &'a Scope,
        keys: &'a mut KeyRing,
        report: &'a mut dyn Report,
    ) -> Self {
        let stream = Stream {
            scope: scope.clone(),
            ..asked.stream()
        };
        ScopeRun {
            store,
            asked,
            options,
            scope,
            keys,
            report,
            stream,
            found: BTreeMap::new(),
            reconciliation: Reconciliation::new(),
            unjudged: Unjudged::default(),
            newest: BTreeMap::new(),
            unproven: (0, i64::MIN),
            goes_on: false,
            chains: BTreeMap::new(),
            read_to: asked.end.saturating_add(HOUR + LATE_SECONDS),
            keyless: HashMap::new(),
            earlier: None,
            buckets: vec![asked.bucket.clone()],
            closed: BTreeSet::new(),
            told_of_copies: false,
        }
    }

    /// What was found, by chain.
    pub(super) fn into_found(self) -> BTreeMap<Stream, Totals> {
        self.found
    }

    /// Validates.
    ///
    /// # Errors
    /// The question cannot be answered as it was asked, or what was found cannot be told.
    pub(super) async fn validate(&mut self) -> anyhow::Result<()> {
        let folder = DigestFolder::list(self.store, &self.asked.bucket, self.scope, self.listed());
        let folder = match folder.await {
            Ok(folder) => folder,
            Err(error) => return self.unlisted(&self.scope.digest_folder(), &error),
        };
        self.foreign(&folder.foreign, folder.more_foreign)?;
        self.chains = folder.streams;
        if !self.chains.is_empty()
            && let Err(error) = self.keys.prepare(self.store, &self.scope.region).await
        {
            return self.no_keys(&error);
        }
        let targets = self.targets().await?;
        let mut witnesses = Vec::new();
        while let Some((witness, chains)) = self.chains.pop_first() {
            self.stream = witness.clone();
            self.walk(chains.standard, Role::Witness).await?;
            self.backfill(chains.backfill, Role::Witness).await?;
            witnesses.push(witness);
        }
        witnesses.retain(|witness| !targets.contains(witness));
        let Some(first) = targets.first() else {
            return self.without_digests(&witnesses).await;
        };
        for target in &targets {
            self.stream = target.clone();
            let trails = witnesses.iter().map(|witness| witness.trail.clone());
            self.totals().other_trails.extend(trails);
        }
        self.stream = first.clone();
        self.reconcile().await
    }

    /// The range of the ends of the digests that are validated.
    fn range(&self) -> (i64, i64) {
        (self.asked.start, self.asked.end.saturating_add(HOUR))
    }

    /// The range of the ends of the digests that are listed: those behind the range prove the last ones in it, tell
    /// what is missing before them, and list what came late.
    fn listed(&self) -> (i64, i64) {
        let (start, end) = self.range();
        (start, end.saturating_add(LATE_SECONDS))
    }

    /// Whether a digest ends behind those that are validated.
    fn is_later(&self, location: &Location) -> bool {
        let key = DigestKey::parse(&location.key);
        key.is_some_and(|key| key.end > self.range().1)
    }

    /// Validates the named trail's chain; of another account, if nothing proves that it has one of that name, all.
    async fn targets(&mut self) -> anyhow::Result<Vec<Stream>> {
        let named = self.stream.clone();
        let takes_all = self.options.all_accounts && self.scope.account_id != self.asked.account_id;
        let mut targets = self.present();
        if targets.contains(&named) {
            targets = vec![named.clone()];
        } else if !takes_all {
            targets.clear();
        }
        let mut next = 0;
        while let Some(target) = targets.get(next).cloned() {
            next += 1;
            self.target(&target).await?;
            let is_proven = self.newest.contains_key(&target) || self.totals().backfill.valid > 0;
            if takes_all && target == named && !is_proven {
                targets.extend(self.present());
            }
        }
        Ok(targets)
    }

    /// The chains that have digests in the range and were not walked yet.
    fn present(&self) -> Vec<Stream> {
        let (_, last) = self.range();
        let is_there = |chains: &Chains| chains.first_end().is_some_and(|end| end <= last);
        let there = self.chains.iter().filter(|(_, chains)| is_there(chains));
        there.map(|(stream, _)| stream.clone()).collect()
    }

    async fn target(&mut self, target: &Stream) -> anyhow::Result<()> {
        self.stream = target.clone();
        self.unproven = (0, i64::MIN);
        self.goes_on = false;
        let mut chains = self.chains.remove(target).unwrap_or_default();
        self.report.expect(chains.count_until(self.range().1));
        let standard = std::mem::take(&mut chains.standard);
        self.walk(standard, Role::Target).await?;
        // It may have led to another bucket.
        chains.add(self.chains.remove(target).unwrap_or_default());
        self.backfill(chains.backfill, Role::Target).await?;
        self.stale()
    }

    fn totals(&mut self) -> &mut Totals {
        self.found.entry(self.stream.clone()).or_default()
    }

    fn tell(&mut self, finding: &Finding) -> anyhow::Result<()> {
        self.totals().count(finding);
        self.report.finding(&self.stream, finding)
    }

    /// A folder could not be listed, so nothing can be said.
    pub(super) fn unlisted(&mut self, prefix: &str, error: &ReadError) -> anyhow::Result<()> {
        let location = Location::new(&self.asked.bucket, prefix);
        let finding = Finding::about(FindingKind::Unreadable, location);
        self.tell(&finding.fact("reason", error.to_string()))
    }

    fn no_keys(&mut self, error: &ReadError) -> anyhow::Result<()> {
        let finding = Finding::of_range(FindingKind::Unreadable, self.asked.start, self.asked.end)
            .fact("what", format!("the public keys of {}", self.scope.region))
            .fact("reason", error.to_string());
        self.tell(&finding)
    }

    /// Tells what has no place among digests, and how much more of it there is.
    pub(super) fn foreign(&mut self, foreign: &[Location], more: u64) -> anyhow::Result<()> {
        for location in foreign {
            let finding = Finding::about(FindingKind::ForeignKeyName, location.clone());
            self.tell(&finding)?;
        }
        if more > 0 {
            let below = Location::new(&self.asked.bucket, self.scope.digest_folder());
            let besides = Finding::about(FindingKind::ForeignKeyName, below).counting(more);
            self.tell(&besides.fact("besides", "those named above"))?;
        }
        Ok(())
    }

    // ---- the chains

    async fn walk(&mut self, entries: Vec<Entry>, role: Role) -> anyhow::Result<()> {
        let mut walk = self.chain_walk(false);
        let mut queue = VecDeque::from(entries);
        let mut walked_to = i64::MIN;
        loop {
            let batch = next_batch(&mut queue);
            let mut reads = self.read(&batch).await;
            if role == Role::Target
                && let Some(at) = self.leads_elsewhere(&reads).await
            {
                // Those from there on are read again behind what the other bucket has.
                reads.truncate(at);
                for entry in batch.iter().skip(at).rev() {
                    queue.push_front(entry.clone());
                }
                self.add_bucket(&mut queue, walked_to.max(last_end(&batch, at)))
                    .await?;
            } else if batch.is_empty() {
                self.examine(&mut walk, Vec::new(), true, role).await?;
                return match role {
                    Role::Target => self.tell_missing_at_end(&walk),
                    Role::Witness => Ok(()),
                };
            }
            walked_to = walked_to.max(last_end(&batch, reads.len()));
            self.examine(&mut walk, reads, false, role).await?;
        }
    }

    /// Digests may be missing behind the last that is proven, before those that are there and prove nothing.
    fn tell_missing_at_end(&mut self, walk: &ChainWalk) -> anyhow::Result<()> {
        let Some(missing) = walk.missing_at_end(self.range().1) else {
            return Ok(());
        };
        if missing.range.is_none_or(|(from, _)| from >= self.asked.end) {
            return Ok(());
        }
        let told = missing.count.and_then(|count| i64::try_from(count).ok());
        self.unproven.0 += told.unwrap_or(0);
        self.tell(&missing)
    }

    /// Backfill digests are made when log files come late, so they are put into the order of their links first.
    async fn backfill(&mut self, entries: Vec<Entry>, role: Role) -> anyhow::Result<()> {
        let mut walk = self.chain_walk(true);
        let mut queue = VecDeque::from(entries);
        while !queue.is_empty() {
            let mut reads = Vec::new();
            while reads.len() < MOST_BACKFILL && !queue.is_empty() {
                let batch = next_batch(&mut queue);
                reads.extend(self.read(&batch).await);
            }
            let mut reads = VecDeque::from(in_chain_order(reads));
            while !reads.is_empty() {
                let batch = reads.drain(..reads.len().min(MOST_IN_BATCH)).collect();
                self.examine(&mut walk, batch, false, role).await?;
            }
        }
        self.examine(&mut walk, Vec::new(), true, role).await
    }

    fn chain_walk(&self, is_backfill: bool) -> ChainWalk {
        let (from, to) = self.listed();
        ChainWalk::new(is_backfill, None)
            .taking_copies(self.options.takes_copies)
            .complete_from(from)
            .complete_to(to)
            .kept_from(self.options.kept_from)
    }

    /// Reads digests, and the keys that they need.
    async fn read(&mut self, batch: &[Entry]) -> Vec<DigestRead> {
        let store = self.store;
        let read = async |entry: &Entry| match store.read_digest(&entry.location).await {
            Ok(object) => DigestRead::of(object),
            Err(ReadError::NotFound) => DigestRead::not_found(entry.location.clone()),
            Err(error) => DigestRead::unreadable(entry.location.clone(), error.to_string()),
        };
        let reads = stream::iter(batch)
            .map(read)
            .buffered(self.options.concurrency);
        let reads: Vec<DigestRead> = reads.collect().await;
        let keys = self.keys.complete(store, &self.scope.region, &reads);
        self.keyless.extend(keys.await);
        reads
    }

    /// The first digest, of those that CloudTrail signed, whose predecessor lies in a bucket that was not listed.
    async fn leads_elsewhere(&mut self, reads: &[DigestRead]) -> Option<usize> {
        let keys = self.keys.of(&self.scope.region);
        for (at, read) in reads.iter().enumerate() {
            let Some(digest) = read.opened() else {
                continue;
            };
            let previous = &digest.file.previous;
            let (Some(bucket), Some(key)) = (&previous.bucket, &previous.key) else {
                continue;
            };
            let is_in_range = DigestKey::parse(key)
                .is_some_and(|key| key.stream == self.stream && key.end >= self.asked.start);
            let is_new = !self.buckets.contains(bucket) && *bucket != digest.file.bucket;
            if is_new && is_in_range && is_signed(digest, &keys) {
                self.buckets.push(bucket.clone());
                return Some(at);
            }
        }
        None
    }

    /// Adds what the bucket that was found last has: of the chain what is behind what was walked already, and all other
    /// digests.
    async fn add_bucket(&mut self, queue: &mut VecDeque<Entry>, behind: i64) -> anyhow::Result<()> {
        let bucket = self.buckets.last().cloned().unwrap_or_default();
        let listed = DigestFolder::list(self.store, &bucket, self.scope, self.listed()).await;
        let mut folder = match listed {
            Ok(folder) => folder,
            Err(error) => {
                self.closed.insert(bucket.clone());
                let location = Location::new(bucket, self.scope.digest_folder());
                let finding = Finding::about(FindingKind::Unreadable, location);
                return self.tell(&finding.fact("reason", error.to_string()));
            }
        };
        self.foreign(&folder.foreign, folder.more_foreign)?;
        if let Some(chains) = folder.streams.get_mut(&self.stream) {
            let standard = std::mem::take(&mut chains.standard);
            queue.extend(standard.into_iter().filter(|entry| entry.end > behind));
            queue.make_contiguous().sort_by_key(|entry| entry.end);
        }
        for (stream, chains) in folder.streams {
            self.chains.entry(stream).or_default().add(chains);
        }
        Ok(())
    }

    async fn examine(
        &mut self,
        walk: &mut ChainWalk,
        reads: Vec<DigestRead>,
        is_last: bool,
        role: Role,
    ) -> anyhow::Result<()> {
        walk.listed(reads.iter().map(DigestRead::location));
        let keys = self.keys.of(&self.scope.region);
        let mut examined = walk.read(reads, &keys, is_last);
        for digest in &mut examined {
            self.soften(digest);
            self.sift(digest, role);
            self.note(digest, role);
        }
        if role == Role::Target && !walk.is_backfill() {
            self.look_before(&examined).await?;
        }
        self.hash_and_tell(&examined, role, walk.is_backfill())
            .await
    }

    /// Whether a digest is validated, or only read for what it vouches for.
    fn is_validated(&self, digest: &Examined, role: Role) -> bool {
        role == Role::Target && !self.is_later(&digest.location)
    }

    /// Leaves the findings that are told. Of another trail that is what keeps its digests from vouching; of digests
    /// behind the range, what they say about the range, and that they cannot be read.
    fn sift(&self, digest: &mut Examined, role: Role) {
        let (_, last) = self.range();
        let here = &digest.location;
        let is_later = self.is_later(here);
        let is_proven = digest.trusted.is_some();
        let is_before_end = |finding: &Finding| match (finding.kind, finding.range) {
            (
                FindingKind::DigestMissing
                | FindingKind::Expired
                | FindingKind::ChainRestart
                | FindingKind::QuietGap,
                Some((from, _)),
            ) => from < self.asked.end,
            _ => {
                let location = finding.location.as_ref();
                let key = location.and_then(|location| DigestKey::parse(&location.key));
                key.is_none_or(|key| key.end <= last)
            }
        };
        digest.findings.retain(|finding| {
            let is_about_it = finding.location.as_ref() == Some(here);
            match role {
                _ if is_later && is_about_it => finding.kind == FindingKind::Unreadable,
                Role::Target => is_before_end(finding),
                Role::Witness => is_about_it && !is_proven,
            }
        });
    }

    /// What could not be looked at is not called wrong.
    fn soften(&mut self, digest: &mut Examined) {
        if let Some(error) = self.keyless.remove(&digest.location) {
            for finding in &mut digest.findings {
                if finding.kind == FindingKind::KeyUnknown {
                    finding.kind = FindingKind::Unreadable;
                    let reason = format!("its public key could not be asked for: {error}");
                    finding.facts.push(("reason", reason));
                }
            }
        }
        let (closed, unjudged) = (&self.closed, &mut self.unjudged);
        digest.findings.retain(|finding| {
            let location = finding.location.as_ref();
            let is_closed = finding.kind == FindingKind::DigestMissing
                && location.is_some_and(|location| closed.contains(&location.bucket));
            if is_closed {
                let range = finding.range.into_iter();
                range.for_each(|range| unjudged.add(range, false));
            }
            !is_closed
        });
    }

    /// Remembers what a digest vouches for, or that nothing is known of its hour.
    fn note(&mut self, digest: &Examined, role: Role) {
        let key = DigestKey::parse(&digest.location.key);
        let is_regular = key.as_ref().is_some_and(|key| !key.is_backfill);
        let is_validated = self.is_validated(digest, role);
        let Some(trusted) = &digest.trusted else {
            // Names and keys can be invented, so of other digests only those that cannot be read are an excuse.
            let is_excuse = |finding: &Finding| match is_validated {
                true => is_open(finding),
                false => finding.kind == FindingKind::Unreadable,
            };
            let Some(key) = key else { return };
            if digest.findings.iter().any(is_excuse) {
                let hour = (key.end - HOUR, key.end);
                self.unjudged.add(hour, key.is_backfill);
            }
            self.goes_on |= role == Role::Target && is_regular && self.is_later(&digest.location);
            let is_gone = |finding: &Finding| finding.kind == FindingKind::DigestMissing;
            if is_validated && is_regular && !digest.findings.iter().any(is_gone) {
                let (count, newest) = self.unproven;
                self.unproven = (count + 1, newest.max(key.end));
            }
            return;
        };
        let original = Location::new(&trusted.file.bucket, &trusted.file.key);
        for log in &trusted.file.log_files {
            self.reconciliation.vouch(&log.bucket, &log.key);
            if original != digest.location {
                let copy = copied(&original, &digest.location, log);
                self.reconciliation.vouch(&copy.bucket, &copy.key);
            }
        }
        if is_regular {
            let end = trusted.link.end;
            let newest = self.newest.entry(self.stream.clone()).or_insert(end);
            *newest = end.max(*newest);
            self.unproven = (0, i64::MIN);
        }
    }

    /// Whether there are digests before the range, if the first one in it begins a chain.
    async fn look_before(&mut self, examined: &[Examined]) -> anyhow::Result<()> {
        let is_first = self.totals().covered.is_none();
        let begins = |digest: &Examined| {
            let trusted = digest.trusted.as_ref();
            trusted.is_some_and(|trusted| trusted.file.previous.is_none())
        };
        if !is_first || !examined.iter().any(begins) {
            return Ok(());
        }
        let bucket = &self.asked.bucket;
        match earlier(self.store, bucket, &self.stream, self.asked.start).await {
            Ok(earlier) => self.earlier = earlier,
            Err(error) => self.unlisted(&self.scope.digest_folder(), &error)?,
        }
        Ok(())
    }

    // ---- the log files

    async fn hash_and_tell(
        &mut self,
        examined: &[Examined],
        role: Role,
        is_backfill: bool,
    ) -> anyhow::Result<()> {
        let store = self.store;
        let is_validated: Vec<bool> = examined
            .iter()
            .map(|digest| self.is_validated(digest, role))
            .collect();
        let due = examined
            .iter()
            .zip(is_validated)
            .flat_map(|(digest, is_validated)| {
                let trusted = digest.trusted.iter().filter(move |_| is_validated);
                let logs = trusted.flat_map(move |trusted| {
                    let original = Location::new(&trusted.file.bucket, &trusted.file.key);
                    let logs = trusted.file.log_files.iter();
                    logs.map(move |log| Due::Log(log, copied(&original, &digest.location, log)))
                });
                std::iter::once(Due::Digest(digest)).chain(logs)
            });
        let done = stream::iter(due).map(async |due| match due {
            Due::Digest(digest) => Done::Digest(digest),
            Due::Log(log, location) => {
                let content = store.hash_log(&location).await;
                Done::Log(log, location, content)
            }
        });
        let mut done = pin!(done.buffered(self.options.concurrency));
        while let Some(done) = done.next().await {
            match done {
                Done::Digest(digest) if self.is_validated(digest, role) => {
                    self.tell_digest(digest, is_backfill)?;
                }
                Done::Digest(digest) => {
                    for finding in &digest.findings {
                        self.tell(finding)?;
                    }
                }
                Done::Log(log, location, content) => self.tell_log(log, location, content)?,
            }
        }
        Ok(())
    }

    fn tell_digest(&mut self, digest: &Examined, is_backfill: bool) -> anyhow::Result<()> {
        let is_about_it = |finding: &&Finding| finding.location.as_ref() == Some(&digest.location);
        let mut about_it = digest.findings.iter().filter(is_about_it);
        let is_valid =
            digest.trusted.is_some() && !about_it.any(|finding| finding.level() == Level::Problem);
        let totals = self.totals();
        match is_backfill {
            true => totals.backfill.add(is_valid),
            false => totals.digests.add(is_valid),
        }
        if let Some(trusted) = &digest.trusted {
            if !is_backfill {
                let is_first = totals.covered.is_none();
                totals.cover((trusted.link.start, trusted.link.end));
                if is_first && trusted.file.previous.is_none() {
                    self.tell_beginning(digest, trusted.link.start)?;
                }
            }
            self.tell_of_copies(trusted.file.bucket.as_str(), &trusted.file.key, digest)?;
        }
        for finding in &digest.findings {
            self.tell(finding)?;
        }
        self.report.digest(&digest.location, is_valid)
    }

    /// The chain begins inside the range: anew, if there are digests before it.
    fn tell_beginning(&mut self, digest: &Examined, start: i64) -> anyhow::Result<()> {
        let from = self.asked.start;
        let is_restart = |finding: &Finding| finding.kind == FindingKind::ChainRestart;
        let is_told = digest.findings.iter().any(is_restart);
        let first = &digest.location;
        match self.earlier.take() {
            Some(earlier) if start > from && !is_told => {
                let restart = Finding::of_range(FindingKind::ChainRestart, from, start)
                    .fact("first digest after", first.to_string())
                    .fact("a digest before the range", earlier);
                self.tell(&restart)
            }
            None if start > from + HOUR => {
                let begins = Finding::about(FindingKind::NewStream, first.clone());
                self.tell(&begins.between(from, start))
            }
            _ => Ok(()),
        }
    }

    fn tell_of_copies(&mut self, bucket: &str, key: &str, digest: &Examined) -> anyhow::Result<()> {
        let original = Location::new(bucket, key);
        if self.told_of_copies || original == digest.location {
            return Ok(());
        }
        self.told_of_copies = true;
        let finding = Finding::about(FindingKind::ValidCopy, digest.location.clone())
            .fact("original", original.to_string())
            .fact("other copies", "not told one by one");
        self.tell(&finding)
    }

    fn tell_log(
        &mut self,
        log: &LogFile,
        location: Location,
        content: Result<LogContent, ReadError>,
    ) -> anyhow::Result<()> {
        let about = |kind| Finding::about(kind, location.clone());
        let length = content.as_ref().map_or(0, |content| content.length);
        let finding = match content {
            Ok(content) => content.problem(log).map(|problem| match problem {
                LogProblem::UnknownAlgorithm => about(FindingKind::UnknownAlgorithm)
                    .fact("named", log.hash_algorithm.clone().unwrap_or_default())
                    .fact("expected", "SHA-256"),
                LogProblem::HashMismatch => about(FindingKind::LogHashMismatch)
                    .fact("hash listed", log.hash_value.as_str())
                    .fact("hash found", content.sha256.to_string()),
                LogProblem::BadFormat => about(FindingKind::LogBadFormat),
                LogProblem::TrailingData => about(FindingKind::LogTrailingData),
                LogProblem::TrailerCut => about(FindingKind::LogTrailerCut),
            }),
            Err(ReadError::NotFound) if self.is_expired(&location.key) => {
                Some(about(FindingKind::Expired))
            }
            Err(ReadError::NotFound) => Some(about(FindingKind::LogNotFound)),
            Err(error) => Some(about(FindingKind::Unreadable).fact("reason", error.to_string())),
        };
        let is_valid = finding
            .as_ref()
            .is_none_or(|finding| finding.level() == Level::Warning);
        self.totals().logs.add(is_valid);
        if let Some(finding) = &finding {
            self.tell(finding)?;
        }
        self.report.log_file(&location, length, is_valid)
    }

    fn is_expired(&self, key: &str) -> bool {
        let delivered = ObjectKey::parse(key).ok().map(|key| key.name.time);
        let kept_from = self.options.kept_from;
        delivered
            .zip(kept_from)
            .is_some_and(|(delivered, kept_from)| delivered < kept_from)
    }

    // ---- what is there besides

    /// No recent digest. One that is not proven covers an hour at most.
    fn stale(&mut self) -> anyhow::Result<()> {
        let proven = self.newest.get(&self.stream).copied();
        let proven = proven.unwrap_or(self.asked.start);
        let (count, unproven) = self.unproven;
        let newest = proven.max(unproven.min(proven.saturating_add(count * HOUR)));
        let until = self.asked.end.min(self.options.now);
        // A chain ends when it likes; one that goes on behind the range does not end in it.
        let due = match self.goes_on {
            true => due(self.asked, self.options),
            false => until.saturating_sub(PATIENCE_SECONDS),
        };
        if newest >= due {
            return Ok(());
        }
        let kept_from = self.options.kept_from.unwrap_or(i64::MIN).min(until);
        if newest < kept_from {
            self.tell(&Finding::of_range(FindingKind::Expired, newest, kept_from))?;
        }
        match newest.max(kept_from) {
            from if from < due => self.tell(&Finding::of_range(FindingKind::Stale, from, until)),
            _ => Ok(()),
        }
    }

    /// Holds the log folders against what digests list.
    async fn reconcile(&mut self) -> anyhow::Result<()> {
        let known = self.known();
        let days = (known.from, known.end);
        let mut unnamed = 0;
        for bucket in self.buckets.clone() {
            if self.closed.contains(&bucket) {
                continue;
            }
            for folder in LogFolder::ALL {
                let prefix = self.scope.log_folder(folder);
                let mut unvouched: Vec<(ListedLog, Box<Finding>)> = Vec::new();
                let (mut pending, mut unjudged) = (0, 0);
                let listed = list_days(self.store, &bucket, &prefix, days, &mut |listed| {
                    let log = ListedLog {
                        location: Location::new(&bucket, listed.key),
                        last_modified: listed.last_modified,
                    };
                    let standing = self.reconciliation.standing_in(&prefix, &log, &known);
                    match standing {
                        Standing::Vouched | Standing::Outside => {}
                        Standing::Pending => pending += 1,
                        Standing::Unreferenced(finding)
                            if !has_odd_name(&finding) && self.is_unjudged(&log, &known) =>
                        {
                            unjudged += 1;
                        }
                        Standing::Unreferenced(_) if unvouched.len() as u64 >= MOST_NAMED => {
                            unnamed += 1;
                        }
                        Standing::Unreferenced(finding) => unvouched.push((log, finding)),
                    }
                })
                .await;
                self.totals().pending += pending;
                self.totals().unjudged += unjudged;
                let late = unvouched.iter().filter_map(|(log, _)| late(log, &known));
                if let Some(until) = late.max() {
                    self.read_late(until).await?;
                }
                for (log, finding) in unvouched {
                    if !self.reconciliation.is_vouched(&log.location) {
                        self.tell(&finding)?;
                    }
                }
                if let Err(error) = listed {
                    self.unlisted(&prefix, &error)?;
                }
            }
        }
        if unnamed > 0 {
            let below = Location::new(&self.asked.bucket, self.scope.base());
            let more = Finding::about(FindingKind::UnreferencedLog, below).counting(unnamed);
            self.tell(&more.fact("besides", "those named above"))?;
        }
        Ok(())
    }

    /// Reads the digests that end until then, which may list what was delivered late.
    async fn read_late(&mut self, until: i64) -> anyhow::Result<()> {
        let from = self.read_to.saturating_add(1);
        if until < from {
            return Ok(());
        }
        self.read_to = until;
        let validated = self.stream.clone();
        for bucket in self.buckets.clone() {
            if self.closed.contains(&bucket) {
                continue;
            }
            match DigestFolder::list(self.store, &bucket, self.scope, (from, until)).await {
                Err(error) => self.unlisted(&self.scope.digest_folder(), &error)?,
                Ok(folder) => {
                    for (stream, chains) in folder.streams {
                        self.stream = stream;
                        self.walk(chains.standard, Role::Witness).await?;
                    }
                }
            }
        }
        self.stream = validated;
        Ok(())
    }

    /// For which time the digests of all trails are known: those that still deliver may be an hour behind another.
    fn known(&self) -> Known {
        let due = due(self.asked, self.options);
        let newest = self.newest.values().map(|&newest| newest.max(due));
        // Of a trail that has nothing proven, no more is known than what is due.
        let to = match self.newest.contains_key(&self.stream) {
            true => newest.min().unwrap_or(due),
            false => due,
        };
        let from = self.options.kept_from.unwrap_or(i64::MIN);
        Known {
            from: from.max(self.asked.start),
            to,
            end: self.asked.end,
            patience_seconds: LATE_SECONDS,
            now: self.options.now,
        }
    }

    /// Whether a digest that could not be read or verified may list it.
    fn is_unjudged(&self, log: &ListedLog, known: &Known) -> bool {
        let Ok(key) = ObjectKey::parse(&log.location.key) else {
            return false;
        };
        // What was written behind the range was copied in place since, or planted; then its name must do.
        let delivered = log.last_modified.filter(|written| *written <= known.to);
        self.unjudged.may_list(key.name.time, delivered)
    }

    /// The chain that was asked for has no digest in the range.
    async fn without_digests(&mut self, witnesses: &[Stream]) -> anyhow::Result<()> {
        self.stream = Stream {
            scope: self.scope.clone(),
            ..self.asked.stream()
        };
        let is_named = *self.scope == self.asked.stream().scope;
        let (start, end) = (self.asked.start, self.asked.end);
        let before = earlier(self.store, &self.asked.bucket, &self.stream, start);
        let was_there = matches!(before.await, Ok(Some(_)));
        if was_there && start >= due(self.asked, self.options) {
            return Ok(()); // The range is too short for a digest to be due.
        }
        if is_named {
            self.is_in_an_organization().await?;
        }
        let kind = match self.options.kept_from {
            Some(kept_from) if kept_from >= end => FindingKind::Expired,
            _ => FindingKind::NoDigests,
        };
        let mut finding = Finding::of_range(kind, start, end);
        if !self.asked.bucket.is_empty() {
            let folder = Location::new(&self.asked.bucket, self.scope.digest_folder());
            finding.location = Some(folder);
        }
        finding.facts.extend(self.what_is_there(witnesses).await);
        if is_named || was_there {
            self.tell(&finding)?;
            return self.reconcile().await;
        }
        // Regions that the trail never had digests of matter if there are log files that nobody vouches for.
        let problems = self.totals().problems;
        self.reconcile().await?;
        if self.totals().problems > problems {
            return self.tell(&finding);
        }
        if *self.totals() == Totals::default() {
            self.found.remove(&self.stream);
        }
        Ok(())
    }

    /// # Errors
    /// The account's folder is that of an organization.
    async fn is_in_an_organization(&mut self) -> anyhow::Result<()> {
        let Scope {
            organization_id: None,
            account_id,
            ..
        } = self.scope
        else {
            return Ok(());
        };
        let base = self.scope.base();
        let accounts = base
            .trim_end_matches('/')
            .trim_end_matches(account_id.as_str());
        let there = names(self.store, &self.asked.bucket, accounts)
            .await
            .unwrap_or_default();
        if there.contains(account_id) {
            return Ok(());
        }
        for organization in there.iter().filter(|name| name.starts_with("o-")) {
            let below = format!("{accounts}{organization}/");
            let members = names(self.store, &self.asked.bucket, &below)
                .await
                .unwrap_or_default();
            if members.contains(account_id) {
                bail!(
                    "the trail is one of an organization: the files of account {account_id} lie in \
                     s3://{}/{below}, expected --organization-id {organization}",
                    self.asked.bucket
                );
            }
        }
        Ok(())
    }

    /// Where there are digests, for those who looked in the wrong place.
    async fn what_is_there(&self, witnesses: &[Stream]) -> Vec<(&'static str, String)> {
        let bucket = &self.asked.bucket;
        let base = self.scope.base();
        let accounts = base
            .trim_end_matches('/')
            .trim_end_matches(self.scope.account_id.as_str());
        let regions = format!("{base}CloudTrail-Digest/");
        let there =
            async |prefix: &str| names(self.store, bucket, prefix).await.unwrap_or_default();
        let trails: BTreeSet<String> = witnesses.iter().map(|other| other.trail.clone()).collect();
        let regions = there(&regions).await;
        let accounts = there(accounts).await;
        let organizations = accounts
            .iter()
            .filter(|name| name.starts_with("o-"))
            .cloned()
            .collect();
        let accounts: Vec<String> = accounts
            .into_iter()
            .filter(|name| is_account(name))
            .collect();
        let top = match accounts.is_empty() {
            true => there("").await,
            false => Vec::new(),
        };
        let some = |label, names: Vec<String>| {
            let shown: Vec<&str> = names
                .iter()
                .take(MOST_ELSEWHERE)
                .map(String::as_str)
                .collect();
            (!shown.is_empty()).then(|| (label, shown.join(", ")))
        };
        [
            some("other trails there", trails.into_iter().collect()),
            some("Regions with digests", regions),
            some("accounts there", accounts),
            some("organizations there", organizations),
            some("folders of the bucket", top),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The next digests to be read together.
fn next_batch(queue: &mut VecDeque<Entry>) -> Vec<Entry> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(next) = queue.front() {
        bytes += next.size;
        let is_full =
            batch.len() == MOST_IN_BATCH || (bytes > MOST_BATCH_BYTES && !batch.is_empty());
        if is_full {
            break;
        }
        batch.extend(queue.pop_front());
    }
    batch
}

/// The end of the last of the first so many.
fn last_end(batch: &[Entry], count: usize) -> i64 {
    let last = count.checked_sub(1).and_then(|at| batch.get(at));
    last.map_or(i64::MIN, |entry| entry.end)
}

/// Whether its own metadata prove it.
fn is_signed(digest: &digest_chain::OpenedDigest, keys: &PublicKeys) -> bool {
    let key = keys.get(&digest.file.public_key_fingerprint);
    let signature = digest.metadata.signature.as_deref();
    key.zip(signature).is_some_and(|(key, signature)| {
        let text = signing_string(&digest.file, &digest.sha256);
        verify(key, &text, signature) == SignatureCheck::Valid
    })
}

/// Whether CloudTrail gives no log file such a name there, so that its time says nothing.
fn has_odd_name(finding: &Finding) -> bool {
    finding.facts.iter().any(|(label, _)| *label == "name")
}

/// Until when digests end that may list a log file that is delivered late, if it may be such a one. Files do not say
/// when they were written.
fn late(log: &ListedLog, known: &Known) -> Option<i64> {
    let named = ObjectKey::parse(&log.location.key).ok()?.name.time;
    let latest = named.saturating_add(LATEST_SECONDS);
    let written = log.last_modified.unwrap_or(latest);
    let is_late = named <= known.end && written > known.to && (named..=latest).contains(&written);
    is_late.then(|| written.saturating_add(2 * HOUR))
}

/// Whether the finding says that a digest could not be looked at, and nothing against it.
fn is_open(finding: &Finding) -> bool {
    matches!(
        finding.kind,
        FindingKind::Unreadable
            | FindingKind::KeyUnknown
            | FindingKind::KeyUnusable
            | FindingKind::DigestSignatureMissing
    )
}

/// Where a log file lies, if its digest is a copy: in the same bucket as that, below the same prefix.
fn copied(original: &Location, copy: &Location, log: &LogFile) -> Location {
    if original == copy || log.bucket != original.bucket {
        return Location::new(&log.bucket, &log.key);
    }
    let prefix = |key: &str| {
        key.find("AWSLogs/")
            .and_then(|at| key.get(..at))
            .map(str::to_owned)
    };
    let moved = prefix(&original.key)
        .zip(prefix(&copy.key))
        .and_then(|(from, to)| {
            let rest = log.key.strip_prefix(&from)?;
            Some(format!("{to}{rest}"))
        });
    Location::new(&copy.bucket, moved.unwrap_or_else(|| log.key.clone()))
}
