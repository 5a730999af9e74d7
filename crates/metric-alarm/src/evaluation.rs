//! One evaluation on aligned periods: from the datapoints it looks at to a verdict.
//!
//! Source: CloudWatch User Guide, "How alarm state is evaluated when data is missing" and "Avoiding
//! premature transitions to alarm state".

use crate::{AlarmDefinition, AlarmState, TreatMissingData};

/// How many periods more than the evaluation periods CloudWatch looks back over, for datapoints to
/// stand in for missing ones. The guide's tables have evaluation periods 3 and a range of 5.
pub(crate) const EXTRA_PERIODS: i64 = 2;

/// What one evaluation looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Real datapoints among those looked at, at most as many as the evaluation periods.
    pub(crate) real: i64,
    /// Those of them that breach.
    pub(crate) breaching: i64,
    /// How old the oldest of them is, in periods: the newest period is 1.
    pub(crate) oldest_age: i64,
}

/// What an evaluation says of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is this one.
    State(AlarmState),
    /// It is what it was.
    Keep,
}

impl Verdict {
    pub(crate) fn state_after(self, before: AlarmState) -> AlarmState {
        match self {
            Verdict::State(state) => state,
            Verdict::Keep => before,
        }
    }
}

/// Judges one evaluation.
///
/// With as many real datapoints as evaluation periods, M of them must breach. With fewer, the rest is
/// filled in the way the definition treats missing data.
pub(crate) fn judge(definition: &AlarmDefinition, evidence: Evidence) -> Verdict {
    let Evidence {
        real, breaching, ..
    } = evidence;
    let needed = i64::from(definition.datapoints_to_alarm());
    let missing = i64::from(definition.evaluation_periods()) - real;
    let at_least_needed = |breaching| match breaching >= needed {
        true => Verdict::State(AlarmState::Alarm),
        false => Verdict::State(AlarmState::Ok),
    };
    if missing <= 0 || breaching >= needed {
        return at_least_needed(breaching);
    }
    match definition.treat_missing_data() {
        TreatMissingData::Breaching => at_least_needed(breaching + missing),
        TreatMissingData::NotBreaching => at_least_needed(breaching),
        TreatMissingData::Ignore if breaching < real => Verdict::State(AlarmState::Ok),
        TreatMissingData::Ignore => Verdict::Keep,
        TreatMissingData::Missing if real == 0 => Verdict::State(AlarmState::InsufficientData),
        TreatMissingData::Missing if breaching < real => Verdict::State(AlarmState::Ok),
        // Nothing but breaches, too few to count: an alarm once they are old enough that a datapoint
        // within the threshold should have come by now, and not before ("premature").
        TreatMissingData::Missing if evidence.oldest_age >= needed => {
            Verdict::State(AlarmState::Alarm)
        }
        TreatMissingData::Missing => Verdict::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ComparisonOperator, Statistic};

    const OK: Verdict = Verdict::State(AlarmState::Ok);
    const ALARM: Verdict = Verdict::State(AlarmState::Alarm);
    const INSUFFICIENT: Verdict = Verdict::State(AlarmState::InsufficientData);
    const KEEP: Verdict = Verdict::Keep;

    /// The verdicts of an "M out of 3" alarm on periods drawn as in the guide, newest last: treating
    /// missing data as missing, ignore, breaching, notBreaching.
    fn verdicts(datapoints_to_alarm: i64, drawn: &str) -> [Verdict; 4] {
        let ages = drawn.chars().rev().zip(1..);
        let looked_at: Vec<_> = ages.filter(|&(drawn, _)| drawn != '-').take(3).collect();
        let evidence = Evidence {
            real: looked_at.len() as i64,
            breaching: looked_at.iter().filter(|&&(drawn, _)| drawn == 'X').count() as i64,
            oldest_age: looked_at.last().map_or(0, |&(_, age)| age),
        };
        let treatments = [
            TreatMissingData::Missing,
            TreatMissingData::Ignore,
            TreatMissingData::Breaching,
            TreatMissingData::NotBreaching,
        ];
        treatments.map(|treatment| {
            let greater = ComparisonOperator::GreaterThanThreshold;
            let definition = AlarmDefinition::builder(Statistic::Average, greater, 1.0, 300)
                .evaluation_periods(3)
                .datapoints_to_alarm(datapoints_to_alarm)
                .treat_missing_data(treatment);
            judge(&definition.build().unwrap(), evidence)
        })
    }

    #[test]
    fn three_out_of_three_is_judged_as_in_the_table_of_the_guide() {
        assert_eq!(verdicts(3, "0-X-X"), [OK, OK, OK, OK]);
        assert_eq!(verdicts(3, "0----"), [OK, OK, OK, OK]);
        assert_eq!(verdicts(3, "-----"), [INSUFFICIENT, KEEP, ALARM, OK]);
        assert_eq!(verdicts(3, "0XX-X"), [ALARM, ALARM, ALARM, ALARM]);
        assert_eq!(verdicts(3, "--X--"), [ALARM, KEEP, ALARM, OK]);
    }

    #[test]
    fn two_out_of_three_is_judged_as_in_the_table_of_the_guide() {
        assert_eq!(verdicts(2, "0-X-X"), [ALARM, ALARM, ALARM, ALARM]);
        assert_eq!(verdicts(2, "00X0X"), [ALARM, ALARM, ALARM, ALARM]);
        assert_eq!(verdicts(2, "0-X--"), [OK, OK, ALARM, OK]);
        assert_eq!(verdicts(2, "----0"), [OK, OK, ALARM, OK]);
        assert_eq!(verdicts(2, "---X-"), [ALARM, KEEP, ALARM, OK]);
    }

    #[test]
    fn a_premature_alarm_is_avoided_as_the_guide_says() {
        let [missing, ..] = verdicts(3, "----X");
        assert_eq!(missing, KEEP);
        let [missing, ..] = verdicts(3, "---X-");
        assert_eq!(missing, KEEP);
        let [missing, ..] = verdicts(3, "---X0");
        assert_eq!(missing, OK);
        let [missing, ..] = verdicts(3, "--X-0");
        assert_eq!(missing, OK);
        let [missing, ..] = verdicts(1, "----X");
        assert_eq!(missing, ALARM);
    }

    #[test]
    fn missing_data_is_filled_in_as_few_times_as_possible() {
        assert_eq!(verdicts(3, "0-X--"), [OK, OK, OK, OK]);
        assert_eq!(verdicts(3, "X-X--"), [ALARM, KEEP, ALARM, OK]);
    }

    #[test]
    fn real_datapoints_that_are_enough_to_alarm_need_no_filling() {
        assert_eq!(verdicts(2, "X---X"), [ALARM, ALARM, ALARM, ALARM]);
    }
}
