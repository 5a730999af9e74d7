//! A batch of notifications: each object it announces is taken through all its steps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use alarm_state::{
    Claim, ExpiredSuppression, FileEntry, FileStatus, Filter, LEDGER_SECONDS, QueueBody,
    SourceObject, file_key, split,
};
use cloudtrail::{FileName, ObjectKind, Origin, ReadError};
use emf::Outcomes;
use futures_util::future::join_all;
use metric_filters::{Evaluator, FilterSet, LogFileReport, MetricFilter, TimeRange};
use ports::{
    Body, Clock, ErrorKind, Item, ItemKey, Items, LogEvent, ObjectLocation, Put, PutLogEvents,
    QueueMessage, ReadObject, RequestError, SendMessages, StoredObject, with_sources,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::announcement::{AnnouncedObject, Payload, QueueRecord, announced, payload};
use crate::evidence_log::documents;
use crate::filters::{FiltersEvent, FiltersInForce};
use crate::found::{Found, Moment, group_id, shown_group};
use crate::outcome::{FailReason, ObjectOutcome, Processed, SkipReason};
use crate::settings::Settings;

/// The function's name in its own metrics.
const FUNCTION: &str = "log-processor";

/// Largest object as it is stored. CloudTrail's log files have at most 50 MB.
const MOST_OBJECT_BYTES: u64 = 64 << 20;

/// Most bytes that an object may inflate to: more than its time allows to read.
const MOST_CONTENT_BYTES: u64 = 4 << 30;

/// Why CloudWatch Logs does not take a log event.
const TOO_OLD: &str = "too_old";
const TOO_NEW: &str = "too_new";

/// Counted for an object whose notification does not give its size.
const USUAL_OBJECT_BYTES: u64 = 4 << 20;

/// How long after the invocation's deadline a claim holds: by then the process is dead for sure.
const LEASE_MARGIN_MILLIS: i64 = 1_000;

/// Nothing that others will see is begun when so little time is left: it might not be finished.
const LAST_START_MILLIS: i64 = 2_000;

/// What is later than this after the clock is from the future: its time cannot be right.
const FUTURE_SECONDS: i64 = 900;

/// CloudWatch takes what is younger than 14 days; a little less, since time passes on the way.
const METRIC_SECONDS: i64 = 14 * 86_400 - 600;

/// What the function talks to.
#[derive(Debug)]
pub struct Ports<R, T, Q, L, C> {
    /// Log files and the filters file.
    pub objects: R,
    /// The ledger.
    pub items: T,
    /// The queue of matches.
    pub matches: Q,
    /// The log group of metrics and evidence.
    pub evidence: L,
    /// The time.
    pub clock: C,
}

/// The function: settings, ports and what stays from invocation to invocation.
pub struct Processor<R, T, Q, L, C> {
    settings: Settings,
    ports: Ports<R, T, Q, L, C>,
    filters: FiltersInForce,
    claims: std::cell::Cell<u64>,
    /// Names this process in claims.
    owner: String,
}

/// A direct invocation failed; whoever invoked will try again.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The payload is no notification.
    #[error(transparent)]
    Payload(#[from] crate::AnnouncementError),
    /// Objects failed.
    #[error("{failed} of {announced} objects failed, see the log")]
    Objects {
        /// So many.
        failed: usize,
        /// Of so many.
        announced: usize,
    },
}

impl<R, T, Q, L, C> Processor<R, T, Q, L, C>
where
    R: ReadObject,
    T: Items,
    Q: SendMessages,
    L: PutLogEvents,
    C: Clock,
{
    /// The function. `owner` names this process and no other, in claims.
    pub fn new(settings: Settings, ports: Ports<R, T, Q, L, C>, owner: String) -> Self {
        let filters = FiltersInForce::new(&settings);
        filters.load_built_in();
        Processor {
            settings,
            ports,
            filters,
            claims: std::cell::Cell::new(0),
            owner,
        }
    }

    /// Handles one invocation that must end at `deadline_millis`; `write_line` gets the metrics of its
    /// outcome, line by line.
    ///
    /// Returns the answer to a batch: the messages that must come again. A message fails alone.
    ///
    /// # Errors
    /// The payload is no notification, or the function was invoked directly and an object failed.
    pub async fn handle(
        &self,
        invocation: Value,
        deadline_millis: i64,
        write_line: &mut dyn FnMut(&str),
    ) -> Result<Value, HandleError> {
        let batch = Batch {
            outcomes: RefCell::new(Outcomes::new(FUNCTION)),
            deadline_millis,
        };
        let answer = match payload(invocation) {
            Ok(Payload::Queue(messages)) => Ok(self.messages(&batch, messages).await),
            Ok(Payload::Direct(announced)) => {
                batch.ignored(&announced.ignored);
                let outcomes = self.objects(&batch, announced.objects).await;
                let failed = outcomes
                    .values()
                    .filter(|outcome| outcome.comes_again())
                    .count();
                match failed {
                    0 => Ok(Value::Null),
                    failed => Err(HandleError::Objects {
                        failed,
                        announced: outcomes.len(),
                    }),
                }
            }
            Err(error) => {
                batch.count("MessagesUnparsable", 1);
                tracing::error!(%error, outcome = "failed", reason = "unparsable", "invocation is no notification");
                Err(error.into())
            }
        };
        let now = self.ports.clock.now_millis();
        let outcomes = batch.outcomes.borrow();
        for line in outcomes.lines(&self.settings.metric_namespace, now) {
            write_line(&line);
        }
        answer
    }

    async fn messages(&self, batch: &Batch, messages: Vec<QueueRecord>) -> Value {
        batch.count("MessagesReceived", messages.len() as u64);
        let mut failed: Vec<String> = Vec::new();
        let mut wanted: Vec<(QueueRecord, Vec<AnnouncedObject>)> = Vec::new();
        for message in messages {
            match announced(&message.body) {
                Ok(announced) => {
                    batch.ignored(&announced.ignored);
                    wanted.push((message, announced.objects));
                }
                Err(error) => {
                    let last = self.is_last(&message);
                    tracing::error!(
                        message_id = message.message_id, %error, outcome = "failed",
                        reason = "unparsable", receive_count = message.receive_count,
                        dead_lettered = last, "message cannot be read"
                    );
                    batch.count("MessagesUnparsable", 1);
                    batch.count("MessagesDeadLettered", u64::from(last));
                    failed.push(message.message_id);
                }
            }
        }
        let objects = wanted
            .iter()
            .flat_map(|(_, objects)| objects.clone())
            .collect();
        let outcomes = self.objects(batch, objects).await;
        let mut seen = Vec::new();
        for (message, objects) in wanted {
            let last = self.is_last(&message);
            let mut comes_again = false;
            for object in objects {
                let location = location(&object);
                let Some(outcome) = outcomes.get(&location) else {
                    continue;
                };
                comes_again |= outcome.comes_again();
                let is_copy = seen.contains(&location);
                if is_copy {
                    batch.announced_again(outcome);
                } else {
                    seen.push(location);
                }
                let is_lost = last && outcome.comes_again();
                batch.count("FilesDeadLettered", u64::from(is_lost));
            }
            if comes_again {
                batch.count("MessagesDeadLettered", u64::from(last));
                failed.push(message.message_id);
            }
        }
        let failures: Vec<Value> = failed
            .into_iter()
            .map(|id| json!({ "itemIdentifier": id }))
            .collect();
        json!({ "batchItemFailures": failures })
    }

    fn is_last(&self, message: &QueueRecord) -> bool {
        message.receive_count >= self.settings.max_receive_count
    }

    /// Takes all objects through their steps, at the same time as far as memory allows; each once.
    async fn objects(
        &self,
        batch: &Batch,
        objects: Vec<AnnouncedObject>,
    ) -> BTreeMap<ObjectLocation, ObjectOutcome> {
        let mut distinct: BTreeMap<ObjectLocation, AnnouncedObject> = BTreeMap::new();
        for object in objects {
            distinct.entry(location(&object)).or_insert(object);
        }
        let mut tell = |event| batch.filters_event(&event);
        let now = self.ports.clock.now_millis();
        let filters = self
            .filters
            .current(&self.ports.objects, &self.ports.items, now, &mut tell)
            .await;
        let filters = match filters {
            Ok(filters) => filters,
            Err(error) => {
                let reason = FailReason::NO_FILTERS;
                let each = distinct.into_keys().map(|location| async {
                    let outcome = failed(reason, &error);
                    self.note_failure(&location, reason.0).await;
                    batch.outcome(&location, &outcome, 0);
                    (location, outcome)
                });
                return join_all(each).await.into_iter().collect();
            }
        };
        let work = Work {
            filters: Rc::clone(&filters),
            evaluator: RefCell::new(filters.evaluator().most_content_bytes(MOST_CONTENT_BYTES)),
            memory: Semaphore::new(kilobytes(self.settings.memory_bytes / 4)),
        };
        let each = distinct.into_iter().map(|(location, object)| {
            let work = &work;
            async move {
                let started = self.ports.clock.now_millis();
                let outcome = Box::pin(self.object(batch, work, &location, &object)).await;
                let millis = self.ports.clock.now_millis().saturating_sub(started);
                batch.outcome(&location, &outcome, millis);
                (location, outcome)
            }
        });
        join_all(each).await.into_iter().collect()
    }

    async fn object(
        &self,
        batch: &Batch,
        work: &Work<'_>,
        location: &ObjectLocation,
        announced: &AnnouncedObject,
    ) -> ObjectOutcome {
        let prefix = self.settings.key_prefix.as_deref().unwrap_or_default();
        if !location.key.starts_with(prefix) {
            return ObjectOutcome::Skipped(SkipReason::OutsidePrefix);
        }
        if let Some(reason) = skip_by_name(location, announced.size) {
            return ObjectOutcome::Skipped(reason);
        }
        // Not every notification says how large an object is, and an object may have grown since.
        let most_bytes = MOST_OBJECT_BYTES.min(self.settings.memory_bytes / 4);
        let usual_bytes = announced.size.unwrap_or(USUAL_OBJECT_BYTES).max(1);
        for bytes in [usual_bytes.min(most_bytes), most_bytes] {
            let Ok(permit) = work.memory.acquire_many(kilobytes(bytes) as u32).await else {
                return failed(FailReason::INTERNAL, &"no memory budget");
            };
            let outcome = match self.ports.objects.read_object(location, bytes).await {
                Ok(object) => self.claimed(batch, work, location, announced, object).await,
                Err(error) if error.kind == ErrorKind::TooLarge && bytes < most_bytes => continue,
                Err(error) => {
                    self.note_failure(location, reason(&error).0).await;
                    request_failed(&error)
                }
            };
            drop(permit);
            return outcome;
        }
        failed(
            FailReason(ErrorKind::TooLarge.name()),
            &"the object is too large",
        )
    }

    /// Claims an object that was read and does what is to be done with it.
    async fn claimed(
        &self,
        batch: &Batch,
        work: &Work<'_>,
        location: &ObjectLocation,
        announced: &AnnouncedObject,
        object: StoredObject,
    ) -> ObjectOutcome {
        let claim = match self.claim(batch, location, &object).await {
            Ok(Claimed::Mine(claim)) => claim,
            Ok(Claimed::Done) => return ObjectOutcome::Skipped(SkipReason::AlreadyProcessed),
            Ok(Claimed::Held { until_millis }) => {
                return ObjectOutcome::InProgress { until_millis };
            }
            Err(stopped) => return stopped.into(),
        };
        let etag_differs = announced
            .etag
            .as_ref()
            .is_some_and(|etag| *etag != object.etag);
        let changed = claim.replaces || etag_differs;
        let outcome = self.process(work, location, &object, &claim, changed).await;
        let now = self.ports.clock.now();
        match outcome {
            Ok(outcome) => {
                let skipped = match &outcome {
                    ObjectOutcome::Skipped(reason) => Some(reason.name()),
                    _ => None,
                };
                let entry = claim.entry.clone().finished(skipped, now);
                let Err(stopped) = self.finish(claim.item.clone(), entry).await else {
                    return outcome;
                };
                // All is done but for saying so: the next attempt shall at least repeat no metric.
                let entry = claim.entry.failed(stopped.reason.0, Some(0), now);
                match self.finish_again(claim.item, entry).await {
                    Ok(true) => outcome,
                    Ok(false) => stopped.into(),
                    Err(note) => {
                        self.note(location, Err(note));
                        stopped.into()
                    }
                }
            }
            Err(stopped) => {
                // So that the next attempt need not wait for the lease; if this fails, it waits.
                let left = stopped.metrics_left;
                let entry = claim.entry.failed(stopped.reason.0, left, now);
                self.note(location, self.finish(claim.item, entry).await);
                stopped.into()
            }
        }
    }

    /// A failure is noted as well as that can be done: without a note the lease runs out.
    fn note(&self, location: &ObjectLocation, noted: Result<(), Stopped>) {
        if let Err(note) = noted {
            tracing::warn!(object = %location, error = note.error, "failure not noted");
        }
    }

    async fn claim(
        &self,
        batch: &Batch,
        location: &ObjectLocation,
        object: &StoredObject,
    ) -> Result<Claimed, Stopped> {
        let (partition, sort) = file_key(&location.bucket, &location.key);
        let key = ItemKey { partition, sort };
        let claims = self.claims.get() + 1;
        self.claims.set(claims);
        let owner = format!("{}-{claims}", self.owner);
        let lease_until = batch.deadline_millis.saturating_add(LEASE_MARGIN_MILLIS);
        // Most files are new: the first write finds nothing there, and one request is enough.
        let mut known: Option<Item> = None;
        for _ in 0..3 {
            let now_millis = self.ports.clock.now_millis();
            let live = known
                .as_ref()
                .filter(|item| item.expires_at > now_millis / 1000);
            let entry = live.map(parse_entry).transpose()?;
            let version = object.version.as_deref();
            let claim = FileEntry::claim(
                entry.as_ref(),
                &object.etag,
                version,
                &owner,
                now_millis,
                lease_until,
            );
            let was_claimed = entry
                .as_ref()
                .is_some_and(|entry| entry.status == FileStatus::Claimed);
            let (entry, replaces) = match claim {
                Claim::Done => return Ok(Claimed::Done),
                Claim::Held { until_millis } => return Ok(Claimed::Held { until_millis }),
                Claim::Grant { entry, replaces } => (entry, replaces),
            };
            let expected = known.as_ref().map(|item| item.version);
            let item = self.ledger_item(key.clone(), &entry, expected);
            match self.ports.items.put_item(&item, expected).await? {
                Put::Written => {
                    if was_claimed {
                        tracing::warn!(object = %location, "an attempt before was interrupted");
                        batch.count("FilesInterrupted", 1);
                    }
                    return Ok(Claimed::Mine(Box::new(MyClaim {
                        entry,
                        item,
                        replaces,
                        until_millis: lease_until,
                    })));
                }
                Put::Conflict(found) => known = found,
            }
        }
        Ok(Claimed::Held {
            until_millis: lease_until,
        })
    }

    fn ledger_item(&self, key: ItemKey, entry: &FileEntry, before: Option<u64>) -> Item {
        Item {
            key,
            version: before.map_or(1, |version| version + 1),
            body: Body::Text(entry.to_json()),
            due_at: None,
            expires_at: self.ports.clock.now().saturating_add(LEDGER_SECONDS),
        }
    }

    /// Writes the last entry of a claim.
    async fn finish(&self, claimed: Item, entry: FileEntry) -> Result<(), Stopped> {
        let expected = Some(claimed.version);
        let item = self.ledger_item(claimed.key, &entry, expected);
        match self.ports.items.put_item(&item, expected).await? {
            Put::Written => Ok(()),
            Put::Conflict(_) => Err(Stopped::new(
                FailReason::LEASE_ENDED,
                "another has claimed the object meanwhile",
            )),
        }
    }

    /// Writes an entry after the last one of a claim may have been written, without an answer.
    /// Returns whether it was.
    async fn finish_again(&self, claimed: Item, entry: FileEntry) -> Result<bool, Stopped> {
        let expected = Some(claimed.version);
        let item = self.ledger_item(claimed.key, &entry, expected);
        let put = self.ports.items.put_item(&item, expected).await?;
        let Put::Conflict(Some(found)) = put else {
            return Ok(false);
        };
        let found = parse_entry(&found)?;
        let is_settled = matches!(found.status, FileStatus::Done | FileStatus::Skipped);
        Ok(is_settled && found.owner == entry.owner)
    }

    /// Notes in the ledger that an object could not be read, as well as that can be done.
    async fn note_failure(&self, location: &ObjectLocation, reason: &str) {
        let (partition, sort) = file_key(&location.bucket, &location.key);
        let key = ItemKey { partition, sort };
        let noted = async {
            let known = self.ports.items.get_item(&key).await?;
            let entry = known.as_ref().map(parse_entry).transpose()?;
            if entry
                .as_ref()
                .is_some_and(|entry| entry.status != FileStatus::Failed)
            {
                return Ok(());
            }
            let entry = FileEntry::failed_before(entry.as_ref(), reason, self.ports.clock.now());
            let expected = known.as_ref().map(|item| item.version);
            let item = self.ledger_item(key.clone(), &entry, expected);
            self.ports.items.put_item(&item, expected).await?;
            Ok::<(), Stopped>(())
        };
        self.note(location, noted.await);
    }

    /// Evaluates a claimed object, sends its matches and writes its metrics.
    async fn process(
        &self,
        work: &Work<'_>,
        location: &ObjectLocation,
        object: &StoredObject,
        claim: &MyClaim,
        changed: bool,
    ) -> Result<ObjectOutcome, Stopped> {
        let now = self.ports.clock.now();
        let retention = self.settings.evidence_retention_days.saturating_mul(86_400);
        let moment = Moment {
            now,
            future: now.saturating_add(FUTURE_SECONDS),
            oldest_metric: now.saturating_sub(METRIC_SECONDS.min(retention)),
        };
        let name = file_name(location);
        let (found, report) = match evaluate(work, location, object, name.as_ref(), &moment) {
            Ok(evaluated) => evaluated,
            Err(NoRecords::Failed { reason, error }) => return Err(Stopped::new(reason, &error)),
            Err(NoRecords::Skipped(reason)) => return Ok(ObjectOutcome::Skipped(reason)),
        };
        let native = self.filters.have_native_alarms();
        let facts = |filter: &MetricFilter| facts(filter, native, now);
        let (messages, sent) = match_messages(&work.filters, facts, &found, location, object, now);
        self.is_in_time(claim)?;
        if !messages.is_empty() {
            self.ports.matches.send_messages(&messages).await?;
        }
        let place = location.to_string();
        let documents = documents(&work.filters, &found, &report, &place, &moment);
        let mut refused = self.write_metrics(claim, documents).await?;
        let too_old = refused.remove(TOO_OLD).unwrap_or_default();
        Ok(ObjectOutcome::Processed(Box::new(Processed {
            sent,
            messages: messages.len(),
            own_calls: found.own_calls,
            seconds_until_read: object.last_modified.map(|time| now - time),
            late: found.late,
            beyond_horizon: found.beyond_horizon,
            too_old_for_metrics: found.too_old_for_metrics + too_old,
            without_dimension: found.without_dimension,
            metrics_refused: refused,
            in_further_groups: found.in_further_groups,
            changed,
            report,
        })))
    }

    /// Writes documents, but for those that an attempt before has written; returns how many matches those
    /// stood for that were not taken, by why not.
    async fn write_metrics(
        &self,
        claim: &MyClaim,
        documents: Vec<(i64, String)>,
    ) -> Result<BTreeMap<&'static str, u64>, Stopped> {
        let batches = emf::batches(documents);
        let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
        for ((_, document), reason) in &batches.unfit {
            *refused.entry(reason.name()).or_default() += matched(document);
        }
        let all: usize = batches.batches.iter().map(Vec::len).sum();
        let mut left = claim.entry.metrics_left.unwrap_or(all).min(all);
        let mut written = all - left;
        for mut batch in batches.batches {
            let known = written.min(batch.len());
            written -= known;
            batch.drain(..known);
            if batch.is_empty() {
                continue;
            }
            let events: Vec<LogEvent> = batch
                .into_iter()
                .map(|(timestamp_millis, message)| LogEvent {
                    timestamp_millis,
                    message,
                })
                .collect();
            let begun = (left < all).then_some(left);
            let stopped = |stopped: Stopped| stopped.with_metrics_left(begun);
            self.is_in_time(claim).map_err(stopped)?;
            let put = self.ports.evidence.put_log_events(&events).await;
            let rejected = put.map_err(|error| stopped(error.into()))?;
            let sum = |events: &[LogEvent]| -> u64 {
                events.iter().map(|event| matched(&event.message)).sum()
            };
            let (too_old, rest) = events.split_at(rejected.too_old.min(events.len()));
            let (_, too_new) = rest.split_at(rest.len().saturating_sub(rejected.too_new));
            *refused.entry(TOO_OLD).or_default() += sum(too_old);
            *refused.entry(TOO_NEW).or_default() += sum(too_new);
            left -= events.len();
        }
        Ok(refused)
    }

    /// What others will see must not be begun by one whose lease is about to end.
    fn is_in_time(&self, claim: &MyClaim) -> Result<(), Stopped> {
        let last_start = claim.until_millis - LEASE_MARGIN_MILLIS - LAST_START_MILLIS;
        match self.ports.clock.now_millis() < last_start {
            true => Ok(()),
            false => Err(Stopped::new(
                FailReason::LEASE_ENDED,
                "the time of the invocation is over",
            )),
        }
    }
}

/// What the objects of one batch share.
struct Work<'f> {
    filters: Rc<FilterSet>,
    /// One after the other is evaluated; what takes long is reading and writing.
    evaluator: RefCell<Evaluator<'f>>,
    /// Kilobytes of objects that may be in memory.
    memory: Semaphore,
}

/// An object that is ours to process.
struct MyClaim {
    entry: FileEntry,
    item: Item,
    replaces: bool,
    until_millis: i64,
}

enum Claimed {
    Mine(Box<MyClaim>),
    Done,
    Held { until_millis: i64 },
}

/// Why the work on an object stopped.
struct Stopped {
    reason: FailReason,
    error: String,
    /// Documents of metrics that are still to be written, if some were.
    metrics_left: Option<usize>,
}

impl Stopped {
    fn new(reason: FailReason, error: &str) -> Self {
        Stopped {
            reason,
            error: error.to_owned(),
            metrics_left: None,
        }
    }

    fn with_metrics_left(self, metrics_left: Option<usize>) -> Self {
        Stopped {
            metrics_left,
            ..self
        }
    }
}

impl From<Stopped> for ObjectOutcome {
    fn from(Stopped { reason, error, .. }: Stopped) -> Self {
        ObjectOutcome::Failed { reason, error }
    }
}

impl From<RequestError> for Stopped {
    fn from(error: RequestError) -> Self {
        Stopped::new(reason(&error), &with_sources(&error))
    }
}

impl From<alarm_state::StoredError> for Stopped {
    fn from(error: alarm_state::StoredError) -> Self {
        Stopped::new(FailReason::STORED, &with_sources(&error))
    }
}

/// How many matches a document of metrics stands for.
fn matched(document: &str) -> u64 {
    let document: Option<Value> = serde_json::from_str(document).ok();
    document
        .and_then(|document| document.get("matched")?.as_u64())
        .unwrap_or_default()
}

fn parse_entry(item: &Item) -> Result<FileEntry, alarm_state::StoredError> {
    match &item.body {
        Body::Text(text) => FileEntry::parse(text),
        Body::Bytes(_) => FileEntry::parse(""),
    }
}

fn request_failed(error: &RequestError) -> ObjectOutcome {
    ObjectOutcome::Failed {
        reason: reason(error),
        error: with_sources(error),
    }
}

fn reason(error: &RequestError) -> FailReason {
    FailReason(match error.kind {
        // CloudTrail's log files are processed when they are new, long before any is archived.
        ErrorKind::Archived => ErrorKind::Refused.name(),
        kind => kind.name(),
    })
}

fn failed(reason: FailReason, error: &dyn std::fmt::Display) -> ObjectOutcome {
    ObjectOutcome::Failed {
        reason,
        error: error.to_string(),
    }
}

fn kilobytes(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(1024)).unwrap_or(usize::MAX >> 4)
}

fn location(object: &AnnouncedObject) -> ObjectLocation {
    ObjectLocation {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version: object.version.clone(),
    }
}

fn file_name(location: &ObjectLocation) -> Option<FileName> {
    let name = location.key.rsplit('/').next().unwrap_or_default();
    FileName::parse(name).ok()
}

/// What needs no reading.
fn skip_by_name(location: &ObjectLocation, size: Option<u64>) -> Option<SkipReason> {
    let is_marker = location.key.ends_with('/') || location.key.ends_with("_$folder$");
    match file_name(location).map(|name| name.kind) {
        Some(ObjectKind::DigestFile { .. }) => Some(SkipReason::DigestFile),
        Some(ObjectKind::LogFile(_)) => None,
        None if is_marker && size.unwrap_or_default() == 0 => Some(SkipReason::FolderMarker),
        // No log file of CloudTrail is as large, whatever its name.
        None if size.is_some_and(|size| size > MOST_OBJECT_BYTES) => Some(SkipReason::NotALogFile),
        None => None,
    }
}

enum NoRecords {
    Failed { reason: FailReason, error: String },
    Skipped(SkipReason),
}

/// Holds an object against the filters. A fault of ours costs this object only.
fn evaluate(
    work: &Work<'_>,
    location: &ObjectLocation,
    object: &StoredObject,
    name: Option<&FileName>,
    moment: &Moment,
) -> Result<(Found, LogFileReport), NoRecords> {
    let origin = Origin {
        location: location.to_string(),
        delivery_time: name.map(|name| name.time),
        last_modified: object.last_modified,
        account_id: name.map(|name| name.account_id.clone()),
    };
    let folder = name.and_then(|name| match name.kind {
        ObjectKind::LogFile(folder) => Some(folder),
        ObjectKind::DigestFile { .. } => None,
    });
    let region = name.map(|name| name.region.as_str());
    let range = TimeRange {
        future: moment.future,
        ..TimeRange::ALL
    };
    let mut found = Found::default();
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        let take = |matching: metric_filters::Match<'_>| {
            found.take(&work.filters, &matching, &origin, region, moment);
        };
        let mut evaluator = work.evaluator.borrow_mut();
        evaluator.evaluate(&object.content, folder, &origin, range, take)
    }));
    match evaluated {
        Ok(Ok(report)) => Ok((found, report)),
        Ok(Err(error)) => Err(no_records(&error, name.is_some(), location)),
        Err(_) => Err(NoRecords::Failed {
            reason: FailReason::INTERNAL,
            error: "a fault in the evaluation, see the log above".to_owned(),
        }),
    }
}

/// An object without records has failed if its name says that it is a log file, or if it is broken;
/// otherwise it is somebody else's.
fn no_records(error: &ReadError, expected: bool, location: &ObjectLocation) -> NoRecords {
    match error {
        ReadError::DigestFile => NoRecords::Skipped(SkipReason::DigestFile),
        ReadError::Empty if location.key.ends_with('/') => {
            NoRecords::Skipped(SkipReason::FolderMarker)
        }
        ReadError::Gzip { .. } => NoRecords::Failed {
            reason: FailReason(error.kind()),
            error: error.to_string(),
        },
        _ if expected => NoRecords::Failed {
            reason: FailReason(error.kind()),
            error: error.to_string(),
        },
        _ => NoRecords::Skipped(SkipReason::NotALogFile),
    }
}

/// The messages that hand a log file's matches on, and how many matches that are.
fn match_messages(
    filters: &FilterSet,
    facts: impl Fn(&MetricFilter) -> Option<Filter>,
    found: &Found,
    location: &ObjectLocation,
    object: &StoredObject,
    now: i64,
) -> (Vec<QueueMessage>, u64) {
    let source = SourceObject {
        bucket: location.bucket.clone(),
        key: location.key.clone(),
        etag: object.etag.clone(),
    };
    let (mut messages, mut sent) = (Vec::new(), 0);
    for ((index, values), group) in &found.groups {
        let Some(filter) = filters.filters().get(*index) else {
            continue;
        };
        let Some(facts) = facts(filter) else {
            continue;
        };
        let (id, shown) = (group_id(filter, values), shown_group(filter, values));
        let evidence: Vec<_> = group.evidence.events().cloned().collect();
        for part in split(
            &facts,
            (&id, &shown),
            &source,
            now,
            &group.samples,
            &evidence,
        ) {
            sent += part.matched;
            messages.push(QueueMessage {
                group_id: id.0.clone(),
                deduplication_id: part.deduplication_id(),
                body: QueueBody::Matches(Box::new(part)).to_json(),
            });
        }
    }
    (messages, sent)
}

fn facts(filter: &MetricFilter, has_native_alarm: bool, now: i64) -> Option<Filter> {
    let alarm = filter.alarm.as_ref()?;
    let expired = filter
        .suppress
        .iter()
        .filter(|suppression| !suppression.holds_at(now));
    let expired = expired.filter_map(|suppression| {
        Some(ExpiredSuppression {
            reason: suppression.reason.clone(),
            expires: suppression.expires?.to_string(),
        })
    });
    let mut facts = Filter::new(
        [
            &filter.name,
            &filter.title,
            filter.severity.name(),
            filter.pattern.source(),
        ],
        alarm.group_by.iter().map(ToString::to_string).collect(),
        &alarm.definition,
        expired.collect(),
    );
    facts.has_native_alarm = has_native_alarm;
    Some(facts)
}

/// One invocation: what is counted, and when it must end.
struct Batch {
    outcomes: RefCell<Outcomes>,
    deadline_millis: i64,
}

impl Batch {
    fn count(&self, metric: &str, n: u64) {
        self.outcomes.borrow_mut().count(metric, n);
    }

    fn count_by(&self, metric: &str, dimension: &str, value: &str, n: u64) {
        let mut outcomes = self.outcomes.borrow_mut();
        outcomes.count_by(metric, dimension, value, n);
    }

    fn ignored(&self, ignored: &[crate::Ignored]) {
        for ignored in ignored {
            tracing::info!(
                outcome = "skipped",
                reason = ignored.name(),
                "nothing to read"
            );
            self.count_by("FilesSkipped", "Reason", ignored.name(), 1);
        }
    }

    /// An object that another message of the batch announced, too.
    fn announced_again(&self, outcome: &ObjectOutcome) {
        match outcome {
            ObjectOutcome::Processed(_) => {
                let reason = SkipReason::AlreadyProcessed.name();
                self.count_by("FilesSkipped", "Reason", reason, 1);
            }
            ObjectOutcome::Skipped(reason) => {
                self.count_by("FilesSkipped", "Reason", reason.name(), 1);
            }
            ObjectOutcome::Failed { reason, .. } => {
                self.count_by("FilesFailed", "Reason", reason.0, 1);
            }
            ObjectOutcome::InProgress { .. } => self.count("FilesInProgress", 1),
        }
    }

    fn filters_event(&self, event: &FiltersEvent) {
        match event {
            FiltersEvent::Loaded { filters, from } => {
                tracing::info!(filters, from, "filters are in force");
            }
            FiltersEvent::Refused { why } => {
                tracing::error!(
                    why,
                    "filters file refused, the last good one stays in force"
                );
                self.count("FiltersRefused", 1);
            }
            FiltersEvent::NotKept { why } => {
                tracing::warn!(why, "the last good filters file is not kept in the table");
                self.count("FiltersNotKept", 1);
            }
        }
    }

    /// Counts and logs what became of an object, once for each that was announced.
    fn outcome(&self, location: &ObjectLocation, outcome: &ObjectOutcome, millis: i64) {
        match outcome {
            ObjectOutcome::Processed(processed) => self.processed(location, processed, millis),
            ObjectOutcome::Skipped(reason) => {
                let reason = reason.name();
                tracing::info!(object = %location, outcome = "skipped", reason, "object skipped");
                self.count_by("FilesSkipped", "Reason", reason, 1);
            }
            ObjectOutcome::Failed { reason, error } => {
                tracing::error!(
                    object = %location, outcome = "failed", reason = reason.0, error, millis,
                    "object failed"
                );
                self.count_by("FilesFailed", "Reason", reason.0, 1);
            }
            ObjectOutcome::InProgress { until_millis } => {
                tracing::info!(
                    object = %location, outcome = "in_progress", until_millis,
                    "another is at work on the object"
                );
                self.count("FilesInProgress", 1);
            }
        }
    }

    fn processed(&self, location: &ObjectLocation, processed: &Processed, millis: i64) {
        let report = &processed.report;
        let matched: u64 = report.filters.iter().map(|count| count.matched).sum();
        let suppressed: u64 = report.filters.iter().map(|count| count.suppressed).sum();
        let skipped: u64 = report.summary.skipped.iter().map(|(_, count)| count).sum();
        tracing::info!(
            object = %location, outcome = "processed", records = report.summary.read,
            evaluated = report.evaluated, skipped, matched, suppressed, sent = processed.sent,
            messages = processed.messages, millis, "object processed"
        );
        self.count("FilesProcessed", 1);
        self.count("BytesInflated", report.summary.content_bytes);
        self.count("RecordsRead", report.summary.read);
        self.count("RecordsEvaluated", report.evaluated);
        for &(reason, count) in &report.summary.skipped {
            self.count_by("RecordsSkipped", "Reason", reason.name(), count);
        }
        self.count("EventsMatched", matched);
        self.count("EventsSuppressed", suppressed);
        self.count("OwnCallsSuppressed", processed.own_calls);
        self.count("EventsSent", processed.sent);
        self.count("LateEvents", processed.late);
        self.count("FutureEvents", report.future);
        self.count("BeyondDedupHorizon", processed.beyond_horizon);
        self.count("TooOldForMetrics", processed.too_old_for_metrics);
        let without_value: u64 = report.filters.iter().map(|count| count.without_value).sum();
        self.count(
            "EventsWithoutValue",
            without_value + processed.without_dimension,
        );
        for (&reason, &events) in &processed.metrics_refused {
            if events > 0 {
                tracing::warn!(object = %location, reason, events, "metrics refused");
            }
            self.count_by("MetricsRefused", "Reason", reason, events);
        }
        if let Some(seconds) = processed.seconds_until_read {
            let mut outcomes = self.outcomes.borrow_mut();
            outcomes.measure("ObjectToReadSeconds", seconds.max(0) as f64);
        }
        for problem in &report.summary.problems {
            tracing::warn!(object = %location, problem = problem.kind.name(), "problem in object");
            self.count_by("Problems", "Kind", problem.kind.name(), 1);
        }
        if processed.changed {
            tracing::warn!(object = %location, problem = "object_changed", "the object was changed");
            self.count_by("Problems", "Kind", "object_changed", 1);
        }
        if processed.in_further_groups > 0 {
            let events = processed.in_further_groups;
            tracing::warn!(object = %location, problem = "group_limit", events, "too many groups");
            self.count_by("Problems", "Kind", "group_limit", 1);
        }
    }
}
