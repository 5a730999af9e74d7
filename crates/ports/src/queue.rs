//! FIFO queues.

use crate::RequestError;

/// A message for a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// At most 1 MiB; ours stay below 256 KiB.
    pub body: String,
    /// Messages of one group are received in order, one batch at a time.
    pub group_id: String,
    /// A message with the id of one sent to the group within five minutes is dropped by the queue.
    pub deduplication_id: String,
}

/// Sends messages to one queue.
pub trait SendMessages {
    /// Sends all messages, those of a group in this order. After an error some may have been sent;
    /// sending all again within five minutes sends none twice.
    ///
    /// # Errors
    /// A message was refused or a request failed.
    async fn send_messages(&self, messages: &[QueueMessage]) -> Result<(), RequestError>;
}
