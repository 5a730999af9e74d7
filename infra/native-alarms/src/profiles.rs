//! The built-in filters as they are in each profile.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use metric_filters::{Alarm, FiltersFile, MetricFilter, Mode};

use crate::FillError;

/// The built-in filters, by name in the order of the file, each as it is in its profiles.
pub(crate) struct BuiltIn {
    pub(crate) profiles: Vec<String>,
    pub(crate) filters: Vec<Filter>,
}

/// One filter.
pub(crate) struct Filter {
    pub(crate) name: String,
    /// In the first profile that has it.
    pub(crate) first: MetricFilter,
    pub(crate) alarm: Alarm,
    /// The profiles it is part of, with its threshold and mode there.
    pub(crate) profiles: BTreeMap<String, (f64, Mode)>,
}

impl BuiltIn {
    pub(crate) fn of(file: &FiltersFile) -> Result<Self, FillError> {
        let profiles: Vec<String> = file.profiles().into_iter().map(str::to_owned).collect();
        let mut filters: Vec<Filter> = Vec::new();
        for profile in &profiles {
            for filter in file.in_profile(profile) {
                // Without an alarm there is nothing to make native.
                let Some(alarm) = filter.alarm.clone() else {
                    continue;
                };
                let here = (alarm.definition.threshold(), filter.mode);
                match filters.iter_mut().find(|known| known.name == filter.name) {
                    Some(known) => {
                        known.must_equal(&filter, &alarm)?;
                        known.profiles.insert(profile.clone(), here);
                    }
                    None => filters.push(Filter {
                        name: filter.name.clone(),
                        alarm,
                        first: filter,
                        profiles: BTreeMap::from([(profile.clone(), here)]),
                    }),
                }
            }
        }
        Ok(BuiltIn { profiles, filters })
    }

    /// Thresholds and modes that differ between profiles.
    pub(crate) fn mappings(&self) -> String {
        let mut text = "  NativeAlarmThreshold:\n".to_owned();
        self.map(
            &mut text,
            Filter::threshold_differs,
            "0",
            |(threshold, _)| threshold.to_string(),
        );
        text.push_str("  NativeAlarmIsLive:\n");
        self.map(&mut text, Filter::mode_differs, "false", |(_, mode)| {
            (*mode == Mode::Live).to_string()
        });
        text
    }

    fn map(
        &self,
        text: &mut String,
        differs: impl Fn(&Filter) -> bool,
        elsewhere: &str,
        value: impl Fn(&(f64, Mode)) -> String,
    ) {
        for profile in &self.profiles {
            let _ = writeln!(text, "    {profile}:");
            for filter in self.filters.iter().filter(|filter| differs(filter)) {
                // A filter that is not in the profile has no alarm there either; the map is whole all
                // the same, since CloudFormation may look before it judges.
                let value = filter
                    .profiles
                    .get(profile)
                    .map_or_else(|| elsewhere.to_owned(), &value);
                let _ = writeln!(text, "      {}: \"{value}\"", filter.name);
            }
        }
    }

    /// One condition for each set of profiles that a filter can be in, and one for each filter that is
    /// live in some of its profiles only.
    pub(crate) fn conditions(&self) -> String {
        let mut conditions: BTreeMap<String, String> = BTreeMap::new();
        for filter in &self.filters {
            let name = self.condition(filter);
            let equals = filter
                .profiles
                .keys()
                .map(|profile| format!("!Equals [!Ref Profile, {profile}]"));
            let equals: Vec<String> = equals.collect();
            let is_in = match equals.as_slice() {
                _ if equals.len() == self.profiles.len() => continue,
                [only] => only.clone(),
                several => format!("!Or [{}]", several.join(", ")),
            };
            conditions.insert(
                name,
                format!("!And [!Condition UsesBuiltInFilters, {is_in}]"),
            );
        }
        for filter in self.filters.iter().filter(|filter| filter.mode_differs()) {
            let condition = format!(
                "!And [!Condition {}, !Equals [!FindInMap [NativeAlarmIsLive, !Ref Profile, {}], \"true\"]]",
                notifies(filter),
                filter.name
            );
            conditions.insert(format!("Notifies{}", filter.name), condition);
        }
        conditions
            .into_iter()
            .fold(String::new(), |mut text, (name, condition)| {
                let _ = writeln!(text, "  {name}: {condition}");
                text
            })
    }

    /// The condition under which a filter has a native alarm.
    pub(crate) fn condition(&self, filter: &Filter) -> String {
        if filter.profiles.len() == self.profiles.len() {
            return "UsesBuiltInFilters".to_owned();
        }
        let words = filter.profiles.keys().map(|profile| {
            let capitalized = profile.split('-').map(|word| {
                let (first, rest) = word.split_at(1);
                first.to_uppercase() + rest
            });
            capitalized.collect::<String>()
        });
        let words: Vec<String> = words.collect();
        format!("UsesBuiltInFiltersOf{}", words.join("Or"))
    }
}

/// The template's own condition under which native alarms of this severity notify.
fn notifies(filter: &Filter) -> String {
    let severity = filter.first.severity.name();
    let (first, rest) = severity.split_at(1);
    format!("NotifiesNatively{}{rest}", first.to_uppercase())
}

impl Filter {
    pub(crate) fn threshold_differs(&self) -> bool {
        self.differs(|(threshold, _)| threshold.to_bits())
    }

    pub(crate) fn mode_differs(&self) -> bool {
        self.differs(|(_, mode)| *mode == Mode::Live)
    }

    /// The condition under which its alarm notifies; none if it never does.
    pub(crate) fn notifies(&self) -> Option<String> {
        match self.first.mode {
            _ if self.mode_differs() => Some(format!("Notifies{}", self.name)),
            Mode::Live => Some(notifies(self)),
            Mode::Shadow => None,
        }
    }

    fn differs<T: PartialEq>(&self, value: impl Fn(&(f64, Mode)) -> T) -> bool {
        let mut values = self.profiles.values().map(value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    fn must_equal(&self, filter: &MetricFilter, alarm: &Alarm) -> Result<(), FillError> {
        let (known, other) = (&self.alarm.definition, &alarm.definition);
        let differs = |what| {
            Err(FillError::Differs {
                filter: self.name.clone(),
                what,
            })
        };
        match () {
            () if self.first.severity != filter.severity => differs("severity"),
            () if self.first.metric.name != filter.metric.name => differs("metric"),
            () if known.statistic() != other.statistic() => differs("statistic"),
            () if known.comparison() != other.comparison() => differs("comparison"),
            () if known.period_seconds() != other.period_seconds() => differs("period"),
            () if known.evaluation_periods() != other.evaluation_periods()
                || known.datapoints_to_alarm() != other.datapoints_to_alarm() =>
            {
                differs("number of periods")
            }
            () => Ok(()),
        }
    }
}
