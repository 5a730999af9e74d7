//! Many patterns held against one record.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use raw_json::{IndexedValue, Object, Value, compact_object};

use crate::compare::{Condition, Selected};
use crate::json::JsonPattern;
use crate::pattern::{Kind, Pattern};
use crate::plan::Plan;
use crate::program::{Asked, Programs};
use crate::quick::{GivenUp, QuickNodeId, QuickScratch, QuickTrie, QuickWalk};
use crate::trie::{TestId, Trie, WalkScratch};

/// 0 is that of a scratch which has served no set.
static NEXT_SET: AtomicU64 = AtomicU64::new(1);

/// Many patterns compiled together: what they ask of a record is found together, each part of it read once.
///
/// Equal tests are evaluated once. A JSON pattern is looked at only if a test held that it cannot match
/// without, if it has one, so that patterns a record has nothing to do with cost nothing. Patterns of the other
/// languages are held one by one against the compact serialization, made once.
///
/// ```
/// use filter_pattern::{PatternSet, compile};
/// let patterns = [compile("{ $.a = 1 }")?, compile("{ $.b NOT EXISTS }")?];
/// let set = PatternSet::new(&patterns);
/// let record = raw_json::Object::parse(br#"{ "a": 2 }"#).unwrap();
/// assert_eq!(set.matches(record, &mut set.scratch()), [1]);
/// # Ok::<(), filter_pattern::CompileError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct PatternSet {
    trie: Trie,
    pub(crate) quick: Option<QuickTrie>,
    /// Members of the record that are handed out, and where the quick walk meets them.
    pub(crate) wanted: Vec<(&'static str, QuickNodeId)>,
    pub(crate) always_wanted: usize,
    /// Tells sets apart whose scratches must not be mixed up.
    number: u64,
    /// The JSON patterns.
    pub(crate) formulas: Programs,
    /// For each test where its part of `awaiting` begins; one more at the end.
    pub(crate) awaited_from: Vec<u32>,
    /// The formulas that may be true once a test held.
    pub(crate) awaiting: Vec<Awaiting>,
    /// For each test that the quick walk leaves out its place in `later`.
    pub(crate) later_of: Vec<u32>,
    pub(crate) later: Vec<Later>,
    /// The formulas that are looked at for every record.
    pub(crate) unawaited: Vec<u32>,
    /// Patterns that look at text, and those that match everything.
    others: Vec<(usize, Pattern)>,
}

/// What is known of the records that patterns will be held against; it changes no result.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordHints<'h> {
    /// Names of members that are wanted, all different: [`PatternSet::matches_and_members`] finds them on the way.
    pub wanted: &'h [&'static str],
    /// How many of them, the first ones, are wanted of every record; the others only of those that some pattern matches.
    pub always_wanted: usize,
    /// Selectors of values that are the same in many records, so that equality with one tells little.
    pub few_values: &'h [&'h str],
}

/// One JSON pattern, on the way to its program.
#[derive(Debug, Clone)]
pub(crate) struct Formula {
    /// Its place among the patterns of the set.
    pub(crate) pattern: usize,
    /// For each test of its tree the test of the trie, and whether it must *not* have held.
    pub(crate) tests: Vec<Asked>,
}

/// A formula that waits for a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaiting {
    pub(crate) formula: u32,
    /// A further test without which it cannot be true, or [`NO_GUARD`].
    pub(crate) guard: u32,
}

/// A test that is asked when a formula gets to it.
#[derive(Debug, Clone)]
pub(crate) enum Later {
    /// Of the value at a node.
    One(Condition, QuickNodeId),
    /// Behind a wildcard: it is asked together with all others of the values at a node.
    Swept(QuickNodeId),
}

/// Memory to work in, for one thread; made by [`PatternSet::scratch`].
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    walk: WalkScratch,
    quick: QuickScratch,
    /// The set that `quick` has served.
    set: u64,
    tests: TestScratch,
    /// The call in which a formula was queued last.
    queued: Vec<u32>,
    queue: Vec<u32>,
    matches: Vec<usize>,
}

/// What is known of the tests in this call.
#[derive(Debug, Clone, Default)]
struct TestScratch {
    /// Not 0.
    call: u32,
    /// The call in which a test held last.
    held: Vec<u32>,
    /// The call in which a test that is asked later was asked last.
    asked: Vec<u32>,
}

impl TestScratch {
    #[inline]
    fn has_held(&self, test: TestId) -> bool {
        self.held.get(test) == Some(&self.call)
    }

    #[inline]
    fn note(&mut self, test: TestId) {
        if let Some(held) = self.held.get_mut(test) {
            *held = self.call;
        }
    }

    /// Is it asked for the first time in this call?
    fn is_first(&mut self, test: TestId) -> bool {
        let asked = self.asked.get_mut(test);
        asked.is_some_and(|asked| std::mem::replace(asked, self.call) != self.call)
    }

    /// Asks a test, unless it was asked before: what a walk over all tests would have noted.
    fn ask(
        &mut self,
        test: TestId,
        later: &Later,
        walk: &mut QuickWalk<'_, '_>,
    ) -> Result<(), GivenUp> {
        if !self.is_first(test) {
            return Ok(());
        }
        match later {
            Later::One(condition, node) => {
                let value = walk.value_at(*node);
                let has_held = match condition {
                    // For `NOT EXISTS` that something is there.
                    Condition::NotExists => value.is_some(),
                    condition => value
                        .is_some_and(|value| condition.holds_for(&Selected::from(value.value()))),
                };
                if has_held {
                    self.note(test);
                }
            }
            Later::Swept(node) => {
                let before = walk.log().len();
                walk.sweep(*node)?;
                let more = walk.log().get(before..).unwrap_or_default();
                more.iter().for_each(|test| self.note(*test));
            }
        }
        Ok(())
    }
}

impl PatternSet {
    /// Compiles patterns together; they keep their order.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Self {
        Self::with_hints(RecordHints::default(), patterns)
    }

    /// [`PatternSet::new`], for records of which something is known.
    pub fn with_hints<'p>(
        hints: RecordHints<'_>,
        patterns: impl IntoIterator<Item = &'p Pattern>,
    ) -> Self {
        let mut set = PatternSet::default();
        let mut known_tests = HashMap::new();
        let (mut formulas, mut json_patterns) = (Vec::new(), Vec::new());
        for (index, pattern) in patterns.into_iter().enumerate() {
            match pattern.kind() {
                Kind::Json(json) => {
                    formulas.push(set.formula(index, json, &mut known_tests));
                    json_patterns.push(json);
                }
                _ => set.others.push((index, pattern.clone())),
            }
        }
        let plan = Plan::of(&formulas, &json_patterns, known_tests.len(), hints);
        plan.carry_out(&formulas, &json_patterns, hints, &mut set);
        set.number = NEXT_SET.fetch_add(1, Ordering::Relaxed);
        set
    }

    /// Memory to work in. Any set can use any scratch; a new one costs allocations.
    pub fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    /// The places of the patterns that match a record, ascending: those for which
    /// [`Pattern::matches_record`] is true.
    pub fn matches<'s>(&self, record: Object<'_>, scratch: &'s mut Scratch) -> &'s [usize] {
        self.matches_and_members(record, scratch, &mut [])
    }

    /// [`PatternSet::matches`], and the members that are wanted, each in its place; of duplicates the last one. `members` has as
    /// many places as there are names; those that are wanted of matching records only mean nothing if none matches.
    pub fn matches_and_members<'s, 'r>(
        &self,
        record: Object<'r>,
        scratch: &'s mut Scratch,
        members: &mut [Option<Value<'r>>],
    ) -> &'s [usize] {
        scratch.begin(self);
        if self.evaluate_quickly(record, scratch, members) == Err(GivenUp) {
            scratch.begin(self);
            self.evaluate(record, scratch, members);
        }
        let mut text = None;
        for (index, pattern) in &self.others {
            let matches = match pattern.kind() {
                Kind::MatchAll => true,
                _ => pattern.matches_text(text.get_or_insert_with(|| compact_object(record))),
            };
            if matches {
                scratch.matches.push(*index);
            }
        }
        scratch.matches.sort_unstable();
        &scratch.matches
    }

    /// Through the index of the record; where that does not do everything is void.
    fn evaluate_quickly<'r>(
        &self,
        record: Object<'r>,
        scratch: &mut Scratch,
        members: &mut [Option<Value<'r>>],
    ) -> Result<(), GivenUp> {
        let Scratch {
            quick,
            tests,
            queued,
            queue,
            matches,
            ..
        } = scratch;
        let quick_trie = self.quick.as_ref().ok_or(GivenUp)?;
        let mut walk = quick_trie.walk(record.indexed().ok_or(GivenUp)?, quick)?;
        self.queue(walk.log().iter().copied(), tests, queued, queue);
        for formula in queue.iter() {
            let mut outcome = Ok(());
            let has_held = |test: TestId, is_later: bool| {
                if is_later
                    && outcome.is_ok()
                    && let Some(later) = self.later(test)
                {
                    outcome = tests.ask(test, later, &mut walk);
                }
                tests.has_held(test)
            };
            matches.extend(self.formulas.decide(*formula, has_held));
            outcome?;
        }
        let wanted = match matches.is_empty() && self.others.is_empty() {
            true => self.always_wanted,
            false => self.wanted.len(),
        };
        for ((_, node), member) in self.wanted.iter().zip(members).take(wanted) {
            *member = walk.value_at(*node).map(IndexedValue::value);
        }
        Ok(())
    }

    fn evaluate<'r>(
        &self,
        record: Object<'r>,
        scratch: &mut Scratch,
        members: &mut [Option<Value<'r>>],
    ) {
        self.find_members(record, members);
        let Scratch {
            walk,
            tests,
            queued,
            queue,
            matches,
            ..
        } = scratch;
        let held: Vec<TestId> = self.trie.walk(record, walk).collect();
        self.queue(held.iter().copied(), tests, queued, queue);
        for formula in queue.iter() {
            let owner = self
                .formulas
                .decide(*formula, |test, _| tests.has_held(test));
            matches.extend(owner);
        }
    }

    /// Notes the tests that held and queues the formulas that may be true.
    fn queue(
        &self,
        held: impl Iterator<Item = TestId> + Clone,
        tests: &mut TestScratch,
        queued: &mut [u32],
        queue: &mut Vec<u32>,
    ) {
        held.clone().for_each(|test| tests.note(test));
        queue.extend(&self.unawaited);
        for test in held {
            for awaiting in self.awaiting(test) {
                let is_possible =
                    awaiting.guard == NO_GUARD || tests.has_held(awaiting.guard as TestId);
                if is_possible
                    && let Some(queued) = queued.get_mut(awaiting.formula as usize)
                    && std::mem::replace(queued, tests.call) != tests.call
                {
                    queue.push(awaiting.formula);
                }
            }
        }
    }

    fn awaiting(&self, test: TestId) -> &[Awaiting] {
        let from = self.awaited_from.get(test..).and_then(<[u32]>::first_chunk);
        let range = from.map(|[from, to]| *from as usize..*to as usize);
        range
            .and_then(|range| self.awaiting.get(range))
            .unwrap_or_default()
    }

    fn later(&self, test: TestId) -> Option<&Later> {
        let place = self.later_of.get(test)?;
        self.later.get(*place as usize)
    }

    fn find_members<'r>(&self, record: Object<'r>, members: &mut [Option<Value<'r>>]) {
        members.fill(None);
        if self.wanted.is_empty() {
            return;
        }
        for (name, value) in record.members() {
            let mut wanted = self.wanted.iter();
            let place = wanted.position(|(wanted, _)| name.equals(wanted));
            if let Some(place) = place.and_then(|place| members.get_mut(place)) {
                *place = Some(value);
            }
        }
    }

    /// Adds the tests of a pattern.
    fn formula(
        &mut self,
        pattern: usize,
        json: &JsonPattern,
        known_tests: &mut HashMap<String, TestId>,
    ) -> Formula {
        let mut tests = Vec::with_capacity(json.tests.len());
        for test in &json.tests {
            let next = known_tests.len();
            let id = *known_tests.entry(test.text()).or_insert(next);
            if id == next {
                self.trie.add(&test.selector, &test.condition, id);
            }
            tests.push((id, test.condition == Condition::NotExists));
        }
        Formula { pattern, tests }
    }
}

/// Nothing more to ask before a formula is queued.
pub(crate) const NO_GUARD: u32 = u32::MAX;

impl Scratch {
    fn begin(&mut self, set: &PatternSet) {
        if self.set != set.number {
            self.set = set.number;
            self.quick = QuickScratch::default();
        }
        self.queue.clear();
        self.matches.clear();
        let tests = &mut self.tests;
        let count = set.later_of.len();
        if tests.call == u32::MAX {
            // What was noted under the same numbers long ago must not be taken for new.
            (tests.call, tests.held, tests.asked) = (0, Vec::new(), Vec::new());
            self.queued.clear();
        }
        tests.call += 1;
        tests.held.resize(count.max(tests.held.len()), 0);
        tests.asked.resize(count.max(tests.asked.len()), 0);
        self.queued
            .resize(set.formulas.len().max(self.queued.len()), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;

    #[test]
    fn what_held_long_ago_under_the_same_number_is_forgotten() {
        let patterns = [compile("{ $.a = 1 && $.b = 1 }").unwrap()];
        let set = PatternSet::new(&patterns);
        let mut scratch = set.scratch();
        let record = |text: &'static str| Object::parse(text.as_bytes()).unwrap();
        assert_eq!(set.matches(record(r#"{"a":1,"b":1}"#), &mut scratch), [0]);
        scratch.tests.call = u32::MAX;
        for _ in 0..3 {
            let found = set.matches(record(r#"{"a":1}"#), &mut scratch);
            assert!(found.is_empty());
        }
        assert_eq!(set.matches(record(r#"{"a":1,"b":1}"#), &mut scratch), [0]);
    }
}
