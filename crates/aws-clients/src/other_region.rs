//! What S3 says when a bucket is in another Region.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Which Region an answer says that a bucket is in, if it is not the one that was asked.
/// `None`: this is not about the Region. `Some(None)`: it is, and the answer does not say which.
pub(crate) fn other_region<E: ProvideErrorMetadata>(
    error: &SdkError<E>,
    asked: Option<&str>,
) -> Option<Option<String>> {
    let SdkError::ServiceError(answer) = error else {
        return None;
    };
    let raw = answer.raw();
    let body = raw.body().bytes().map(String::from_utf8_lossy);
    let body = body.as_deref().unwrap_or_default();
    let header = raw.headers().get("x-amz-bucket-region").map(str::to_owned);
    let said = header
        .or_else(|| text_of(body, "Region"))
        .or_else(|| region_of_endpoint(&text_of(body, "Endpoint")?));
    match (said, error.code().unwrap_or_default()) {
        (Some(said), _) if Some(said.as_str()) != asked => Some(Some(said)),
        // The Region is right, and what is wrong is something else.
        (Some(_), _) => None,
        (
            None,
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException"
            | "IllegalLocationConstraint",
        ) => Some(None),
        (None, _) => matches!(raw.status().as_u16(), 301 | 307).then_some(None),
    }
}

fn text_of(body: &str, element: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{element}>"))?;
    Some(rest.split_once('<')?.0.trim().to_owned())
}

/// `bucket.s3.eu-west-1.amazonaws.com` and `bucket.s3-eu-west-1.amazonaws.com` both occur.
fn region_of_endpoint(endpoint: &str) -> Option<String> {
    let (host, _) = endpoint.split_once(".amazonaws.com")?;
    let last = host.rsplit('.').next()?;
    let region = last.strip_prefix("s3-").unwrap_or(last);
    (region.contains('-') && region != "s3-external-1").then(|| region.to_owned())
}
