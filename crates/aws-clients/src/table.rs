//! How the table is to be made: a partition key and a sort key, both text; time to live by
//! [`EXPIRES`]; and the index [`DUE_INDEX`] with partition key [`DUE`] (text), sort key [`DUE_AT`]
//! (number) and only the keys projected.

/// The partition key (S).
pub const PARTITION_KEY: &str = "pk";

/// The sort key (S).
pub const SORT_KEY: &str = "sk";

/// How often the item was written (N).
pub const VERSION: &str = "version";

/// What the item holds (S or B).
pub const BODY: &str = "body";

/// [`DUE_VALUE`] in each item that has [`DUE_AT`], so that the index has these and no others (S).
pub const DUE: &str = "due";

/// When something is to be done about the item, in Unix seconds (N).
pub const DUE_AT: &str = "due_at";

/// When the item may be deleted, in Unix seconds (N).
pub const EXPIRES: &str = "expires";

/// The name of the index of items that are due.
pub const DUE_INDEX: &str = "due";

/// The one value of [`DUE`].
pub const DUE_VALUE: &str = "due";
