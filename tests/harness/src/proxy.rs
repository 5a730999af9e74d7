//! Stands between a function and the emulator: records each call, and lets faults happen.
//!
//! A call without a fault is passed on as it is, and so is its answer, byte for byte. Only the headers
//! that belong to one connection are not passed on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response};

use crate::fault::error_answer;
use crate::server::{Answer, NoAnswer, Server, answer};
use crate::{Call, Fault, Function, Matcher, MiniStack, Service, http};

/// Headers that are about one connection, not about the message.
const OF_THE_CONNECTION: [&str; 5] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "expect",
    "upgrade",
];

/// A running proxy; it ends when it is dropped.
pub struct Proxy {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    emulator: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    counts: HashMap<(Service, String), usize>,
    faults: Vec<(Matcher, Fault)>,
    function: Option<Function>,
    /// Grows when calls are forgotten: an answer to a forgotten call is not noted.
    generation: usize,
}

/// Where a call is recorded.
#[derive(Clone, Copy)]
struct Place {
    generation: usize,
    index: usize,
}

impl Proxy {
    /// Starts a proxy in front of the emulator, without faults.
    pub async fn start(emulator: &MiniStack) -> Self {
        let shared = Arc::new(Shared {
            emulator: emulator.address(),
            state: Mutex::default(),
        });
        let handler = {
            let shared = Arc::clone(&shared);
            move |request| handle(Arc::clone(&shared), request)
        };
        Self {
            server: Server::start(handler).await,
            shared,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Its URL, without a final slash: a function's `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Names the function whose processes the kill faults end: the process that made the call.
    pub fn attach(&self, function: &Function) {
        self.shared.lock().function = Some(function.clone());
    }

    /// Has `fault` happen to the calls that `matcher` takes. Of several faults for one call, the one
    /// that was asked for first happens.
    ///
    /// # Panics
    ///
    /// The fault kills, and no function is attached.
    pub fn fault(&self, matcher: Matcher, fault: Fault) {
        let mut state = self.shared.lock();
        let can_kill = state.function.is_some();
        assert!(
            can_kill || !fault.kills(),
            "expected a function to be attached before a fault that kills it"
        );
        state.faults.push((matcher, fault));
    }

    /// From now on nothing goes wrong. Calls that hang go on hanging.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// All calls, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }

    /// How many calls of an operation there were.
    pub fn count(&self, service: Service, operation: &str) -> usize {
        self.shared
            .lock()
            .counts
            .get(&(service, operation.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    /// Forgets the calls, so that numbers start at 0 again. Faults stay.
    pub fn forget_calls(&self) {
        let mut state = self.shared.lock();
        state.calls.clear();
        state.counts.clear();
        state.generation += 1;
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call and tells what shall happen to it.
    fn record(&self, mut call: Call) -> (Place, Call, Option<Fault>) {
        let mut state = self.lock();
        let count = state
            .counts
            .entry((call.service, call.operation.clone()))
            .or_default();
        call.nth = *count;
        *count += 1;
        call.index = state.calls.len();
        let fault = state
            .faults
            .iter_mut()
            .find_map(|(matcher, fault)| matcher.takes(&call).then(|| fault.clone()));
        state.calls.push(call.clone());
        (
            Place {
                generation: state.generation,
                index: call.index,
            },
            call,
            fault,
        )
    }

    fn note_status(&self, place: Place, status: u16) {
        let mut state = self.lock();
        if state.generation == place.generation
            && let Some(call) = state.calls.get_mut(place.index)
        {
            call.status = Some(status);
        }
    }

    async fn kill(&self, call: &Call) {
        let function = self.lock().function.clone();
        if let Some(function) = function {
            function.kill_process_of(&call.session_token).await;
        }
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    // A function that is killed while it sends has made no call.
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let (place, call, fault) = shared.record(Call::read(&head, body));
    let answer = match fault {
        None => forward(shared.emulator, head, call.body).await?,
        Some(fault) if fault.forwards() => faulty_forward(&shared, fault, head, call).await?,
        Some(fault) => refuse(&shared, &fault, &call).await?,
    };
    shared.note_status(place, answer.status().as_u16());
    Ok(answer)
}

/// What happens in place of a call.
async fn refuse(shared: &Shared, fault: &Fault, call: &Call) -> Answer {
    match fault {
        Fault::Hang => std::future::pending().await,
        Fault::KillBefore => shared.kill(call).await,
        _ => {}
    }
    error_answer(fault, call).ok_or(NoAnswer)
}

/// What happens around a call that takes effect.
async fn faulty_forward(shared: &Shared, fault: Fault, head: Parts, call: Call) -> Answer {
    if let Fault::Delay(delay) = fault {
        tokio::time::sleep(delay).await;
    }
    let forwarded = forward(shared.emulator, head, call.body.clone()).await?;
    match fault {
        Fault::HangAfter => std::future::pending().await,
        Fault::KillAfter => {
            shared.kill(&call).await;
            Err(NoAnswer)
        }
        Fault::DropConnectionAfter => Err(NoAnswer),
        Fault::ReplaceResponse { status, body } => Ok(replaced(forwarded, status, body)),
        _ => Ok(forwarded),
    }
}

/// Runs to the end in a task of its own: the call takes effect even if the function is gone meanwhile.
async fn forward(emulator: SocketAddr, head: Parts, body: Bytes) -> Answer {
    tokio::spawn(exchange(emulator, head, body))
        .await
        .map_err(|_| NoAnswer)
}

async fn exchange(emulator: SocketAddr, mut head: Parts, body: Bytes) -> Response<Full<Bytes>> {
    remove_connection_headers(&mut head.headers);
    match http::send(emulator, Request::from_parts(head, Full::new(body))).await {
        Ok(response) => {
            let (mut head, body) = response.into_parts();
            remove_connection_headers(&mut head.headers);
            Response::from_parts(head, Full::new(body))
        }
        Err(error) => answer(
            502,
            "text/plain",
            format!("the emulator did not answer: {error}"),
        ),
    }
}

fn replaced(forwarded: Response<Full<Bytes>>, status: u16, body: String) -> Response<Full<Bytes>> {
    let (head, _) = forwarded.into_parts();
    let mut replaced = answer(status, "", body);
    *replaced.headers_mut() = head.headers;
    // Both are about the body that is gone.
    for name in ["content-length", "x-amz-crc32"] {
        replaced.headers_mut().remove(name);
    }
    replaced
}

fn remove_connection_headers(headers: &mut HeaderMap) {
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}
