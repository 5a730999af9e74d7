//! What one invocation counts.

use std::cell::RefCell;

use emf::Outcomes;

/// The function's name in its own metrics.
const FUNCTION: &str = "digest-validator";

/// Counts of one invocation.
#[derive(Debug)]
pub(crate) struct Counted(RefCell<Outcomes>);

impl Counted {
    pub(crate) fn new() -> Self {
        Counted(RefCell::new(Outcomes::new(FUNCTION)))
    }

    pub(crate) fn count(&self, metric: &str, n: u64) {
        self.0.borrow_mut().count(metric, n);
    }

    pub(crate) fn count_by(&self, metric: &str, dimension: &str, value: &str, n: u64) {
        self.0.borrow_mut().count_by(metric, dimension, value, n);
    }

    pub(crate) fn measure(&self, metric: &str, seconds: f64) {
        self.0.borrow_mut().measure(metric, seconds);
    }

    pub(crate) fn total(&self, metric: &str) -> u64 {
        self.0.borrow().total(metric)
    }

    pub(crate) fn lines(&self, namespace: &str, now_millis: i64) -> Vec<String> {
        self.0.borrow().lines(namespace, now_millis)
    }
}
