//! The template as CloudFormation gets it: translated from SAM, read, and linted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::evaluation::Evaluation;
use crate::repository;

/// The parameters without a default, with values from AWS's documentation.
pub const REQUIRED: [(&str, &str); 2] = [
    ("AlarmEmail", "security@example.com"),
    ("TrailBucketName", "amzn-s3-demo-bucket"),
];

/// A template in CloudFormation's own language.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    json: Value,
}

impl Template {
    /// `template.yaml` as CloudFormation gets it; translated once.
    ///
    /// # Panics
    /// It does not translate.
    pub fn translated() -> &'static Template {
        static TRANSLATED: OnceLock<Template> = OnceLock::new();
        TRANSLATED.get_or_init(|| translate(&repository().join("template.yaml")))
    }

    /// A template that is given as JSON.
    pub fn of(json: Value) -> Self {
        Template { json }
    }

    /// The JSON.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// A copy in which `value` stands at a JSON pointer, or nothing if it is `None`.
    ///
    /// # Panics
    /// The place to put it in is not there, or there is nothing to remove.
    #[must_use]
    pub fn with(&self, pointer: &str, value: Option<Value>) -> Template {
        let mut json = self.json.clone();
        let (parent, key) = pointer
            .rsplit_once('/')
            .unwrap_or_else(|| panic!("expected a JSON pointer, got `{pointer}`"));
        let parent = json
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("expected something at `{parent}`"));
        match (parent, value) {
            (Value::Object(members), Some(value)) => {
                members.insert(key.to_owned(), value);
            }
            (Value::Object(members), None) => {
                let removed = members.remove(key);
                assert!(removed.is_some(), "expected something at `{pointer}`");
            }
            (Value::Array(elements), Some(value)) if key == "-" => elements.push(value),
            (Value::Array(elements), value) => {
                let index = key.parse::<usize>().ok();
                let index = index.filter(|index| *index < elements.len());
                let index = index.unwrap_or_else(|| panic!("expected something at `{pointer}`"));
                elements.splice(index..=index, value);
            }
            (other, _) => panic!("expected an object or an array, got {other}"),
        }
        Template { json }
    }

    /// A section: `Resources`, `Parameters`; empty if there is none.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&str, &Value)> {
        let members = self.json.get(name).and_then(Value::as_object);
        let members = members.into_iter().flat_map(Map::iter);
        members.map(|(name, value)| (name.as_str(), value))
    }

    /// The resources of a type, by logical id, as they are written.
    pub fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.section("Resources")
            .filter(move |(_, resource)| kind_of(resource) == kind)
    }

    /// One resource.
    pub fn resource(&self, logical_id: &str) -> Option<&Value> {
        self.json.get("Resources")?.get(logical_id)
    }

    /// What CloudFormation makes of it with these parameters and [`REQUIRED`]; of the others the default counts.
    ///
    /// # Panics
    /// There is no such parameter.
    pub fn with_parameters<'p>(
        &self,
        parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Evaluation<'_> {
        Evaluation::new(self, REQUIRED.into_iter().chain(parameters))
    }
}

/// The type of a resource.
pub fn kind_of(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or("")
}

/// A property of a resource.
pub fn property<'r>(resource: &'r Value, name: &str) -> Option<&'r Value> {
    resource.get("Properties")?.get(name)
}

/// Translates a SAM template.
///
/// # Panics
/// It does not translate; what the translator says is in the message.
pub fn translate(template: &Path) -> Template {
    let folder = tempfile::tempdir()
        .unwrap_or_else(|error| panic!("expected to make a temporary folder: {error}"));
    let out = folder.path().join("template.json");
    let output = Command::new(tool("python"))
        .arg(repository().join("tests/deployment/translate.py"))
        .args([template, &out])
        .output()
        .unwrap_or_else(|error| panic!("expected to run the translator: {error}"));
    assert!(
        output.status.success(),
        "expected {} to translate:\n{}",
        template.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read(&out).unwrap_or_default();
    Template::of(
        serde_json::from_slice(&text)
            .unwrap_or_else(|error| panic!("expected the translator to write JSON: {error}")),
    )
}

/// A SAM template as it is written, as JSON: short forms such as `!Ref` in their long form.
///
/// # Panics
/// It is no YAML.
pub fn written(template: &Path) -> Value {
    const READ: &str = "import json, sys; from samtranslator.yaml_helper import yaml_parse; \
                        json.dump(yaml_parse(open(sys.argv[1], encoding='utf-8').read()), sys.stdout)";
    let output = Command::new(tool("python"))
        .args(["-c", READ])
        .arg(template)
        .output()
        .unwrap_or_else(|error| panic!("expected to run Python: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("expected {}: {error}\n{said}", template.display()))
}

/// What the linter finds in templates; `None` if that is nothing at all.
///
/// # Panics
/// It cannot be run.
pub fn lint(templates: &[PathBuf]) -> Option<String> {
    let output = Command::new(tool("cfn-lint"))
        .args(templates)
        .output()
        .unwrap_or_else(|error| panic!("expected to run cfn-lint: {error}"));
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (!output.status.success() || !said.is_empty()).then(|| format!("{}\n{said}", output.status))
}

/// A program of the workspace's virtual environment, which `tests/run.sh` makes.
///
/// # Panics
/// It is not there.
pub fn tool(name: &str) -> PathBuf {
    let path = repository().join(".venv/bin").join(name);
    assert!(
        path.exists(),
        "expected {}; tests/run.sh installs it",
        path.display()
    );
    path
}
