//! Runs a future to its end, or to where the process died.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that waits for nothing but ports in memory. `None` if a request was never answered.
pub fn run<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    // Futures that wait for several others may want to be polled again.
    for _ in 0..64 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}
