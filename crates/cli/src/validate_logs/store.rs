//! Where digests, log files and public keys are read from.
//!
//! S3 and CloudTrail ([`S3Store`](super::s3_store::S3Store)), or a folder and files of keys
//! ([`FolderStore`](super::folder_store::FolderStore)). What drives a validation is the same for both: it awaits many
//! reads at a time on one thread, and never holds a log file; a store holds small ones only.

use std::fmt;
use std::ops::ControlFlow;

use digest_chain::{DigestObject, Location, LogContent, MOST_DIGEST_BYTES, PublicKeys};

/// Why something could not be read.
#[derive(Debug, Clone)]
pub(crate) enum ReadError {
    /// There is no such object.
    NotFound,
    /// It cannot be read to its end, or no answer came; what was the matter.
    Broken(String),
    /// The service answered and refused, or asked to slow down to the end.
    Refused(ServiceError),
}

/// What a service refused.
#[derive(Debug, Clone)]
pub(crate) struct ServiceError {
    /// The operation, by its name in AWS's API; for a file what was to be done with it.
    pub operation: &'static str,
    /// The service's own error code, if it gave one.
    pub code: Option<String>,
    /// What the service said about it, if anything.
    pub message: Option<String>,
    /// All of it in one line, its causes included.
    pub text: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NotFound => f.write_str("it does not exist"),
            ReadError::Broken(text) => f.write_str(text),
            ReadError::Refused(error) => f.write_str(&error.text),
        }
    }
}

impl ReadError {
    /// What the AWS CLI says of it.
    pub(crate) fn in_words_of_the_aws_cli(&self) -> String {
        match self {
            ReadError::Refused(error) => error.in_words_of_the_aws_cli(),
            other => other.to_string(),
        }
    }
}

impl ServiceError {
    /// What the AWS CLI says of it.
    pub(crate) fn in_words_of_the_aws_cli(&self) -> String {
        let Some(code) = &self.code else {
            return self.text.clone();
        };
        // The AWS CLI lists by the older of the two operations.
        let operation = match self.operation {
            "ListObjectsV2" => "ListObjects",
            operation => operation,
        };
        let message = self.message.as_deref().unwrap_or("Unknown");
        format!("An error occurred ({code}) when calling the {operation} operation: {message}")
    }
}

/// An object as a listing names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written, in Unix seconds; files do not say.
    pub last_modified: Option<i64>,
    /// Its entity tag; empty for a file.
    pub etag: String,
    /// How many bytes it has.
    pub size: u64,
}

/// Where digests and log files lie, and the keys.
pub(crate) trait Store {
    /// Hands over the objects whose keys begin with `prefix`, behind `start_after`, in byte order of the keys, until
    /// `take` breaks.
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        start_after: Option<&str>,
        take: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), ReadError>;

    /// The folders right below `prefix`, which ends with a slash or is empty: their whole prefixes, with a slash.
    async fn folders(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ReadError>;

    /// A digest of at most `most_bytes`, compressed; `None` for a larger one.
    async fn read_digest_within(
        &self,
        location: &Location,
        most_bytes: u64,
    ) -> Result<Option<DigestObject>, ReadError>;

    /// Reads a log file to its end and keeps its hash.
    async fn hash_log(&self, location: &Location) -> Result<LogContent, ReadError>;

    /// The public keys of a Region that were valid at some time from `start` to `end`, in Unix seconds.
    async fn public_keys(
        &self,
        region: &str,
        start: i64,
        end: i64,
    ) -> Result<PublicKeys, ReadError>;

    /// A digest of any size that is read at all.
    async fn read_digest(&self, location: &Location) -> Result<DigestObject, ReadError> {
        let digest = self.read_digest_within(location, MOST_DIGEST_BYTES).await?;
        let too_large = format!("it has more than {} MiB", MOST_DIGEST_BYTES >> 20);
        digest.ok_or(ReadError::Broken(too_large))
    }
}
