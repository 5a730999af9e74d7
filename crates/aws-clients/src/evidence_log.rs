//! Log groups of CloudWatch Logs.
//!
//! Writing the same log events twice would count their metrics twice. So `PutLogEvents` is sent again
//! only after an answer that says nothing was written.
//!
//! Source: CloudWatch Logs API Reference, "PutLogEvents", "RejectedLogEventsInfo".

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Builder;
use aws_sdk_cloudwatchlogs::error::BuildError;
use aws_sdk_cloudwatchlogs::operation::create_log_stream::CreateLogStreamError;
use aws_sdk_cloudwatchlogs::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, RejectedLogEventsInfo};
use ports::{ErrorKind, LogEvent, PutLogEvents, RejectedLogEvents, RequestError};

use crate::Timeouts;
use crate::random::random;
use crate::request::{own_error, request_error, send};
use crate::retry::while_throttled;

const CREATE_LOG_STREAM: &str = "CreateLogStream";
const PUT_LOG_EVENTS: &str = "PutLogEvents";

/// Writes to a log group, in a log stream of its own.
#[derive(Debug)]
pub struct EvidenceLog {
    client: Client,
    timeouts: Timeouts,
    log_group: String,
    log_stream: String,
    has_log_stream: AtomicBool,
}

impl EvidenceLog {
    pub(crate) fn new(
        config: &SdkConfig,
        timeouts: Timeouts,
        log_group: String,
        function_version: Option<&str>,
    ) -> EvidenceLog {
        EvidenceLog {
            client: Client::new(config),
            timeouts,
            log_group,
            log_stream: log_stream(SystemTime::now().into(), function_version, random()),
            has_log_stream: AtomicBool::new(false),
        }
    }

    async fn create_log_stream(&self) -> Result<(), RequestError> {
        tracing::debug!(operation = CREATE_LOG_STREAM, "request");
        let answer = self
            .client
            .create_log_stream()
            .log_group_name(&self.log_group)
            .log_stream_name(&self.log_stream)
            .send()
            .await;
        if let Err(error) = answer {
            let is_there = error
                .as_service_error()
                .is_some_and(CreateLogStreamError::is_resource_already_exists_exception);
            if !is_there {
                return Err(request_error(CREATE_LOG_STREAM, error));
            }
        }
        self.has_log_stream.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn put(&self, events: &[LogEvent]) -> Result<RejectedLogEvents, RequestError> {
        let rejected = while_throttled(self.timeouts, async || self.put_once(events).await).await?;
        Ok(rejected.map_or_else(RejectedLogEvents::default, |info| {
            rejected_log_events(&info, events.len())
        }))
    }

    async fn put_once(
        &self,
        events: &[LogEvent],
    ) -> Result<Option<RejectedLogEventsInfo>, RequestError> {
        let events = events
            .iter()
            .map(input_log_event)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| own_error(PUT_LOG_EVENTS, ErrorKind::Refused, error))?;
        let request = self
            .client
            .put_log_events()
            .log_group_name(&self.log_group)
            .log_stream_name(&self.log_stream)
            .set_log_events(Some(events))
            .customize()
            .config_override(Builder::new().retry_config(self.timeouts.single_attempt()));
        let answer = send(PUT_LOG_EVENTS, request.send()).await?;
        Ok(answer.rejected_log_events_info)
    }
}

impl PutLogEvents for EvidenceLog {
    async fn put_log_events(&self, events: &[LogEvent]) -> Result<RejectedLogEvents, RequestError> {
        if events.is_empty() {
            return Ok(RejectedLogEvents::default());
        }
        if !self.has_log_stream.load(Ordering::Relaxed) {
            self.create_log_stream().await?;
        }
        match self.put(events).await {
            Err(error) if error.kind == ErrorKind::NotFound => {
                self.create_log_stream().await?;
                self.put(events).await
            }
            answer => answer,
        }
    }
}

/// A name as Lambda gives it to a function's log streams: the day, the version, a random number.
fn log_stream(now: DateTime, function_version: Option<&str>, random: u64) -> String {
    let now = now.fmt(DateTimeFormat::DateTime).unwrap_or_default();
    let day = now.get(..10).unwrap_or("1970-01-01").replace('-', "/");
    let version = function_version.unwrap_or("local");
    format!("{day}/[{version}]{random:016x}")
}

fn input_log_event(event: &LogEvent) -> Result<InputLogEvent, BuildError> {
    InputLogEvent::builder()
        .timestamp(event.timestamp_millis)
        .message(&event.message)
        .build()
}

/// How many log events lie before the end of those that are too old or expired, and from the start of
/// those that are too new.
fn rejected_log_events(info: &RejectedLogEventsInfo, count: usize) -> RejectedLogEvents {
    let index = |index: i32| usize::try_from(index).unwrap_or(0).min(count);
    let too_old = info.too_old_log_event_end_index.map_or(0, index);
    let expired = info.expired_log_event_end_index.map_or(0, index);
    RejectedLogEvents {
        too_old: too_old.max(expired),
        too_new: count - info.too_new_log_event_start_index.map_or(count, index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded};

    fn events(count: i64) -> Vec<LogEvent> {
        (0..count)
            .map(|number| LogEvent {
                timestamp_millis: 1_700_000_000_000 + number,
                message: format!("event {number}"),
            })
            .collect()
    }

    fn ok() -> Answer {
        Answer::json(200, "{}")
    }

    fn error(code: &str) -> Answer {
        Answer::json(
            400,
            &format!(r#"{{"__type":"{code}","message":"made up"}}"#),
        )
    }

    fn operations(server: &Recorded) -> Vec<String> {
        (0..server.requests())
            .map(|index| {
                let head = server.request(index).head.to_ascii_lowercase();
                let target = head.split_once("x-amz-target: logs_20140328.").unwrap().1;
                target.lines().next().unwrap().to_owned()
            })
            .collect()
    }

    async fn log(server: &Recorded) -> EvidenceLog {
        server.clients().await.evidence_log("/trailwarden/evidence")
    }

    #[tokio::test]
    async fn the_log_stream_is_made_once_before_the_first_log_event() {
        let server = Recorded::answers([ok(), ok(), ok()]);
        let log = log(&server).await;
        let rejected = log.put_log_events(&events(2)).await.unwrap();
        assert_eq!(rejected, RejectedLogEvents::default());
        log.put_log_events(&events(1)).await.unwrap();
        let expected = ["createlogstream", "putlogevents", "putlogevents"];
        assert_eq!(operations(&server), expected);
        let body = server.request(1).body;
        assert!(
            body.contains(r#"{"timestamp":1700000000001,"message":"event 1"}"#),
            "{body}"
        );
        assert!(body.contains(&log.log_stream), "{body}");
    }

    #[tokio::test]
    async fn a_log_stream_that_is_there_already_will_do() {
        let server = Recorded::answers([error("ResourceAlreadyExistsException"), ok()]);
        assert!(log(&server).await.put_log_events(&events(1)).await.is_ok());
    }

    #[tokio::test]
    async fn a_log_stream_that_is_gone_is_made_again() {
        let gone = error("ResourceNotFoundException");
        let server = Recorded::answers([ok(), gone, ok(), ok()]);
        assert!(log(&server).await.put_log_events(&events(1)).await.is_ok());
        let expected = [
            "createlogstream",
            "putlogevents",
            "createlogstream",
            "putlogevents",
        ];
        assert_eq!(operations(&server), expected);
    }

    #[tokio::test]
    async fn a_log_group_that_is_not_there_is_not_found() {
        let server = Recorded::answers([error("ResourceNotFoundException"), ok()]);
        let put = log(&server).await.put_log_events(&events(1)).await;
        assert_eq!(put.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn log_events_that_were_not_taken_are_counted_by_why_not() {
        let answer = r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":2,"expiredLogEventEndIndex":3,"tooNewLogEventStartIndex":5}}"#;
        let server = Recorded::answers([ok(), Answer::json(200, answer)]);
        let rejected = log(&server).await.put_log_events(&events(7)).await.unwrap();
        let expected = RejectedLogEvents {
            too_old: 3,
            too_new: 2,
        };
        assert_eq!(rejected, expected);
    }

    #[tokio::test]
    async fn log_events_whose_answer_got_lost_are_not_written_again() {
        let server = Recorded::answers([ok(), Answer::Silence, ok()]);
        let put = log(&server).await.put_log_events(&events(1)).await;
        assert_eq!(put.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn a_failure_of_the_service_is_not_followed_by_another_try() {
        let failure = r#"{"__type":"ServiceUnavailableException","message":"made up"}"#;
        let server = Recorded::answers([ok(), Answer::json(500, failure), ok()]);
        let put = log(&server).await.put_log_events(&events(1)).await;
        assert_eq!(put.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn throttled_log_events_are_written_later() {
        let server = Recorded::answers([ok(), error("ThrottlingException"), ok()]);
        assert!(log(&server).await.put_log_events(&events(1)).await.is_ok());
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn no_log_events_need_no_request() {
        let server = Recorded::answers([ok()]);
        let rejected = log(&server).await.put_log_events(&[]).await.unwrap();
        assert_eq!(rejected, RejectedLogEvents::default());
        assert_eq!(server.requests(), 0);
    }

    #[test]
    fn indexes_outside_of_the_call_count_no_more_than_there_is() {
        let info = RejectedLogEventsInfo::builder()
            .too_old_log_event_end_index(9)
            .too_new_log_event_start_index(-1)
            .build();
        let expected = RejectedLogEvents {
            too_old: 4,
            too_new: 4,
        };
        assert_eq!(rejected_log_events(&info, 4), expected);
    }

    #[test]
    fn a_log_stream_is_named_by_day_version_and_chance() {
        let now = DateTime::from_secs(1_795_253_804);
        assert_eq!(
            log_stream(now, Some("$LATEST"), 0xab),
            "2026/11/21/[$LATEST]00000000000000ab"
        );
        assert_eq!(
            log_stream(now, None, u64::MAX),
            "2026/11/21/[local]ffffffffffffffff"
        );
    }
}
