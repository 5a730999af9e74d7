//! Log files and notifications as AWS makes them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// A log file of these records.
pub fn log_file(records: &[Value]) -> Vec<u8> {
    gzip(json!({ "Records": records }).to_string().as_bytes())
}

/// Bytes as one gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The notification of S3 that objects were made, in the form it has in a queue. Keys are encoded as
/// S3 does.
pub fn s3_notification(bucket: &str, objects: &[(&str, Option<&str>)]) -> Value {
    let record = |&(key, etag): &(&str, Option<&str>)| {
        let mut object =
            json!({ "key": form_encoded(key), "size": 1024, "sequencer": "0055AED6DCD90281E5" });
        if let Some(etag) = etag {
            object["eTag"] = etag.into();
        }
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
            "eventTime": "2026-03-02T03:12:00.000Z", "eventName": "ObjectCreated:Put",
            "s3": { "s3SchemaVersion": "1.0", "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
                    "object": object },
        })
    };
    json!({ "Records": objects.iter().map(record).collect::<Vec<_>>() })
}

/// A message as Lambda hands it over from a queue; of a FIFO queue with its group.
pub fn sqs_record(message_id: &str, body: &str, receive_count: u32, group: Option<&str>) -> Value {
    let mut attributes = json!({ "ApproximateReceiveCount": receive_count.to_string(), "SentTimestamp": "1772420400000" });
    if let Some(group) = group {
        attributes["MessageGroupId"] = group.into();
    }
    json!({
        "messageId": message_id, "receiptHandle": "r", "body": body, "attributes": attributes,
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:queue", "awsRegion": "us-east-1",
    })
}

fn form_encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// A time, in Unix seconds, as CloudTrail writes it.
pub fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

/// The time that [`time`] wrote, in Unix seconds.
pub fn seconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_second()
}
