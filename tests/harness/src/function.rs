//! A function as Lambda runs it: processes started on demand, kept warm, killed when their time is up.
//!
//! Source: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" and
//! "Defined runtime environment variables". Out of scope: memory limits, freezing between invocations.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Semaphore;

use crate::process::{Log, Process};
use crate::{Account, MiniStack, Proxy, REGION};

/// What a function is and how it is run.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// The program.
    pub binary: PathBuf,
    /// The function's name.
    pub name: String,
    /// The account it runs in.
    pub account: String,
    /// `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// Its environment beyond what Lambda sets; a name that Lambda sets too is set to this.
    pub env: Vec<(String, String)>,
    /// How long an invocation may take before the process is killed.
    pub timeout: Duration,
    /// The memory size it is told; nothing holds it to that.
    pub memory_mb: u32,
    /// How many processes there may be at a time.
    pub concurrency: usize,
}

impl FunctionSpec {
    /// A function that speaks to the emulator, with 30 seconds, 256 MB and one process.
    pub fn new(binary: impl Into<PathBuf>, name: &str, account: &Account) -> Self {
        Self {
            binary: binary.into(),
            name: name.to_owned(),
            account: account.id().to_owned(),
            endpoint_url: MiniStack::shared().url(),
            env: Vec::new(),
            timeout: Duration::from_secs(30),
            memory_mb: 256,
            concurrency: 1,
        }
    }

    /// Has the function speak to AWS through the proxy.
    #[must_use]
    pub fn endpoint(self, proxy: &Proxy) -> Self {
        Self {
            endpoint_url: proxy.url(),
            ..self
        }
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the time an invocation may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the number of processes there may be at a time.
    #[must_use]
    pub fn concurrency(self, concurrency: usize) -> Self {
        Self {
            concurrency,
            ..self
        }
    }

    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:lambda:{REGION}:{}:function:{}",
            self.account, self.name
        )
    }

    /// The whole environment but for the address of the Runtime API; of equal names the last counts.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let memory_mb = self.memory_mb.to_string();
        let log_group = format!("/aws/lambda/{}", self.name);
        let of_lambda = [
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.as_str()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory_mb),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", &self.account),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_ENDPOINT_URL", &self.endpoint_url),
            // A missing setting fails at once instead of asking an address that nobody has.
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("_HANDLER", "bootstrap"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
        ];
        let of_lambda = of_lambda
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        of_lambda.chain(self.env.iter().cloned()).collect()
    }
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// The function answered.
    Response(Value),
    /// The function answered with an error.
    Error(Value),
    /// The time was up; the process was killed.
    TimedOut,
    /// The process ended, or could not start, before there was an answer.
    Exited,
}

impl Invocation {
    /// The answer of an invocation that is expected to have succeeded.
    ///
    /// # Panics
    ///
    /// It did not.
    pub fn response(self) -> Value {
        match self {
            Self::Response(value) => value,
            other => panic!("expected a response, got {other:?}"),
        }
    }
}

/// A function. Clones are handles of the same one; its processes end with the last of them.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    spec: FunctionSpec,
    permits: Semaphore,
    idle: Mutex<Vec<Arc<Process>>>,
    /// Every process that may be alive.
    started: Mutex<Vec<Weak<Process>>>,
    log: Log,
    start_millis: Mutex<Vec<u64>>,
    /// The session token of a call whose process was to be killed, and was none of this function's.
    missed_kill: Mutex<Option<String>>,
    starts: AtomicUsize,
    requests: AtomicU64,
    peak_rss_kb: AtomicU64,
}

impl Function {
    /// Sets a function up. As in Lambda, a process starts when an invocation needs one.
    pub fn start(spec: FunctionSpec) -> Self {
        Self(Arc::new(Inner {
            permits: Semaphore::new(spec.concurrency),
            spec,
            idle: Mutex::default(),
            started: Mutex::default(),
            log: Log::default(),
            start_millis: Mutex::default(),
            missed_kill: Mutex::default(),
            starts: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            peak_rss_kb: AtomicU64::new(0),
        }))
    }

    /// What it was started with.
    pub fn spec(&self) -> &FunctionSpec {
        &self.0.spec
    }

    /// Invokes the function on an idle process, or on a new one; waits while all are busy.
    ///
    /// After [`Invocation::TimedOut`] and [`Invocation::Exited`] the process is dead.
    ///
    /// # Panics
    ///
    /// A process was to be killed for a call that none of this function's made.
    pub async fn invoke(&self, payload: &Value) -> Invocation {
        let _permit = self.0.permits.acquire().await;
        let Some(process) = self.ready_process().await else {
            return Invocation::Exited;
        };
        let request_id = self.next_request_id();
        let invocation = process
            .invoke(&request_id, payload, self.0.spec.timeout)
            .await;
        self.assert_no_kill_missed();
        self.note_memory(&process);
        if matches!(invocation, Invocation::Response(_) | Invocation::Error(_)) {
            lock(&self.0.idle).push(process);
        }
        invocation
    }

    /// How many processes have been started.
    pub fn starts(&self) -> usize {
        self.0.starts.load(Ordering::Relaxed)
    }

    /// For each process that got there, the milliseconds from its start to its first request for an
    /// invocation.
    pub fn start_millis(&self) -> Vec<u64> {
        lock(&self.0.start_millis).clone()
    }

    /// All lines that its processes wrote to stdout and stderr. A line written just before an answer may
    /// come a moment later; see [`wait_for_log`](Self::wait_for_log).
    pub fn log_lines(&self) -> Vec<String> {
        lock(&self.0.log).clone()
    }

    /// Waits until a line holds `text`, and returns the first that does.
    ///
    /// # Panics
    ///
    /// No line does within five seconds.
    pub async fn wait_for_log(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let lines = self.log_lines();
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(
                Instant::now() < deadline,
                "expected a line with `{text}` in:\n{}",
                lines.join("\n")
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The process ids of the living processes.
    pub fn pids(&self) -> Vec<u32> {
        self.living().iter().map(|process| process.pid).collect()
    }

    /// Resident memory in KiB: of its living processes, the largest.
    pub fn rss_kb(&self) -> u64 {
        self.living()
            .iter()
            .map(|process| process.resident().now_kb)
            .max()
            .unwrap_or_default()
    }

    /// The most resident memory in KiB that any of its processes had, as far as seen: at the end of each
    /// invocation, and now.
    pub fn peak_rss_kb(&self) -> u64 {
        for process in self.living() {
            self.note_memory(&process);
        }
        self.0.peak_rss_kb.load(Ordering::Relaxed)
    }

    /// Kills all processes (SIGKILL) and waits until they are dead. Invocations that run end as
    /// [`Invocation::Exited`]; the next starts a new process.
    pub async fn kill(&self) {
        for process in self.living() {
            process.kill().await;
        }
    }

    /// Kills the process whose credentials have this session token, and waits until it is dead; it may be so already.
    ///
    /// # Panics
    ///
    /// None of its processes had them. Whoever calls this may be a task that nobody waits for, so the next
    /// invocation panics, too.
    pub(crate) async fn kill_process_of(&self, session_token: &str) {
        let living = self.living();
        let process = living
            .iter()
            .find(|process| process.session_token == session_token);
        if let Some(process) = process {
            process.kill().await;
        } else if !self.has_started(session_token) {
            *lock(&self.0.missed_kill) = Some(session_token.to_owned());
            self.assert_no_kill_missed();
        }
    }

    fn assert_no_kill_missed(&self) {
        let missed = lock(&self.0.missed_kill).clone();
        assert!(
            missed.is_none(),
            "expected a process of `{}` to kill, got a call with the session token {missed:?}",
            self.0.spec.name
        );
    }

    /// A process that waits for an invocation. One that died idle is passed over, as Lambda does.
    async fn ready_process(&self) -> Option<Arc<Process>> {
        loop {
            let Some(idle) = lock(&self.0.idle).pop() else {
                break;
            };
            if idle.ready(&self.0.log).await {
                return Some(idle);
            }
        }
        self.start_process().await
    }

    async fn start_process(&self) -> Option<Arc<Process>> {
        let number = self.0.starts.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        let session_token = self.session_token(number);
        let process = Arc::new(Process::spawn(&self.0.spec, session_token, &self.0.log).await);
        lock(&self.0.started).push(Arc::downgrade(&process));
        if !process.ready(&self.0.log).await {
            return None;
        }
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        lock(&self.0.start_millis).push(millis);
        Some(process)
    }

    fn session_token(&self, number: usize) -> String {
        format!("{}-{number}", self.0.spec.name)
    }

    /// Whether one of its processes, alive or dead, has or had these credentials.
    fn has_started(&self, session_token: &str) -> bool {
        (0..self.starts()).any(|number| self.session_token(number) == session_token)
    }

    fn living(&self) -> Vec<Arc<Process>> {
        let mut started = lock(&self.0.started);
        started.retain(|process| process.strong_count() > 0);
        started
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|process| !process.has_ended())
            .collect()
    }

    fn note_memory(&self, process: &Process) {
        self.0
            .peak_rss_kb
            .fetch_max(process.resident().peak_kb, Ordering::Relaxed);
    }

    fn next_request_id(&self) -> String {
        let number = self.0.requests.fetch_add(1, Ordering::Relaxed);
        format!("00000000-0000-4000-8000-{number:012}")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
