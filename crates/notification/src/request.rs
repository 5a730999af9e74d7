//! What a call was made on: names found in `requestParameters`, `responseElements` and `resources`.

use cloudtrail::printable;
use raw_json::{Object, Value};

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
    pub(crate) fn of(record: Object<'a>) -> Self {
        Request {
            parameters: record.get("requestParameters"),
            response: record.get("responseElements"),
            resources: record.get("resources"),
        }
    }

    /// All values at the end of a path.
    pub(crate) fn values(&self, path: &str) -> Vec<Value<'a>> {
        let (start, path) = match path.strip_prefix('>') {
            Some(path) => (self.response, path),
            None => (self.parameters, path),
        };
        let mut values: Vec<Value<'a>> = start.into_iter().collect();
        for name in path.split('.') {
            values = each(values).filter_map(|value| value.get(name)).collect();
        }
        each(values).collect()
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
        let places = places.iter().filter(|(_, path)| !path.is_empty());
        places.into_iter().find_map(|(noun, path)| {
            let names: Vec<String> = self.texts(path).iter().map(|name| short(name)).collect();
            named(noun, &names)
        })
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
    match value {
        Value::Number(_) | Value::Bool(_) => Some(value.to_text().into_owned()),
        Value::String(text) => {
            let text = text.decode();
            (!text.trim().is_empty()).then(|| text.into_owned())
        }
        _ => None,
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
