//! What a call was made on: names found in `requestParameters`, `responseElements` and `resources`.

use std::borrow::Cow;

use cloudtrail::printable;
#[cfg(test)]
use raw_json::Object;
use raw_json::{Str, Value};

use crate::words::{list, plural};

/// Longest single name, in characters.
const NAME_CHARACTERS: usize = 100;

/// Most values that are collected along one path; a request has a few.
const MOST_VALUES: usize = 10_000;

/// The places where a record says what a call was about.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    parameters: Option<Value<'a>>,
    response: Option<Value<'a>>,
    resources: Option<Value<'a>>,
}

/// Where a name is found, and the noun it goes by: `("trail", "name")`. A path starts in
/// `requestParameters`, or with `>` in `responseElements`; members are separated by dots and arrays
/// are entered. An empty path finds nothing: its noun is for what is not named.
pub(crate) type Place = (&'static str, &'static str);

impl<'a> Request<'a> {
    /// From the members of a record: `requestParameters`, `responseElements`, `resources`.
    pub(crate) fn new(
        parameters: Option<Value<'a>>,
        response: Option<Value<'a>>,
        resources: Option<Value<'a>>,
    ) -> Self {
        Request {
            parameters,
            response,
            resources,
        }
    }

    #[cfg(test)]
    pub(crate) fn of(record: Object<'a>) -> Self {
        let of = |name| record.get(name);
        Request::new(
            of("requestParameters"),
            of("responseElements"),
            of("resources"),
        )
    }

    /// All values at the end of a path.
    pub(crate) fn values(&self, path: &str) -> Vec<Value<'a>> {
        let (start, path) = match path.strip_prefix('>') {
            Some(path) => (self.response, path),
            None => (self.parameters, path),
        };
        match single(start, path) {
            Single::Nothing => Vec::new(),
            Single::Value(value) => vec![value],
            Single::Array => {
                let mut values: Vec<Value<'a>> = start.into_iter().collect();
                for name in path.split('.') {
                    values = each(values).filter_map(|value| value.get(name)).collect();
                }
                each(values).collect()
            }
        }
    }

    /// All texts and numbers at the end of a path.
    pub(crate) fn texts(&self, path: &str) -> Vec<String> {
        self.values(path).into_iter().filter_map(text).collect()
    }

    /// The first text found on one of the paths.
    pub(crate) fn text(&self, paths: &[&str]) -> Option<String> {
        paths
            .iter()
            .find_map(|path| self.texts(path).into_iter().next())
    }

    /// What is found at the first place that has something, with its noun: `trail management-events`,
    /// `instances i-1, i-2 and 3 others`.
    pub(crate) fn target(&self, places: &[Place]) -> Option<String> {
        let beginnings = self.beginnings();
        let leads_somewhere =
            |path: &str| path.starts_with('>') || beginning(path.as_bytes()) & beginnings != 0;
        let places = places.iter().filter(|(_, path)| !path.is_empty());
        let mut places = places.filter(|(_, path)| leads_somewhere(path));
        places.find_map(|(noun, path)| {
            let names: Vec<String> = self.texts(path).iter().map(|name| short(name)).collect();
            named(noun, &names)
        })
    }

    /// How the members of the parameters begin. A path into them that begins otherwise leads nowhere, and most do.
    fn beginnings(&self) -> u64 {
        let of_name = |name: Str<'_>| match name.raw().contains(&b'\\') {
            true => beginning(name.decode().as_bytes()),
            false => beginning(name.raw()),
        };
        match self.parameters {
            Some(Value::Object(parameters)) => parameters
                .members()
                .fold(0, |beginnings, (name, _)| beginnings | of_name(name)),
            // Its elements may have any members.
            Some(Value::Array(_)) => u64::MAX,
            _ => 0,
        }
    }

    /// The names in `resources`.
    pub(crate) fn resources(&self) -> Option<String> {
        let resources = each(self.resources.into_iter().collect());
        let arns = resources.filter_map(|resource| {
            resource
                .get("ARN")
                .or_else(|| resource.get("arn"))
                .and_then(text)
        });
        let names: Vec<String> = arns.map(|arn| printable(&arn, NAME_CHARACTERS)).collect();
        (!names.is_empty()).then(|| list(&names, names.len()))
    }
}

/// Names with their noun: `trail a`, `trails a and b`.
pub(crate) fn named(noun: &str, names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(format!("{noun} {name}")),
        names => Some(format!("{} {}", plural(noun), list(names, names.len()))),
    }
}

/// The name at the end of an ARN; other names as they are.
pub(crate) fn short(name: &str) -> String {
    let short = match name.strip_prefix("arn:") {
        Some(arn) => {
            let resource = arn.splitn(5, ':').last().unwrap_or(arn);
            resource
                .rsplit(['/', ':'])
                .find(|part| !part.is_empty())
                .unwrap_or(name)
        }
        None => name,
    };
    printable(short, NAME_CHARACTERS)
}

/// A text that is not blank, a number or a truth value, as text.
pub(crate) fn text(value: Value<'_>) -> Option<String> {
    written(value).map(Cow::into_owned)
}

/// The same as [`text`], borrowed where it can be.
pub(crate) fn written(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Number(_) | Value::Bool(_) => Some(value.to_text()),
        Value::String(text) => {
            let text = text.decode();
            (!text.trim_start().is_empty()).then_some(text)
        }
        _ => None,
    }
}

/// One bit of 64 for the two bytes that a name begins with; all of them for a shorter one.
fn beginning(name: &[u8]) -> u64 {
    match name {
        [first, second, ..] => 1 << ((first.wrapping_mul(5) ^ second) % 64),
        _ => u64::MAX,
    }
}

/// What a path leads to that meets no array.
enum Single<'a> {
    Nothing,
    Value(Value<'a>),
    /// There is an array on the way or at the end.
    Array,
}

fn single<'a>(start: Option<Value<'a>>, path: &str) -> Single<'a> {
    let mut reached = start;
    for name in path.split('.') {
        reached = match reached {
            Some(Value::Array(_)) => return Single::Array,
            Some(value) => value.get(name),
            None => return Single::Nothing,
        };
    }
    match reached {
        Some(Value::Array(_)) => Single::Array,
        Some(value) => Single::Value(value),
        None => Single::Nothing,
    }
}

/// The values, arrays replaced by their elements.
fn each<'a>(values: Vec<Value<'a>>) -> impl Iterator<Item = Value<'a>> {
    values
        .into_iter()
        .flat_map(|value| {
            let elements = value.as_array().map(|array| array.elements());
            let itself = elements.is_none().then_some(value);
            elements.into_iter().flatten().chain(itself)
        })
        .take(MOST_VALUES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::text as text_of;
    use proptest::prelude::*;

    const RECORD: &str = r#"{
        "requestParameters":{"name":"arn:aws:cloudtrail:us-east-1:111122223333:trail/t","n":5,"blank":" ",
            "set":{"items":[{"id":"i-1"},{"id":"i-2"},{"x":1},{"id":"i-3"},{"id":"i-4"}]},"list":["a","b"]},
        "responseElements":{"vpc":{"vpcId":"vpc-1"}},
        "resources":[{"ARN":"arn:aws:s3:::b"},{"arn":"arn:aws:s3:::c"},5]}"#;

    fn request() -> Request<'static> {
        Request::of(Object::parse(RECORD.as_bytes()).unwrap())
    }

    #[test]
    fn paths_enter_objects_and_arrays() {
        assert_eq!(
            request().texts("set.items.id"),
            ["i-1", "i-2", "i-3", "i-4"]
        );
        assert_eq!(request().texts(">vpc.vpcId"), ["vpc-1"]);
        assert_eq!(request().texts("list"), ["a", "b"]);
        assert_eq!(request().texts("n"), ["5"]);
        for path in ["blank", "set", "name.x", "set.items.id.x", ">missing"] {
            assert!(request().texts(path).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_target_is_named_with_its_noun() {
        let target = |places: &[Place]| request().target(places);
        assert_eq!(
            target(&[("vpc", "vpcId"), ("trail", "name")]).as_deref(),
            Some("trail t")
        );
        assert_eq!(
            target(&[("instance", "set.items.id")]).as_deref(),
            Some("instances i-1, i-2 and 2 others")
        );
        assert_eq!(target(&[("x", "missing")]), None);
        assert_eq!(
            request().resources().as_deref(),
            Some("arn:aws:s3:::b and arn:aws:s3:::c")
        );
    }

    #[test]
    fn a_path_leads_to_members_however_they_are_written() {
        for (record, expected) in [
            (
                r#"{"requestParameters":{"n\u0061me":"t"}}"#,
                Some("trail t"),
            ),
            (
                r#"{"requestParameters":[5,{"name":"t"},{"name":"u"}]}"#,
                Some("trails t and u"),
            ),
            (r#"{"requestParameters":{"nam":1,"x":{"name":"t"}}}"#, None),
            (r#"{"requestParameters":"name"}"#, None),
            (
                r#"{"requestParameters":{},"responseElements":{"name":"r"}}"#,
                Some("trail r"),
            ),
            (
                r#"{"requestParameters":null,"responseElements":[{"name":"r"}]}"#,
                Some("trail r"),
            ),
        ] {
            let request = Request::of(Object::parse(record.as_bytes()).unwrap());
            let target = request.target(&[("x", ""), ("trail", "name"), ("trail", ">name")]);
            assert_eq!(target.as_deref(), expected, "{record}");
        }
    }

    /// Finds the values at the end of a path without a shortcut.
    fn values_step_by_step<'a>(start: Option<Value<'a>>, path: &str) -> Vec<Value<'a>> {
        let values = start.into_iter().collect();
        let step = |values, name| each(values).filter_map(|value| value.get(name)).collect();
        each(path.split('.').fold(values, step)).collect()
    }

    proptest! {
        #[test]
        fn the_short_way_finds_what_the_long_one_does(json in any_json(3), path in "[ab]([.][ab]){0,2}") {
            let text = format!(r#"{{"requestParameters":{json}}}"#);
            let request = Request::of(Object::parse(text.as_bytes()).unwrap());
            let slowly = values_step_by_step(request.parameters, &path);
            let texts: Vec<String> = slowly.into_iter().filter_map(text_of).collect();
            prop_assert_eq!(request.texts(&path), texts);
        }
    }

    fn any_json(depth: u32) -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("1".to_owned()),
            Just(r#""s""#.to_owned()),
            Just("null".to_owned())
        ];
        scalar.prop_recursive(depth, 30, 3, |inner| {
            let member = ("a|b|\\\\u0061", inner.clone())
                .prop_map(|(name, value)| format!(r#""{name}":{value}"#));
            prop_oneof![
                prop::collection::vec(inner, 0..3)
                    .prop_map(|elements| format!("[{}]", elements.join(","))),
                prop::collection::vec(member, 0..4)
                    .prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    #[test]
    fn an_arn_is_shortened_to_its_name() {
        for (arn, name) in [
            ("arn:aws:iam::aws:policy/job-function/ReadOnly", "ReadOnly"),
            ("arn:aws:s3:::bucket", "bucket"),
            (
                "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf",
                "db-AbCdEf",
            ),
            ("arn:aws:kms:us-west-2:111122223333:key/1", "1"),
            ("arn:", "arn:"),
            ("alias/x", "alias/x"),
        ] {
            assert_eq!(short(arn), name);
        }
    }
}
