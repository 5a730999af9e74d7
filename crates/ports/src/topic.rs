//! Topics.

use crate::RequestError;

/// What is published to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// At most 99 ASCII characters, on one line.
    pub subject: String,
    /// The message: with `is_json_structure` a JSON object with a member for each protocol and `default`,
    /// else text as it is. At most 256 KiB, attributes included.
    pub message: String,
    /// Whether `message` has a member for each protocol (`MessageStructure: json`).
    pub is_json_structure: bool,
    /// What filter policies of subscriptions can look at.
    pub attributes: Vec<Attribute>,
}

/// A message attribute of type String.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value; never empty.
    pub value: String,
}

/// Publishes.
pub trait Publish {
    /// Publishes to a topic, by its ARN. Once this returns `Ok` the topic has accepted the message.
    ///
    /// It is tried once more only after an error that [`RequestError::had_no_effect`].
    ///
    /// # Errors
    /// The request failed.
    async fn publish(&self, topic_arn: &str, publication: &Publication)
    -> Result<(), RequestError>;
}
