//! Why the work on a folder stopped.

use ports::{RequestError, with_sources};

/// Why the work on a folder, or on a part of a run, stopped: the next run goes on there.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The time of the invocation is over.
    NoTime,
    /// It failed.
    Failed {
        /// In a word, for metrics.
        reason: &'static str,
        /// In a sentence.
        error: String,
    },
}

impl Stopped {
    pub(crate) fn failed(reason: &'static str, error: impl Into<String>) -> Self {
        Stopped::Failed {
            reason,
            error: error.into(),
        }
    }

    /// Another process has written what this one was about to.
    pub(crate) fn conflict() -> Self {
        Stopped::failed("conflict", "another run is at work on the same folder")
    }
}

impl From<RequestError> for Stopped {
    fn from(error: RequestError) -> Self {
        Stopped::failed(error.kind.name(), with_sources(&error))
    }
}
