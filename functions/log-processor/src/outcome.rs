//! What became of an object that was announced.

use std::collections::BTreeMap;

use metric_filters::LogFileReport;

/// The one outcome of an object.
#[derive(Debug)]
pub enum ObjectOutcome {
    /// It was read and evaluated, its matches are sent, its metrics written.
    Processed(Box<Processed>),
    /// There was nothing to be done.
    Skipped(SkipReason),
    /// Something went wrong: its message comes again.
    Failed {
        /// What, in a word.
        reason: FailReason,
        /// What, in a sentence; no event content.
        error: String,
    },
    /// Another is at work on it: its message comes again.
    InProgress {
        /// Until then, in milliseconds since the epoch.
        until_millis: i64,
    },
}

/// What an object held.
#[derive(Debug, Default)]
pub struct Processed {
    /// Records, problems, counts of each filter.
    pub report: LogFileReport,
    /// Matches that may raise an alarm, which were sent.
    pub sent: u64,
    /// Messages they were sent in.
    pub messages: usize,
    /// Suppressed matches that are calls of the stack itself.
    pub own_calls: u64,
    /// How long it lay in the bucket before it was read, in seconds, if that is known.
    pub seconds_until_read: Option<i64>,
    /// Matching events that were processed more than half an hour after they happened.
    pub late: u64,
    /// Of those sent: older than alarms remember.
    pub beyond_horizon: u64,
    /// Matches whose time is too old for CloudWatch: they are in no metric.
    pub too_old_for_metrics: u64,
    /// Matches without the value of a dimension: as in CloudWatch they are in no metric.
    pub without_dimension: u64,
    /// Matches whose metric was not taken for other reasons, by reason.
    pub metrics_refused: BTreeMap<&'static str, u64>,
    /// Matches in groups beyond what one file may have: they share a group.
    pub in_further_groups: u64,
    /// Another content under this key had been processed before, or the announced one is gone.
    pub changed: bool,
}

/// Why there was nothing to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// A digest file: the digest validator's business.
    DigestFile,
    /// Its key does not begin as those do that are to be read.
    OutsidePrefix,
    /// The marker of a folder.
    FolderMarker,
    /// Somebody else's object.
    NotALogFile,
    /// It has been processed.
    AlreadyProcessed,
}

impl SkipReason {
    /// As it stands in log lines and metrics.
    pub fn name(self) -> &'static str {
        match self {
            SkipReason::DigestFile => "digest_file",
            SkipReason::OutsidePrefix => "outside_prefix",
            SkipReason::FolderMarker => "folder_marker",
            SkipReason::NotALogFile => "not_a_log_file",
            SkipReason::AlreadyProcessed => "already_processed",
        }
    }
}

/// What went wrong, in a word: the name stands in log lines, metrics and the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FailReason(pub &'static str);

impl FailReason {
    /// There are no filters in force.
    pub const NO_FILTERS: FailReason = FailReason("no_filters");
    /// The lease ended before the work did.
    pub const LEASE_ENDED: FailReason = FailReason("lease_ended");
    /// A fault of ours.
    pub const INTERNAL: FailReason = FailReason("internal_error");
    /// The table has something that cannot be read.
    pub const STORED: FailReason = FailReason("stored_state");
}

impl ObjectOutcome {
    /// Whether the message that announced it must come again.
    pub fn comes_again(&self) -> bool {
        matches!(
            self,
            ObjectOutcome::Failed { .. } | ObjectOutcome::InProgress { .. }
        )
    }
}
