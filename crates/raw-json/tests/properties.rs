//! Against `serde_json`, which reads trees, and against arbitrary bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use proptest::prelude::*;
use raw_json::{Extent, Object, Value, compact_object, extent};

fn json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e9..1e9_f64).prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
        "[\"\\\\/\u{0}-\u{1f}a]{0,6}".prop_map(Into::into),
    ];
    scalar.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            members(inner),
        ]
    })
}

fn members(
    value: impl Strategy<Value = serde_json::Value>,
) -> impl Strategy<Value = serde_json::Value> {
    prop::collection::vec(("[a-c\"\\\\é]{0,2}", value), 0..6)
        .prop_map(|members| serde_json::Value::Object(members.into_iter().collect()))
}

fn record() -> impl Strategy<Value = serde_json::Value> {
    members(json())
}

/// One byte of a JSON text replaced, removed or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (
        record(),
        any::<prop::sample::Index>(),
        0..3_u8,
        prop::sample::select(b"{}[]\",:\\ 1e.-tn\x01".to_vec()),
    )
        .prop_map(|(record, index, how, byte)| {
            let mut text = record.to_string().into_bytes();
            let at = index.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, byte),
            }
            text
        })
}

/// Touches everything the tolerant readers offer.
fn read_all(object: Object<'_>) {
    for (key, value) in object.members() {
        let _ = key.decode();
        let _ = value.to_text();
        if let Value::Array(array) = value {
            array.elements().for_each(|element| drop(element.to_text()));
        }
        if let Value::Object(inner) = value {
            read_all_flat(inner);
        }
    }
    let _ = compact_object(object);
    let _ = object.get("a");
}

fn read_all_flat(object: Object<'_>) {
    let _ = object.distinct_members();
    let _ = compact_object(object);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn compact_is_what_serde_json_writes(record in record()) {
        let pretty = serde_json::to_string_pretty(&record).unwrap();
        let object = Object::parse(pretty.as_bytes()).unwrap();
        prop_assert_eq!(compact_object(object), record.to_string());
    }

    #[test]
    fn members_are_those_of_the_tree(record in record()) {
        let text = record.to_string();
        let object = Object::parse(text.as_bytes()).unwrap();
        for (name, value) in record.as_object().unwrap() {
            let found = object.get(name).unwrap();
            let expected = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            prop_assert_eq!(found.to_text().into_owned(), expected);
        }
        prop_assert_eq!(object.distinct_members().len(), record.as_object().unwrap().len());
    }

    #[test]
    fn strict_reading_accepts_what_serde_json_accepts(text in mutated()) {
        prop_assume!(std::str::from_utf8(&text).is_ok()); // ours lets invalid UTF-8 pass, on purpose
        let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
        // serde_json alone refuses numbers that overflow a double.
        let overflow = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(overflow || Object::parse(&text).is_ok() == theirs.is_ok(), "{:?}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn broken_texts_are_read_to_their_end(text in mutated()) {
        if let Extent::Complete { end, .. } = extent(&text, 0) {
            prop_assert!(end <= text.len());
            if let Some(object) = Object::from_extent(&text[..end]) {
                read_all(object);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_to_their_end(mut text in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\ 1".to_vec())], 0..60)) {
        let _ = extent(&text, 0);
        let _ = Object::parse(&text);
        text.insert(0, b'{');
        read_all(Object::from_extent(&text).unwrap());
    }
}
