//! What a log file's matches come to: metric values by minute, samples by group.

use std::collections::BTreeMap;
use std::rc::Rc;

use alarm_state::{GroupId, HORIZON_SECONDS, MOST_EVIDENCE, Sample};
use cloudtrail::Origin;
use metric_filters::{FilterSet, Match, MetricFilter, Mode};
use notification::{Evidence, EvidenceContext};

use crate::own_calls;

/// Groups of one filter in one file. A file of 256 KB records has fewer; one made to have more puts
/// the rest into one group, so that nothing is lost.
const MOST_GROUPS: usize = 1_000;

/// Processed later than this after it happened, an event is late.
const LATE_SECONDS: i64 = 1_800;

/// What the matches of one log file come to.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) metrics: BTreeMap<MetricKey, MetricPoint>,
    pub(crate) groups: BTreeMap<(usize, Vec<Option<String>>), GroupMatches>,
    groups_of_filter: BTreeMap<usize, usize>,
    pub(crate) own_calls: u64,
    pub(crate) late: u64,
    pub(crate) beyond_horizon: u64,
    pub(crate) too_old_for_metrics: u64,
    pub(crate) without_dimension: u64,
    pub(crate) in_further_groups: u64,
}

/// A filter, a minute of event time and the values of the filter's dimensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetricKey {
    pub(crate) filter: usize,
    /// Its start, in Unix seconds.
    pub(crate) minute: i64,
    pub(crate) dimensions: Vec<(String, String)>,
}

/// The values of one minute.
#[derive(Debug, Default)]
pub(crate) struct MetricPoint {
    pub(crate) values: Vec<f64>,
    pub(crate) evidence: FirstEvents,
}

/// The samples of one group.
#[derive(Debug, Default)]
pub(crate) struct GroupMatches {
    pub(crate) samples: Vec<Sample>,
    pub(crate) evidence: FirstEvents,
}

/// The first few events, by time and identity, whatever the order in which they come.
#[derive(Debug, Default)]
pub(crate) struct FirstEvents(BTreeMap<(i64, u64), Rc<Evidence>>);

/// What is known when a file is evaluated.
pub(crate) struct Moment {
    /// The clock, in Unix seconds.
    pub(crate) now: i64,
    /// What is later than this is from the future.
    pub(crate) future: i64,
    /// What is older than this is too old for CloudWatch.
    pub(crate) oldest_metric: i64,
}

impl Found {
    /// Takes in a match.
    pub(crate) fn take(
        &mut self,
        filters: &FilterSet,
        matching: &Match<'_>,
        origin: &Origin,
        region: Option<&str>,
        moment: &Moment,
    ) {
        let Some(filter) = filters.filters().get(matching.filter) else {
            return;
        };
        if let Some(index) = matching.suppressed_by {
            let suppression = filter.suppress.get(index);
            let is_own = suppression.is_some_and(|found| found.reason == own_calls::REASON);
            self.own_calls += u64::from(is_own);
            return;
        }
        self.late += u64::from(moment.now - matching.time > LATE_SECONDS);
        let Some(value) = matching.value else {
            return;
        };
        let mut evidence = LazyEvidence {
            matching,
            origin,
            region,
            made: None,
        };
        self.take_metric(filter, matching, value, &mut evidence, moment);
        if filter.alarm.is_some() && filter.mode == Mode::Live {
            self.beyond_horizon += u64::from(matching.time < moment.now - HORIZON_SECONDS);
            self.take_sample(matching, value, &mut evidence);
        }
    }

    fn take_metric(
        &mut self,
        filter: &MetricFilter,
        matching: &Match<'_>,
        value: f64,
        evidence: &mut LazyEvidence<'_, '_>,
        moment: &Moment,
    ) {
        if matching.time > moment.future {
            return;
        }
        let minute = matching.time - matching.time.rem_euclid(60);
        if minute < moment.oldest_metric {
            self.too_old_for_metrics += 1;
            return;
        }
        let dimension = |dimension: &filter_pattern::Dimension| {
            let value = dimension.value().of(matching.record)?;
            let value = notification::group_value(dimension.value().source(), &value);
            Some((dimension.name().to_owned(), value))
        };
        // As in CloudWatch: an event without the value of a dimension is no data point.
        let dimensions: Option<Vec<_>> = filter.metric.dimensions.iter().map(dimension).collect();
        let Some(dimensions) = dimensions else {
            self.without_dimension += 1;
            return;
        };
        let key = MetricKey {
            filter: matching.filter,
            minute,
            dimensions,
        };
        let point = self.metrics.entry(key).or_default();
        point.values.push(value);
        point.evidence.take(evidence);
    }

    fn take_sample(
        &mut self,
        matching: &Match<'_>,
        value: f64,
        evidence: &mut LazyEvidence<'_, '_>,
    ) {
        let mut key = (matching.filter, matching.group.clone());
        if !self.groups.contains_key(&key) {
            let groups = self.groups_of_filter.entry(matching.filter).or_default();
            if *groups >= MOST_GROUPS {
                key.1 = vec![Some("(further groups)".to_owned())];
            }
            *groups += 1;
        }
        if key.1 != matching.group {
            self.in_further_groups += 1;
        }
        let group = self.groups.entry(key).or_default();
        group.samples.push(Sample {
            time: matching.time,
            id: matching.identity,
            value,
        });
        group.evidence.take(evidence);
    }
}

/// Evidence is made when it is first wanted: it is the dearest part of a match.
struct LazyEvidence<'a, 'm> {
    matching: &'a Match<'m>,
    origin: &'a Origin,
    region: Option<&'a str>,
    made: Option<Rc<Evidence>>,
}

impl LazyEvidence<'_, '_> {
    fn get(&mut self) -> Rc<Evidence> {
        let (matching, origin, region) = (self.matching, self.origin, self.region);
        let make = || {
            let context = EvidenceContext {
                time: matching.time,
                time_from_key: matching.time_from_key,
                account: matching.account,
                region,
                location: &origin.location,
                record_index: matching.record_index,
            };
            Rc::new(Evidence::of(matching.record, &context))
        };
        Rc::clone(self.made.get_or_insert_with(make))
    }
}

impl FirstEvents {
    fn take(&mut self, evidence: &mut LazyEvidence<'_, '_>) {
        let key = (evidence.matching.time, evidence.matching.identity);
        let last = self.0.last_key_value().map(|(last, _)| *last);
        let is_wanted = self.0.len() < MOST_EVIDENCE || last.is_some_and(|last| key < last);
        if is_wanted && !self.0.contains_key(&key) {
            self.0.insert(key, evidence.get());
            if self.0.len() > MOST_EVIDENCE {
                self.0.pop_last();
            }
        }
    }

    /// The events, by time.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Evidence> {
        self.0.values().map(Rc::as_ref)
    }
}

/// The values of a group as they may leave: masked, capped, on one line.
pub(crate) fn shown_group(filter: &MetricFilter, values: &[Option<String>]) -> Vec<Option<String>> {
    let selectors = filter.alarm.iter().flat_map(|alarm| &alarm.group_by);
    // The group of further groups has a value of its own.
    let names = selectors
        .map(ToString::to_string)
        .chain(std::iter::repeat(String::new()));
    let shown = |(value, name): (&Option<String>, String)| {
        Some(notification::group_value(&name, value.as_deref()?))
    };
    values.iter().zip(names).map(shown).collect()
}

/// The name of a group in the queue and in the table.
pub(crate) fn group_id(filter: &MetricFilter, values: &[Option<String>]) -> GroupId {
    GroupId::of(&filter.name, values)
}
