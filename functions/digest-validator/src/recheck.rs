//! The end of a run over a folder: what had been validated is looked at again, the log files are held against the
//! digests, and silence is noticed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cloudtrail::LogFolder;
use digest_chain::{
    DigestKey, DigestRead, Finding, FindingKind, LogFile, OpenedDigest, SignatureCheck, Stamp,
    display_time,
};
use ports::ListedObject;

use crate::folder_run::{
    FRESH_SECONDS, FolderRun, LATE_SECONDS, PATIENCE_SECONDS, UNREAD_SECONDS, Work, problem_kind,
    time_of,
};
use crate::folders::Lister;
use crate::keys::Keys;
use crate::ports::Outside;
use crate::reading::{DigestOutcome, LogOutcome, read_digest, read_logs};
use crate::report::day_of;
use crate::requeue;
use crate::state::{Seen, SeenFile, Stored, Told, WindowDigest, WindowLog, gravity, save_again};
use crate::stopped::Stopped;

/// A chain that ended this long before it was first looked at is nobody's concern.
const ENDED_SECONDS: i64 = 7 * 86_400;

/// Older days are looked through once a day, for backfill digests that came or went.
const SWEEP_SECONDS: i64 = 86_400 - 1_800;

/// How far back: backfill digests come up to weeks late.
const SWEPT_SECONDS: i64 = 60 * 86_400;

/// Log files that could not be read, of which so many are tried again in a run.
const MOST_UNREAD: usize = 500;

/// Hours that cannot be decided are remembered for so long after they would have been.
const UNDECIDED_SECONDS: i64 = 2 * 86_400;

/// No key of a log file is longer, but for those with long prefixes.
const MOST_NAME_BYTES: usize = 300;

/// So far a proven chain may lag behind, with digests that nobody can read or judge.
const LAGS_SECONDS: i64 = UNREAD_SECONDS + FRESH_SECONDS;

/// Digests that are older than the window by this are deleted from the table, or may be.
const FORGOTTEN_SECONDS: i64 = 6 * 86_400;

/// Where a log file stands in the window.
type InWindow = (usize, usize);

/// A log file that no digest lists.
struct Unlisted {
    key: String,
    etag: String,
    size: u64,
    written: i64,
}

/// What the folders of log files hold.
#[derive(Default)]
struct Looked {
    /// Log files of the window that are there.
    present: HashSet<InWindow>,
    /// Those with another entity tag.
    changed: Vec<InWindow>,
    unlisted: Vec<Unlisted>,
}

impl<P: Outside> FolderRun<'_, P> {
    /// Does what is done once a run, when all new digests are walked.
    pub(crate) async fn conclude(&mut self) -> Result<(), Stopped> {
        if self.run.is_over() {
            return Err(Stopped::NoTime);
        }
        let mut work = Work::default();
        let mut dirty = BTreeSet::new();
        let swept = self.sweep(&mut work).await?;
        self.recheck_digests(&mut work, &mut dirty).await?;
        let mut seen = self.look_at_logs(&mut work, &mut dirty).await?;
        self.read_one_again(&mut work, &mut dirty).await?;
        self.freshness(&mut work).await?;
        let run = self.run;
        let due = requeue::due(run.outside, &mut self.state.value.missed, run.now).await?;
        self.send(&work.found).await?;
        let expires = self.window_expires();
        for at in dirty {
            if let Some(digest) = self.window.get_mut(at) {
                save_again(run.outside.items(), digest, expires).await?;
            }
        }
        seen.save(run.outside.items(), run.now).await?;
        self.state.value.checked_at = run.now;
        self.state.value.is_complete = true;
        // What is found is sent, so nothing is left of it to be sent by `commit`.
        self.commit(Work::default(), swept).await?;
        requeue::announce(run.outside, &due).await?;
        run.counted.count("FilesRequeued", due.len() as u64);
        for file in &due {
            tracing::warn!(
                object = format!("s3://{}/{}", file.bucket, file.key),
                "announced again"
            );
        }
        Ok(())
    }

    /// Backfill digests come long after the hours they are of, in the folders of those.
    async fn sweep(&mut self, work: &mut Work) -> Result<Vec<(i64, WindowDigest)>, Stopped> {
        let run = self.run;
        if self.state.value.swept_at > run.now - SWEEP_SECONDS {
            return Ok(Vec::new());
        }
        let first_day = run.now - SWEPT_SECONDS;
        let last_day = day_folder(&self.folder, self.window_from);
        let start = day_folder(&self.folder, first_day);
        let mut lister = Lister::new(
            run.outside.objects(),
            self.bucket(),
            &self.folder,
            Some(start),
        );
        let mut there: BTreeMap<String, Vec<(Stamp, String)>> = BTreeMap::new();
        while let Some(object) = lister.next().await? {
            if object.key >= last_day {
                break;
            }
            let Some(key) = DigestKey::parse(&object.key).filter(|key| key.is_backfill) else {
                continue;
            };
            let name = format!("{} {}", key.stream.trail, key.stream.home_region);
            there.entry(name).or_default().push((key.end, object.key));
        }
        let names: Vec<String> = self.state.value.streams.keys().cloned().collect();
        for name in names {
            let listed = there.remove(&name).unwrap_or_default();
            self.gone_backfill(&name, &listed, (first_day + 86_400, &last_day), work)
                .await;
            self.new_backfill(&name, listed, work).await?;
        }
        self.state.value.swept_at = run.now;
        self.hashed(work).await
    }

    async fn gone_backfill(
        &mut self,
        name: &str,
        listed: &[(Stamp, String)],
        (from, last_day): (i64, &str),
        work: &mut Work,
    ) {
        let Some(stream) = self.state.value.streams.get(name) else {
            return;
        };
        let chain = digest_chain::Stream {
            scope: self.scope.clone(),
            trail: stream.trail.clone(),
            home_region: stream.home_region.clone(),
        };
        let gone: Vec<(Stamp, String)> = stream
            .backfill_ends
            .iter()
            .filter(|&&end| end >= from && !listed.iter().any(|(there, _)| *there == end))
            .map(|&end| (end, chain.digest_key(end, true)))
            .filter(|(_, key)| key.as_str() < last_day)
            .collect();
        for (end, key) in gone {
            let finding = Finding::about(FindingKind::DigestDeleted, self.location(&key));
            let finding = self.with_versions(finding, None, work).await;
            self.found(work, name, finding, true);
            if let Some(stream) = self.state.value.streams.get_mut(name) {
                stream.backfill_ends.remove(&end);
            }
        }
    }

    async fn new_backfill(
        &mut self,
        name: &str,
        listed: Vec<(Stamp, String)>,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        let Some(stream) = self.state.value.streams.get(name) else {
            return Ok(());
        };
        let is_new = |(end, _): &(Stamp, String)| !stream.backfill_ends.contains(end);
        let new: Vec<(Stamp, String)> = listed.into_iter().filter(is_new).collect();
        self.backfill(name, new, work).await
    }

    /// Whether a digest of the window is to be looked at again.
    fn is_in_window(&self, digest: &WindowDigest) -> bool {
        digest.at >= self.window_from
    }

    /// Digests of the window: are they there, and the same?
    async fn recheck_digests(
        &mut self,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) -> Result<(), Stopped> {
        let listed_from = day_folder(&self.folder, self.window_from);
        for at in 0..self.window.len() {
            let Some(digest) = self.window.get(at).map(|digest| digest.value.clone()) else {
                break;
            };
            let is_listed = digest.key >= listed_from;
            let is_proven = digest.sha256.is_some();
            if !is_proven || digest.part > 0 || !is_listed || !self.is_in_window(&digest) {
                continue;
            }
            let listed = self.listed.get(&digest.key);
            let listed = listed.map(|object| object.etag.clone());
            let told = digest.told.as_ref();
            match listed {
                Some(etag) if told.is_none() && etag == digest.etag => {}
                Some(etag) if told.is_some_and(|told| told.etag == etag) => {}
                Some(_) => self.verify_digest(at, work, dirty).await?,
                None => {
                    let location = self.location(&digest.key);
                    let finding = Finding::about(FindingKind::DigestDeleted, location);
                    self.tell_digest(at, finding, "", work, dirty).await;
                }
            }
        }
        Ok(())
    }

    /// Reads a digest of the window again: is its content the one that was validated?
    async fn verify_digest(
        &mut self,
        at: usize,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) -> Result<(), Stopped> {
        let Some(digest) = self.window.get(at).map(|digest| digest.value.clone()) else {
            return Ok(());
        };
        let read = read_digest(self.run.outside, self.location(&digest.key)).await;
        let about = |kind| Finding::about(kind, read.location.clone());
        let finding = match read.outcome {
            DigestOutcome::Read(DigestRead::Opened(opened)) => {
                match self.change(&opened, digest.sha256.as_deref()).await? {
                    Some(finding) => finding,
                    None => {
                        if let Some(known) = self.window.get_mut(at)
                            && (known.value.etag != read.head.etag || known.value.told.is_some())
                        {
                            known.value.etag = read.head.etag;
                            known.value.told = None;
                            dirty.insert(at);
                        }
                        return Ok(());
                    }
                }
            }
            DigestOutcome::Read(DigestRead::Failed(_, found)) => match found.kind {
                FindingKind::DigestMissing => about(FindingKind::DigestDeleted),
                _ => about(FindingKind::DigestChanged).fact("what", found.to_string()),
            },
            DigestOutcome::Unreadable(unread) => {
                if self.tells_unread(&digest.key, &unread) {
                    let finding = about(FindingKind::Unreadable).fact("reason", unread.reason);
                    self.found(work, &digest.stream, finding, true);
                }
                return Ok(());
            }
        };
        self.tell_digest(at, finding, &read.head.etag, work, dirty)
            .await;
        Ok(())
    }

    /// What is wrong with a digest that was read again, if something is.
    async fn change(
        &self,
        opened: &OpenedDigest,
        validated: Option<&str>,
    ) -> Result<Option<Finding>, Stopped> {
        let location = digest_chain::Location::new(&opened.bucket, &opened.key);
        let found = opened.sha256.to_string();
        if validated != Some(found.as_str()) || opened.has_trailing_data {
            let finding = Finding::about(FindingKind::DigestChanged, location)
                .fact("hash validated", validated.unwrap_or_default())
                .fact("hash found", found);
            return Ok(Some(finding));
        }
        let read = [DigestRead::Opened(Box::new(opened.clone()))];
        let keys = match self.public_keys(&read).await {
            Keys::Known(keys) => keys,
            Keys::Unavailable(_) => digest_chain::PublicKeys::default(),
        };
        let key = keys.get(&opened.file.public_key_fingerprint);
        let signature = opened.metadata.signature.as_deref();
        let text = digest_chain::signing_string(&opened.file, &opened.sha256);
        // A key that is not published any more says nothing of a signature that it verified.
        let is_signed = signature.is_some_and(|signature| {
            key.is_none_or(|key| {
                let check = digest_chain::verify(key, &text, signature);
                matches!(check, SignatureCheck::Valid | SignatureCheck::KeyUnusable)
            })
        });
        let algorithm = opened.metadata.signature_algorithm.as_deref();
        let is_signed = is_signed && algorithm == Some("SHA256withRSA");
        let damaged = || {
            Finding::about(FindingKind::DigestMetadataDamaged, location)
                .fact("metadata", "they were right when it was validated")
        };
        Ok((!is_signed).then(damaged))
    }

    /// Says what is wrong with a digest, unless something as bad is told of it.
    async fn tell_digest(
        &mut self,
        at: usize,
        finding: Finding,
        found_etag: &str,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) {
        let Some(digest) = self.window.get_mut(at) else {
            return;
        };
        if !is_news(&mut digest.value.told, finding.kind, found_etag, || {
            dirty.insert(at);
        }) {
            return;
        }
        let (stream, etag) = (digest.value.stream.clone(), digest.value.etag.clone());
        let finding = self.with_versions(finding, Some(&etag), work).await;
        self.run.counted.count("DigestsInvalid", 1);
        self.tally(&stream).digests_invalid += 1;
        self.found(work, &stream, finding, true);
    }

    /// The log files: those of the window, and those that no digest lists.
    async fn look_at_logs(
        &mut self,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) -> Result<Stored<Seen>, Stopped> {
        let run = self.run;
        let window_from = self.window_from;
        let fresh: Vec<String> = self
            .state
            .value
            .streams
            .iter()
            .filter(|(_, stream)| stream.last_end() >= Some(run.now - FRESH_SECONDS))
            .map(|(name, _)| name.clone())
            .collect();
        // After a long silence the digests are forgotten that had come furthest, and vouched for the time before it.
        let kept_from = run.now - run.settings.recheck_seconds - FORGOTTEN_SECONDS;
        let is_forgotten = |from: i64| from < kept_from;
        let decided = self.state.value.decided_until;
        let decided = decided.map(|from| {
            from + if is_forgotten(from) {
                PATIENCE_SECONDS
            } else {
                0
            }
        });
        let until = decided.zip(self.covered(&fresh));
        let decide = until.map(|(from, covered)| (from, (covered - PATIENCE_SECONDS).max(from)));
        let from = decide.map_or(window_from, |(from, _)| from.min(window_from)) - LATE_SECONDS;
        let expected = self.expected();
        let looked = self.look_through(from, None, &expected).await?;
        self.gone_logs(from, &expected, &looked, work, dirty).await;
        let mut verify = looked.changed;
        verify.extend(self.unread());
        self.verify_logs(&verify, work, dirty).await?;
        let seen = self
            .seen(
                from,
                window_from.min(decide.map_or(i64::MAX, |(_, until)| until)),
                &looked.unlisted,
                work,
            )
            .await?;
        if let Some((from, until)) = decide {
            self.tell_unlisted(&looked.unlisted, from, until, work)
                .await;
            self.state.value.decided_until = Some(until);
            let ranges = &mut self.state.value.undecidable;
            ranges.retain(|(_, to)| *to > until - UNDECIDED_SECONDS);
        }
        Ok(seen)
    }

    /// The log files that the folder should have, by key.
    fn expected(&self) -> HashMap<String, InWindow> {
        let mut expected = HashMap::new();
        for (at, digest) in self.window.iter().enumerate() {
            if !self.is_in_window(&digest.value) {
                continue;
            }
            for (nth, log) in digest.value.logs.iter().enumerate() {
                if log.bucket.is_none() {
                    expected.insert(log.key.clone(), (at, nth));
                }
            }
        }
        expected
    }

    /// Lists the log files of a time.
    async fn look_through(
        &self,
        from: i64,
        until: Option<i64>,
        expected: &HashMap<String, InWindow>,
    ) -> Result<Looked, Stopped> {
        let mut looked = Looked::default();
        let objects = self.run.outside.objects();
        for folder in LogFolder::ALL {
            let folder = self.scope.log_folder(folder);
            let start = day_folder(&folder, from);
            let end = until.map(|until| day_folder(&folder, until + 86_400));
            let mut lister = Lister::new(objects, self.bucket(), &folder, Some(start));
            while let Some(object) = lister.next().await? {
                if end.as_ref().is_some_and(|end| object.key >= *end) {
                    break;
                }
                self.look(&object, expected, &mut looked);
            }
            if self.run.is_over() {
                return Err(Stopped::NoTime);
            }
        }
        Ok(looked)
    }

    fn look(
        &self,
        object: &ListedObject,
        expected: &HashMap<String, InWindow>,
        looked: &mut Looked,
    ) {
        if let Some(&(at, nth)) = expected.get(&object.key) {
            looked.present.insert((at, nth));
            let known = self
                .window
                .get(at)
                .and_then(|digest| digest.value.logs.get(nth));
            if known.is_some_and(|known| is_changed(known, &object.etag)) {
                looked.changed.push((at, nth));
            }
            return;
        }
        let is_folder = object.key.ends_with('/') && object.size == 0;
        if is_folder || self.vouched.is_vouched(&self.location(&object.key)) {
            return;
        }
        looked.unlisted.push(Unlisted {
            written: object
                .last_modified
                .or_else(|| time_of(&object.key))
                .unwrap_or(self.run.now),
            key: object.key.clone(),
            etag: object.etag.clone(),
            size: object.size,
        });
    }

    /// Log files of the window that are not there any more.
    async fn gone_logs(
        &mut self,
        from: i64,
        expected: &HashMap<String, InWindow>,
        looked: &Looked,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) {
        let mut gone: Vec<(&String, InWindow)> = expected
            .iter()
            .filter(|(key, at)| !looked.present.contains(at) && self.was_listed(key, from))
            .map(|(key, at)| (key, *at))
            .collect();
        gone.sort();
        for (key, at) in gone {
            let finding = Finding::about(FindingKind::LogNotFound, self.location(key));
            self.tell_log(at, finding, "", work, dirty).await;
        }
    }

    /// Whether a listing from this time on would have named the object.
    fn was_listed(&self, key: &str, from: i64) -> bool {
        LogFolder::ALL.into_iter().any(|folder| {
            let folder = self.scope.log_folder(folder);
            key.starts_with(&folder) && *key > *day_folder(&folder, from)
        })
    }

    /// Says what is wrong with a log file, unless something as bad is told of it.
    async fn tell_log(
        &mut self,
        (at, nth): InWindow,
        finding: Finding,
        found_etag: &str,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) {
        let Some(digest) = self.window.get_mut(at) else {
            return;
        };
        let stream = digest.value.stream.clone();
        let Some(log) = digest.value.logs.get_mut(nth) else {
            return;
        };
        let was_right = !log.etag.is_empty() && log.told.is_none();
        let is_new = is_news(&mut log.told, finding.kind, found_etag, || {
            dirty.insert(at);
        });
        if !is_new {
            return;
        }
        log.is_unread = false;
        log.no_answer = None;
        let etag = Some(log.etag.clone()).filter(|etag| !etag.is_empty());
        let finding = self.with_versions(finding, etag.as_deref(), work).await;
        self.run.counted.count("LogFilesInvalid", 1);
        self.tally(&stream).logs_invalid += 1;
        self.found(work, &stream, finding, was_right);
    }

    /// Log files that could not be read before.
    fn unread(&self) -> Vec<InWindow> {
        let all = self.window.iter().enumerate().flat_map(|(at, digest)| {
            let logs = digest.value.logs.iter().enumerate();
            logs.map(move |(nth, log)| ((at, nth), log))
        });
        let unread = all.filter(|(_, log)| log.is_unread && log.no_answer != Some(self.run.now));
        unread.map(|(at, _)| at).take(MOST_UNREAD).collect()
    }

    /// Reads log files of the window again: is their content the one that is vouched for?
    async fn verify_logs(
        &mut self,
        logs: &[InWindow],
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) -> Result<(), Stopped> {
        let known = |(at, nth): &InWindow| {
            let digest = self.window.get(*at)?;
            let log = digest.value.logs.get(*nth)?.clone();
            Some(((*at, *nth), digest.value.stream.clone(), log))
        };
        let logs: Vec<(InWindow, String, WindowLog)> = logs.iter().filter_map(known).collect();
        let locations: Vec<_> = logs
            .iter()
            .map(|(_, _, log)| {
                let bucket = log.bucket.as_deref().unwrap_or(self.bucket());
                digest_chain::Location::new(bucket, &log.key)
            })
            .collect();
        let read = read_logs(self.run.outside, &locations, self.run.stop_at_millis).await?;
        for (((at, stream, log), location), read) in logs.into_iter().zip(locations).zip(read) {
            let about = |kind| Finding::about(kind, location.clone());
            match read.outcome {
                LogOutcome::NotFound => {
                    self.tell_log(at, about(FindingKind::LogNotFound), "", work, dirty)
                        .await;
                }
                LogOutcome::Unreadable(unread) => {
                    let now = self.run.now;
                    if !log.is_unread && unread.may_pass() {
                        self.update(at, dirty, |log| {
                            log.is_unread = true;
                            log.no_answer = Some(now);
                        });
                    } else if !log.is_unread || log.no_answer.is_some() {
                        self.run.counted.count("LogFilesUnreadable", 1);
                        let finding = about(FindingKind::Unreadable).fact("reason", unread.reason);
                        self.found(work, &stream, finding, !log.etag.is_empty());
                        self.update(at, dirty, |log| {
                            log.is_unread = true;
                            log.no_answer = None;
                        });
                    }
                }
                LogOutcome::Read(content) => {
                    let expected = LogFile {
                        bucket: location.bucket.clone(),
                        key: location.key.clone(),
                        hash_value: log.sha256.clone(),
                        hash_algorithm: Some("SHA-256".to_owned()),
                    };
                    let Some(problem) = content.problem(&expected) else {
                        if log.etag.is_empty() {
                            self.run.counted.count("LogFilesValidated", 1);
                            self.tally(&stream).logs_valid += 1;
                        }
                        if log.is_unread || log.told.is_some() || log.etag != read.head.etag {
                            self.update(at, dirty, |log| {
                                log.is_unread = false;
                                log.no_answer = None;
                                log.told = None;
                                log.etag = read.head.etag.clone();
                            });
                        }
                        continue;
                    };
                    let kind = match log.etag.is_empty() {
                        true => problem_kind(problem),
                        false => FindingKind::LogChanged,
                    };
                    let mut finding = about(kind)
                        .fact("what", problem_kind(problem).statement())
                        .fact("hash expected", log.sha256.as_str())
                        .fact("hash found", content.sha256.to_string());
                    if let Some(written) = read.head.last_modified {
                        finding = finding.fact("last modified", display_time(written));
                    }
                    self.tell_log(at, finding, &read.head.etag, work, dirty)
                        .await;
                }
            }
        }
        Ok(())
    }

    fn update(
        &mut self,
        (at, nth): InWindow,
        dirty: &mut BTreeSet<usize>,
        change: impl FnOnce(&mut WindowLog),
    ) {
        let digest = self.window.get_mut(at);
        if let Some(log) = digest.and_then(|digest| digest.value.logs.get_mut(nth)) {
            change(log);
            dirty.insert(at);
        }
    }

    /// Remembers the log files that no digest lists, and says which of those that were remembered are gone.
    async fn seen(
        &mut self,
        from: i64,
        kept_from: i64,
        unlisted: &[Unlisted],
        work: &mut Work,
    ) -> Result<Stored<Seen>, Stopped> {
        let items = self.run.outside.items();
        let known: Option<Stored<Seen>> = Stored::load(items, &self.partition, "seen").await?;
        let mut seen =
            known.unwrap_or_else(|| Stored::new(&self.partition, "seen", Seen::default()));
        let before = std::mem::take(&mut seen.value);
        let there: HashSet<&str> = unlisted.iter().map(|file| file.key.as_str()).collect();
        for (key, file) in &before.files {
            let location = self.location(key);
            let is_gone = !there.contains(key.as_str()) && self.was_listed(key, from);
            if is_gone && !self.vouched.is_vouched(&location) {
                let finding = Finding::about(FindingKind::UnreferencedLogDeleted, location)
                    .fact("first seen", display_time(file.first))
                    .fact("size", file.size.to_string())
                    .fact("entity tag", file.etag.as_str());
                let finding = self.with_versions(finding, Some(&file.etag), work).await;
                self.found(work, "", finding, true);
            }
        }
        // Names that CloudTrail gives come first: others are made up as long and as many as one likes.
        let waiting = unlisted.iter().filter(|file| file.written >= kept_from);
        let (named, others): (Vec<_>, Vec<_>) = waiting
            .partition(|file| file.key.len() <= MOST_NAME_BYTES && time_of(&file.key).is_some());
        let mut bytes = 0;
        for file in named.into_iter().chain(others) {
            let first = before.files.get(&file.key);
            let entry = SeenFile {
                first: first.map_or(self.run.now, |known| known.first),
                etag: file.etag.clone(),
                size: file.size,
            };
            seen.value.remember(&file.key, entry, &mut bytes);
        }
        Ok(seen)
    }

    /// Says which log files written in this time no digest lists.
    async fn tell_unlisted(
        &mut self,
        unlisted: &[Unlisted],
        from: i64,
        until: i64,
        work: &mut Work,
    ) {
        for file in unlisted {
            if file.written < from || file.written >= until {
                continue;
            }
            if self.state.value.is_undecidable(file.written) {
                tracing::info!(
                    object = file.key,
                    "the digest of its hour is not known: nothing is said of it"
                );
                continue;
            }
            let mut finding =
                Finding::about(FindingKind::UnreferencedLog, self.location(&file.key))
                    .fact("last modified", display_time(file.written))
                    .fact("size", file.size.to_string())
                    .fact("entity tag", file.etag.as_str());
            if time_of(&file.key).is_none() {
                finding = finding.fact("name", "not one CloudTrail gives");
            }
            self.run.counted.count("UnreferencedLogFiles", 1);
            self.found(work, "", finding, false);
        }
    }

    /// Holds the log files that were written in a time of history against the digests of it.
    pub(crate) async fn reconcile(
        &mut self,
        from: i64,
        until: i64,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        if from >= until {
            return Ok(());
        }
        let looked = self
            .look_through(from - LATE_SECONDS, Some(until), &HashMap::new())
            .await?;
        self.tell_unlisted(&looked.unlisted, from, until, work)
            .await;
        Ok(())
    }

    /// Reads one digest of the window again in full, with its log files: each has its turn.
    async fn read_one_again(
        &mut self,
        work: &mut Work,
        dirty: &mut BTreeSet<usize>,
    ) -> Result<(), Stopped> {
        let from = self.window_from;
        let is_due = |digest: &WindowDigest| digest.sha256.is_some() && digest.at >= from;
        let times: BTreeSet<i64> = self
            .window
            .iter()
            .filter(|digest| is_due(&digest.value))
            .map(|digest| digest.value.at)
            .collect();
        let turn = self.state.value.turn;
        let next = times
            .range(turn + 1..)
            .next()
            .or_else(|| times.first())
            .copied();
        let Some(time) = next else {
            return Ok(());
        };
        self.state.value.turn = time;
        let all = self.window.iter().enumerate();
        let due: Vec<usize> = all
            .filter(|(_, digest)| digest.value.at == time && is_due(&digest.value))
            .map(|(at, _)| at)
            .collect();
        let mut logs = Vec::new();
        for at in due {
            let Some(digest) = self.window.get(at).map(|digest| &digest.value) else {
                continue;
            };
            let all = digest.logs.iter().enumerate();
            let is_gone = |log: &WindowLog| log.told.as_ref().is_some_and(Told::is_gone);
            let unsaid = all.filter(|(_, log)| !is_gone(log) && !log.is_unread);
            logs.extend(unsaid.map(|(nth, _)| (at, nth)));
            if digest.part == 0 && !digest.told.as_ref().is_some_and(Told::is_gone) {
                self.verify_digest(at, work, dirty).await?;
            }
        }
        self.verify_logs(&logs, work, dirty).await
    }

    /// Whether there are recent digests, and chains that are new.
    async fn freshness(&mut self, work: &mut Work) -> Result<(), Stopped> {
        let run = self.run;
        let names: Vec<String> = self.state.value.streams.keys().cloned().collect();
        let is_first = !self.state.value.is_complete;
        let begun = self.state.value.streams.values();
        let is_begun = begun.clone().any(|stream| stream.link.is_some());
        let created_at = self.state.value.created_at;
        for name in names {
            self.archived(&name, work);
            let newest = self.newest(&name);
            let waits = self.waits(&name);
            let Some(stream) = self.state.value.streams.get(&name) else {
                continue;
            };
            let proven = stream.link.as_ref().map(|link| link.end);
            let end = match (proven, newest) {
                (Some(proven), newest) => newest.unwrap_or(proven),
                // Beside a chain that is one, what never proved to be CloudTrail's is none.
                (None, _) if is_begun => continue,
                (None, Some(newest)) if newest < created_at - ENDED_SECONDS => newest,
                (None, _) => created_at,
            };
            let age = run.now - end;
            // A chain that waits has said so; but not for ever.
            let lags = run.now - proven.unwrap_or(created_at) > LAGS_SECONDS;
            let is_silent = lags || age > FRESH_SECONDS && !waits;
            let has_ended = is_silent && (stream.has_ended || is_first && age > ENDED_SECONDS);
            let tells = is_silent && !has_ended && !stream.is_stale;
            let is_new = stream.is_new && proven.is_some();
            if !has_ended {
                run.counted.measure("DigestAgeSeconds", age as f64);
                run.counted.count("StreamsStale", is_silent.into());
            }
            if has_ended && is_first {
                tracing::info!(
                    folder = self.folder,
                    chain = name,
                    "the chain ended long ago: nobody waits for it"
                );
            }
            if tells {
                let kind = match self.has_digests().await? {
                    true => FindingKind::Stale,
                    false => FindingKind::NoDigests,
                };
                let last = proven.map_or("none that is proven".to_owned(), display_time);
                let finding = Finding::of_range(kind, end, run.now)
                    .fact("last digest", last)
                    .fact("folder", self.folder.as_str());
                self.found(work, &name, finding, true);
            }
            if is_new && !has_ended {
                let finding = Finding::of_range(FindingKind::NewStream, end, run.now)
                    .fact("folder", self.folder.as_str());
                self.found(work, &name, finding, false);
            }
            if let Some(stream) = self.state.value.streams.get_mut(&name) {
                stream.is_stale = is_silent;
                stream.has_ended = has_ended;
                stream.is_new &= proven.is_none();
                // What it waited for may be gone.
                stream.unread = stream.unread.take().filter(|_| waits);
            }
        }
        Ok(())
    }

    /// Says how many objects of a chain were archived before the installation.
    fn archived(&mut self, name: &str, work: &mut Work) {
        let stream = self.state.value.streams.get_mut(name);
        let Some(archived) = stream.and_then(|stream| stream.archived.take()) else {
            return;
        };
        let (bucket, key) = archived.first;
        let finding = match archived.count {
            1 => Finding::about(
                FindingKind::Unreadable,
                digest_chain::Location::new(bucket, key),
            ),
            count => Finding::of_range(FindingKind::Unreadable, archived.from, archived.to)
                .counting(count),
        };
        let finding = finding
            .fact("reason", "archived: they must be restored to be read")
            .fact("folder", self.folder.as_str());
        self.found(work, name, finding, false);
    }

    /// Whether there is any digest in the folder.
    async fn has_digests(&self) -> Result<bool, Stopped> {
        let objects = self.run.outside.objects();
        let mut lister = Lister::new(objects, self.bucket(), &self.folder, None);
        Ok(lister.peek().await?.is_some())
    }
}

/// Whether an object is to be read again: neither the one that was right, nor the one of which something is told.
fn is_changed(known: &WindowLog, etag: &str) -> bool {
    let is_known = match &known.told {
        Some(told) => told.etag == etag,
        None => known.etag == etag,
    };
    !is_known && !known.is_unread
}

/// Notes what is told of a file: whether it is worse than what was told before. `changed` is called if it is noted.
fn is_news(told: &mut Option<Told>, kind: FindingKind, etag: &str, changed: impl FnOnce()) -> bool {
    match told {
        Some(told) if told.gravity() >= gravity(kind) => {
            if told.etag != etag {
                etag.clone_into(&mut told.etag);
                changed();
            }
            false
        }
        _ => {
            *told = Some(Told::of(kind, etag));
            changed();
            true
        }
    }
}

/// The folder of a day: everything of it and of later days sorts behind.
fn day_folder(folder: &str, time: i64) -> String {
    format!("{folder}{}", day_of(time).replace('-', "/"))
}
