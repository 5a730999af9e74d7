//! Validation as `aws cloudtrail validate-logs` does it, with many reads at a time.
//!
//! What is printed is what a run prints that reads one object after the other: verdicts wait in a queue until it is
//! their turn, and an error that ends the run ends it at its place in the queue. Behind that, digests are read ahead
//! of the walk and log files of the digests that are judged already.
//!
//! What is held in memory is bounded: the walk waits while there are enough log files to read, and digests are kept
//! ahead only if they are small.

use std::collections::{HashMap, HashSet, VecDeque};

use digest_chain::{
    CompatibleWalk, DigestFile, DigestKeys, DigestListing, DigestObject, DigestOutcome, Location,
    LogContent, LogFile, LogProblem, Next, PublicKeys, Seen, Stream,
};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::asked::Asked;
use super::lines::Lines;
use super::store::{Listed, ReadError, Store};

/// A larger digest, compressed, is read when it is its turn.
const MOST_AHEAD_BYTES: u64 = 256 * 1024;

/// So many digests are read ahead even while log files are waiting.
const LEAST_AHEAD: usize = 8;

/// The walk waits while so many verdicts do.
const MOST_IN_QUEUE: usize = 10_000;

/// Why the run ended before its end, in the words of the AWS CLI.
#[derive(Debug)]
pub(crate) struct Ended(pub String);

/// Validates; prints all but why it ended early.
pub(crate) async fn run<S: Store>(
    store: &S,
    asked: &Asked,
    concurrency: usize,
    lines: &mut Lines,
) -> Result<(), Ended> {
    lines.begin(&asked.trail.arn);
    let mut run = Run::new(store, asked, concurrency, lines);
    run.until_the_end().await?;
    lines.summary();
    Ok(())
}

struct Run<'a, S> {
    store: &'a S,
    asked: &'a Asked,
    stream: Stream,
    concurrency: usize,
    lines: &'a mut Lines,
    walk: CompatibleWalk,
    is_backfill: bool,
    /// Nothing is to be added to the queue any more.
    is_over: bool,
    /// A listing or public keys were asked for, for the walk.
    is_asking: bool,
    /// Backfill digests that were listed with the others, by bucket and end of the range.
    listed_backfill: HashMap<(String, i64), Vec<String>>,
    /// Digests that are being read, or were; by key.
    digests: HashMap<String, Ahead>,
    queue: VecDeque<Entry>,
    /// The number of the first entry of the queue.
    first: u64,
    /// The number of the first entry that may be a log file that is not being read yet.
    next_log: u64,
    /// Log files that are not being read yet.
    waiting_logs: usize,
}

/// A digest that is read before it is its turn.
struct Ahead {
    bucket: String,
    read: Read,
}

enum Read {
    UnderWay,
    Done(Result<DigestObject, ReadError>),
    /// It is to be read when it is its turn.
    TooLarge,
}

enum Entry {
    Valid(Box<DigestFile>, bool),
    Invalid(Location, bool, String),
    Gap(i64, i64, bool),
    Log(LogFile, LogState),
    Ended(String),
}

enum LogState {
    Waiting,
    UnderWay,
    Done(Result<LogContent, ReadError>),
}

enum Job {
    List(String, i64),
    PublicKeys(i64, i64),
    Digest(Location, Option<u64>),
    Log(u64, Location),
}

enum Done {
    Listed(String, i64, Result<DigestListing, ReadError>),
    PublicKeys(Result<PublicKeys, ReadError>),
    Digest(Location, Result<Option<DigestObject>, ReadError>),
    Log(u64, Result<LogContent, ReadError>),
}

async fn done<S: Store>(store: &S, stream: &Stream, start: i64, job: Job) -> Done {
    match job {
        Job::List(bucket, end) => {
            let mut keys = DigestKeys::new(stream, start, end);
            let (prefix, after) = (keys.prefix().to_owned(), keys.start_after().to_owned());
            let mut take = |listed: Listed| keys.take(&listed.key);
            let listed = store.list(&bucket, &prefix, Some(&after), &mut take).await;
            Done::Listed(bucket, end, listed.map(|()| keys.finish()))
        }
        Job::PublicKeys(start, end) => {
            Done::PublicKeys(store.public_keys(&stream.scope.region, start, end).await)
        }
        Job::Digest(location, Some(most_bytes)) => {
            let read = store.read_digest_within(&location, most_bytes).await;
            Done::Digest(location, read)
        }
        Job::Digest(location, None) => {
            let read = store.read_digest(&location).await;
            Done::Digest(location, read.map(Some))
        }
        Job::Log(number, location) => Done::Log(number, store.hash_log(&location).await),
    }
}

impl<'a, S: Store> Run<'a, S> {
    fn new(store: &'a S, asked: &'a Asked, concurrency: usize, lines: &'a mut Lines) -> Self {
        let stream = asked.stream();
        Run {
            store,
            asked,
            concurrency,
            lines,
            walk: CompatibleWalk::new(&stream, &asked.bucket, (asked.start, asked.end), false),
            stream,
            is_backfill: false,
            is_over: false,
            is_asking: false,
            listed_backfill: HashMap::new(),
            digests: HashMap::new(),
            queue: VecDeque::new(),
            first: 0,
            next_log: 0,
            waiting_logs: 0,
        }
    }

    async fn until_the_end(&mut self) -> Result<(), Ended> {
        let (store, stream, start) = (self.store, self.stream.clone(), self.asked.start);
        let mut under_way = FuturesUnordered::new();
        loop {
            let room = self.concurrency.saturating_sub(under_way.len());
            let mut jobs = Jobs::new(room);
            self.advance(&mut jobs);
            self.read_on(&mut jobs);
            for job in jobs.begun {
                under_way.push(done(store, &stream, start, job));
            }
            let has_printed = self.print()?;
            if self.is_over && self.queue.is_empty() {
                return Ok(());
            }
            if has_printed && under_way.is_empty() {
                continue;
            }
            self.lines.flush();
            let Some(first) = under_way.next().await else {
                return Err(Ended("nothing is left to wait for".to_owned()));
            };
            self.take(first);
            while let Some(Some(next)) = under_way.next().now_or_never() {
                self.take(next);
            }
        }
    }

    /// Goes along the walk up to where it has to wait.
    fn advance(&mut self, jobs: &mut Jobs) {
        while !self.is_over
            && self.waiting_logs < self.concurrency
            && self.queue.len() < MOST_IN_QUEUE
            && self.step(jobs)
        {}
    }

    /// One step; whether another may follow.
    fn step(&mut self, jobs: &mut Jobs) -> bool {
        match self.walk.next() {
            Next::Done if self.is_backfill => {
                self.is_over = true;
                false
            }
            Next::Done => {
                self.is_backfill = true;
                self.digests.clear();
                let range = (self.asked.start, self.asked.end);
                self.walk = CompatibleWalk::new(&self.stream, &self.asked.bucket, range, true);
                true
            }
            Next::List { bucket, end } => {
                let place = (bucket, end);
                if self.is_backfill
                    && let Some(backfill) = self.listed_backfill.remove(&place)
                {
                    self.listed(DigestListing {
                        standard: Vec::new(),
                        backfill,
                    });
                    return true;
                }
                self.is_asking = self.is_asking || jobs.begin(Job::List(place.0, place.1));
                false
            }
            Next::PublicKeys { start, end } => {
                self.is_asking = self.is_asking || jobs.begin(Job::PublicKeys(start, end));
                false
            }
            Next::Read { bucket, key } => self.due(Location { bucket, key }, jobs),
        }
    }

    /// The walk wants this digest; whether it was there.
    fn due(&mut self, location: Location, jobs: &mut Jobs) -> bool {
        let ahead = self.digests.remove(&location.key);
        match ahead.filter(|ahead| ahead.bucket == location.bucket) {
            Some(Ahead {
                read: Read::Done(read),
                ..
            }) => {
                self.digest(read);
                true
            }
            Some(under_way) if matches!(under_way.read, Read::UnderWay) => {
                self.digests.insert(location.key, under_way);
                false
            }
            _ => {
                if jobs.begin(Job::Digest(location.clone(), None)) {
                    self.is_under_way(location);
                }
                false
            }
        }
    }

    fn is_under_way(&mut self, location: Location) {
        let Location { bucket, key } = location;
        let read = Read::UnderWay;
        self.digests.insert(key, Ahead { bucket, read });
    }

    fn digest(&mut self, read: Result<DigestObject, ReadError>) {
        let outcome = match read {
            Ok(object) => DigestOutcome::Object(object),
            Err(ReadError::NotFound) => DigestOutcome::NotFound,
            Err(ReadError::Broken(text)) => DigestOutcome::Failed(text),
            Err(ReadError::Refused(error)) => return self.ends(error.in_words_of_the_aws_cli()),
        };
        match self.walk.read(outcome) {
            Ok(seen) => self.saw(seen),
            Err(error) => self.ends(error.to_string()),
        }
    }

    fn listed(&mut self, listing: DigestListing) {
        let count = match self.is_backfill {
            true => listing.backfill.len(),
            false => listing.standard.len(),
        };
        self.lines.bar().add_digests(count);
        if let Err(error) = self.walk.listed(listing) {
            self.ends(error.to_string());
        }
    }

    fn saw(&mut self, seen: Vec<Seen>) {
        let is_backfill = self.is_backfill;
        for seen in seen {
            match seen {
                Seen::Valid(mut file) => {
                    let logs = std::mem::take(&mut file.log_files);
                    self.queue.push_back(Entry::Valid(file, is_backfill));
                    self.waiting_logs += logs.len();
                    let entry = |log| Entry::Log(log, LogState::Waiting);
                    self.queue.extend(logs.into_iter().map(entry));
                }
                Seen::Invalid {
                    bucket,
                    key,
                    reason,
                } => self.queue.push_back(Entry::Invalid(
                    Location { bucket, key },
                    is_backfill,
                    reason.to_string(),
                )),
                Seen::Gap { from, to } => self.queue.push_back(Entry::Gap(from, to, is_backfill)),
            }
        }
    }

    fn ends(&mut self, why: String) {
        self.is_over = true;
        self.queue.push_back(Entry::Ended(why));
    }

    /// Fills the room with reads: some digests ahead, log files, more digests ahead.
    fn read_on(&mut self, jobs: &mut Jobs) {
        self.read_ahead(LEAST_AHEAD, jobs);
        self.read_logs(jobs);
        self.read_ahead(self.concurrency, jobs);
    }

    fn read_ahead(&mut self, most: usize, jobs: &mut Jobs) {
        if self.is_over || jobs.room == 0 {
            return;
        }
        if self.digests.len() > 2 * self.concurrency {
            let wanted: HashSet<&str> = self
                .walk
                .ahead()
                .take(self.concurrency)
                .map(|(_, key)| key)
                .collect();
            self.digests.retain(|key, _| wanted.contains(key.as_str()));
        }
        for (bucket, key) in self.walk.ahead().take(most.min(self.concurrency)) {
            if self.digests.contains_key(key) {
                continue;
            }
            let location = Location::new(bucket, key);
            if !jobs.begin(Job::Digest(location, Some(MOST_AHEAD_BYTES))) {
                return;
            }
            let read = Read::UnderWay;
            let bucket = bucket.to_owned();
            self.digests.insert(key.to_owned(), Ahead { bucket, read });
        }
    }

    fn read_logs(&mut self, jobs: &mut Jobs) {
        self.next_log = self.next_log.max(self.first);
        let skipped = usize::try_from(self.next_log - self.first).unwrap_or(usize::MAX);
        for entry in self.queue.iter_mut().skip(skipped) {
            if self.waiting_logs == 0 || jobs.room == 0 {
                return;
            }
            if let Entry::Log(log, state @ LogState::Waiting) = entry {
                let location = Location::new(log.bucket.as_str(), log.key.as_str());
                jobs.begin(Job::Log(self.next_log, location));
                *state = LogState::UnderWay;
                self.waiting_logs -= 1;
            }
            self.next_log += 1;
        }
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Listed(bucket, end, Ok(mut listing)) => {
                self.is_asking = false;
                if !self.is_backfill {
                    let backfill = std::mem::take(&mut listing.backfill);
                    self.listed_backfill.insert((bucket, end), backfill);
                }
                self.listed(listing);
            }
            Done::PublicKeys(Ok(keys)) => {
                self.is_asking = false;
                match self.walk.keys(keys) {
                    Ok(seen) => self.saw(seen),
                    Err(error) => self.ends(error.to_string()),
                }
            }
            Done::Listed(_, _, Err(error)) | Done::PublicKeys(Err(error)) => {
                self.ends(error.in_words_of_the_aws_cli());
            }
            Done::Digest(location, read) => {
                if let Some(ahead) = self.digests.get_mut(&location.key)
                    && ahead.bucket == location.bucket
                {
                    ahead.read = match read.transpose() {
                        None => Read::TooLarge,
                        Some(read) => Read::Done(read),
                    };
                }
            }
            Done::Log(number, read) => self.log(number, read),
        }
    }

    fn log(&mut self, number: u64, read: Result<LogContent, ReadError>) {
        let ends_the_run = matches!(read, Err(ReadError::Refused(_)));
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(Entry::Log(_, state)) = self.queue.get_mut(index) {
            *state = LogState::Done(read);
        }
        if ends_the_run {
            // Nothing behind it will be printed.
            self.is_over = true;
            self.queue.truncate(index.saturating_add(1));
            let is_waiting = |entry: &&Entry| matches!(entry, Entry::Log(_, LogState::Waiting));
            self.waiting_logs = self.queue.iter().filter(is_waiting).count();
        }
    }

    /// Prints what it is the turn of; whether there was anything.
    fn print(&mut self) -> Result<bool, Ended> {
        let mut has_printed = false;
        loop {
            match self.queue.front() {
                None | Some(Entry::Log(_, LogState::Waiting | LogState::UnderWay)) => {
                    return Ok(has_printed);
                }
                Some(_) => {}
            }
            if let Some(entry) = self.queue.pop_front() {
                self.first += 1;
                self.print_entry(entry)?;
                has_printed = true;
            }
        }
    }

    fn print_entry(&mut self, entry: Entry) -> Result<(), Ended> {
        let lines = &mut *self.lines;
        match entry {
            Entry::Valid(file, is_backfill) => {
                lines.bar().digest_is_done();
                lines.valid_digest(&file, is_backfill);
            }
            Entry::Invalid(location, is_backfill, why) => {
                lines.bar().digest_is_done();
                lines.invalid_digest(&location, is_backfill, &why);
            }
            Entry::Gap(from, to, is_backfill) => lines.gap(from, to, is_backfill),
            Entry::Log(log, LogState::Done(read)) => match read {
                Ok(content) => {
                    lines.bar().log_file_is_done(content.length);
                    let problem = content.compatible_problem(&log);
                    lines.log(&log, problem.map(in_words_of_the_aws_cli));
                }
                Err(ReadError::NotFound) => lines.log(&log, Some("not found")),
                Err(ReadError::Broken(_)) => lines.log(&log, Some("invalid format")),
                Err(error) => return Err(Ended(error.in_words_of_the_aws_cli())),
            },
            // Only what is decided is printed.
            Entry::Log(..) => {}
            Entry::Ended(why) => return Err(Ended(why)),
        }
        Ok(())
    }
}

/// What is to be begun, as far as there is room.
struct Jobs {
    begun: Vec<Job>,
    room: usize,
}

impl Jobs {
    fn new(room: usize) -> Self {
        let begun = Vec::new();
        Jobs { begun, room }
    }

    /// Whether there was room for it.
    fn begin(&mut self, job: Job) -> bool {
        if self.room == 0 {
            return false;
        }
        self.room -= 1;
        self.begun.push(job);
        true
    }
}

fn in_words_of_the_aws_cli(problem: LogProblem) -> &'static str {
    match problem {
        LogProblem::BadFormat => "invalid format",
        LogProblem::TrailingData => "unexpected data after end of compressed stream",
        LogProblem::HashMismatch | LogProblem::TrailerCut | LogProblem::UnknownAlgorithm => {
            "hash value doesn't match"
        }
    }
}
