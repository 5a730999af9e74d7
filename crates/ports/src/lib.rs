//! What the functions need of the world around them: traits, and the plain types they speak in.
//!
//! Each trait is one capability: [`ReadObject`], [`StreamObject`], [`ListObjects`], [`ObjectVersions`],
//! [`PutObject`], [`BucketRegion`] (S3), [`Trails`], [`PublicKeys`], [`Organization`], [`Items`] (the
//! table), [`SendMessages`] (a queue), [`PutLogEvents`] (the evidence log), [`Publish`] (topics),
//! [`Clock`]. `aws-clients` implements them on AWS, `testkit` in memory. A request fails with a [`RequestError`], which says what the caller
//! must know: is it worth another try, and could it have been carried out all the same?
//!
//! Out of scope: any logic, any name of AWS's SDK, any runtime.
#![allow(
    async_fn_in_trait,
    reason = "the functions run on one thread; their futures need not be Send"
)]

mod bucket;
mod clock;
mod error;
mod evidence_log;
mod items;
mod listing;
mod object;
mod queue;
mod store;
mod stream;
mod topic;
mod trail;
mod versions;

pub use bucket::BucketRegion;
pub use clock::Clock;
pub use error::{ErrorKind, RequestError, with_sources};
pub use evidence_log::{LogEvent, PutLogEvents, RejectedLogEvents};
pub use items::{Body, Item, ItemKey, Items, Put};
pub use listing::{ListFrom, ListObjects, ListedObject, Listing};
pub use object::{ObjectLocation, ReadObject, StoredObject};
pub use queue::{QueueMessage, SendMessages};
pub use store::PutObject;
pub use stream::{ObjectHead, Sink, StreamObject};
pub use topic::{Attribute, Publication, Publish};
pub use trail::{Organization, PublicKeyEntry, PublicKeys, Trail, TrailStatus, Trails};
pub use versions::{ObjectVersion, ObjectVersions};
