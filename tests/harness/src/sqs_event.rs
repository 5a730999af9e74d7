//! The event that Lambda makes of SQS messages, and what the answer to it means.
//!
//! Source: Lambda Developer Guide, "Using Lambda with Amazon SQS" (example events) and "Handling errors
//! for an SQS event source in Lambda" (success and failure conditions).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{Message, Queue, REGION};

/// The event for a batch of messages of a queue.
pub fn sqs_event(queue: &Queue, messages: &[Message]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| record(queue, message))
        .collect();
    json!({ "Records": records })
}

fn record(queue: &Queue, message: &Message) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": message_attributes(&message.message_attributes),
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": REGION,
    })
}

/// As the event has them: member names in lower camel case, and lists that are always empty.
fn message_attributes(attributes: &Map<String, Value>) -> Map<String, Value> {
    let attribute = |value: &Value| {
        let mut written = Map::new();
        for (from, to) in [
            ("StringValue", "stringValue"),
            ("BinaryValue", "binaryValue"),
        ] {
            if let Some(value) = value.get(from) {
                written.insert(to.to_owned(), value.clone());
            }
        }
        written.insert("stringListValues".to_owned(), json!([]));
        written.insert("binaryListValues".to_owned(), json!([]));
        written.insert(
            "dataType".to_owned(),
            value.get("DataType").cloned().unwrap_or_default(),
        );
        Value::Object(written)
    };
    attributes
        .iter()
        .map(|(name, value)| (name.clone(), attribute(value)))
        .collect()
}

/// The ids of the messages that failed by a function's answer, under `ReportBatchItemFailures`.
///
/// No answer, or no failures in it: none. An identifier that is empty, missing or of no message of the
/// batch, or an answer of another shape: all of them.
pub fn failed_messages(answer: &Value, messages: &[Message]) -> BTreeSet<String> {
    let all: BTreeSet<String> = messages.iter().map(|message| message.id.clone()).collect();
    let failures = match answer {
        Value::Null => return BTreeSet::new(),
        Value::Object(members) => members.get("batchItemFailures"),
        _ => return all,
    };
    let failures = match failures {
        None | Some(Value::Null) => return BTreeSet::new(),
        Some(Value::Array(failures)) => failures,
        Some(_) => return all,
    };
    let failed: Option<BTreeSet<String>> = failures
        .iter()
        .map(|failure| identifier(failure, &all))
        .collect();
    failed.unwrap_or(all)
}

fn identifier(failure: &Value, all: &BTreeSet<String>) -> Option<String> {
    all.get(failure.get("itemIdentifier")?.as_str()?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> Message {
        Message {
            id: id.to_owned(),
            receipt_handle: format!("handle-{id}"),
            body: "{}".to_owned(),
            md5_of_body: "99914b932bd37a50b983c5e7c90ae93b".to_owned(),
            attributes: Map::new(),
            message_attributes: Map::new(),
        }
    }

    fn failed(answer: Value) -> Vec<String> {
        failed_messages(&answer, &[message("a"), message("b")])
            .into_iter()
            .collect()
    }

    #[test]
    fn a_batch_without_failures_succeeds() {
        for answer in [
            json!(null),
            json!({}),
            json!({ "batchItemFailures": [] }),
            json!({ "batchItemFailures": null }),
        ] {
            assert_eq!(failed(answer.clone()), Vec::<String>::new(), "{answer}");
        }
    }

    #[test]
    fn only_the_reported_messages_fail() {
        assert_eq!(
            failed(json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] })),
            ["b"]
        );
    }

    #[test]
    fn a_malformed_report_fails_the_whole_batch() {
        for failure in [
            json!({ "itemIdentifier": "" }),
            json!({ "itemIdentifier": null }),
            json!({ "id": "a" }),
            json!({ "itemIdentifier": "c" }),
        ] {
            let answer = json!({ "batchItemFailures": [{ "itemIdentifier": "a" }, failure] });
            assert_eq!(failed(answer.clone()), ["a", "b"], "{answer}");
        }
        assert_eq!(failed(json!("done")), ["a", "b"]);
        assert_eq!(failed(json!({ "batchItemFailures": "a" })), ["a", "b"]);
    }

    #[test]
    fn message_attributes_are_written_as_lambda_does() {
        let mut message = message("a");
        message.message_attributes.insert(
            "kind".to_owned(),
            json!({ "DataType": "String", "StringValue": "x" }),
        );
        let queue = Queue {
            name: "q".into(),
            url: String::new(),
            arn: "arn:aws:sqs:us-east-1:1:q".into(),
        };
        let event = sqs_event(&queue, &[message]);
        let expected = json!({
            "stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String",
        });
        assert_eq!(
            event.pointer("/Records/0/messageAttributes/kind"),
            Some(&expected)
        );
        assert_eq!(
            event.pointer("/Records/0/eventSourceARN"),
            Some(&json!(queue.arn))
        );
    }
}
