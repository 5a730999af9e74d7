//! Formulas laid out one behind the other, so that to decide one reads one place of memory.

use crate::logic::{Next, Tree};
use crate::trie::TestId;

/// Formulas, by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs {
    steps: Vec<Step>,
    /// For each formula its first step, and whom it belongs to.
    starts: Vec<(u32, u32)>,
}

/// A test, and the steps its outcome leads to, counted from the first one of the formula.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The test, with [`NEGATED`] and [`LATER`].
    test: u32,
    if_true: u32,
    if_false: u32,
}

/// The step is true if the test has not held.
const NEGATED: u32 = 1 << 31;
/// The test is not among those that are known from the start.
const LATER: u32 = 1 << 30;

const IS_TRUE: u32 = u32::MAX;
const IS_FALSE: u32 = u32::MAX - 1;

/// What a step asks: a test, and whether it must *not* have held.
pub(crate) type Asked = (TestId, bool);

impl Programs {
    /// Adds a formula: without all of `required` it cannot be true, so they are asked first. `tests` are those of the tree.
    pub(crate) fn add(
        &mut self,
        owner: usize,
        required: &[Asked],
        tree: &Tree,
        tests: &[Asked],
        is_later: impl Fn(TestId) -> bool,
    ) {
        self.starts.push((self.steps.len() as u32, owner as u32));
        let step = |(test, is_negated): &Asked, if_true, if_false| {
            let negated = if *is_negated { NEGATED } else { 0 };
            let later = if is_later(*test) { LATER } else { 0 };
            Step {
                test: *test as u32 | negated | later,
                if_true,
                if_false,
            }
        };
        let before = required.len() as u32;
        let first = required
            .iter()
            .zip(1..)
            .map(|(asked, next)| step(asked, next, IS_FALSE));
        self.steps.extend(first);
        let target = |next| match next {
            Next::Test(test) => before + test as u32,
            Next::Decided(true) => IS_TRUE,
            Next::Decided(false) => IS_FALSE,
        };
        let tests = tests.iter().zip(tree.jumps());
        let tests = tests
            .map(|(asked, (if_true, if_false))| step(asked, target(if_true), target(if_false)));
        self.steps.extend(tests);
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whom the formula belongs to, if it is true. `has_held` tells which tests have, and hears whether a test is among those that
    /// are asked later.
    #[inline]
    pub(crate) fn decide(
        &self,
        formula: u32,
        mut has_held: impl FnMut(TestId, bool) -> bool,
    ) -> Option<usize> {
        let (start, owner) = self.starts.get(formula as usize)?;
        let steps = self.steps.get(*start as usize..)?;
        // INVARIANT: steps lead forward, so this ends.
        let mut next = 0;
        while let Some(step) = steps.get(next as usize) {
            let test = (step.test & !(NEGATED | LATER)) as TestId;
            let holds = has_held(test, step.test & LATER != 0) != (step.test & NEGATED != 0);
            next = if holds { step.if_true } else { step.if_false };
        }
        (next == IS_TRUE).then_some(*owner as usize)
    }
}
