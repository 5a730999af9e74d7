//! One process of a function, from spawn to death, behind a Runtime API of its own.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

use crate::memory::{Resident, resident};
use crate::runtime_api::{Outcome, RuntimeApi};
use crate::server::Task;
use crate::{FunctionSpec, Invocation};

/// Lambda gives a function ten seconds to ask for its first invocation.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a process wrote before its end is read to the end, unless a child of it keeps the pipe open.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// Lines of output, of all processes of a function.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// A process that was started.
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Of its credentials, by which its calls are known as its own.
    pub(crate) session_token: String,
    api: RuntimeApi,
    ended: watch::Receiver<bool>,
    kill: Arc<Notify>,
    /// Invocations handed out so far.
    invocations: Mutex<u64>,
    _keeper: Task,
}

impl Process {
    /// Starts the binary with the environment of the function and nothing else.
    pub(crate) async fn spawn(spec: &FunctionSpec, session_token: String, log: &Log) -> Self {
        let api = RuntimeApi::start(spec.arn()).await;
        let mut child = Command::new(&spec.binary)
            .env_clear()
            .envs(spec.environment())
            .env("AWS_SESSION_TOKEN", &session_token)
            .env("AWS_LAMBDA_RUNTIME_API", api.server.address.to_string())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("expected to start `{}`: {error}", spec.binary.display())
            });
        let pid = child.id().unwrap_or_default();
        let readers = [
            child
                .stdout
                .take()
                .map(|output| Task::spawn(read_lines(output, Arc::clone(log)))),
            child
                .stderr
                .take()
                .map(|output| Task::spawn(read_lines(output, Arc::clone(log)))),
        ];
        let kill = Arc::new(Notify::new());
        let (end, ended) = watch::channel(false);
        let keeper = Task::spawn(keep(
            child,
            readers.into_iter().flatten().collect(),
            Arc::clone(&kill),
            end,
        ));
        Self {
            pid,
            session_token,
            api,
            ended,
            kill,
            invocations: Mutex::default(),
            _keeper: keeper,
        }
    }

    /// Waits until the process can take an invocation. `false`: it has ended, or was ended because it
    /// did not get there.
    pub(crate) async fn ready(&self, log: &Log) -> bool {
        let handed_out = *self
            .invocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tokio::select! {
            biased;
            () = self.ended() => false,
            () = self.api.asked_more_than(handed_out) => true,
            error = self.api.init_error() => self.give_up(log, &format!("init error: {error}")).await,
            () = tokio::time::sleep(INIT_TIMEOUT) => self.give_up(log, "the process did not ask for an invocation").await,
        }
    }

    async fn give_up(&self, log: &Log, line: &str) -> bool {
        push_line(log, line.to_owned());
        self.kill().await;
        false
    }

    /// Hands out an invocation to a ready process and waits for its end, which may be that of the process.
    pub(crate) async fn invoke(
        &self,
        request_id: &str,
        payload: &Value,
        timeout: Duration,
    ) -> Invocation {
        *self
            .invocations
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        tokio::select! {
            biased;
            outcome = self.api.invoke(request_id, payload, timeout) => match outcome {
                Outcome::Response(value) => Invocation::Response(value),
                Outcome::Error(value) => Invocation::Error(value),
            },
            () = self.ended() => Invocation::Exited,
            () = tokio::time::sleep(timeout) => {
                self.kill().await;
                Invocation::TimedOut
            }
        }
    }

    /// Kills the process (SIGKILL) and waits until it is dead.
    pub(crate) async fn kill(&self) {
        self.kill.notify_one();
        self.ended().await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    pub(crate) fn resident(&self) -> Resident {
        resident(self.pid)
    }

    async fn ended(&self) {
        // An error means that the keeper is gone, and the process with it.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

/// Owns the process until it is dead and all it wrote is read.
async fn keep(mut child: Child, readers: Vec<Task>, kill: Arc<Notify>, end: watch::Sender<bool>) {
    let killed = tokio::select! {
        _ = child.wait() => false,
        () = kill.notified() => true,
    };
    if killed {
        // Fails only for a process that is dead already.
        let _ = child.kill().await;
    }
    let deadline = Instant::now() + LAST_WORDS_TIMEOUT;
    while readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    end.send_replace(true);
}

async fn read_lines(output: impl AsyncRead + Unpin, log: Log) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|read| read > 0)
    {
        push_line(
            &log,
            String::from_utf8_lossy(line.trim_ascii_end()).into_owned(),
        );
        line.clear();
    }
}

fn push_line(log: &Log, line: String) {
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
}
