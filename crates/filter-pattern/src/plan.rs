//! Which tests are asked of every record, and which formulas wait for them.
//!
//! Most patterns match hardly any record, and most of them have a test that tells. So each formula waits for one that seldom holds and
//! costs little to ask; what else it asks is asked when that one held. Nothing of this changes what matches.

use std::collections::HashSet;

use crate::compare::{Condition, Operand};
use crate::json::{JsonPattern, Test};
use crate::logic::Node;
use crate::program::Asked;
use crate::selector::{Selector, Step};
use crate::set::{Awaiting, Formula, Later, NO_GUARD, PatternSet, RecordHints};
use crate::trie::{TestId, Trie};

/// What was decided.
pub(crate) struct Plan {
    /// For each formula the tests it waits for; `None` if it has to be looked at for every record.
    awaited: Vec<Option<Vec<TestId>>>,
    /// The tests that are asked of every record.
    asked_always: Vec<bool>,
}

impl Plan {
    /// `patterns` belong to the formulas, one each.
    pub(crate) fn of(
        formulas: &[Formula],
        patterns: &[&JsonPattern],
        tests: usize,
        hints: RecordHints<'_>,
    ) -> Self {
        let few_values: Vec<Selector> = hints
            .few_values
            .iter()
            .filter_map(|selector| Selector::parse(selector).ok())
            .collect();
        let few_values: HashSet<&[Step]> = few_values.iter().map(Selector::steps).collect();
        // How many formulas have each test.
        let mut sharing = vec![0; tests];
        for (test, _) in formulas.iter().flat_map(|formula| &formula.tests) {
            if let Some(count) = sharing.get_mut(*test) {
                *count += 1;
            }
        }
        let all = || formulas.iter().zip(patterns);
        let awaited: Vec<Option<Vec<TestId>>> = all()
            .map(|(formula, json)| {
                let cost_of = |place: usize| {
                    let (test, (id, _)) = json.tests.get(place).zip(formula.tests.get(place))?;
                    let has_few_values = few_values.contains(test.selector.steps());
                    cost(test, sharing.get(*id).copied().unwrap_or(1), has_few_values)
                };
                let awaited = awaited_tests(json, cost_of);
                // What nearly always holds is not worth waiting for.
                let awaited = awaited.filter(|awaited| awaited.cost < OFTEN)?;
                let tests = awaited.tests.iter();
                Some(
                    tests
                        .filter_map(|place| Some(formula.tests.get(*place)?.0))
                        .collect(),
                )
            })
            .collect();
        let mut asked_always = vec![false; tests];
        for test in awaited.iter().flatten().flatten() {
            if let Some(always) = asked_always.get_mut(*test) {
                *always = true;
            }
        }
        // What one look-up or search answers together with awaited tests costs next to nothing.
        let each_test = || all().flat_map(|(formula, json)| json.tests.iter().zip(&formula.tests));
        let is_awaited = |id: &TestId| asked_always.get(*id) == Some(&true);
        let looked_up: HashSet<&[Step]> = each_test()
            .filter(|(_, (id, _))| is_awaited(id))
            .map(|(test, _)| test.selector.steps())
            .collect();
        let besides: Vec<TestId> = each_test()
            .filter(|(test, _)| {
                let steps = test.selector.steps();
                is_cheap(test) && looked_up.contains(steps) && !few_values.contains(steps)
            })
            .map(|(_, (id, _))| *id)
            .collect();
        for test in besides {
            if let Some(always) = asked_always.get_mut(test) {
                *always = true;
            }
        }
        Plan {
            awaited,
            asked_always,
        }
    }

    fn is_always_asked(&self, test: TestId) -> bool {
        self.asked_always.get(test) == Some(&true)
    }

    /// Makes the set do so.
    pub(crate) fn carry_out(
        &self,
        formulas: &[Formula],
        patterns: &[&JsonPattern],
        hints: RecordHints<'_>,
        set: &mut PatternSet,
    ) {
        let mut awaiting: Vec<Vec<Awaiting>> = vec![Vec::new(); self.asked_always.len()];
        let each = formulas.iter().zip(patterns).zip(&self.awaited);
        for (number, ((formula, json), awaited)) in (0..).zip(each) {
            let tests = formula.tests.iter().enumerate();
            let required =
                tests.filter(|(place, (id, _))| self.is_always_asked(*id) && json.requires(*place));
            let required: Vec<Asked> = required.map(|(_, test)| *test).collect();
            let is_later = |test| !self.is_always_asked(test);
            let Formula { pattern, tests } = formula;
            set.formulas
                .add(*pattern, &required, &json.tree, tests, is_later);
            let Some(awaited) = awaited else {
                set.unawaited.push(number);
                continue;
            };
            for test in awaited {
                let mut others = required.iter();
                // None of them is `NOT EXISTS`, which is never asked of every record.
                let guard = others.find(|(id, _)| id != test);
                if let Some(list) = awaiting.get_mut(*test) {
                    list.push(Awaiting {
                        formula: number,
                        guard: guard.map_or(NO_GUARD, |(id, _)| *id as u32),
                    });
                }
            }
        }
        set.awaited_from.push(0);
        for list in awaiting {
            set.awaiting.extend(list);
            set.awaited_from.push(set.awaiting.len() as u32);
        }
        let mut trie = Trie::default();
        let mut known = HashSet::new();
        set.later_of = vec![u32::MAX; self.asked_always.len()];
        for (formula, json) in formulas.iter().zip(patterns) {
            for ((id, _), test) in formula.tests.iter().zip(&json.tests) {
                if !known.insert(*id) {
                    continue;
                }
                let Test {
                    selector,
                    condition,
                    ..
                } = test;
                if self.is_always_asked(*id) {
                    trie.add(selector, condition, *id);
                    continue;
                }
                let later = match selector.has_wildcard() {
                    true => Later::Swept(trie.sweep(selector, condition, *id) as u32),
                    false => Later::One(condition.clone(), trie.node(selector.steps()) as u32),
                };
                if let Some(place) = set.later_of.get_mut(*id) {
                    *place = set.later.len() as u32;
                }
                set.later.push(later);
            }
        }
        let wanted = hints.wanted.iter().map(|name| {
            let node = trie.node(&[Step::Member((*name).to_owned())]);
            (*name, node as u32)
        });
        set.wanted = wanted.collect();
        set.always_wanted = hints.always_wanted;
        set.quick = trie.quick();
    }
}

/// Tests of one pattern to wait for, by their places in it, and what that costs.
#[derive(Debug, Clone)]
struct Awaited {
    tests: Vec<usize>,
    cost: usize,
}

/// What costs so much holds for nearly every record.
const OFTEN: usize = 1000;

/// Tests of which at least one holds whenever the pattern matches; those that cost least. `None` if the pattern can match though no
/// test held.
fn awaited_tests(json: &JsonPattern, cost_of: impl Fn(usize) -> Option<usize>) -> Option<Awaited> {
    let mut awaited = json
        .tree
        .fold(|node, known: &[Option<Awaited>]| match node {
            Node::Test(test) => Some(Awaited {
                tests: vec![*test],
                cost: cost_of(*test)?,
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
                    // Many that seldom hold are still not many records.
                    joined.cost = joined.cost.max(child.cost) + 2;
                }
                Some(joined)
            }
        });
    awaited.pop()?
}

/// Does one look-up or search answer the test together with others of its field?
fn is_cheap(test: &Test) -> bool {
    match &test.condition {
        Condition::Equal(Operand::Expression(expression)) => !expression.required().is_empty(),
        Condition::NotEqual(_) | Condition::NotExists => false,
        Condition::Equal(_) | Condition::Ordered(..) | Condition::IsNull | Condition::Is(_) => true,
    }
}

/// A rough guess what it costs to ask a test of every record, and to go on where it holds; `None` for one that asks for
/// nothing to be there.
fn cost(test: &Test, shared_by: usize, has_few_values: bool) -> Option<usize> {
    let asking = match &test.condition {
        Condition::NotExists => return None,
        Condition::Equal(Operand::Text(glob)) if glob.matches_everything() => OFTEN,
        Condition::Equal(_) if has_few_values => 500,
        Condition::Equal(Operand::Text(glob)) if glob.literal().is_none() => 40,
        Condition::Equal(Operand::Expression(expression)) => match expression.required() {
            [] => 300,
            _ => 60,
        },
        // The more patterns have it, the more there is to do where it holds.
        Condition::Equal(_) => 10 + shared_by.min(200),
        Condition::Ordered(..) => 100,
        Condition::Is(_) => 150,
        // What is not told is often `null`.
        Condition::IsNull => 400,
        Condition::NotEqual(_) => OFTEN,
    };
    // Each step is a container to go through.
    let steps = test.selector.steps().len().saturating_sub(1);
    let wildcard = usize::from(test.selector.has_wildcard());
    Some(asking + 30 * steps + 60 * wildcard)
}
