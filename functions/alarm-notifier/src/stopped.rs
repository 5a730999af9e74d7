//! Why the work on a message stopped.

use alarm_state::{MessageError, StoredError};
use ports::{RequestError, with_sources};

/// Why the work on a message stopped: it comes again.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// In a word, for metrics.
    pub(crate) reason: &'static str,
    /// In a sentence.
    pub(crate) error: String,
}

impl Stopped {
    pub(crate) fn new(reason: &'static str, error: &str) -> Self {
        Stopped {
            reason,
            error: error.to_owned(),
        }
    }

    /// Another process has written what this one was about to: it has lost its right to the group.
    pub(crate) fn conflict() -> Self {
        Stopped::new("conflict", "another process is at work on the group")
    }
}

impl From<RequestError> for Stopped {
    fn from(error: RequestError) -> Self {
        Stopped {
            reason: error.kind.name(),
            error: with_sources(&error),
        }
    }
}

impl From<StoredError> for Stopped {
    fn from(error: StoredError) -> Self {
        Stopped {
            reason: "stored_state",
            error: with_sources(&error),
        }
    }
}

impl From<MessageError> for Stopped {
    fn from(error: MessageError) -> Self {
        Stopped {
            reason: "unparsable",
            error: with_sources(&error),
        }
    }
}
