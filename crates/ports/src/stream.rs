//! Objects in S3, read in pieces.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::{ObjectLocation, RequestError};

/// What is said of an object before its bytes come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectHead {
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// When it was written, in Unix seconds.
    pub last_modified: Option<i64>,
    /// How many bytes it has, if the answer says so.
    pub length: Option<u64>,
    /// What its writer said of it: names in lower case without `x-amz-meta-`, values as they are.
    pub metadata: BTreeMap<String, String>,
}

/// Takes the bytes of an object as they come.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ports::{ObjectHead, Sink};
///
/// /// Counts the bytes of an object.
/// struct Count(usize);
///
/// impl Sink for Count {
///     fn begin(&mut self, _: &ObjectHead) {
///         self.0 = 0;
///     }
///
///     fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
///         self.0 += bytes.len();
///         ControlFlow::Continue(())
///     }
/// }
/// ```
pub trait Sink {
    /// The object's bytes come from the first one on. It is called again for an object that is read again
    /// because it broke off: what was taken before is void, and the object may be another one by now.
    fn begin(&mut self, head: &ObjectHead);

    /// The next bytes. After `Break` no more come and the reading ends well.
    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()>;
}

/// Reads objects in pieces.
pub trait StreamObject {
    /// Reads an object of any size into `sink`: [`Sink::begin`], then all its bytes or those up to where the
    /// sink breaks. Returns what `begin` was last given. After an error what the sink has taken is no object.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `KeyDenied`, `Archived`; or the request failed.
    async fn stream_object(
        &self,
        location: &ObjectLocation,
        sink: &mut impl Sink,
    ) -> Result<ObjectHead, RequestError>;
}
