//! What the emulator of AWS cannot take of the template, edit by edit, with reasons.
//!
//! The edits are in `emulator.json`; nothing else differs from what is deployed to AWS. Each must
//! find what it changes, so that the list is not longer than it has to be.

use serde_json::{Map, Value};

/// One edit of the translated template.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Why it is needed.
    pub reason: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// What is at the pointer goes.
    Remove(String),
    /// A member that is not there comes.
    Add(Place),
    /// A member that is there gets another value.
    Replace(Place),
    /// What is at the pointer becomes the number that it comes to.
    Number(String),
}

#[derive(Clone, Debug, PartialEq)]
struct Place {
    at: String,
    value: Value,
}

/// Why the edits do not fit the template.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Not a list of edits.
    #[error("the list of edits is no JSON")]
    Json(#[from] serde_json::Error),
    /// Not one change with a reason.
    #[error(
        "expected `reason`, and `remove` or `number`, or `add` or `replace` with `at` and `value`, got {found}"
    )]
    Form {
        /// What stands there.
        found: Value,
    },
    /// There is nothing to remove or to replace, or no place for what is to be added, or it is there already, or what
    /// is to become a number is one, or comes to none.
    #[error(
        "nothing to change at `{pointer}`: drop the edit whose reason is `{reason}`, or mend it"
    )]
    Idle {
        /// Where it looked.
        pointer: String,
        /// The edit's reason.
        reason: String,
    },
}

/// Reads a list of edits; a value that is one of the names, such as `{endpoint}`, becomes what stands beside it.
///
/// # Errors
///
/// The list is malformed.
pub fn edits(list: &str, values: &[(&str, &str)]) -> Result<Vec<Edit>, EditError> {
    let list: Vec<Value> = serde_json::from_str(list)?;
    list.into_iter().map(|edit| read(edit, values)).collect()
}

/// Applies every edit, in order. `evaluated` says what a value of the template comes to.
///
/// # Errors
///
/// One finds nothing to change.
pub fn adapt(
    template: &mut Value,
    edits: &[Edit],
    evaluated: impl Fn(&Value) -> Option<Value>,
) -> Result<(), EditError> {
    for edit in edits {
        let (pointer, applied) = match &edit.change {
            Change::Remove(pointer) => (pointer, remove(template, pointer)),
            Change::Add(place) => (&place.at, add(template, place)),
            Change::Replace(place) => (&place.at, replace(template, place)),
            Change::Number(pointer) => (pointer, make_number(template, pointer, &evaluated)),
        };
        applied.ok_or_else(|| EditError::Idle {
            pointer: pointer.clone(),
            reason: edit.reason.clone(),
        })?;
    }
    Ok(())
}

fn read(found: Value, values: &[(&str, &str)]) -> Result<Edit, EditError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let place = |value: &Value| {
        let at = text(value.get("at")?)?;
        let value = value.get("value")?;
        let known = values.iter().find(|(name, _)| value == name);
        let value = known.map_or_else(|| value.clone(), |(_, known)| (*known).into());
        Some(Place { at, value })
    };
    let change = match ["remove", "add", "replace", "number"].map(|name| found.get(name)) {
        [Some(pointer), None, None, None] => text(pointer).map(Change::Remove),
        [None, Some(added), None, None] => place(added).map(Change::Add),
        [None, None, Some(replaced), None] => place(replaced).map(Change::Replace),
        [None, None, None, Some(pointer)] => text(pointer).map(Change::Number),
        _ => None,
    };
    let reason = found.get("reason").and_then(text);
    match (reason.filter(|reason| !reason.is_empty()), change) {
        (Some(reason), Some(change)) => Ok(Edit { reason, change }),
        _ => Err(EditError::Form { found }),
    }
}

fn remove(template: &mut Value, pointer: &str) -> Option<()> {
    let (members, name) = parent(template, pointer)?;
    members.remove(name).map(|_| ())
}

fn add(template: &mut Value, Place { at, value }: &Place) -> Option<()> {
    let (members, name) = parent(template, at)?;
    let is_there = members.contains_key(name);
    (!is_there).then(|| {
        members.insert(name.to_owned(), value.clone());
    })
}

fn replace(template: &mut Value, Place { at, value }: &Place) -> Option<()> {
    let (members, name) = parent(template, at)?;
    let member = members.get_mut(name)?;
    (member != value).then(|| *member = value.clone())
}

fn make_number(
    template: &mut Value,
    pointer: &str,
    evaluated: impl Fn(&Value) -> Option<Value>,
) -> Option<()> {
    let value = template.pointer_mut(pointer)?;
    if value.is_number() {
        return None;
    }
    // The value of a parameter is a text.
    let number: u64 = evaluated(value)?.as_str()?.parse().ok()?;
    *value = number.into();
    Some(())
}

/// The object that the last name of a pointer is looked up in, and that name.
fn parent<'t, 'p>(
    template: &'t mut Value,
    pointer: &'p str,
) -> Option<(&'t mut Map<String, Value>, &'p str)> {
    let (parent, name) = pointer.rsplit_once('/')?;
    Some((template.pointer_mut(parent)?.as_object_mut()?, name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn adapted(list: Value) -> Result<Value, EditError> {
        let mut template = json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } });
        let edits = edits(&list.to_string(), &[("{endpoint}", "http://127.0.0.1:1")])?;
        let evaluated = |value: &Value| (*value == json!({ "Ref": "Count" })).then(|| "7".into());
        adapt(&mut template, &edits, evaluated).map(|()| template)
    }

    #[test]
    fn edits_remove_add_replace_and_make_numbers() {
        let list = json!([
            { "reason": "r", "remove": "/Resources/Queue/Type" },
            { "reason": "r", "add": { "at": "/Resources/Queue/Endpoint", "value": "to come" } },
            { "reason": "r", "replace": { "at": "/Resources/Queue/Endpoint", "value": "{endpoint}" } },
            { "reason": "r", "add": { "at": "/Resources/Queue/Count", "value": { "Ref": "Count" } } },
            { "reason": "r", "number": "/Resources/Queue/Count" },
        ]);
        let queue = json!({ "Endpoint": "http://127.0.0.1:1", "Count": 7 });
        let expected = json!({ "Resources": { "Queue": queue } });
        assert_eq!(adapted(list).unwrap(), expected);
    }

    #[test]
    fn an_edit_without_effect_is_an_error() {
        for change in [
            json!({ "reason": "r", "remove": "/Resources/Topic" }),
            json!({ "reason": "r", "add": { "at": "/Resources/Topic/Type", "value": 1 } }),
            json!({ "reason": "r", "add": { "at": "/Resources/Queue/Type", "value": 1 } }),
            json!({ "reason": "r", "replace": { "at": "/Resources/Queue/Other", "value": 1 } }),
            json!({ "reason": "r", "replace": { "at": "/Resources/Queue/Type", "value": "AWS::SQS::Queue" } }),
            json!({ "reason": "r", "number": "/Resources/Queue/Other" }),
            json!({ "reason": "r", "number": "/Resources/Queue/Type" }),
        ] {
            let error = adapted(json!([change])).unwrap_err();
            assert!(matches!(error, EditError::Idle { .. }), "{error}");
        }
    }

    #[test]
    fn an_edit_says_why() {
        for edit in [
            json!({ "remove": "/Resources/Queue" }),
            json!({ "reason": "", "remove": "/Resources/Queue" }),
            json!({ "reason": "r" }),
            json!({ "reason": "r", "remove": 1 }),
            json!({ "reason": "r", "remove": "/a", "number": "/b" }),
            json!({ "reason": "r", "remove": "/a", "add": { "at": "/b", "value": 1 } }),
        ] {
            let error = adapted(json!([edit])).unwrap_err();
            assert!(matches!(error, EditError::Form { .. }), "{error}");
        }
    }
}
