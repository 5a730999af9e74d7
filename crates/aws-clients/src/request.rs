//! What an error of the SDK means to its caller.
//!
//! The line that matters most is whether the request may have been carried out. It certainly was not
//! if it was never sent, or if the service answered with an error that is not its own failure. It may
//! have been if there was no answer, an answer that cannot be read, or a failure of the service (5xx).
//!
//! Source: API References of S3, DynamoDB, SQS, SNS, CloudWatch Logs, CloudTrail and Organizations, "Common
//! errors".

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use ports::{ErrorKind, RequestError};

/// Sends a request.
pub(crate) async fn send<T, E>(
    operation: &'static str,
    request: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<T, RequestError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    tracing::debug!(operation, "request");
    request
        .await
        .map_err(|error| request_error(operation, error))
}

/// The error of the SDK as one of ours.
pub(crate) fn request_error<E>(operation: &'static str, error: SdkError<E>) -> RequestError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::ConstructionFailure(_) => ErrorKind::Refused,
        SdkError::ServiceError(answer) => kind_of(
            answer.raw().status().as_u16(),
            error.code(),
            error.message(),
        ),
        _ => ErrorKind::Unknown,
    };
    RequestError {
        operation,
        kind,
        code: error.code().map(str::to_owned),
        message: error.message().map(str::to_owned),
        source: Box::new(error),
    }
}

/// An error that is not the SDK's.
pub(crate) fn own_error(
    operation: &'static str,
    kind: ErrorKind,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> RequestError {
    RequestError {
        operation,
        kind,
        code: None,
        message: None,
        source: source.into(),
    }
}

/// What an answer means that has this HTTP status, error code and message.
pub(crate) fn kind_of(status: u16, code: Option<&str>, message: Option<&str>) -> ErrorKind {
    let code = code.unwrap_or_default();
    let message = message.unwrap_or_default();
    if (200..300).contains(&status) {
        ErrorKind::Unknown // It succeeded, with an answer that cannot be read.
    } else if is_throttled(status, code) {
        ErrorKind::Throttled
    } else if is_about_the_key(code, message) {
        ErrorKind::KeyDenied
    } else if is_not_found(status, code) {
        ErrorKind::NotFound
    } else if code == "InvalidObjectState" {
        ErrorKind::Archived // With 403, but no permission helps.
    } else if is_access_denied(status, code) {
        ErrorKind::AccessDenied
    } else if status >= 500 || is_failure_of_the_service(code) {
        ErrorKind::Unknown
    } else {
        ErrorKind::Refused
    }
}

fn is_throttled(status: u16, code: &str) -> bool {
    const CODES: &[&str] = &[
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "OverLimit",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequestsException",
    ];
    // A bare 503 may come from anything on the way, after the request was carried out.
    status == 429 || code.contains("Throttl") || CODES.contains(&code)
}

/// Services pass on what KMS answered: as a code of its own (`KMS.DisabledException` of S3,
/// `KMSDisabled` of SNS, `KmsDisabled` of SQS), or as `AccessDenied` with KMS in the message only.
fn is_about_the_key(code: &str, message: &str) -> bool {
    let has_kms_code = code
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("kms"));
    let names_key = ["kms:", "KMS key", "ciphertext refers"]
        .iter()
        .any(|words| message.contains(words));
    has_kms_code || (code.starts_with("AccessDenied") && names_key)
}

fn is_not_found(status: u16, code: &str) -> bool {
    const CODES: &[&str] = &[
        "AWS.SimpleQueueService.NonExistentQueue",
        "AWSOrganizationsNotInUseException",
        "NoSuchBucket",
        "NoSuchKey",
        "NoSuchVersion",
        "NotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "TrailNotFoundException",
    ];
    status == 404 || CODES.contains(&code)
}

fn is_access_denied(status: u16, code: &str) -> bool {
    const CODES: &[&str] = &[
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    ];
    matches!(status, 401 | 403) || CODES.contains(&code)
}

fn is_failure_of_the_service(code: &str) -> bool {
    code.starts_with("Internal") || code.starts_with("RequestTimeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_the_table_says() {
        use ErrorKind::*;
        let table: &[(u16, &str, &str, ErrorKind)] = &[
            (
                404,
                "NoSuchKey",
                "The specified key does not exist.",
                NotFound,
            ),
            (404, "NoSuchVersion", "", NotFound),
            (404, "NoSuchBucket", "", NotFound),
            (404, "", "", NotFound),
            (400, "ResourceNotFoundException", "", NotFound),
            (400, "AWS.SimpleQueueService.NonExistentQueue", "", NotFound),
            (400, "AWSOrganizationsNotInUseException", "", NotFound),
            (400, "TrailNotFoundException", "", NotFound),
            (403, "AccessDenied", "Access Denied", AccessDenied),
            (403, "AuthorizationError", "", AccessDenied),
            (403, "", "", AccessDenied),
            (
                400,
                "AccessDeniedException",
                "not authorized to perform: dynamodb:PutItem",
                AccessDenied,
            ),
            (400, "UnrecognizedClientException", "", AccessDenied),
            (
                403,
                "InvalidObjectState",
                "not valid for the object's storage class",
                Archived,
            ),
            (
                403,
                "AccessDenied",
                "not authorized to perform: kms:Decrypt on resource",
                KeyDenied,
            ),
            (
                403,
                "AccessDenied",
                "The ciphertext refers to a customer master key that does not exist",
                KeyDenied,
            ),
            (
                400,
                "AccessDeniedException",
                "The KMS key is disabled",
                KeyDenied,
            ),
            (400, "KMS.DisabledException", "", KeyDenied),
            (400, "KMS.KMSInvalidStateException", "", KeyDenied),
            (404, "KMSNotFound", "", KeyDenied),
            (400, "KmsDisabled", "", KeyDenied),
            (400, "KMS.ThrottlingException", "", Throttled),
            (403, "RequestThrottled", "", Throttled),
            (503, "SlowDown", "", Throttled),
            (503, "", "", Unknown),
            (503, "ServiceUnavailable", "", Unknown),
            (429, "", "", Throttled),
            (400, "ThrottlingException", "", Throttled),
            (400, "Throttled", "", Throttled),
            (400, "RequestLimitExceeded", "", Throttled),
            (400, "ProvisionedThroughputExceededException", "", Throttled),
            (500, "InternalError", "", Unknown),
            (500, "InternalServerError", "", Unknown),
            (500, "ServiceUnavailableException", "", Unknown),
            (502, "", "", Unknown),
            (504, "", "", Unknown),
            (400, "RequestTimeout", "", Unknown),
            (200, "", "", Unknown),
            (400, "ValidationException", "", Refused),
            (412, "PreconditionFailed", "", Refused),
            (301, "PermanentRedirect", "", Refused),
        ];
        for &(status, code, message, kind) in table {
            let code = Some(code).filter(|code| !code.is_empty());
            assert_eq!(
                kind_of(status, code, Some(message)),
                kind,
                "{status} {code:?}"
            );
        }
    }

    #[test]
    fn only_errors_of_unknown_outcome_may_have_had_an_effect() {
        assert!(!own_error("Publish", ErrorKind::Unknown, "none").had_no_effect());
        assert!(own_error("Publish", ErrorKind::Refused, "none").had_no_effect());
    }

    #[test]
    fn a_request_that_could_not_be_built_was_refused() {
        let error: SdkError<aws_sdk_s3::operation::get_object::GetObjectError> =
            SdkError::construction_failure("no bucket");
        let error = request_error("GetObject", error);
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(error.code, None);
    }

    #[test]
    fn a_time_out_leaves_the_outcome_unknown() {
        let error: SdkError<aws_sdk_s3::operation::get_object::GetObjectError> =
            SdkError::timeout_error("too late");
        assert_eq!(request_error("GetObject", error).kind, ErrorKind::Unknown);
    }
}
