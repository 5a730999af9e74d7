//! The pipeline as it is deployed, undisturbed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

use std::time::Duration;

use harness::{Stack, StackOptions};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

fn stop_logging(id: &str, time: i64, account: &str) -> Value {
    json!({
        "eventVersion": "1.09", "eventTime": testkit::time(time), "eventName": "StopLogging",
        "eventSource": "cloudtrail.amazonaws.com", "awsRegion": "us-east-1", "eventID": id,
        "recipientAccountId": account, "sourceIPAddress": "198.51.100.7", "eventType": "AwsApiCall",
        "userIdentity": { "type": "IAMUser", "userName": "alice", "accountId": account,
                          "arn": format!("arn:aws:iam::{account}:user/alice") },
        "requestParameters": { "name": "management-events" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_becomes_a_message() {
    let stack = Stack::new(StackOptions::default()).await;
    stack.announce_objects().await;
    let file = testkit::log_file(&[stop_logging("e-1", now() - 60, "111122223333")]);
    let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T0300Z_abcdefgh12345678.json.gz";
    stack.account.put_object(&stack.bucket, key, file).await;
    stack.drain(SOON).await;
    for line in stack.processor.log_lines().iter().chain(&stack.notifier.log_lines()) {
        eprintln!("{line}");
    }
    let messages = stack.take_messages().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    eprintln!("{:#}", messages[0]);
    for item in stack.items().await { eprintln!("{item}"); }
    for event in stack.account.log_events(&stack.log_group).await { eprintln!("{event}"); }
    panic!("look");
}
