//! The calls that the stack makes itself, which the trail records too.
//!
//! A function that is refused something is refused it again with the next attempt, and each refusal is an
//! event that a filter of refused calls would match: an alarm about itself that never ends. So what the
//! stack's own roles do of what these functions do is suppressed in every filter, and counted. Anything
//! else under these roles, such as creating a user, is somebody who got hold of their credentials: it is
//! matched like any other event. What is wrong with the stack itself its own alarms say.

use filter_pattern::CompileError;
use metric_filters::{MetricFilter, Suppression};

/// Why an event is suppressed.
pub(crate) const REASON: &str = "a call of this stack itself";

/// The calls, as CloudTrail names them: `eventSource` and `eventName`.
pub const OWN_CALLS: &[(&str, &str)] = &[
    ("dynamodb.amazonaws.com", "GetItem"),
    ("dynamodb.amazonaws.com", "PutItem"),
    ("dynamodb.amazonaws.com", "Query"),
    ("kms.amazonaws.com", "Decrypt"),
    ("kms.amazonaws.com", "GenerateDataKey"),
    ("lambda.amazonaws.com", "Invoke"),
    ("logs.amazonaws.com", "CreateLogStream"),
    ("logs.amazonaws.com", "PutLogEvents"),
    ("s3.amazonaws.com", "GetObject"),
    ("sns.amazonaws.com", "Publish"),
    // Lambda polls the queues under the role of the function.
    ("sqs.amazonaws.com", "DeleteMessage"),
    ("sqs.amazonaws.com", "DeleteMessageBatch"),
    ("sqs.amazonaws.com", "GetQueueAttributes"),
    ("sqs.amazonaws.com", "ReceiveMessage"),
    ("sqs.amazonaws.com", "SendMessageBatch"),
];

/// The suppressions of the calls of these roles, given by their ARNs.
#[derive(Debug, Clone, Default)]
pub struct OwnCalls {
    role_arns: Vec<String>,
    suppressions: Vec<Suppression>,
}

impl PartialEq for OwnCalls {
    fn eq(&self, other: &Self) -> bool {
        self.role_arns == other.role_arns
    }
}

impl Eq for OwnCalls {}

impl OwnCalls {
    /// Suppresses nothing but the calls of these roles.
    ///
    /// # Errors
    /// What is given is no ARN: no pattern can be made of it.
    pub fn of_roles(role_arns: &[String]) -> Result<Self, CompileError> {
        let mut suppressions = Vec::new();
        for arn in role_arns {
            for calls in OWN_CALLS.chunk_by(|(a, _), (b, _)| a == b) {
                suppressions.push(Suppression {
                    pattern: filter_pattern::compile(&pattern(arn, calls))?,
                    reason: REASON.to_owned(),
                    expires: None,
                });
            }
        }
        Ok(OwnCalls {
            role_arns: role_arns.to_vec(),
            suppressions,
        })
    }

    /// Adds them to a filter's own suppressions.
    pub(crate) fn suppress_in(&self, filter: &mut MetricFilter) {
        filter.suppress.extend(self.suppressions.iter().cloned());
    }
}

/// The calls of one service by one role.
fn pattern(role_arn: &str, calls: &[(&str, &str)]) -> String {
    let source = calls.first().map_or("", |(source, _)| source);
    let names: Vec<String> = calls
        .iter()
        .map(|(_, name)| format!("($.eventName = {name})"))
        .collect();
    format!(
        "{{ ($.userIdentity.sessionContext.sessionIssuer.arn = \"{role_arn}\") && ($.eventSource = \"{source}\") && ({}) }}",
        names.join(" || ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stand_in_order_so_that_those_of_a_service_are_together() {
        assert!(OWN_CALLS.is_sorted());
    }

    #[test]
    fn a_role_has_one_pattern_for_each_service_however_long_its_path() {
        let role = format!("arn:aws:iam::111122223333:role/{}/name", "p".repeat(510));
        let own = OwnCalls::of_roles(&[role]).unwrap();
        assert_eq!(own.suppressions.len(), 7);
        assert_eq!(OwnCalls::of_roles(&[]).unwrap(), OwnCalls::default());
    }
}
