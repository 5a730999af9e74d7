//! Threads that do one thing at a time and answer to a future.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_channel::oneshot;

/// What is to be done. It returns what tells the result.
type Work = Box<dyn FnOnce() -> Answer + Send>;
type Answer = Box<dyn FnOnce()>;

/// A thread tells so many results at once, as long as there is something else to do: whoever waits for them is woken
/// once.
const MOST_ANSWERS: usize = 8;

/// As many threads as there are cores; they end when it is dropped and their work is done.
pub(crate) struct Pool {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    is_more: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    idle_threads: usize,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new() -> Self {
        let queue = Arc::new(Queue::default());
        let threads = thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.work());
        }
        Pool { queue }
    }

    /// What the work results in; `None` if it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Box::new(move || {
            let result = work();
            // Whoever has asked may be gone.
            Box::new(move || _ = answer.send(result))
        }));
        answered.await.ok()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.is_more.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, work: Work) {
        let mut state = self.lock();
        state.waiting.push_back(work);
        if state.idle_threads > 0 {
            self.is_more.notify_one();
        }
    }

    /// Waits for something to do; `None` when there will be nothing more.
    fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.waiting.pop_front() {
                return Some(work);
            }
            if state.is_closed {
                return None;
            }
            state.idle_threads += 1;
            let woken = self.is_more.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.idle_threads -= 1;
        }
    }

    fn work(&self) {
        let mut answers: Vec<Answer> = Vec::with_capacity(MOST_ANSWERS);
        while let Some(first) = self.next() {
            let mut next = Some(first);
            while let Some(work) = next {
                // A panic is one result that does not come, and costs nobody else anything.
                let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                answers.extend(answer);
                next = match answers.len() < MOST_ANSWERS {
                    true => self.lock().waiting.pop_front(),
                    false => None,
                };
            }
            answers.drain(..).for_each(|answer| answer());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use futures_util::future::join_all;

    use super::*;

    #[test]
    fn all_that_is_asked_for_is_answered() {
        let pool = Pool::new();
        let asked = (0..1_000).map(|number| pool.run(move || number * 2));
        let answers = block_on(join_all(asked));
        let expected: Vec<_> = (0..1_000).map(|number| Some(number * 2)).collect();
        assert_eq!(answers, expected);
    }

    #[test]
    fn a_panic_is_no_answer_and_the_others_come() {
        let pool = Pool::new();
        let asked = (0..200).map(|number| pool.run(move || assert_ne!(number % 7, 0)));
        let answers = block_on(join_all(asked));
        assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 29);
    }
}
