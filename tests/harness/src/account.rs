//! An account of a test's own in the emulator, and the client that speaks for it.
//!
//! The emulator takes a 12-digit access key id for the account, and keeps the resources of accounts
//! apart. Signatures are not checked, so requests carry none that would hold.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response};
use serde_json::Value;

use crate::http::{self, HttpError};
use crate::{MiniStack, Proxy};

/// The region of everything the harness makes.
pub const REGION: &str = "us-east-1";

/// A fresh account, and what a test does in it: its methods speak to the emulator, past any proxy.
///
/// Every method panics when its request is refused, with what was asked and answered.
#[derive(Clone, Debug)]
pub struct Account {
    id: String,
    address: SocketAddr,
}

impl Account {
    /// An account that no other test of this binary has.
    #[expect(
        clippy::new_without_default,
        reason = "each call gives another account, and may start the emulator"
    )]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(100_000_000_001);
        let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        Self {
            id,
            address: MiniStack::shared().address(),
        }
    }

    /// The account id, which is also its access key id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same account seen through a proxy: its requests are recorded and meet faults.
    pub fn through(&self, proxy: &Proxy) -> Self {
        Self {
            id: self.id.clone(),
            address: proxy.address(),
        }
    }

    /// Sends a request in the JSON protocol: `target` is `DynamoDB_20120810.PutItem` and the like.
    pub async fn json(&self, target: &str, body: &Value) -> Value {
        let response = self
            .try_json(target, body)
            .await
            .unwrap_or_else(|error| panic!("expected an answer to {target}: {error}"));
        let status = response.status();
        let text = String::from_utf8_lossy(response.body());
        assert!(
            status.is_success(),
            "expected {target} to succeed, got {status}: {text}\nasked: {body}"
        );
        if text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("expected JSON from {target}: {error}: {text}"))
    }

    /// As [`json`](Self::json), for tests that expect anything but success.
    ///
    /// # Errors
    ///
    /// The exchange broke off; an error status is a response.
    pub async fn try_json(&self, target: &str, body: &Value) -> Result<Response<Bytes>, HttpError> {
        let request = self
            .request(Method::POST, scope_of(target), "/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target);
        self.try_send(request, body.to_string()).await
    }

    /// A request with the headers that name the account and the service (`s3`, `sns`, ...).
    pub(crate) fn request(
        &self,
        method: Method,
        service: &str,
        path: &str,
    ) -> hyper::http::request::Builder {
        let scope = format!("{}/20260101/{REGION}/{service}/aws4_request", self.id);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", authorization)
    }

    pub(crate) async fn try_send(
        &self,
        request: hyper::http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, HttpError> {
        let request = request
            .body(Full::new(body.into()))
            .unwrap_or_else(|error| panic!("expected a request that can be written: {error}"));
        http::send(self.address, request).await
    }

    /// Sends a request that is expected to succeed; `what` names it in the panic otherwise.
    pub(crate) async fn send(
        &self,
        what: &str,
        request: hyper::http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let response = self
            .try_send(request, body)
            .await
            .unwrap_or_else(|error| panic!("expected an answer to {what}: {error}"));
        let status = response.status();
        let text = String::from_utf8_lossy(response.body());
        assert!(
            status.is_success(),
            "expected {what} to succeed, got {status}: {text}"
        );
        response
    }
}

/// The service in the credential scope that goes with a target.
fn scope_of(target: &str) -> &'static str {
    match target.split('_').next() {
        Some("DynamoDB") => "dynamodb",
        Some("Logs") => "logs",
        _ => "sqs",
    }
}

/// A member of an answer that must be text.
pub(crate) fn text_of(answer: &Value, member: &str) -> String {
    let text = answer.get(member).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("expected text at `{member}` in {answer}"))
        .to_owned()
}

/// The list at a member of an answer; a missing one is empty.
pub(crate) fn list_of(answer: &mut Value, member: &str) -> Vec<Value> {
    match answer.get_mut(member).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}
