//! The Lambda Runtime API for one function process.
//!
//! The process asks for the next invocation and waits; its answer ends the invocation it names. One
//! server per process: what a process that is gone still had to say cannot reach its successor.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API".

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

use crate::server::{Answer, NoAnswer, Server, answer};

const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
const INIT_ERROR: &str = "/2018-06-01/runtime/init/error";

/// What a process answered to an invocation.
#[derive(Debug)]
pub(crate) enum Outcome {
    Response(Value),
    Error(Value),
}

/// An invocation on its way to the process.
struct Work {
    request_id: String,
    payload: Bytes,
    deadline_millis: u128,
}

/// The server, and the side of it that the harness works from.
pub(crate) struct RuntimeApi {
    pub(crate) server: Server,
    desk: Arc<Desk>,
}

struct Desk {
    function_arn: String,
    give: mpsc::UnboundedSender<Work>,
    take: AsyncMutex<mpsc::UnboundedReceiver<Work>>,
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    /// How often the process has asked for the next invocation.
    asked: watch::Sender<u64>,
    init_error: watch::Sender<Option<Value>>,
}

impl RuntimeApi {
    pub(crate) async fn start(function_arn: String) -> Self {
        let (give, take) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            function_arn,
            give,
            take: AsyncMutex::new(take),
            current: Mutex::default(),
            asked: watch::Sender::new(0),
            init_error: watch::Sender::new(None),
        });
        let handler = {
            let desk = Arc::clone(&desk);
            move |request| handle(Arc::clone(&desk), request)
        };
        Self {
            server: Server::start(handler).await,
            desk,
        }
    }

    /// Waits until the process has asked for an invocation more than `times` times.
    pub(crate) async fn asked_more_than(&self, times: u64) {
        let mut asked = self.desk.asked.subscribe();
        // The sender lives as long as `self`.
        let _ = asked.wait_for(|asked| *asked > times).await;
    }

    /// Waits until the process says that it could not start.
    pub(crate) async fn init_error(&self) -> Value {
        let mut init_error = self.desk.init_error.subscribe();
        match init_error.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    /// Hands an invocation out and waits for its outcome.
    pub(crate) async fn invoke(
        &self,
        request_id: &str,
        payload: &Value,
        timeout: Duration,
    ) -> Outcome {
        let (done, outcome) = oneshot::channel();
        *self.desk.current() = Some((request_id.to_owned(), done));
        let deadline = SystemTime::now() + timeout;
        let deadline_millis = deadline
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let payload = Bytes::from(payload.to_string());
        let work = Work {
            request_id: request_id.to_owned(),
            payload,
            deadline_millis,
        };
        // The receiver lives as long as `self`.
        let _ = self.desk.give.send(work);
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Desk {
    fn current(&self) -> std::sync::MutexGuard<'_, Option<(String, oneshot::Sender<Outcome>)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next(&self) -> Answer {
        self.asked.send_modify(|asked| *asked += 1);
        let work = self.take.lock().await.recv().await.ok_or(NoAnswer)?;
        Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &work.request_id)
            .header(
                "lambda-runtime-deadline-ms",
                work.deadline_millis.to_string(),
            )
            .header("lambda-runtime-invoked-function-arn", &self.function_arn)
            .header(
                "lambda-runtime-trace-id",
                "Root=1-00000000-000000000000000000000000;Sampled=0",
            )
            .body(Full::new(work.payload))
            .map_err(|_| NoAnswer)
    }

    /// Ends the invocation if it is the current one.
    fn finish(&self, request_id: &str, outcome: Outcome) -> Response<Full<Bytes>> {
        let mut current = self.current();
        match current.take_if(|(id, _)| id == request_id) {
            Some((_, done)) => {
                // Nobody waits for an invocation that was given up.
                let _ = done.send(outcome);
                accepted()
            }
            None => answer(
                400,
                "application/json",
                r#"{"errorType":"InvalidRequestID"}"#,
            ),
        }
    }
}

async fn handle(desk: Arc<Desk>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let path = head.uri.path();
    let invocation = path.strip_prefix(INVOCATION).unwrap_or_default();
    match (&head.method, invocation.split_once('/')) {
        (&Method::GET, None) if invocation == "next" => desk.next().await,
        (&Method::POST, Some((id, "response"))) => Ok(desk.finish(id, response(&body))),
        (&Method::POST, Some((id, "error"))) => Ok(desk.finish(id, Outcome::Error(error(&body)))),
        (&Method::POST, None) if path == INIT_ERROR => {
            desk.init_error.send_replace(Some(error(&body)));
            Ok(accepted())
        }
        _ => Ok(answer(404, "text/plain", "not a route of the runtime API")),
    }
}

fn accepted() -> Response<Full<Bytes>> {
    answer(202, "application/json", r#"{"status":"OK"}"#)
}

/// A response must be JSON; Lambda makes an error of any other.
fn response(body: &[u8]) -> Outcome {
    match serde_json::from_slice(body) {
        Ok(value) => Outcome::Response(value),
        Err(_) => Outcome::Error(serde_json::json!({
            "errorType": "Function.InvalidResponse",
            "errorMessage": String::from_utf8_lossy(body),
        })),
    }
}

fn error(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}
