//! What is remembered of matches, and which step of which incident is told next.
//!
//! ```
//! use alarm_state::{Bucket, Sample};
//!
//! // The same event in two copies of a log file counts once, whoever brings it.
//! let mut bucket = Bucket::new(1_772_420_400);
//! let sample = Sample { time: 1_772_420_469, id: 7, value: 1.0 };
//! assert_eq!(bucket.merge(&[sample]), 1);
//! assert_eq!(bucket.merge(&[sample, Sample { id: 8, ..sample }]), 1);
//! assert_eq!(bucket.tallies()[0].count, 2);
//! ```
//!
//! A [`Matches`] message carries the samples of one filter and group from one log file (`message`,
//! `sample_codec`), or what an integrity check found ([`findings`], `finding`); `group` names the group. Samples are kept in [`Bucket`]s of ten minutes of event
//! time (`bucket`), the evidence beside them (`evidence`). The [`Head`] of a group has its [`Incident`]s
//! (`head`, `incident`): [`Head::reconcile`] makes them agree with the alarms of the samples, and each says
//! what is to be told next ([`Action`]). [`HourQuota`] (`quota`) bounds the messages of all groups together, and [`Ledger`
//! entries](FileEntry) (`ledger`) which log files are done.
//!
//! The promise: what is remembered is a function of the set of matches, not of their order, splitting
//! or repetition; a step is marked as being told before it is told and as told only after; all of it
//! is bounded. Every stored form has a schema number and a reader that says what is wrong with it.
//!
//! Out of scope: the table itself, the clock, publishing.

mod bucket;
mod evidence;
mod filter;
mod finding;
mod group;
mod head;
mod incident;
mod ledger;
mod message;
mod quota;
mod sample_codec;

pub use bucket::{
    BUCKET_SECONDS, Bucket, Encoded, MOST_SAMPLES_A_MINUTE, MOST_VALUES_A_MINUTE, bucket_start,
};
pub use evidence::EvidenceBucket;
pub use filter::{ExpiredSuppression, Filter};
pub use finding::{Finding, FindingStream, findings};
pub use group::{GroupId, GroupKeys, hash};
pub use head::{Forgotten, Head, NATIVE_ALARM_SECONDS, Reconciled};
pub use incident::{Action, FOLLOW_UP_SECONDS, Incident, NewEvents, Telling};
pub use ledger::{Claim, FileEntry, FileStatus, LEDGER_SECONDS, file_key};
pub use message::{
    MOST_EVIDENCE, MOST_SAMPLES, Matches, MessageError, QueueBody, SourceObject, Summary, Tick,
    split,
};
pub use metric_alarm::Sample;
pub use notification::FindingGuide;
pub use quota::{
    HeldStep, HourQuota, MOST_MESSAGES_AN_HOUR, Slot, SummaryState, hour_of, quota_key,
};
pub use sample_codec::CodecError;

/// How long matches are remembered, by their event time: 14 days, in seconds.
pub const HORIZON_SECONDS: i64 = 14 * 86_400;

/// What is read back from the table is not what was written there.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the stored {what}")]
pub struct StoredError {
    /// What it should have been: `head of a group`.
    pub what: &'static str,
    /// What is wrong with it.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What is stored has a form that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("it has schema {found}, expected {expected}: a later version wrote it")]
struct SchemaError {
    found: u32,
    expected: u32,
}

/// Reads a stored form of JSON. A later form is refused and never written over.
fn parse_stored<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: &str,
    schema: u32,
) -> Result<T, StoredError> {
    #[derive(serde::Deserialize)]
    struct Schema {
        schema: u32,
    }
    let failed = |source| StoredError::new(what, source);
    let Schema { schema: found } = serde_json::from_str(text).map_err(failed)?;
    if found != schema {
        let expected = schema;
        return Err(StoredError::new(what, SchemaError { found, expected }));
    }
    serde_json::from_str(text).map_err(failed)
}

impl StoredError {
    fn new(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            what,
            source: Box::new(source),
        }
    }
}
