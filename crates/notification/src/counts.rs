//! How often names occur, and lists of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cloudtrail::printable;

use crate::words::list;

/// Longest description of one actor, target or detail in a story, in characters.
pub(crate) const PART_CHARACTERS: usize = 300;

/// How often each text occurs.
#[derive(Default)]
pub(crate) struct Counts<'a>(BTreeMap<&'a str, usize>);

impl<'a> Counts<'a> {
    pub(crate) fn of(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = Counts::default();
        for text in texts {
            *counts.0.entry(text).or_default() += 1;
        }
        counts
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those of the smallest key first, then the most frequent, equal ones by name.
    pub(crate) fn ranked_by<K: Ord>(&self, key: impl Fn(&str) -> K) -> Vec<(&'a str, usize)> {
        let mut ranked: Vec<_> = self.0.iter().map(|(text, count)| (*text, *count)).collect();
        ranked.sort_by_key(|(text, count)| (key(text), Reverse(*count), *text));
        ranked
    }

    /// The most frequent first, equal ones by name.
    pub(crate) fn names(&self) -> Vec<String> {
        let ranked = self.ranked_by(|_| ()).into_iter();
        ranked
            .map(|(name, _)| printable(name, PART_CHARACTERS))
            .collect()
    }

    pub(crate) fn listed(&self) -> String {
        list(&self.names(), self.len())
    }
}
