//! What CloudFormation makes of a template with given parameters: conditions and intrinsic functions.
//!
//! What a resource is called is known only when it is made. So `Ref` and `Fn::GetAtt` of a resource become
//! the text that `Fn::Sub` would have for them: `${Table}`, `${Table.Arn}`. A reference to a resource that
//! these parameters do not make is a fault of the template, and a panic.
//!
//! Source: CloudFormation Template Reference, "Intrinsic functions", "Pseudo parameters". Out of scope:
//! functions the template does not use, which are a panic too.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::template::{Template, kind_of};

/// Pseudo parameters: a stack in AWS's documentation.
const PSEUDO_PARAMETERS: [(&str, &str); 5] = [
    ("AWS::AccountId", "111122223333"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "us-east-1"),
    ("AWS::StackName", "trailwarden"),
    ("AWS::URLSuffix", "amazonaws.com"),
];

/// A template with parameters.
#[derive(Debug, Clone)]
pub struct Evaluation<'t> {
    template: &'t Template,
    parameters: BTreeMap<String, String>,
}

impl<'t> Evaluation<'t> {
    pub(crate) fn new<'p>(
        template: &'t Template,
        given: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Self {
        let defaults = template.section("Parameters").map(|(name, parameter)| {
            let default = parameter.get("Default").map(plain_text);
            (name.to_owned(), default)
        });
        let mut parameters: BTreeMap<String, Option<String>> = defaults.collect();
        for (name, value) in given {
            let parameter = parameters.get_mut(name);
            let parameter = parameter.unwrap_or_else(|| panic!("there is no parameter `{name}`"));
            *parameter = Some(value.to_owned());
        }
        let parameters = parameters.into_iter().map(|(name, value)| {
            let value = value.unwrap_or_else(|| panic!("expected a value for `{name}`"));
            (name, value)
        });
        Evaluation {
            template,
            parameters: parameters.collect(),
        }
    }

    /// The template.
    pub fn template(&self) -> &'t Template {
        self.template
    }

    /// The value of a parameter.
    ///
    /// # Panics
    /// There is no such parameter.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters
            .get(name)
            .unwrap_or_else(|| panic!("there is no parameter `{name}`"))
    }

    /// Whether a condition holds.
    ///
    /// # Panics
    /// There is no such condition.
    pub fn holds(&self, condition: &str) -> bool {
        let written = self
            .template
            .json()
            .get("Conditions")
            .and_then(|conditions| conditions.get(condition))
            .unwrap_or_else(|| panic!("there is no condition `{condition}`"));
        self.truth(written)
    }

    /// Whether a resource is made.
    ///
    /// # Panics
    /// There is no such resource in the template.
    pub fn makes(&self, logical_id: &str) -> bool {
        let resource = self.template.resource(logical_id);
        let resource = resource.unwrap_or_else(|| panic!("there is no resource `{logical_id}`"));
        let condition = resource.get("Condition").and_then(Value::as_str);
        condition.is_none_or(|condition| self.holds(condition))
    }

    /// A resource as it is made.
    pub fn resource(&self, logical_id: &str) -> Option<Value> {
        let resource = self.template.resource(logical_id)?;
        self.makes(logical_id).then(|| self.made(resource))
    }

    /// The resources of a type that are made, as they are made.
    pub fn resources(&self, kind: &str) -> Vec<(&'t str, Value)> {
        let all = self.all_resources().into_iter();
        all.filter(|(_, resource)| kind_of(resource) == kind)
            .collect()
    }

    /// All resources that are made.
    pub fn all_resources(&self) -> Vec<(&'t str, Value)> {
        let made = self.template.section("Resources");
        made.filter(|(logical_id, _)| self.makes(logical_id))
            .map(|(logical_id, resource)| (logical_id, self.made(resource)))
            .collect()
    }

    fn made(&self, resource: &Value) -> Value {
        let members = resource.as_object().into_iter().flatten();
        let members = members.filter_map(|(name, value)| match name.as_str() {
            "Properties" => Some((name.clone(), self.value(value)?)),
            _ => Some((name.clone(), value.clone())),
        });
        Value::Object(members.collect())
    }

    /// A value with its functions carried out; `None` for `AWS::NoValue`.
    ///
    /// # Panics
    /// It cannot be: an unknown function, or a name that does not exist or is not made.
    pub fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(members) => match single(members) {
                Some(("Ref", name)) => self.reference(&plain_text(name)).map(Value::String),
                Some((function, argument)) if function.starts_with("Fn::") => {
                    self.function(function, argument)
                }
                _ => {
                    let members = members.iter();
                    let members = members
                        .filter_map(|(name, value)| Some((name.clone(), self.value(value)?)));
                    Some(Value::Object(members.collect()))
                }
            },
            Value::Array(elements) => {
                let elements = elements.iter().filter_map(|value| self.value(value));
                Some(Value::Array(elements.collect()))
            }
            plain => Some(plain.clone()),
        }
    }

    fn function(&self, function: &str, argument: &Value) -> Option<Value> {
        match (function, argument.as_array().map(Vec::as_slice)) {
            ("Fn::If", Some([condition, then, otherwise])) => {
                match self.holds(&plain_text(condition)) {
                    true => self.value(then),
                    false => self.value(otherwise),
                }
            }
            ("Fn::GetAtt", _) => Some(Value::String(self.attribute(argument))),
            ("Fn::Sub", Some([text, variables])) => {
                Some(self.substitute(&plain_text(text), variables).into())
            }
            ("Fn::Sub", None) => Some(self.substitute(&plain_text(argument), &Value::Null).into()),
            ("Fn::Join", Some([separator, parts])) => {
                Some(self.list(parts).join(&plain_text(separator)).into())
            }
            ("Fn::Split", Some([separator, text])) => {
                let (separator, text) = (plain_text(separator), self.text(text));
                let parts = text.split(&separator).map(Value::from);
                Some(Value::Array(parts.collect()))
            }
            ("Fn::Select", Some([index, list])) => {
                let index: usize = plain_text(index).parse().unwrap_or(usize::MAX);
                let mut list = self.list(list).into_iter();
                let selected = list.nth(index);
                let selected = selected.unwrap_or_else(|| panic!("cannot select {argument}"));
                Some(selected.into())
            }
            ("Fn::FindInMap", Some([map, first, second])) => {
                let mut found = self.template.json().get("Mappings");
                for key in [map, first, second] {
                    let key = self.text(key);
                    found = found.and_then(|within| within.get(&key));
                }
                let found = found.unwrap_or_else(|| panic!("cannot find in a map: {argument}"));
                Some(found.clone())
            }
            _ => panic!("expected a known function, got {function} of {argument}"),
        }
    }

    fn truth(&self, condition: &Value) -> bool {
        let members = condition.as_object();
        let (function, argument) = members
            .and_then(single)
            .unwrap_or_else(|| panic!("expected a condition, got {condition}"));
        let all = || argument.as_array().into_iter().flatten();
        match (function, argument.as_array().map(Vec::as_slice)) {
            ("Condition", None) => self.holds(&plain_text(argument)),
            ("Fn::Equals", Some([left, right])) => self.text(left) == self.text(right),
            ("Fn::Not", Some([one])) => !self.truth(one),
            // All of them, so that what cannot be judged is found.
            ("Fn::And", Some(_)) => all().filter(|one| !self.truth(one)).count() == 0,
            ("Fn::Or", Some(_)) => all().filter(|one| self.truth(one)).count() > 0,
            _ => panic!("expected a condition, got {condition}"),
        }
    }

    fn reference(&self, name: &str) -> Option<String> {
        if name == "AWS::NoValue" {
            return None;
        }
        let pseudo = PSEUDO_PARAMETERS.iter().find(|(known, _)| *known == name);
        if let Some((_, value)) = pseudo {
            return Some((*value).to_owned());
        }
        if let Some(value) = self.parameters.get(name) {
            return Some(value.clone());
        }
        assert!(
            self.makes(name),
            "`{name}` is referred to and not made with {:?}",
            self.parameters
        );
        Some(format!("${{{name}}}"))
    }

    fn attribute(&self, argument: &Value) -> String {
        let path = match argument.as_array() {
            Some(parts) => parts.iter().map(plain_text).collect::<Vec<_>>().join("."),
            None => plain_text(argument),
        };
        let logical_id = path.split('.').next().unwrap_or("");
        // For the check that it is made.
        self.reference(logical_id);
        format!("${{{path}}}")
    }

    fn substitute(&self, text: &str, variables: &Value) -> String {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .unwrap_or_else(|| panic!("expected `}}` in `{text}`"));
            done.push_str(before);
            match (name.strip_prefix('!'), variables.get(name)) {
                (Some(literal), _) => done.push_str(&format!("${{{literal}}}")),
                (None, Some(variable)) => done.push_str(&self.text(variable)),
                (None, None) if name.contains('.') => done.push_str(&self.attribute(&name.into())),
                (None, None) => done.push_str(&self.reference(name).unwrap_or_default()),
            }
            rest = after;
        }
        done + rest
    }

    fn list(&self, value: &Value) -> Vec<String> {
        let list = self.value(value);
        let list = list.as_ref().and_then(Value::as_array);
        let list = list.unwrap_or_else(|| panic!("expected a list, got {value}"));
        list.iter().map(plain_text).collect()
    }

    fn text(&self, value: &Value) -> String {
        self.value(value).as_ref().map_or_else(
            || panic!("expected a text, got no value of {value}"),
            plain_text,
        )
    }
}

/// The one member of an object with one.
fn single(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = members.iter();
    match (all.next(), all.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

/// A text, number or truth value as CloudFormation compares them: as text.
fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => panic!("expected a text or a number, got {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Template {
        Template::of(json!({
            "Parameters": { "Color": { "Default": "red" }, "Size": { "Default": 2 } },
            "Mappings": { "Wave": { "red": { "Length": "700" }, "blue": { "Length": "450" } } },
            "Conditions": {
                "IsRed": { "Fn::Equals": [{ "Ref": "Color" }, "red"] },
                "IsTwo": { "Fn::Equals": [{ "Ref": "Size" }, 2] },
                "IsBoth": { "Fn::And": [{ "Condition": "IsRed" }, { "Condition": "IsTwo" }] },
                "IsNeither": { "Fn::Not": [{ "Fn::Or": [{ "Condition": "IsRed" }, { "Condition": "IsTwo" }] }] },
            },
            "Resources": {
                "Always": { "Type": "A", "Properties": { "Name": { "Ref": "Color" } } },
                "Sometimes": { "Type": "B", "Condition": "IsRed" },
            },
        }))
    }

    fn evaluate(color: &str, size: &str, value: Value) -> Option<Value> {
        let template = template();
        let parameters = [("Color", color), ("Size", size)];
        Evaluation::new(&template, parameters).value(&value)
    }

    #[test]
    fn conditions_are_judged_by_the_parameters() {
        let template = template();
        let holds = |color, size| {
            let evaluation = Evaluation::new(&template, [("Color", color), ("Size", size)]);
            [evaluation.holds("IsBoth"), evaluation.holds("IsNeither")]
        };
        assert_eq!(holds("red", "2"), [true, false]);
        assert_eq!(holds("red", "3"), [false, false]);
        assert_eq!(holds("blue", "3"), [false, true]);
    }

    #[test]
    fn functions_are_carried_out() {
        let length = json!({ "Fn::FindInMap": ["Wave", { "Ref": "Color" }, "Length"] });
        assert_eq!(evaluate("blue", "2", length), Some(json!("450")));
        let joined = json!({ "Fn::Join": ["+", { "Fn::Split": ["e", { "Ref": "Color" }] }] });
        assert_eq!(evaluate("red", "2", joined), Some(json!("r+d")));
        let selected = json!({ "Fn::Select": [1, { "Fn::Split": ["e", "red"] }] });
        assert_eq!(evaluate("red", "2", selected), Some(json!("d")));
        let text = json!({ "Fn::Sub": ["${Always.Arn}/${Always}/${X}/${!Y}/${AWS::Region}", { "X": { "Ref": "Size" } }] });
        let expected = json!("${Always.Arn}/${Always}/2/${Y}/us-east-1");
        assert_eq!(evaluate("red", "2", text), Some(expected));
    }

    #[test]
    fn no_value_leaves_no_trace() {
        let one = json!({ "Fn::If": ["IsRed", 1, { "Ref": "AWS::NoValue" }] });
        let value = json!({ "list": [one, 2], "member": one });
        assert_eq!(
            evaluate("red", "2", value.clone()),
            Some(json!({ "list": [1, 2], "member": 1 }))
        );
        assert_eq!(evaluate("blue", "2", value), Some(json!({ "list": [2] })));
    }

    #[test]
    fn a_resource_is_made_if_its_condition_holds() {
        let template = template();
        let evaluation = Evaluation::new(&template, [("Color", "blue")]);
        let made: Vec<_> = evaluation.all_resources();
        let always = json!({ "Type": "A", "Properties": { "Name": "blue" } });
        assert_eq!(made, [("Always", always)]);
    }

    #[test]
    #[should_panic(expected = "`Sometimes` is referred to and not made")]
    fn a_reference_to_what_is_not_made_is_a_fault() {
        evaluate("blue", "2", json!({ "Ref": "Sometimes" }));
    }

    #[test]
    #[should_panic(expected = "expected a known function")]
    fn an_unknown_function_is_a_fault() {
        evaluate("red", "2", json!({ "Fn::Base64": "x" }));
    }
}
