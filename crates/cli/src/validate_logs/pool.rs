//! Threads that do one thing at a time and answer to a future.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use futures_channel::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// As many threads as there are cores; they end when it is dropped and their work is done.
pub(crate) struct Pool {
    work: mpsc::Sender<Work>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        let (work, waiting) = mpsc::channel::<Work>();
        let waiting = Arc::new(Mutex::new(waiting));
        let threads = thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            thread::spawn(move || {
                loop {
                    let next = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .recv();
                    let Ok(work) = next else { return };
                    work();
                }
            });
        }
        Pool { work }
    }

    /// What the work results in; `None` if it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move || {
            // Whoever has asked may be gone.
            let _ = answer.send(work());
        });
        self.work.send(work).ok()?;
        answered.await.ok()
    }
}
