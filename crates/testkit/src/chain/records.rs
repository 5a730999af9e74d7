//! Log files with made-up records. Everything in them is a function of where and when they are from.

use serde_json::{Value, json};

use super::spec::{TrailSpec, stamp};
use crate::time;

/// Service, operation, whether it only reads, what was asked for.
type Operation = (&'static str, &'static str, bool, &'static str);

const OPERATIONS: [Operation; 6] = [
    (
        "ec2.amazonaws.com",
        "DescribeInstances",
        true,
        r#"{"maxResults":50}"#,
    ),
    (
        "s3.amazonaws.com",
        "GetBucketLocation",
        true,
        r#"{"bucketName":"amzn-s3-demo-bucket"}"#,
    ),
    ("sts.amazonaws.com", "GetCallerIdentity", true, "null"),
    (
        "logs.amazonaws.com",
        "CreateLogStream",
        false,
        r#"{"logGroupName":"/example/app"}"#,
    ),
    (
        "iam.amazonaws.com",
        "ListRoles",
        true,
        r#"{"maxItems":100}"#,
    ),
    (
        "ec2.amazonaws.com",
        "StopInstances",
        false,
        r#"{"force":false}"#,
    ),
];

/// What is to be written of a log file.
pub(super) struct Draft<'a> {
    pub(super) spec: &'a TrailSpec,
    /// `CloudTrail`, or `CloudTrail-Insight` for Insights events.
    pub(super) folder: &'static str,
    /// What sets it apart from other log files of the stream.
    pub(super) seed: &'a str,
    pub(super) oldest: i64,
    pub(super) newest: i64,
    pub(super) records: usize,
}

impl Draft<'_> {
    /// The content, not compressed.
    pub(super) fn content(&self) -> Vec<u8> {
        let records: Vec<Value> = (0..self.records).map(|index| self.record(index)).collect();
        json!({ "Records": records }).to_string().into_bytes()
    }

    /// The part of its name that has no meaning.
    pub(super) fn unique(&self) -> String {
        let characters = self.ids("name").into_bytes().into_iter();
        // Hex digits, with every second letter in capitals: names hold both.
        characters
            .take(16)
            .enumerate()
            .map(|(at, byte)| match at % 2 {
                0 => char::from(byte.to_ascii_uppercase()),
                _ => char::from(byte),
            })
            .collect()
    }

    /// 64 hex digits that belong to a part of the file.
    fn ids(&self, of: &str) -> String {
        let TrailSpec {
            account,
            region,
            trail,
            ..
        } = self.spec;
        let text = format!("{account}/{region}/{trail}/{}/{of}", self.seed);
        super::sha256(text.as_bytes())
    }

    fn record(&self, index: usize) -> Value {
        let last = i64::try_from(self.records.saturating_sub(1).max(1)).unwrap();
        let span = self.newest - self.oldest;
        let at = self.oldest + span * i64::try_from(index).unwrap() / last;
        let ids = self.ids(&index.to_string());
        match self.folder {
            "CloudTrail" => self.event(at, &ids),
            _ => self.insight(at, &ids),
        }
    }

    fn event(&self, at: i64, ids: &str) -> Value {
        let TrailSpec {
            account, region, ..
        } = self.spec;
        let number = usize::from_str_radix(&ids[..4], 16).unwrap();
        let (source, name, is_read_only, parameters) = OPERATIONS[number % OPERATIONS.len()];
        let parameters: Value = serde_json::from_str(parameters).unwrap();
        json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": "AIDACKCEVSQ6C2EXAMPLE",
                "arn": format!("arn:aws:iam::{account}:user/alice"),
                "accountId": account,
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "userName": "alice",
            },
            "eventTime": time(at),
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": format!("192.0.2.{}", number % 254 + 1),
            "userAgent": "aws-cli/2.31.0",
            "requestParameters": parameters,
            "responseElements": null,
            "requestID": uuid(&ids[..32]),
            "eventID": uuid(&ids[32..]),
            "readOnly": is_read_only,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
            "tlsDetails": {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": source,
            },
        })
    }

    fn insight(&self, at: i64, ids: &str) -> Value {
        json!({
            "eventVersion": "1.09",
            "eventTime": time(at),
            "awsRegion": self.spec.region,
            "eventID": uuid(&ids[32..]),
            "eventType": "AwsCloudTrailInsight",
            "recipientAccountId": self.spec.account,
            "sharedEventID": uuid(&ids[..32]),
            "insightDetails": {
                "state": "Start",
                "eventSource": "ec2.amazonaws.com",
                "eventName": "StopInstances",
                "insightType": "ApiCallRateInsight",
                "insightContext": {
                    "statistics": { "baseline": { "average": 0.5 }, "insight": { "average": 12.0 } },
                },
            },
            "eventCategory": "Insight",
        })
    }

    /// The key: of the minute it is delivered in, down to the last five.
    pub(super) fn key(&self, delivered: i64) -> String {
        let five_minutes = delivered - delivered.rem_euclid(300);
        self.spec.log_key(self.folder, five_minutes, &self.unique())
    }
}

fn uuid(hex: &str) -> String {
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32],
    ];
    parts.join("-")
}

/// A time as digest files write it.
pub(super) fn iso(seconds: i64) -> String {
    stamp(seconds, "%Y-%m-%dT%H:%M:%SZ")
}
