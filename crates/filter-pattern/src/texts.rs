//! Many conditions held against one text.
//!
//! A wildcard or a regular expression that matches has some run of characters in common with the text. One search
//! (Aho-Corasick) finds which of these runs are there, and only the conditions they belong to are asked.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use crate::compare::{Condition, Operand, Selected};
use crate::trie::TestId;

/// Fewer conditions than this are asked one by one.
const WORTH_A_SEARCH: usize = 3;

/// Conditions that can hold for texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextConditions {
    conditions: Vec<(Condition, TestId)>,
    /// Those that are asked about every text.
    always: Vec<usize>,
    search: Option<AhoCorasick>,
    /// For each run that is searched for the conditions that need it.
    needed_by: Vec<Vec<usize>>,
}

/// Memory to work in; any conditions can use any.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextScratch {
    /// For each condition the text about which it was asked last, and how many texts there were.
    asked_about: Vec<u64>,
    texts: u64,
}

impl TextConditions {
    pub(crate) fn new(conditions: Vec<(Condition, TestId)>) -> Self {
        let mut always = Vec::new();
        let mut needed_by: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, (condition, _)) in conditions.iter().enumerate() {
            let runs = required_runs(condition);
            if runs.is_empty() {
                always.push(place);
            }
            for run in runs {
                needed_by.entry(run).or_default().push(place);
            }
        }
        let mut runs: Vec<_> = needed_by.into_iter().collect();
        runs.sort_unstable();
        let search = match conditions.len() - always.len() {
            0..WORTH_A_SEARCH => None,
            _ => AhoCorasick::new(runs.iter().map(|(run, _)| run)).ok(),
        };
        TextConditions {
            needed_by: runs.into_iter().map(|(_, places)| places).collect(),
            always: match search {
                Some(_) => always,
                None => (0..conditions.len()).collect(),
            },
            search,
            conditions,
        }
    }

    /// Tells the tests that hold, each once.
    pub(crate) fn holding(
        &self,
        text: &Selected<'_>,
        scratch: &mut TextScratch,
        mut holds: impl FnMut(TestId),
    ) {
        let mut ask = |place: usize| {
            let known = self.conditions.get(place);
            if let Some((_, test)) = known.filter(|(condition, _)| condition.holds_for(text)) {
                holds(*test);
            }
        };
        self.always.iter().copied().for_each(&mut ask);
        let (Some(search), Selected::Text(text)) = (&self.search, text) else {
            return;
        };
        scratch.texts += 1;
        let longest = self.conditions.len().max(scratch.asked_about.len());
        scratch.asked_about.resize(longest, 0);
        for found in search.find_overlapping_iter(text.as_ref()) {
            let places = self.needed_by.get(found.pattern().as_usize());
            for place in places.into_iter().flatten() {
                // A text can have a run many times.
                let asked_about = scratch.asked_about.get_mut(*place);
                if asked_about
                    .is_some_and(|last| std::mem::replace(last, scratch.texts) != scratch.texts)
                {
                    ask(*place);
                }
            }
        }
    }
}

/// Runs of characters of which a text has one if the condition holds for it; empty if nothing is known.
fn required_runs(condition: &Condition) -> Vec<&str> {
    match condition {
        Condition::Equal(Operand::Text(glob)) => glob.longest_piece().into_iter().collect(),
        Condition::Equal(Operand::Expression(expression)) => {
            expression.required().iter().map(String::as_str).collect()
        }
        _ => Vec::new(),
    }
}
