//! DynamoDB for an [`Account`]: the tables of the functions and what is in them.

use serde_json::{Map, Value, json};

use crate::Account;
use crate::account::list_of;

impl Account {
    /// Creates a table with the keys `pk` and `sk` (text), and the index `due` on `due` (text) and
    /// `due_at` (number), which holds keys only. It is billed per request.
    pub async fn create_table(&self, table: &str) {
        let asked = json!({
            "TableName": table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "sk", "AttributeType": "S" },
                { "AttributeName": "due", "AttributeType": "S" },
                { "AttributeName": "due_at", "AttributeType": "N" },
            ],
            "KeySchema": key_schema("pk", "sk"),
            "GlobalSecondaryIndexes": [{
                "IndexName": "due",
                "KeySchema": key_schema("due", "due_at"),
                "Projection": { "ProjectionType": "KEYS_ONLY" },
            }],
        });
        self.json("DynamoDB_20120810.CreateTable", &asked).await;
    }

    /// All items, in DynamoDB's own form (`{"pk": {"S": "..."}}`); see [`plain_item`].
    pub async fn scan_table(&self, table: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let mut asked = json!({ "TableName": table, "ConsistentRead": true });
            if let (Some(asked), Some(key)) = (asked.as_object_mut(), start) {
                asked.insert("ExclusiveStartKey".to_owned(), key);
            }
            let mut answer = self.json("DynamoDB_20120810.Scan", &asked).await;
            items.extend(list_of(&mut answer, "Items"));
            start = answer
                .get_mut("LastEvaluatedKey")
                .map(Value::take)
                .filter(|key| !key.is_null());
            if start.is_none() {
                return items;
            }
        }
    }

    /// Stores an item, in DynamoDB's own form, in place of the one with its key.
    pub async fn put_item(&self, table: &str, item: &Value) {
        self.json(
            "DynamoDB_20120810.PutItem",
            &json!({ "TableName": table, "Item": item }),
        )
        .await;
    }
}

/// An item without DynamoDB's type letters: `{"n": {"N": "1"}}` becomes `{"n": 1}`.
///
/// A number that JSON cannot hold stays text; binary values stay in base64.
pub fn plain_item(item: &Value) -> Value {
    match item {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        other => other.clone(),
    }
}

fn plain(typed: &Value) -> Value {
    let Some((letter, value)) = typed.as_object().and_then(|members| members.iter().next()) else {
        return typed.clone();
    };
    match (letter.as_str(), value) {
        ("NULL", _) => Value::Null,
        ("N", Value::String(number)) => number_or_text(number),
        ("M", members) => plain_item(members),
        ("L", Value::Array(list)) => list.iter().map(plain).collect(),
        ("NS", Value::Array(numbers)) => numbers
            .iter()
            .filter_map(Value::as_str)
            .map(number_or_text)
            .collect(),
        (_, value) => value.clone(),
    }
}

fn number_or_text(number: &str) -> Value {
    serde_json::from_str(number).unwrap_or_else(|_| number.into())
}

fn key_schema(hash: &str, range: &str) -> Value {
    let key = |name: &str, kind: &str| -> Map<String, Value> {
        [
            ("AttributeName".to_owned(), name.into()),
            ("KeyType".to_owned(), kind.into()),
        ]
        .into_iter()
        .collect()
    };
    json!([key(hash, "HASH"), key(range, "RANGE")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_item_has_no_type_letters() {
        let item = json!({
            "pk": { "S": "file#a" }, "n": { "N": "12" }, "gone": { "NULL": true }, "yes": { "BOOL": true },
            "map": { "M": { "inner": { "L": [{ "N": "1.5" }, { "S": "x" }] } } }, "ids": { "NS": ["1", "2"] },
        });
        let expected = json!({
            "pk": "file#a", "n": 12, "gone": null, "yes": true, "map": { "inner": [1.5, "x"] }, "ids": [1, 2],
        });
        assert_eq!(plain_item(&item), expected);
    }
}
