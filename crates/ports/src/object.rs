//! Objects in S3.

use std::fmt;

use crate::RequestError;

/// Where an object lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectLocation {
    /// The bucket's name.
    pub bucket: String,
    /// The key as it is, not encoded for a URL or a form.
    pub key: String,
    /// The version, in a bucket that keeps versions; the current one if not given.
    pub version: Option<String>,
}

/// `s3://bucket/key`, without the version.
impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Its entity tag, without quotes: another content has another one.
    pub etag: String,
    /// Its version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// When it was written, in Unix seconds.
    pub last_modified: Option<i64>,
}

/// Reads objects.
pub trait ReadObject {
    /// Reads an object of at most `most_bytes`.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `KeyDenied`; `TooLarge` if it has more bytes, none of which is
    /// kept then; or the request failed.
    async fn read_object(
        &self,
        location: &ObjectLocation,
        most_bytes: u64,
    ) -> Result<StoredObject, RequestError>;

    /// Reads an object if its entity tag is not `known_etag`; `None` if it is.
    ///
    /// # Errors
    /// As [`read_object`](Self::read_object).
    async fn read_object_if_changed(
        &self,
        location: &ObjectLocation,
        known_etag: &str,
        most_bytes: u64,
    ) -> Result<Option<StoredObject>, RequestError>;
}
