//! The whole handler over ports in memory: invocations as AWS makes them go in, the answer, what was
//! sent and written, and what was counted come out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

mod broken;
mod filters_file;
mod ledger;
mod matches;
mod metrics;
mod notifications;
mod own_calls;
mod requests;
mod scene;
mod secrets;
mod settings;
mod sizes;
