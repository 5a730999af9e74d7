//! Reads log files as they arrive, evaluates the metric filters, publishes metrics with their evidence
//! and hands matches on to the alarm notifier.
//!
//! A message from the log-file queue announces objects (`announcement`). For each of them, in this
//! order: read it, **claim** it in the ledger, evaluate it (`found`), send its **matches** to the FIFO
//! queue, write its **metrics** with their evidence (`evidence_log`), mark it **done**. Whatever fails,
//! or dies, leaves the object unclaimed or its lease to end, and its message comes again: matches that
//! are sent again are dropped by the queue or counted once by their identity.
//!
//! The promise: every object that is announced ends in one counted outcome (`outcome`); what one
//! object does costs no other.
//!
//! Invoked by S3 or SNS directly it works too, but then a failure is one of the invocation.

mod announcement;
mod evidence_log;
mod filters;
mod found;
mod outcome;
mod own_calls;
mod processor;
mod settings;

pub use announcement::{
    Announced, AnnouncedObject, AnnouncementError, Ignored, Payload, QueueRecord, announced,
    payload,
};
pub use filters::{FiltersInForce, NoFilters};
pub use outcome::{FailReason, ObjectOutcome, SkipReason};
pub use own_calls::{OWN_CALLS, OwnCall, OwnRole};
pub use processor::{Ports, Processor};
pub use settings::{FiltersSource, Settings};
