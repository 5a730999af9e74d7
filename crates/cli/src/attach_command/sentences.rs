//! What to do about a failure, in a sentence.

use aws_clients::NotificationsError;
use ports::{ErrorKind, RequestError, with_sources};

use crate::aws_names::BucketName;
use crate::output::printable;

pub(crate) fn no_region(profile: Option<&str>) -> String {
    match profile {
        Some(profile) => format!(
            "no AWS Region is set, expected --region, AWS_REGION, or a Region in the profile `{}`, if there is one",
            printable(profile)
        ),
        None => "no AWS Region is set, expected --region, AWS_REGION, or a Region in the AWS configuration".to_owned(),
    }
}

/// `asked` is the Region that was asked.
pub(crate) fn failure(
    bucket: &BucketName,
    asked: &str,
    owner_is_expected: bool,
    error: &NotificationsError,
) -> String {
    match error {
        NotificationsError::NoCredentials { source } => format!(
            "no AWS credentials, expected some in the environment, in a profile, or of `aws sso login`: {}",
            printable(&with_sources(source.as_ref()))
        ),
        NotificationsError::OtherRegion { region } => {
            other_region(bucket, asked, region.as_deref())
        }
        NotificationsError::UnknownElement { name } => format!(
            "the notifications of `{bucket}` have an element `{}` that this version does not know and would drop; \
             expected a newer version, or the change in the console: Properties, Amazon EventBridge",
            printable(name)
        ),
        NotificationsError::Request(error) => request(bucket, asked, owner_is_expected, error),
        error => printable(&with_sources(error)),
    }
}

fn other_region(bucket: &BucketName, asked: &str, region: Option<&str>) -> String {
    match region {
        Some(region) => {
            let region = printable(region);
            format!(
                "bucket `{bucket}` is in {region}, not in {asked}; EventBridge gets its events there, so that is \
                 where the stack belongs: --region {region}"
            )
        }
        None => format!(
            "bucket `{bucket}` is not in {asked}, expected --region with its own (aws s3api get-bucket-location \
             --bucket {bucket}); EventBridge gets its events there, so that is where the stack belongs"
        ),
    }
}

fn request(
    bucket: &BucketName,
    asked: &str,
    owner_is_expected: bool,
    error: &RequestError,
) -> String {
    let code = printable(error.code.as_deref().unwrap_or_default());
    let action = match error.operation {
        "PutBucketNotificationConfiguration" => "s3:PutBucketNotification",
        _ => "s3:GetBucketNotification",
    };
    match (error.kind, code.as_str()) {
        (ErrorKind::AccessDenied, "AccessDenied" | "") => {
            let owner = match owner_is_expected {
                true => ", and a bucket of the account that --expected-bucket-owner names",
                false => "",
            };
            format!("access to `{bucket}` is denied, expected the permission {action}{owner}")
        }
        (ErrorKind::AccessDenied, code) => {
            format!(
                "S3 does not accept these credentials ({code}), expected valid ones that have not expired"
            )
        }
        (ErrorKind::NotFound, _) => {
            format!(
                "there is no bucket `{bucket}`, expected one that exists and that this account may see"
            )
        }
        (ErrorKind::Throttled, _) => {
            format!(
                "S3 asks to slow down ({code}) and did so at each attempt; try again in a while"
            )
        }
        (ErrorKind::Unknown, "") => {
            let cause = printable(&with_sources(error.source.as_ref()));
            format!(
                "no answer from S3 in {asked}, expected its endpoint to be within reach: {cause}"
            )
        }
        (ErrorKind::Unknown, code) => {
            format!("S3 failed ({code}) at each attempt; try again in a while")
        }
        _ => printable(&with_sources(error)),
    }
}
