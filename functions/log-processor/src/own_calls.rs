//! The calls that the stack makes itself, which the trail records too.
//!
//! A function that is refused something is refused it again with the next attempt, and each refusal is an
//! event that a filter of refused calls would match: an alarm about itself that never ends. So what each of
//! the stack's own roles does for these functions is suppressed in every filter, and counted: these calls,
//! in the Region of the stack (of CloudTrail in all Regions, since each has keys of its own), and of objects
//! only reading the trail's and the filters file, and writing reports. Anything else under these roles, such as
//! creating a user, reading another bucket or writing to the trail's, is somebody who got hold of their
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
    /// That of the digest validator.
    DigestValidator,
    /// That of the schedule that invokes the digest validator.
    Validation,
}

/// Where a role does what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the Region of the stack.
    Region,
    /// In every Region: each has public keys of its own.
    EveryRegion,
    /// In the trail's bucket, and that of the filters file; in any if the trail's is not known.
    LogFilesAndFilters,
    /// In the trail's bucket.
    TrailBucket,
    /// In the bucket of reports, where they are.
    Reports,
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
    /// Where.
    pub(crate) place: Place,
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

const S3: &str = "s3.amazonaws.com";

/// All that the roles of the stack do.
pub const OWN_CALLS: &[OwnCall] = {
    const fn call(
        role: OwnRole,
        event_source: &'static str,
        event_names: &'static [&'static str],
    ) -> OwnCall {
        at(Place::Region, role, event_source, event_names)
    }
    const fn at(
        place: Place,
        role: OwnRole,
        event_source: &'static str,
        event_names: &'static [&'static str],
    ) -> OwnCall {
        OwnCall {
            role,
            event_source,
            event_names,
            place,
        }
    }
    use OwnRole::{AlarmNotifier, DigestValidator, LogProcessor, Tick, Validation};
    &[
        call(
            LogProcessor,
            "dynamodb.amazonaws.com",
            &["GetItem", "PutItem"],
        ),
        call(LogProcessor, "kms.amazonaws.com", &["Decrypt"]),
        call(LogProcessor, "logs.amazonaws.com", OF_LOGS),
        at(Place::LogFilesAndFilters, LogProcessor, S3, &["GetObject"]),
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
        at(
            Place::EveryRegion,
            DigestValidator,
            "cloudtrail.amazonaws.com",
            &["DescribeTrails", "GetTrailStatus", "ListPublicKeys"],
        ),
        call(
            DigestValidator,
            "dynamodb.amazonaws.com",
            &["GetItem", "PutItem", "Query"],
        ),
        call(DigestValidator, "kms.amazonaws.com", &["Decrypt"]),
        call(DigestValidator, "logs.amazonaws.com", OF_LOGS),
        at(
            Place::TrailBucket,
            DigestValidator,
            S3,
            &["GetObject", "ListObjectVersions", "ListObjects"],
        ),
        at(Place::Reports, DigestValidator, S3, &["PutObject"]),
        call(DigestValidator, "sqs.amazonaws.com", &["SendMessageBatch"]),
        call(Validation, "lambda.amazonaws.com", &["Invoke"]),
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
                OwnRole::DigestValidator => &settings.digest_validator_role_arn,
                OwnRole::Validation => &settings.validation_role_arn,
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
            let Some(place) = place(settings, call.place) else {
                continue;
            };
            conditions.extend(place);
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

/// The conditions of a place; `None` if the settings do not say where it is.
fn place(settings: &Settings, place: Place) -> Option<Vec<String>> {
    let bucket = |bucket: &str| equals("$.requestParameters.bucketName", bucket);
    let region = settings.region.iter();
    let mut conditions: Vec<String> = region.map(|region| equals("$.awsRegion", region)).collect();
    let trail_bucket = settings.trail_bucket.as_deref();
    match place {
        Place::Region => {}
        Place::EveryRegion => conditions.clear(),
        Place::LogFilesAndFilters => {
            let filters = match &settings.filters {
                FiltersSource::Object(location) => Some(location.bucket.as_str()),
                FiltersSource::BuiltIn => None,
            };
            let buckets = trail_bucket.map(|trail| [trail].into_iter().chain(filters));
            conditions.extend(buckets.map(|buckets| any(buckets.map(bucket))));
        }
        Place::TrailBucket => conditions.push(bucket(trail_bucket?)),
        Place::Reports => {
            conditions.push(bucket(settings.report_bucket.as_deref()?));
            conditions.push(equals("$.requestParameters.key", "integrity/*"));
        }
    }
    Some(conditions)
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
                    "REPORT_BUCKET" => "amzn-s3-demo-bucket2",
                    "AWS_REGION" => "us-east-1",
                    name if roles && name.ends_with("_ROLE_ARN") => &role,
                    _ => return None,
                };
                Some(value.to_owned())
            })
            .unwrap()
        };
        assert_eq!(OwnCalls::new(&settings(true)).0.len(), 5 + 5 + 1 + 7 + 1);
        assert_eq!(OwnCalls::new(&settings(false)).0.len(), 0);
    }
}
