//! Items as DynamoDB has them.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use ports::{Body, Item, ItemKey};

use crate::table;

/// An item's attributes.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// Why attributes are not an item of ours: someone else wrote to the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("item `{partition}`, `{sort}`: attribute `{attribute}` is {found}, expected {expected}")]
pub(crate) struct NotAnItem {
    partition: String,
    sort: String,
    attribute: &'static str,
    found: &'static str,
    expected: &'static str,
}

/// The attributes of a key.
pub(crate) fn key_attributes(key: &ItemKey) -> Attributes {
    HashMap::from([
        (table::PARTITION_KEY.to_owned(), text(&key.partition)),
        (table::SORT_KEY.to_owned(), text(&key.sort)),
    ])
}

/// The attributes of an item.
pub(crate) fn item_attributes(item: &Item) -> Attributes {
    let body = match &item.body {
        Body::Text(body) => text(body),
        Body::Bytes(body) => AttributeValue::B(Blob::new(body.as_slice())),
    };
    let mut attributes = key_attributes(&item.key);
    attributes.insert(table::VERSION.to_owned(), number(item.version));
    attributes.insert(table::BODY.to_owned(), body);
    attributes.insert(table::EXPIRES.to_owned(), number(item.expires_at));
    if let Some(due_at) = item.due_at {
        attributes.insert(table::DUE.to_owned(), text(table::DUE_VALUE));
        attributes.insert(table::DUE_AT.to_owned(), number(due_at));
    }
    attributes
}

/// The item that has these attributes.
pub(crate) fn item(mut attributes: Attributes) -> Result<Item, NotAnItem> {
    let body = attributes.remove(table::BODY);
    let reader = Reader(&attributes);
    Ok(Item {
        key: key(&attributes)?,
        version: reader.number(table::VERSION)?,
        body: match body {
            Some(AttributeValue::S(body)) => Body::Text(body),
            Some(AttributeValue::B(body)) => Body::Bytes(body.into_inner()),
            other => return Err(reader.fault(table::BODY, other.as_ref(), "text or bytes")),
        },
        due_at: match attributes.contains_key(table::DUE_AT) {
            true => Some(reader.number(table::DUE_AT)?),
            false => None,
        },
        expires_at: reader.number(table::EXPIRES)?,
    })
}

/// The key in attributes.
pub(crate) fn key(attributes: &Attributes) -> Result<ItemKey, NotAnItem> {
    let reader = Reader(attributes);
    Ok(ItemKey {
        partition: reader.text(table::PARTITION_KEY)?.to_owned(),
        sort: reader.text(table::SORT_KEY)?.to_owned(),
    })
}

/// When an item is due.
pub(crate) fn due_at(attributes: &Attributes) -> Result<i64, NotAnItem> {
    Reader(attributes).number(table::DUE_AT)
}

/// Text as an attribute.
pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A number as an attribute.
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

struct Reader<'a>(&'a Attributes);

impl<'a> Reader<'a> {
    fn text(&self, attribute: &'static str) -> Result<&'a str, NotAnItem> {
        match self.0.get(attribute) {
            Some(AttributeValue::S(text)) => Ok(text),
            other => Err(self.fault(attribute, other, "text")),
        }
    }

    fn number<N: std::str::FromStr>(&self, attribute: &'static str) -> Result<N, NotAnItem> {
        let value = self.0.get(attribute);
        match value {
            Some(AttributeValue::N(number)) => number.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.fault(attribute, value, "a whole number in range"))
    }

    fn fault(
        &self,
        attribute: &'static str,
        found: Option<&AttributeValue>,
        expected: &'static str,
    ) -> NotAnItem {
        let told = |name| match self.0.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => String::new(),
        };
        NotAnItem {
            partition: told(table::PARTITION_KEY),
            sort: told(table::SORT_KEY),
            attribute,
            found: found.map_or("missing", type_name),
            expected,
        }
    }
}

fn type_name(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "text",
        AttributeValue::B(_) => "bytes",
        AttributeValue::N(_) => "another number",
        _ => "of another type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(body: Body, due_at: Option<i64>) -> Item {
        Item {
            key: ItemKey {
                partition: "alarm".to_owned(),
                sort: "head".to_owned(),
            },
            version: u64::MAX,
            body,
            due_at,
            expires_at: -1,
        }
    }

    #[test]
    fn an_item_comes_back_as_it_was_written() {
        for body in [
            Body::Text("{}".to_owned()),
            Body::Text(String::new()),
            Body::Bytes(vec![0, 255]),
        ] {
            for due_at in [None, Some(i64::MAX)] {
                let written = example(body.clone(), due_at);
                assert_eq!(item(item_attributes(&written)), Ok(written));
            }
        }
    }

    #[test]
    fn only_an_item_that_is_due_is_in_the_index() {
        let body = Body::Text("{}".to_owned());
        assert!(!item_attributes(&example(body.clone(), None)).contains_key(table::DUE));
        let due = item_attributes(&example(body, Some(5)));
        assert_eq!(due.get(table::DUE), Some(&text(table::DUE_VALUE)));
    }

    #[test]
    fn an_attribute_of_another_type_is_named_with_its_item() {
        let mut attributes = item_attributes(&example(Body::Text(String::new()), None));
        attributes.insert(table::VERSION.to_owned(), text("7"));
        assert_eq!(
            item(attributes).unwrap_err().to_string(),
            "item `alarm`, `head`: attribute `version` is text, expected a whole number in range"
        );
    }

    #[test]
    fn a_number_out_of_range_a_missing_body_and_a_missing_key_are_faults() {
        let whole = item_attributes(&example(Body::Text(String::new()), Some(5)));
        let with = |name: &str, value| {
            let mut attributes = whole.clone();
            attributes.insert(name.to_owned(), value);
            item(attributes).unwrap_err().attribute
        };
        assert_eq!(with(table::VERSION, number(-1)), table::VERSION);
        assert_eq!(with(table::EXPIRES, number("1.5")), table::EXPIRES);
        assert_eq!(with(table::DUE_AT, text("5")), table::DUE_AT);
        assert_eq!(with(table::BODY, AttributeValue::Null(true)), table::BODY);
        for name in [table::BODY, table::SORT_KEY, table::VERSION] {
            let mut attributes = whole.clone();
            attributes.remove(name);
            let fault = item(attributes).unwrap_err();
            assert_eq!((fault.attribute, fault.found), (name, "missing"));
        }
    }
}
