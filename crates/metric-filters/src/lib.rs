//! The metric filters file, the built-in filters and the compiled set.
//!
//! ```
//! use metric_filters::{FilterSet, TimeRange, built_in};
//!
//! let set = FilterSet::new(built_in()?.in_profile("recommended"));
//! let object = br#"{"Records":[{"eventName":"StopLogging","eventTime":"2026-03-02T02:41:09Z"}]}"#;
//! let mut names = Vec::new();
//! set.evaluator().evaluate(object, None, &Default::default(), TimeRange::ALL, |found| {
//!     names.push(set.filters()[found.filter].name.clone());
//! })?;
//! assert_eq!(names, ["CloudTrailChanges"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The text of a file becomes a tree of values that know where they stand (`node`), the tree
//! [`MetricFilter`]s or a list of every fault (`file`, `fault`), filters of a profile a
//! [`FilterSet`] (`set`) that takes log files and yields matches.
//!
//! The promise: loading is all or nothing, and says all that is wrong in one go; every record that
//! comes in is counted as evaluated or as out of range.
//!
//! Sources: CloudWatch Logs API, PutMetricFilter and MetricTransformation; CloudWatch API,
//! PutMetricAlarm. Out of scope: alarms from samples (`metric-alarm`), reading files.

mod built_in;
mod fault;
mod file;
mod filter;
mod node;
mod set;

pub use built_in::{BUILT_IN, DEFAULT_PROFILE, built_in};
pub use fault::{Fault, Faults};
pub use file::FiltersFile;
pub use filter::{
    Alarm, FilterTest, MetricFilter, MetricTransformation, Mode, Override, Severity, Suppression,
};
pub use set::{Evaluator, FilterCount, FilterSet, LogFileReport, Match, TimeRange, group_text};
