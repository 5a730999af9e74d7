//! `metric_filters::Evaluator`: the report and the matches of a log file, and the evidence of its records, with an index and without.

use std::sync::LazyLock;

use cloudtrail::{Actor, LogFolder, Origin};
use metric_filters::{Evaluator, FilterSet, FiltersFile, LogFileReport, TimeRange};
use notification::{Evidence, EvidenceContext};

/// The built-in filters as they are, and as they are printed in the benchmark; then some that take more from an event than whether
/// it matches.
static FILTERS: LazyLock<FilterSet> = LazyLock::new(|| {
    let built_in = metric_filters::built_in().unwrap();
    let further = FiltersFile::parse(include_str!("evaluate.yaml")).unwrap();
    let mut filters = built_in.in_profile("recommended");
    filters.extend(built_in.in_profile("cis"));
    filters.extend(further.in_profile("recommended"));
    FilterSet::new(filters)
});

/// The data are the content of a log file.
pub fn hold(data: &[u8]) {
    let folder = data.starts_with(b"[").then_some(LogFolder::Aggregated);
    let mut indexed = FILTERS.evaluator();
    let mut exact = FILTERS.evaluator().without_index();
    let nowhere = Origin::default();
    let somewhere = Origin {
        location: "s3://amzn-s3-demo-bucket/key".to_owned(),
        delivery_time: Some(1_772_419_500),
        last_modified: None,
        account_id: Some("111122223333".to_owned()),
    };
    let night = TimeRange {
        start: 1_772_409_600,
        end: 1_772_445_600,
        future: 1_772_431_200,
    };
    // The second time with all that was kept from the first.
    for (origin, range) in [(&nowhere, TimeRange::ALL), (&somewhere, night)] {
        let indexed = evaluate(&mut indexed, data, folder, origin, range);
        let exact = evaluate(&mut exact, data, folder, origin, range);
        assert_eq!(indexed, exact, "{}", data.escape_ascii());
    }
}

/// The report or the error, and the matches in order, as text.
fn evaluate(
    evaluator: &mut Evaluator<'_>,
    object: &[u8],
    folder: Option<LogFolder>,
    origin: &Origin,
    range: TimeRange,
) -> (String, Vec<String>) {
    let mut matches = Vec::new();
    let report = evaluator.evaluate(object, folder, origin, range, |found| {
        let metric = &FILTERS.filters()[found.filter].metric;
        let dimensions: Vec<_> = metric
            .dimensions
            .iter()
            .map(|dimension| dimension.value().of(found.record))
            .collect();
        // The last filter matches every record.
        let is_last = found.filter + 1 == FILTERS.filters().len();
        let context = EvidenceContext {
            account: found.account,
            ..EvidenceContext::default()
        };
        let record = is_last.then(|| {
            let evidence = Evidence::of(found.record, &context);
            (
                Actor::of(found.record),
                evidence,
                found.record.raw().to_vec(),
            )
        });
        matches.push(format!(
            "{} {} {} {} {} {} {:?} {:?} {:?} {dimensions:?} {record:?}",
            found.filter,
            found.record_index,
            found.time,
            found.time_from_key,
            found.account,
            found.identity,
            found.value,
            found.suppressed_by,
            found.group,
        ));
    });
    if let Ok(report) = &report {
        hold_counts(report, matches.len());
    }
    (format!("{report:?}"), matches)
}

/// What was counted adds up.
fn hold_counts(report: &LogFileReport, matches: usize) {
    assert_eq!(
        report.summary.records,
        report.evaluated + report.out_of_range
    );
    let matched: u64 = report.filters.iter().map(|filter| filter.matched).sum();
    assert_eq!(matched, matches as u64);
}
