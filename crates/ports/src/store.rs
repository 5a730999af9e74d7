//! Writing objects.

use crate::{ObjectLocation, RequestError};

/// Writes objects.
pub trait PutObject {
    /// Writes an object as a whole, in place of the one that is there. The location's version means nothing
    /// here: in a bucket that keeps versions every write is a new one, a repeated write too.
    ///
    /// # Errors
    /// The request failed.
    async fn put_object(
        &self,
        location: &ObjectLocation,
        content: &[u8],
        content_type: &str,
    ) -> Result<(), RequestError>;
}
