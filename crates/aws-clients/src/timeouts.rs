//! How long a request may take and how often it is tried: the one place that says so.
//!
//! The SDK's time limits end with the headers of an answer. A body that is streamed, an object, has
//! limits of its own, which `objects` keeps: a silence may last as long as an attempt, and the whole
//! reading, all attempts at it included, as long as an operation and a body. They replace the SDK's
//! stalled stream protection.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;

/// How often a request is sent, the first time included.
pub(crate) const ATTEMPTS: u32 = 3;

/// The longest wait before the second attempt; it doubles with each attempt.
pub(crate) const BACKOFF: Duration = Duration::from_millis(200);

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect.
    pub(crate) connect: Duration,
    /// One attempt, up to the headers of a streamed answer; then also each silence in its body.
    pub(crate) attempt: Duration,
    /// All attempts and the waiting between them.
    pub(crate) operation: Duration,
    /// What reading an object may take longer than other requests.
    pub(crate) body: Duration,
}

impl Timeouts {
    /// For a function that has a minute in all: ten seconds for a request, and 25 more to read an
    /// object, which is enough for 50 MB at 2 MB a second.
    pub fn patient() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(1),
            attempt: Duration::from_secs(3),
            operation: Duration::from_secs(10),
            body: Duration::from_secs(25),
        }
    }

    /// For a function that has ten seconds in all: four for a request, three more to read an object.
    pub fn brisk() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(1),
            attempt: Duration::from_millis(1_500),
            operation: Duration::from_secs(4),
            body: Duration::from_secs(3),
        }
    }

    /// For a person who waits for a command: half a minute for a request.
    pub fn interactive() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(30),
            body: Duration::from_secs(60),
        }
    }

    /// Limits that tests can wait for, on a busy machine too.
    #[cfg(test)]
    pub(crate) fn short() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(1),
            attempt: Duration::from_millis(1_000),
            operation: Duration::from_millis(2_500),
            body: Duration::from_millis(1_500),
        }
    }

    pub(crate) fn timeout_config(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }

    /// For requests that may be repeated.
    pub(crate) fn retry_config(self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(BACKOFF)
            .with_max_backoff(self.attempt)
    }

    /// For requests that `retry` repeats, and only when they had no effect.
    pub(crate) fn single_attempt(self) -> RetryConfig {
        RetryConfig::disabled()
    }

    pub(crate) fn stalled_stream_protection(self) -> StalledStreamProtectionConfig {
        StalledStreamProtectionConfig::disabled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_an_object_leaves_time_to_work_with_it() {
        let patient = Timeouts::patient();
        assert!(patient.operation + patient.body <= Duration::from_secs(40));
        let brisk = Timeouts::brisk();
        assert!(brisk.operation + brisk.body <= Duration::from_secs(8));
    }

    #[test]
    fn two_attempts_fit_into_an_operation() {
        for timeouts in [
            Timeouts::patient(),
            Timeouts::brisk(),
            Timeouts::interactive(),
        ] {
            assert!(timeouts.attempt * 2 + BACKOFF <= timeouts.operation);
        }
    }
}
