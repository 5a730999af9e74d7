//! What a metric takes from an event that matches: its value and its dimensions.
//!
//! Source: filter pattern rules, section 8, D27 and D28.

use std::borrow::Cow;

use raw_json::{Object, Value, compact_object};

use crate::error::CompileError;
use crate::fields::Fields;
use crate::number::finite;
use crate::pattern::{Kind, Pattern};
use crate::selector::Selector;

const MOST_METRIC_VALUE_CHARS: usize = 100;
const MOST_DIMENSION_CHARS: usize = 255;

/// The value a matching event adds to its metric: a number, or where in the event to find one.
///
/// ```
/// let pattern = filter_pattern::compile("{ $.bytes > 1000 }")?;
/// let value = filter_pattern::MetricValue::parse("$.bytes", &pattern)?;
/// let record = raw_json::Object::parse(br#"{ "bytes": 1534 }"#).unwrap();
/// assert_eq!(value.of(record), Some(1534.0));
/// # Ok::<(), filter_pattern::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    source: String,
    from: MetricSource,
}

#[derive(Debug, Clone, PartialEq)]
enum MetricSource {
    Constant(f64),
    Event(Place),
}

impl MetricValue {
    /// Reads a metric value for a filter with this pattern: a number, `$.selector` for a JSON pattern,
    /// `$name` (or `$1`, `$2` ...) for a space-delimited one.
    ///
    /// # Errors
    /// Anything else, more than 100 characters, or a number that is not finite.
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Self, CompileError> {
        let whole = 0..text.len();
        if text.chars().count() > MOST_METRIC_VALUE_CHARS {
            let expected = format!("at most {MOST_METRIC_VALUE_CHARS} characters");
            return Err(CompileError::new(
                text,
                whole,
                "the metric value is too long",
                expected,
            ));
        }
        let from = match text.starts_with('$') {
            true => MetricSource::Event(Place::parse(text, pattern)?),
            false => MetricSource::Constant(finite(text).ok_or_else(|| {
                let expected = "a number, `$.selector` or `$name`";
                CompileError::new(text, whole, "not a metric value", expected)
            })?),
        };
        Ok(MetricValue {
            source: text.to_owned(),
            from,
        })
    }

    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value of a matching record; `None`, no data point, if the field is missing or neither a
    /// number nor a text that is one, or not finite (D27).
    pub fn of(&self, record: Object<'_>) -> Option<f64> {
        match &self.from {
            MetricSource::Constant(value) => Some(*value),
            MetricSource::Event(place) => finite(&place.text_in(record)?),
        }
    }

    /// [`MetricValue::of`] for a log message.
    pub fn of_message(&self, message: &[u8]) -> Option<f64> {
        match &self.from {
            MetricSource::Constant(value) => Some(*value),
            MetricSource::Event(place) => finite(&place.text_in_message(message)?),
        }
    }
}

/// A dimension of a metric: its name and where in the event its value stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    name: String,
    value: DimensionValue,
}

impl Dimension {
    /// Reads a dimension for a filter with this pattern.
    ///
    /// # Errors
    /// The name is empty or longer than 255 characters, or the value is not one
    /// ([`DimensionValue::parse`]).
    pub fn parse(name: &str, value: &str, pattern: &Pattern) -> Result<Self, CompileError> {
        if !(1..=MOST_DIMENSION_CHARS).contains(&name.chars().count()) {
            let expected = format!("1 to {MOST_DIMENSION_CHARS} characters");
            let message = "the dimension's name is empty or too long";
            return Err(CompileError::new(name, 0..name.len(), message, expected));
        }
        Ok(Dimension {
            name: name.to_owned(),
            value: DimensionValue::parse(value, pattern)?,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its value stands.
    pub fn value(&self) -> &DimensionValue {
        &self.value
    }
}

/// Where in an event the value of a dimension stands.
#[derive(Debug, Clone, PartialEq)]
pub struct DimensionValue {
    source: String,
    place: Place,
}

impl DimensionValue {
    /// Reads `$.selector` for a JSON pattern, `$name` (or `$1`, `$2` ...) for a space-delimited one.
    ///
    /// # Errors
    /// Anything else, and every value for patterns of the other languages.
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Self, CompileError> {
        if !matches!(pattern.kind(), Kind::Json(_) | Kind::Fields(_)) {
            return Err(CompileError::new(
                text,
                0..text.len(),
                "the filter pattern does not support dimensions",
                "a JSON or space-delimited filter pattern",
            ));
        }
        Ok(DimensionValue {
            source: text.to_owned(),
            place: Place::parse(text, pattern)?,
        })
    }

    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value of a matching record; `None`, no data point, if it is missing, empty, null, an array
    /// or an object, or longer than 255 characters (D28).
    pub fn of(&self, record: Object<'_>) -> Option<String> {
        dimension_text(self.place.text_in(record)?)
    }

    /// [`DimensionValue::of`] for a log message.
    pub fn of_message(&self, message: &[u8]) -> Option<String> {
        dimension_text(self.place.text_in_message(message)?)
    }
}

fn dimension_text(text: Cow<'_, str>) -> Option<String> {
    let fits = !text.is_empty() && text.chars().nth(MOST_DIMENSION_CHARS).is_none();
    fits.then(|| text.into_owned())
}

/// A place in the events of one pattern.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Selector(Selector),
    /// Without the `$`.
    Field {
        fields: Fields,
        name: String,
    },
}

impl Place {
    fn parse(text: &str, pattern: &Pattern) -> Result<Self, CompileError> {
        let whole = 0..text.len();
        let fault = |message: &str, expected: String| {
            Err(CompileError::new(text, whole.clone(), message, expected))
        };
        match pattern.kind() {
            Kind::Json(_) => Selector::parse(text).map(Place::Selector),
            Kind::Fields(fields) => match text.strip_prefix('$') {
                Some(name) if fields.names(name) => Ok(Place::Field {
                    fields: fields.clone(),
                    name: name.to_owned(),
                }),
                _ => fault("no field of the filter pattern", field_names(fields)),
            },
            _ => fault(
                "the filter pattern has no fields",
                "a number, since only JSON and space-delimited patterns name fields".to_owned(),
            ),
        }
    }

    fn text_in<'a>(&self, record: Object<'a>) -> Option<Cow<'a, str>> {
        match self {
            Place::Selector(selector) => match selector.first(record)? {
                value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
                    Some(value.to_text())
                }
                _ => None,
            },
            Place::Field { fields, name } => {
                let message = compact_object(record);
                let text = fields.text_of(name, &message)?;
                Some(Cow::Owned(text.to_owned()))
            }
        }
    }

    fn text_in_message<'a>(&self, message: &'a [u8]) -> Option<Cow<'a, str>> {
        match self {
            Place::Selector(_) => self.text_in(Object::parse(message).ok()?),
            Place::Field { fields, name } => match String::from_utf8_lossy(message) {
                Cow::Borrowed(message) => fields.text_of(name, message).map(Cow::Borrowed),
                Cow::Owned(message) => {
                    let text = fields.text_of(name, &message)?;
                    Some(Cow::Owned(text.to_owned()))
                }
            },
        }
    }
}

fn field_names(fields: &Fields) -> String {
    let names: Vec<_> = fields
        .fields
        .iter()
        .filter_map(|field| Some(format!("`${}`", field.name.as_ref()?)))
        .collect();
    match names.is_empty() {
        true => "`$1`, `$2` ... for unnamed fields".to_owned(),
        false => format!("one of: {}", names.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;

    fn value(text: &str, pattern: &str) -> Result<MetricValue, CompileError> {
        MetricValue::parse(text, &compile(pattern).expect(pattern))
    }

    fn dimension(text: &str, pattern: &str) -> Result<DimensionValue, CompileError> {
        DimensionValue::parse(text, &compile(pattern).expect(pattern))
    }

    #[test]
    fn a_constant_is_the_value_of_every_event() {
        for pattern in ["", "ERROR", "%x%", "[a]", "{ $.a = 1 }"] {
            let value = value("-1.5e1", pattern).expect(pattern);
            assert_eq!(value.of_message(b"anything"), Some(-15.0));
        }
    }

    #[test]
    fn a_selected_number_or_text_that_is_one_is_the_value() {
        let value = value("$.v", "{ $.v = * }").expect("a value");
        for (event, expected) in [
            (r#"{"v":1.5}"#, Some(1.5)),
            (r#"{"v":"+2"}"#, Some(2.0)),
            (r#"{"v":"two"}"#, None),
            (r#"{"v":" 2"}"#, None),
            (r#"{"v":"inf"}"#, None),
            (r#"{"v":1e999}"#, None),
            (r#"{"v":true}"#, None),
            (r#"{"v":null}"#, None),
            (r#"{"v":[1]}"#, None),
            (r#"{}"#, None),
            ("no JSON", None),
        ] {
            assert_eq!(value.of_message(event.as_bytes()), expected, "{event}");
        }
    }

    #[test]
    fn a_token_is_the_value_by_name_or_number() {
        let pattern = "[ip, , bytes > 0]";
        let message = b"192.0.2.1 7 1534";
        assert_eq!(
            value("$bytes", pattern).expect("bytes").of_message(message),
            Some(1534.0)
        );
        assert_eq!(
            value("$2", pattern).expect("2").of_message(message),
            Some(7.0)
        );
        assert_eq!(value("$ip", pattern).expect("ip").of_message(message), None);
    }

    #[test]
    fn of_two_tokens_by_one_name_the_first_one_counts() {
        for (text, pattern, message, expected) in [
            ("$2", "[2, , x]", "7 8 9", 7.0),
            ("$a", "[a, a]", "7 8", 7.0),
            ("$2", "[..., 2]", "7 8 9", 8.0),
        ] {
            let metric = value(text, pattern).expect(pattern);
            assert_eq!(metric.of_message(message.as_bytes()), Some(expected));
            let dimension = dimension(text, pattern).expect(pattern);
            let shown = dimension.of_message(message.as_bytes());
            assert_eq!(shown, Some(expected.to_string()), "{pattern}");
        }
    }

    #[test]
    fn a_record_is_its_compact_text_to_a_space_delimited_pattern() {
        let pattern = compile("[..., last]").expect("a pattern");
        let value = DimensionValue::parse("$last", &pattern).expect("a value");
        let record = Object::parse(br#"{ "a" : "x y" }"#).expect("a record");
        assert_eq!(value.of(record).as_deref(), Some("y\"}"));
    }

    #[test]
    fn what_is_no_metric_value_is_refused() {
        for (text, pattern) in [
            ("", "ERROR"),
            ("one", "ERROR"),
            (" 1", "ERROR"),
            ("1e999", "ERROR"),
            ("$.v", "ERROR"),
            ("$v", "%x%"),
            ("$.v", "[v]"),
            ("$w", "[v]"),
            ("$1", "[v]"),
            ("$v", "{ $.v = 1 }"),
            ("$.v.", "{ $.v = 1 }"),
            (&format!("1{}", "0".repeat(100)), "ERROR"),
        ] {
            assert!(value(text, pattern).is_err(), "{text} {pattern}");
        }
        assert!(value(&format!("$.{}", "v".repeat(98)), "{ $.v = 1 }").is_ok());
    }

    #[test]
    fn only_json_and_space_delimited_patterns_support_dimensions() {
        for pattern in ["", "ERROR", "%x%"] {
            let error = dimension("$.v", pattern).expect_err(pattern);
            assert_eq!(
                error.message(),
                "the filter pattern does not support dimensions"
            );
        }
        assert!(dimension("v", "{ $.v = 1 }").is_err());
        assert!(dimension("12", "[v]").is_err());
    }

    #[test]
    fn a_dimension_is_a_scalar_of_at_most_255_characters() {
        let value = dimension("$.v", "{ $.v = * }").expect("a value");
        let of = |event: &str| value.of_message(event.as_bytes());
        assert_eq!(of(r#"{"v":"us-east-1"}"#).as_deref(), Some("us-east-1"));
        assert_eq!(of(r#"{"v":12.0}"#).as_deref(), Some("12.0"));
        assert_eq!(of(r#"{"v":true}"#).as_deref(), Some("true"));
        let longest = "é".repeat(255);
        assert_eq!(
            of(&format!(r#"{{"v":"{longest}"}}"#)),
            Some(longest.clone())
        );
        assert_eq!(of(&format!(r#"{{"v":"{longest}x"}}"#)), None);
        for event in [r#"{"v":""}"#, r#"{"v":null}"#, r#"{"v":[1]}"#, "{}"] {
            assert_eq!(of(event), None, "{event}");
        }
    }

    #[test]
    fn a_dimension_has_a_name() {
        let pattern = compile("{ $.v = * }").expect("a pattern");
        assert_eq!(
            Dimension::parse("Region", "$.awsRegion", &pattern)
                .expect("one")
                .name(),
            "Region"
        );
        assert!(Dimension::parse("", "$.awsRegion", &pattern).is_err());
    }
}
