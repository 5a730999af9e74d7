//! CloudTrail log files, their records and the keys they are stored under.
//!
//! ```
//! let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T0215Z_Mu0KsOhtH1ar15ZZ.json.gz";
//! let key = cloudtrail::ObjectKey::parse(key)?;
//! assert!(key.name.is_log_file());
//! # Ok::<(), cloudtrail::KeyError>(())
//! ```
//!
//! A key says what an object is ([`ObjectKey`], [`FileName`]); [`LogFileReader`] takes the bytes of
//! one object (gzip or plain), verifies them and hands out its records as they lie; [`EventHead`] and
//! [`Actor`] say of a record when, for which account, which event and by whom.
//!
//! The promise: a record is skipped only if it is not an object or does not end, and every element of
//! a log file is counted where it is decided what becomes of it. No member is required of a record:
//! every event version and Insights and aggregated events are served.
//!
//! Sources: CloudTrail User Guide, "CloudTrail record contents", "Finding your CloudTrail log files";
//! RFC 1952. Out of scope: evaluating filters, verifying digests.

mod actor;
mod document;
mod event;
mod gzip;
mod key;
mod log_file;

pub use actor::{Actor, ActorKind, printable};
pub use event::{EventHead, EventTime, FEW_VALUES, Origin, event_id, parse_time};
pub use gzip::GzipError;
pub use key::{FileName, KeyError, LogFolder, NameRest, ObjectKey, ObjectKind, Partition};
pub use log_file::{Entry, LogFileReader, Problem, ProblemKind, ReadError, SkipReason, Summary};
