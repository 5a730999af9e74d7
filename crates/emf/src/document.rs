//! One embedded metric format document, and the lines it is written as.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Number, json};

use crate::Unit;
use crate::clean;

/// The longest log event that is read for metrics everywhere. (Newer accounts read up to 1 MB.)
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

const MAX_METRICS: usize = 100;
const MAX_VALUES: usize = 100;
const MAX_DIMENSIONS: usize = 30;
/// Values reach from -2^360 to 2^360.
const MAX_EXPONENT: i32 = 360;
/// Whole numbers up to here are exact in an `f64`.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// Begins a document. Its metrics have the time `timestamp_millis` (since 1970-01-01T00:00:00Z) and no
/// dimensions, unless [`Document::dimensions`] or [`Document::dimension_sets`] gives them some.
pub fn document(namespace: &str, timestamp_millis: i64) -> Document {
    Document {
        namespace: clean::namespace(namespace),
        timestamp_millis,
        metrics: Vec::new(),
        dimensions: Vec::new(),
        dimension_sets: Vec::new(),
        properties: Vec::new(),
        left_out_values: 0,
    }
}

/// What one document holds: metrics with their values, dimensions, and properties, which are plain
/// members beside them.
///
/// All of them are members of one object, so each needs a name of its own. A metric keeps its name; a
/// dimension with the name of a metric, and a property with the name of either or the name `_aws`,
/// gets `_` appended until its name is free. A property set twice has its last value.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    namespace: String,
    timestamp_millis: i64,
    metrics: Vec<Metric>,
    /// INVARIANT: no name twice.
    dimensions: Vec<(String, String)>,
    /// Names in `dimensions`. INVARIANT: no set twice, no name twice in a set.
    dimension_sets: Vec<Vec<String>>,
    properties: Vec<(String, serde_json::Value)>,
    left_out_values: usize,
}

/// The values of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// One value.
    One(f64),
    /// Each value for itself: percentiles, maximum and sample count are of all of them.
    Many(&'a [f64]),
}

#[derive(Debug, Clone, PartialEq)]
struct Metric {
    name: String,
    unit: Unit,
    values: Vec<Number>,
}

impl Document {
    /// Adds a metric; values under a name that is there already are added to it, in its unit.
    ///
    /// Values that CloudWatch does not take (not a number, infinite, beyond 2^360) are left out and
    /// counted in [`Document::left_out_values`]; a metric without values is not written.
    pub fn metric(mut self, name: &str, unit: Unit, value: Value<'_>) -> Document {
        let given = match &value {
            Value::One(value) => std::slice::from_ref(value),
            Value::Many(values) => values,
        };
        let values: Vec<Number> = given.iter().filter_map(|value| number(*value)).collect();
        self.left_out_values += given.len() - values.len();
        if !values.is_empty() {
            self.add_metric(clean::metric_name(name), unit, values);
        }
        self
    }

    /// Publishes the metrics under this set of dimensions only, names with values; at most the first
    /// 30 of them.
    pub fn dimensions(self, set: &[(&str, &str)]) -> Document {
        self.dimension_sets(&[set])
    }

    /// Publishes the metrics once for each set of dimensions; the empty set is the metric without
    /// dimensions. A dimension has one value in a document: the first that is given.
    pub fn dimension_sets(mut self, sets: &[&[(&str, &str)]]) -> Document {
        self.dimensions.clear();
        self.dimension_sets.clear();
        for set in sets {
            self.add_dimension_set(set);
        }
        self
    }

    /// Adds a member that is not a metric: what one can search for, and read beside the metrics.
    ///
    /// A value that has no JSON form is written as the words of why not.
    pub fn property(mut self, name: &str, value: impl Serialize) -> Document {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| json!(format!("no JSON form: {error}")));
        match self.properties.iter_mut().find(|(held, _)| held == name) {
            Some((_, held)) => *held = value,
            None => self.properties.push((name.to_owned(), value)),
        }
        self
    }

    /// How many values were left out because CloudWatch does not take them.
    pub fn left_out_values(&self) -> usize {
        self.left_out_values
    }

    /// The length of the longest line, to be held against [`MAX_DOCUMENT_BYTES`].
    pub fn byte_length(&self) -> usize {
        self.to_json().iter().map(String::len).max().unwrap_or(0)
    }

    /// The document as JSON, one object on one line without line end.
    ///
    /// More than 100 metrics, or more than 100 values of one, make several lines; together they hold
    /// every value once. Only the first has the properties. Without any metric the line has no `_aws`
    /// member: a log event that is read for no metrics.
    pub fn to_json(&self) -> Vec<String> {
        let names = self.names();
        let mut parts = self.parts();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                let properties = if index == 0 { &*self.properties } else { &[] };
                self.line(part, properties, &names)
            })
            .collect()
    }

    fn add_metric(&mut self, name: String, unit: Unit, values: Vec<Number>) {
        match self.metrics.iter_mut().find(|metric| metric.name == name) {
            Some(metric) => metric.values.extend(values),
            None => self.metrics.push(Metric { name, unit, values }),
        }
    }

    fn add_dimension_set(&mut self, set: &[(&str, &str)]) {
        let mut names: Vec<String> = Vec::new();
        for (name, value) in set {
            let name = clean::dimension_name(name);
            if names.contains(&name) || names.len() == MAX_DIMENSIONS {
                continue;
            }
            if !self.dimensions.iter().any(|(held, _)| *held == name) {
                self.dimensions
                    .push((name.clone(), clean::dimension_value(value)));
            }
            names.push(name);
        }
        if !self.dimension_sets.contains(&names) {
            self.dimension_sets.push(names);
        }
    }

    /// The metrics of each line: a metric's n-th hundred of values goes with the n-th hundreds of the
    /// others, so no name is twice on a line.
    fn parts(&self) -> Vec<Vec<Piece<'_>>> {
        let rounds = self
            .metrics
            .iter()
            .map(|metric| metric.values.len().div_ceil(MAX_VALUES))
            .max()
            .unwrap_or(0);
        let mut parts = Vec::new();
        for round in 0..rounds {
            let pieces: Vec<Piece> = self
                .metrics
                .iter()
                .filter_map(|metric| {
                    let values = metric.values.chunks(MAX_VALUES).nth(round)?;
                    Some(Piece { metric, values })
                })
                .collect();
            parts.extend(pieces.chunks(MAX_METRICS).map(<[Piece]>::to_vec));
        }
        parts
    }

    fn line(
        &self,
        part: &[Piece],
        properties: &[(String, serde_json::Value)],
        names: &Names,
    ) -> String {
        let mut members = Map::new();
        if !part.is_empty() {
            members.insert("_aws".to_owned(), self.metadata(part, names));
        }
        for ((_, value), name) in self.dimensions.iter().zip(&names.dimensions) {
            members.insert(name.clone(), json!(value));
        }
        for Piece { metric, values } in part {
            members.insert(names.metric(&metric.name), values_json(values));
        }
        for ((_, value), name) in properties.iter().zip(&names.properties) {
            members.insert(name.clone(), value.clone());
        }
        serde_json::Value::Object(members).to_string()
    }

    fn metadata(&self, part: &[Piece], names: &Names) -> serde_json::Value {
        let metrics: Vec<serde_json::Value> = part
            .iter()
            .map(|Piece { metric, .. }| {
                json!({ "Name": names.metric(&metric.name), "Unit": metric.unit.name() })
            })
            .collect();
        json!({
            "Timestamp": self.timestamp_millis,
            "CloudWatchMetrics": [{
                "Namespace": self.namespace,
                "Dimensions": self.dimension_set_names(names),
                "Metrics": metrics,
            }],
        })
    }

    fn dimension_set_names(&self, names: &Names) -> Vec<Vec<String>> {
        if self.dimension_sets.is_empty() {
            return vec![Vec::new()];
        }
        self.dimension_sets
            .iter()
            .map(|set| set.iter().map(|name| self.written(name, names)).collect())
            .collect()
    }

    /// The name under which a dimension is written.
    fn written(&self, dimension: &str, names: &Names) -> String {
        self.dimensions
            .iter()
            .zip(&names.dimensions)
            .find(|((held, _), _)| held == dimension)
            .map(|(_, written)| written.clone())
            .unwrap_or_else(|| dimension.to_owned())
    }

    /// Gives every member a name of its own: metrics first, then dimensions, then properties.
    fn names(&self) -> Names {
        let mut taken: BTreeSet<String> = BTreeSet::from(["_aws".to_owned()]);
        taken.extend(self.metrics.iter().map(|metric| metric.name.clone()));
        let reserved_metric = self
            .metrics
            .iter()
            .any(|metric| metric.name == "_aws")
            .then(|| claim(&mut taken, "_aws", clean::MAX_METRIC_NAME));
        let dimensions = self
            .dimensions
            .iter()
            .map(|(name, _)| claim(&mut taken, name, clean::MAX_DIMENSION_NAME))
            .collect();
        let properties = self
            .properties
            .iter()
            .map(|(name, _)| claim(&mut taken, name, usize::MAX))
            .collect();
        Names {
            reserved_metric,
            dimensions,
            properties,
        }
    }
}

/// A metric, and those of its values that go on one line.
#[derive(Clone, Copy)]
struct Piece<'a> {
    metric: &'a Metric,
    values: &'a [Number],
}

/// The names under which members are written, each in the order of the document's own list.
struct Names {
    /// What a metric of the name `_aws` is called.
    reserved_metric: Option<String>,
    dimensions: Vec<String>,
    properties: Vec<String>,
}

impl Names {
    fn metric(&self, name: &str) -> String {
        match &self.reserved_metric {
            Some(other) if name == "_aws" => other.clone(),
            _ => name.to_owned(),
        }
    }
}

/// Takes the name, or the first free one with `_` appended, within `max_characters`.
fn claim(taken: &mut BTreeSet<String>, name: &str, max_characters: usize) -> String {
    let mut appended = 0;
    loop {
        let mut candidate: String = name
            .chars()
            .take(max_characters.saturating_sub(appended))
            .collect();
        candidate.extend(std::iter::repeat_n('_', appended));
        if taken.insert(candidate.clone()) {
            return candidate;
        }
        appended += 1;
    }
}

fn values_json(values: &[Number]) -> serde_json::Value {
    match values {
        [value] => serde_json::Value::Number(value.clone()),
        values => json!(values),
    }
}

/// The number as CloudWatch takes it, whole ones without a fraction.
fn number(value: f64) -> Option<Number> {
    if !value.is_finite() || value.abs() > 2f64.powi(MAX_EXPONENT) {
        return None;
    }
    if value.fract() == 0.0 && value.abs() <= MAX_WHOLE {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value as Json;
    use std::collections::BTreeMap;

    const TIME: i64 = 1_772_421_120_000;

    fn one_line(document: &Document) -> Json {
        let lines = document.to_json();
        assert_eq!(lines.len(), 1, "{lines:?}");
        serde_json::from_str(&lines[0]).unwrap()
    }

    fn directive(line: &Json) -> &Json {
        &line["_aws"]["CloudWatchMetrics"][0]
    }

    #[test]
    fn a_document_is_one_object_on_one_line() {
        let lines = document("Trailwarden", TIME)
            .metric("Matches", Unit::Count, Value::One(3.0))
            .dimensions(&[("Filter", "root"), ("Region", "eu-west-1")])
            .property("sample", "two\nlines")
            .to_json();
        let expected = concat!(
            r#"{"_aws":{"Timestamp":1772421120000,"CloudWatchMetrics":[{"Namespace":"Trailwarden","#,
            r#""Dimensions":[["Filter","Region"]],"Metrics":[{"Name":"Matches","Unit":"Count"}]}]},"#,
            r#""Filter":"root","Region":"eu-west-1","Matches":3,"sample":"two\nlines"}"#
        );
        assert_eq!(lines, [expected]);
        assert!(!lines[0].contains('\n'));
    }

    #[test]
    fn without_dimensions_the_set_is_the_empty_one() {
        let line = one_line(&document("N", TIME).metric("M", Unit::None, Value::One(1.0)));
        assert_eq!(directive(&line)["Dimensions"], json!([[]]));
    }

    #[test]
    fn metrics_can_be_published_with_and_without_a_dimension() {
        let sets: [&[(&str, &str)]; 3] = [&[], &[("Kind", "crc_mismatch")], &[]];
        let line = one_line(
            &document("N", TIME)
                .metric("Problems", Unit::Count, Value::One(1.0))
                .dimension_sets(&sets),
        );
        assert_eq!(directive(&line)["Dimensions"], json!([[], ["Kind"]]));
        assert_eq!(line["Kind"], "crc_mismatch");
    }

    #[test]
    fn a_set_has_at_most_thirty_dimensions_and_none_twice() {
        let names: Vec<String> = (0..40).map(|n| format!("D{n}")).collect();
        let mut set: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        set.insert(0, ("D0", "first"));
        let line = one_line(
            &document("N", TIME)
                .metric("M", Unit::Count, Value::One(1.0))
                .dimensions(&set),
        );
        let written = directive(&line)["Dimensions"][0].as_array().unwrap();
        assert_eq!(written.len(), 30);
        assert_eq!(line["D0"], "first");
        assert_eq!(line["D30"], Json::Null);
    }

    #[test]
    fn whole_numbers_have_no_fraction_and_fractions_stay() {
        let text = |value| {
            let line = document("N", TIME)
                .metric("M", Unit::None, Value::One(value))
                .to_json()
                .remove(0);
            line.rsplit_once(":").unwrap().1.to_owned()
        };
        assert_eq!(text(5.0), "5}");
        assert_eq!(text(-0.0), "0}");
        assert_eq!(text(-2.5), "-2.5}");
        assert_eq!(text(9_007_199_254_740_992.0), "9007199254740992}");
        let large: f64 = text(1e100).trim_end_matches('}').parse().unwrap();
        assert_eq!(large, 1e100);
    }

    #[test]
    fn values_cloudwatch_does_not_take_are_left_out_and_counted() {
        let values = [f64::NAN, 1.0, f64::INFINITY, -1e300, 2.0];
        let document = document("N", TIME)
            .metric("M", Unit::None, Value::Many(&values))
            .metric("Gone", Unit::None, Value::One(f64::NEG_INFINITY));
        assert_eq!(document.left_out_values(), 4);
        let line = one_line(&document);
        assert_eq!(line["M"], json!([1, 2]));
        assert_eq!(
            directive(&line)["Metrics"],
            json!([{ "Name": "M", "Unit": "None" }])
        );
    }

    #[test]
    fn without_metrics_the_line_is_a_plain_log_event() {
        let line = one_line(
            &document("N", TIME)
                .metric("M", Unit::None, Value::Many(&[]))
                .property("sample", 1),
        );
        assert_eq!(line, json!({ "sample": 1 }));
    }

    #[test]
    fn more_than_a_hundred_values_make_several_lines_and_properties_stand_on_the_first() {
        let values: Vec<f64> = (0..250).map(f64::from).collect();
        let lines: Vec<Json> = document("N", TIME)
            .metric("M", Unit::None, Value::Many(&values))
            .metric("Single", Unit::None, Value::One(7.0))
            .dimensions(&[("D", "v")])
            .property("sample", "x")
            .to_json()
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let counts: Vec<usize> = lines
            .iter()
            .map(|line| line["M"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [100, 100, 50]);
        assert_eq!(lines[0]["Single"], 7);
        assert_eq!(lines[1].get("Single"), None);
        assert_eq!(directive(&lines[1])["Metrics"].as_array().unwrap().len(), 1);
        assert_eq!(lines[0]["sample"], "x");
        assert_eq!(lines[1].get("sample"), None);
        assert!(lines.iter().all(|line| line["D"] == "v"));
    }

    #[test]
    fn more_than_a_hundred_metrics_make_several_lines() {
        let document = (0..201).fold(document("N", TIME), |document, n| {
            document.metric(&format!("M{n}"), Unit::Count, Value::One(1.0))
        });
        let lengths: Vec<usize> = document
            .to_json()
            .iter()
            .map(|line| {
                let line: Json = serde_json::from_str(line).unwrap();
                directive(&line)["Metrics"].as_array().unwrap().len()
            })
            .collect();
        assert_eq!(lengths, [100, 100, 1]);
    }

    #[test]
    fn a_metric_given_twice_has_the_values_of_both() {
        let line = one_line(
            &document("N", TIME)
                .metric("M", Unit::Bytes, Value::One(1.0))
                .metric("M", Unit::Count, Value::One(2.0)),
        );
        assert_eq!(line["M"], json!([1, 2]));
        assert_eq!(
            directive(&line)["Metrics"],
            json!([{ "Name": "M", "Unit": "Bytes" }])
        );
    }

    #[test]
    fn a_metric_keeps_its_name_and_others_make_way() {
        let line = one_line(
            &document("N", TIME)
                .property("Region", "of the property")
                .property("Matches", "a property")
                .property("_aws", "forged")
                .dimensions(&[("Region", "eu-west-1"), ("Matches", "a dimension")])
                .metric("Matches", Unit::Count, Value::One(1.0)),
        );
        assert_eq!(line["Matches"], 1);
        assert_eq!(line["Matches_"], "a dimension");
        assert_eq!(line["Matches__"], "a property");
        assert_eq!(line["Region"], "eu-west-1");
        assert_eq!(line["Region_"], "of the property");
        assert_eq!(line["_aws_"], "forged");
        assert_eq!(
            directive(&line)["Dimensions"],
            json!([["Region", "Matches_"]])
        );
    }

    #[test]
    fn a_metric_cannot_take_the_name_of_the_metadata() {
        let line = one_line(
            &document("N", TIME)
                .metric("_aws", Unit::Count, Value::One(1.0))
                .metric("_aws_", Unit::Count, Value::One(2.0)),
        );
        assert_eq!(line["_aws__"], 1);
        assert_eq!(line["_aws_"], 2);
        assert_eq!(directive(&line)["Metrics"][0]["Name"], "_aws__");
    }

    #[test]
    fn a_property_set_twice_has_its_last_value() {
        let line = one_line(&document("N", TIME).property("p", 1).property("p", 2));
        assert_eq!(line, json!({ "p": 2 }));
    }

    #[test]
    fn a_property_without_a_json_form_says_so() {
        let odd = BTreeMap::from([(vec![1], 2)]);
        let line = one_line(&document("N", TIME).property("odd", odd));
        let text = line["odd"].as_str().unwrap();
        assert!(text.starts_with("no JSON form: "), "{text}");
    }

    #[test]
    fn the_byte_length_is_that_of_the_longest_line() {
        let document = document("N", TIME)
            .metric("M", Unit::None, Value::Many(&[1.5; 150]))
            .property("long", "\u{e9}".repeat(1000));
        let lines = document.to_json();
        assert_eq!(document.byte_length(), lines[0].len());
        assert!(document.byte_length() > 2000);
        assert!(lines[1].len() < lines[0].len());
    }

    /// Names close enough to each other to collide.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ab]_{0,2}",
            Just("_aws".to_owned()),
            ".{0,3}",
            ".{240,300}"
        ]
    }

    proptest! {
        #[test]
        fn every_line_keeps_the_rules_of_the_format(
            namespace in ".{0,300}",
            metrics in prop::collection::vec((name(), prop::collection::vec(any::<f64>(), 0..250)), 0..5),
            dimensions in prop::collection::vec((name(), ".{0,3}"), 0..5),
            properties in prop::collection::vec((name(), ".{0,3}"), 0..5),
        ) {
            let set: Vec<(&str, &str)> = dimensions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mut built = document(&namespace, TIME).dimension_sets(&[&[], &set]);
            for (name, values) in &metrics {
                built = built.metric(name, Unit::Count, Value::Many(values));
            }
            for (name, value) in &properties {
                built = built.property(name, value);
            }
            let mut values_written = 0;
            for line in built.to_json() {
                let line: Json = serde_json::from_str(&line).unwrap();
                if let Some(metadata) = line.get("_aws") {
                    values_written += checked_values(&line, &metadata["CloudWatchMetrics"][0]);
                }
            }
            let given: usize = metrics.iter().map(|(_, values)| values.len()).sum();
            prop_assert_eq!(values_written + built.left_out_values(), given);
        }
    }

    /// Holds a line against the format; how many values it has.
    fn checked_values(line: &Json, directive: &Json) -> usize {
        let text = |json: &Json| json.as_str().unwrap().to_owned();
        assert!((1..=255).contains(&text(&directive["Namespace"]).len()));
        for set in directive["Dimensions"].as_array().unwrap() {
            for name in set.as_array().unwrap() {
                assert!((1..=250).contains(&text(name).len()));
                let value = text(&line[text(name)]);
                assert!(value.is_ascii() && !value.trim().is_empty());
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        metrics
            .iter()
            .map(|metric| {
                let name = text(&metric["Name"]);
                assert!((1..=255).contains(&name.len()) && name.is_ascii());
                match &line[&name] {
                    Json::Array(values) => {
                        assert!((2..=100).contains(&values.len()));
                        assert!(values.iter().all(Json::is_number));
                        values.len()
                    }
                    value => {
                        assert!(value.is_number(), "{name}: {value}");
                        1
                    }
                }
            })
            .sum()
    }
}
