//! Many patterns held against one record.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use raw_json::{Object, Value, compact_object};

use crate::compare::{Condition, Operand, Selected};
use crate::json::{JsonPattern, Test};
use crate::logic::{Node, Tree};
use crate::pattern::{Kind, Pattern};
use crate::quick::{QuickScratch, QuickTrie};
use crate::trie::{Trie, WalkScratch};

/// 0 is that of a scratch which has served no set.
static NEXT_SET: AtomicU64 = AtomicU64::new(1);

/// Many patterns compiled together: what they ask of a record is found in one pass over its bytes.
///
/// Equal tests are evaluated once. A JSON pattern is looked at only if a test held that it cannot match
/// without, so that patterns a record has nothing to do with cost nothing. Patterns of the other
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
    quick: QuickTrie,
    /// Members of the record that are handed out.
    wanted: Vec<&'static str>,
    /// Tells sets apart whose scratches must not be mixed up.
    number: u64,
    formulas: Vec<Formula>,
    /// For each test the formulas that may be true once it held.
    awaited_by: Vec<Vec<usize>>,
    /// The tests that the quick walk leaves out: nobody waits for them.
    asked_later: Vec<Option<Later>>,
    /// The formulas that are looked at for every record.
    unawaited: Vec<usize>,
    /// Patterns that look at text, and those that match everything.
    others: Vec<(usize, Pattern)>,
}

/// One JSON pattern.
#[derive(Debug, Clone)]
struct Formula {
    /// Its place among the patterns of the set.
    pattern: usize,
    tree: Tree,
    /// For each test of the tree the test of the trie, and whether it must *not* have held.
    tests: Vec<(usize, bool)>,
    /// Those without which it cannot be true, as far as the quick walk asks them.
    required: Vec<(usize, bool)>,
}

/// A test that is asked when a formula gets to it.
#[derive(Debug, Clone)]
struct Later {
    test: Test,
    /// Where the walk notes what the selector selects; `None` for those that can select several values.
    noted: Option<usize>,
}

impl Later {
    /// What a walk over all tests would note: that the test holds; for `NOT EXISTS` that something is there.
    fn has_held(&self, record: Object<'_>, walk: &QuickScratch) -> bool {
        let Some((noted, record)) = self.noted.zip(record.indexed()) else {
            return self.test.has_held_in(record);
        };
        let value = walk.noted(noted).and_then(|place| record.at(place));
        match &self.test.condition {
            Condition::NotExists => value.is_some(),
            condition => {
                value.is_some_and(|value| condition.holds_for(&Selected::from(value.value())))
            }
        }
    }
}

/// Memory to work in, for one thread; made by [`PatternSet::scratch`].
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    walk: WalkScratch,
    quick: QuickScratch,
    /// The set that `quick` has served.
    set: u64,
    /// The call in which a test held last, and in which a formula was queued last.
    held: Vec<u64>,
    queued: Vec<u64>,
    /// The call in which a test that is asked later was asked last.
    asked: Vec<u64>,
    call: u64,
    queue: Vec<usize>,
    matches: Vec<usize>,
}

impl PatternSet {
    /// Compiles patterns together; they keep their order.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Self {
        Self::wanting(&[], patterns)
    }

    /// [`PatternSet::new`], for a caller that wants some members of each record: [`PatternSet::matches_and_members`] finds them on
    /// the way. The names are all different.
    pub fn wanting<'p>(
        wanted: &[&'static str],
        patterns: impl IntoIterator<Item = &'p Pattern>,
    ) -> Self {
        let mut set = PatternSet {
            wanted: wanted.to_vec(),
            ..PatternSet::default()
        };
        let mut known_tests = HashMap::new();
        let mut json_patterns = Vec::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            match pattern.kind() {
                Kind::Json(json) => {
                    set.add(index, json, &mut known_tests);
                    json_patterns.push(json);
                }
                _ => set.others.push((index, pattern.clone())),
            }
        }
        set.quick = set.await_tests(&json_patterns);
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
    /// many places as there are names.
    pub fn matches_and_members<'s, 'r>(
        &self,
        record: Object<'r>,
        scratch: &'s mut Scratch,
        members: &mut [Option<Value<'r>>],
    ) -> &'s [usize] {
        scratch.begin(self);
        members.fill(None);
        self.evaluate(record, scratch, members);
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

    fn evaluate<'r>(
        &self,
        record: Object<'r>,
        scratch: &mut Scratch,
        members: &mut [Option<Value<'r>>],
    ) {
        let call = scratch.call;
        scratch.queue.extend(&self.unawaited);
        let Scratch {
            held,
            queued,
            queue,
            ..
        } = scratch;
        let mut holds = |test: usize| {
            let is_new = |last: Option<&mut u64>| {
                last.is_some_and(|last| std::mem::replace(last, call) != call)
            };
            if !is_new(held.get_mut(test)) {
                return;
            }
            for formula in self.awaited_by.get(test).into_iter().flatten() {
                if is_new(queued.get_mut(*formula)) {
                    queue.push(*formula);
                }
            }
        };
        let quick = &mut scratch.quick;
        let indexed = record.indexed();
        let is_quick = match indexed.and_then(|record| self.quick.walk(record, quick, members)) {
            Some(tests) => {
                tests.iter().copied().for_each(holds);
                true
            }
            None => {
                self.find_members(record, members);
                let tests = self.trie.walk(record, &mut scratch.walk);
                tests.for_each(&mut holds);
                false
            }
        };
        let Scratch {
            held, asked, quick, ..
        } = scratch;
        let queue = scratch.queue.iter();
        for formula in queue.filter_map(|queued| self.formulas.get(*queued)) {
            let differs =
                |(id, negated): &(usize, bool)| (held.get(*id) == Some(&call)) == *negated;
            if formula.required.iter().any(differs) {
                continue;
            }
            let mut has_held = |id: usize| {
                let later = self.asked_later.get(id).and_then(Option::as_ref);
                if is_quick
                    && let Some(later) = later
                    && let (Some(asked), Some(held)) = (asked.get_mut(id), held.get_mut(id))
                    && std::mem::replace(asked, call) != call
                    && later.has_held(record, quick)
                {
                    *held = call;
                }
                held.get(id) == Some(&call)
            };
            let holds = |test: usize| {
                let known = formula.tests.get(test);
                known.is_some_and(|(test, negated)| has_held(*test) != *negated)
            };
            if formula.tree.decide(holds) {
                scratch.matches.push(formula.pattern);
            }
        }
    }

    fn find_members<'r>(&self, record: Object<'r>, members: &mut [Option<Value<'r>>]) {
        if self.wanted.is_empty() {
            return;
        }
        for (name, value) in record.members() {
            let place = self.wanted.iter().position(|wanted| name.equals(wanted));
            if let Some(place) = place.and_then(|place| members.get_mut(place)) {
                *place = Some(value);
            }
        }
    }

    fn add(
        &mut self,
        pattern: usize,
        json: &JsonPattern,
        known_tests: &mut HashMap<String, usize>,
    ) {
        let mut tests = Vec::with_capacity(json.tests.len());
        for test in &json.tests {
            let next = known_tests.len();
            let id = *known_tests.entry(test.text()).or_insert(next);
            if id == next {
                self.trie.add(&test.selector, &test.condition, id);
                self.awaited_by.push(Vec::new());
            }
            tests.push((id, test.condition == Condition::NotExists));
        }
        self.formulas.push(Formula {
            pattern,
            tree: json.tree.clone(),
            tests,
            required: Vec::new(),
        });
    }
}

impl PatternSet {
    /// Decides for each formula which tests to wait for. Returns the walk over those that are asked of every record: the awaited
    /// ones, and what costs next to nothing.
    fn await_tests(&mut self, patterns: &[&JsonPattern]) -> QuickTrie {
        let mut asked_always = vec![false; self.awaited_by.len()];
        // How many formulas have each test.
        let mut sharing = vec![0; self.awaited_by.len()];
        for (test, _) in self.formulas.iter().flat_map(|formula| &formula.tests) {
            if let Some(count) = sharing.get_mut(*test) {
                *count += 1;
            }
        }
        let formulas = self.formulas.iter().zip(patterns).enumerate();
        for (number, (formula, json)) in formulas {
            let shared_by = |test: usize| {
                let known = formula.tests.get(test);
                known.and_then(|(test, _)| sharing.get(*test)).copied()
            };
            let awaited = awaited_tests(json, |test| shared_by(test).unwrap_or(1));
            // What nearly always holds is not worth waiting for.
            let awaited = awaited.filter(|awaited| awaited.cost < OFTEN);
            for (place, (id, _)) in formula.tests.iter().enumerate() {
                let is_awaited = awaited
                    .as_ref()
                    .is_some_and(|awaited| awaited.tests.contains(&place));
                if let Some(formulas) = self.awaited_by.get_mut(*id).filter(|_| is_awaited) {
                    formulas.push(number);
                }
                if let Some(always) = asked_always.get_mut(*id) {
                    *always |= is_awaited || json.tests.get(place).is_some_and(is_cheap);
                }
            }
            if awaited.is_none() {
                self.unawaited.push(number);
            }
        }
        for (formula, json) in self.formulas.iter_mut().zip(patterns) {
            let tests = formula.tests.iter().enumerate();
            let is_asked = |id: usize| asked_always.get(id) == Some(&true);
            let required = tests.filter(|(place, (id, _))| is_asked(*id) && json.requires(*place));
            formula.required = required.map(|(_, test)| *test).collect();
        }
        let mut trie = Trie::default();
        self.asked_later = vec![None; asked_always.len()];
        let mut known = vec![false; asked_always.len()];
        let (mut selectors, mut noted) = (HashMap::new(), Vec::new());
        for (formula, json) in self.formulas.iter().zip(patterns) {
            for ((id, _), test) in formula.tests.iter().zip(&json.tests) {
                let is_known = known
                    .get_mut(*id)
                    .is_none_or(|known| std::mem::replace(known, true));
                match asked_always.get(*id) {
                    _ if is_known => {}
                    Some(true) => trie.add(&test.selector, &test.condition, *id),
                    _ => {
                        if let Some(later) = self.asked_later.get_mut(*id) {
                            let selector = &test.selector;
                            let next = noted.len();
                            let place = (!selector.has_wildcard()).then(|| {
                                let known = selectors.entry(selector.to_string());
                                *known.or_insert_with(|| {
                                    noted.push(selector);
                                    next
                                })
                            });
                            *later = Some(Later {
                                test: test.clone(),
                                noted: place,
                            });
                        }
                    }
                }
            }
        }
        trie.quick(&self.wanted, &noted)
    }
}

impl Scratch {
    fn begin(&mut self, set: &PatternSet) {
        self.call += 1;
        if self.set != set.number {
            self.set = set.number;
            self.quick = QuickScratch::default();
        }
        self.queue.clear();
        self.matches.clear();
        self.held
            .resize(set.awaited_by.len().max(self.held.len()), 0);
        self.asked
            .resize(set.awaited_by.len().max(self.asked.len()), 0);
        self.queued
            .resize(set.formulas.len().max(self.queued.len()), 0);
    }
}

/// Tests of one pattern to wait for, and what that costs.
#[derive(Debug, Clone)]
struct Awaited {
    tests: Vec<usize>,
    cost: usize,
}

/// What costs so much holds for nearly every record.
const OFTEN: usize = 1000;

/// Tests of which at least one holds whenever the pattern matches; those that seldom hold are
/// preferred, and those that few formulas have. `None` if the pattern can match though no test held.
fn awaited_tests(json: &JsonPattern, shared_by: impl Fn(usize) -> usize) -> Option<Awaited> {
    let mut awaited = json
        .tree
        .fold(|node, known: &[Option<Awaited>]| match node {
            Node::Test(test) => Some(Awaited {
                tests: vec![*test],
                cost: json
                    .tests
                    .get(*test)
                    .and_then(|known| cost(known, shared_by(*test)))?,
            }),
            // Whatever one of them waits for, all of them wait for.
            Node::All(children) => {
                let awaited = children
                    .iter()
                    .filter_map(|child| known.get(*child)?.as_ref());
                awaited.min_by_key(|awaited| awaited.cost).cloned()
            }
            Node::Any(children) => {
                let mut joined = Awaited {
                    tests: Vec::new(),
                    cost: 0,
                };
                for child in children {
                    let child = known.get(*child)?.as_ref()?;
                    joined.tests.extend(&child.tests);
                    joined.cost += child.cost;
                }
                Some(joined)
            }
        });
    awaited.pop()?
}

/// Is a test asked of every record that has the field, though nobody waits for it? Those are that one look-up or search answers for
/// all of their kind, and those whose selector has a wildcard: to ask them one by one would go through all members for each.
fn is_cheap(test: &Test) -> bool {
    match &test.condition {
        _ if test.selector.has_wildcard() => true,
        Condition::Equal(Operand::Expression(expression)) => !expression.required().is_empty(),
        Condition::NotEqual(_) | Condition::NotExists => false,
        Condition::Equal(_) | Condition::Ordered(..) | Condition::IsNull | Condition::Is(_) => true,
    }
}

/// A rough guess what it costs to ask a test of every record, and to go on where it holds; `None` for one that asks for
/// nothing to be there.
fn cost(test: &Test, shared_by: usize) -> Option<usize> {
    match &test.condition {
        Condition::NotExists => None,
        Condition::Equal(Operand::Text(glob)) if glob.matches_everything() => Some(OFTEN),
        Condition::Equal(Operand::Text(glob)) if glob.literal().is_none() => Some(40),
        Condition::Equal(Operand::Expression(expression)) => match expression.required() {
            [] => Some(300),
            _ => Some(60),
        },
        // The more patterns have it, the more there is to do where it holds.
        Condition::Equal(_) => Some(10 + shared_by.min(200)),
        Condition::Ordered(..) | Condition::IsNull | Condition::Is(_) => Some(60),
        Condition::NotEqual(_) => Some(OFTEN),
    }
}
