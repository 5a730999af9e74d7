//! Patterns together match what each matches alone, whatever they wait for and whichever way a record goes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use filter_pattern::{Pattern, PatternSet, RecordHints, compile};
use raw_json::{Index, Object, Value};

const HINTS: RecordHints<'static> = RecordHints {
    wanted: &["time", "id"],
    always_wanted: 1,
    few_values: &["$.type"],
};

/// Holds each record with its index and without against all patterns, twice, so that the second time everything is remembered.
fn check(patterns: &[&str], records: &[&str]) {
    let patterns: Vec<Pattern> = patterns.iter().map(|text| compile(text).unwrap()).collect();
    let set = PatternSet::with_hints(HINTS, &patterns);
    let mut scratch = set.scratch();
    let text = records.join(",");
    let mut index = Index::default();
    let indexed: Vec<Object<'_>> = index
        .fill(text.as_bytes())
        .map(|record| record.value().as_object().unwrap())
        .collect();
    assert_eq!(indexed.len(), records.len(), "every record has an index");
    for _ in 0..2 {
        for (indexed, text) in indexed.iter().zip(records) {
            let plain = Object::parse(text.as_bytes()).unwrap();
            let expected: Vec<usize> = (0..patterns.len())
                .filter(|place| patterns[*place].matches_record(plain))
                .collect();
            for record in [*indexed, plain] {
                let mut members = [None; 2];
                let found = set.matches_and_members(record, &mut scratch, &mut members);
                assert_eq!(found, expected, "{text}");
                assert_eq!(shown(members[0]), shown(plain.get("time")), "{text}");
                if !expected.is_empty() {
                    assert_eq!(shown(members[1]), shown(plain.get("id")), "{text}");
                }
            }
        }
    }
}

fn shown(value: Option<Value<'_>>) -> Option<String> {
    value.map(|value| value.to_text().into_owned())
}

#[test]
fn tests_that_are_asked_later_find_their_values() {
    check(
        &[
            "{ $.name = a && $.deep.er.est = 1 }",
            "{ $.name = a && $.deep.er.est NOT EXISTS }",
            "{ $.name = a && $.deep NOT EXISTS }",
            "{ $.name = a && $.list[1] = x }",
            "{ $.name = a && $.list[0].b != y }",
            "{ $.name = a && $.type = t }",
            "{ $.name = a && $.type IS NULL }",
            "{ $.name = a && $.name != a* }",
            "{ $.deep.er.est != 2 }",
        ],
        &[
            r#"{"name":"a","deep":{"er":{"est":1}},"type":"t","time":1,"id":2}"#,
            r#"{"time":1,"deep":{"er":{"est":2}},"name":"a","list":["w","x"]}"#,
            r#"{"name":"a","deep":{"er":[]},"list":[{"b":"z"}],"type":null}"#,
            r#"{"name":"a","deep":"er","list":{},"id":"i"}"#,
            r#"{"name":"a"}"#,
            r#"{"name":"b","deep":{"er":{"est":1}},"type":"t"}"#,
            r"{}",
        ],
    );
}

#[test]
fn tests_behind_wildcards_that_are_asked_later_are_asked_together() {
    check(
        &[
            "{ $.name = a && $.list[*].b = x }",
            "{ $.name = a && $.list[*].b = *y }",
            "{ $.name = a && $.list[*] NOT EXISTS }",
            "{ $.name = a && $.deep.* = x }",
            "{ $.name = a && $.deep.*.b != x }",
            "{ $.name = a && $.* = 7 }",
            "{ $.list[*].c = q }",
        ],
        &[
            r#"{"name":"a","list":[{"b":"w"},{"b":"x"}],"deep":{"k":"x"}}"#,
            r#"{"list":[{"c":"q","b":"xy"}],"name":"a","other":7}"#,
            r#"{"name":"a","list":[],"deep":{"k":{"b":"z"},"l":"x"}}"#,
            r#"{"name":"a","list":"x","deep":["x"],"seven":"7"}"#,
            r#"{"name":"b","list":[{"b":"x"}],"deep":{"k":"x"},"other":7}"#,
            r#"{"name":"a"}"#,
        ],
    );
}

#[test]
fn of_names_that_stand_twice_the_last_one_counts() {
    check(
        &[
            "{ $.name = a && $.x = 1 }",
            "{ $.name = a && $.deep.x = 1 }",
            "{ $.name = a && $.deep.* = 1 }",
            "{ $.deep.y = 2 }",
            "{ $.name = a && $.* = 3 }",
        ],
        &[
            r#"{"name":"b","name":"a","x":1}"#,
            r#"{"name":"a","name":"b","x":1}"#,
            r#"{"name":"a","x":1,"x":2}"#,
            r#"{"name":"a","x":2,"x":1,"time":1,"time":2,"id":3,"id":4}"#,
            r#"{"name":"a","deep":{"x":1},"deep":{"x":2}}"#,
            r#"{"name":"a","deep":{"x":2},"deep":{"x":1}}"#,
            r#"{"name":"a","deep":{"x":2,"x":1,"y":3,"y":2}}"#,
            r#"{"name":"a","z":3,"z":4}"#,
        ],
    );
}

#[test]
fn names_that_are_no_utf8_read_as_replacement_characters() {
    let patterns = ["{ $.['\u{fffd}'] = 1 }", "{ $.a = 1 }"];
    check(&patterns, &[r#"{"�":1}"#, r#"{"a":1}"#]);
}

#[test]
fn many_alternatives_are_waited_for() {
    let names: Vec<String> = (0..60)
        .map(|number| format!("$.name = n{number}"))
        .collect();
    let any = format!("{{ {} }}", names.join(" || "));
    check(
        &[&any, "{ $.name = n7 && ($.type = t || $.other = 1) }"],
        &[
            r#"{"name":"n7","type":"t"}"#,
            r#"{"name":"n59"}"#,
            r#"{"name":"n60","other":1}"#,
        ],
    );
}

#[test]
fn long_texts_that_differ_in_the_middle_are_not_taken_for_one_another() {
    let patterns = [
        r#"{ $.userAgent = "*needle*" }"#,
        r#"{ $.errorMessage = "*needle*" }"#,
        r#"{ $.a = "*needle*" || $.b = "*needle*" || $.c = "*needle*" }"#,
    ];
    let text = |number: usize, middle: &str| format!("{number:016}--{middle:-<66}{:z<16}", "");
    for number in 0..300 {
        let (with, without) = (text(number, "needle"), text(number, ""));
        let records = [
            format!(r#"{{"userAgent":"{without}","a":"{with}","b":"{without}","c":"{without}"}}"#),
            format!(r#"{{"errorMessage":"{with}","b":"{with}"}}"#),
            format!(r#"{{"userAgent":"{with}","c":"{with}"}}"#),
            format!(r#"{{"errorMessage":"{without}","a":"{without}"}}"#),
        ];
        check(&patterns, &records.each_ref().map(String::as_str));
    }
}
