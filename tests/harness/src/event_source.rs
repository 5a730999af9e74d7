//! Plays Lambda's event source mapping for an SQS queue, with `ReportBatchItemFailures`.
//!
//! Pollers receive a batch, invoke the function, and delete what did not fail. What failed becomes
//! visible again when its visibility timeout ends, as on AWS; tests keep that short. The messages of a
//! FIFO group are locked by the queue while one of them is in flight, so no two invocations have
//! messages of one group.
//!
//! Source: Lambda Developer Guide, "Using Lambda with Amazon SQS". Out of scope: batching windows,
//! filter criteria, scaling and back-off.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Account, Depth, Function, Invocation, Message, Queue, failed_messages, sqs_event};

/// Between two looks at a queue that gives nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// A queue that feeds a function.
#[derive(Clone)]
pub struct EventSource {
    account: Account,
    queue: Queue,
    function: Function,
    batch_size: usize,
    concurrency: usize,
}

/// One invocation that an event source made.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The messages, as received.
    pub messages: Vec<Message>,
    /// How the invocation ended.
    pub invocation: Invocation,
    /// The ids of the messages that were not deleted.
    pub failed: Vec<String>,
    /// When the function was invoked.
    pub started: Instant,
    /// When the invocation ended.
    pub ended: Instant,
}

/// What an event source did, in order of the ends of the invocations.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The invocations.
    pub batches: Vec<Batch>,
}

impl Report {
    /// How many messages were deleted.
    pub fn deleted(&self) -> usize {
        self.batches
            .iter()
            .map(|batch| batch.messages.len() - batch.failed.len())
            .sum()
    }

    /// How many times a message was not deleted after an invocation.
    pub fn failed(&self) -> usize {
        self.batches.iter().map(|batch| batch.failed.len()).sum()
    }
}

/// When to stop looking for messages.
#[derive(Clone, Copy)]
enum Until {
    /// Nothing is on the queue.
    Empty,
    /// Nothing is visible and no invocation runs.
    Idle,
    /// Told to.
    Stopped,
}

/// What the pollers of one run share.
struct Run {
    source: EventSource,
    until: Until,
    report: Mutex<Report>,
    /// Pollers that have messages in their hands.
    busy: Mutex<usize>,
    stop: watch::Receiver<bool>,
}

impl EventSource {
    /// A queue that feeds a function in batches of up to ten, with as many pollers as the function may
    /// have processes.
    pub fn new(account: &Account, queue: &Queue, function: &Function) -> Self {
        Self {
            account: account.clone(),
            queue: queue.clone(),
            function: function.clone(),
            batch_size: 10,
            concurrency: function.spec().concurrency,
        }
    }

    /// Sets the number of messages in a batch, 1 to 10.
    #[must_use]
    pub fn batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Sets the number of pollers. More than the function has processes makes messages wait in flight.
    #[must_use]
    pub fn concurrency(self, concurrency: usize) -> Self {
        Self {
            concurrency,
            ..self
        }
    }

    /// Runs until the queue is empty: nothing visible, nothing in flight.
    ///
    /// # Panics
    ///
    /// It is not empty in time; the message shows what is left and the last lines of the function.
    pub async fn drain(&self, timeout: Duration) -> Report {
        self.run_to_end(Until::Empty, timeout).await
    }

    /// Runs until nothing is visible and no invocation runs; messages that failed may be in flight.
    ///
    /// # Panics
    ///
    /// It does not come to that in time.
    pub async fn run_until_idle(&self, timeout: Duration) -> Report {
        self.run_to_end(Until::Idle, timeout).await
    }

    /// Runs for a time, whatever happens, and then to the end of the invocations that run.
    pub async fn run_for(&self, duration: Duration) -> Report {
        let poller = self.start();
        tokio::time::sleep(duration).await;
        poller.stop().await
    }

    /// Runs in the background.
    pub fn start(&self) -> Poller {
        let (stop, stopped) = watch::channel(false);
        let run = self.run(Until::Stopped, stopped);
        Poller {
            pollers: run.spawn(),
            run,
            stop,
        }
    }

    async fn run_to_end(&self, until: Until, timeout: Duration) -> Report {
        let (stop, stopped) = watch::channel(false);
        let run = self.run(until, stopped);
        let mut pollers = run.spawn();
        let ended = tokio::time::timeout(timeout, join(&mut pollers))
            .await
            .is_ok();
        drop(stop);
        if !ended {
            let depth = self.account.queue_depth(&self.queue).await;
            self.panic_with(depth, timeout, &run.report());
        }
        run.report()
    }

    fn run(&self, until: Until, stop: watch::Receiver<bool>) -> Arc<Run> {
        Arc::new(Run {
            source: self.clone(),
            until,
            report: Mutex::default(),
            busy: Mutex::default(),
            stop,
        })
    }

    fn panic_with(&self, depth: Depth, timeout: Duration, report: &Report) -> ! {
        let lines = self.function.log_lines();
        let tail = lines
            .get(lines.len().saturating_sub(30)..)
            .unwrap_or_default()
            .join("\n");
        panic!(
            "expected `{}` to be done with after {timeout:?}, got {depth:?} after {} invocations \
             ({} deleted, {} failed); the function's last lines:\n{tail}",
            self.queue.name,
            report.batches.len(),
            report.deleted(),
            report.failed(),
        )
    }

    /// Invokes the function on a batch and deletes what did not fail.
    async fn invoke_on(&self, messages: Vec<Message>) -> Batch {
        let started = Instant::now();
        let invocation = self
            .function
            .invoke(&sqs_event(&self.queue, &messages))
            .await;
        let ended = Instant::now();
        let failed: Vec<String> = match &invocation {
            Invocation::Response(answer) => {
                failed_messages(answer, &messages).into_iter().collect()
            }
            _ => messages.iter().map(|message| message.id.clone()).collect(),
        };
        for message in messages
            .iter()
            .filter(|message| !failed.contains(&message.id))
        {
            self.account
                .delete_message(&self.queue, &message.receipt_handle)
                .await;
        }
        Batch {
            messages,
            invocation,
            failed,
            started,
            ended,
        }
    }
}

impl Run {
    fn spawn(self: &Arc<Self>) -> JoinSet<()> {
        (0..self.source.concurrency)
            .map(|_| poll(Arc::clone(self)))
            .collect()
    }

    fn report(&self) -> Report {
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change_busy(&self, change: impl Fn(&mut usize)) {
        change(&mut self.busy.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn is_over(&self) -> bool {
        match self.until {
            Until::Stopped => false,
            Until::Empty => {
                self.source
                    .account
                    .queue_depth(&self.source.queue)
                    .await
                    .total()
                    == 0
            }
            Until::Idle => {
                let visible = self
                    .source
                    .account
                    .queue_depth(&self.source.queue)
                    .await
                    .visible;
                visible == 0 && *self.busy.lock().unwrap_or_else(PoisonError::into_inner) == 0
            }
        }
    }
}

/// Receives and handles batches until the run is over.
async fn poll(run: Arc<Run>) {
    let EventSource {
        account,
        queue,
        batch_size,
        ..
    } = &run.source;
    while !*run.stop.borrow() {
        run.change_busy(|busy| *busy += 1);
        let messages = account
            .receive_messages(queue, *batch_size, Duration::ZERO)
            .await;
        let received = !messages.is_empty();
        if received {
            let batch = run.source.invoke_on(messages).await;
            run.report
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .batches
                .push(batch);
        }
        run.change_busy(|busy| *busy -= 1);
        if !received {
            if run.is_over().await {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Waits for all pollers; a panic in one is a panic here.
async fn join(pollers: &mut JoinSet<()>) {
    while let Some(ended) = pollers.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// An event source that runs in the background; dropping it gives up what is in flight.
pub struct Poller {
    run: Arc<Run>,
    pollers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Poller {
    /// What it has done so far.
    pub fn report(&self) -> Report {
        self.run.report()
    }

    /// Receives no more, waits for the invocations that run, and returns what was done.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        join(&mut self.pollers).await;
        self.run.report()
    }
}
