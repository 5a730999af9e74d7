//! Log files to put into a bucket, the alarms that the library finds in them, and those in the table.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail; each test uses what it needs"
)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use harness::Stack;
use metric_filters::{DEFAULT_PROFILE, FilterSet, TimeRange, built_in};
use serde_json::{Value, json};
use trailwarden::scan::{Options, scan};
use trailwarden::source::{Content, Source};

/// Now, in Unix seconds.
pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

/// An event of a user of this account.
pub(crate) fn event(name: &str, source: &str, id: &str, time: i64, account: &str) -> Value {
    json!({
        "eventVersion": "1.09", "eventTime": testkit::time(time), "eventName": name,
        "eventSource": source, "awsRegion": "us-east-1", "eventID": id,
        "recipientAccountId": account, "sourceIPAddress": "198.51.100.7", "eventType": "AwsApiCall",
        "userAgent": "aws-cli/2.13", "requestParameters": { "name": "management-events" },
        "userIdentity": { "type": "IAMUser", "userName": "alice", "accountId": account,
                          "arn": format!("arn:aws:iam::{account}:user/alice") },
    })
}

/// Logging was stopped: an alarm each, unless another one is near.
pub(crate) fn stop_logging(id: &str, time: i64, account: &str) -> Value {
    event("StopLogging", "cloudtrail.amazonaws.com", id, time, account)
}

/// A sign-in that failed: three in five minutes are an alarm.
pub(crate) fn failed_sign_in(id: &str, time: i64, account: &str) -> Value {
    let mut event = event("ConsoleLogin", "signin.amazonaws.com", id, time, account);
    event["errorMessage"] = "Failed authentication".into();
    event["responseElements"] = json!({ "ConsoleLogin": "Failure" });
    event
}

/// A call that no filter matches.
pub(crate) fn describe(id: &str, time: i64, account: &str) -> Value {
    event("DescribeInstances", "ec2.amazonaws.com", id, time, account)
}

/// The key of a log file that was delivered then; `unique` tells it from others.
pub(crate) fn key(account: &str, delivered: i64, unique: u64) -> String {
    let time = testkit::time(delivered);
    let (day, minute) = (
        time[..10].replace('-', "/"),
        time[..16].replace(['-', ':'], ""),
    );
    format!(
        "AWSLogs/{account}/CloudTrail/us-east-1/{day}/{account}_CloudTrail_us-east-1_{minute}Z_{unique:016}.json.gz"
    )
}

/// An alarm: filter, group, start, end, number of events.
pub(crate) type Alarm = (String, String, String, String, u64);

/// The alarms that `trailwarden scan` finds in these log files with the built-in filters.
pub(crate) fn alarms_of(bucket: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<Alarm> {
    let set = FilterSet::new(built_in().unwrap().in_profile(DEFAULT_PROFILE));
    let sources: Vec<Source> = files
        .iter()
        .map(|(key, content)| Source {
            location: format!("s3://{bucket}/{key}"),
            content: Content::Memory(content.clone()),
            named: false,
        })
        .collect();
    let options = Options {
        range: TimeRange::ALL,
        now: Some(now()),
        max_events: 10,
        threads: NonZeroUsize::MIN,
        clock: now(),
    };
    let report = scan(&set, &sources, &options, |_| {});
    let mut alarms: Vec<Alarm> = report
        .alarms
        .into_iter()
        .map(|alarm| {
            let group: Vec<String> = alarm.group.into_values().flatten().collect();
            (
                alarm.filter,
                group.join(", "),
                alarm.start,
                alarm.end,
                alarm.matched,
            )
        })
        .collect();
    alarms.sort();
    alarms
}

/// The incidents in the table.
pub(crate) async fn alarms_in_table(stack: &Stack) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for item in stack.items().await {
        if item["sk"] != "head" {
            continue;
        }
        let head: Value = serde_json::from_str(item["body"].as_str().unwrap()).unwrap();
        let group: Vec<&str> = head["group"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for incident in head["incidents"].as_array().unwrap() {
            let time = |name: &str| testkit::time(incident[name].as_i64().unwrap());
            alarms.push((
                head["filter"]["name"].as_str().unwrap().to_owned(),
                group.join(", "),
                time("start"),
                time("end"),
                incident["matched"].as_u64().unwrap(),
            ));
        }
    }
    alarms.sort();
    alarms
}

/// The status of each log file in the ledger.
pub(crate) async fn ledger(stack: &Stack) -> BTreeMap<String, String> {
    let prefix = format!("file#{}/", stack.bucket);
    let mut ledger = BTreeMap::new();
    for item in stack.items().await {
        if let Some(key) = item["pk"].as_str().unwrap().strip_prefix(&prefix) {
            let entry: Value = serde_json::from_str(item["body"].as_str().unwrap()).unwrap();
            ledger.insert(key.to_owned(), entry["status"].as_str().unwrap().to_owned());
        }
    }
    ledger
}

/// The sum of each metric in the evidence log.
pub(crate) async fn metrics_in_log(stack: &Stack) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    for event in stack.account.log_events(&stack.log_group).await {
        let document: Value = serde_json::from_str(event["message"].as_str().unwrap()).unwrap();
        let name = &document["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"];
        let name = name.as_str().unwrap().to_owned();
        *metrics.entry(name.clone()).or_default() += document[name.as_str()].as_f64().unwrap();
    }
    metrics
}

/// Incident and step of each message, in order.
pub(crate) fn steps(messages: &[Value]) -> Vec<(String, u64, bool)> {
    let mut steps: Vec<_> = messages
        .iter()
        .map(|message| {
            (
                message["incident"].as_str().unwrap().to_owned(),
                message["step"].as_u64().unwrap(),
                message["may_be_repeat"].as_bool().unwrap(),
            )
        })
        .collect();
    steps.sort();
    steps
}
