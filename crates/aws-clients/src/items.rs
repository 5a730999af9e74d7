//! Items in a table of DynamoDB, made as [`table`] says.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use ports::{ErrorKind, Item, ItemKey, Items, Put, RequestError};

use crate::item::{self, Attributes, NotAnItem, item_attributes, key_attributes};
use crate::request::{own_error, request_error, send};
use crate::table;

const GET_ITEM: &str = "GetItem";
const PUT_ITEM: &str = "PutItem";
const QUERY: &str = "Query";

/// Keeps items in a table.
#[derive(Debug, Clone)]
pub struct TableItems {
    client: Client,
    table: String,
}

impl TableItems {
    pub(crate) fn new(config: &SdkConfig, table: String) -> TableItems {
        TableItems {
            client: Client::new(config),
            table,
        }
    }

    /// The first `most` items a query finds, over as many pages as it takes.
    async fn query<T>(
        &self,
        query: QueryFluentBuilder,
        most: usize,
        read: impl Fn(Attributes) -> Result<T, NotAnItem>,
    ) -> Result<Vec<T>, RequestError> {
        let mut found = Vec::new();
        let mut start = None;
        while found.len() < most {
            let limit = i32::try_from(most - found.len()).unwrap_or(i32::MAX);
            let page = query.clone().limit(limit).set_exclusive_start_key(start);
            let page = send(QUERY, page.send()).await?;
            for attributes in page.items.unwrap_or_default() {
                found.push(read(attributes).map_err(|fault| refused(QUERY, fault))?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

impl Items for TableItems {
    async fn get_item(&self, key: &ItemKey) -> Result<Option<Item>, RequestError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key_attributes(key)))
            .consistent_read(true);
        let answer = send(GET_ITEM, request.send()).await?;
        parse(GET_ITEM, answer.item)
    }

    async fn items_between(
        &self,
        partition: &str,
        first: &str,
        last: &str,
        backwards: bool,
        most: usize,
    ) -> Result<Vec<Item>, RequestError> {
        if first > last || last.is_empty() {
            return Ok(Vec::new()); // DynamoDB calls either an error.
        }
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(!backwards)
            .expression_attribute_names("#pk", table::PARTITION_KEY)
            .expression_attribute_names("#sk", table::SORT_KEY)
            .expression_attribute_values(":pk", item::text(partition))
            .expression_attribute_values(":last", item::text(last));
        query = if first.is_empty() {
            query.key_condition_expression("#pk = :pk AND #sk <= :last")
        } else {
            query
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
                .expression_attribute_values(":first", item::text(first))
        };
        self.query(query, most, item::item).await
    }

    async fn put_item(&self, item: &Item, expected: Option<u64>) -> Result<Put, RequestError> {
        tracing::debug!(operation = PUT_ITEM, "request");
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_attributes(item)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = match expected {
            None => request
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", table::PARTITION_KEY),
            Some(version) => request
                .condition_expression("#version = :expected")
                .expression_attribute_names("#version", table::VERSION)
                .expression_attribute_values(":expected", item::number(version)),
        };
        let error = match request.send().await {
            Ok(_) => return Ok(Put::Written),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(conflict)) => {
                let there = parse(PUT_ITEM, conflict.item.clone())?;
                Ok(outcome(item, there))
            }
            _ => Err(request_error(PUT_ITEM, error)),
        }
    }

    async fn due_items(&self, now: i64, most: usize) -> Result<Vec<(ItemKey, i64)>, RequestError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(table::DUE_INDEX)
            .key_condition_expression("#due = :due AND #due_at <= :now")
            .expression_attribute_names("#due", table::DUE)
            .expression_attribute_names("#due_at", table::DUE_AT)
            .expression_attribute_values(":due", item::text(table::DUE_VALUE))
            .expression_attribute_values(":now", item::number(now));
        let read = |attributes| Ok((item::key(&attributes)?, item::due_at(&attributes)?));
        self.query(query, most, read).await
    }
}

/// What a failed condition means: a write that was sent twice meets itself.
fn outcome(item: &Item, there: Option<Item>) -> Put {
    match there {
        Some(there) if there == *item => Put::Written,
        there => Put::Conflict(there),
    }
}

fn parse(
    operation: &'static str,
    attributes: Option<Attributes>,
) -> Result<Option<Item>, RequestError> {
    attributes
        .map(item::item)
        .transpose()
        .map_err(|fault| refused(operation, fault))
}

fn refused(operation: &'static str, fault: NotAnItem) -> RequestError {
    own_error(operation, ErrorKind::Refused, fault)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use ports::Body;

    use super::*;
    use crate::recorded::{Answer, Recorded};

    const HEAD: &str = r#"{"pk":{"S":"alarm"},"sk":{"S":"head"},"version":{"N":"2"},"body":{"S":"{}"},"expires":{"N":"99"}}"#;

    fn head() -> Item {
        Item {
            key: ItemKey {
                partition: "alarm".to_owned(),
                sort: "head".to_owned(),
            },
            version: 2,
            body: Body::Text("{}".to_owned()),
            due_at: None,
            expires_at: 99,
        }
    }

    fn conflict(old: &str) -> Answer {
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        Answer::json(
            400,
            &format!(r#"{{"__type":"{kind}","message":"The conditional request failed"{old}}}"#),
        )
    }

    async fn items(server: &Recorded) -> TableItems {
        server.clients().await.items("table")
    }

    #[tokio::test]
    async fn an_item_is_read_with_every_write_that_was_answered() {
        let found = format!(r#"{{"Item":{HEAD}}}"#);
        let server = Recorded::answers([Answer::json(200, &found), Answer::json(200, "{}")]);
        let items = items(&server).await;
        assert_eq!(items.get_item(&head().key).await.unwrap(), Some(head()));
        assert_eq!(items.get_item(&head().key).await.unwrap(), None);
        let body = server.request(0).body;
        assert!(body.contains(r#""ConsistentRead":true"#), "{body}");
    }

    #[tokio::test]
    async fn an_item_that_someone_edited_is_refused_by_name() {
        let found = format!(
            r#"{{"Item":{}}}"#,
            HEAD.replace(r#"{"N":"2"}"#, r#"{"S":"2"}"#)
        );
        let server = Recorded::answers([Answer::json(200, &found)]);
        let error = items(&server)
            .await
            .get_item(&head().key)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(
            error.source().unwrap().to_string(),
            "item `alarm`, `head`: attribute `version` is text, expected a whole number in range"
        );
    }

    #[tokio::test]
    async fn a_conflict_tells_what_is_there() {
        let server = Recorded::answers([conflict(&format!(r#","Item":{HEAD}"#))]);
        let mut item = head();
        item.version = 3;
        let put = items(&server).await.put_item(&item, Some(1)).await.unwrap();
        assert_eq!(put, Put::Conflict(Some(head())));
        let body = server.request(0).body;
        assert!(
            body.contains(r##""ConditionExpression":"#version = :expected""##),
            "{body}"
        );
        assert!(body.contains(r#"":expected":{"N":"1"}"#), "{body}");
        assert!(
            body.contains(r#""ReturnValuesOnConditionCheckFailure":"ALL_OLD""#),
            "{body}"
        );
    }

    #[tokio::test]
    async fn a_conflict_with_nothing_tells_that_nothing_is_there() {
        let server = Recorded::answers([conflict("")]);
        let put = items(&server)
            .await
            .put_item(&head(), Some(1))
            .await
            .unwrap();
        assert_eq!(put, Put::Conflict(None));
    }

    #[tokio::test]
    async fn a_write_that_meets_itself_after_a_lost_answer_is_written() {
        let server = Recorded::answers([Answer::Silence, conflict(&format!(r#","Item":{HEAD}"#))]);
        let put = items(&server).await.put_item(&head(), None).await.unwrap();
        assert_eq!(put, Put::Written);
        assert_eq!(server.requests(), 2);
        let body = server.request(1).body;
        assert!(
            body.contains(r##""ConditionExpression":"attribute_not_exists(#pk)""##),
            "{body}"
        );
    }

    #[tokio::test]
    async fn a_throttled_write_is_sent_again() {
        let throttled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}"#;
        let server = Recorded::answers([Answer::json(400, throttled), Answer::json(200, "{}")]);
        let put = items(&server).await.put_item(&head(), None).await.unwrap();
        assert_eq!(put, Put::Written);
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_leaves_the_outcome_unknown() {
        let server = Recorded::answers([Answer::json(200, "not JSON")]);
        let error = items(&server)
            .await
            .put_item(&head(), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
    }

    #[tokio::test]
    async fn a_range_is_followed_over_its_pages_up_to_the_most() {
        let page = format!(
            r#"{{"Items":[{HEAD}],"LastEvaluatedKey":{{"pk":{{"S":"alarm"}},"sk":{{"S":"head"}}}}}}"#
        );
        let server = Recorded::answers([
            Answer::json(200, &page),
            Answer::json(200, &page),
            Answer::json(200, &page),
        ]);
        let found = items(&server)
            .await
            .items_between("alarm", "a", "z", true, 2)
            .await;
        assert_eq!(found.unwrap(), [head(), head()]);
        assert_eq!(server.requests(), 2);
        let (first, second) = (server.request(0).body, server.request(1).body);
        assert!(
            first.contains(r##""#pk = :pk AND #sk BETWEEN :first AND :last""##),
            "{first}"
        );
        assert!(first.contains(r#""ScanIndexForward":false"#), "{first}");
        assert!(first.contains(r#""ConsistentRead":true"#), "{first}");
        assert!(first.contains(r#""Limit":2"#), "{first}");
        assert!(!first.contains("ExclusiveStartKey"), "{first}");
        assert!(second.contains("ExclusiveStartKey"), "{second}");
        assert!(second.contains(r#""Limit":1"#), "{second}");
    }

    #[tokio::test]
    async fn a_range_without_a_first_key_begins_at_the_beginning() {
        let server = Recorded::answers([Answer::json(200, r#"{"Items":[]}"#)]);
        let found = items(&server)
            .await
            .items_between("alarm", "", "z", false, 2)
            .await;
        assert_eq!(found.unwrap(), []);
        let body = server.request(0).body;
        assert!(body.contains(r##""#pk = :pk AND #sk <= :last""##), "{body}");
        assert!(!body.contains(":first"), "{body}");
    }

    #[tokio::test]
    async fn an_empty_range_needs_no_request() {
        let server = Recorded::answers([]);
        let items = items(&server).await;
        assert_eq!(
            items
                .items_between("alarm", "b", "a", false, 2)
                .await
                .unwrap(),
            []
        );
        assert_eq!(
            items
                .items_between("alarm", "a", "b", false, 0)
                .await
                .unwrap(),
            []
        );
    }

    #[tokio::test]
    async fn what_is_due_comes_from_the_index() {
        let page = r#"{"Items":[{"pk":{"S":"alarm"},"sk":{"S":"head"},"due":{"S":"due"},"due_at":{"N":"7"}}]}"#;
        let server = Recorded::answers([Answer::json(200, page)]);
        let due = items(&server).await.due_items(8, 10).await.unwrap();
        assert_eq!(due, [(head().key, 7)]);
        let body = server.request(0).body;
        assert!(body.contains(r#""IndexName":"due""#), "{body}");
        assert!(body.contains(r#"":now":{"N":"8"}"#), "{body}");
    }
}
