//! What can go wrong between a function and AWS, and where it shall.
//!
//! Errors are told as the service tells them: the SDK must take them for real ones. Codes and statuses
//! are those of each service's API reference, "Common errors" and "Errors" of the operations.

use std::fmt;
use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::json;

use crate::server::answer;
use crate::{Call, Service};

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The service's own throttling error; nothing is forwarded.
    Throttle,
    /// An error of the service with this status; nothing is forwarded.
    Status(u16),
    /// The service's own refusal; nothing is forwarded.
    AccessDenied,
    /// The service's own word that there is no such object, table, queue, topic or log group.
    NotFound,
    /// An error with this status and code, in the service's wire format; nothing is forwarded.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code, without a namespace: `ConditionalCheckFailedException`.
        code: &'static str,
    },
    /// Nothing is forwarded and no answer ever comes.
    Hang,
    /// The call takes effect, but no answer ever comes.
    HangAfter,
    /// The call is held up, then forwarded.
    Delay(Duration),
    /// The connection is cut; nothing is forwarded.
    DropConnection,
    /// The call takes effect, then the connection is cut without an answer.
    DropConnectionAfter,
    /// The function process is killed; nothing is forwarded.
    KillBefore,
    /// The call takes effect, then the function process is killed instead of getting the answer.
    KillAfter,
    /// The call takes effect, but this is the answer, with the emulator's headers.
    ReplaceResponse {
        /// The HTTP status.
        status: u16,
        /// The whole body.
        body: String,
    },
    /// This is the answer; nothing is forwarded.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The whole body.
        body: String,
    },
}

impl Fault {
    /// Whether the call takes effect.
    pub(crate) fn forwards(&self) -> bool {
        matches!(
            self,
            Self::HangAfter
                | Self::Delay(_)
                | Self::DropConnectionAfter
                | Self::KillAfter
                | Self::ReplaceResponse { .. }
        )
    }

    /// Whether it ends the function process.
    pub(crate) fn kills(&self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }
}

/// Which calls a [`Fault`] is for: any number of them, unless [`times`](Self::times) limits it.
pub struct Matcher {
    applies: Box<dyn Fn(&Call) -> bool + Send>,
    left: usize,
}

impl Matcher {
    /// Every call.
    pub fn any() -> Self {
        Self::when(|_| true)
    }

    /// The call with this number among all, from 0.
    pub fn call(index: usize) -> Self {
        Self::when(move |call| call.index == index)
    }

    /// Every call of an operation.
    pub fn operation(service: Service, operation: &str) -> Self {
        let operation = operation.to_owned();
        Self::when(move |call| call.is(service, &operation))
    }

    /// The call of an operation with this number among its like, from 0.
    pub fn nth(service: Service, operation: &str, nth: usize) -> Self {
        let operation = operation.to_owned();
        Self::when(move |call| call.is(service, &operation) && call.nth == nth)
    }

    /// The calls that a condition holds for.
    pub fn when(applies: impl Fn(&Call) -> bool + Send + 'static) -> Self {
        Self {
            applies: Box::new(applies),
            left: usize::MAX,
        }
    }

    /// Only the first `times` of them.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self {
            left: times,
            ..self
        }
    }

    /// Whether the fault is for this call; uses up one of its times if so.
    pub(crate) fn takes(&mut self, call: &Call) -> bool {
        let takes = self.left > 0 && (self.applies)(call);
        self.left -= usize::from(takes);
        takes
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Matcher")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// The answer of a fault that is one; `None` where the fault is something else.
pub(crate) fn error_answer(fault: &Fault, call: &Call) -> Option<Response<Full<Bytes>>> {
    let (status, code) = match fault {
        Fault::Throttle => throttled(call.service),
        Fault::Status(status) => (*status, failed(call.service, *status)),
        Fault::AccessDenied => denied(call.service),
        Fault::NotFound => missing(call),
        Fault::Error { status, code } => (*status, *code),
        Fault::Answer { status, body } => {
            return Some(answer(*status, content_type(call.service), body.clone()));
        }
        _ => return None,
    };
    Some(error(call, status, code))
}

fn throttled(service: Service) -> (u16, &'static str) {
    match service {
        Service::S3 => (503, "SlowDown"),
        Service::Sqs => (403, "RequestThrottled"),
        Service::Sns => (400, "Throttling"),
        Service::DynamoDb | Service::Logs | Service::Other => (400, "ThrottlingException"),
    }
}

fn denied(service: Service) -> (u16, &'static str) {
    match service {
        Service::S3 => (403, "AccessDenied"),
        Service::Sns => (403, "AuthorizationError"),
        Service::Sqs => (403, "AccessDeniedException"),
        Service::DynamoDb | Service::Logs | Service::Other => (400, "AccessDeniedException"),
    }
}

fn missing(call: &Call) -> (u16, &'static str) {
    match call.service {
        Service::S3 if call.detail.contains('/') => (404, "NoSuchKey"),
        Service::S3 => (404, "NoSuchBucket"),
        Service::Sns => (404, "NotFound"),
        Service::Sqs => (400, "QueueDoesNotExist"),
        Service::DynamoDb | Service::Logs | Service::Other => (400, "ResourceNotFoundException"),
    }
}

fn failed(service: Service, status: u16) -> &'static str {
    match (service, status) {
        (Service::S3 | Service::Sns, 503) => "ServiceUnavailable",
        (Service::S3 | Service::Sns, 500..) => "InternalError",
        (Service::DynamoDb, 500..) => "InternalServerError",
        (Service::Logs, 500..) => "ServiceUnavailableException",
        (_, 500..) => "InternalFailure",
        (Service::S3, _) => "InvalidRequest",
        (Service::Sns, _) => "InvalidParameter",
        (Service::Sqs, _) => "InvalidParameterValue",
        (Service::Logs, _) => "InvalidParameterException",
        (Service::DynamoDb | Service::Other, _) => "ValidationException",
    }
}

/// An error in the wire format of the service.
fn error(call: &Call, status: u16, code: &str) -> Response<Full<Bytes>> {
    let service = call.service;
    let body = match service {
        Service::S3 if call.operation.starts_with("Head") => String::new(),
        Service::S3 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{MESSAGE}</Message>\
             <RequestId>{REQUEST_ID}</RequestId></Error>"
        ),
        Service::Sns => {
            let kind = if status < 500 { "Sender" } else { "Receiver" };
            format!(
                "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>{kind}</Type>\
                 <Code>{code}</Code><Message>{MESSAGE}</Message></Error>\
                 <RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
            )
        }
        _ => json!({ "__type": format!("{}{code}", namespace(service)), "message": MESSAGE })
            .to_string(),
    };
    let mut answer = answer(status, content_type(service), body);
    for name in ["x-amzn-requestid", "x-amz-request-id"] {
        answer
            .headers_mut()
            .insert(name, hyper::header::HeaderValue::from_static(REQUEST_ID));
    }
    answer
}

const MESSAGE: &str = "a fault of the test harness";
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

fn namespace(service: Service) -> &'static str {
    match service {
        Service::DynamoDb => "com.amazonaws.dynamodb.v20120810#",
        Service::Sqs => "com.amazonaws.sqs#",
        _ => "",
    }
}

fn content_type(service: Service) -> &'static str {
    match service {
        Service::S3 => "application/xml",
        Service::Sns => "text/xml",
        Service::Logs => "application/x-amz-json-1.1",
        Service::DynamoDb | Service::Sqs | Service::Other => "application/x-amz-json-1.0",
    }
}
