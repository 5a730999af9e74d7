//! Metrics with their evidence: one document in embedded metric format for each filter, minute of event
//! time and values of the filter's own dimensions.

use emf::{Unit, Value, document};
use metric_alarm::{ExactSum, Statistic};
use metric_filters::{FilterSet, LogFileReport, MetricFilter};
use serde_json::{Value as Json, json};

use crate::found::{Found, MetricKey, MetricPoint, Moment};

/// Bytes of evidence in one document, as JSON: the rest is counted.
const MOST_EVIDENCE_BYTES: usize = 60_000;

/// The documents of a log file, each with its time in milliseconds.
pub(crate) fn documents(
    filters: &FilterSet,
    found: &Found,
    report: &LogFileReport,
    location: &str,
    moment: &Moment,
) -> Vec<(i64, String)> {
    let mut documents = Vec::new();
    for (key, point) in &found.metrics {
        if let Some(filter) = filters.filters().get(key.filter) {
            let lines = of_point(filter, key, point, location);
            documents.extend(lines.into_iter().map(|line| (key.minute * 1000, line)));
        }
    }
    documents.extend(default_values(filters, report, moment));
    documents
}

fn of_point(
    filter: &MetricFilter,
    key: &MetricKey,
    point: &MetricPoint,
    location: &str,
) -> Vec<String> {
    let dimensions: Vec<(&str, &str)> = key
        .dimensions
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let sum = [sum(&point.values)];
    let values: &[f64] = if publishes_sum(filter) {
        &sum
    } else {
        &point.values
    };
    let (events, left_out) = evidence(point);
    let mut document = document(&filter.metric.namespace, key.minute * 1000)
        .dimensions(&dimensions)
        .metric(&filter.metric.name, unit(filter), Value::Many(values))
        .property("filter", &filter.name)
        .property("title", &filter.title)
        .property("severity", filter.severity.name())
        .property("matched", point.values.len())
        .property("object", location)
        .property("accounts", distinct(&events, "account"))
        .property("regions", distinct(&events, "region"))
        .property("events", &events);
    if left_out > 0 {
        document = document.property("events_left_out", left_out);
    }
    document.to_json()
}

/// The first events as JSON and how many there are beside them.
fn evidence(point: &MetricPoint) -> (Vec<Json>, usize) {
    let mut bytes = 0;
    let mut events = Vec::new();
    for event in point.evidence.events() {
        let event = serde_json::to_value(event).unwrap_or_default();
        bytes += event.to_string().len();
        if bytes > MOST_EVIDENCE_BYTES {
            break;
        }
        events.push(event);
    }
    let left_out = point.values.len().saturating_sub(events.len());
    (events, left_out)
}

fn distinct(events: &[Json], member: &str) -> Vec<String> {
    let mut values: Vec<String> = events
        .iter()
        .filter_map(|event| Some(event.get(member)?.as_str()?.to_owned()))
        .collect();
    values.sort();
    values.dedup();
    values
}

/// An alarm on the sum needs the sum; any other statistic needs the values.
fn publishes_sum(filter: &MetricFilter) -> bool {
    let statistic = filter
        .alarm
        .as_ref()
        .map(|alarm| alarm.definition.statistic());
    statistic.is_none_or(|statistic| statistic == Statistic::Sum)
}

fn sum(values: &[f64]) -> f64 {
    let mut sum = ExactSum::new();
    values.iter().for_each(|&value| sum.add(value));
    sum.value()
}

fn unit(filter: &MetricFilter) -> Unit {
    let unit = filter.metric.unit.as_deref();
    unit.and_then(Unit::from_name).unwrap_or(Unit::None)
}

/// A filter with a default value reports it for a log file with events of which none matches, at the
/// minute of the newest. As in CloudWatch a filter with dimensions reports none.
fn default_values(
    filters: &FilterSet,
    report: &LogFileReport,
    moment: &Moment,
) -> Vec<(i64, String)> {
    let Some(newest) = report.newest_event_time else {
        return Vec::new();
    };
    let minute = newest - newest.rem_euclid(60);
    if minute < moment.oldest_metric {
        return Vec::new();
    }
    let mut documents = Vec::new();
    for (filter, count) in filters.filters().iter().zip(&report.filters) {
        let Some(default) = filter.metric.default_value else {
            continue;
        };
        if count.matched > count.suppressed || !filter.metric.dimensions.is_empty() {
            continue;
        }
        let document = document(&filter.metric.namespace, minute * 1000)
            .metric(&filter.metric.name, unit(filter), Value::One(default))
            .property("filter", &filter.name)
            .property("matched", json!(0));
        documents.extend(
            document
                .to_json()
                .into_iter()
                .map(|line| (minute * 1000, line)),
        );
    }
    documents
}
