//! What the function is told by its environment.

use environment::{Environment, Faults, QueueKind};

/// The settings, all of them valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The table.
    pub table: String,
    /// The URL of the FIFO queue of matches; ticks go there, too.
    pub match_queue_url: String,
    /// The URL of its dead-letter queue.
    pub dead_letter_queue_url: String,
    /// The ARN of the topic that messages go to.
    pub alarm_topic_arn: String,
    /// The ARN of the topic for chat applications, if there is one.
    pub chat_topic_arn: Option<String>,
    /// Incidents of filters below this are not told: 0 is info, 4 is critical.
    pub minimum_severity: usize,
    /// What native alarms of CloudWatch tell is not told as well.
    pub leaves_to_native_alarms: bool,
    /// The namespace of the function's own metrics.
    pub metric_namespace: String,
}

/// The severities, mildest first.
pub(crate) const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];

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
        let dead_letter_queue_url = env.required(
            "MATCH_DEAD_LETTER_QUEUE_URL",
            environment::queue_url(QueueKind::Fifo),
            "the URL of the SQS FIFO queue for messages that cannot be processed",
        );
        let alarm_topic_arn = env.required(
            "ALARM_TOPIC_ARN",
            environment::arn("sns"),
            "the ARN of an SNS topic",
        );
        let chat_topic_arn = env.optional(
            "CHAT_TOPIC_ARN",
            environment::arn("sns"),
            "the ARN of an SNS topic",
        );
        let words: Vec<(&str, usize)> = SEVERITIES.iter().copied().zip(0..).collect();
        let minimum_severity = env.or_default(
            "MINIMUM_SEVERITY",
            environment::one_of(&words),
            "info, low, medium, high or critical",
            0,
        );
        let leaves_to_native_alarms = env.or_default(
            "NOTIFICATION_PATH",
            environment::one_of(&[("direct", false), ("both", false), ("cloudwatch", true)]),
            "direct, cloudwatch or both",
            false,
        );
        let metric_namespace = env.or_default(
            "METRIC_NAMESPACE",
            environment::name,
            "the namespace of a metric",
            "Trailwarden".to_owned(),
        );
        let settings = (|| {
            Some(Settings {
                table: table?,
                match_queue_url: match_queue_url?,
                dead_letter_queue_url: dead_letter_queue_url?,
                alarm_topic_arn: alarm_topic_arn?,
                chat_topic_arn,
                minimum_severity: minimum_severity?,
                leaves_to_native_alarms: leaves_to_native_alarms?,
                metric_namespace: metric_namespace?,
            })
        })();
        env.finish(settings)
    }

    /// Whether incidents of this severity are told.
    pub(crate) fn tells(&self, severity: &str) -> bool {
        let known = SEVERITIES.iter().position(|name| *name == severity);
        known.is_none_or(|severity| severity >= self.minimum_severity)
    }
}
