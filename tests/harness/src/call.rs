//! What a request to AWS asks for, told from the request alone.
//!
//! DynamoDB, SQS and Logs name the operation in `X-Amz-Target`, SNS in its form body; S3's follows from
//! method and path, and the SDKs name it in `x-id`. The credential scope names the service.

use hyper::Method;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A service the functions speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Amazon S3: REST, errors in XML.
    S3,
    /// Amazon DynamoDB: JSON protocol.
    DynamoDb,
    /// Amazon SQS: JSON protocol.
    Sqs,
    /// Amazon SNS: query protocol, errors in XML.
    Sns,
    /// Amazon CloudWatch Logs: JSON protocol.
    Logs,
    /// Anything else.
    Other,
}

/// A request that came by a [`Proxy`](crate::Proxy).
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number among all calls, from 0.
    pub index: usize,
    /// Its number among the calls of the same service and operation, from 0.
    pub nth: usize,
    /// The service asked.
    pub service: Service,
    /// The operation, in AWS's words: `GetObject`, `TransactWriteItems`.
    pub operation: String,
    /// What it is about: `bucket/key`, table, queue name, topic ARN, or `group/stream`.
    pub detail: String,
    /// The session token of the caller's credentials: each process of a function has its own.
    pub session_token: String,
    /// The body as sent.
    pub body: Bytes,
    /// The status the function was answered with; `None` where it got no answer, or none yet.
    pub status: Option<u16>,
}

impl Call {
    /// Whether it is a call of this operation.
    pub fn is(&self, service: Service, operation: &str) -> bool {
        self.service == service && self.operation == operation
    }

    /// The body as JSON; `Null` where it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A parameter of a body in the query protocol, decoded.
    pub fn form(&self, name: &str) -> Option<String> {
        form_value(&String::from_utf8_lossy(&self.body), name)
    }

    /// Reads a request; the numbers are the recorder's to give.
    pub(crate) fn read(head: &Parts, body: Bytes) -> Self {
        let target = header(head, "x-amz-target");
        let (service, operation, detail) = match target.split_once('.') {
            Some((prefix, operation)) => json_call(prefix, operation, &body),
            None if scope(head) == "s3" => (Service::S3, s3_operation(head), s3_detail(head)),
            None => query_call(head, &body),
        };
        Self {
            index: 0,
            nth: 0,
            service,
            operation,
            detail,
            session_token: header(head, "x-amz-security-token").to_owned(),
            body,
            status: None,
        }
    }
}

fn json_call(prefix: &str, operation: &str, body: &[u8]) -> (Service, String, String) {
    let service = match prefix.split('_').next() {
        Some("DynamoDB") => Service::DynamoDb,
        Some("AmazonSQS") => Service::Sqs,
        Some("Logs") => Service::Logs,
        _ => Service::Other,
    };
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer: &str| {
        body.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let detail = match service {
        Service::DynamoDb => table_of(&body),
        Service::Sqs => text("/QueueUrl")
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
        Service::Logs => [text("/logGroupName"), text("/logStreamName")]
            .join("/")
            .trim_end_matches('/')
            .to_owned(),
        _ => String::new(),
    };
    (service, operation.to_owned(), detail)
}

/// The table of a request; of a transaction or a batch, the table of its first item.
fn table_of(body: &Value) -> String {
    let named = body.get("TableName").and_then(Value::as_str);
    let in_transaction = || {
        let actions = body.pointer("/TransactItems/0")?.as_object()?;
        actions
            .values()
            .find_map(|action| action.get("TableName")?.as_str())
    };
    let in_batch = || {
        body.get("RequestItems")?
            .as_object()?
            .keys()
            .next()
            .map(String::as_str)
    };
    named
        .or_else(in_transaction)
        .or_else(in_batch)
        .unwrap_or_default()
        .to_owned()
}

fn query_call(head: &Parts, body: &[u8]) -> (Service, String, String) {
    let service = match scope(head) {
        "sns" => Service::Sns,
        "sqs" => Service::Sqs,
        _ => Service::Other,
    };
    let body = String::from_utf8_lossy(body);
    let operation = form_value(&body, "Action")
        .unwrap_or_else(|| format!("{} {}", head.method, head.uri.path()));
    let detail = ["TopicArn", "TargetArn", "QueueUrl"]
        .iter()
        .find_map(|name| form_value(&body, name));
    (service, operation, detail.unwrap_or_default())
}

fn s3_operation(head: &Parts) -> String {
    let query = head.uri.query().unwrap_or_default();
    if let Some(operation) = form_value(query, "x-id") {
        return operation;
    }
    let has_key = s3_detail(head).contains('/');
    let operation = match (&head.method, has_key) {
        (&Method::GET, true) => "GetObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::PUT, true) if head.headers.contains_key("x-amz-copy-source") => "CopyObject",
        (&Method::PUT, true) => "PutObject",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::GET, false) if form_value(query, "list-type").is_some() => "ListObjectsV2",
        (&Method::HEAD, false) => "HeadBucket",
        (&Method::PUT, false) if query.is_empty() => "CreateBucket",
        (&Method::DELETE, false) => "DeleteBucket",
        _ => return format!("{} ?{query}", head.method),
    };
    operation.to_owned()
}

/// `bucket/key`, or the bucket alone.
fn s3_detail(head: &Parts) -> String {
    let path = head.uri.path().trim_start_matches('/');
    percent_decode_str(path)
        .decode_utf8_lossy()
        .trim_end_matches('/')
        .to_owned()
}

/// The service in the credential scope: `Credential=AKID/date/region/service/aws4_request`.
fn scope(head: &Parts) -> &str {
    let credential = header(head, "authorization")
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest);
    credential.split('/').nth(3).unwrap_or_default()
}

fn header<'a>(head: &'a Parts, name: &str) -> &'a str {
    head.headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A parameter of a form or a query string, decoded.
fn form_value(form: &str, name: &str) -> Option<String> {
    let value = form
        .split('&')
        .find_map(|pair| match pair.split_once('=') {
            Some((found, value)) => (found == name).then_some(value),
            None => (pair == name).then_some(""),
        })?;
    Some(
        percent_decode_str(&value.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn read(method: Method, uri: &str, headers: &[(&str, &str)], body: &'static str) -> Call {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Call::read(&head, Bytes::from_static(body.as_bytes()))
    }

    fn told(call: &Call) -> (Service, &str, &str) {
        (call.service, &call.operation, &call.detail)
    }

    fn scope(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=100000000001/20260101/us-east-1/{service}/aws4_request, Signature=0"
        )
    }

    #[test]
    fn a_target_names_service_and_operation() {
        let put = read(
            Method::POST,
            "/",
            &[("x-amz-target", "DynamoDB_20120810.PutItem")],
            r#"{"TableName":"ledger"}"#,
        );
        assert_eq!(told(&put), (Service::DynamoDb, "PutItem", "ledger"));
        let send = read(
            Method::POST,
            "/",
            &[("x-amz-target", "AmazonSQS.SendMessageBatch")],
            r#"{"QueueUrl":"http://127.0.0.1:1/100000000001/matches.fifo"}"#,
        );
        assert_eq!(
            told(&send),
            (Service::Sqs, "SendMessageBatch", "matches.fifo")
        );
        let logs = read(
            Method::POST,
            "/",
            &[("x-amz-target", "Logs_20140328.PutLogEvents")],
            r#"{"logGroupName":"metrics","logStreamName":"a"}"#,
        );
        assert_eq!(told(&logs), (Service::Logs, "PutLogEvents", "metrics/a"));
    }

    #[test]
    fn a_transaction_is_about_the_table_of_its_first_item() {
        let call = read(
            Method::POST,
            "/",
            &[("x-amz-target", "DynamoDB_20120810.TransactWriteItems")],
            r#"{"TransactItems":[{"Update":{"TableName":"state"}}]}"#,
        );
        assert_eq!(
            told(&call),
            (Service::DynamoDb, "TransactWriteItems", "state")
        );
    }

    #[test]
    fn a_form_names_the_action() {
        let call = read(
            Method::POST,
            "/",
            &[("authorization", &scope("sns"))],
            "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A1%3At&Message=a+b%26c",
        );
        assert_eq!(
            told(&call),
            (Service::Sns, "Publish", "arn:aws:sns:us-east-1:1:t")
        );
        assert_eq!(call.form("Message").as_deref(), Some("a b&c"));
    }

    #[test]
    fn s3_operations_follow_from_method_and_path() {
        let s3 = scope("s3");
        let read = |method, uri| read(method, uri, &[("authorization", &s3)], "");
        assert_eq!(
            told(&read(Method::GET, "/logs/a%20b.json?x-id=GetObject")),
            (Service::S3, "GetObject", "logs/a b.json")
        );
        assert_eq!(
            told(&read(Method::HEAD, "/logs/a/b")),
            (Service::S3, "HeadObject", "logs/a/b")
        );
        assert_eq!(
            told(&read(Method::PUT, "/logs/a")),
            (Service::S3, "PutObject", "logs/a")
        );
        assert_eq!(
            told(&read(Method::GET, "/logs/?list-type=2")),
            (Service::S3, "ListObjectsV2", "logs")
        );
        assert_eq!(
            told(&read(Method::PUT, "/logs")),
            (Service::S3, "CreateBucket", "logs")
        );
    }
}
