//! The whole function over ports in memory: a chain that CloudTrail would deliver and what was done to it go in, what is
//! found, sent and told comes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

mod hardened;
mod killed;
mod reported;
mod requeue_more;
mod requeued;
mod scenarios;
mod scene;
mod settings;
mod silence;
mod sizes;
