//! The calls that the stack makes itself, which the trail records too.
//!
//! A function that is refused something is refused it again with the next attempt, and each refusal is an
//! event that a filter of refused calls would match: an alarm about itself that never ends. So what each of
//! the stack's own roles does for these functions is suppressed in every filter, and counted: these calls,
//! in the Region of the stack, and of objects only those of the trail and the filters file. Anything else
//! under these roles, such as creating a user or reading another bucket, is somebody who got hold of their
//! credentials: it is matched like any other event. What is wrong with the stack itself its own alarms say.

use metric_filters::{MetricFilter, Suppression};

use crate::settings::{FiltersSource, Settings};

/// Why an event is suppressed.
pub(crate) const REASON: &str = "a call of this stack itself";

/// A role of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnRole {
    /// That of this function.
    LogProcessor,
    /// That of the alarm notifier.
    AlarmNotifier,
    /// That of the schedule that invokes the alarm notifier.
    Tick,
}

/// What a role asks of a service, as CloudTrail names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnCall {
    /// Under which role.
    pub role: OwnRole,
    /// The service: `s3.amazonaws.com`.
    pub event_source: &'static str,
    /// The operations: `GetObject`.
    pub event_names: &'static [&'static str],
}

/// Lambda polls a queue under the role of the function.
const OF_QUEUES: &[&str] = &[
    "DeleteMessage",
    "DeleteMessageBatch",
    "GetQueueAttributes",
    "ReceiveMessage",
    "SendMessageBatch",
];

/// Of the evidence, and of the function's own log.
const OF_LOGS: &[&str] = &["CreateLogStream", "PutLogEvents"];

/// All that the roles of the stack do.
pub const OWN_CALLS: &[OwnCall] = {
    const fn call(
        role: OwnRole,
        event_source: &'static str,
        event_names: &'static [&'static str],
    ) -> OwnCall {
        OwnCall {
            role,
            event_source,
            event_names,
        }
    }
    use OwnRole::{AlarmNotifier, LogProcessor, Tick};
    &[
        call(
            LogProcessor,
            "dynamodb.amazonaws.com",
            &["GetItem", "PutItem"],
        ),
        call(LogProcessor, "kms.amazonaws.com", &["Decrypt"]),
        call(LogProcessor, "logs.amazonaws.com", OF_LOGS),
        call(LogProcessor, "s3.amazonaws.com", &["GetObject"]),
        call(LogProcessor, "sqs.amazonaws.com", OF_QUEUES),
        call(
            AlarmNotifier,
            "dynamodb.amazonaws.com",
            &["GetItem", "PutItem", "Query"],
        ),
        call(
            AlarmNotifier,
            "kms.amazonaws.com",
            &["Decrypt", "GenerateDataKey"],
        ),
        call(AlarmNotifier, "logs.amazonaws.com", OF_LOGS),
        call(AlarmNotifier, "sns.amazonaws.com", &["Publish"]),
        call(AlarmNotifier, "sqs.amazonaws.com", OF_QUEUES),
        call(Tick, "lambda.amazonaws.com", &["Invoke"]),
    ]
};

/// The suppressions of own calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnCalls(Vec<Suppression>);

impl OwnCalls {
    /// Those of the roles that the settings name.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut suppressions = Vec::new();
        for call in OWN_CALLS {
            let role_arn = match call.role {
                OwnRole::LogProcessor => &settings.log_processor_role_arn,
                OwnRole::AlarmNotifier => &settings.alarm_notifier_role_arn,
                OwnRole::Tick => &settings.tick_role_arn,
            };
            let Some(role_arn) = role_arn else {
                continue;
            };
            let mut conditions = vec![
                equals("$.userIdentity.sessionContext.sessionIssuer.arn", role_arn),
                equals("$.eventSource", call.event_source),
                any(call
                    .event_names
                    .iter()
                    .map(|name| equals("$.eventName", name))),
            ];
            if let Some(region) = &settings.region {
                conditions.push(equals("$.awsRegion", region));
            }
            let buckets = own_buckets(settings);
            if call.event_source == "s3.amazonaws.com" && !buckets.is_empty() {
                let bucket = |bucket: &str| equals("$.requestParameters.bucketName", bucket);
                conditions.push(any(buckets.into_iter().map(bucket)));
            }
            // The settings take nothing that would end a text in a pattern, so that each compiles.
            if let Ok(pattern) =
                filter_pattern::compile(&format!("{{ {} }}", conditions.join(" && ")))
            {
                suppressions.push(Suppression {
                    pattern,
                    reason: REASON.to_owned(),
                    expires: None,
                });
            }
        }
        OwnCalls(suppressions)
    }

    /// Adds them to a filter's own suppressions.
    pub(crate) fn suppress_in(&self, filter: &mut MetricFilter) {
        filter.suppress.extend(self.0.iter().cloned());
    }
}

/// The buckets that objects are read from; none if that of the trail is not known.
fn own_buckets(settings: &Settings) -> Vec<&str> {
    let filters = match &settings.filters {
        FiltersSource::BuiltIn => None,
        FiltersSource::Object(location) => Some(location.bucket.as_str()),
    };
    match &settings.trail_bucket {
        Some(trail) => [trail.as_str()].into_iter().chain(filters).collect(),
        None => Vec::new(),
    }
}

fn equals(selector: &str, text: &str) -> String {
    format!("({selector} = \"{text}\")")
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.collect();
    format!("({})", conditions.join(" || "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_and_service_has_a_pattern_however_long_the_path_of_the_role() {
        let role = format!("arn:aws:iam::111122223333:role/{}/name", "p".repeat(510));
        let settings = |roles: bool| {
            Settings::from_env(|name| {
                let value = match name {
                    "TRAILWARDEN_TABLE" => "state",
                    "MATCH_QUEUE_URL" => "https://sqs.us-east-1.amazonaws.com/111122223333/m.fifo",
                    "EVIDENCE_LOG_GROUP" => "evidence",
                    "TRAIL_BUCKET" => "amzn-s3-demo-bucket",
                    "AWS_REGION" => "us-east-1",
                    name if roles && name.ends_with("_ROLE_ARN") => &role,
                    _ => return None,
                };
                Some(value.to_owned())
            })
            .unwrap()
        };
        assert_eq!(OwnCalls::new(&settings(true)).0.len(), 5 + 5 + 1);
        assert_eq!(OwnCalls::new(&settings(false)).0.len(), 0);
    }
}
