//! CloudWatch embedded metric format: metrics and their evidence in one log event.
//!
//! ```
//! use emf::{Unit, Value, document};
//!
//! let lines = document("Trailwarden", 1_772_421_120_000)
//!     .metric("RootSignIns", Unit::Count, Value::One(2.0))
//!     .property("accounts", ["111122223333"])
//!     .to_json();
//! assert_eq!(
//!     lines,
//!     [concat!(
//!         r#"{"_aws":{"Timestamp":1772421120000,"CloudWatchMetrics":[{"Namespace":"Trailwarden","#,
//!         r#""Dimensions":[[]],"Metrics":[{"Name":"RootSignIns","Unit":"Count"}]}]},"#,
//!         r#""RootSignIns":2,"accounts":["111122223333"]}"#
//!     )]
//! );
//! ```
//!
//! A [`Document`] becomes one line of JSON, or several where the format's limits ask for it
//! (`document`, with names and values made fit by `clean`); [`Outcomes`] collects what one invocation
//! did and writes it as such lines (`outcomes`); [`batches`] splits log events into calls that
//! PutLogEvents accepts (`batches`).
//!
//! The promise: every line is a document CloudWatch can read, whatever names, values and properties
//! come in, and every log event that goes in comes out, in a batch or as [`Unfit`] for a named reason.
//!
//! Source: CloudWatch User Guide, "Specification: Embedded metric format" (extraction from a log
//! event), "MetricDatum" (names, range of values); CloudWatch Logs API Reference, `PutLogEvents`. Out
//! of scope: sending anything, high-resolution metrics, how old a metric may be.

mod batches;
mod clean;
mod document;
mod outcomes;
mod unit;

pub use batches::{Batches, LogEvent, Unfit, batches};
pub use document::{Document, MAX_DOCUMENT_BYTES, Value, document};
pub use outcomes::Outcomes;
pub use unit::Unit;
