//! The world in memory: ports that keep what they are given, fail on demand and stop in mid-work.
//!
//! ```
//! use ports::{Body, Item, ItemKey, Items, Put};
//! use testkit::{Fault, World, run};
//!
//! let world = World::new(1_772_420_400);
//! let key = ItemKey { partition: "p".into(), sort: "s".into() };
//! let item = Item { key, version: 1, body: Body::Text("x".into()), due_at: None, expires_at: i64::MAX };
//! assert_eq!(run(world.put_item(&item, None)).unwrap().unwrap(), Put::Written);
//!
//! // The process dies right after the next request has been carried out.
//! world.fault_at(world.requests().len(), Fault::DieAfter);
//! let next = Item { version: 2, ..item.clone() };
//! assert!(run(world.put_item(&next, Some(1))).is_none());
//! world.revive();
//! assert_eq!(run(world.get_item(&item.key)).unwrap().unwrap().unwrap().version, 2);
//! ```
//!
//! One [`World`] is all ports at once; clones share it. A death is a request that is never answered:
//! [`run`] then gives `None`, and what was in memory is gone, as it is with a process that is killed.
//! Items, messages and publications that AWS would refuse for their size are refused here, too.
//!
//! For tests only.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test kit may panic: it is part of tests"
)]

mod build;
pub mod chain;
pub mod patterns;
mod run;
mod world;

pub use build::{gzip, log_file, s3_notification, seconds, sqs_record, time};
pub use chain::{Chain, SigningKey, TrailSpec};
pub use run::run;
pub use world::{Fault, PublicKeysHandle, QueueHandle, Sent, World};
