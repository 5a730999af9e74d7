//! SQS for an [`Account`]: queues and messages.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::Account;
use crate::account::{list_of, text_of};

/// A queue that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name; a FIFO queue's ends in `.fifo`.
    pub name: String,
    /// Its URL, as `QueueUrl` parameters want it.
    pub url: String,
    /// Its ARN.
    pub arn: String,
}

/// What a queue shall be.
#[derive(Clone, Debug)]
pub struct QueueSpec {
    name: String,
    attributes: Map<String, Value>,
}

impl QueueSpec {
    /// A standard queue with a visibility timeout of 30 seconds.
    pub fn standard(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            attributes: Map::new(),
        }
    }

    /// A FIFO queue that deduplicates within each message group, by the id that the sender gives.
    ///
    /// # Panics
    ///
    /// The name does not end in `.fifo`.
    pub fn fifo(name: &str) -> Self {
        assert!(
            name.ends_with(".fifo"),
            "expected the name of a FIFO queue to end in `.fifo`, got `{name}`"
        );
        Self::standard(name)
            .attribute("FifoQueue", "true")
            .attribute("ContentBasedDeduplication", "false")
            .attribute("DeduplicationScope", "messageGroup")
            .attribute("FifoThroughputLimit", "perMessageGroupId")
    }

    /// How long a received message stays invisible.
    #[must_use]
    pub fn visibility_seconds(self, seconds: u32) -> Self {
        self.attribute("VisibilityTimeout", &seconds.to_string())
    }

    /// A message received more than `max_receives` times goes to the dead-letter queue.
    #[must_use]
    pub fn redrive(self, dead_letters: &Queue, max_receives: u32) -> Self {
        let policy =
            json!({ "deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": max_receives });
        self.attribute("RedrivePolicy", &policy.to_string())
    }

    fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id SQS gave it.
    pub id: String,
    /// The handle of this receipt.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// MD5 of the body, hexadecimal.
    pub md5_of_body: String,
    /// System attributes, all text: `ApproximateReceiveCount`, `MessageGroupId` and others.
    pub attributes: Map<String, Value>,
    /// The sender's attributes, as SQS has them (`DataType`, `StringValue`, `BinaryValue`).
    pub message_attributes: Map<String, Value>,
}

impl Message {
    /// The message group of a message from a FIFO queue.
    pub fn group(&self) -> Option<&str> {
        self.attributes
            .get("MessageGroupId")
            .and_then(Value::as_str)
    }

    /// How often the message has been received, this time included.
    pub fn receive_count(&self) -> u32 {
        let count = self
            .attributes
            .get("ApproximateReceiveCount")
            .and_then(Value::as_str);
        count
            .and_then(|count| count.parse().ok())
            .unwrap_or_default()
    }
}

/// What is on a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be received.
    pub visible: usize,
    /// Received, and neither deleted nor visible again.
    pub in_flight: usize,
    /// Sent with a delay that has not ended.
    pub delayed: usize,
}

impl Depth {
    /// All messages on the queue.
    pub fn total(self) -> usize {
        self.visible + self.in_flight + self.delayed
    }
}

impl Account {
    /// Creates a queue.
    pub async fn create_queue(&self, spec: QueueSpec) -> Queue {
        let asked = json!({ "QueueName": spec.name, "Attributes": spec.attributes });
        let url = text_of(
            &self.json("AmazonSQS.CreateQueue", &asked).await,
            "QueueUrl",
        );
        let attributes = self.queue_attributes(&url).await;
        Queue {
            name: spec.name,
            arn: text_of(&attributes, "QueueArn"),
            url,
        }
    }

    /// A queue that somebody else made, by its URL.
    pub async fn queue(&self, url: &str) -> Queue {
        let arn = text_of(&self.queue_attributes(url).await, "QueueArn");
        Queue {
            name: url.rsplit('/').next().unwrap_or_default().to_owned(),
            url: url.to_owned(),
            arn,
        }
    }

    /// Sets an attribute of a queue; a visibility timeout counts for what is received from then on.
    pub async fn set_queue_attribute(&self, queue: &Queue, name: &str, value: &str) {
        let asked = json!({ "QueueUrl": queue.url, "Attributes": { name: value } });
        self.json("AmazonSQS.SetQueueAttributes", &asked).await;
    }

    /// Sends a message to a standard queue and returns its id.
    pub async fn send_message(&self, queue: &Queue, body: &str) -> String {
        let asked = json!({ "QueueUrl": queue.url, "MessageBody": body });
        text_of(
            &self.json("AmazonSQS.SendMessage", &asked).await,
            "MessageId",
        )
    }

    /// Sends a message to a group of a FIFO queue and returns its id: that of the earlier message where
    /// `deduplication_id` says it is the same.
    pub async fn send_fifo_message(
        &self,
        queue: &Queue,
        body: &str,
        group: &str,
        deduplication_id: &str,
    ) -> String {
        let asked = json!({
            "QueueUrl": queue.url, "MessageBody": body,
            "MessageGroupId": group, "MessageDeduplicationId": deduplication_id,
        });
        text_of(
            &self.json("AmazonSQS.SendMessage", &asked).await,
            "MessageId",
        )
    }

    /// Receives up to `max` (at most 10) messages, waiting up to `wait` (whole seconds) for the first.
    pub async fn receive_messages(
        &self,
        queue: &Queue,
        max: usize,
        wait: Duration,
    ) -> Vec<Message> {
        let asked = json!({
            "QueueUrl": queue.url, "MaxNumberOfMessages": max, "WaitTimeSeconds": wait.as_secs(),
            "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        let mut answer = self.json("AmazonSQS.ReceiveMessage", &asked).await;
        list_of(&mut answer, "Messages")
            .into_iter()
            .map(message)
            .collect()
    }

    /// Deletes a message by the handle of its last receipt. An outdated handle deletes nothing.
    pub async fn delete_message(&self, queue: &Queue, receipt_handle: &str) {
        let asked = json!({ "QueueUrl": queue.url, "ReceiptHandle": receipt_handle });
        let response = self.try_json("AmazonSQS.DeleteMessage", &asked).await;
        let response =
            response.unwrap_or_else(|error| panic!("expected an answer to DeleteMessage: {error}"));
        let text = String::from_utf8_lossy(response.body());
        let outdated =
            response.status() == StatusCode::BAD_REQUEST && text.contains("ReceiptHandleIsInvalid");
        assert!(
            response.status().is_success() || outdated,
            "expected DeleteMessage to succeed: {text}"
        );
    }

    /// Makes a received message visible again after `seconds`; 0 is at once.
    pub async fn change_visibility(&self, queue: &Queue, receipt_handle: &str, seconds: u32) {
        let asked = json!({ "QueueUrl": queue.url, "ReceiptHandle": receipt_handle, "VisibilityTimeout": seconds });
        self.json("AmazonSQS.ChangeMessageVisibility", &asked).await;
    }

    /// What is on the queue now.
    pub async fn queue_depth(&self, queue: &Queue) -> Depth {
        let attributes = self.queue_attributes(&queue.url).await;
        let count = |name: &str| {
            let count = text_of(&attributes, name);
            count
                .parse()
                .unwrap_or_else(|_| panic!("expected a number at `{name}`, got `{count}`"))
        };
        Depth {
            visible: count("ApproximateNumberOfMessages"),
            in_flight: count("ApproximateNumberOfMessagesNotVisible"),
            delayed: count("ApproximateNumberOfMessagesDelayed"),
        }
    }

    /// Removes all messages.
    pub async fn purge(&self, queue: &Queue) {
        self.json("AmazonSQS.PurgeQueue", &json!({ "QueueUrl": queue.url }))
            .await;
    }

    /// All attributes of a queue, by its URL.
    pub async fn queue_attributes(&self, url: &str) -> Value {
        let asked = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        let mut answer = self.json("AmazonSQS.GetQueueAttributes", &asked).await;
        answer
            .get_mut("Attributes")
            .map(Value::take)
            .unwrap_or_default()
    }
}

fn message(mut received: Value) -> Message {
    Message {
        id: text_of(&received, "MessageId"),
        receipt_handle: text_of(&received, "ReceiptHandle"),
        body: text_of(&received, "Body"),
        md5_of_body: text_of(&received, "MD5OfBody"),
        attributes: members(&mut received, "Attributes"),
        message_attributes: members(&mut received, "MessageAttributes"),
    }
}

fn members(received: &mut Value, member: &str) -> Map<String, Value> {
    match received.get_mut(member).map(Value::take) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
