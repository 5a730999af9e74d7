//! Conformance cases kept outside of the repository, if there are any at hand.
//!
//! `TRAILWARDEN_CONFORMANCE` names a folder with `filter-patterns.jsonl`: one case a line, with `id`,
//! `pattern`, `event` (a JSON string is a raw message) and `expect`: `match`, `no-match` or
//! `invalid-pattern`.

#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

use filter_pattern::{PatternSet, compile};
use raw_json::{Index, Object};
use serde_json::Value;

fn outcome(case: &Value) -> &'static str {
    let Ok(pattern) = compile(case["pattern"].as_str().expect("a pattern")) else {
        return "invalid-pattern";
    };
    let matches = match &case["event"] {
        Value::String(message) => pattern.matches(message.as_bytes()),
        event => {
            let message = event.to_string();
            let record = Object::parse(message.as_bytes()).expect("an object");
            let set = PatternSet::new([&pattern]);
            let mut scratch = set.scratch();
            let together = set.matches(record, &mut scratch) == [0];
            let mut index = Index::default();
            for indexed in index.fill(message.as_bytes()) {
                let record = indexed.value().as_object().expect("an object");
                let quickly = set.matches(record, &mut scratch) == [0];
                assert_eq!(quickly, together, "{}", case["id"]);
            }
            assert_eq!(
                together,
                pattern.matches(message.as_bytes()),
                "{}",
                case["id"]
            );
            together
        }
    };
    if matches { "match" } else { "no-match" }
}

/// As many as there were when the test was written: fewer are not the whole of them.
const LEAST_CASES: usize = 393;

#[test]
#[ignore = "needs TRAILWARDEN_CONFORMANCE, a folder with filter-patterns.jsonl"]
fn conformance_cases_come_out_as_they_say() {
    let folder = std::env::var_os("TRAILWARDEN_CONFORMANCE")
        .expect("TRAILWARDEN_CONFORMANCE names a folder with filter-patterns.jsonl");
    let path = std::path::Path::new(&folder).join("filter-patterns.jsonl");
    let text = std::fs::read_to_string(path).expect("the cases are readable");
    let cases: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a case"))
        .collect();
    let differ = |case: &&Value| case["expect"] != outcome(case);
    let differing: Vec<_> = cases
        .iter()
        .filter(differ)
        .map(|case| &case["id"])
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {} differ: {differing:?}",
        differing.len(),
        cases.len()
    );
    assert!(cases.len() >= LEAST_CASES, "only {} cases", cases.len());
    println!("{} cases", cases.len());
}
