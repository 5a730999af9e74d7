//! A run over one folder of digests: the chains of all trails of one account and Region.
//!
//! New digests are taken in slices of a day or less, the oldest first. A slice is walked, its log files are hashed and
//! the folders of log files held against it; then its findings are sent, and then the checkpoint is written, in one
//! write for all chains of the folder. What is left out of memory is forgotten with the slice, so a year of history takes
//! no more of it than a day.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alarm_state::FindingStream;
use digest_chain::{
    ChainWalk, DigestKey, DigestRead, Examined, Finding, FindingKind, Level, Link, Location,
    LogFile, LogProblem, OpenedDigest, Reconciliation, Scope, Stamp, display_time,
};
use ports::{
    Clock as _, ErrorKind, ListedObject, ObjectHead, ObjectVersions as _, SendMessages as _,
};

use crate::counted::Counted;
use crate::findings::{Found, check_command, is_told, messages};
use crate::folders::{Lister, scope};
use crate::keys::{KeyRing, Keys};
use crate::ports::Outside;
use crate::reading::{
    DigestOutcome, LogOutcome, ReadDigest, ReadLog, Unread, read_digests, read_logs,
};
use crate::report::{Tally, day_of, keep_latest};
use crate::requeue::{self, Missed, REQUEUE_SECONDS};
use crate::settings::Settings;
use crate::state::{
    Archived, FolderState, MOST_STREAMS, Noted, Stored, StreamState, Told, Waiting, WindowDigest,
    WindowLog, gravity, load_window, partition, save_in_window,
};
use crate::stopped::Stopped;

/// A digest comes every hour, and up to an hour and a half late.
pub(crate) const FRESH_SECONDS: i64 = 9_000;

/// For so long after it was written a log file may wait for its digest.
pub(crate) const PATIENCE_SECONDS: i64 = 10_800;

/// For so long after its end a chain waits for a digest that cannot be read.
pub(crate) const UNREAD_SECONDS: i64 = 86_400;

/// A log file may be written a little before or after the hour of its digest.
const MARGIN_SECONDS: i64 = 900;

/// So far ahead of the clock a digest's name may be.
const AHEAD_SECONDS: i64 = 3_600;

/// The hour of a digest.
const HOUR_SECONDS: i64 = 3_600;

/// After a longer time without a run what had been validated before it is not looked at again.
const MOST_AWAY_SECONDS: i64 = 7 * 86_400;

/// Names of chains beyond the limit that are looked into in a slice.
const MOST_CANDIDATES: usize = 50;

/// CloudTrail's own limit.
const MOST_TRAIL_NAME: usize = 128;

/// A log file's name may say another time than when it was written: late delivery.
pub(crate) const LATE_SECONDS: i64 = 21_600;

/// Objects that are taken from a listing at a time.
const MOST_AT_ONCE: usize = 5_000;

/// Of so many findings of a slice the versions of the object are looked up: more are not shown.
const MOST_LOOKUPS: usize = 20;

/// Versions of an object that are looked at.
const MOST_VERSIONS: usize = 50;

/// What all folders of a run share.
pub(crate) struct Run<'a, P> {
    pub(crate) outside: &'a P,
    pub(crate) settings: &'a Settings,
    pub(crate) counted: &'a Counted,
    pub(crate) keys: &'a KeyRing,
    /// When the run began.
    pub(crate) now: i64,
    /// Nothing is begun after this.
    pub(crate) stop_at_millis: i64,
    pub(crate) installed_at: i64,
    /// Whether everything had been gone through before this run.
    pub(crate) knows_all: bool,
}

impl<P: Outside> Run<'_, P> {
    pub(crate) fn is_over(&self) -> bool {
        self.outside.clock().now_millis() >= self.stop_at_millis
    }
}

/// A run over one folder.
pub(crate) struct FolderRun<'a, P> {
    pub(crate) run: &'a Run<'a, P>,
    pub(crate) folder: String,
    pub(crate) scope: Scope,
    pub(crate) partition: String,
    pub(crate) state: Stored<FolderState>,
    pub(crate) window: Vec<Stored<WindowDigest>>,
    /// What is younger is looked at again.
    pub(crate) window_from: i64,
    walks: BTreeMap<String, Walk>,
    pub(crate) vouched: Reconciliation,
    /// Digests of the window as they are listed now, by key.
    pub(crate) listed: HashMap<String, ListedObject>,
    slices: usize,
}

/// The walks along one chain, as long as the run lasts.
struct Walk {
    standard: ChainWalk,
    backfill: ChainWalk,
    heads: HashMap<String, ObjectHead>,
    /// Digests that wait for a proof, or that cannot be read.
    waiting: BTreeSet<Stamp>,
    /// A digest cannot be read or judged: nothing behind it is looked at.
    is_stuck: bool,
    /// It had waited before this run.
    has_waited: bool,
}

/// What a slice came to, before any of it is written.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) found: Vec<Found>,
    digests: Vec<ProvenDigest>,
    pub(crate) unproven: Vec<WindowDigest>,
    pub(crate) lookups: usize,
    /// Foreign objects that are too many to name, by the folder of their day.
    uncounted: BTreeMap<String, u64>,
}

/// A digest whose log files are to be hashed.
struct ProvenDigest {
    stream: String,
    link: Link,
    etag: String,
    is_backfill: bool,
    /// The gravest that is told of it.
    told: Option<FindingKind>,
    logs: Vec<LogFile>,
}

/// What was said of a log file that is new.
#[derive(Debug, Clone, Copy)]
enum Judged {
    Valid,
    Wrong(FindingKind),
    /// It could not be read, which is told.
    Unread,
    /// It could not be read, which is told if it is so in the next run, too.
    NoAnswer,
}

/// The keys of one chain in a slice, the oldest first.
#[derive(Default)]
struct StreamKeys {
    standard: Vec<(Stamp, String)>,
    backfill: Vec<(Stamp, String)>,
}

/// What a folder came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct FolderOutcome {
    pub(crate) streams: u64,
}

/// Goes through a folder.
///
/// # Errors
/// Time ran out, or something that it needs failed: the next run goes on where this one stopped.
pub(crate) async fn run_folder<P: Outside>(
    run: &Run<'_, P>,
    folder: &str,
) -> Result<FolderOutcome, Stopped> {
    let mut folder_run = FolderRun::load(run, folder).await?;
    let outcome = folder_run.all().await;
    if matches!(outcome, Err(Stopped::NoTime)) && folder_run.slices == 0 {
        // A slice was too much for a whole run: let it be smaller.
        let (items, partition) = (run.outside.items(), &folder_run.partition);
        let there: Option<Stored<FolderState>> =
            Stored::load(items, partition, "checkpoint").await?;
        if let Some(mut there) = there.filter(|there| there.value.slice_hours > 1) {
            there.value.slice_hours = (there.value.slice_hours / 4).max(1);
            there.save(items, run.now).await?;
        }
    }
    outcome
}

impl<'a, P: Outside> FolderRun<'a, P> {
    async fn load(run: &'a Run<'a, P>, folder: &str) -> Result<Self, Stopped> {
        let bucket = &run.settings.trail_bucket;
        let partition = partition(bucket, folder);
        let items = run.outside.items();
        let state = match Stored::load(items, &partition, "checkpoint").await? {
            Some(state) => state,
            None => {
                // It stands before anything is found, so that findings have the same time in every attempt.
                let mut state = Stored::new(&partition, "checkpoint", FolderState::new(run.now));
                state.save(items, run.now).await?;
                state
            }
        };
        let scope =
            scope(folder).ok_or_else(|| Stopped::failed("stored_state", "no folder of digests"))?;
        // What was validated before an outage is looked at again after it.
        let last = match state.value.is_complete {
            true => state.value.checked_at.min(run.now),
            false => run.now,
        };
        let window_from = last.max(run.now - MOST_AWAY_SECONDS) - run.settings.recheck_seconds;
        let vouched_from = vouched_from(window_from, state.value.decided_until);
        let window = load_window(items, &partition, vouched_from).await?;
        let mut vouched = Reconciliation::new();
        for digest in &window {
            for log in &digest.value.logs {
                vouched.vouch(log.bucket.as_deref().unwrap_or(bucket), &log.key);
            }
        }
        Ok(FolderRun {
            run,
            folder: folder.to_owned(),
            scope,
            partition,
            state,
            window,
            window_from,
            walks: BTreeMap::new(),
            vouched,
            listed: HashMap::new(),
            slices: 0,
        })
    }

    pub(crate) fn bucket(&self) -> &'a str {
        &self.run.settings.trail_bucket
    }

    async fn all(&mut self) -> Result<FolderOutcome, Stopped> {
        let objects = self.run.outside.objects();
        let mut lister = Lister::new(objects, self.bucket(), &self.folder, self.listing_start());
        loop {
            let day = self.next_day(&mut lister).await?;
            let is_last_day = lister.peek().await?.is_none();
            let mut slices = self.cut(day).into_iter().peekable();
            while let Some(slice) = slices.next() {
                let is_last = is_last_day && slices.peek().is_none();
                self.slice(slice, is_last).await?;
                self.slices += 1;
            }
            if is_last_day {
                break;
            }
        }
        self.conclude().await?;
        let streams = self.state.value.streams.values();
        Ok(FolderOutcome {
            streams: streams.filter(|stream| !stream.has_ended).count() as u64,
        })
    }

    /// Behind which key to list: the day of the last checkpoint, and the window.
    fn listing_start(&self) -> Option<String> {
        let walked = self.state.value.walked_until?;
        let from = walked.min(self.window_from);
        Some(format!("{}{}", self.folder, day_of(from).replace('-', "/")))
    }

    /// The objects in the folder of the next day that has any.
    async fn next_day<O: ports::ListObjects>(
        &mut self,
        lister: &mut Lister<'_, O>,
    ) -> Result<Vec<ListedObject>, Stopped> {
        let mut day: Vec<ListedObject> = Vec::new();
        let day_folder = |key: &str| {
            key.get(self.folder.len()..self.folder.len() + 11)
                .map(String::from)
        };
        while let Some(next) = lister.peek().await? {
            let is_other = day
                .first()
                .is_some_and(|first| day_folder(&first.key) != day_folder(&next.key));
            if is_other || day.len() >= MOST_AT_ONCE {
                break;
            }
            day.extend(lister.next().await?);
        }
        let window_day = day_of(self.window_from).replace('-', "/");
        let window_start = format!("{}{window_day}", self.folder);
        for object in &day {
            if object.key >= window_start {
                self.listed.insert(object.key.clone(), object.clone());
            }
        }
        Ok(day)
    }

    /// Slices of a day; at least one, which may be empty.
    fn cut(&self, day: Vec<ListedObject>) -> Vec<Vec<ListedObject>> {
        let seconds = self.state.value.slice_hours.clamp(1, 24) * 3_600;
        let mut slices: BTreeMap<i64, Vec<ListedObject>> = BTreeMap::new();
        for object in day {
            let end = DigestKey::parse(&object.key).map_or(0, |key| key.end);
            slices
                .entry(end.rem_euclid(86_400) / seconds)
                .or_default()
                .push(object);
        }
        match slices.is_empty() {
            true => vec![Vec::new()],
            false => slices.into_values().collect(),
        }
    }

    async fn slice(&mut self, objects: Vec<ListedObject>, is_last: bool) -> Result<(), Stopped> {
        if self.run.is_over() {
            return Err(Stopped::NoTime);
        }
        let before = self.state.value.clone();
        let mut work = Work::default();
        let mut streams = self.sorted(&objects, &mut work).await?;
        if is_last {
            for name in self.walks.keys() {
                streams.entry(name.clone()).or_default();
            }
        }
        let touched: Vec<String> = streams.keys().cloned().collect();
        let mut newest = self.state.value.walked_until;
        for (name, keys) in streams {
            newest = newest.max(keys.standard.iter().map(|(end, _)| *end).max());
            self.stream(&name, keys, is_last, &mut work).await?;
        }
        let waiting = self
            .walks
            .values()
            .filter_map(|walk| walk.waiting.first().copied());
        let waiting = waiting.min().map_or(i64::MAX, |end| end - 1);
        let until = waiting.min(self.run.now);
        self.state.value.walked_until = newest.map(|newest| newest.min(until));
        let window = self.hashed(&mut work).await?;
        if !is_last {
            self.reconcile_history(&touched, &window, &mut work).await?;
        } else if self.state.value.decided_until.is_none() {
            self.state.value.decided_until = first_start(&window);
        }
        // The days of the window are listed again in every run, and mostly nothing in them is new.
        if work.found.is_empty() && window.is_empty() && self.state.value == before {
            return Ok(());
        }
        self.commit(work, window).await
    }

    /// The keys of a slice by chain; what is no digest is found.
    async fn sorted(
        &mut self,
        objects: &[ListedObject],
        work: &mut Work,
    ) -> Result<BTreeMap<String, StreamKeys>, Stopped> {
        let mut streams: BTreeMap<String, StreamKeys> = BTreeMap::new();
        let mut candidates: BTreeMap<String, bool> = BTreeMap::new();
        for object in objects {
            let parsed = DigestKey::parse(&object.key).filter(|key| {
                key.stream.scope == self.scope && key.stream.trail.len() <= MOST_TRAIL_NAME
            });
            let named = match parsed {
                Some(key) if key.end > self.run.now + AHEAD_SECONDS => {
                    self.foreign(object, Some("its name says a time in the future"), work);
                    continue;
                }
                Some(key) => self
                    .stream_name(&key, &object.key, &mut candidates)
                    .await
                    .map(|name| (name, key)),
                None => None,
            };
            match named {
                Some((name, key)) => {
                    let keys = streams.entry(name).or_default();
                    let list = match key.is_backfill {
                        true => &mut keys.backfill,
                        false => &mut keys.standard,
                    };
                    list.push((key.end, object.key.clone()));
                }
                // What a console makes when somebody makes a folder.
                None if object.key.ends_with('/') && object.size == 0 => {}
                None => self.foreign(object, None, work),
            }
        }
        self.uncounted(work);
        for keys in streams.values_mut() {
            keys.standard.sort();
            keys.backfill.sort();
        }
        Ok(streams)
    }

    /// The name of a digest's chain, which begins with it if it is not known; `None` if there are too many. Names are
    /// made up easily: beyond the limit one begins only with a digest that is proven.
    async fn stream_name(
        &mut self,
        key: &DigestKey,
        object: &str,
        candidates: &mut BTreeMap<String, bool>,
    ) -> Option<String> {
        let (trail, home_region) = (&key.stream.trail, &key.stream.home_region);
        let name = format!("{trail} {home_region}");
        let streams = &self.state.value.streams;
        if !streams.contains_key(&name) {
            let is_proven = |stream: &&StreamState| stream.link.is_some();
            let proven = streams.values().filter(is_proven).count();
            if proven >= MOST_STREAMS {
                return None;
            }
            if streams.len() - proven >= MOST_STREAMS {
                let is_proven = match candidates.get(&name) {
                    Some(known) => *known,
                    None if candidates.len() >= MOST_CANDIDATES => false,
                    None => self.is_proven(object).await,
                };
                candidates.insert(name.clone(), is_proven);
                if !is_proven {
                    return None;
                }
            }
            let stream = StreamState {
                trail: trail.clone(),
                home_region: home_region.clone(),
                is_new: self.run.knows_all,
                ..StreamState::default()
            };
            self.state.value.streams.insert(name.clone(), stream);
        }
        Some(name)
    }

    /// Whether a digest proves itself.
    async fn is_proven(&self, key: &str) -> bool {
        let location = self.location(key);
        let reads = read_digests(self.run.outside, vec![location.clone()]).await;
        let is_readable = |read: &ReadDigest| matches!(read.outcome, DigestOutcome::Read(_));
        if !reads.iter().all(is_readable) {
            return false;
        }
        let reads = walked(reads);
        let Keys::Known(keys) = self.public_keys(&reads).await else {
            return false;
        };
        let mut walk = ChainWalk::new(false, None);
        walk.listed([location]);
        walk.read(reads, &keys, true);
        walk.checkpoint().is_some()
    }

    fn foreign(&mut self, object: &ListedObject, why: Option<&str>, work: &mut Work) {
        match self.state.value.tell_foreign(&object.key, self.run.now) {
            Noted::Known => {}
            Noted::New => {
                let mut finding =
                    Finding::about(FindingKind::ForeignKeyName, self.location(&object.key));
                if let Some(why) = why {
                    finding = finding.fact("name", why);
                }
                if let Some(time) = object.last_modified {
                    finding = finding.fact("last modified", display_time(time));
                }
                self.found(work, "", finding, false);
            }
            Noted::TooMany => {
                let day = object.key.get(..self.folder.len() + 11);
                let is_day = |day: &&str| {
                    let digits = day.get(self.folder.len()..).unwrap_or_default();
                    let is_day = |byte: u8| byte.is_ascii_digit() || byte == b'/';
                    digits.bytes().all(is_day) && digits.ends_with('/')
                };
                let day = day.filter(is_day).unwrap_or(&self.folder).to_owned();
                *work.uncounted.entry(day).or_default() += 1;
            }
        }
    }

    /// Says how many foreign objects there are that are not named, for each day once, and for the rest.
    fn uncounted(&mut self, work: &mut Work) {
        let mut rest = 0;
        for (day, count) in std::mem::take(&mut work.uncounted) {
            match self.state.value.tell_foreign_of_day(&day, self.run.now) {
                Noted::Known => {}
                Noted::New => self.foreign_count(&day, count, work),
                Noted::TooMany => rest += count,
            }
        }
        let folder = self.folder.clone();
        if rest > 0 && self.state.value.tell(&format!("{folder}*"), self.run.now) {
            self.foreign_count(&folder, rest, work);
        }
    }

    fn foreign_count(&mut self, folder: &str, count: u64, work: &mut Work) {
        let finding = Finding::about(FindingKind::ForeignKeyName, self.location(folder))
            .counting(count)
            .fact("more", "there are too many to name each");
        self.found(work, "", finding, false);
    }

    /// Walks along the digests of a chain in a slice.
    async fn stream(
        &mut self,
        name: &str,
        keys: StreamKeys,
        is_last: bool,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        let state = self
            .state
            .value
            .streams
            .get(name)
            .cloned()
            .unwrap_or_default();
        let proven = state.link.as_ref().map_or(i64::MIN, |link| link.end);
        let mut walk = self.walks.remove(name).unwrap_or_else(|| Walk::new(&state));
        let (new, passed): (Vec<_>, Vec<_>) = keys
            .standard
            .into_iter()
            .partition(|(end, _)| *end > proven);
        let late: Vec<(Stamp, String)> =
            passed.into_iter().filter(|key| self.is_late(key)).collect();
        let backfill: Vec<(Stamp, String)> = keys
            .backfill
            .into_iter()
            .filter(|(end, _)| !state.backfill_ends.contains(end))
            .collect();
        let outcome = self.standard(name, &mut walk, new, is_last, work).await;
        self.walks.insert(name.to_owned(), walk);
        outcome?;
        self.backfill(name, backfill, work).await?;
        self.late(name, late, work).await
    }

    /// A digest of the window that was not there when the chain went by.
    fn is_late(&self, (end, key): &(Stamp, String)) -> bool {
        *end >= self.window_from && !self.window.iter().any(|digest| digest.value.key == *key)
    }

    async fn standard(
        &mut self,
        name: &str,
        walk: &mut Walk,
        new: Vec<(Stamp, String)>,
        is_last: bool,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        if walk.is_stuck {
            return Ok(());
        }
        let mut batches = new.chunks(digest_chain::MOST_IN_BATCH).peekable();
        if batches.peek().is_none() && is_last && !walk.waiting.is_empty() {
            self.examine(name, walk, Vec::new(), true, work).await?;
        }
        while let Some(batch) = batches.next() {
            let locations = batch.iter().map(|(_, key)| self.location(key)).collect();
            let reads = read_digests(self.run.outside, locations).await;
            let reads = self.until_unreadable(name, walk, reads, work);
            let ends = is_last && batches.peek().is_none() && !walk.is_stuck;
            self.examine(name, walk, reads, ends, work).await?;
            if walk.is_stuck {
                break;
            }
        }
        Ok(())
    }

    /// A digest that cannot be read is waited for until it is a day old; then the chain goes on without it.
    fn until_unreadable(
        &mut self,
        name: &str,
        walk: &mut Walk,
        reads: Vec<ReadDigest>,
        work: &mut Work,
    ) -> Vec<ReadDigest> {
        let mut readable = Vec::with_capacity(reads.len());
        for read in reads {
            let DigestOutcome::Unreadable(unread) = &read.outcome else {
                readable.push(read);
                continue;
            };
            let end = DigestKey::parse(&read.location.key).map_or(0, |key| key.end);
            // What may be otherwise in the next run is said by that one.
            let may_pass = unread.may_pass() && !walk.has_waited;
            let is_old = end < self.run.now - UNREAD_SECONDS;
            let waits = may_pass || !is_old && unread.kind != ErrorKind::Archived;
            if !may_pass {
                self.tell_unread(name, &read.location, end, unread, work);
            }
            if !waits {
                readable.push(read);
                continue;
            }
            let waiting = Waiting {
                key: read.location.key.clone(),
                is_told: !may_pass,
                is_for_keys: false,
            };
            self.wait(name, walk, waiting);
            return readable;
        }
        readable
    }

    /// Says once that a digest cannot be read; archived ones of the time before the installation are counted.
    fn tell_unread(
        &mut self,
        name: &str,
        location: &Location,
        end: Stamp,
        unread: &Unread,
        work: &mut Work,
    ) {
        let Some(stream) = self.state.value.streams.get_mut(name) else {
            return;
        };
        let is_waiting = |waiting: &Waiting| waiting.key == location.key && waiting.is_told;
        if stream.examined_until >= Some(end) || stream.unread.as_ref().is_some_and(is_waiting) {
            return;
        }
        if !self.count_archived(name, location, end, unread) {
            let finding = Finding::about(FindingKind::Unreadable, location.clone());
            let finding = finding.fact("reason", unread.reason.as_str());
            self.found(work, name, finding, false);
        }
    }

    /// Counts an object that was archived before anybody looked at it; `false` if it is another.
    fn count_archived(
        &mut self,
        name: &str,
        location: &Location,
        end: Stamp,
        unread: &Unread,
    ) -> bool {
        if unread.kind != ErrorKind::Archived || end > self.run.installed_at {
            return false;
        }
        let Some(stream) = self.state.value.streams.get_mut(name) else {
            return false;
        };
        let archived = stream.archived.get_or_insert(Archived {
            count: 0,
            from: end,
            to: end,
            first: (location.bucket.clone(), location.key.clone()),
        });
        archived.count += 1;
        archived.from = archived.from.min(end);
        archived.to = archived.to.max(end);
        true
    }

    /// Nothing behind this is looked at in this run.
    fn wait(&mut self, name: &str, walk: &mut Walk, waiting: Waiting) {
        tracing::warn!(digest = waiting.key, "the chain waits for it");
        walk.is_stuck = true;
        walk.waiting
            .extend(DigestKey::parse(&waiting.key).map(|key| key.end));
        if let Some(stream) = self.state.value.streams.get_mut(name) {
            stream.unread = Some(waiting);
        }
    }

    /// Waits for public keys, however long it takes: without them nothing can be said of a digest.
    fn wait_for_keys(
        &mut self,
        name: &str,
        walk: &mut Walk,
        key: String,
        unread: &Unread,
        work: &mut Work,
    ) {
        let may_pass = unread.may_pass() && !walk.has_waited;
        let stream = self.state.value.streams.get(name);
        let was_told = stream
            .and_then(|stream| stream.unread.as_ref())
            .is_some_and(|waiting| waiting.is_for_keys && waiting.is_told);
        if !was_told && !may_pass {
            let finding = Finding::about(FindingKind::Unreadable, self.location(&key))
                .fact("reason", unread.reason.as_str())
                .fact(
                    "what",
                    "the public keys of its Region; the chain waits for them",
                );
            self.found(work, name, finding, false);
        }
        let waiting = Waiting {
            key,
            is_told: was_told || !may_pass,
            is_for_keys: true,
        };
        self.wait(name, walk, waiting);
    }

    /// Lets the walk judge what was read.
    async fn examine(
        &mut self,
        name: &str,
        walk: &mut Walk,
        reads: Vec<ReadDigest>,
        ends: bool,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        let locations: Vec<Location> = reads.iter().map(|read| read.location.clone()).collect();
        let mut all_heads = heads(&reads);
        let reads = walked(reads);
        let keys = match self.public_keys(&reads).await {
            Keys::Known(keys) => keys,
            Keys::Unavailable(unread) => {
                let first = locations.first().map(|first| first.key.clone());
                self.wait_for_keys(name, walk, first.unwrap_or_default(), &unread, work);
                return Ok(());
            }
        };
        if !walk.is_stuck
            && let Some(stream) = self.state.value.streams.get_mut(name)
        {
            stream.unread = None;
        }
        for location in &locations {
            walk.heads.extend(all_heads.remove_entry(&location.key));
            walk.waiting
                .extend(DigestKey::parse(&location.key).map(|key| key.end));
        }
        walk.standard.listed(locations);
        let mut examined = walk.standard.read(reads, &keys, false);
        walk.examined(&examined);
        // One that waits for its successor for long will not be proven by it; but one that has just come may be.
        let is_overdue = |end: &Stamp| *end < self.run.now - FRESH_SECONDS;
        if ends && walk.waiting.first().is_some_and(is_overdue) {
            let rest = walk.standard.read(Vec::new(), &keys, true);
            walk.examined(&rest);
            examined.extend(rest);
        }
        self.take(name, examined, &walk.heads, false, work);
        let kept: &BTreeSet<Stamp> = &walk.waiting;
        let is_kept = |key: &str| DigestKey::parse(key).is_some_and(|key| kept.contains(&key.end));
        walk.heads.retain(|key, _| is_kept(key));
        if let Some(stream) = self.state.value.streams.get_mut(name) {
            stream.link = walk.standard.checkpoint().cloned();
        }
        Ok(())
    }

    pub(crate) async fn backfill(
        &mut self,
        name: &str,
        new: Vec<(Stamp, String)>,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        for batch in new.chunks(digest_chain::MOST_IN_BATCH) {
            let locations = batch.iter().map(|(_, key)| self.location(key)).collect();
            let mut reads = read_digests(self.run.outside, locations).await;
            // One that cannot be read is looked at again by the next run that lists it.
            reads.retain(|read| {
                if let DigestOutcome::Unreadable(unread) = &read.outcome {
                    self.tell_backfill(name, &read.location, unread, work);
                    return false;
                }
                true
            });
            let heads = heads(&reads);
            let ends: Vec<Stamp> = reads
                .iter()
                .filter_map(|read| Some(DigestKey::parse(&read.location.key)?.end))
                .collect();
            let locations: Vec<Location> = reads.iter().map(|read| read.location.clone()).collect();
            let reads = walked(reads);
            let keys = match self.public_keys(&reads).await {
                Keys::Known(keys) => keys,
                Keys::Unavailable(unread) => {
                    if let Some(first) = locations.first() {
                        self.tell_backfill(name, first, &unread, work);
                    }
                    return Ok(());
                }
            };
            let state = self
                .state
                .value
                .streams
                .get(name)
                .cloned()
                .unwrap_or_default();
            let walk = self
                .walks
                .entry(name.to_owned())
                .or_insert_with(|| Walk::new(&state));
            walk.backfill.listed(locations);
            let examined = walk.backfill.read(reads, &keys, true);
            let link = walk.backfill.checkpoint().cloned();
            self.take(name, examined, &heads, true, work);
            if let Some(stream) = self.state.value.streams.get_mut(name) {
                stream.backfill = link;
                ends.into_iter().for_each(|end| stream.saw_backfill(end));
            }
        }
        Ok(())
    }

    /// Says that a backfill digest cannot be read or judged: once, and if it is so in two runs where that may pass.
    fn tell_backfill(&mut self, name: &str, location: &Location, unread: &Unread, work: &mut Work) {
        if self.tells_unread(&location.key, unread) {
            let end = DigestKey::parse(&location.key).map_or(0, |key| key.end);
            if !self.count_archived(name, location, end, unread) {
                let finding = Finding::about(FindingKind::Unreadable, location.clone());
                let finding = finding.fact("reason", unread.reason.as_str());
                self.found(work, name, finding, false);
            }
        }
    }

    /// Whether it is to be said that an object cannot be read.
    pub(crate) fn tells_unread(&mut self, key: &str, unread: &Unread) -> bool {
        let (state, now) = (&mut self.state.value, self.run.now);
        let is_first = unread.may_pass() && state.tell(&format!("{key} did not answer"), now);
        !is_first && state.tell(key, now)
    }

    /// Digests that came after their successors: each for itself.
    async fn late(
        &mut self,
        name: &str,
        late: Vec<(Stamp, String)>,
        work: &mut Work,
    ) -> Result<(), Stopped> {
        for (_, key) in late {
            let location = self.location(&key);
            let reads = read_digests(self.run.outside, vec![location.clone()]).await;
            let is_readable = |read: &ReadDigest| matches!(read.outcome, DigestOutcome::Read(_));
            if !reads.iter().all(is_readable) {
                continue;
            }
            let heads = heads(&reads);
            let mut walk = ChainWalk::new(false, None);
            walk.listed([location]);
            let reads = walked(reads);
            let Keys::Known(keys) = self.public_keys(&reads).await else {
                continue;
            };
            let examined = walk.read(reads, &keys, true);
            self.take(name, examined, &heads, false, work);
        }
        Ok(())
    }

    pub(crate) async fn public_keys(&self, reads: &[DigestRead]) -> Keys {
        let opened: Vec<&OpenedDigest> = reads
            .iter()
            .filter_map(|read| match read {
                DigestRead::Opened(digest) => Some(&**digest),
                DigestRead::Failed(..) => None,
            })
            .collect();
        let Run { outside, keys, .. } = self.run;
        keys.keys_of(*outside, &self.scope.region, &opened).await
    }

    /// Takes what a walk said of digests.
    fn take(
        &mut self,
        name: &str,
        examined: Vec<Examined>,
        heads: &HashMap<String, ObjectHead>,
        is_backfill: bool,
        work: &mut Work,
    ) {
        let counted = self.run.counted;
        for Examined {
            location,
            trusted,
            findings,
        } in examined
        {
            let end = DigestKey::parse(&location.key).map_or(0, |key| key.end);
            let stream = self.state.value.streams.get(name);
            let before = stream
                .and_then(|stream| stream.examined_until)
                .unwrap_or(i64::MIN);
            // It was there and not proven, and may be now.
            let is_again =
                !is_backfill && end <= before && !self.is_late(&(end, location.key.clone()));
            let is_chain = stream.is_some_and(|stream| stream.link.is_some());
            let mut told: Option<FindingKind> = None;
            for finding in findings {
                let is_undecided = matches!(
                    finding.kind,
                    FindingKind::Unreadable | FindingKind::KeyUnknown
                );
                if is_chain && is_undecided && trusted.is_none() && !is_backfill {
                    let value = &mut self.state.value;
                    value.cannot_decide(end - HOUR_SECONDS - MARGIN_SECONDS, end + MARGIN_SECONDS);
                }
                let is_own = finding.location.as_ref() == Some(&location);
                let is_worse = told.is_none_or(|told| gravity(finding.kind) > gravity(told));
                if is_own && finding.level() != Level::Notice && is_worse {
                    told = Some(finding.kind);
                }
                let is_known = is_own && (is_again || finding.kind == FindingKind::Unreadable);
                if !is_known {
                    self.found(work, name, finding, false);
                }
            }
            if !is_backfill && let Some(stream) = self.state.value.streams.get_mut(name) {
                stream.examined_until = stream.examined_until.max(Some(end));
            }
            let etag = heads
                .get(&location.key)
                .map(|head| head.etag.clone())
                .unwrap_or_default();
            if !is_again || trusted.is_some() {
                let is_valid = trusted.is_some() && told.is_none();
                counted.count(
                    if is_valid {
                        "DigestsValidated"
                    } else {
                        "DigestsInvalid"
                    },
                    1,
                );
                let tally = self.tally(name);
                match (&trusted, told) {
                    (Some(_), None) => tally.digests_valid += 1,
                    _ => tally.digests_invalid += 1,
                }
                if let Some(trusted) = &trusted {
                    tally.covers(trusted.link.start, trusted.link.end);
                }
            }
            match trusted {
                Some(trusted) => work.digests.push(ProvenDigest {
                    stream: name.to_owned(),
                    link: trusted.link,
                    etag,
                    is_backfill,
                    told,
                    logs: trusted.file.log_files,
                }),
                None => work.unproven.push(WindowDigest {
                    stream: name.to_owned(),
                    key: location.key,
                    end,
                    at: if is_backfill { self.run.now } else { end },
                    is_backfill,
                    etag,
                    ..WindowDigest::default()
                }),
            }
        }
    }

    /// Hashes the log files of a slice; gives its digests as they go into the window.
    pub(crate) async fn hashed(
        &mut self,
        work: &mut Work,
    ) -> Result<Vec<(i64, WindowDigest)>, Stopped> {
        let digests = std::mem::take(&mut work.digests);
        let locations: Vec<Location> = digests
            .iter()
            .flat_map(|digest| &digest.logs)
            .map(|log| Location::new(&log.bucket, &log.key))
            .collect();
        let read = read_logs(self.run.outside, &locations, self.run.stop_at_millis).await?;
        let mut read = locations.into_iter().zip(read);
        let mut window = Vec::new();
        let mut missed = Vec::new();
        for digest in digests {
            let mut logs = Vec::new();
            for (log, (location, read)) in digest.logs.iter().zip(read.by_ref()) {
                self.vouched.vouch(&log.bucket, &log.key);
                let judged = self
                    .judge(&digest.stream, &digest.link, log, &location, &read, work)
                    .await;
                if let Some(file) = self.missable(&digest.link, &location, &read) {
                    missed.push(file);
                }
                logs.push(WindowLog {
                    bucket: (log.bucket != self.bucket()).then(|| log.bucket.clone()),
                    key: log.key.clone(),
                    etag: match judged {
                        Judged::Valid => read.head.etag.clone(),
                        _ => String::new(),
                    },
                    sha256: log.hash_value.clone(),
                    told: match judged {
                        Judged::Wrong(kind) => Some(Told::of(kind, &read.head.etag)),
                        _ => None,
                    },
                    is_unread: matches!(judged, Judged::Unread | Judged::NoAnswer),
                    no_answer: matches!(judged, Judged::NoAnswer).then_some(self.run.now),
                });
            }
            let in_window = WindowDigest {
                stream: digest.stream,
                key: digest.link.key.clone(),
                end: digest.link.end,
                at: match digest.is_backfill {
                    true => self.run.now,
                    false => digest.link.end,
                },
                is_backfill: digest.is_backfill,
                part: 0,
                told: digest.told.map(|kind| Told::of(kind, &digest.etag)),
                etag: digest.etag,
                sha256: Some(digest.link.sha256.clone()),
                logs,
            };
            window.push((digest.link.start, in_window));
        }
        window.extend(work.unproven.drain(..).map(|digest| (i64::MAX, digest)));
        let missed = requeue::unknown(self.run.outside, missed, self.run.now).await?;
        let announced = missed.iter().filter(|file| file.sent > 0).count();
        self.run.counted.count("FilesRequeued", announced as u64);
        let new = requeue::note(&mut self.state.value.missed, missed);
        self.run.counted.count("FilesMissed", new);
        Ok(window)
    }

    /// Says what is wrong with a log file that a new digest lists.
    async fn judge(
        &mut self,
        stream: &str,
        digest: &Link,
        log: &LogFile,
        location: &Location,
        read: &ReadLog,
        work: &mut Work,
    ) -> Judged {
        let counted = self.run.counted;
        let about = |kind| Finding::about(kind, location.clone());
        let finding = match &read.outcome {
            LogOutcome::Read(content) => {
                self.tally(stream).bytes += content.length;
                let Some(problem) = content.problem(log) else {
                    counted.count("LogFilesValidated", 1);
                    self.tally(stream).logs_valid += 1;
                    return Judged::Valid;
                };
                let finding = about(problem_kind(problem))
                    .fact("hash expected", log.hash_value.as_str())
                    .fact("hash found", content.sha256.to_string());
                let written = read.head.last_modified.map(display_time);
                match written {
                    Some(written) => finding.fact("last modified", written),
                    None => finding,
                }
            }
            LogOutcome::NotFound => about(FindingKind::LogNotFound),
            LogOutcome::Unreadable(unread) => {
                counted.count("LogFilesUnreadable", 1);
                self.tally(stream).logs_unreadable += 1;
                if unread.may_pass() {
                    return Judged::NoAnswer;
                }
                if !self.count_archived(stream, location, digest.end, unread) {
                    let reason = unread.reason.as_str();
                    let finding = about(FindingKind::Unreadable).fact("reason", reason);
                    self.found(work, stream, finding, false);
                }
                return Judged::Unread;
            }
        };
        let kind = finding.kind;
        let finding = self.with_versions(finding, None, work).await;
        counted.count("LogFilesInvalid", 1);
        self.tally(stream).logs_invalid += 1;
        self.found(work, stream, finding, false);
        Judged::Wrong(kind)
    }

    /// What the versions of an object tell: when it was deleted, and where the original is. Nothing if they cannot be
    /// listed, or the bucket keeps none.
    pub(crate) async fn with_versions(
        &self,
        finding: Finding,
        recorded: Option<&str>,
        work: &mut Work,
    ) -> Finding {
        let Some(location) = finding.location.clone() else {
            return finding;
        };
        if finding.kind == FindingKind::Unreadable || work.lookups >= MOST_LOOKUPS {
            return finding;
        }
        work.lookups += 1;
        let Location { bucket, key } = &location;
        let objects = self.run.outside.objects();
        let versions = match objects.object_versions(bucket, key, MOST_VERSIONS).await {
            Ok(versions) => versions,
            Err(error) => {
                tracing::info!(%error, "the versions of an object cannot be listed");
                return finding;
            }
        };
        let mut finding = finding;
        let time = |time: Option<i64>| time.map(display_time).unwrap_or_default();
        if let Some(marker) = versions.first().filter(|version| version.is_delete_marker) {
            finding = finding
                .fact("deleted", time(marker.last_modified))
                .fact("delete marker", marker.version.as_str());
        }
        let written = || versions.iter().filter(|version| !version.is_delete_marker);
        let same = |etag: &str| written().find(|version| version.etag.as_deref() == Some(etag));
        // What CloudTrail wrote is the first version, if nothing else is known of it.
        let original = recorded.map_or_else(|| written().next_back(), same);
        if let Some(original) = original.filter(|_| versions.len() > 1) {
            finding = finding
                .fact("original version", original.version.as_str())
                .fact("original written", time(original.last_modified));
        }
        finding
    }

    /// A log file that is to be looked up in the ledger.
    fn missable(&self, link: &Link, location: &Location, read: &ReadLog) -> Option<Missed> {
        let Run {
            now,
            installed_at,
            settings,
            ..
        } = self.run;
        let is_recent = link.end > *installed_at && now - link.end < REQUEUE_SECONDS;
        let is_there = matches!(read.outcome, LogOutcome::Read(_));
        let is_wanted = location.key.starts_with(&settings.key_prefix);
        (is_recent && is_there && is_wanted).then(|| Missed {
            bucket: location.bucket.clone(),
            key: location.key.clone(),
            etag: read.head.etag.clone(),
            size: read.head.length.unwrap_or_default(),
            end: link.end,
            first_at: *now,
            sent: 0,
            sent_at: 0,
        })
    }

    /// Holds the log files that were written in the time of a slice of history against its digests.
    async fn reconcile_history(
        &mut self,
        touched: &[String],
        window: &[(i64, WindowDigest)],
        work: &mut Work,
    ) -> Result<(), Stopped> {
        let first = self
            .state
            .value
            .decided_until
            .or_else(|| first_start(window));
        let (Some(from), Some(until)) = (first, self.covered(touched)) else {
            return Ok(());
        };
        let until = (until - PATIENCE_SECONDS).max(from);
        self.reconcile(from, until, work).await?;
        self.state.value.decided_until = Some(until);
        Ok(())
    }

    /// Until when digests say what was delivered: those of the chain that has come least far, of these chains.
    pub(crate) fn covered(&self, names: &[String]) -> Option<i64> {
        let streams = names
            .iter()
            .filter_map(|name| self.state.value.streams.get(name));
        let ends = streams.filter_map(|stream| Some(stream.link.as_ref()?.end));
        let stuck = self.walks.iter().filter(|(_, walk)| walk.is_stuck);
        let stuck = stuck.filter_map(|(name, walk)| {
            let link = self.state.value.streams.get(name)?.link.as_ref();
            // Of one that has not begun: the digest that it waits for.
            let waits_for = walk.waiting.first().map(|end| end - HOUR_SECONDS);
            link.map(|link| link.end).or(waits_for)
        });
        ends.chain(stuck).min()
    }

    /// Whether a chain waits for a digest, or for the keys of one, that is there.
    pub(crate) fn waits(&self, name: &str) -> bool {
        self.walks.get(name).is_some_and(|walk| walk.is_stuck)
    }

    /// The end of the newest digest of a chain that is there, judged or not.
    pub(crate) fn newest(&self, name: &str) -> Option<Stamp> {
        let stream = self.state.value.streams.get(name)?;
        let waiting = self
            .walks
            .get(name)
            .and_then(|walk| walk.waiting.range(..=self.run.now).next_back().copied());
        stream.last_end().max(waiting)
    }

    /// Sends what was found, then writes what the next run goes on from.
    pub(crate) async fn commit(
        &mut self,
        work: Work,
        window: Vec<(i64, WindowDigest)>,
    ) -> Result<(), Stopped> {
        self.send(&work.found).await?;
        let Run { outside, now, .. } = self.run;
        let keep_from = vouched_from(self.window_from, self.state.value.decided_until);
        for (_, digest) in window {
            if digest.at >= keep_from {
                self.window.retain(|known| known.value.key != digest.key);
                let saved = save_in_window(
                    outside.items(),
                    &self.partition,
                    digest,
                    self.window_expires(),
                );
                self.window.extend(saved.await?);
            }
        }
        keep_latest(&mut self.state.value.tallies);
        let cut = self.state.value.fit();
        if cut > 0 {
            tracing::warn!(
                findings = cut,
                "the day's report counts these findings and does not name them: the checkpoint is full"
            );
        }
        self.state.save(outside.items(), *now).await
    }

    /// Digests leave the window by their time; what is stored of them goes nine days later.
    pub(crate) fn window_expires(&self) -> i64 {
        self.run.now + self.run.settings.recheck_seconds + 9 * 86_400
    }

    pub(crate) async fn send(&self, found: &[Found]) -> Result<(), Stopped> {
        for found in found {
            let kind = found.finding.kind.code();
            let Finding {
                location, range, ..
            } = &found.finding;
            tracing::warn!(
                kind,
                object = location.as_ref().map(Location::to_string),
                folder = self.folder,
                trail = found.stream.trail,
                range = ?range.map(|(from, to)| (display_time(from), display_time(to))),
                "found"
            );
            if is_told(found.finding.kind) {
                self.run.counted.count_by("Findings", "Kind", kind, 1);
            }
        }
        let messages = messages(found, self.state.value.checked_at, self.run.now);
        self.run.outside.matches().send_messages(&messages).await?;
        Ok(())
    }

    pub(crate) fn location(&self, key: &str) -> Location {
        Location::new(self.bucket(), key)
    }

    /// Notes a finding of a chain; without a name, of the folder.
    pub(crate) fn found(&mut self, work: &mut Work, name: &str, finding: Finding, was_right: bool) {
        let streams = &self.state.value.streams;
        let stream = streams.get(name).or_else(|| streams.values().next());
        let (trail, home_region) = stream
            .map_or(("unknown", self.scope.region.as_str()), |stream| {
                (stream.trail.as_str(), stream.home_region.as_str())
            });
        let bucket = self.bucket();
        let range = finding.range.unwrap_or_else(|| {
            let key = finding
                .location
                .as_ref()
                .map(|location| location.key.as_str());
            let end = key.and_then(time_of).unwrap_or(self.run.now);
            (end - 7_200, end + 7_200)
        });
        let found = Found {
            stream: FindingStream {
                account: self.scope.account_id.clone(),
                region: self.scope.region.clone(),
                trail: trail.to_owned(),
                location: match self.scope.prefix.as_str() {
                    "" => format!("s3://{bucket}"),
                    prefix => format!("s3://{bucket}/{prefix}"),
                },
            },
            check_command: check_command(&self.scope, (trail, home_region), bucket, range),
            finding,
            was_right,
        };
        let name = match name {
            "" => format!("{trail} {home_region}"),
            name => name.to_owned(),
        };
        let now = self.run.now;
        self.tally(&name).found(&found.finding, now);
        work.found.push(found);
    }

    /// What is counted today for a chain.
    pub(crate) fn tally(&mut self, name: &str) -> &mut Tally {
        let day = day_of(self.run.now);
        let chains = self.state.value.tallies.entry(day).or_default();
        chains.entry(name.to_owned()).or_default()
    }
}

impl Walk {
    fn examined(&mut self, examined: &[Examined]) {
        for examined in examined {
            if let Some(key) = DigestKey::parse(&examined.location.key) {
                self.waiting.remove(&key.end);
            }
        }
    }

    fn new(state: &StreamState) -> Self {
        Walk {
            standard: ChainWalk::new(false, state.link.clone()),
            backfill: ChainWalk::new(true, state.backfill.clone()),
            heads: HashMap::new(),
            waiting: BTreeSet::new(),
            is_stuck: false,
            has_waited: state.unread.is_some(),
        }
    }
}

/// Log files are listed from the day on that this time lies in: from its start on it must be known who vouches.
fn vouched_from(window_from: i64, decided_until: Option<i64>) -> i64 {
    let listed_from = window_from.min(decided_until.unwrap_or(i64::MAX)) - LATE_SECONDS;
    listed_from.div_euclid(86_400) * 86_400 - HOUR_SECONDS
}

/// The time in the name of an object.
pub(crate) fn time_of(key: &str) -> Option<i64> {
    Some(cloudtrail::ObjectKey::parse(key).ok()?.name.time)
}

fn walked(reads: Vec<ReadDigest>) -> Vec<DigestRead> {
    let walked = |read: ReadDigest| match read.outcome {
        DigestOutcome::Read(read) => read,
        DigestOutcome::Unreadable(unread) => DigestRead::unreadable(read.location, unread.reason),
    };
    reads.into_iter().map(walked).collect()
}

fn heads(reads: &[ReadDigest]) -> HashMap<String, ObjectHead> {
    let head = |read: &ReadDigest| (read.location.key.clone(), read.head.clone());
    reads.iter().map(head).collect()
}

/// When the first digest of a slice starts.
fn first_start(window: &[(i64, WindowDigest)]) -> Option<i64> {
    let proven = window.iter().filter(|(_, digest)| digest.sha256.is_some());
    proven.map(|(start, _)| *start).min()
}

pub(crate) fn problem_kind(problem: LogProblem) -> FindingKind {
    match problem {
        LogProblem::HashMismatch => FindingKind::LogHashMismatch,
        LogProblem::BadFormat => FindingKind::LogBadFormat,
        LogProblem::TrailingData => FindingKind::LogTrailingData,
        LogProblem::TrailerCut => FindingKind::LogTrailerCut,
        LogProblem::UnknownAlgorithm => FindingKind::UnknownAlgorithm,
    }
}
