//! Message attributes, which filter policies of subscriptions look at.

use crate::machine::FINDING;
use crate::told::Told;

/// Longest value, in characters.
const VALUE_CHARACTERS: usize = 256;

pub(crate) fn of_incident(told: &Told<'_>) -> Vec<(String, String)> {
    let step = told.incident.step.to_string();
    listed([
        ("filter", Some(told.name.as_str())),
        ("severity", Some(told.severity.as_str())),
        ("account", told.account()),
        ("region", told.region()),
        ("incident", Some(told.id.as_str())),
        ("step", Some(step.as_str())),
        ("type", told.guide.as_ref().map(|_| FINDING)),
    ])
}

/// Those that have a value.
pub(crate) fn listed<'v>(
    attributes: impl IntoIterator<Item = (&'v str, Option<&'v str>)>,
) -> Vec<(String, String)> {
    let value = |value: &str| -> String { value.chars().take(VALUE_CHARACTERS).collect() };
    attributes
        .into_iter()
        .filter_map(|(name, text)| Some((name.into(), value(text?.trim()))))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}
