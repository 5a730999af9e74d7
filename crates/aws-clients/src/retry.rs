//! Sending a request again if it certainly had no effect: for requests that must not be carried out
//! twice. The SDK's own retries follow time-outs too.

use std::time::{Duration, Instant};

use ports::{ErrorKind, RequestError};

use crate::Timeouts;
use crate::random::random;
use crate::timeouts::{ATTEMPTS, BACKOFF};

/// Sends a request, and again while it is throttled. Any other error is returned at once: it would
/// come again, or the request may have been carried out.
pub(crate) async fn while_throttled<T>(
    timeouts: Timeouts,
    mut request: impl AsyncFnMut() -> Result<T, RequestError>,
) -> Result<T, RequestError> {
    let started = Instant::now();
    for attempt in 1..ATTEMPTS {
        match request().await {
            Err(error) if error.kind == ErrorKind::Throttled => {
                let delay = backoff(attempt);
                if started.elapsed() + delay > timeouts.operation {
                    return Err(error);
                }
                tokio::time::sleep(delay).await;
            }
            answer => return answer,
        }
    }
    request().await
}

/// How long to wait after an attempt (the first is 1): longer each time, and between half of that and
/// all of it, so that clients which were throttled together do not come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let longest = BACKOFF * 2_u32.saturating_pow(attempt.saturating_sub(1));
    let share = 512 + u32::try_from(random() % 513).unwrap_or(0);
    longest * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: ErrorKind) -> RequestError {
        RequestError {
            operation: "Publish",
            kind,
            code: None,
            message: None,
            source: "made up".into(),
        }
    }

    async fn attempts_until(kinds: &[ErrorKind]) -> (u32, Result<(), RequestError>) {
        let mut attempts = 0;
        let mut left = kinds.iter();
        let answer = while_throttled(Timeouts::short(), async || {
            attempts += 1;
            left.next().map_or(Ok(()), |kind| Err(failure(*kind)))
        })
        .await;
        (attempts, answer)
    }

    #[tokio::test]
    async fn a_throttled_request_is_sent_again() {
        let (attempts, answer) = attempts_until(&[ErrorKind::Throttled]).await;
        assert_eq!(attempts, 2);
        assert!(answer.is_ok());
    }

    #[tokio::test]
    async fn it_is_given_up_after_three_attempts() {
        let (attempts, answer) = attempts_until(&[ErrorKind::Throttled; 4]).await;
        assert_eq!(attempts, 3);
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Throttled);
    }

    #[tokio::test]
    async fn a_request_that_may_have_been_carried_out_is_not_sent_again() {
        let (attempts, answer) = attempts_until(&[ErrorKind::Unknown]).await;
        assert_eq!(attempts, 1);
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Unknown);
    }

    #[test]
    fn each_wait_is_within_its_bounds() {
        for _ in 0..100 {
            assert!((BACKOFF / 2..=BACKOFF).contains(&backoff(1)));
            assert!((BACKOFF..=BACKOFF * 2).contains(&backoff(2)));
        }
    }
}
