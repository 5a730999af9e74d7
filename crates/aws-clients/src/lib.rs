//! The ports on AWS: the only crate that names the AWS SDK.
//!
//! ```no_run
//! # async fn start() -> Result<(), aws_clients::LoadError> {
//! use aws_clients::{Clients, Timeouts};
//!
//! let clients = Clients::load(Timeouts::patient()).await?;
//! let objects = clients.objects();
//! let items = clients.items("trailwarden");
//! # Ok(())
//! # }
//! ```
//!
//! [`Clients::load`] reads Region, credentials and endpoints from the environment, [`Clients::load_for_person`]
//! from wherever the AWS CLI does; each service client is built when it is asked for, and connects with its
//! first request. How long a request may take and
//! how often it is tried stands in one place ([`Timeouts`]), and so does what an error means to its
//! caller (`request`).
//!
//! A request that could do something twice, publishing and writing log events, is sent again only
//! after an answer that says it had no effect. All other requests are repeatable and the SDK repeats
//! them, after a time-out too. Nothing that is read or sent is logged, only the names of operations.
//!
//! Out of scope: making buckets, tables, queues, log groups and topics; [`table`] says how the table
//! is to be made.

mod bucket_notifications;
mod clients;
mod clock;
mod cloudtrail;
mod evidence_log;
mod item;
mod items;
mod listing;
mod objects;
mod organization;
mod other_region;
mod queue;
mod random;
#[cfg(test)]
mod recorded;
mod request;
mod retry;
mod s3_config;
pub mod table;
mod timeouts;
mod topics;
mod versions;

pub use bucket_notifications::{
    BucketNotifications, Destination, DestinationKind, KeyRule, Notifications, NotificationsError,
};
pub use clients::{Clients, LoadError};
pub use clock::SystemClock;
pub use cloudtrail::CloudTrail;
pub use evidence_log::EvidenceLog;
pub use items::TableItems;
pub use objects::S3Objects;
pub use organization::Organizations;
pub use queue::SqsQueue;
pub use random::unique_name;
pub use timeouts::Timeouts;
pub use topics::Topics;
