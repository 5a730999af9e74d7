//! One native alarm for each built-in filter.

use std::fmt::Write as _;

use metric_alarm::TreatMissingData;
use serde_json::json;

use crate::LOOK_BACK_SECONDS;
use crate::profiles::{BuiltIn, Filter};

impl BuiltIn {
    pub(crate) fn alarms(&self) -> String {
        self.filters.iter().fold(String::new(), |mut text, filter| {
            self.alarm(&mut text, filter);
            text
        })
    }

    fn alarm(&self, text: &mut String, filter: &Filter) {
        let Filter { name, first, .. } = filter;
        let definition = &filter.alarm.definition;
        let description = format!(
            "{}. {} The events behind it are in the evidence log group, under filter = \"{name}\".",
            first.title,
            first.description.as_deref().unwrap_or_default().trim(),
        );
        let threshold = match filter.threshold_differs() {
            true => format!("!FindInMap [NativeAlarmThreshold, !Ref Profile, {name}]"),
            false => definition.threshold().to_string(),
        };
        // An alarm on one period looks back over the periods in which its events may still come.
        let (periods, missing) = match definition.slides() {
            true => (
                LOOK_BACK_SECONDS / definition.period_seconds(),
                TreatMissingData::NotBreaching,
            ),
            false => (
                i64::from(definition.evaluation_periods()),
                definition.treat_missing_data(),
            ),
        };
        let actions_enabled = match filter.notifies() {
            Some(condition) => format!("!If [{condition}, true, false]"),
            None => "false".to_owned(),
        };
        let _ = write!(
            text,
            "  {name}Alarm:
    Type: AWS::CloudWatch::Alarm
    Condition: {condition}
    Properties:
      AlarmName: !Sub ${{AWS::StackName}}-{name}
      AlarmDescription: {description}
      Namespace: !Ref MetricNamespace
      MetricName: {metric}
      Statistic: {statistic}
      ComparisonOperator: {comparison}
      Threshold: {threshold}
      Period: {period}
      EvaluationPeriods: {periods}
      DatapointsToAlarm: {datapoints}
      TreatMissingData: {missing}
      ActionsEnabled: {actions_enabled}
      AlarmActions: [!Ref AlarmTopic]
",
            condition = self.condition(filter),
            description = json!(description),
            metric = first.metric.name,
            statistic = definition.statistic(),
            comparison = definition.comparison(),
            period = definition.period_seconds(),
            periods = periods.max(1),
            datapoints = definition.datapoints_to_alarm(),
        );
    }
}
