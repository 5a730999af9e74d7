//! What a match must say of its filter, so that whoever counts it needs no filters file.

use metric_alarm::AlarmDefinition;
use notification::FindingGuide;
use serde::{Deserialize, Serialize};

use crate::{StoredError, hash};

/// A metric filter with an alarm, as far as counting and telling need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// Its name.
    pub name: String,
    /// Its title, for people.
    pub title: String,
    /// `info`, `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Its pattern, as written.
    pub pattern: String,
    /// What its alarm groups events by: selectors such as `$.recipientAccountId`.
    pub group_by: Vec<String>,
    /// When values are an alarm.
    alarm: Alarm,
    /// Suppressions that have ended, which the next message says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired_suppressions: Vec<ExpiredSuppression>,
    /// The stack has a CloudWatch alarm on its metric, which may tell of it instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_native_alarm: bool,
    /// What it matches are findings of an integrity check, of which this is to be said. Its pattern is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingGuide>,
}

/// What findings are grouped by.
const FINDINGS_GROUP_BY: [&str; 4] = ["account", "region", "trail", "location"];

/// A suppression that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredSuppression {
    /// Why there was one.
    pub reason: String,
    /// Its last day: `2027-01-31`.
    pub expires: String,
}

/// The definition with the words of CloudWatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Alarm {
    statistic: String,
    comparison: String,
    threshold: f64,
    period_seconds: i64,
    evaluation_periods: u32,
    datapoints_to_alarm: u32,
    treat_missing_data: String,
}

/// What cannot be a definition in what was sent or stored.
#[derive(Debug, thiserror::Error)]
enum DefinitionError {
    #[error(transparent)]
    Name(#[from] metric_alarm::UnknownName),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Definition(Vec<metric_alarm::DefinitionError>),
}

impl Filter {
    /// What is to be said of a filter.
    pub fn new(
        [name, title, severity, pattern]: [&str; 4],
        group_by: Vec<String>,
        definition: &AlarmDefinition,
        expired_suppressions: Vec<ExpiredSuppression>,
    ) -> Self {
        Filter {
            name: name.to_owned(),
            title: title.to_owned(),
            severity: severity.to_owned(),
            pattern: pattern.to_owned(),
            group_by,
            alarm: Alarm {
                statistic: definition.statistic().to_string(),
                comparison: definition.comparison().to_string(),
                threshold: definition.threshold(),
                period_seconds: definition.period_seconds(),
                evaluation_periods: definition.evaluation_periods(),
                datapoints_to_alarm: definition.datapoints_to_alarm(),
                treat_missing_data: definition.treat_missing_data().to_string(),
            },
            expired_suppressions,
            has_native_alarm: false,
            finding: None,
        }
    }

    /// A filter of findings of one kind: `LogFileModified`. Each finding is an alarm, and those that lie less than four hours
    /// apart are one: what hourly checks find is told as it grows.
    pub fn finding(name: &str, title: &str, severity: &str, guide: FindingGuide) -> Self {
        Filter {
            name: name.to_owned(),
            title: title.to_owned(),
            severity: severity.to_owned(),
            pattern: String::new(),
            group_by: FINDINGS_GROUP_BY.map(String::from).into(),
            alarm: Alarm {
                statistic: "Sum".to_owned(),
                comparison: "GreaterThanOrEqualToThreshold".to_owned(),
                threshold: 1.0,
                period_seconds: 7_200,
                evaluation_periods: 1,
                datapoints_to_alarm: 1,
                treat_missing_data: "missing".to_owned(),
            },
            expired_suppressions: Vec::new(),
            has_native_alarm: false,
            finding: Some(guide),
        }
    }

    /// When values are an alarm.
    ///
    /// # Errors
    /// What was sent or stored is no definition.
    pub fn definition(&self) -> Result<AlarmDefinition, StoredError> {
        let failed = |error: DefinitionError| StoredError::new("alarm definition", error);
        self.alarm.definition().map_err(failed)
    }

    /// Names the definition: counts under another one start anew.
    pub fn definition_hash(&self) -> String {
        let alarm = &self.alarm;
        let mut hash = hash(&[
            &alarm.statistic,
            &alarm.comparison,
            &format!("{:016x}", alarm.threshold.to_bits()),
            &alarm.period_seconds.to_string(),
            &alarm.evaluation_periods.to_string(),
            &alarm.datapoints_to_alarm.to_string(),
            &alarm.treat_missing_data,
        ]);
        hash.truncate(16);
        hash
    }
}

impl Alarm {
    fn definition(&self) -> Result<AlarmDefinition, DefinitionError> {
        let builder = AlarmDefinition::builder(
            self.statistic.parse()?,
            self.comparison.parse()?,
            self.threshold,
            self.period_seconds,
        );
        builder
            .evaluation_periods(self.evaluation_periods.into())
            .datapoints_to_alarm(self.datapoints_to_alarm.into())
            .treat_missing_data(self.treat_missing_data.parse()?)
            .build()
            .map_err(DefinitionError::Definition)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use metric_alarm::{ComparisonOperator, Statistic, TreatMissingData};

    pub(crate) fn filter(threshold: f64) -> Filter {
        let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
        let definition = AlarmDefinition::builder(Statistic::Sum, at_least, threshold, 300);
        Filter::new(
            ["Failures", "Sign-in failures", "high", "{ $.a = 1 }"],
            vec!["$.recipientAccountId".into()],
            &definition.build().unwrap(),
            Vec::new(),
        )
    }

    #[test]
    fn a_definition_comes_back_as_it_was() {
        let definition = AlarmDefinition::builder(
            Statistic::Average,
            ComparisonOperator::LessThanThreshold,
            0.1,
            60,
        )
        .evaluation_periods(5)
        .datapoints_to_alarm(2)
        .treat_missing_data(TreatMissingData::Breaching)
        .build()
        .unwrap();
        let filter = Filter::new(["n", "t", "low", "p"], vec![], &definition, vec![]);
        let json = serde_json::to_string(&filter).unwrap();
        let read: Filter = serde_json::from_str(&json).unwrap();
        assert_eq!(read.definition().unwrap(), definition);
        assert_eq!(read.definition_hash(), filter.definition_hash());
    }

    #[test]
    fn another_threshold_is_another_definition_and_another_title_is_not() {
        assert_ne!(filter(1.0).definition_hash(), filter(2.0).definition_hash());
        let renamed = Filter {
            title: "Another".into(),
            ..filter(1.0)
        };
        assert_eq!(filter(1.0).definition_hash(), renamed.definition_hash());
    }

    #[test]
    fn a_definition_that_cannot_be_says_why() {
        let mut json = serde_json::to_value(filter(1.0)).unwrap();
        json["alarm"]["statistic"] = "Median".into();
        let filter: Filter = serde_json::from_value(json).unwrap();
        let error = filter.definition().unwrap_err();
        assert!(
            error
                .source
                .to_string()
                .contains("unknown statistic `Median`")
        );
    }
}
