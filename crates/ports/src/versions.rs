//! The versions of an object, in a bucket that keeps them.

use crate::RequestError;

/// A version of an object, or the mark that it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Its id; `null` for what was written before the bucket kept versions.
    pub version: String,
    /// Whether it says that the object was deleted, and has no content.
    pub is_delete_marker: bool,
    /// Whether it is what a reader gets who asks for no version.
    pub is_latest: bool,
    /// When it was written, in Unix seconds.
    pub last_modified: Option<i64>,
    /// Its entity tag, without quotes; a delete marker has none.
    pub etag: Option<String>,
    /// How many bytes it has; a delete marker has none.
    pub size: Option<u64>,
}

/// Lists the versions of an object.
pub trait ObjectVersions {
    /// The versions and delete markers of exactly this key, the newest first; at most `most`. None if the
    /// bucket has never had an object of this name, or no longer has any version of it.
    ///
    /// # Errors
    /// `NotFound` if there is no such bucket, `AccessDenied`; or a request failed.
    async fn object_versions(
        &self,
        bucket: &str,
        key: &str,
        most: usize,
    ) -> Result<Vec<ObjectVersion>, RequestError>;
}
