//! How long a request may take and how often it is tried: the one place that says so.
//!
//! The SDK's time limits end with the headers of an answer. A body that is streamed, an object, has
//! limits of its own, which `objects` keeps: a silence may last as long as an attempt, and the whole
//! reading, all attempts at it included, as long as an operation and a body. An object that is read in
//! pieces gets more time the longer it is. They replace the SDK's stalled stream protection.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};

/// How often a request is sent, the first time included.
pub(crate) const ATTEMPTS: u32 = 3;

/// The same where a request must not fail because others are in the way.
const MANY_ATTEMPTS: u32 = 5;

/// What an object that is read in pieces must come with at least, all silences included.
const SLOWEST_BYTES_PER_SECOND: u64 = 1024 * 1024;

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
    /// How often a request that may be repeated is sent, the first time included.
    pub(crate) attempts: u32,
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
            attempts: ATTEMPTS,
        }
    }

    /// For a function that has ten seconds in all: four for a request, three more to read an object.
    pub fn brisk() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(1),
            attempt: Duration::from_millis(1_500),
            operation: Duration::from_secs(4),
            body: Duration::from_secs(3),
            attempts: ATTEMPTS,
        }
    }

    /// For a person who waits for a command: half a minute for a request.
    pub fn interactive() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
            operation: Duration::from_secs(30),
            body: Duration::from_secs(60),
            attempts: ATTEMPTS,
        }
    }

    /// For a run of many thousand requests, hundreds of them at a time: a minute and five attempts for each,
    /// whatever becomes of the others.
    pub fn persistent() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(20),
            operation: Duration::from_secs(60),
            body: Duration::from_secs(60),
            attempts: MANY_ATTEMPTS,
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
            attempts: ATTEMPTS,
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
            .with_max_attempts(self.attempts)
            .with_initial_backoff(BACKOFF)
            .with_max_backoff(self.attempt)
    }

    /// What bounds the retries of all requests of a client together. The SDK's own bound is 500 tokens, five
    /// for each retry under way: a hundred requests that are throttled at the same moment empty it, and those
    /// after them fail at their first attempt. With many attempts a request has all of its own.
    pub(crate) fn retry_partition(self) -> Option<RetryPartition> {
        (self.attempts > ATTEMPTS).then(|| {
            RetryPartition::custom("many")
                .token_bucket(TokenBucket::unlimited())
                .build()
        })
    }

    /// How long it may take to read a body of this length in pieces.
    pub(crate) fn body_of(self, length: Option<u64>) -> Duration {
        self.body + Duration::from_secs(length.unwrap_or(0) / SLOWEST_BYTES_PER_SECOND)
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
    fn a_large_object_has_the_time_it_takes() {
        let patient = Timeouts::patient();
        assert_eq!(patient.body_of(None), patient.body);
        assert_eq!(patient.body_of(Some(1024)), patient.body);
        let of_a_gigabyte = patient.body_of(Some(1 << 30));
        assert_eq!(of_a_gigabyte, patient.body + Duration::from_secs(1024));
    }

    #[test]
    fn two_attempts_fit_into_an_operation() {
        for timeouts in [
            Timeouts::patient(),
            Timeouts::brisk(),
            Timeouts::interactive(),
            Timeouts::persistent(),
        ] {
            assert!(timeouts.attempt * 2 + BACKOFF <= timeouts.operation);
        }
    }
}
