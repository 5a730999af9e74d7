//! An alarm's definition, which exists only in valid form.
//!
//! Source: CloudWatch API Reference, `PutMetricAlarm`: `Period`, `EvaluationPeriods`, `DatapointsToAlarm`.

use std::fmt;

use crate::{ComparisonOperator, Statistic, TreatMissingData};

const LONGEST_PERIOD_SECONDS: i64 = 86_400;
const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
const WEEK_SECONDS: i64 = 7 * DAY_SECONDS;

/// When values of a metric are an alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmDefinition {
    statistic: Statistic,
    comparison: ComparisonOperator,
    threshold: f64,
    period_seconds: i64,
    evaluation_periods: u32,
    datapoints_to_alarm: u32,
    treat_missing_data: TreatMissingData,
}

impl AlarmDefinition {
    /// Begins a definition with what every alarm must say; the period is in seconds.
    pub fn builder(
        statistic: Statistic,
        comparison: ComparisonOperator,
        threshold: f64,
        period_seconds: i64,
    ) -> AlarmDefinitionBuilder {
        AlarmDefinitionBuilder {
            statistic,
            comparison,
            threshold,
            period_seconds,
            evaluation_periods: 1,
            datapoints_to_alarm: None,
            treat_missing_data: TreatMissingData::default(),
        }
    }

    /// What is calculated from the values of a span or period.
    pub fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// How the statistic is held against the threshold.
    pub fn comparison(&self) -> ComparisonOperator {
        self.comparison
    }

    /// What the statistic is held against; finite.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The length of a span or period in seconds.
    pub fn period_seconds(&self) -> i64 {
        self.period_seconds
    }

    /// N of "M out of N": how many datapoints an evaluation looks at.
    pub fn evaluation_periods(&self) -> u32 {
        self.evaluation_periods
    }

    /// M of "M out of N": how many of them must breach.
    pub fn datapoints_to_alarm(&self) -> u32 {
        self.datapoints_to_alarm
    }

    /// What a period without samples means; without effect where the definition slides.
    pub fn treat_missing_data(&self) -> TreatMissingData {
        self.treat_missing_data
    }

    /// Whether spans slide with the samples rather than being aligned to the clock.
    ///
    /// They do for Sum, SampleCount and Maximum with a Greater comparison and one evaluation period.
    pub fn slides(&self) -> bool {
        let rises_with_samples = matches!(
            self.statistic,
            Statistic::Sum | Statistic::SampleCount | Statistic::Maximum
        );
        rises_with_samples && self.comparison.is_greater() && self.evaluation_periods == 1
    }

    /// Whether a value of the statistic breaches the threshold.
    pub fn breaches(&self, value: f64) -> bool {
        self.comparison.breaches(value, self.threshold)
    }

    /// Whether a breaching datapoint stays breaching when more samples come.
    ///
    /// A sum counts as one that does: values of metric filters are hardly ever negative.
    pub(crate) fn breach_is_lasting(&self) -> bool {
        match self.statistic {
            Statistic::SampleCount | Statistic::Sum | Statistic::Maximum => {
                self.comparison.is_greater()
            }
            Statistic::Minimum => !self.comparison.is_greater(),
            Statistic::Average => false,
        }
    }
}

/// The condition in a line: `Sum >= 3 in 300 s`, `Average < 1 in 2 of 3 periods of 60 s`.
impl fmt::Display for AlarmDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.comparison {
            ComparisonOperator::GreaterThanOrEqualToThreshold => ">=",
            ComparisonOperator::GreaterThanThreshold => ">",
            ComparisonOperator::LessThanThreshold => "<",
            ComparisonOperator::LessThanOrEqualToThreshold => "<=",
        };
        write!(f, "{} {sign} {} in ", self.statistic, self.threshold)?;
        match self.evaluation_periods {
            1 => write!(f, "{} s", self.period_seconds),
            periods => write!(
                f,
                "{} of {periods} periods of {} s",
                self.datapoints_to_alarm, self.period_seconds
            ),
        }
    }
}

/// An [`AlarmDefinition`] in the making.
///
/// Numbers are taken as a file may say them, negative ones too; [`build`](Self::build) judges them.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct AlarmDefinitionBuilder {
    statistic: Statistic,
    comparison: ComparisonOperator,
    threshold: f64,
    period_seconds: i64,
    evaluation_periods: i64,
    datapoints_to_alarm: Option<i64>,
    treat_missing_data: TreatMissingData,
}

impl AlarmDefinitionBuilder {
    /// How many datapoints an evaluation looks at; 1 unless said otherwise.
    pub fn evaluation_periods(mut self, evaluation_periods: i64) -> Self {
        self.evaluation_periods = evaluation_periods;
        self
    }

    /// How many of them must breach; all of them unless said otherwise.
    pub fn datapoints_to_alarm(mut self, datapoints_to_alarm: i64) -> Self {
        self.datapoints_to_alarm = Some(datapoints_to_alarm);
        self
    }

    /// What a period without samples means; `missing` unless said otherwise.
    pub fn treat_missing_data(mut self, treat_missing_data: TreatMissingData) -> Self {
        self.treat_missing_data = treat_missing_data;
        self
    }

    /// Checks the settings and makes the definition.
    ///
    /// # Errors
    /// Every fault there is, in the order of the settings; never an empty list.
    pub fn build(self) -> Result<AlarmDefinition, Vec<DefinitionError>> {
        let datapoints_to_alarm = self.datapoints_to_alarm.unwrap_or(self.evaluation_periods);
        let mut faults = Vec::new();
        faults.extend(threshold_fault(self.threshold));
        match period_fault(self.period_seconds) {
            Some(fault) => faults.push(fault),
            None => faults.extend(range_fault(self.period_seconds, self.evaluation_periods)),
        }
        faults.extend(evaluation_periods_fault(self.evaluation_periods));
        if self.datapoints_to_alarm.is_some() {
            faults.extend(datapoints_fault(
                datapoints_to_alarm,
                self.evaluation_periods,
            ));
        }
        match (
            u32::try_from(self.evaluation_periods),
            u32::try_from(datapoints_to_alarm),
        ) {
            (Ok(evaluation_periods), Ok(datapoints_to_alarm)) if faults.is_empty() => {
                Ok(AlarmDefinition {
                    statistic: self.statistic,
                    comparison: self.comparison,
                    threshold: self.threshold,
                    period_seconds: self.period_seconds,
                    evaluation_periods,
                    datapoints_to_alarm,
                    treat_missing_data: self.treat_missing_data,
                })
            }
            _ => Err(faults),
        }
    }
}

/// One fault of a definition, and what was expected.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// The threshold is infinite or not a number.
    #[error("threshold `{threshold}` is not finite, expected a number")]
    Threshold {
        /// As given.
        threshold: f64,
    },
    /// The period is none that CloudWatch knows.
    #[error(
        "period `{period_seconds}` is not supported, expected 10, 20, 30 or a multiple of 60 up to {LONGEST_PERIOD_SECONDS} seconds"
    )]
    Period {
        /// As given, in seconds.
        period_seconds: i64,
    },
    /// There is no period to evaluate.
    #[error("evaluation periods `{evaluation_periods}` is too low, expected at least 1")]
    EvaluationPeriods {
        /// As given.
        evaluation_periods: i64,
    },
    /// The periods of one evaluation are longer than CloudWatch allows: a day, or seven days where a
    /// period is at least an hour.
    #[error(
        "evaluation periods `{evaluation_periods}` of {period_seconds} seconds are too long, expected at most {limit_seconds} seconds together"
    )]
    EvaluationRange {
        /// As given.
        evaluation_periods: i64,
        /// As given, in seconds.
        period_seconds: i64,
        /// The limit for this period, in seconds.
        limit_seconds: i64,
    },
    /// The alarm would want no datapoint, or more than it looks at.
    #[error(
        "datapoints to alarm `{datapoints_to_alarm}` is out of range, expected at least 1 and at most evaluation periods, which is {evaluation_periods}"
    )]
    DatapointsToAlarm {
        /// As given.
        datapoints_to_alarm: i64,
        /// As given.
        evaluation_periods: i64,
    },
}

fn threshold_fault(threshold: f64) -> Option<DefinitionError> {
    (!threshold.is_finite()).then_some(DefinitionError::Threshold { threshold })
}

fn period_fault(period_seconds: i64) -> Option<DefinitionError> {
    let supported = matches!(period_seconds, 10 | 20 | 30)
        || (period_seconds % 60 == 0 && (60..=LONGEST_PERIOD_SECONDS).contains(&period_seconds));
    (!supported).then_some(DefinitionError::Period { period_seconds })
}

fn evaluation_periods_fault(evaluation_periods: i64) -> Option<DefinitionError> {
    (evaluation_periods < 1).then_some(DefinitionError::EvaluationPeriods { evaluation_periods })
}

fn range_fault(period_seconds: i64, evaluation_periods: i64) -> Option<DefinitionError> {
    let limit_seconds = if period_seconds < HOUR_SECONDS {
        DAY_SECONDS
    } else {
        WEEK_SECONDS
    };
    let too_long = period_seconds.saturating_mul(evaluation_periods) > limit_seconds;
    too_long.then_some(DefinitionError::EvaluationRange {
        evaluation_periods,
        period_seconds,
        limit_seconds,
    })
}

fn datapoints_fault(datapoints_to_alarm: i64, evaluation_periods: i64) -> Option<DefinitionError> {
    let in_range = (1..=evaluation_periods).contains(&datapoints_to_alarm);
    (!in_range).then_some(DefinitionError::DatapointsToAlarm {
        datapoints_to_alarm,
        evaluation_periods,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(period_seconds: i64) -> AlarmDefinitionBuilder {
        AlarmDefinition::builder(
            Statistic::Sum,
            ComparisonOperator::GreaterThanOrEqualToThreshold,
            1.0,
            period_seconds,
        )
    }

    #[test]
    fn one_evaluation_period_that_must_breach_is_the_default() {
        let definition = sum_of(300).build().unwrap();
        assert_eq!(definition.evaluation_periods(), 1);
        assert_eq!(definition.datapoints_to_alarm(), 1);
        assert_eq!(definition.treat_missing_data(), TreatMissingData::Missing);
    }

    #[test]
    fn all_datapoints_must_breach_unless_said_otherwise() {
        let definition = sum_of(300).evaluation_periods(5).build().unwrap();
        assert_eq!(definition.datapoints_to_alarm(), 5);
    }

    #[test]
    fn periods_are_those_of_cloudwatch() {
        for period in [10, 20, 30, 60, 120, 3_600, 86_400] {
            assert!(sum_of(period).build().is_ok(), "{period}");
        }
        for period in [i64::MIN, -60, 0, 1, 40, 61, 90, 86_460, i64::MAX] {
            assert_eq!(
                sum_of(period).build(),
                Err(vec![DefinitionError::Period {
                    period_seconds: period
                }])
            );
        }
    }

    #[test]
    fn an_evaluation_looks_back_a_day_or_with_long_periods_a_week() {
        assert!(sum_of(60).evaluation_periods(1_440).build().is_ok());
        assert!(sum_of(3_600).evaluation_periods(168).build().is_ok());
        let day = sum_of(60).evaluation_periods(1_441).build().unwrap_err();
        assert_eq!(
            day.first().unwrap().to_string(),
            "evaluation periods `1441` of 60 seconds are too long, expected at most 86400 seconds together"
        );
        let week = sum_of(3_600).evaluation_periods(169).build().unwrap_err();
        assert!(week.first().unwrap().to_string().contains("604800"));
        assert!(sum_of(60).evaluation_periods(i64::MAX).build().is_err());
    }

    #[test]
    fn datapoints_to_alarm_lie_within_the_evaluation_periods() {
        for datapoints in [1, 3] {
            let builder = sum_of(60).evaluation_periods(3);
            assert!(builder.datapoints_to_alarm(datapoints).build().is_ok());
        }
        for datapoints in [i64::MIN, 0, 4] {
            let builder = sum_of(60).evaluation_periods(3);
            assert_eq!(
                builder.datapoints_to_alarm(datapoints).build(),
                Err(vec![DefinitionError::DatapointsToAlarm {
                    datapoints_to_alarm: datapoints,
                    evaluation_periods: 3
                }])
            );
        }
    }

    #[test]
    fn every_fault_is_reported_in_one_go() {
        let faults = AlarmDefinition::builder(
            Statistic::Sum,
            ComparisonOperator::GreaterThanThreshold,
            f64::NAN,
            7,
        )
        .evaluation_periods(0)
        .datapoints_to_alarm(2)
        .build()
        .unwrap_err();
        let messages: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "threshold `NaN` is not finite, expected a number",
                "period `7` is not supported, expected 10, 20, 30 or a multiple of 60 up to 86400 seconds",
                "evaluation periods `0` is too low, expected at least 1",
                "datapoints to alarm `2` is out of range, expected at least 1 and at most evaluation periods, which is 0",
            ]
        );
    }

    #[test]
    fn a_fault_of_the_threshold_does_not_hide_one_of_the_range() {
        let faults = AlarmDefinition::builder(
            Statistic::Sum,
            ComparisonOperator::GreaterThanThreshold,
            f64::INFINITY,
            60,
        )
        .evaluation_periods(100_000)
        .build()
        .unwrap_err();
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn spans_slide_where_samples_can_only_add_to_the_breach() {
        use ComparisonOperator::*;
        use Statistic::*;
        let slides = |statistic, comparison, periods| {
            AlarmDefinition::builder(statistic, comparison, 1.0, 60)
                .evaluation_periods(periods)
                .build()
                .unwrap()
                .slides()
        };
        for statistic in [Sum, SampleCount, Maximum] {
            assert!(slides(statistic, GreaterThanThreshold, 1));
            assert!(slides(statistic, GreaterThanOrEqualToThreshold, 1));
            assert!(!slides(statistic, LessThanThreshold, 1));
            assert!(!slides(statistic, GreaterThanThreshold, 2));
        }
        for statistic in [Average, Minimum] {
            assert!(!slides(statistic, GreaterThanThreshold, 1));
            assert!(!slides(statistic, LessThanOrEqualToThreshold, 1));
        }
    }
}
