//! Queues of SQS, FIFO queues and standard ones.
//!
//! `SendMessageBatch` answers for each message by itself, and may take a message while it fails an
//! earlier one of the same group. What failed is sent again with everything of its group that came
//! after it; the deduplication ids keep what was taken from being there twice. A standard queue knows neither: only
//! what failed is sent again.
//!
//! Source: SQS API Reference, "SendMessageBatch".

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use ports::{ErrorKind, QueueMessage, RequestError, SendMessages};

use crate::request::{kind_of, own_error, send};
use crate::retry::backoff;
use crate::timeouts::ATTEMPTS;

const SEND_MESSAGE_BATCH: &str = "SendMessageBatch";
const MOST_MESSAGES: usize = 10;
const MOST_BYTES: usize = 256 * 1024;

/// Sends messages to a queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    /// A standard queue has neither groups nor deduplication.
    is_fifo: bool,
}

impl SqsQueue {
    pub(crate) fn fifo(config: &SdkConfig, url: String) -> SqsQueue {
        SqsQueue {
            client: Client::new(config),
            url,
            is_fifo: true,
        }
    }

    pub(crate) fn standard(config: &SdkConfig, url: String) -> SqsQueue {
        SqsQueue {
            is_fifo: false,
            ..SqsQueue::fifo(config, url)
        }
    }

    /// Sends a batch, and what is left of it again, until nothing is left.
    async fn send_batch(&self, batch: &[QueueMessage]) -> Result<(), RequestError> {
        let mut pending: Vec<&QueueMessage> = batch.iter().collect();
        let mut round = 1;
        loop {
            let answer = self.send_once(&pending).await?;
            pending = left_over(&pending, &answer, self.is_fifo);
            if pending.is_empty() {
                return Ok(());
            }
            if round == ATTEMPTS || answer.failed.iter().any(|failed| failed.sender_fault) {
                return Err(failure(answer.failed));
            }
            tokio::time::sleep(backoff(round)).await;
            round += 1;
        }
    }

    async fn send_once(
        &self,
        messages: &[&QueueMessage],
    ) -> Result<SendMessageBatchOutput, RequestError> {
        let entries = messages
            .iter()
            .enumerate()
            .map(|(index, message)| entry(index, message, self.is_fifo))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| own_error(SEND_MESSAGE_BATCH, ErrorKind::Refused, error))?;
        let request = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries));
        send(SEND_MESSAGE_BATCH, request.send()).await
    }
}

impl SendMessages for SqsQueue {
    async fn send_messages(&self, messages: &[QueueMessage]) -> Result<(), RequestError> {
        let mut rest = messages;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_length(rest));
            self.send_batch(batch).await?;
            rest = later;
        }
        Ok(())
    }
}

/// How many of the messages one call takes; at least one.
fn batch_length(messages: &[QueueMessage]) -> usize {
    let mut bytes = 0;
    messages
        .iter()
        .take(MOST_MESSAGES)
        .take_while(|message| {
            bytes += message.body.len();
            bytes <= MOST_BYTES
        })
        .count()
        .max(1)
}

fn entry(
    index: usize,
    message: &QueueMessage,
    is_fifo: bool,
) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let of_fifo = |id: &String| is_fifo.then(|| id.clone());
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .set_message_group_id(of_fifo(&message.group_id))
        .set_message_deduplication_id(of_fifo(&message.deduplication_id))
        .build()
}

/// The messages that were not taken, and in a FIFO queue those that come after them in their groups.
fn left_over<'a>(
    sent: &[&'a QueueMessage],
    answer: &SendMessageBatchOutput,
    is_fifo: bool,
) -> Vec<&'a QueueMessage> {
    let taken: HashSet<&str> = answer.successful.iter().map(|entry| entry.id()).collect();
    let mut broken_groups = HashSet::new();
    sent.iter()
        .enumerate()
        .filter(|(index, message)| {
            let is_taken = taken.contains(index.to_string().as_str());
            if !is_taken {
                broken_groups.insert(&message.group_id);
            }
            !is_taken || is_fifo && broken_groups.contains(&message.group_id)
        })
        .map(|(_, message)| *message)
        .collect()
}

/// The error that the failed entries amount to: a fault of the sender's, if there is one.
fn failure(failed: Vec<BatchResultErrorEntry>) -> RequestError {
    let Some(worst) = failed.into_iter().max_by_key(|failed| failed.sender_fault) else {
        let told = "the answer does not tell what became of each message";
        return own_error(SEND_MESSAGE_BATCH, ErrorKind::Unknown, told);
    };
    let status = if worst.sender_fault { 400 } else { 500 };
    let told = worst.message.unwrap_or_default();
    RequestError {
        operation: SEND_MESSAGE_BATCH,
        kind: kind_of(status, Some(&worst.code), Some(&told)),
        code: Some(worst.code),
        message: Some(told.clone()),
        source: told.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded, Request};

    const URL: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/matches.fifo";

    fn message(group: &str, number: usize) -> QueueMessage {
        QueueMessage {
            body: format!("body-{group}{number}"),
            group_id: group.to_owned(),
            deduplication_id: format!("{group}{number}"),
        }
    }

    fn answer(taken: &[usize], failed: &[(usize, bool, &str)]) -> Answer {
        let taken: Vec<String> = taken
            .iter()
            .map(|id| format!(r#"{{"Id":"{id}","MessageId":"m","MD5OfMessageBody":"d"}}"#))
            .collect();
        let failed: Vec<String> = failed
            .iter()
            .map(|(id, fault, code)| {
                format!(r#"{{"Id":"{id}","SenderFault":{fault},"Code":"{code}","Message":"no"}}"#)
            })
            .collect();
        Answer::json(
            200,
            &format!(
                r#"{{"Successful":[{}],"Failed":[{}]}}"#,
                taken.join(","),
                failed.join(",")
            ),
        )
    }

    /// The bodies of the messages in a request, in their order.
    fn bodies(request: &Request) -> Vec<&str> {
        request
            .body
            .split("\"body-")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect()
    }

    async fn queue(server: &Recorded) -> SqsQueue {
        server.clients().await.queue(URL)
    }

    #[tokio::test]
    async fn what_failed_is_sent_again_with_what_follows_in_its_group() {
        let server = Recorded::answers([
            answer(&[0, 2, 3], &[(1, false, "InternalError")]),
            answer(&[0, 1], &[]),
        ]);
        let messages = [
            message("a", 1),
            message("b", 1),
            message("b", 2),
            message("a", 2),
        ];
        queue(&server).await.send_messages(&messages).await.unwrap();
        assert_eq!(bodies(&server.request(0)), ["a1", "b1", "b2", "a2"]);
        assert_eq!(bodies(&server.request(1)), ["b1", "b2"]);
        assert!(
            server
                .request(1)
                .body
                .contains(r#""MessageDeduplicationId":"b2""#)
        );
    }

    #[tokio::test]
    async fn a_standard_queue_gets_no_groups_and_only_what_failed_again() {
        let server = Recorded::answers([
            answer(&[0, 2], &[(1, false, "InternalError")]),
            answer(&[0], &[]),
        ]);
        let messages = [message("a", 1), message("a", 2), message("a", 3)];
        let queue = server.clients().await.standard_queue(URL);
        queue.send_messages(&messages).await.unwrap();
        assert_eq!(bodies(&server.request(0)), ["a1", "a2", "a3"]);
        assert_eq!(bodies(&server.request(1)), ["a2"]);
        for id in ["MessageGroupId", "MessageDeduplicationId"] {
            assert!(!server.request(0).body.contains(id));
        }
    }

    #[tokio::test]
    async fn messages_that_keep_failing_are_an_error_after_three_rounds() {
        let throttled = || answer(&[], &[(0, false, "RequestThrottled")]);
        let server = Recorded::answers([throttled(), throttled(), throttled(), throttled()]);
        let sent = queue(&server).await.send_messages(&[message("a", 1)]).await;
        let error = sent.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert_eq!(error.code.as_deref(), Some("RequestThrottled"));
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn a_message_at_fault_is_not_sent_again() {
        let server = Recorded::answers([
            answer(&[0], &[(1, true, "InvalidMessageContents")]),
            answer(&[0], &[]),
        ]);
        let messages = [message("a", 1), message("b", 1)];
        let error = queue(&server)
            .await
            .send_messages(&messages)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(error.code.as_deref(), Some("InvalidMessageContents"));
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn a_message_the_answer_says_nothing_about_is_sent_again() {
        let server = Recorded::answers([answer(&[0], &[]), answer(&[0], &[])]);
        let messages = [message("a", 1), message("a", 2)];
        queue(&server).await.send_messages(&messages).await.unwrap();
        assert_eq!(bodies(&server.request(1)), ["a2"]);
    }

    #[tokio::test]
    async fn a_call_whose_answer_got_lost_is_repeated() {
        let server = Recorded::answers([Answer::Silence, answer(&[0], &[])]);
        let sent = queue(&server).await.send_messages(&[message("a", 1)]).await;
        assert!(sent.is_ok());
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn eleven_messages_take_two_calls_in_order() {
        let server = Recorded::answers([
            answer(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[]),
            answer(&[0], &[]),
        ]);
        let messages: Vec<QueueMessage> = (0..11).map(|number| message("a", number)).collect();
        queue(&server).await.send_messages(&messages).await.unwrap();
        assert_eq!(bodies(&server.request(0)).len(), 10);
        assert_eq!(bodies(&server.request(1)), ["a10"]);
    }

    #[test]
    fn a_call_takes_256_kib_of_bodies_or_one_message() {
        let of_bytes = |bytes| QueueMessage {
            body: "x".repeat(bytes),
            ..message("a", 1)
        };
        let half = MOST_BYTES / 2;
        assert_eq!(batch_length(&[of_bytes(half), of_bytes(half)]), 2);
        assert_eq!(batch_length(&[of_bytes(half), of_bytes(half + 1)]), 1);
        assert_eq!(batch_length(&[of_bytes(MOST_BYTES + 1)]), 1);
    }
}
