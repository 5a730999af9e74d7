//! Metric filters as they stand in a filters file, checked and compiled.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use filter_pattern::{Dimension, MetricValue, Pattern, Selector};
use metric_alarm::AlarmDefinition;

/// One metric filter with its metric, its alarm and its tests.
#[derive(Debug, Clone)]
pub struct MetricFilter {
    /// 1 to 512 characters without `:` and `*`; unique in a file.
    pub name: String,
    /// For people; the name if the file gives none.
    pub title: String,
    /// What it means when it matches.
    pub description: Option<String>,
    /// How bad that is.
    pub severity: Severity,
    /// Where the filter comes from.
    pub references: Vec<String>,
    /// Which events match.
    pub pattern: Pattern,
    /// What a match adds to which metric.
    pub metric: MetricTransformation,
    /// When matches become an alarm; without it the filter is a metric only.
    pub alarm: Option<Alarm>,
    /// Which matches are expected.
    pub suppress: Vec<Suppression>,
    /// Does it notify?
    pub mode: Mode,
    /// Events it must match and events it must not.
    pub tests: Vec<FilterTest>,
    /// The profiles it is part of, and what differs there. Empty: part of every profile.
    pub profiles: BTreeMap<String, Override>,
}

impl MetricFilter {
    /// The filter as it is in a profile; `None` if it is not part of it.
    pub fn in_profile(&self, profile: &str) -> Option<MetricFilter> {
        let mut filter = self.clone();
        if !self.profiles.is_empty() {
            let Override {
                pattern,
                mode,
                severity,
                alarm,
            } = self.profiles.get(profile)?.clone();
            filter.pattern = pattern.unwrap_or(filter.pattern);
            filter.mode = mode.unwrap_or(filter.mode);
            filter.severity = severity.unwrap_or(filter.severity);
            filter.alarm = alarm.or(filter.alarm);
        }
        filter.tests.retain(|test| {
            test.profiles.is_empty() || test.profiles.iter().any(|name| name == profile)
        });
        Some(filter)
    }
}

/// How bad a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it some day.
    Low,
    /// Look at it today.
    #[default]
    Medium,
    /// Look at it now.
    High,
    /// Drop everything.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Severity; 5] = [
        Severity::Info,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// The word in a filters file.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// Does a filter notify?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Metrics and notifications.
    #[default]
    Live,
    /// Metrics, no notification.
    Shadow,
}

impl Mode {
    /// Both of them.
    pub const ALL: [Mode; 2] = [Mode::Live, Mode::Shadow];

    /// The word in a filters file.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Shadow => "shadow",
        }
    }
}

macro_rules! words {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                $type::ALL
                    .into_iter()
                    .find(|value| value.name() == word)
                    .ok_or(())
            }
        }
    };
}

words!(Severity);
words!(Mode);

/// What a match adds to which metric.
#[derive(Debug, Clone)]
pub struct MetricTransformation {
    /// At most 255 characters without `:`, `*` and `$`.
    pub namespace: String,
    /// At most 255 characters without `:`, `*` and `$`.
    pub name: String,
    /// A number, or where the event has it.
    pub value: MetricValue,
    /// The value as written.
    pub value_text: String,
    /// Reported for a minute with events but without a match.
    pub default_value: Option<f64>,
    /// One of CloudWatch's units.
    pub unit: Option<String>,
    /// At most three names with where the event has the value.
    pub dimensions: Vec<Dimension>,
}

/// When matches become an alarm.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// Statistic, comparison, threshold, periods.
    pub definition: AlarmDefinition,
    /// A count and a state for each combination of these values; empty: all together.
    pub group_by: Vec<Selector>,
}

/// Matches that are expected: counted, but in no metric and no alarm.
#[derive(Debug, Clone)]
pub struct Suppression {
    /// Which of the filter's matches.
    pub pattern: Pattern,
    /// Why.
    pub reason: String,
    /// The last day on which it holds (UTC, by event time), if it ends.
    pub expires: Option<jiff::civil::Date>,
}

impl Suppression {
    /// Does it still hold for an event at this time (Unix seconds)?
    pub fn holds_at(&self, seconds: i64) -> bool {
        let Some(last_day) = self.expires else {
            return true;
        };
        let Ok(time) = jiff::Timestamp::from_second(seconds) else {
            return false;
        };
        jiff::tz::Offset::UTC.to_datetime(time).date() <= last_day
    }
}

/// An event that must match, or must not.
#[derive(Debug, Clone)]
pub struct FilterTest {
    /// What the event is.
    pub name: String,
    /// The event, as compact JSON.
    pub event: String,
    /// Must the pattern match it?
    pub matches: bool,
    /// The profiles it holds for; empty: all.
    pub profiles: Vec<String>,
}

/// What differs in a profile.
#[derive(Debug, Clone, Default)]
pub struct Override {
    /// Another pattern.
    pub pattern: Option<Pattern>,
    /// Another mode.
    pub mode: Option<Mode>,
    /// Another severity.
    pub severity: Option<Severity>,
    /// The alarm with another threshold.
    pub alarm: Option<Alarm>,
}
