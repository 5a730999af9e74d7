//! What the index finds is what the exact path finds, and of ordinary records it finds all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use raw_json::{
    Extent, FoundMembers, Index, IndexedObject, IndexedValue, NameTable, Object, Value, extent,
};

/// The same value, read both ways.
fn assert_same(indexed: IndexedValue<'_>, exact: Value<'_>) {
    match (indexed.as_object(), indexed.as_array(), exact) {
        (Some(indexed), None, Value::Object(exact)) => assert_same_object(indexed, exact),
        (None, Some(indexed), Value::Array(exact)) => {
            let elements: Vec<_> = indexed.elements().collect();
            let expected: Vec<_> = exact.elements().collect();
            assert_eq!(elements.len(), expected.len());
            for (element, expected) in elements.into_iter().zip(expected) {
                assert_same(element, expected);
            }
        }
        (None, None, exact) => {
            assert_eq!(format!("{:?}", indexed.value()), format!("{exact:?}"));
            if let Value::String(string) = exact {
                assert_eq!(indexed.string(), Some(string.raw()));
            }
        }
        other => panic!("{other:?}"),
    }
}

fn assert_same_object(indexed: IndexedObject<'_>, exact: Object<'_>) {
    let members: Vec<_> = indexed.members().collect();
    let expected: Vec<_> = exact.members().collect();
    assert_eq!(members.len(), expected.len());
    for ((name, value), (expected_name, expected)) in members.into_iter().zip(expected) {
        assert_eq!(name, expected_name.raw());
        assert_eq!(indexed.at(value.place()).unwrap().raw(), value.raw());
        assert!(!name.contains(&b'\\'));
        assert_same(value, expected);
    }
    assert_finds(indexed);
}

/// Looks for every second name.
fn assert_finds(object: IndexedObject<'_>) {
    let names: BTreeSet<&[u8]> = object.members().map(|(name, _)| name).collect();
    let names = NameTable::new(names.into_iter().step_by(2).zip(0..));
    let (mut members, mut found) = (object.members(), FoundMembers::default());
    let mut all = Vec::new();
    while members.find(&names, &mut found) {
        let values = found.as_slice().iter();
        all.extend(values.map(|member| (member.number, object.at(member.place).unwrap().raw())));
    }
    let named = object
        .members()
        .filter_map(|(name, value)| Some((names.get(name)?, value.raw())));
    assert_eq!(all, named.collect::<Vec<_>>());
}

/// What those see who do not ask whether there is an index.
fn assert_same_value(indexed: Value<'_>, exact: Value<'_>) {
    assert_eq!(format!("{indexed:?}"), format!("{exact:?}"));
    match (indexed, exact) {
        (Value::Object(indexed), Value::Object(exact)) => {
            assert!(indexed.indexed().is_some() && exact.indexed().is_none());
            for ((name, value), (expected_name, expected)) in indexed.members().zip(exact.members())
            {
                assert_eq!(name.raw(), expected_name.raw());
                assert_same_value(value, expected);
                let name = name.decode();
                let (found, expected) = (indexed.get(&name).unwrap(), exact.get(&name).unwrap());
                assert_eq!(format!("{found:?}"), format!("{expected:?}"));
            }
            assert_eq!(indexed.members().count(), exact.members().count());
        }
        (Value::Array(indexed), Value::Array(exact)) => {
            assert_eq!(indexed.elements().count(), exact.elements().count());
            let elements = indexed.elements().zip(exact.elements());
            elements.for_each(|(value, expected)| assert_same_value(value, expected));
        }
        _ => {}
    }
}

/// Holds the elements that the index finds in `text` against those that the exact path finds; returns how many there were.
fn check(index: &mut Index, text: &[u8]) -> usize {
    let mut position = 0;
    let mut found = 0;
    for element in index.fill(text) {
        let Extent::Complete { end, fault: None } = extent(text, position) else {
            panic!("not well formed: {}", text.escape_ascii());
        };
        assert_eq!(
            element.raw(),
            &text[position..end],
            "{}",
            text.escape_ascii()
        );
        let exact = Object::from_extent(&text[position..end]).unwrap();
        assert_same_object(element.as_object().unwrap(), exact);
        assert_same_value(element.value(), Value::Object(exact));
        // One comma behind each but the last.
        position = end + 1;
        found += 1;
        if text.get(end) != Some(&b',') {
            break;
        }
    }
    found
}

#[test]
fn names_are_found_however_many_and_however_long() {
    let mut members = Vec::new();
    for number in 0..200 {
        members.push(format!(
            r#""{}{number}":{{"m{number}":[{number}]}}"#,
            "n".repeat(number % 40)
        ));
    }
    // Only what is between the ends tells these apart.
    let ends = ("x".repeat(16), "y".repeat(8));
    for number in 0..20 {
        members.push(format!(r#""{}{number:02}{}":{number}"#, ends.0, ends.1));
    }
    let mut text = format!("{{{}}}", members.join(","));
    check(&mut Index::default(), text.as_bytes());
    let few = format!("{{{}}}", members[200..202].join(","));
    check(&mut Index::default(), few.as_bytes());
    text.push_str(&format!(",{text}]}}"));
    assert_eq!(check(&mut Index::default(), text.as_bytes()), 2);
}

/// Compact JSON values.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        string(),
    ];
    scalar.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5)
                .prop_map(|elements| format!("[{}]", elements.join(","))),
            members(inner),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-zA-Z0-9:/ ,{}\\[\\].é-]{0,12}",
        1 => Just("\\\"".to_owned()),
        1 => Just("\\\\".to_owned()),
        1 => Just("\\u00e9".to_owned()),
        1 => "[a-z]{60,70}",
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof!["[a-zA-Z]{0,20}", Just("a".to_owned()), "[{}:,é]{1,3}"];
    let member = (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn all_ordinary_records_are_found(
        records in proptest::collection::vec(members(value()), 1..12),
        behind in prop_oneof![Just(""), Just("]"), Just("]}"), Just(",")],
    ) {
        let mut index = Index::default();
        let text = format!("{}{behind}", records.join(","));
        prop_assert_eq!(check(&mut index, text.as_bytes()), records.len());
    }

    #[test]
    fn what_is_found_in_damaged_records_is_well_formed(
        records in proptest::collection::vec(members(value()), 1..6),
        damage in proptest::collection::vec(
            (any::<prop::sample::Index>(), proptest::sample::select(b"\"\\{}[]:, \n\x01a1-.tn\xff".to_vec()), 0..3),
            0..4,
        ),
    ) {
        let mut text = records.join(",").into_bytes();
        for (place, byte, how) in damage {
            let place = place.index(text.len());
            match how {
                0 => text[place] = byte,
                1 => text.insert(place, byte),
                _ => drop(text.remove(place)),
            }
            if text.is_empty() {
                text.push(b'{');
            }
        }
        check(&mut Index::default(), &text);
    }

    #[test]
    fn what_is_found_in_noise_is_well_formed(
        text in proptest::collection::vec(
            proptest::sample::select(br#"""""{}[]:,\a1 "#.to_vec()), 0..200,
        ),
    ) {
        let mut framed = b"{".to_vec();
        framed.extend(text);
        check(&mut Index::default(), &framed);
    }
}

#[test]
fn all_short_texts_are_judged_like_the_exact_path_does() {
    // All objects of up to six of these bytes behind the brace, shifted so that they cross the end of a block.
    let bytes = b"{}[]\",:\\1";
    let mut index = Index::default();
    for mut number in 0..bytes.len().pow(6) {
        let mut object = vec![b'{'];
        while number > 0 {
            object.push(bytes[number % bytes.len()]);
            number /= bytes.len();
        }
        let well_formed = match extent(&object, 0) {
            Extent::Complete { end, fault: None } => Some(end),
            _ => None,
        };
        let escape_in_name = object.contains(&b'\\');
        let found = check(&mut index, &object);
        assert!(found == 0 || well_formed.is_some());
        // A scalar at the very end, an element behind it that is none: only the first one is asked for here.
        if well_formed.is_some() && !escape_in_name {
            assert!(found > 0, "{}", object.escape_ascii());
        }
        let mut shifted =
            br#"{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1},"#.to_vec();
        shifted.extend(&object);
        assert_eq!(check(&mut index, &shifted), 1 + found);
    }
}

#[test]
fn what_is_not_compact_or_too_deep_is_left_to_others() {
    let mut index = Index::default();
    let deep = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    for (text, found) in [
        (deep(63), 1),
        (deep(64), 0),
        (r#"{"a": 1}"#.to_owned(), 0),
        (r#"{"a":1},{"b":2} ,{"c":3}"#.to_owned(), 2),
        (r#"{"a":1},5,{"c":3}"#.to_owned(), 1),
        (r#"{"a":1},"x",{"c":3}"#.to_owned(), 1),
        (r#"{"a":1},[2],{"c":3}"#.to_owned(), 1),
        (r#"{"a":1},,{"c":3}"#.to_owned(), 1),
        (r#"{"a":1},{"\u0061":2}"#.to_owned(), 1),
        (r#"{"a":"\u006"}"#.to_owned(), 0),
        (r#"{"a":"\x"}"#.to_owned(), 0),
        (r#"{"a":01}"#.to_owned(), 0),
        (r#"{"a":tru}"#.to_owned(), 0),
        (r#"{"a":truex}"#.to_owned(), 0),
        (String::new(), 0),
    ] {
        assert_eq!(check(&mut index, text.as_bytes()), found, "{text}");
    }
}

#[test]
fn large_runs_are_found_piece_by_piece_and_large_records_whole() {
    let mut index = Index::default();
    let record = |bytes: usize| format!(r#"{{"a":["{}",1]}}"#, "x".repeat(bytes));
    for bytes in [0, 30, 1000, 40_000, 200_000, 900_000] {
        let text = vec![record(bytes); 5].join(",");
        let (mut position, mut found) = (0, 0);
        while position < text.len() {
            let raw: Vec<usize> = index
                .fill(&text.as_bytes()[position..])
                .map(|element| element.raw().len())
                .collect();
            assert!(!raw.is_empty(), "{bytes} {position}");
            found += raw.len();
            position += raw.iter().map(|length| length + 1).sum::<usize>();
        }
        assert_eq!(found, 5);
    }
    // Too large to be worth it: the exact path takes it.
    assert_eq!(index.fill(record(2 << 20).as_bytes()).count(), 0);
}
