//! SNS for an [`Account`]: topics and the queues subscribed to them.

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Account, Queue};

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its ARN.
    pub arn: String,
}

impl Account {
    /// Creates a standard topic.
    pub async fn create_topic(&self, name: &str) -> Topic {
        let answer = self.query("CreateTopic", &[("Name", name)]).await;
        Topic {
            arn: element(&answer, "TopicArn").to_owned(),
        }
    }

    /// Has what is published on the topic sent to the queue: as it is if `raw`, else in SNS's JSON
    /// envelope. Returns the ARN of the subscription.
    pub async fn subscribe_queue(&self, topic: &Topic, queue: &Queue, raw: bool) -> String {
        let raw = if raw { "true" } else { "false" };
        let parameters = [
            ("TopicArn", topic.arn.as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", &queue.arn),
            ("ReturnSubscriptionArn", "true"),
            ("Attributes.entry.1.key", "RawMessageDelivery"),
            ("Attributes.entry.1.value", raw),
        ];
        element(
            &self.query("Subscribe", &parameters).await,
            "SubscriptionArn",
        )
        .to_owned()
    }

    /// Publishes a message and returns its id.
    pub async fn publish(&self, topic: &Topic, message: &str) -> String {
        let answer = self
            .query("Publish", &[("TopicArn", &topic.arn), ("Message", message)])
            .await;
        element(&answer, "MessageId").to_owned()
    }

    /// Sends a request in the query protocol and returns the XML of the answer.
    async fn query(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut form = format!("Action={action}&Version=2010-03-31");
        for (name, value) in parameters {
            form.push_str(&format!(
                "&{name}={}",
                utf8_percent_encode(value, NON_ALPHANUMERIC)
            ));
        }
        let request = self.request(Method::POST, "sns", "/").header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let response = self.send(action, request, form).await;
        String::from_utf8_lossy(response.body()).into_owned()
    }
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let text = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once("</"));
    text.unwrap_or_else(|| panic!("expected an element `{name}` in {xml}"))
        .0
}
