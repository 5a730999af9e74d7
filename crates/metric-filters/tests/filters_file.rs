//! Filters files: what loads, and the exact text of what does not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use metric_filters::{FilterSet, FiltersFile, Mode, Severity, TimeRange, built_in};

fn faults(text: &str) -> String {
    FiltersFile::parse(text).unwrap_err().to_string()
}

const SMALLEST: &str = "metric_filters:\n  - name: A\n    pattern: '{ $.eventName = x }'\n    metric: {namespace: N, name: M}\n";

#[test]
fn the_smallest_filter_gets_the_documented_defaults() {
    let filter = FiltersFile::parse(SMALLEST).unwrap().filters.remove(0);
    assert_eq!(
        (filter.title.as_str(), filter.severity, filter.mode),
        ("A", Severity::Medium, Mode::Live)
    );
    assert_eq!(filter.metric.value_text, "1");
    assert!(filter.alarm.is_none() && filter.suppress.is_empty() && filter.tests.is_empty());
    let with_alarm = format!("{SMALLEST}    alarm: {{threshold: 2}}\n");
    let alarm = FiltersFile::parse(&with_alarm)
        .unwrap()
        .filters
        .remove(0)
        .alarm
        .unwrap();
    assert_eq!(alarm.definition.to_string(), "Sum >= 2 in 300 s");
    assert_eq!(alarm.group_by[0].to_string(), "$.recipientAccountId");
}

#[test]
fn json_is_read_too() {
    let json = r#"{"metric_filters":[{"name":"A \ud83d\udc7b","pattern":"{ $.eventName = \"x\" }","metric":{"namespace":"N","name":"M"}}]}"#;
    assert_eq!(
        FiltersFile::parse(json).unwrap().filters[0].name,
        "A \u{1f47b}"
    );
}

#[test]
fn every_fault_is_reported_in_one_go_with_its_place() {
    let text = r#"
metric_filters:
  - name: "a:b"
    patern: x
    pattern: '{ $.eventName ~= "Stop*" }'
    severity: hihg
    metric: {namespace: N, name: M, unit: Second, dimensions: {}}
  - name: B
    pattern: '{ $.a = 1 }'
    metric: {namespace: N}
    alarm: {statistic: Sum, threshold: many, period_seconds: 45, group_by: [eventName]}
    suppress:
      - {pattern: '{', reason: r, expires: tomorrow}
    tests: [{name: t, event: 5, matches: maybe}]
  - name: B
    pattern: '{ $.a = 1 }'
    metric: {namespace: N, name: M}
    alarm: {threshold: 1, period_seconds: 45, evaluation_periods: 0}
"#;
    insta::assert_snapshot!(faults(text));
}

#[test]
fn a_file_that_is_no_filters_file_says_what_was_expected() {
    for (text, expected) in [
        (
            "",
            "1:1: the file is nothing, expected a mapping with `metric_filters`",
        ),
        (
            "[]",
            "1:1: the file is a list, expected a mapping with `metric_filters`",
        ),
        (
            "{}",
            "1:1: the file has no `metric_filters`, expected `metric_filters`",
        ),
        (
            "metric_filters: []",
            "1:17: `metric_filters` is empty, expected at least one filter",
        ),
        (
            "metric_filters: 5",
            "1:17: `metric_filters` is `5`, expected a list",
        ),
        (
            "metric_filters: [5]",
            "1:18: a metric filter is `5`, expected a mapping with `name`, `pattern`, `metric`",
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
    assert!(faults("a: [").contains("not YAML"));
}

#[test]
fn the_place_of_a_fault_in_a_pattern_is_exact() {
    let fault = FiltersFile::parse(&SMALLEST.replace("= x", "~= x"))
        .unwrap_err()
        .0
        .remove(0);
    assert_eq!((fault.line, fault.column), (3, 29));
}

#[test]
fn a_profile_changes_what_it_names_and_leaves_out_what_is_not_in_it() {
    let text = format!(
        "{SMALLEST}    alarm: {{threshold: 3}}\n    profiles: {{recommended: {{}}, cis: {{threshold: 1, mode: shadow, pattern: '{{ $.eventName = y }}'}}}}\n"
    );
    let file = FiltersFile::parse(&text).unwrap();
    let cis = file.in_profile("cis").remove(0);
    assert_eq!(cis.alarm.unwrap().definition.threshold(), 1.0);
    assert_eq!(
        (cis.mode, cis.pattern.source()),
        (Mode::Shadow, "{ $.eventName = y }")
    );
    assert_eq!(
        file.in_profile("recommended")[0]
            .alarm
            .as_ref()
            .unwrap()
            .definition
            .threshold(),
        3.0
    );
    assert!(file.in_profile("user-guide").is_empty());
}

#[test]
fn the_built_in_filters_hold_their_tests_in_every_profile() {
    let file = built_in().unwrap();
    assert_eq!(file.filters.len(), 19);
    for (profile, expected) in [("recommended", 19), ("cis", 15), ("user-guide", 14)] {
        let filters = file.in_profile(profile);
        assert_eq!(filters.len(), expected, "{profile}");
        for filter in filters {
            let (positive, negative): (Vec<_>, Vec<_>) =
                filter.tests.iter().partition(|test| test.matches);
            assert!(
                !positive.is_empty() && negative.len() >= 2,
                "{} in {profile}",
                filter.name
            );
            for test in &filter.tests {
                let matches = filter.pattern.matches(test.event.as_bytes());
                assert_eq!(
                    matches, test.matches,
                    "{} in {profile}: {}",
                    filter.name, test.name
                );
            }
        }
    }
}

#[test]
fn each_negative_test_of_a_built_in_filter_is_a_record_with_one_member_changed_or_missing() {
    let parse = |event: &str| serde_json::from_str::<serde_json::Value>(event).unwrap();
    for filter in built_in().unwrap().filters {
        let mut lacks_one = false;
        for profile in filter.profiles.keys() {
            let tests = filter.in_profile(profile).unwrap().tests;
            let (positive, negative): (Vec<_>, Vec<_>) =
                tests.into_iter().partition(|test| test.matches);
            let positive: Vec<_> = positive.iter().map(|test| parse(&test.event)).collect();
            for test in negative {
                let event = parse(&test.event);
                let nearest = positive
                    .iter()
                    .map(|positive| differences(positive, &event))
                    .min_by_key(Vec::len)
                    .unwrap();
                assert_eq!(
                    nearest.len(),
                    1,
                    "{} in {profile}: {}: {nearest:?}",
                    filter.name,
                    test.name
                );
                lacks_one |= nearest[0].1;
            }
        }
        assert!(
            lacks_one,
            "{} has no test with an event that lacks a member",
            filter.name
        );
    }
}

/// Members that differ, by path, and whether the second event lacks it.
fn differences(a: &serde_json::Value, b: &serde_json::Value) -> Vec<(String, bool)> {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return if a == b {
            Vec::new()
        } else {
            vec![(String::new(), false)]
        };
    };
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .flat_map(|name| match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) => differences(a, b)
                .into_iter()
                .map(|(path, lacks)| (format!("{name}.{path}"), lacks))
                .collect(),
            (_, found) => vec![(name.clone(), found.is_none())],
        })
        .collect()
}

#[test]
fn a_suppressed_match_is_counted_and_is_in_no_sum() {
    let text = format!(
        "{SMALLEST}    suppress: [{{pattern: '{{ $.ip = \"198.51.100.*\" }}', reason: test, expires: 2026-03-02}}]\n"
    );
    let set = FilterSet::new(FiltersFile::parse(&text).unwrap().filters);
    let object = br#"{"Records":[
        {"eventName":"x","ip":"198.51.100.9","eventTime":"2026-03-02T23:59:59Z"},
        {"eventName":"x","ip":"198.51.100.9","eventTime":"2026-03-03T00:00:00Z"},
        {"eventName":"x","ip":"203.0.113.9","eventTime":"2026-03-02T12:00:00Z"}]}"#;
    let report = set
        .evaluator()
        .evaluate(object, None, &Default::default(), TimeRange::ALL, |_| {})
        .unwrap();
    let count = &report.filters[0];
    assert_eq!(
        (count.matched, count.suppressed, count.metric_sum()),
        (3, 1, 2.0)
    );
}

#[test]
fn a_metric_value_comes_from_the_event_or_is_no_data_point() {
    let text = SMALLEST.replace("name: M", "name: M, value: $.bytes");
    let set = FilterSet::new(FiltersFile::parse(&text).unwrap().filters);
    let object = br#"{"Records":[{"eventName":"x","bytes":"1234.5"},{"eventName":"x","bytes":10},{"eventName":"x"},{"eventName":"x","bytes":"many"}]}"#;
    let report = set
        .evaluator()
        .evaluate(object, None, &Default::default(), TimeRange::ALL, |_| {})
        .unwrap();
    let count = &report.filters[0];
    assert_eq!(
        (count.matched, count.without_value, count.metric_sum()),
        (4, 2, 1244.5)
    );
}

#[test]
fn records_are_evaluated_or_out_of_range() {
    let set = FilterSet::new(FiltersFile::parse(SMALLEST).unwrap().filters);
    let object = br#"{"Records":[{"eventName":"x","eventTime":"2026-03-02T00:00:00Z"},{"eventName":"x","eventTime":"2026-03-02T00:00:01Z"},{"eventName":"x","eventTime":"2026-03-02T00:00:02Z"},{"eventName":"x","eventTime":"2036-03-02T00:00:02Z"}]}"#;
    let range = TimeRange {
        start: 1_772_409_601,
        future: 1_772_409_700,
        ..TimeRange::ALL
    };
    let report = set
        .evaluator()
        .evaluate(object, None, &Default::default(), range, |_| {})
        .unwrap();
    assert_eq!(
        (report.evaluated, report.out_of_range, report.future),
        (3, 1, 1)
    );
    assert_eq!(report.newest_event_time, Some(1_772_409_602));
    assert_eq!(
        report.summary.records,
        report.evaluated + report.out_of_range
    );
}

#[test]
fn the_group_of_a_record_without_an_account_is_that_of_its_place() {
    let text = format!(
        "{SMALLEST}    alarm: {{threshold: 1, group_by: [$.recipientAccountId, $.awsRegion]}}\n"
    );
    let set = FilterSet::new(FiltersFile::parse(&text).unwrap().filters);
    let origin = cloudtrail::Origin {
        account_id: Some("111122223333".into()),
        ..Default::default()
    };
    let mut groups = Vec::new();
    set.evaluator()
        .evaluate(
            br#"{"Records":[{"eventName":"x"}]}"#,
            None,
            &origin,
            TimeRange::ALL,
            |found| groups.push(found.group),
        )
        .unwrap();
    assert_eq!(groups, [[Some("111122223333".to_owned()), None]]);
}
