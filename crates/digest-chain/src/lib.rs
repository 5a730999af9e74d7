//! CloudTrail digest files: what they say, whether it is signed, and the walk along their chain.
//!
//! ```
//! use digest_chain::{LogHasher, GzipEnd};
//!
//! let mut hasher = LogHasher::new();
//! hasher.push(b"not gzip");
//! assert_eq!(hasher.finish().end, GzipEnd::NotGzip);
//! ```
//!
//! Every hour CloudTrail signs a digest file of the log files it has delivered; each digest names the one before it
//! with its hash and signature. A digest object is opened ([`OpenedDigest::open`]: exactly one gzip member, JSON), its
//! signature verified ([`SignatureCheck`]) and then walked in one of two ways:
//!
//! - [`CompatibleWalk`] goes from the newest digest to the oldest and says what `aws cloudtrail validate-logs` says,
//!   with its blind spots;
//! - [`ChainWalk`] goes forward, from a checkpoint or the oldest digest, and holds each digest against its successor
//!   and its predecessor: gaps, restarts, replaced and missing digests are findings.
//!
//! Both are told what was read and say what to read next, so that a command and a function can drive them with the
//! concurrency they like. A log file is hashed while it is inflated ([`LogHasher`]), whatever its size.
//!
//! A finding is a value, a failure to look is one, too ([`FindingKind::Unreadable`]): an unreadable file is never called tampered.
//!
//! Sources: CloudTrail User Guide, "Validating CloudTrail log file integrity" and "Custom implementations of
//! CloudTrail log file integrity validation"; for the compatible walk the behaviour of AWS CLI 1.46.2. Out of scope:
//! reading objects, asking for keys, printing.

mod chain_walk;
mod compatible;
mod der;
mod digest_file;
mod finding;
mod gzip;
mod listing;
mod log_check;
mod opened;
mod public_key;
mod reconcile;
mod sha256;
mod signature;
mod stream;
mod time;

pub use chain_walk::{
    ChainNext, ChainWalk, DigestRead, Examined, Link, MOST_IN_BATCH, TrustedDigest, in_chain_order,
};
pub use compatible::{CompatibleWalk, DigestOutcome, Invalid, Next, Seen, WalkError};
pub use digest_file::{DigestFile, FormatError, LogFile, Previous};
pub use finding::{Finding, FindingKind, Level, Location};
pub use gzip::{GzipEnd, Inflating};
pub use listing::{DigestKeys, DigestListing};
pub use log_check::{LogContent, LogHasher, LogProblem, MOST_LOG_BYTES};
pub use opened::{DigestObject, MOST_DIGEST_BYTES, Metadata, OpenedDigest, Unopened};
pub use public_key::{KeyFileError, KeyForm, PublicKey, PublicKeys};
pub use reconcile::{Known, ListedLog, Reconciliation, Standing};
pub use sha256::Sha256;
pub use signature::{SignatureCheck, signing_string, verify, verify_any_hash};
pub use stream::{DigestKey, Scope, Stream};
pub use time::{Stamp, display_time, parse_time, stamp_text};
