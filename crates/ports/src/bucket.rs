//! Buckets.

use crate::RequestError;

/// Tells where buckets are.
pub trait BucketRegion {
    /// The Region of a bucket, by its present name: `us-east-1`, `eu-west-1`.
    ///
    /// # Errors
    /// `NotFound` if there is no such bucket, `AccessDenied`; or the request failed.
    async fn bucket_region(&self, bucket: &str) -> Result<String, RequestError>;
}
