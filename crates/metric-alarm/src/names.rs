//! The words of an alarm's settings, spelled as CloudWatch spells them.
//!
//! Source: CloudWatch API Reference, `PutMetricAlarm`.

use std::fmt;
use std::str::FromStr;

/// What is calculated from the values of one span or period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// How many samples there are, whatever their values.
    SampleCount,
    /// The sum divided by the sample count.
    Average,
    /// The values added up.
    Sum,
    /// The lowest value.
    Minimum,
    /// The highest value.
    Maximum,
}

/// How a statistic is held against the threshold; when it holds, the statistic is breaching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ComparisonOperator {
    /// `>=`
    GreaterThanOrEqualToThreshold,
    /// `>`
    GreaterThanThreshold,
    /// `<`
    LessThanThreshold,
    /// `<=`
    LessThanOrEqualToThreshold,
}

/// What a period without samples means to an alarm on aligned periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TreatMissingData {
    /// It counts as a breaching datapoint.
    Breaching,
    /// It counts as a datapoint within the threshold.
    NotBreaching,
    /// It leaves the state as it is.
    Ignore,
    /// It is no datapoint; with nothing but such periods the state is insufficient data.
    #[default]
    Missing,
}

/// A word that is none of the names a setting can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {setting} `{found}`, expected one of: {}", .expected.join(", "))]
pub struct UnknownName {
    /// The setting that was read, in words: `statistic`.
    pub setting: &'static str,
    /// The word as it was given.
    pub found: String,
    /// The names there are.
    pub expected: &'static [&'static str],
}

/// Spells out the names of an enum once, for reading, writing and listing.
macro_rules! names {
    ($type:ident, $setting:literal, { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All there are, in the order of CloudWatch's documentation.
            pub const ALL: &[$type] = &[$($type::$variant),+];

            /// The name in CloudWatch's spelling.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($name => Ok($type::$variant),)+
                    _ => Err(UnknownName {
                        setting: $setting,
                        found: text.to_owned(),
                        expected: &[$($name),+],
                    }),
                }
            }
        }
    };
}

names!(Statistic, "statistic", {
    SampleCount => "SampleCount",
    Average => "Average",
    Sum => "Sum",
    Minimum => "Minimum",
    Maximum => "Maximum",
});

names!(ComparisonOperator, "comparison operator", {
    GreaterThanOrEqualToThreshold => "GreaterThanOrEqualToThreshold",
    GreaterThanThreshold => "GreaterThanThreshold",
    LessThanThreshold => "LessThanThreshold",
    LessThanOrEqualToThreshold => "LessThanOrEqualToThreshold",
});

names!(TreatMissingData, "treatment of missing data", {
    Breaching => "breaching",
    NotBreaching => "notBreaching",
    Ignore => "ignore",
    Missing => "missing",
});

impl ComparisonOperator {
    /// Whether `value` breaches `threshold`.
    pub fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanThreshold => value < threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
        }
    }

    /// Whether high values breach.
    pub(crate) fn is_greater(self) -> bool {
        matches!(
            self,
            Self::GreaterThanOrEqualToThreshold | Self::GreaterThanThreshold
        )
    }

    /// The more breaching of two values.
    pub(crate) fn worse(self, a: f64, b: f64) -> f64 {
        let a_is_higher = a.total_cmp(&b).is_gt();
        if a_is_higher == self.is_greater() {
            a
        } else {
            b
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_what_wrote_it() {
        for &statistic in Statistic::ALL {
            assert_eq!(statistic.to_string().parse(), Ok(statistic));
        }
        for &comparison in ComparisonOperator::ALL {
            assert_eq!(comparison.to_string().parse(), Ok(comparison));
        }
        for &treatment in TreatMissingData::ALL {
            assert_eq!(treatment.to_string().parse(), Ok(treatment));
        }
    }

    #[test]
    fn an_unknown_name_is_told_which_there_are() {
        let error = "sum".parse::<Statistic>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown statistic `sum`, expected one of: SampleCount, Average, Sum, Minimum, Maximum"
        );
    }

    #[test]
    fn missing_data_is_missing_unless_said_otherwise() {
        assert_eq!(TreatMissingData::default(), TreatMissingData::Missing);
    }

    #[test]
    fn the_threshold_itself_breaches_only_with_or_equal() {
        let at_threshold = ComparisonOperator::ALL.iter().map(|c| c.breaches(3.0, 3.0));
        assert_eq!(at_threshold.collect::<Vec<_>>(), [true, false, false, true]);
    }

    #[test]
    fn comparisons_look_in_their_direction() {
        let above = ComparisonOperator::ALL.iter().map(|c| c.breaches(4.0, 3.0));
        assert_eq!(above.collect::<Vec<_>>(), [true, true, false, false]);
        let worse = ComparisonOperator::ALL.iter().map(|c| c.worse(4.0, 3.0));
        assert_eq!(worse.collect::<Vec<_>>(), [4.0, 4.0, 3.0, 3.0]);
    }
}
