//! Why a request failed, as far as its caller can act on it.

use std::error::Error;

/// A request that failed, after the retries that the client makes by itself.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed: {kind}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub struct RequestError {
    /// The name of the operation in AWS's API: `GetObject`.
    pub operation: &'static str,
    /// What the caller needs to know.
    pub kind: ErrorKind,
    /// The service's own error code, such as `NoSuchKey`, if it answered.
    pub code: Option<String>,
    /// What the service said about it, if it answered. Text from outside.
    pub message: Option<String>,
    /// The cause.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// An error and all its causes in one line, for log lines: `PutItem failed: throttled: ...`.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Kinds of failure. [`ErrorKind::name`] is the reason in log lines and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// What was asked for does not exist.
    NotFound,
    /// The role may not do that.
    AccessDenied,
    /// The object is encrypted with a KMS key that is denied, disabled or gone.
    KeyDenied,
    /// The object is archived: it must be restored before it can be read.
    Archived,
    /// Too many requests: the service asks to slow down.
    Throttled,
    /// Larger than the limit that the caller gave.
    TooLarge,
    /// The service answered, and refused for another reason: nothing was done.
    Refused,
    /// No answer, or one that does not say: it may have been done all the same.
    Unknown,
}

impl ErrorKind {
    /// The reason in log lines and metrics.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not_found",
            ErrorKind::AccessDenied => "access_denied",
            ErrorKind::KeyDenied => "kms_denied",
            ErrorKind::Archived => "archived",
            ErrorKind::Throttled => "throttled",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::Refused => "refused",
            ErrorKind::Unknown => "no_answer",
        }
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ErrorKind::NotFound => "it does not exist",
            ErrorKind::AccessDenied => "access denied",
            ErrorKind::KeyDenied => "its KMS key cannot be used",
            ErrorKind::Archived => "it is archived",
            ErrorKind::Throttled => "throttled",
            ErrorKind::TooLarge => "it is too large",
            ErrorKind::Refused => "the service refused",
            ErrorKind::Unknown => "no answer",
        })
    }
}

impl RequestError {
    /// Whether the request certainly had no effect.
    pub fn had_no_effect(&self) -> bool {
        self.kind != ErrorKind::Unknown
    }
}
