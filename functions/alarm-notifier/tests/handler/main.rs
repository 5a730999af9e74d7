//! The whole handler over ports in memory: batches and ticks as AWS makes them go in, the answer, what
//! was published and what is in the table come out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

mod batches;
mod counting;
mod faults;
mod findings;
mod floods;
mod held;
mod native;
mod quota;
mod scene;
mod settings;
mod telling;
mod ticks;
mod weeks;
