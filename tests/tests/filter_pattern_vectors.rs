//! The vectors of filter patterns: patterns, events, and whether they match.
//!
//! Each file in `vectors/filter-pattern` is a list of vectors with `name`, `source`, `pattern`, and
//! either `"invalid": true`, or `matches` and the `event` (a JSON object) or `message` (a raw text).

#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

use std::path::Path;

use filter_pattern::{Pattern, PatternSet, compile};
use raw_json::Object;
use serde_json::Value;

/// The vectors in a folder, with the file each is from.
fn vectors() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/filter-pattern");
    let mut vectors = Vec::new();
    for entry in folder.read_dir().expect("the vectors are there") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let list: Vec<Value> = serde_json::from_str(&text).expect("a list of vectors");
        let file = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        vectors.extend(list.into_iter().map(|vector| (file.clone(), vector)));
    }
    vectors
}

fn text<'v>(vector: &'v Value, member: &str) -> &'v str {
    vector[member].as_str().expect(member)
}

/// What all ways to hold a pattern against a message say, or that they differ.
fn outcome(pattern: &Pattern, message: &[u8]) -> Result<bool, String> {
    let matches = pattern.matches(message);
    let explained = pattern.explain(message).matches();
    if explained != matches {
        return Err(format!("matches: {matches}, explained: {explained}"));
    }
    Ok(matches)
}

fn record_outcome(pattern: &Pattern, record: Object<'_>) -> Result<bool, String> {
    let alone = pattern.matches_record(record);
    let set = PatternSet::new([pattern]);
    let together = set.matches(record, &mut set.scratch()) == [0];
    let explained = pattern.explain_record(record).matches();
    match together == alone && explained == alone {
        true => Ok(alone),
        false => Err(format!(
            "alone: {alone}, in a set: {together}, explained: {explained}"
        )),
    }
}

fn check(vector: &Value) -> Result<(), String> {
    let compiled = compile(text(vector, "pattern"));
    if vector["invalid"] == true {
        return match compiled {
            Ok(_) => Err("compiles".to_owned()),
            Err(_) => Ok(()),
        };
    }
    let pattern = compiled.map_err(|error| error.to_string())?;
    let expected = vector["matches"].as_bool().expect("matches");
    let message = match vector.get("message") {
        Some(message) => message.as_str().expect("a text").to_owned(),
        None => vector["event"].to_string(),
    };
    let mut outcomes = vec![outcome(&pattern, message.as_bytes())?];
    if vector.get("event").is_some() {
        let record = Object::parse(message.as_bytes()).expect("an object");
        outcomes.push(record_outcome(&pattern, record)?);
    }
    match outcomes.iter().all(|outcome| *outcome == expected) {
        true => Ok(()),
        false => Err(format!(
            "matches: {outcomes:?}\n{}",
            pattern.explain(message.as_bytes())
        )),
    }
}

#[test]
fn every_vector_comes_out_as_it_says() {
    let vectors = vectors();
    let faults: Vec<_> = vectors
        .iter()
        .filter_map(|(file, vector)| {
            let fault = check(vector).err()?;
            Some(format!(
                "{file}: {}: {}: {fault}",
                text(vector, "name"),
                text(vector, "pattern")
            ))
        })
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(
        vectors.len() >= 300,
        "only {} vectors were found",
        vectors.len()
    );
}

#[test]
fn every_valid_pattern_prints_to_an_equal_one() {
    for (_, vector) in vectors()
        .iter()
        .filter(|(_, vector)| vector["invalid"] != true)
    {
        let pattern = compile(text(vector, "pattern")).expect("a pattern");
        let printed = pattern.to_string();
        assert_eq!(compile(&printed).as_ref(), Ok(&pattern), "{printed}");
    }
}

#[test]
fn every_name_stands_once_in_its_file() {
    let mut names: Vec<_> = vectors()
        .iter()
        .map(|(file, vector)| (file.clone(), text(vector, "name").to_owned()))
        .collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
