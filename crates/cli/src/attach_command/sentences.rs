//! What to do about a failure, in a sentence.

use aws_clients::NotificationsError;
use ports::{ErrorKind, RequestError, with_sources};

use crate::aws_names::{BucketName, InvalidName};
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

pub(crate) fn no_name_of_a_region(found: &str, error: &InvalidName) -> String {
    format!(
        "the AWS Region of the environment or the profile is `{}`, {error}",
        printable(found)
    )
}

/// What was asked about, where, and as whom.
pub(crate) struct Asked<'a> {
    pub(crate) bucket: &'a BucketName,
    pub(crate) region: &'a str,
    pub(crate) profile: Option<&'a str>,
    pub(crate) owner_is_expected: bool,
}

impl Asked<'_> {
    pub(crate) fn failure(&self, error: &NotificationsError) -> String {
        let bucket = self.bucket;
        match error {
            NotificationsError::NoCredentials { source } => format!(
                "no AWS credentials, expected some {}: {}",
                self.where_credentials_are_looked_for(),
                printable(&with_sources(source.as_ref()))
            ),
            NotificationsError::OtherRegion { region } => self.other_region(region.as_deref()),
            NotificationsError::UnknownElement { name } => format!(
                "the notifications of `{bucket}` have an element `{}` that this version does not know and would drop; \
                 expected a newer version, or the change in the console: Properties, Amazon EventBridge",
                printable(name)
            ),
            NotificationsError::Request(error) => self.request(error),
            error => printable(&with_sources(error)),
        }
    }

    fn where_credentials_are_looked_for(&self) -> String {
        match self.profile {
            Some(profile) => format!("of the profile `{}`", printable(profile)),
            None => "in the environment, in a profile, or of `aws sso login`".to_owned(),
        }
    }

    fn other_region(&self, region: Option<&str>) -> String {
        let Asked {
            bucket,
            region: asked,
            ..
        } = self;
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

    fn request(&self, error: &RequestError) -> String {
        let Asked { bucket, region, .. } = self;
        let code = printable(error.code.as_deref().unwrap_or_default());
        let said = printable(&with_sources(error.source.as_ref()));
        match (error.kind, code.as_str()) {
            (_, "RequestTimeTooSkewed") => {
                format!(
                    "the clock of this machine is wrong ({code}), expected the time of S3: {said}"
                )
            }
            (_, "OperationAborted") => {
                format!(
                    "another change of `{bucket}` is in progress ({code}), try again in a while: {said}"
                )
            }
            (_, "AllAccessDisabled") => {
                format!(
                    "AWS has disabled all access to `{bucket}` ({code}), expected AWS Support to help: {said}"
                )
            }
            (_, "InvalidToken") => credentials(&code, &said),
            (ErrorKind::AccessDenied, "AccessDenied" | "") => self.denied(error.operation, &said),
            (ErrorKind::AccessDenied, _) => credentials(&code, &said),
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
                format!(
                    "no answer from S3 in {region}, expected its endpoint to be within reach: {said}"
                )
            }
            (ErrorKind::Unknown, _) if is_put(error.operation) => {
                format!("S3 failed ({code}): {said}")
            }
            (ErrorKind::Unknown, _) => {
                format!("S3 failed ({code}) at each attempt; try again in a while: {said}")
            }
            _ => printable(&with_sources(error)),
        }
    }

    fn denied(&self, operation: &str, said: &str) -> String {
        let action = match is_put(operation) {
            true => "s3:PutBucketNotification",
            false => "s3:GetBucketNotification",
        };
        let owner = match self.owner_is_expected {
            true => ", and a bucket of the account that --expected-bucket-owner names",
            false => "",
        };
        format!(
            "access to `{}` is denied, expected the permission {action}{owner}; an explicit deny, of the bucket's \
             policy or of the organization, does this, too: {said}",
            self.bucket
        )
    }
}

/// A put is sent once, whereas a get is repeated.
fn is_put(operation: &str) -> bool {
    operation == "PutBucketNotificationConfiguration"
}

fn credentials(code: &str, said: &str) -> String {
    format!(
        "S3 does not accept these credentials ({code}), expected valid ones that have not expired: {said}"
    )
}
