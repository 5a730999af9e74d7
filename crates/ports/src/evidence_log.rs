//! Log groups.

use crate::RequestError;

/// A log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub timestamp_millis: i64,
    /// Its text.
    pub message: String,
}

/// How many log events of a call were not taken, by why not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RejectedLogEvents {
    /// Older than 14 days or than what the log group retains.
    pub too_old: usize,
    /// More than two hours in the future.
    pub too_new: usize,
}

/// Writes to one log group.
pub trait PutLogEvents {
    /// Writes log events that one call can take: by time, within 24 hours, at most 10,000 and 1 MiB
    /// with 26 bytes for each (`emf::batches` makes such). The log stream, one for each instance of
    /// the client, is made when it is first needed.
    ///
    /// # Errors
    /// The request failed.
    async fn put_log_events(&self, events: &[LogEvent]) -> Result<RejectedLogEvents, RequestError>;
}
