//! From samples to alarms, in event time.
//!
//! ```
//! use metric_alarm::{AlarmDefinition, ComparisonOperator, Sample, Statistic, alarms};
//!
//! let definition = AlarmDefinition::builder(
//!     Statistic::Sum,
//!     ComparisonOperator::GreaterThanOrEqualToThreshold,
//!     3.0,
//!     300,
//! )
//! .build()
//! .map_err(|faults| format!("{faults:?}"))?;
//!
//! // Three failed sign-ins within five minutes, across the boundary at 600 seconds.
//! let samples = [(500, 1), (590, 2), (610, 3)].map(|(time, id)| Sample { time, id, value: 1.0 });
//! let found = alarms(&definition, &samples, 610);
//! assert_eq!(found.len(), 1);
//! assert_eq!((found[0].start, found[0].matched, found[0].peak), (500, 3, Some(3.0)));
//! # Ok::<(), String>(())
//! ```
//!
//! An [`AlarmDefinition`] says when values are an alarm. Samples become distinct (`sample_set`), fall
//! into spans that slide with them (`sliding`) or into CloudWatch's aligned periods (`aligned`, judged
//! by `evaluation`), the values of a span become its statistic (`window`, `exact_sum`), and breaching
//! spans that belong together one [`Alarm`]. [`alarms`] is the pure function; [`AlarmSeries`] is the
//! same for batches that come one after the other.
//!
//! The promise: alarms depend on the *set* of samples, the definition and `now`, on nothing else.
//! Order, repetition and splitting into batches change nothing, a sum is rounded once and so has no
//! order, and a silence of any length costs nothing. All times are Unix seconds and saturate at the
//! ends of `i64`.
//!
//! Source: CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat
//! missing data", for aligned periods. Out of scope: percentiles, metric math, anomaly detection,
//! dimensions and groups (one series is one group), forgetting what has expired.

mod alarm;
mod aligned;
mod definition;
mod evaluation;
mod exact_sum;
mod names;
mod sample_set;
mod series;
mod sliding;
mod window;

pub use alarm::{Alarm, AlarmState, AlarmStatus};
pub use definition::{AlarmDefinition, AlarmDefinitionBuilder, DefinitionError};
pub use exact_sum::ExactSum;
pub use names::{ComparisonOperator, Statistic, TreatMissingData, UnknownName};
pub use sample_set::{Sample, Tally};
pub use series::{AlarmSeries, alarms, state};
