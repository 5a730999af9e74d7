//! What a run is about: filters made for it, log files, and the messages that announce them.

use std::fmt::Write as _;
use std::sync::OnceLock;

use metric_filters::{DEFAULT_PROFILE, FilterSet, FiltersFile};
use serde_json::{Value, json};

use crate::random::Random;

pub(crate) const BUCKET: &str = "trail";

/// 2026-03-02T03:10:00Z, an edge of a bucket of ten minutes and of every period of the filters.
pub(crate) const START: i64 = 1_772_421_000;

const DAY: i64 = 86_400;

/// Every way to count: sliding, aligned, by missing data; grouped and not; and what is never told.
pub(crate) const FILTERS: &str = r#"
metric_filters:
  - name: SumByAccount
    severity: high
    pattern: '{ $.eventName = A }'
    metric: { namespace: Model, name: SumByAccount, value: "1" }
    alarm: { statistic: Sum, comparison: GreaterThanOrEqualToThreshold, threshold: 2, period_seconds: 60 }
  - name: CountByUser
    pattern: '{ ($.eventName = A) || ($.eventName = B) }'
    metric: { namespace: Model, name: CountByUser, value: "1" }
    alarm:
      statistic: SampleCount
      comparison: GreaterThanThreshold
      threshold: 2
      period_seconds: 300
      group_by: [$.userIdentity.userName]
    suppress:
      - { pattern: '{ $.userIdentity.userName = "eve" }', reason: a test of the test }
  - name: MaximumOfAll
    pattern: '{ $.eventName = B }'
    metric: { namespace: Model, name: MaximumOfAll, value: $.size }
    alarm:
      statistic: Maximum
      comparison: GreaterThanOrEqualToThreshold
      threshold: 3
      period_seconds: 10
      group_by: []
  - name: EachByItself
    severity: critical
    pattern: '{ $.eventName = C }'
    metric: { namespace: Model, name: EachByItself, value: "1" }
    alarm: { statistic: Sum, comparison: GreaterThanOrEqualToThreshold, threshold: 1, period_seconds: 300 }
  - name: Average
    pattern: '{ $.eventName = D }'
    metric: { namespace: Model, name: Average, value: $.size }
    alarm:
      statistic: Average
      comparison: GreaterThanThreshold
      threshold: 2
      period_seconds: 60
      group_by: []
  - name: TwoOfThree
    pattern: '{ $.eventName = D }'
    metric: { namespace: Model, name: TwoOfThree, value: "1" }
    alarm:
      statistic: Sum
      comparison: GreaterThanOrEqualToThreshold
      threshold: 1
      period_seconds: 60
      evaluation_periods: 3
      datapoints_to_alarm: 2
      treat_missing_data: notBreaching
  - name: Silence
    pattern: '{ $.eventName = E }'
    metric: { namespace: Model, name: Silence, value: "1" }
    alarm:
      statistic: SampleCount
      comparison: LessThanThreshold
      threshold: 1
      period_seconds: 300
      treat_missing_data: breaching
      group_by: []
  - name: MetricOnly
    pattern: '{ $.size > 1 }'
    metric: { namespace: Model, name: MetricOnly, value: "1" }
  - name: Shadow
    mode: shadow
    pattern: '{ $.eventName = A }'
    metric: { namespace: Model, name: Shadow, value: $.size }
    alarm: { statistic: Sum, comparison: GreaterThanOrEqualToThreshold, threshold: 1, period_seconds: 60 }
  - name: BelowSeverity
    severity: info
    pattern: '{ $.eventName = C }'
    metric: { namespace: Model, name: BelowSeverity, value: "1" }
    alarm: { statistic: Sum, comparison: GreaterThanOrEqualToThreshold, threshold: 1, period_seconds: 60 }
"#;

/// Filters whose alarms can only grow when events come.
pub(crate) const SLIDING: [&str; 5] = [
    "SumByAccount",
    "CountByUser",
    "MaximumOfAll",
    "EachByItself",
    "BelowSeverity",
];

/// Filters whose alarms are told.
pub(crate) const TOLD: [&str; 7] = [
    "SumByAccount",
    "CountByUser",
    "MaximumOfAll",
    "EachByItself",
    "Average",
    "TwoOfThree",
    "Silence",
];

/// [`FILTERS`], compiled.
pub(crate) fn filters() -> &'static FilterSet {
    static SET: OnceLock<FilterSet> = OnceLock::new();
    SET.get_or_init(|| {
        let file = FiltersFile::parse(FILTERS).unwrap_or_else(|faults| panic!("{faults}"));
        FilterSet::new(file.in_profile(DEFAULT_PROFILE))
    })
}

/// A log file, or something else that lies in the bucket.
pub(crate) struct File {
    pub(crate) key: String,
    pub(crate) records: Vec<Value>,
    pub(crate) content: Vec<u8>,
    pub(crate) is_log_file: bool,
}

pub(crate) struct Scene {
    pub(crate) files: Vec<File>,
    /// Some events are too old or too new for metrics, at some time at least.
    pub(crate) has_odd_times: bool,
}

impl Scene {
    pub(crate) fn new(random: &mut Random) -> Self {
        let has_odd_times = random.one_in(4);
        let mut events: Vec<Value> = Vec::new();
        let mut bursts = Vec::new();
        for _ in 0..1 + random.below(3) {
            bursts.push(burst(random, has_odd_times));
        }
        // One after the other, so that alarms go on over many buckets.
        let chain_seconds = random.pick(&[0, 0, 0, 55, 280, 570]);
        for number in 0..2 + random.below(14) {
            let base = match chain_seconds {
                0 => random.pick(&bursts),
                seconds => bursts[0] - seconds * number as i64,
            };
            events.push(event(random, number, base, chain_seconds != 0));
        }
        let mut files = Vec::new();
        for number in 0..1 + random.below(if chain_seconds == 0 { 5 } else { 9 }) {
            let mut records = Vec::new();
            // The same event may lie in several files, and twice in one.
            // Of a chain a file has a few events beside each other.
            let (first, most) = match chain_seconds {
                0 => (0, events.len()),
                _ => (random.below(events.len()), 3),
            };
            for _ in 0..random.below(8) {
                let next = (first + random.below(most)) % events.len();
                records.push(events[next].clone());
            }
            files.push(File {
                key: format!(
                    "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T0310Z_abcdefgh1234567{number}.json.gz"
                ),
                content: testkit::log_file(&records),
                records,
                is_log_file: true,
            });
        }
        if random.one_in(4) {
            files.push(File {
                key: "AWSLogs/notes.txt".to_owned(),
                records: Vec::new(),
                content: b"neither JSON nor gzip".to_vec(),
                is_log_file: false,
            });
        }
        Scene {
            files,
            has_odd_times,
        }
    }

    /// Events of all files by file, a line each.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            let name = &file.key[file.key.len().saturating_sub(24)..];
            let _ = writeln!(text, "  file ..{name}");
            for record in &file.records {
                let member = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
                let _ = writeln!(
                    text,
                    "    {} {} {} user {} account {} size {}",
                    member("eventTime"),
                    member("eventName"),
                    member("eventID"),
                    record["userIdentity"]["userName"],
                    member("recipientAccountId"),
                    record["size"],
                );
            }
        }
        text
    }
}

/// A time around which events happen.
fn burst(random: &mut Random, odd: bool) -> i64 {
    match random.below(if odd { 6 } else { 4 }) {
        // At an edge of a bucket.
        0 => START - 600 * random.between(1, 3),
        1 => START - random.between(0, 1_200),
        // Late, by hours.
        2 => START - random.between(1, 30) * 3_600,
        3 => START - 600 * random.between(6, 12) - 1,
        // Long before what is remembered, and what cannot be yet.
        4 => START - random.between(13 * DAY, 20 * DAY),
        _ => START + random.between(3_600, 10_800),
    }
}

fn event(random: &mut Random, number: usize, base: i64, in_chain: bool) -> Value {
    let spread = random.pick(if in_chain {
        &[1]
    } else {
        &[1, 12, 70, 400, 900]
    });
    let time = base + random.between(-spread, spread);
    let names: &[&str] = &["A", "A", "B", "B", "C", "D", "D", "E", "Other"];
    let mut event = json!({
        "eventVersion": "1.11",
        "userIdentity": { "type": "IAMUser", "userName": random.pick(&["alice", "bob", "eve"]) },
        "eventSource": "iam.amazonaws.com",
        "eventName": random.pick(if in_chain { &["C", "C", "C", "A", "B"] } else { names }),
        "awsRegion": "us-east-1",
        "recipientAccountId": random.pick(&["111122223333", "444455556666"]),
        "size": random.between(0, 4),
    });
    if !random.one_in(30) {
        event["eventTime"] = testkit::time(time).into();
    }
    if !random.one_in(8) {
        event["eventID"] = format!("00000000-0000-4000-8000-{number:012}").into();
    }
    event
}

/// The body of a message that announces these files; `shape` is one of four.
pub(crate) fn announcement(shape: usize, keys: &[&str]) -> String {
    let s3 = |keys: &[&str]| {
        let objects: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (*key, None)).collect();
        testkit::s3_notification(BUCKET, &objects)
    };
    let message = match shape {
        0 => s3(keys),
        1 => {
            json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:111122223333:t",
                     "Message": s3(keys).to_string() })
        }
        2 => json!({ "s3Bucket": BUCKET, "s3ObjectKey": keys }),
        // EventBridge announces one object at a time.
        _ => json!({ "version": "0", "detail-type": "Object Created", "source": "aws.s3",
                     "detail": { "version": "0", "bucket": { "name": BUCKET },
                                 "object": { "key": keys[0], "size": 1024, "version-id": "v0" } } }),
    };
    message.to_string()
}
