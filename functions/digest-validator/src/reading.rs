//! Reading digests and log files, each in one go and in constant memory.

use std::ops::ControlFlow;

use digest_chain::{DigestObject, DigestRead, Location, LogContent, LogHasher, MOST_DIGEST_BYTES};
use futures_util::{StreamExt as _, stream};
use ports::{
    Clock as _, ErrorKind, ObjectHead, ObjectLocation, RequestError, Sink, StreamObject as _,
    with_sources,
};

use crate::ports::Outside;
use crate::stopped::Stopped;

/// Objects that are read at a time.
pub(crate) const AT_A_TIME: usize = 32;

/// How often an object is read whose service does not answer, beyond what the client does by itself.
pub(crate) const TRIES: usize = 2;

/// A digest as it was read.
#[derive(Debug)]
pub(crate) struct ReadDigest {
    pub(crate) location: Location,
    pub(crate) head: ObjectHead,
    pub(crate) outcome: DigestOutcome,
}

/// Why nothing is known of an object.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    pub(crate) kind: ErrorKind,
    pub(crate) reason: String,
}

impl Unread {
    pub(crate) fn of(error: &RequestError) -> Self {
        Unread {
            kind: error.kind,
            reason: with_sources(error),
        }
    }

    /// Whether it may be otherwise in the next run, without anybody doing anything.
    pub(crate) fn may_pass(&self) -> bool {
        may_pass(self.kind)
    }
}

fn may_pass(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Throttled | ErrorKind::Unknown)
}

/// What became of reading a digest.
#[derive(Debug)]
pub(crate) enum DigestOutcome {
    /// It was read, or is no digest, or is gone.
    Read(DigestRead),
    /// Nothing is known of it; why not.
    Unreadable(Unread),
}

/// What became of reading a log file.
#[derive(Debug)]
pub(crate) enum LogOutcome {
    /// What it holds.
    Read(LogContent),
    /// It is not there.
    NotFound,
    /// Nothing is known of it; why not.
    Unreadable(Unread),
}

/// A log file as it was read.
#[derive(Debug)]
pub(crate) struct ReadLog {
    pub(crate) head: ObjectHead,
    pub(crate) outcome: LogOutcome,
}

/// Keeps what it is given, up to a limit.
#[derive(Default)]
struct Kept {
    content: Vec<u8>,
    is_too_large: bool,
}

impl Sink for Kept {
    fn begin(&mut self, _: &ObjectHead) {
        *self = Kept::default();
    }

    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        // What inflates to at most this much is not larger, compressed, but by a little.
        let most = usize::try_from(MOST_DIGEST_BYTES).unwrap_or(usize::MAX);
        if self.content.len() + bytes.len() > most {
            self.is_too_large = true;
            return ControlFlow::Break(());
        }
        self.content.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }
}

/// Hashes what it is given.
#[derive(Default)]
struct Hashed(LogHasher);

impl Sink for Hashed {
    fn begin(&mut self, _: &ObjectHead) {
        self.0 = LogHasher::new();
    }

    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.0.push(bytes);
        match self.0.is_decided() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Reads digests, many at a time, in the order they are named.
pub(crate) async fn read_digests(
    outside: &impl Outside,
    locations: Vec<Location>,
) -> Vec<ReadDigest> {
    stream::iter(locations)
        .map(|location| read_digest(outside, location))
        .buffered(AT_A_TIME)
        .collect()
        .await
}

/// Reads a digest.
pub(crate) async fn read_digest(outside: &impl Outside, location: Location) -> ReadDigest {
    let mut kept = Kept::default();
    let (head, outcome) = match streamed(outside, &location, &mut kept).await {
        Ok(head) if kept.is_too_large => {
            let outcome = DigestOutcome::Read(DigestRead::of(DigestObject {
                bucket: location.bucket.clone(),
                key: location.key.clone(),
                content: Vec::new(),
                metadata: head.metadata.clone(),
            }));
            (head, outcome)
        }
        Ok(head) => {
            let object = DigestObject {
                bucket: location.bucket.clone(),
                key: location.key.clone(),
                content: kept.content,
                metadata: head.metadata.clone(),
            };
            (head, DigestOutcome::Read(DigestRead::of(object)))
        }
        Err(error) if error.kind == ErrorKind::NotFound => {
            let gone = DigestRead::not_found(location.clone());
            (ObjectHead::default(), DigestOutcome::Read(gone))
        }
        Err(error) => {
            let outcome = DigestOutcome::Unreadable(Unread::of(&error));
            (ObjectHead::default(), outcome)
        }
    };
    ReadDigest {
        location,
        head,
        outcome,
    }
}

/// Reads log files, many at a time, in the order they are named.
///
/// # Errors
/// Time ran out.
pub(crate) async fn read_logs(
    outside: &impl Outside,
    locations: &[Location],
    stop_at_millis: i64,
) -> Result<Vec<ReadLog>, Stopped> {
    let mut reading = stream::iter(locations)
        .map(|location| read_log(outside, location))
        .buffered(AT_A_TIME);
    let mut read = Vec::with_capacity(locations.len());
    while let Some(log) = reading.next().await {
        read.push(log);
        if outside.clock().now_millis() >= stop_at_millis && read.len() < locations.len() {
            return Err(Stopped::NoTime);
        }
    }
    Ok(read)
}

/// Reads a log file.
pub(crate) async fn read_log(outside: &impl Outside, location: &Location) -> ReadLog {
    let mut hashed = Hashed::default();
    match streamed(outside, location, &mut hashed).await {
        Ok(head) => ReadLog {
            head,
            outcome: LogOutcome::Read(hashed.0.finish()),
        },
        Err(error) => ReadLog {
            head: ObjectHead::default(),
            outcome: match error.kind {
                ErrorKind::NotFound => LogOutcome::NotFound,
                _ => LogOutcome::Unreadable(Unread::of(&error)),
            },
        },
    }
}

async fn streamed(
    outside: &impl Outside,
    location: &Location,
    sink: &mut impl Sink,
) -> Result<ObjectHead, RequestError> {
    let location = ObjectLocation {
        bucket: location.bucket.clone(),
        key: location.key.clone(),
        version: None,
    };
    let mut tries = 1;
    loop {
        let read = outside.objects().stream_object(&location, sink).await;
        match read {
            Err(error) if may_pass(error.kind) && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}
