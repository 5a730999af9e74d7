//! The dashboard: matches of each filter, files, lag, errors, queues, validation.

use serde_json::{Value, json};

use crate::profiles::BuiltIn;

/// A dashboard is 24 columns wide.
const WIDTH: u32 = 24;

/// A row of widgets is as high as this.
const HEIGHT: u32 = 6;

/// The names of the template in the text of the dashboard, which CloudFormation replaces.
const NAMESPACE: &str = "${MetricNamespace}";
const REGION: &str = "${AWS::Region}";

impl BuiltIn {
    pub(crate) fn dashboard(&self) -> String {
        let matches = self.filters.iter().map(|filter| {
            let label = json!({ "label": filter.first.title });
            json!([NAMESPACE, filter.first.metric.name, label])
        });
        let rows = [
            vec![("Matches of each filter", matches.collect())],
            vec![
                (
                    "Log files",
                    own(&[
                        "FilesProcessed",
                        "FilesSkipped",
                        "FilesFailed",
                        "FilesDeadLettered",
                    ]),
                ),
                (
                    "Events",
                    own(&[
                        "RecordsEvaluated",
                        "EventsMatched",
                        "EventsSuppressed",
                        "OwnCallsSuppressed",
                    ]),
                ),
                (
                    "Messages",
                    own(&["Incidents", "StepsTold", "StepsHeld", "SummariesTold"]),
                ),
            ],
            vec![
                (
                    "Seconds from event to alarm, and from object to read",
                    lag(),
                ),
                ("Age of the oldest message, in seconds", ages()),
            ],
            vec![
                ("Errors", errors()),
                ("Messages in the dead-letter queues", dead_letters()),
            ],
            vec![
                (
                    "Validated",
                    own(&["DigestsValidated", "LogFilesValidated", "DigestsToGo"]),
                ),
                (
                    "Not as it should be",
                    own(&[
                        "Findings",
                        "DigestsInvalid",
                        "LogFilesInvalid",
                        "LogFilesUnreadable",
                        "UnreferencedLogFiles",
                        "FilesMissed",
                        "StreamsStale",
                    ]),
                ),
                ("Age of the newest digest file, in seconds", digest_age()),
            ],
        ];
        let mut widgets = Vec::new();
        for (row, charts) in (0..).zip(rows) {
            let width = WIDTH / u32::try_from(charts.len()).unwrap_or(1);
            for (column, (title, metrics)) in (0..).zip(charts) {
                widgets.push(chart(
                    title,
                    &metrics,
                    [column * width, row * HEIGHT, width],
                ));
            }
        }
        let mut text = "  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardName: !Sub ${AWS::StackName}-${AWS::Region}
      DashboardBody: !Sub |
        {\"widgets\": [
"
        .to_owned();
        text.push_str(&widgets.join(",\n"));
        text.push_str("\n        ]}\n");
        text
    }
}

/// A chart, with a line for each metric.
fn chart(title: &str, metrics: &Value, [x, y, width]: [u32; 3]) -> String {
    let metrics = metrics.as_array().into_iter().flatten();
    let metrics: Vec<String> = metrics
        .map(|metric| format!("            {metric}"))
        .collect();
    let place = format!(r#""x": {x}, "y": {y}, "width": {width}, "height": {HEIGHT}"#);
    let view = r#""view": "timeSeries", "stat": "Sum", "period": 300"#;
    format!(
        "          {{\"type\": \"metric\", {place}, \"properties\": {{\"title\": {title},
            \"region\": \"{REGION}\", {view}, \"metrics\": [
{metrics}
          ]}}}}",
        title = json!(title),
        metrics = metrics.join(",\n"),
    )
}

/// Metrics of the functions about themselves.
fn own(names: &[&str]) -> Value {
    let metrics = names.iter().map(|name| json!([NAMESPACE, name]));
    metrics.collect()
}

fn lag() -> Value {
    let metric = |name: &str, stat: &str| json!([NAMESPACE, name, { "stat": stat, "label": format!("{name} {stat}") }]);
    json!([
        metric("EventToAlarmSeconds", "p50"),
        metric("EventToAlarmSeconds", "Maximum"),
        metric("ObjectToReadSeconds", "p50"),
        metric("ObjectToReadSeconds", "Maximum"),
    ])
}

fn digest_age() -> Value {
    let options = json!({ "stat": "Maximum", "label": "oldest of all chains" });
    json!([[NAMESPACE, "DigestAgeSeconds", options]])
}

fn ages() -> Value {
    let age = |queue: &str, label: &str| {
        let options = json!({ "stat": "Maximum", "label": label });
        json!([
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            "QueueName",
            queue,
            options
        ])
    };
    json!([
        age("${LogFileQueue.QueueName}", "log-file queue"),
        age("${MatchQueue.QueueName}", "match queue"),
    ])
}

fn errors() -> Value {
    let function = |metric: &str, function: &str, label: &str| json!(["AWS/Lambda", metric, "FunctionName", function, { "label": label }]);
    json!([
        function("Errors", "${LogProcessor}", "log-processor errors"),
        function("Errors", "${AlarmNotifier}", "alarm-notifier errors"),
        function("Throttles", "${LogProcessor}", "log-processor throttles"),
        function("Throttles", "${AlarmNotifier}", "alarm-notifier throttles"),
        [NAMESPACE, "TellingFailed"],
        [NAMESPACE, "MessagesFailed"],
        [NAMESPACE, "Problems"],
        [NAMESPACE, "MetricsRefused"],
    ])
}

fn dead_letters() -> Value {
    let depth = |queue: &str, label: &str| {
        let options = json!({ "stat": "Maximum", "label": label });
        json!([
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "QueueName",
            queue,
            options
        ])
    };
    json!([
        depth("${LogFileDeadLetterQueue.QueueName}", "log files"),
        depth("${MatchDeadLetterQueue.QueueName}", "matches"),
    ])
}
