//! What a notification announces: the objects it names, through every envelope it may come in.
//!
//! ```
//! let body = r#"{ "Type": "Notification", "Message": "{\"s3Bucket\":\"trail\",\"s3ObjectKey\":[\"a.json.gz\"]}" }"#;
//! let announced = log_processor::announced(body)?;
//! assert_eq!(announced.objects[0].key, "a.json.gz");
//! # Ok::<(), log_processor::AnnouncementError>(())
//! ```
//!
//! [`payload`] tells a batch from SQS, whose messages fail one by one, from everything else;
//! [`announced`] reads one message. Both open envelopes (SQS, SNS, JSON in a JSON string) until they come to
//! something that names objects or is known to name none:
//!
//! | what | its mark | keys |
//! | --- | --- | --- |
//! | S3 event | `Records[].eventSource` is `aws:s3` | form-encoded |
//! | EventBridge event of S3 | `source` is `aws.s3` | plain |
//! | CloudTrail's own notification | `s3Bucket`, `s3ObjectKey` | plain |
//! | SNS to Lambda | `Records[].EventSource` is `aws:sns` | in `Sns.Message` |
//! | SNS to SQS | `Type` is `Notification` | in `Message` |
//! | SQS | `Records[].eventSource` is `aws:sqs` | in `body` |
//!
//! The promise: everything in a message is an object, ignored for a named reason, or an error. An error
//! is one of the whole message, even if only one of its records is broken: it comes again and ends in
//! the dead-letter queue, where it can be looked at, and what stands beside the broken record waits there
//! with it, not processed rather than half processed. Errors name places, never contents.
//!
//! Source: S3 User Guide, "Event message structure" and "EventBridge event message structure"; SNS
//! Developer Guide, "HTTP/HTTPS notification JSON format"; Lambda Developer Guide, "Using Lambda with
//! Amazon SQS" and "... SNS"; CloudTrail User Guide, "Configuring Amazon SNS notifications". Out of scope:
//! what the objects are, signatures of SNS messages, confirming a subscription.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// How many JSON strings are opened, one in the other.
const MAX_NESTING: usize = 8;
/// How much of a name from outside is kept.
const MAX_NAME_CHARACTERS: usize = 100;
/// How many members an error lists.
const MAX_MEMBERS: usize = 8;
/// In a path, after a JSON string that was opened.
const OPENED: &str = " > ";
/// What CloudTrail sends to a topic when it is set up, as plain text.
const VALIDATION_MESSAGE: &str = "CloudTrail validation message";

/// What one message, or one direct invocation, announces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// In the order they are named, none twice.
    pub objects: Vec<AnnouncedObject>,
    /// What names no object to be read.
    pub ignored: Vec<Ignored>,
}

/// One object, as far as its announcement describes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AnnouncedObject {
    /// Its bucket.
    pub bucket: String,
    /// Its key as S3 knows it, decoded.
    pub key: String,
    /// Its version, in a bucket with versions.
    pub version: Option<String>,
    /// Its entity tag, without quotes.
    pub etag: Option<String>,
    /// Its length in bytes.
    pub size: Option<u64>,
}

/// Why something announces no object to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ignored {
    /// S3 tries out a notification that was just set up.
    TestEvent,
    /// CloudTrail tries out a topic that was just set up.
    ValidationMessage,
    /// SNS asks for a subscription to be confirmed.
    SubscriptionConfirmation,
    /// SNS tells that a subscription ended.
    UnsubscribeConfirmation,
    /// Something else happened, of this name: `ObjectRemoved:Delete`, `Object Restore Completed`.
    NotObjectCreated(String),
    /// A list without entries.
    EmptyNotification,
    /// The same object again in the same message.
    Repeated,
}

impl Ignored {
    /// The reason in log lines and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Ignored::TestEvent
            | Ignored::ValidationMessage
            | Ignored::SubscriptionConfirmation
            | Ignored::UnsubscribeConfirmation => "setup_message",
            Ignored::NotObjectCreated(_) => "not_object_created",
            Ignored::EmptyNotification => "empty_notification",
            Ignored::Repeated => "repeated",
        }
    }
}

/// What the function was invoked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A batch of messages; each is read with [`announced`] and fails alone.
    Queue(Vec<QueueRecord>),
    /// A notification that came without a queue; it succeeds or fails as a whole.
    Direct(Announced),
}

/// One message of an SQS queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRecord {
    /// By which a failed message is reported back.
    pub message_id: String,
    /// What was sent.
    pub body: String,
    /// How often it was received, this time included; 1 if the queue does not say.
    pub receive_count: u32,
}

/// Why it cannot be told what a message announces.
///
/// `place` is where in the message: `Message > Records[1].s3.object.key`, with `>` for each JSON string
/// that was opened; empty for the message itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// Neither JSON nor a text that is known.
    #[error("{} is not JSON, expected an S3, SNS, EventBridge or CloudTrail notification", named(.place))]
    NotJson {
        /// Where.
        place: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// JSON of no shape that is known.
    #[error("expected an S3, SNS, EventBridge or CloudTrail notification, found {found}{}", within(.place))]
    UnknownShape {
        /// Where.
        place: String,
        /// What it is instead: `an object with members a, b, c`.
        found: String,
    },
    /// A known shape in which something is missing or not what it must be.
    #[error("{} is {found}, expected {expected}", named(.place))]
    Broken {
        /// Where.
        place: String,
        /// What it is instead.
        found: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A form-encoded key that is not UTF-8 when decoded.
    #[error("{} is not UTF-8 when decoded, expected a form-encoded key", named(.place))]
    KeyNotUtf8 {
        /// Where.
        place: String,
    },
    /// JSON strings in JSON strings, without end.
    #[error("nested too deep, expected at most {MAX_NESTING} envelopes, one in the other")]
    TooDeep,
}

/// Reads what one message announces.
///
/// # Errors
/// The message is none that is known, or part of it is broken; then nothing of it is to be processed.
pub fn announced(body: &str) -> Result<Announced, AnnouncementError> {
    let mut reader = Reader::default();
    reader.text(body, &Place::message())?;
    Ok(reader.announced)
}

/// Reads what the function was invoked with: messages of a queue, or a notification itself.
///
/// # Errors
/// As [`announced`], for what came without a queue; a record of SQS without id or body.
pub fn payload(invocation: Value) -> Result<Payload, AnnouncementError> {
    if let Some(records) = queue_records(&invocation) {
        return queue(records).map(Payload::Queue);
    }
    let mut reader = Reader::default();
    reader.value(&invocation, &Place::message())?;
    Ok(Payload::Direct(reader.announced))
}

/// The records of a batch from SQS and from nowhere else.
fn queue_records(invocation: &Value) -> Option<&[Value]> {
    let records = invocation.get("Records")?.as_array()?;
    let all_of_queue = records
        .iter()
        .all(|record| is(record, "eventSource", "aws:sqs"));
    (all_of_queue && !records.is_empty()).then_some(records)
}

fn queue(records: &[Value]) -> Result<Vec<QueueRecord>, AnnouncementError> {
    let top = Place::message();
    records
        .iter()
        .enumerate()
        .map(|(index, record)| queue_record(record, &top.member("Records").item(index)))
        .collect()
}

fn queue_record(record: &Value, place: &Place) -> Result<QueueRecord, AnnouncementError> {
    let attribute = |name| record.pointer("/attributes")?.get(name)?.as_str();
    Ok(QueueRecord {
        message_id: text_at(record, &["messageId"], place)?.to_owned(),
        body: string_at(record, &["body"], place)?.to_owned(),
        receive_count: attribute("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
    })
}

/// Collects what a message announces while its envelopes are opened.
#[derive(Default)]
struct Reader {
    announced: Announced,
    seen: HashSet<AnnouncedObject>,
}

impl Reader {
    /// A text that is a message: JSON, or the one plain text that is known.
    fn text(&mut self, text: &str, place: &Place) -> Result<(), AnnouncementError> {
        if text.trim().trim_end_matches('.') == VALIDATION_MESSAGE {
            self.ignore(Ignored::ValidationMessage);
            return Ok(());
        }
        let value = serde_json::from_str(text).map_err(|source| AnnouncementError::NotJson {
            place: place.told(),
            source,
        })?;
        self.value(&value, place)
    }

    fn value(&mut self, value: &Value, place: &Place) -> Result<(), AnnouncementError> {
        match value {
            Value::String(text) => self.text(text, &place.opened()?),
            Value::Object(members) => self.object(value, members, place),
            other => Err(unknown_shape(other, place)),
        }
    }

    fn object(
        &mut self,
        value: &Value,
        members: &Map<String, Value>,
        place: &Place,
    ) -> Result<(), AnnouncementError> {
        if members.contains_key("Records") {
            self.records(value, place)
        } else if members.contains_key("detail-type") {
            self.event_bridge_event(value, place)
        } else if members.contains_key("s3Bucket") || members.contains_key("s3ObjectKey") {
            self.cloudtrail_notification(value, place)
        } else if members.contains_key("Type") {
            self.sns_message(value, place)
        } else if is(value, "Event", "s3:TestEvent") {
            self.ignore(Ignored::TestEvent);
            Ok(())
        } else {
            Err(unknown_shape(value, place))
        }
    }

    /// `Records` of S3, SNS and SQS, in one list or each in its own.
    fn records(&mut self, value: &Value, place: &Place) -> Result<(), AnnouncementError> {
        let place = place.member("Records");
        let records = list(value.get("Records"), &place, "a list of records")?;
        if records.is_empty() {
            self.ignore(Ignored::EmptyNotification);
        }
        for (index, record) in records.iter().enumerate() {
            self.record(record, &place.item(index))?;
        }
        Ok(())
    }

    fn record(&mut self, record: &Value, place: &Place) -> Result<(), AnnouncementError> {
        if is(record, "eventSource", "aws:s3") {
            self.s3_record(record, place)
        } else if is(record, "EventSource", "aws:sns") {
            text_at(record, &["Sns", "Type"], place)?;
            let sns = record.get("Sns").unwrap_or(&Value::Null);
            self.sns_message(sns, &place.member("Sns"))
        } else if is(record, "eventSource", "aws:sqs") {
            self.envelope(record, "body", place)
        } else {
            Err(unknown_shape(record, place))
        }
    }

    fn s3_record(&mut self, record: &Value, place: &Place) -> Result<(), AnnouncementError> {
        let event_name = text_at(record, &["eventName"], place)?;
        let event_name = event_name.strip_prefix("s3:").unwrap_or(event_name);
        if !event_name.starts_with("ObjectCreated:") {
            self.ignore(Ignored::NotObjectCreated(shown(event_name)));
            return Ok(());
        }
        let key = text_at(record, &["s3", "object", "key"], place)?;
        let object = record.pointer("/s3/object").unwrap_or(&Value::Null);
        self.announce(AnnouncedObject {
            bucket: text_at(record, &["s3", "bucket", "name"], place)?.to_owned(),
            key: form_decoded(key, &place.path_to(&["s3", "object", "key"]))?,
            version: optional_text(object, "versionId"),
            etag: etag(object, "eTag"),
            size: object.get("size").and_then(Value::as_u64),
        });
        Ok(())
    }

    /// Events of S3, and those about calls that CloudTrail itself sends, which come without files.
    fn event_bridge_event(
        &mut self,
        value: &Value,
        place: &Place,
    ) -> Result<(), AnnouncementError> {
        let detail_type = text_at(value, &["detail-type"], place)?;
        let of_s3 = is(value, "source", "aws.s3");
        if of_s3 && detail_type == "Object Created" {
            return self.created_object(value, place);
        }
        if of_s3 || detail_type.ends_with(" via CloudTrail") {
            self.ignore(Ignored::NotObjectCreated(shown(detail_type)));
            return Ok(());
        }
        Err(unknown_shape(value, place))
    }

    fn created_object(&mut self, value: &Value, place: &Place) -> Result<(), AnnouncementError> {
        let object = value.pointer("/detail/object").unwrap_or(&Value::Null);
        self.announce(AnnouncedObject {
            bucket: text_at(value, &["detail", "bucket", "name"], place)?.to_owned(),
            key: text_at(value, &["detail", "object", "key"], place)?.to_owned(),
            version: optional_text(object, "version-id"),
            etag: etag(object, "etag"),
            size: object.get("size").and_then(Value::as_u64),
        });
        Ok(())
    }

    /// CloudTrail's own: one bucket, and one key or several.
    fn cloudtrail_notification(
        &mut self,
        value: &Value,
        place: &Place,
    ) -> Result<(), AnnouncementError> {
        let bucket = text_at(value, &["s3Bucket"], place)?;
        let place = place.member("s3ObjectKey");
        let keys = match value.get("s3ObjectKey") {
            Some(single @ Value::String(_)) => {
                return self.plain_key(bucket, single, &place);
            }
            keys => list(keys, &place, "a key or a list of keys")?,
        };
        if keys.is_empty() {
            self.ignore(Ignored::EmptyNotification);
        }
        for (index, key) in keys.iter().enumerate() {
            self.plain_key(bucket, key, &place.item(index))?;
        }
        Ok(())
    }

    fn plain_key(
        &mut self,
        bucket: &str,
        key: &Value,
        place: &Place,
    ) -> Result<(), AnnouncementError> {
        self.announce(AnnouncedObject {
            bucket: bucket.to_owned(),
            key: text_at(key, &[], place)?.to_owned(),
            version: None,
            etag: None,
            size: None,
        });
        Ok(())
    }

    fn sns_message(&mut self, value: &Value, place: &Place) -> Result<(), AnnouncementError> {
        match text_at(value, &["Type"], place)? {
            "Notification" => return self.envelope(value, "Message", place),
            "SubscriptionConfirmation" => self.ignore(Ignored::SubscriptionConfirmation),
            "UnsubscribeConfirmation" => self.ignore(Ignored::UnsubscribeConfirmation),
            _ => return Err(unknown_shape(value, place)),
        }
        Ok(())
    }

    /// Opens the JSON string that an envelope holds.
    fn envelope(
        &mut self,
        value: &Value,
        member: &'static str,
        place: &Place,
    ) -> Result<(), AnnouncementError> {
        let text = string_at(value, &[member], place)?;
        self.text(text, &place.member(member).opened()?)
    }

    fn announce(&mut self, object: AnnouncedObject) {
        if self.seen.insert(object.clone()) {
            self.announced.objects.push(object);
        } else {
            self.ignore(Ignored::Repeated);
        }
    }

    fn ignore(&mut self, ignored: Ignored) {
        self.announced.ignored.push(ignored);
    }
}

/// Where in a message one is, and how many JSON strings were opened to get there.
struct Place {
    path: String,
    opened: usize,
}

impl Place {
    fn message() -> Place {
        Place {
            path: String::new(),
            opened: 0,
        }
    }

    fn member(&self, name: &str) -> Place {
        Place {
            path: self.path_to(&[name]),
            opened: self.opened,
        }
    }

    fn item(&self, index: usize) -> Place {
        Place {
            path: format!("{}[{index}]", self.path),
            opened: self.opened,
        }
    }

    /// The path as errors tell it.
    fn told(&self) -> String {
        self.path.trim_end_matches(OPENED).to_owned()
    }

    /// In the JSON string that is here.
    fn opened(&self) -> Result<Place, AnnouncementError> {
        if self.opened == MAX_NESTING {
            return Err(AnnouncementError::TooDeep);
        }
        let path = if self.path.is_empty() || self.path.ends_with(OPENED) {
            self.path.clone()
        } else {
            format!("{}{OPENED}", self.path)
        };
        Ok(Place {
            path,
            opened: self.opened + 1,
        })
    }

    fn path_to(&self, members: &[&str]) -> String {
        let mut path = self.path.clone();
        for member in members {
            if !path.is_empty() && !path.ends_with(OPENED) {
                path.push('.');
            }
            path.push_str(member);
        }
        path
    }
}

fn is(value: &Value, member: &str, expected: &str) -> bool {
    value.get(member).and_then(Value::as_str) == Some(expected)
}

/// The string at the end of a path of members, not empty.
fn text_at<'a>(
    value: &'a Value,
    members: &[&str],
    place: &Place,
) -> Result<&'a str, AnnouncementError> {
    let text = string_at(value, members, place)?;
    if text.is_empty() {
        return Err(AnnouncementError::Broken {
            place: place.path_to(members),
            found: "empty",
            expected: "text",
        });
    }
    Ok(text)
}

/// The string at the end of a path of members; the error names the first member on the way that is amiss.
fn string_at<'a>(
    value: &'a Value,
    members: &[&str],
    place: &Place,
) -> Result<&'a str, AnnouncementError> {
    let broken = |depth: usize, value: Option<&Value>, expected| AnnouncementError::Broken {
        place: place.path_to(members.get(..depth).unwrap_or(members)),
        found: kind(value),
        expected,
    };
    let mut current = value;
    for (depth, member) in members.iter().enumerate() {
        let Value::Object(held) = current else {
            return Err(broken(depth, Some(current), "an object"));
        };
        let is_last = depth + 1 == members.len();
        let expected = if is_last { "a string" } else { "an object" };
        current = held
            .get(*member)
            .ok_or_else(|| broken(depth + 1, None, expected))?;
    }
    current
        .as_str()
        .ok_or_else(|| broken(members.len(), Some(current), "a string"))
}

fn list<'a>(
    value: Option<&'a Value>,
    place: &Place,
    expected: &'static str,
) -> Result<&'a [Value], AnnouncementError> {
    match value {
        Some(Value::Array(items)) => Ok(items),
        other => Err(AnnouncementError::Broken {
            place: place.told(),
            found: kind(other),
            expected,
        }),
    }
}

fn optional_text(value: &Value, member: &str) -> Option<String> {
    let text = value.get(member)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn etag(object: &Value, member: &str) -> Option<String> {
    let quoted = optional_text(object, member)?;
    let etag = quoted.trim_matches('"');
    (!etag.is_empty()).then(|| etag.to_owned())
}

/// A key as it stands in an S3 event: `+` for a space, `%XX` for a byte of UTF-8. What is no such
/// escape stays as it is.
fn form_decoded(key: &str, path: &str) -> Result<String, AnnouncementError> {
    let spaced = key.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(AnnouncementError::KeyNotUtf8 {
            place: path.to_owned(),
        }),
    }
}

fn unknown_shape(value: &Value, place: &Place) -> AnnouncementError {
    AnnouncementError::UnknownShape {
        place: place.told(),
        found: described(value),
    }
}

/// What kind of value it is, and which members it has: no contents.
fn described(value: &Value) -> String {
    let Value::Object(members) = value else {
        return kind(Some(value)).to_owned();
    };
    if members.is_empty() {
        return "an object without members".to_owned();
    }
    let names: Vec<String> = members
        .keys()
        .take(MAX_MEMBERS)
        .map(|name| shown(name))
        .collect();
    let more = members.len() - names.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("an object with members {}{more}", names.join(", "))
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "missing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

/// A name from outside, fit for a log line.
fn shown(name: &str) -> String {
    name.chars()
        .take(MAX_NAME_CHARACTERS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn named(place: &str) -> String {
    match place {
        "" => "the message".to_owned(),
        place => format!("`{place}`"),
    }
}

fn within(place: &str) -> String {
    match place {
        "" => String::new(),
        place => format!(" in `{place}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const KEY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/a.json.gz";

    fn object(bucket: &str, key: &str) -> AnnouncedObject {
        AnnouncedObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: None,
            etag: None,
            size: None,
        }
    }

    fn s3_record(event_name: &str, key: &str) -> Value {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": event_name,
            "s3": { "bucket": { "name": "trail" }, "object": { "key": key, "sequencer": "0055" } }
        })
    }

    fn s3_event(key: &str) -> Value {
        json!({ "Records": [s3_record("ObjectCreated:Put", key)] })
    }

    fn event_bridge_event(detail_type: &str, key: &str) -> Value {
        json!({
            "version": "0", "id": "11", "detail-type": detail_type, "source": "aws.s3",
            "account": "111122223333", "time": "2026-03-02T03:12:00Z", "region": "eu-west-1", "resources": [],
            "detail": {
                "version": "0", "bucket": { "name": "trail" }, "object": { "key": key, "sequencer": "0055" },
                "reason": "PutObject"
            }
        })
    }

    fn cloudtrail_notification(keys: Value) -> Value {
        json!({ "s3Bucket": "trail", "s3ObjectKey": keys })
    }

    fn in_sns(message: &Value) -> Value {
        json!({
            "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t",
            "Subject": "s", "Message": message_text(message), "Timestamp": "2026-03-02T03:12:00.000Z"
        })
    }

    fn in_sns_to_lambda(message: &Value) -> Value {
        let sns = in_sns(message);
        json!({ "Records": [{ "EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns }] })
    }

    fn in_sqs(message: &Value) -> Value {
        json!({ "Records": [{
            "messageId": "id-1", "eventSource": "aws:sqs", "body": message_text(message),
            "attributes": { "ApproximateReceiveCount": "3" }
        }] })
    }

    fn in_string(message: &Value) -> Value {
        Value::String(message.to_string())
    }

    fn as_is(message: &Value) -> Value {
        message.clone()
    }

    /// Plain text stays plain text.
    fn message_text(message: &Value) -> String {
        match message {
            Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
            other => other.to_string(),
        }
    }

    fn read(message: &Value) -> Announced {
        announced(&message_text(message)).unwrap()
    }

    fn error(message: &Value) -> String {
        announced(&message_text(message)).unwrap_err().to_string()
    }

    const ENVELOPES: [fn(&Value) -> Value; 5] =
        [as_is, in_sns, in_sns_to_lambda, in_sqs, in_string];

    /// In every envelope, and in every envelope in every other.
    fn nestings(message: &Value) -> Vec<Value> {
        let once = ENVELOPES.iter().map(|envelope| envelope(message));
        once.flat_map(|inner| ENVELOPES.iter().map(move |envelope| envelope(&inner)))
            .collect()
    }

    #[test]
    fn every_notification_is_read_through_every_envelope() {
        for message in [
            s3_event(KEY),
            event_bridge_event("Object Created", KEY),
            cloudtrail_notification(json!([KEY])),
            cloudtrail_notification(json!(KEY)),
        ] {
            for nested in nestings(&message) {
                assert_eq!(read(&nested).objects, [object("trail", KEY)], "{nested}");
                assert_eq!(read(&nested).ignored, []);
            }
        }
    }

    #[test]
    fn every_setup_message_is_ignored_through_every_envelope() {
        let test_event = json!({
            "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-02T03:12:00.000Z", "Bucket": "trail",
            "RequestId": "r", "HostId": "h"
        });
        let confirmation = |kind| json!({ "Type": kind, "Message": "You have chosen ...", "SubscribeURL": "u", "Token": "t" });
        for (message, expected) in [
            (test_event, Ignored::TestEvent),
            (
                json!("CloudTrail validation message."),
                Ignored::ValidationMessage,
            ),
            (
                json!("CloudTrail validation message\n"),
                Ignored::ValidationMessage,
            ),
            (
                confirmation("SubscriptionConfirmation"),
                Ignored::SubscriptionConfirmation,
            ),
            (
                confirmation("UnsubscribeConfirmation"),
                Ignored::UnsubscribeConfirmation,
            ),
        ] {
            assert_eq!(expected.name(), "setup_message");
            for nested in nestings(&message) {
                let announced = read(&nested);
                assert_eq!(announced.objects, [], "{nested}");
                assert_eq!(
                    announced.ignored.as_slice(),
                    std::slice::from_ref(&expected),
                    "{nested}"
                );
            }
        }
    }

    #[test]
    fn an_object_is_described_as_far_as_its_event_does() {
        let expected = AnnouncedObject {
            version: Some("v-1".to_owned()),
            etag: Some("d41d8cd9".to_owned()),
            size: Some(1024),
            ..object("trail", KEY)
        };
        let mut record = s3_record("ObjectCreated:Put", KEY);
        record["s3"]["object"] =
            json!({ "key": KEY, "versionId": "v-1", "eTag": "\"d41d8cd9\"", "size": 1024 });
        assert_eq!(
            read(&json!({ "Records": [record] })).objects,
            std::slice::from_ref(&expected)
        );

        let mut event = event_bridge_event("Object Created", KEY);
        event["detail"]["object"] =
            json!({ "key": KEY, "version-id": "v-1", "etag": "d41d8cd9", "size": 1024 });
        assert_eq!(read(&event).objects, [expected]);
    }

    #[test]
    fn an_odd_description_does_not_cost_the_object() {
        let mut record = s3_record("ObjectCreated:Put", KEY);
        record["s3"]["object"] = json!({ "key": KEY, "versionId": "", "eTag": "\"\"", "size": -1 });
        assert_eq!(
            read(&json!({ "Records": [record] })).objects,
            [object("trail", KEY)]
        );
    }

    #[test]
    fn keys_of_s3_events_are_form_encoded() {
        for (encoded, key) in [
            ("a+b.gz", "a b.gz"),
            ("a%2Bb.gz", "a+b.gz"),
            ("date%3D2026/%C3%BC.gz", "date=2026/ü.gz"),
            ("100%25.gz", "100%.gz"),
            ("%2525", "%25"),
            ("odd%zz%", "odd%zz%"),
        ] {
            assert_eq!(read(&s3_event(encoded)).objects, [object("trail", key)]);
        }
    }

    #[test]
    fn keys_of_eventbridge_and_cloudtrail_are_plain() {
        for key in ["a+b.gz", "a%2Bb.gz", "100%.gz", "%FF"] {
            for message in [
                event_bridge_event("Object Created", key),
                cloudtrail_notification(json!([key])),
                cloudtrail_notification(json!(key)),
            ] {
                assert_eq!(read(&message).objects, [object("trail", key)]);
            }
        }
    }

    #[test]
    fn a_key_that_is_not_utf8_is_an_error() {
        assert_eq!(
            error(&in_sns(&s3_event("a%FF"))),
            "`Message > Records[0].s3.object.key` is not UTF-8 when decoded, expected a form-encoded key"
        );
    }

    #[test]
    fn every_kind_of_creation_is_an_object() {
        for event_name in [
            "ObjectCreated:Put",
            "ObjectCreated:Post",
            "ObjectCreated:Copy",
            "ObjectCreated:CompleteMultipartUpload",
            "s3:ObjectCreated:Put",
        ] {
            let event = json!({ "Records": [s3_record(event_name, KEY)] });
            assert_eq!(read(&event).objects.len(), 1, "{event_name}");
        }
    }

    #[test]
    fn what_is_no_creation_is_ignored_by_name() {
        for event_name in [
            "ObjectRemoved:Delete",
            "s3:ObjectRemoved:DeleteMarkerCreated",
            "LifecycleExpiration:Delete",
            "ObjectRestore:Completed",
            "Replication:OperationFailedReplication",
            "ObjectTagging:Put",
            "ObjectCreatedX:Put",
        ] {
            let announced = read(&json!({ "Records": [s3_record(event_name, KEY)] }));
            let name = event_name.trim_start_matches("s3:").to_owned();
            assert_eq!(announced.objects, []);
            assert_eq!(announced.ignored, [Ignored::NotObjectCreated(name)]);
            assert_eq!(announced.ignored[0].name(), "not_object_created");
        }
        for detail_type in [
            "Object Deleted",
            "Object Restore Completed",
            "Object Tags Added",
        ] {
            let announced = read(&event_bridge_event(detail_type, KEY));
            assert_eq!(
                announced.ignored,
                [Ignored::NotObjectCreated(detail_type.to_owned())]
            );
        }
    }

    #[test]
    fn a_removed_object_needs_no_key() {
        let record = json!({ "eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete" });
        assert_eq!(read(&json!({ "Records": [record] })).ignored.len(), 1);
    }

    #[test]
    fn an_event_of_cloudtrail_itself_has_no_files() {
        for detail_type in ["AWS API Call via CloudTrail", "AWS Insight via CloudTrail"] {
            let event = json!({ "detail-type": detail_type, "source": "aws.s3control", "detail": { "eventName": "PutObject" } });
            assert_eq!(
                read(&event).ignored,
                [Ignored::NotObjectCreated(detail_type.to_owned())]
            );
        }
    }

    #[test]
    fn other_events_of_eventbridge_are_unknown() {
        let event = json!({ "detail-type": "Object Created", "source": "my.app", "detail": {} });
        assert_eq!(
            error(&event),
            "expected an S3, SNS, EventBridge or CloudTrail notification, found an object with members \
             detail-type, source, detail"
        );
    }

    #[test]
    fn several_objects_in_one_message_are_all_announced() {
        let event = json!({ "Records": [
            s3_record("ObjectCreated:Put", "a"),
            s3_record("ObjectRemoved:Delete", "b"),
            s3_record("ObjectCreated:Put", "c"),
        ] });
        let both = [object("trail", "a"), object("trail", "c")];
        assert_eq!(read(&event).objects, both);
        assert_eq!(read(&event).ignored.len(), 1);
        assert_eq!(
            read(&cloudtrail_notification(json!(["a", "c"]))).objects,
            both
        );
    }

    #[test]
    fn one_list_may_hold_records_of_several_kinds() {
        let sns = in_sns_to_lambda(&event_bridge_event("Object Created", "b"));
        let sqs = in_sqs(&cloudtrail_notification(json!(["c", "d"])));
        let mixed = json!({ "Records": [
            s3_record("ObjectCreated:Put", "a"),
            sns["Records"][0],
            sqs["Records"][0],
        ] });
        let Payload::Direct(announced) = payload(mixed).unwrap() else {
            panic!("not a batch of a queue");
        };
        let keys: Vec<&str> = announced
            .objects
            .iter()
            .map(|object| object.key.as_str())
            .collect();
        assert_eq!(keys, ["a", "b", "c", "d"]);
    }

    #[test]
    fn the_same_object_twice_is_announced_once() {
        let announced = read(&cloudtrail_notification(json!(["a", "b", "a"])));
        assert_eq!(
            announced.objects,
            [object("trail", "a"), object("trail", "b")]
        );
        assert_eq!(announced.ignored, [Ignored::Repeated]);
        assert_eq!(announced.ignored[0].name(), "repeated");
    }

    #[test]
    fn two_versions_of_a_key_are_two_objects() {
        let version = |version: &str| {
            let mut record = s3_record("ObjectCreated:Put", KEY);
            record["s3"]["object"]["versionId"] = json!(version);
            record
        };
        let announced = read(&json!({ "Records": [version("1"), version("2")] }));
        assert_eq!(announced.objects.len(), 2);
    }

    #[test]
    fn an_empty_list_is_ignored_by_name() {
        for empty in [json!({ "Records": [] }), cloudtrail_notification(json!([]))] {
            assert_eq!(read(&empty).ignored, [Ignored::EmptyNotification]);
            assert_eq!(read(&empty).ignored[0].name(), "empty_notification");
        }
        let direct = payload(json!({ "Records": [] })).unwrap();
        assert_eq!(direct, Payload::Direct(read(&json!({ "Records": [] }))));
    }

    #[test]
    fn a_broken_record_fails_the_message_and_names_the_place() {
        let changed = |path: &str, value: Option<Value>| {
            let mut broken = s3_record("ObjectCreated:Put", "b");
            let (parent, member) = path.rsplit_once('/').unwrap();
            let parent = broken.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            match value {
                Some(value) => parent.insert(member.to_owned(), value),
                None => parent.remove(member),
            };
            error(&json!({ "Records": [s3_record("ObjectCreated:Put", "a"), broken] }))
        };
        for (path, value, expected) in [
            (
                "/s3/object/key",
                Some(json!([1])),
                "`Records[1].s3.object.key` is a list, expected a string",
            ),
            (
                "/s3/object/key",
                None,
                "`Records[1].s3.object.key` is missing, expected a string",
            ),
            (
                "/s3/object/key",
                Some(json!("")),
                "`Records[1].s3.object.key` is empty, expected text",
            ),
            (
                "/s3/bucket/name",
                Some(Value::Null),
                "`Records[1].s3.bucket.name` is null, expected a string",
            ),
            (
                "/s3/bucket",
                None,
                "`Records[1].s3.bucket` is missing, expected an object",
            ),
            (
                "/s3/object",
                Some(json!("x")),
                "`Records[1].s3.object` is a string, expected an object",
            ),
            (
                "/s3",
                None,
                "`Records[1].s3` is missing, expected an object",
            ),
            (
                "/eventName",
                Some(json!(7)),
                "`Records[1].eventName` is a number, expected a string",
            ),
        ] {
            assert_eq!(changed(path, value), expected);
        }
    }

    #[test]
    fn what_is_broken_in_an_envelope_is_named_too() {
        let mut event = event_bridge_event("Object Created", KEY);
        event["detail"]["object"] = json!({});
        for (message, expected) in [
            (
                in_sns(&event),
                "`Message > detail.object.key` is missing, expected a string",
            ),
            (
                in_sqs(&in_sns(&event)),
                "`Records[0].body > Message > detail.object.key` is missing, expected a string",
            ),
            (
                json!({ "Type": "Notification", "Message": {} }),
                "`Message` is an object, expected a string",
            ),
            (
                json!({ "Records": [{ "EventSource": "aws:sns" }] }),
                "`Records[0].Sns` is missing, expected an object",
            ),
            (
                json!({ "Records": {} }),
                "`Records` is an object, expected a list of records",
            ),
            (
                cloudtrail_notification(json!(["a", 1])),
                "`s3ObjectKey[1]` is a number, expected a string",
            ),
            (
                cloudtrail_notification(json!(null)),
                "`s3ObjectKey` is null, expected a key or a list of keys",
            ),
            (
                json!({ "s3Bucket": "trail" }),
                "`s3ObjectKey` is missing, expected a key or a list of keys",
            ),
            (
                json!({ "s3ObjectKey": ["a"] }),
                "`s3Bucket` is missing, expected a string",
            ),
            (
                in_sns(&in_string(&in_string(&json!({ "s3Bucket": 1 })))),
                "`Message > s3Bucket` is a number, expected a string",
            ),
            (
                cloudtrail_notification(json!("")),
                "`s3ObjectKey` is empty, expected text",
            ),
        ] {
            assert_eq!(error(&message), expected);
        }
    }

    #[test]
    fn text_that_is_not_json_is_an_error() {
        assert_eq!(
            error(&json!("hello")),
            "the message is not JSON, expected an S3, SNS, EventBridge or CloudTrail notification"
        );
        assert_eq!(
            error(&in_sns(&json!("hello"))),
            "`Message` is not JSON, expected an S3, SNS, EventBridge or CloudTrail notification"
        );
        assert!(announced("").is_err());
        assert!(announced(&format!("{} and more", s3_event(KEY))).is_err());
    }

    #[test]
    fn an_unknown_shape_is_told_by_its_members_without_contents() {
        let found = |message: Value| {
            let error = error(&message);
            let found = error.split_once(", found ").unwrap().1;
            found.to_owned()
        };
        assert_eq!(
            found(json!({ "b": "secret", "a": 1 })),
            "an object with members b, a"
        );
        assert_eq!(found(json!({})), "an object without members");
        assert_eq!(found(json!([s3_event(KEY)])), "a list");
        assert_eq!(found(json!(12)), "a number");
        assert_eq!(
            found(json!({ "Records": [{ "eventSource": "signin.amazonaws.com" }] })),
            "an object with members eventSource in `Records[0]`"
        );
        assert_eq!(
            found(in_sns(&json!({ "Type": "Other" }))),
            "an object with members Type in `Message`"
        );
        let many: Map<String, Value> = (0..20)
            .map(|n| (format!("{n}\n{}", "x".repeat(500)), json!(1)))
            .collect();
        let found = found(Value::Object(many));
        assert!(
            found.ends_with(" and 12 more") && found.len() < 1000 && !found.contains('\n'),
            "{found}"
        );
    }

    #[test]
    fn sources_are_spelled_as_aws_spells_them() {
        for record in [
            json!({ "EventSource": "aws:s3", "eventName": "ObjectCreated:Put" }),
            json!({ "eventSource": "aws:sns", "Sns": in_sns(&s3_event(KEY)) }),
            json!({ "EventSource": "aws:sqs", "body": s3_event(KEY).to_string() }),
        ] {
            assert!(error(&json!({ "Records": [record] })).starts_with("expected an S3, SNS"));
        }
    }

    #[test]
    fn eight_envelopes_are_opened_and_nine_are_not() {
        let wrapped = |times| (0..times).fold(s3_event(KEY), |inner, _| in_sns(&inner));
        assert_eq!(read(&wrapped(8)).objects.len(), 1);
        assert_eq!(
            error(&wrapped(9)),
            "nested too deep, expected at most 8 envelopes, one in the other"
        );
    }

    #[test]
    fn json_nested_without_end_is_an_error() {
        assert!(announced(&"[".repeat(1_000_000)).is_err());
        let deep = format!("{}{}", "{\"Records\":[".repeat(100), "]}".repeat(100));
        assert!(announced(&deep).is_err());
    }

    #[test]
    fn a_batch_of_a_queue_is_handed_on_message_by_message() {
        let batch = json!({ "Records": [
            { "messageId": "id-1", "eventSource": "aws:sqs", "body": "not JSON", "attributes": { "ApproximateReceiveCount": "3" } },
            { "messageId": "id-2", "eventSource": "aws:sqs", "body": "", "attributes": { "MessageGroupId": "g", "ApproximateReceiveCount": "x" } },
        ] });
        let record = |id: &str, body: &str, receive_count| QueueRecord {
            message_id: id.to_owned(),
            body: body.to_owned(),
            receive_count,
        };
        assert_eq!(
            payload(batch).unwrap(),
            Payload::Queue(vec![record("id-1", "not JSON", 3), record("id-2", "", 1)])
        );
    }

    #[test]
    fn a_message_of_a_queue_needs_an_id_and_a_body() {
        for (record, expected) in [
            (
                json!({ "eventSource": "aws:sqs", "body": "" }),
                "`Records[0].messageId` is missing, expected a string",
            ),
            (
                json!({ "eventSource": "aws:sqs", "messageId": "id" }),
                "`Records[0].body` is missing, expected a string",
            ),
        ] {
            let error = payload(json!({ "Records": [record] })).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn what_comes_without_a_queue_is_read_at_once() {
        for message in [
            s3_event(KEY),
            event_bridge_event("Object Created", KEY),
            in_sns_to_lambda(&s3_event(KEY)),
            in_sns_to_lambda(&in_sqs(&s3_event(KEY))),
            cloudtrail_notification(json!([KEY])),
            in_string(&s3_event(KEY)),
        ] {
            let Payload::Direct(announced) = payload(message).unwrap() else {
                panic!("not a batch of a queue");
            };
            assert_eq!(announced.objects, [object("trail", KEY)]);
        }
        assert!(payload(Value::Null).is_err());
    }

    /// Anything that can be written in JSON, with the words of notifications in likely and unlikely places.
    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec![
            "Records",
            "eventSource",
            "EventSource",
            "eventName",
            "s3",
            "bucket",
            "object",
            "name",
            "key",
            "Sns",
            "Type",
            "Message",
            "body",
            "messageId",
            "attributes",
            "detail-type",
            "detail",
            "source",
            "s3Bucket",
            "s3ObjectKey",
            "Event",
            "aws:s3",
            "aws:sns",
            "aws:sqs",
            "aws.s3",
            "Object Created",
            "Notification",
            "ObjectCreated:Put",
            "s3:TestEvent",
            "%FF+%",
            "",
        ]);
        let leaf = prop_oneof![
            4 => word.clone().prop_map(|word| json!(word)),
            1 => any::<i64>().prop_map(|number| json!(number)),
            1 => ".{0,4}".prop_map(|text| json!(text)),
            1 => Just(Value::Null),
        ];
        leaf.prop_recursive(8, 64, 5, move |inner| {
            let member = (word.clone(), inner.clone());
            prop_oneof![
                2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                4 => prop::collection::vec(member, 0..6).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
                }),
                2 => inner.prop_map(|value| Value::String(value.to_string())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_makes_it_panic(value in any_json(), envelope in 0..5usize) {
            let enveloped = ENVELOPES[envelope](&value);
            let _ = announced(&enveloped.to_string());
            let _ = payload(enveloped);
            let _ = payload(value);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = announced(&text);
        }

        #[test]
        fn an_s3_key_survives_its_encoding(key in ".{1,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC);
            let encoded = encoded.to_string().replace("%20", "+");
            prop_assert_eq!(&read(&in_sns(&s3_event(&encoded))).objects[0].key, &key);
        }
    }
}
