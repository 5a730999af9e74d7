//! CloudTrail's public keys and trails, which the emulator does not have.
//!
//! It answers in the JSON protocol, for every Region: which one is asked stands in the signature of a request.
//!
//! Source: CloudTrail API Reference, "ListPublicKeys", "DescribeTrails", "GetTrailStatus". Out of scope: everything
//! else, which is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::server::{Answer, NoAnswer, Server, answer};

/// A stand-in for CloudTrail; it ends when it is dropped.
pub struct CloudTrail {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<String, Vec<PublicKey>>,
    trails: Vec<Value>,
    statuses: BTreeMap<String, Value>,
    asked: Vec<(String, String)>,
}

struct PublicKey {
    fingerprint: String,
    value: String,
    validity: (i64, i64),
}

impl CloudTrail {
    /// Starts one without keys and trails.
    pub async fn start() -> Self {
        let state = Arc::default();
        let handler = {
            let state = Arc::clone(&state);
            move |request| handle(Arc::clone(&state), request)
        };
        Self {
            server: Server::start(handler).await,
            state,
        }
    }

    /// Its URL, without a final slash: a function's `AWS_ENDPOINT_URL_CLOUDTRAIL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Publishes a key of a Region: DER, valid from a time to a time in Unix seconds.
    pub fn publish_key(&self, region: &str, fingerprint: &str, der: &[u8], validity: (i64, i64)) {
        let key = PublicKey {
            fingerprint: fingerprint.to_owned(),
            value: STANDARD.encode(der),
            validity,
        };
        let mut state = lock(&self.state);
        state.keys.entry(region.to_owned()).or_default().push(key);
    }

    /// Adds a trail as DescribeTrails tells it, with a status as GetTrailStatus does.
    ///
    /// # Panics
    /// It has no `TrailARN`.
    pub fn add_trail(&self, trail: Value, status: Value) {
        let arn = trail.get("TrailARN").and_then(Value::as_str);
        let arn = arn.unwrap_or_else(|| panic!("expected a TrailARN in {trail}"));
        let mut state = lock(&self.state);
        state.statuses.insert(arn.to_owned(), status);
        state.trails.push(trail);
    }

    /// What was asked so far: operation and Region.
    pub fn asked(&self) -> Vec<(String, String)> {
        lock(&self.state).asked.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let target = header("x-amz-target");
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let region = region(&header("authorization"));
    let mut state = lock(&state);
    state.asked.push((operation.clone(), region.clone()));
    let (status, body) = match operation.as_str() {
        "ListPublicKeys" => (200, state.public_keys(&region, &asked)),
        "DescribeTrails" => (200, json!({ "trailList": state.trails })),
        "GetTrailStatus" => {
            let name = asked.get("Name").and_then(Value::as_str);
            match name.and_then(|name| state.statuses.get(name)) {
                Some(status) => (200, status.clone()),
                None => refusal("TrailNotFoundException"),
            }
        }
        _ => refusal("UnsupportedOperationException"),
    };
    Ok(answer(
        status,
        "application/x-amz-json-1.1",
        body.to_string(),
    ))
}

fn refusal(code: &str) -> (u16, Value) {
    (400, json!({ "__type": code, "message": "made up" }))
}

/// The Region in the scope of a signature: `Credential=id/date/region/service/aws4_request`.
fn region(authorization: &str) -> String {
    let scope = authorization.split("Credential=").nth(1);
    let region = scope.and_then(|scope| scope.split('/').nth(2));
    region.unwrap_or_default().to_owned()
}

impl State {
    /// The keys that are valid at some time between the two that are asked for.
    fn public_keys(&self, region: &str, asked: &Value) -> Value {
        let time = |name: &str| asked.get(name).and_then(Value::as_f64);
        let start = time("StartTime").unwrap_or(f64::MIN);
        let end = time("EndTime").unwrap_or(f64::MAX);
        let keys = self.keys.get(region).into_iter().flatten();
        let keys =
            keys.filter(|key| key.validity.0 as f64 <= end && key.validity.1 as f64 >= start);
        let keys = keys.map(|key| {
            json!({
                "Value": key.value,
                "Fingerprint": key.fingerprint,
                "ValidityStartTime": key.validity.0,
                "ValidityEndTime": key.validity.1,
            })
        });
        json!({ "PublicKeyList": keys.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_that_of_the_signature() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/cloudtrail/aws4_request, SignedHeaders=host";
        assert_eq!(region(authorization), "eu-west-1");
        assert_eq!(region(""), "");
    }

    #[test]
    fn keys_are_told_by_their_validity() {
        let mut state = State::default();
        let key = |name: &str, validity| PublicKey {
            fingerprint: name.to_owned(),
            value: String::new(),
            validity,
        };
        let keys = vec![key("old", (0, 10)), key("new", (8, 20))];
        state.keys.insert("eu-west-1".to_owned(), keys);
        let told = |region: &str, start: i64, end: i64| {
            let answer = state.public_keys(region, &json!({ "StartTime": start, "EndTime": end }));
            answer["PublicKeyList"].as_array().map_or(0, Vec::len)
        };
        assert_eq!(told("eu-west-1", 9, 9), 2);
        assert_eq!(told("eu-west-1", 11, 30), 1);
        assert_eq!(told("eu-west-1", 21, 30), 0);
        assert_eq!(told("us-east-1", 0, 30), 0);
    }
}
