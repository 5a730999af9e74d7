//! `raw_json::Index`: what it finds, against `raw_json::extent` and the cursor; what it must find, against `serde_json`.

use std::collections::BTreeSet;

use raw_json::{
    Extent, FoundMembers, Index, IndexedObject, IndexedValue, NameTable, Object, Value, extent,
};
use serde::de::IgnoredAny;

/// More than this is not indexed at a time.
const CHUNK: usize = 1 << 15;

/// Nesting up to this depth must be found.
const DEPTH: usize = 60;

/// A text is read on from where nothing was found so often.
const MOST_RESTARTS: usize = 30;

/// The data are a text. If it is all ordinary elements, with a comma behind each, it is also held repeated, so that it is longer
/// than what is indexed at a time.
pub fn hold(data: &[u8]) {
    let mut index = Index::default();
    let (ordinary, end) = ordinary_elements(data);
    let (found, _) = hold_found(&mut index, data);
    assert!(
        found >= ordinary,
        "{found} of {ordinary} found: {}",
        data.escape_ascii()
    );
    hold_rest(&mut index, data);
    if ordinary > 0 && data.get(end..) == Some(b",") {
        hold_repeated(data, ordinary);
    }
}

/// Reads on as a reader of log files does: by the index where it can, else the exact way. What the index met before must not matter.
fn hold_rest(index: &mut Index, text: &[u8]) {
    let mut position = 0;
    for _ in 0..MOST_RESTARTS {
        let rest = text.get(position..).unwrap_or_default();
        position += match (hold_found(index, rest), extent(rest, 0)) {
            ((1.., end), _) => end + 1,
            ((0, _), Extent::Complete { end, .. }) => end + 1,
            ((0, _), Extent::Unterminated { at }) => at + 1,
        };
    }
}

/// Every element that is found is well formed and reads as it does without an index. Returns how many there are, and where the last
/// one ends.
fn hold_found(index: &mut Index, text: &[u8]) -> (usize, usize) {
    let (mut found, mut position) = (0, 0);
    for element in index.fill(text) {
        if found > 0 {
            assert_eq!(text[position], b',', "{}", text.escape_ascii());
            position += 1;
        }
        let Extent::Complete { end, fault: None } = extent(text, position) else {
            panic!("not well formed at {position}: {}", text.escape_ascii());
        };
        let raw = &text[position..end];
        assert_eq!(element.raw(), raw, "at {position}: {}", text.escape_ascii());
        let well_formed = serde_json::from_slice::<IgnoredAny>(raw);
        assert!(
            well_formed.is_ok(),
            "{}: {well_formed:?}",
            raw.escape_ascii()
        );
        let exact = Object::from_extent(raw).expect("elements that are objects");
        hold_value(element, Value::Object(exact));
        position = end;
        found += 1;
    }
    (found, position)
}

/// The same value, read both ways.
fn hold_value(indexed: IndexedValue<'_>, exact: Value<'_>) {
    let value = indexed.value();
    assert!(is_same(value, exact), "{value:?} is not {exact:?}");
    assert_eq!(indexed.as_object().is_some(), exact.as_object().is_some());
    assert_eq!(indexed.as_array().is_some(), exact.as_array().is_some());
    let string = match exact {
        Value::String(string) => Some(string.raw()),
        _ => None,
    };
    assert_eq!(indexed.string(), string);
    match exact {
        Value::Object(exact) => hold_object(indexed, exact),
        Value::Array(exact) => {
            let mut indexed = indexed.as_array().unwrap().elements();
            let mut values = value.as_array().unwrap().elements();
            for exact in exact.elements() {
                assert!(is_same(values.next().unwrap(), exact));
                hold_value(indexed.next().unwrap(), exact);
            }
            assert!(indexed.next().is_none() && values.next().is_none());
        }
        Value::Invalid(token) => panic!("found as a value: {}", token.escape_ascii()),
        _ => {}
    }
}

fn hold_object(indexed: IndexedValue<'_>, exact: Object<'_>) {
    let object = indexed.value().as_object().unwrap();
    assert!(object.indexed().is_some() && exact.indexed().is_none());
    hold_finds(indexed.as_object().unwrap());
    let mut indexed = indexed.as_object().unwrap().members();
    let mut members = object.members();
    let mut some_names = Vec::new();
    for (place, (name, exact)) in exact.members().enumerate() {
        let (indexed_name, indexed) = indexed.next().unwrap();
        assert_eq!(indexed_name, name.raw());
        assert!(!indexed_name.contains(&b'\\'));
        let (member_name, member) = members.next().unwrap();
        assert_eq!(member_name.raw(), name.raw());
        assert!(is_same(member, exact));
        hold_value(indexed, exact);
        if place < 2 {
            some_names.push(name.decode());
        }
    }
    assert!(indexed.next().is_none() && members.next().is_none());
    for name in some_names {
        let (found, expected) = (object.get(&name).unwrap(), exact.get(&name).unwrap());
        assert!(
            is_same(found, expected),
            "{name}: {found:?} is not {expected:?}"
        );
    }
}

/// Names that are looked for all at once: every second one of those that are there.
fn hold_finds(object: IndexedObject<'_>) {
    let names: BTreeSet<&[u8]> = object.members().map(|(name, _)| name).collect();
    let names = NameTable::new(names.into_iter().step_by(2).zip(0..));
    let (mut members, mut found) = (object.members(), FoundMembers::default());
    let mut all = object
        .members()
        .filter_map(|(name, value)| Some((names.get(name)?, value)));
    while members.find(&names, &mut found) {
        for member in found.as_slice() {
            let (number, value) = all.next().unwrap();
            assert_eq!(member.number, number);
            assert_eq!(object.at(member.place).unwrap().raw(), value.raw());
        }
    }
    assert!(all.next().is_none());
}

/// The same kind of value from the same bytes.
pub(crate) fn is_same(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one == other,
        (Value::String(one), Value::String(other)) => one.raw() == other.raw(),
        (Value::Array(one), Value::Array(other)) => one.raw() == other.raw(),
        (Value::Object(one), Value::Object(other)) => one.raw() == other.raw(),
        (Value::Invalid(one), Value::Invalid(other)) => one == other,
        _ => false,
    }
}

/// A text of `ordinary` elements, over and over: all are found, in however many pieces.
fn hold_repeated(text: &[u8], ordinary: usize) {
    let mut index = Index::default();
    let times = CHUNK / text.len() + 2;
    let long = text.repeat(times);
    let (mut found, mut position) = (0, 0);
    while position < long.len() {
        let before = found;
        for element in index.fill(&long[position..]) {
            assert!(long[position..].starts_with(element.raw()));
            // Each has a comma behind it.
            position += element.raw().len() + 1;
            found += 1;
        }
        assert!(
            found > before,
            "none at {position}: {}",
            text.escape_ascii()
        );
    }
    assert_eq!(found, ordinary * times, "{}", text.escape_ascii());
}

/// How many elements from the start of a text on the index must find, one comma between them, and where the last one ends.
fn ordinary_elements(text: &[u8]) -> (usize, usize) {
    let (mut count, mut end) = (0, 0);
    loop {
        let start = match (count, text.get(end)) {
            (0, _) => 0,
            (_, Some(b',')) => end + 1,
            _ => return (count, end),
        };
        let Some(length) = ordinary_element(&text[start..]) else {
            return (count, end);
        };
        end = start + length;
        count += 1;
    }
}

/// The length of the object at the start of a text, if it is what `serde_json` takes, is compact, has no escapes in its names and is not too
/// deep.
fn ordinary_element(text: &[u8]) -> Option<usize> {
    let (mut depth, mut position) = (0_usize, 0);
    loop {
        match text.get(position)? {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => position = ordinary_string(text, position)?,
            b' ' | b'\t' | b'\n' | b'\r' => return None,
            _ => {}
        }
        position += 1;
        match depth {
            0 => break,
            1..=DEPTH => {}
            _ => return None,
        }
    }
    let element = &text[..position];
    let is_object = element.starts_with(b"{");
    (is_object && serde_json::from_slice::<IgnoredAny>(element).is_ok()).then_some(position)
}

/// The closing quote of the string that opens here, unless it is a name with escapes.
fn ordinary_string(text: &[u8], open: usize) -> Option<usize> {
    let (mut position, mut has_escapes) = (open + 1, false);
    loop {
        match text.get(position)? {
            b'"' => break,
            b'\\' => {
                has_escapes = true;
                position += 2;
            }
            _ => position += 1,
        }
    }
    let is_name = text.get(position + 1) == Some(&b':');
    (!has_escapes || !is_name).then_some(position)
}
