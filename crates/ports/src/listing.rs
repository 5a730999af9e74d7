//! What a bucket holds.

use crate::RequestError;

/// An object as a listing names it: the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key as it is.
    pub key: String,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// How many bytes it has.
    pub size: u64,
    /// When it was written, in Unix seconds.
    pub last_modified: Option<i64>,
}

/// One page of a listing, in byte order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects, without those in `folders`.
    pub objects: Vec<ListedObject>,
    /// Beginnings of keys up to the first `/` after the prefix, each once and with that `/`; none unless
    /// asked for.
    pub folders: Vec<String>,
    /// Where the next page starts; `None` for the last page. A page can be empty and not the last.
    pub next: Option<String>,
}

/// Where a page of a listing starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFrom<'a> {
    /// At the first key.
    Start,
    /// At the first key after this one, which need not exist.
    After(&'a str),
    /// Where the page before ended: its [`Listing::next`].
    Token(&'a str),
}

/// Lists objects.
pub trait ListObjects {
    /// One page of the objects whose keys begin with `prefix`, 1,000 at most; with `by_folder` what lies
    /// deeper than the prefix is told as [`Listing::folders`] only.
    ///
    /// # Errors
    /// `NotFound` if there is no such bucket, `AccessDenied`; or the request failed.
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        by_folder: bool,
        from: ListFrom<'_>,
    ) -> Result<Listing, RequestError>;
}
