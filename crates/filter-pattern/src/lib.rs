//! Compile CloudWatch Logs filter patterns and hold them against log events.
//!
//! ```
//! let pattern = filter_pattern::compile(r#"{ $.eventName = "StopLogging" }"#)?;
//! assert!(pattern.matches(br#"{ "eventName": "StopLogging" }"#));
//! assert!(!pattern.matches(b"StopLogging"));
//! # Ok::<(), filter_pattern::CompileError>(())
//! ```
//!
//! A [`Pattern`] is one of five languages, told apart by its first character ([`Language`]): JSON
//! patterns (`json`: tests joined in a `logic` tree), space-delimited patterns (`fields`), regular
//! expressions (`expression`), unstructured terms (`terms`), and the empty pattern that matches
//! everything. A [`PatternSet`] holds many patterns against one record together.
//! [`MetricValue`] and [`Dimension`] take numbers and texts from the events that match.
//!
//! Compiling can fail, with a [`CompileError`] that points at the place; matching cannot: it answers
//! yes or no for every message, however odd. Nothing recurses on the depth of an event or a pattern,
//! and no event makes a match cost more than its length times the length of the pattern, counts of
//! regular expressions written out, which are limited (D34).
//!
//! Source: "filter pattern rules" in the comments of this crate, with their section and decision
//! numbers (`D01` ...), are `docs/filter-patterns.md`; that page follows the CloudWatch Logs User
//! Guide, "Filter pattern syntax". Out of scope: Logs Insights queries, and what a metric filter needs
//! beyond its pattern (names, units, quotas of a log group).

mod automaton;
mod byte_table;
mod compare;
mod error;
mod explain;
mod expression;
mod fields;
mod glob;
mod json;
mod logic;
mod metric;
mod number;
mod pattern;
mod plan;
mod program;
mod quick;
mod scanner;
mod selector;
mod set;
mod terms;
mod text_memory;
mod texts;
mod trie;
mod warning;

pub use error::CompileError;
pub use explain::{Explanation, Line, Outcome};
pub use metric::{Dimension, DimensionValue, MetricValue};
pub use pattern::{Language, MAX_PATTERN_CHARS, Pattern, compile};
pub use selector::Selector;
pub use set::{PatternSet, RecordHints, Scratch};
pub use warning::Warning;
