//! The table: items under two keys, each with a version that guards it.

use crate::RequestError;

/// What an item lies under. Items with the same partition key are ordered by their sort key, byte by
/// byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    /// The partition key.
    pub partition: String,
    /// The sort key.
    pub sort: String,
}

/// What an item holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text, readable for people who look into the table.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// An item of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it lies under.
    pub key: ItemKey,
    /// Counts how often it was written; see [`Items::put_item`].
    pub version: u64,
    /// What it holds, below 400 KB.
    pub body: Body,
    /// When something is to be done about it, in Unix seconds; if set, [`Items::due_items`] finds it.
    pub due_at: Option<i64>,
    /// When it may be deleted, in Unix seconds. Deletion lags by days: a reader judges for itself.
    pub expires_at: i64,
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Written,
    /// Another version is there, or none: nothing was written.
    Conflict(Option<Item>),
}

/// Keeps items. All reads but [`due_items`](Self::due_items) see every write that has been answered.
pub trait Items {
    /// The item under a key.
    ///
    /// # Errors
    /// The request failed.
    async fn get_item(&self, key: &ItemKey) -> Result<Option<Item>, RequestError>;

    /// The items of a partition from sort key `first` to `last`, both included, in their order or
    /// backwards; at most `most`.
    ///
    /// # Errors
    /// A request failed.
    async fn items_between(
        &self,
        partition: &str,
        first: &str,
        last: &str,
        backwards: bool,
        most: usize,
    ) -> Result<Vec<Item>, RequestError>;

    /// Writes an item if the one that is there has version `expected`, or none is there and
    /// `expected` is `None`. The item's own `version` must be another one.
    ///
    /// A write whose answer got lost may have been carried out; the client may then have tried again
    /// and met its own write. So a conflict with an item that equals the one to be written is
    /// `Written`.
    ///
    /// # Errors
    /// The request failed.
    async fn put_item(&self, item: &Item, expected: Option<u64>) -> Result<Put, RequestError>;

    /// Keys of items that are due at `now` (Unix seconds) and when they were, the oldest first; at
    /// most `most`. What was written a moment ago may be missing.
    ///
    /// # Errors
    /// A request failed.
    async fn due_items(&self, now: i64, most: usize) -> Result<Vec<(ItemKey, i64)>, RequestError>;
}
