//! Runs of a stack to its end, and many of them at a time.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets anything but what it expects shall fail; each test uses what it needs"
)]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Account, EventSource, Queue, Stack};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(90);

/// Between two looks at a queue whose messages are all in flight: shorter would keep the emulator, which
/// all runs share, from its work.
const PAUSE: Duration = Duration::from_millis(100);

/// Feeds a function until its queue is empty.
pub(crate) async fn settle(account: &Account, queue: &Queue, source: &EventSource) {
    let started = Instant::now();
    loop {
        source.run_until_idle(SOON).await;
        let depth = account.queue_depth(queue).await;
        if depth.total() == 0 {
            return;
        }
        assert!(
            started.elapsed() < SOON,
            "expected `{}` to be empty, found {depth:?}",
            queue.name
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs both functions of a stack until both queues are empty.
pub(crate) async fn settle_all(stack: &Stack) {
    settle(&stack.account, &stack.log_files, &stack.log_file_source()).await;
    settle(&stack.account, &stack.matches, &stack.match_source()).await;
}

/// Runs `run` for each input, so many at a time; returns what they returned, in the order of inputs.
///
/// # Panics
///
/// One of them did. All run to their end before; each that panicked is named.
pub(crate) async fn in_parallel<I, T, F>(
    at_a_time: usize,
    inputs: Vec<I>,
    run: impl Fn(I) -> F,
) -> Vec<T>
where
    I: Debug,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(at_a_time));
    let mut running = JoinSet::new();
    for (index, input) in inputs.into_iter().enumerate() {
        let (permits, name) = (Arc::clone(&permits), format!("{input:?}"));
        let run = run(input);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let ended = tokio::spawn(run).await;
            (index, name, ended)
        });
    }
    let mut done = Vec::new();
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next().await {
        match ended.expect("a task that only waits") {
            (index, _, Ok(value)) => done.push((index, value)),
            (_, name, Err(error)) => failed.push(format!("{name}: {}", reason(error))),
        }
    }
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n\n")
    );
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, value)| value).collect()
}

fn reason(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "a panic without words".to_owned()),
        Err(error) => error.to_string(),
    }
}
