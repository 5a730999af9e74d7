//! What the function is told by its environment.

use environment::{Environment, Faults, QueueKind};
use ports::ObjectLocation;

/// The settings, all of them valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The URL of the FIFO queue that matches go to.
    pub match_queue_url: String,
    /// The log group that metrics and their evidence go to.
    pub evidence_log_group: String,
    /// For how many days that log group retains them; at least one.
    pub evidence_retention_days: i64,
    /// Where the filters come from.
    pub filters: FiltersSource,
    /// The profile of the filters.
    pub profile: String,
    /// The namespace of the function's own metrics and of the built-in filters.
    pub metric_namespace: String,
    /// Only objects whose key begins with this are read.
    pub key_prefix: Option<String>,
    /// The bucket of the trail.
    pub trail_bucket: Option<String>,
    /// The role of this function. What it does for it is suppressed in every filter.
    pub log_processor_role_arn: Option<String>,
    /// The role of the alarm notifier, likewise.
    pub alarm_notifier_role_arn: Option<String>,
    /// The role of its schedule, likewise.
    pub tick_role_arn: Option<String>,
    /// The role of the digest validator, likewise.
    pub digest_validator_role_arn: Option<String>,
    /// The role of its schedule, likewise.
    pub validation_role_arn: Option<String>,
    /// The bucket that the digest validator writes its reports to.
    pub report_bucket: Option<String>,
    /// The Region of the function.
    pub region: Option<String>,
    /// How often a message is received before it goes to the dead-letter queue.
    pub max_receive_count: u32,
    /// The memory of the function, in bytes.
    pub memory_bytes: u64,
}

/// Where the filters come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FiltersSource {
    /// Those that come with Trailwarden.
    BuiltIn,
    /// A filters file in S3.
    Object(ObjectLocation),
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
        let match_queue_url = env.required(
            "MATCH_QUEUE_URL",
            environment::queue_url(QueueKind::Fifo),
            "the URL of an SQS FIFO queue",
        );
        let evidence_log_group = env.required(
            "EVIDENCE_LOG_GROUP",
            environment::name,
            "the name of a log group",
        );
        let evidence_retention_days = env.or_default(
            "EVIDENCE_RETENTION_DAYS",
            environment::integer_in(1..=3653_i64),
            "days from 1 to 3653",
            14,
        );
        let filters = env.optional(
            "FILTERS_OBJECT",
            environment::s3_location,
            "s3://bucket/key",
        );
        let profile = env.or_default(
            "PROFILE",
            environment::name,
            "the name of a profile, such as recommended",
            metric_filters::DEFAULT_PROFILE.to_owned(),
        );
        let metric_namespace = env.or_default(
            "METRIC_NAMESPACE",
            environment::name,
            "the namespace of a metric",
            "Trailwarden".to_owned(),
        );
        let key_prefix = env.optional(
            "KEY_PREFIX",
            key_prefix,
            "the beginning of keys, without a leading slash",
        );
        let trail_bucket = env.optional("TRAIL_BUCKET", quotable, "the name of a bucket");
        let role = "the ARN of an IAM role";
        let log_processor_role_arn = env.optional("LOG_PROCESSOR_ROLE_ARN", role_arn, role);
        let alarm_notifier_role_arn = env.optional("ALARM_NOTIFIER_ROLE_ARN", role_arn, role);
        let tick_role_arn = env.optional("TICK_ROLE_ARN", role_arn, role);
        let digest_validator_role_arn = env.optional("DIGEST_VALIDATOR_ROLE_ARN", role_arn, role);
        let validation_role_arn = env.optional("VALIDATION_ROLE_ARN", role_arn, role);
        let report_bucket = env.optional("REPORT_BUCKET", quotable, "the name of a bucket");
        let region = env.optional("AWS_REGION", quotable, "an AWS Region");
        let max_receive_count = env.or_default(
            "MAX_RECEIVE_COUNT",
            environment::integer_in(1..=1000_u32),
            "how often a message is received before it goes to the dead-letter queue, 1 to 1000",
            5,
        );
        let memory_megabytes = env.or_default(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            environment::integer_in(128..=32_768_u64),
            "megabytes from 128",
            512,
        );
        let settings = (|| {
            let source = |(bucket, key)| {
                FiltersSource::Object(ObjectLocation {
                    bucket,
                    key,
                    version: None,
                })
            };
            Some(Settings {
                table: table?,
                match_queue_url: match_queue_url?,
                evidence_log_group: evidence_log_group?,
                evidence_retention_days: evidence_retention_days?,
                filters: filters.map_or(FiltersSource::BuiltIn, source),
                profile: profile?,
                metric_namespace: metric_namespace?,
                key_prefix,
                trail_bucket,
                log_processor_role_arn,
                alarm_notifier_role_arn,
                tick_role_arn,
                digest_validator_role_arn,
                validation_role_arn,
                report_bucket,
                region,
                max_receive_count: max_receive_count?,
                memory_bytes: memory_megabytes? << 20,
            })
        })();
        env.finish(settings)
    }
}

/// Reads the ARN of a role.
fn role_arn(text: &str) -> Result<String, String> {
    let arn = environment::arn("iam")(text).map_err(|error| error.to_string())?;
    match arn.contains(":role/") {
        true => quotable(&arn),
        false => Err("it is no role".to_owned()),
    }
}

/// Reads what stands in quotation marks in a pattern as it is.
fn quotable(text: &str) -> Result<String, String> {
    match text.contains(|c: char| c.is_whitespace() || ['"', '\\', '*'].contains(&c)) {
        true => Err("it has a space, a quotation mark, a backslash or an asterisk".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Reads the beginning of keys.
fn key_prefix(text: &str) -> Result<String, String> {
    match text.starts_with('/') {
        true => Err("keys of log files begin without a slash".to_owned()),
        false => Ok(text.to_owned()),
    }
}
