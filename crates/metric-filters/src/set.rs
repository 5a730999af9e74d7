//! All filters of a profile, compiled into one set: a log file in, matches out.

use std::borrow::Cow;

use cloudtrail::{
    Entry, EventHead, EventTime, LogFileReader, LogFolder, Origin, ReadError, Summary,
};
use filter_pattern::{PatternSet, RecordHints, Scratch, Selector};
use metric_alarm::ExactSum;
use raw_json::Object;

use crate::filter::MetricFilter;

/// The compiled set. Shared by all who evaluate; each of them has an [`Evaluator`].
#[derive(Debug)]
pub struct FilterSet {
    filters: Vec<MetricFilter>,
    patterns: PatternSet,
}

impl FilterSet {
    /// Compiles filters into a set.
    pub fn new(filters: Vec<MetricFilter>) -> Self {
        let hints = RecordHints {
            wanted: &EventHead::MEMBERS,
            always_wanted: EventHead::MEMBERS_FOR_TIME,
            few_values: &cloudtrail::FEW_VALUES,
        };
        let patterns = PatternSet::with_hints(hints, filters.iter().map(|filter| &filter.pattern));
        FilterSet { filters, patterns }
    }

    /// The filters, in the order of the file.
    pub fn filters(&self) -> &[MetricFilter] {
        &self.filters
    }

    /// An evaluator, with buffers that it keeps from log file to log file.
    pub fn evaluator(&self) -> Evaluator<'_> {
        Evaluator {
            set: self,
            reader: LogFileReader::new(),
            scratch: self.patterns.scratch(),
        }
    }
}

/// Which records are evaluated, by their event time in Unix seconds; both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The earliest.
    pub start: i64,
    /// The latest.
    pub end: i64,
    /// What is later than this is evaluated, but counted as from the future: its time cannot be
    /// right. The clock plus a quarter of an hour, or `i64::MAX`.
    pub future: i64,
}

impl TimeRange {
    /// Every time there is.
    pub const ALL: TimeRange = TimeRange {
        start: i64::MIN,
        end: i64::MAX,
        future: i64::MAX,
    };

    fn contains(self, seconds: i64) -> bool {
        self.start <= seconds && seconds <= self.end
    }
}

/// One event that matches one filter.
#[derive(Debug)]
pub struct Match<'m> {
    /// Index into [`FilterSet::filters`].
    pub filter: usize,
    /// The record, as it lies in the log file.
    pub record: Object<'m>,
    /// Position of the record in its log file, from 0.
    pub record_index: u64,
    /// When it happened, in Unix seconds.
    pub time: i64,
    /// The record has no readable time; `time` comes from the key or the object.
    pub time_from_key: bool,
    /// The account it counts for.
    pub account: &'m str,
    /// [`EventHead::identity`]: the same wherever the event is met.
    pub identity: u64,
    /// The metric value; `None` where the event has no number there: no data point.
    pub value: Option<f64>,
    /// Index of the suppression that holds, if one does.
    pub suppressed_by: Option<usize>,
    /// The values of the alarm's `group_by`, in its order; `None` where the event has none.
    pub group: Vec<Option<String>>,
}

/// What a log file held and what became of it.
#[derive(Debug, Clone, Default)]
pub struct LogFileReport {
    /// Elements, skipped elements, problems. `summary.records = evaluated + out_of_range`.
    pub summary: Summary,
    /// Records held against the filters.
    pub evaluated: u64,
    /// Records outside the time range.
    pub out_of_range: u64,
    /// Evaluated records without a readable time.
    pub time_from_key: u64,
    /// Evaluated records with a time in the future.
    pub future: u64,
    /// The oldest event time among the evaluated records, in Unix seconds.
    pub oldest_event_time: Option<i64>,
    /// The newest event time among the evaluated records that are not in the future.
    pub newest_event_time: Option<i64>,
    /// One entry per filter.
    pub filters: Vec<FilterCount>,
}

/// What one filter counted.
#[derive(Debug, Clone, Default)]
pub struct FilterCount {
    /// Records that match, suppressed ones included.
    pub matched: u64,
    /// Matching records that are suppressed: in no metric and no alarm.
    pub suppressed: u64,
    /// Matching records without a number where the metric value should be: no data point.
    pub without_value: u64,
    /// Most filters match nothing in most log files.
    values: Option<Box<ExactSum>>,
}

impl FilterCount {
    /// Sum of the metric values of the matches that are not suppressed; exact until it is rounded
    /// here, so that it does not depend on any order.
    pub fn metric_sum(&self) -> f64 {
        self.values.as_ref().map_or(0.0, |values| values.value())
    }

    /// Adds another count.
    pub fn add(&mut self, other: &FilterCount) {
        self.matched += other.matched;
        self.suppressed += other.suppressed;
        self.without_value += other.without_value;
        if let Some(values) = &other.values {
            self.values.get_or_insert_default().merge(values);
        }
    }
}

/// Holds log files against the set, one after the other.
#[derive(Debug)]
pub struct Evaluator<'s> {
    set: &'s FilterSet,
    reader: LogFileReader,
    scratch: Scratch,
}

impl Evaluator<'_> {
    /// Refuses objects that inflate to more than this; see [`LogFileReader::most_content_bytes`].
    #[must_use]
    pub fn most_content_bytes(self, most_content_bytes: u64) -> Self {
        Evaluator {
            reader: self.reader.most_content_bytes(most_content_bytes),
            ..self
        }
    }

    /// Reads every record the exact way; see [`LogFileReader::without_index`].
    #[must_use]
    pub fn without_index(self) -> Self {
        Evaluator {
            reader: self.reader.without_index(),
            ..self
        }
    }

    /// Reads one object and hands out each match; see [`LogFileReader::read`] for `object`, `folder`
    /// and the errors.
    ///
    /// # Errors
    /// The object gives no records. If its content is larger than the reader's buffer, or its last bytes say so, matches may have been handed out before that was
    /// known: they do not count.
    pub fn evaluate(
        &mut self,
        object: &[u8],
        folder: Option<LogFolder>,
        origin: &Origin,
        range: TimeRange,
        mut each: impl FnMut(Match<'_>),
    ) -> Result<LogFileReport, ReadError> {
        let Evaluator {
            set,
            reader,
            scratch,
        } = self;
        let mut report = LogFileReport {
            filters: vec![FilterCount::default(); set.filters.len()],
            ..LogFileReport::default()
        };
        report.summary = reader.read(object, folder, |entry| {
            if let Entry::Record { index, record } = entry {
                set.record(
                    record,
                    index,
                    origin,
                    range,
                    scratch,
                    &mut report,
                    &mut each,
                );
            }
        })?;
        Ok(report)
    }
}

impl FilterSet {
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of `Evaluator::evaluate`, over its disjoint parts"
    )]
    fn record(
        &self,
        record: Object<'_>,
        record_index: u64,
        origin: &Origin,
        range: TimeRange,
        scratch: &mut Scratch,
        report: &mut LogFileReport,
        each: &mut impl FnMut(Match<'_>),
    ) {
        let mut members = [None; EventHead::MEMBERS.len()];
        let patterns = &self.patterns;
        let matching = patterns.matches_and_members(record, scratch, &mut members);
        let time = EventTime::of(&members, origin);
        if !range.contains(time.seconds) {
            report.out_of_range += 1;
            return;
        }
        report.evaluated += 1;
        report.time_from_key += u64::from(time.from_key);
        if time.seconds > range.future {
            report.future += 1;
        } else {
            report.newest_event_time = report.newest_event_time.max(Some(time.seconds));
        }
        let oldest = report
            .oldest_event_time
            .map_or(time.seconds, |oldest| oldest.min(time.seconds));
        report.oldest_event_time = Some(oldest);
        if matching.is_empty() {
            return;
        }
        let head = EventHead::from_members(members);
        let account = head.account(origin);
        let identity = head.identity(origin, record_index);
        for &index in matching {
            let (Some(filter), Some(count)) =
                (self.filters.get(index), report.filters.get_mut(index))
            else {
                continue;
            };
            let value = filter.metric.value.of(record);
            let suppressed_by = suppression(filter, record, time.seconds);
            count.matched += 1;
            match (suppressed_by, value) {
                (Some(_), _) => count.suppressed += 1,
                (None, Some(value)) => count.values.get_or_insert_default().add(value),
                (None, None) => count.without_value += 1,
            }
            each(Match {
                filter: index,
                record,
                record_index,
                time: time.seconds,
                time_from_key: time.from_key,
                account: &account,
                identity,
                value,
                suppressed_by,
                group: group(filter, record, &account),
            });
        }
    }
}

fn suppression(filter: &MetricFilter, record: Object<'_>, time: i64) -> Option<usize> {
    filter.suppress.iter().position(|suppression| {
        suppression.holds_at(time) && suppression.pattern.matches_record(record)
    })
}

fn group(filter: &MetricFilter, record: Object<'_>, account: &str) -> Vec<Option<String>> {
    let selectors = filter
        .alarm
        .as_ref()
        .map(|alarm| alarm.group_by.as_slice())
        .unwrap_or_default();
    let value = |selector: &Selector| match is_account(selector) {
        true => Some(account.to_owned()),
        false => Some(selector.first(record)?.to_text().into_owned()),
    };
    selectors.iter().map(value).collect()
}

/// A record without `recipientAccountId` counts for the account that its place names.
fn is_account(selector: &Selector) -> bool {
    selector.source() == "$.recipientAccountId"
}

/// The text of a group's values, for people.
pub fn group_text(values: &[Option<String>]) -> Cow<'_, str> {
    match values {
        [] => Cow::Borrowed("all"),
        [Some(only)] => Cow::Borrowed(only),
        values => Cow::Owned(
            values
                .iter()
                .map(|value| value.as_deref().unwrap_or("-"))
                .collect::<Vec<_>>()
                .join(", "),
        ),
    }
}
