//! What the function is told by its environment.

use environment::{Environment, Faults, QueueKind};

/// The settings, all of them valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The bucket of the trail.
    pub trail_bucket: String,
    /// Only what lies below this beginning of keys is looked at; empty for everything.
    pub key_prefix: String,
    /// The URL of the FIFO queue of matches; findings go there, too.
    pub match_queue_url: String,
    /// The URL of the queue of log files; those that were missed go there.
    pub log_file_queue_url: String,
    /// The bucket for daily reports, if they are wanted.
    pub report_bucket: Option<String>,
    /// The namespace of the function's own metrics.
    pub metric_namespace: String,
    /// For how long validated files are looked at again, in seconds.
    pub recheck_seconds: i64,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault in one go.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut env = Environment::new(lookup);
        let table = env.required(
            "TRAILWARDEN_TABLE",
            environment::name,
            "the name of a DynamoDB table",
        );
        let trail_bucket = env.required(
            "TRAIL_BUCKET",
            environment::name,
            "the name of the trail's bucket",
        );
        let key_prefix = env.or_default(
            "KEY_PREFIX",
            key_prefix,
            "the beginning of keys, without a leading slash, and with no more behind the folder of an account",
            String::new(),
        );
        let match_queue_url = env.required(
            "MATCH_QUEUE_URL",
            environment::queue_url(QueueKind::Fifo),
            "the URL of an SQS FIFO queue",
        );
        let log_file_queue_url = env.required(
            "LOG_FILE_QUEUE_URL",
            environment::queue_url(QueueKind::Standard),
            "the URL of an SQS standard queue",
        );
        let report_bucket =
            env.optional("REPORT_BUCKET", environment::name, "the name of a bucket");
        let metric_namespace = env.or_default(
            "METRIC_NAMESPACE",
            environment::name,
            "the namespace of a metric",
            "Trailwarden".to_owned(),
        );
        let recheck_hours = env.or_default(
            "RECHECK_HOURS",
            environment::integer_in(1..=168_i64),
            "hours from 1 to 168",
            48,
        );
        let settings = (|| {
            Some(Settings {
                table: table?,
                trail_bucket: trail_bucket?,
                key_prefix: key_prefix?,
                match_queue_url: match_queue_url?,
                log_file_queue_url: log_file_queue_url?,
                report_bucket,
                metric_namespace: metric_namespace?,
                recheck_seconds: recheck_hours? * 3_600,
            })
        })();
        env.finish(settings)
    }
}

/// Reads the beginning of keys.
fn key_prefix(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        return Err("keys of log files begin without a slash".to_owned());
    }
    match behind_account(text) {
        // Both `CloudTrail/` and `CloudTrail-Digest/` begin so.
        Some(behind) if !"CloudTrail".starts_with(behind) => Err(format!(
            "`{behind}` leaves out digest files or log files of the account: end it behind the account's folder"
        )),
        _ => Ok(text.to_owned()),
    }
}

/// What stands behind `AWSLogs/111122223333/`, or behind that of an organization's account.
fn behind_account(prefix: &str) -> Option<&str> {
    let is_account =
        |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut rest = prefix;
    let mut is_below = false;
    while let Some((part, behind)) = rest.split_once('/') {
        if is_below && is_account(part) {
            return Some(behind);
        }
        is_below = part == "AWSLogs" || is_below && part.starts_with("o-");
        rest = behind;
    }
    None
}
