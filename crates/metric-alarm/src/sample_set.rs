//! Distinct samples, in the order of their time.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// One value of a metric: what one event brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it happened (the event's time, not the delivery's), in Unix seconds.
    pub time: i64,
    /// A hash of the event's identity: samples with the same id are copies of one.
    pub id: u64,
    /// The metric's value.
    pub value: f64,
}

/// Samples of one second with the same value, by their number: all that an alarm needs to know of
/// samples that are known to be distinct.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tally {
    /// When they happened, in Unix seconds.
    pub time: i64,
    /// The value of each of them.
    pub value: f64,
    /// How many there are.
    pub count: u64,
}

/// The distinct ones of all samples that were added.
///
/// The same id counts once. Where copies disagree, the one with the lowest time wins, then the one
/// with the lowest value, so what remains does not depend on the order of arrival.
#[derive(Debug, Clone, Default)]
pub(crate) struct SampleSet {
    values: BTreeMap<(i64, u64), Counted>,
    /// INVARIANT: the `(time, id)` of a sample is in `values` exactly if `id` is here with `time`.
    times: BTreeMap<u64, i64>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    value: f64,
    count: u64,
}

impl SampleSet {
    /// Adds samples of which only the number is known. They have no id, so a set holds either these
    /// or samples with ids: the order within a second is by value here.
    pub(crate) fn add_tally(&mut self, tally: Tally, mut touch: impl FnMut(i64)) {
        let key = (tally.time, tally.value.to_bits());
        let counted = Counted {
            value: tally.value,
            count: 0,
        };
        self.values.entry(key).or_insert(counted).count += tally.count;
        touch(tally.time);
    }

    /// Adds a sample with a finite value; calls `touch` with each time at which samples changed.
    pub(crate) fn add(&mut self, sample: Sample, mut touch: impl FnMut(i64)) {
        if let Some(kept) = self.get(sample.id) {
            if !precedes(&sample, &kept) {
                return;
            }
            self.values.remove(&(kept.time, kept.id));
            touch(kept.time);
        }
        let counted = Counted {
            value: sample.value,
            count: 1,
        };
        self.values.insert((sample.time, sample.id), counted);
        self.times.insert(sample.id, sample.time);
        touch(sample.time);
    }

    /// The samples with times in `times`, oldest first, those of one second by their id.
    pub(crate) fn range(
        &self,
        times: RangeInclusive<i64>,
    ) -> impl DoubleEndedIterator<Item = Entry> + Clone + '_ {
        let (first, last) = times.into_inner();
        // An empty range of times is an empty range of samples, never a panic.
        let bounds = (first <= last).then_some((first, 0)..=(last, u64::MAX));
        bounds
            .into_iter()
            .flat_map(|bounds| self.values.range(bounds))
            .map(|(&(time, id), &Counted { value, count })| Entry {
                time,
                id,
                value,
                count,
            })
    }

    pub(crate) fn len(&self) -> usize {
        let count: u64 = self.values.values().map(|counted| counted.count).sum();
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    pub(crate) fn newest(&self) -> Option<i64> {
        let (&(time, _), _) = self.values.last_key_value()?;
        Some(time)
    }

    fn get(&self, id: u64) -> Option<Sample> {
        let &time = self.times.get(&id)?;
        let value = self.values.get(&(time, id))?.value;
        Some(Sample { time, id, value })
    }
}

/// A sample of the set, or several of which only the number is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) time: i64,
    pub(crate) id: u64,
    pub(crate) value: f64,
    pub(crate) count: u64,
}

fn precedes(sample: &Sample, other: &Sample) -> bool {
    let by_time = sample.time.cmp(&other.time);
    by_time.then(sample.value.total_cmp(&other.value)).is_lt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(samples: &[(i64, u64, f64)]) -> (SampleSet, Vec<i64>) {
        let mut set = SampleSet::default();
        let mut touched = Vec::new();
        for &(time, id, value) in samples {
            set.add(Sample { time, id, value }, |time| touched.push(time));
        }
        (set, touched)
    }

    fn all(set: &SampleSet) -> Vec<(i64, u64, f64)> {
        let samples = set.range(i64::MIN..=i64::MAX);
        samples.map(|s| (s.time, s.id, s.value)).collect()
    }

    #[test]
    fn samples_come_out_by_time_and_then_by_id() {
        let (set, _) = set(&[
            (7, 2, 1.0),
            (7, 1, 1.0),
            (i64::MAX, 4, 1.0),
            (i64::MIN, 3, 1.0),
        ]);
        let ids: Vec<u64> = all(&set).iter().map(|sample| sample.1).collect();
        assert_eq!(ids, [3, 1, 2, 4]);
        assert_eq!(set.newest(), Some(i64::MAX));
    }

    #[test]
    fn a_copy_counts_once_and_touches_nothing() {
        let (set, touched) = set(&[(7, 1, 2.0), (7, 1, 2.0)]);
        assert_eq!(set.len(), 1);
        assert_eq!(touched, [7]);
    }

    #[test]
    fn the_lowest_of_copies_that_disagree_wins_in_any_order() {
        let copies = [(7, 1, 2.0), (5, 1, 9.0), (5, 1, 8.0)];
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let (set, _) = set(&order.map(|index| copies[index]));
            assert_eq!(all(&set), [(5, 1, 8.0)]);
        }
    }

    #[test]
    fn a_copy_that_replaces_touches_where_the_other_was_and_where_it_is() {
        let (_, touched) = set(&[(7, 1, 2.0), (5, 1, 2.0)]);
        assert_eq!(touched, [7, 7, 5]);
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_empty() {
        let (set, _) = set(&[(7, 1, 2.0)]);
        let (first, last) = (8, 7);
        assert_eq!(set.range(first..=last).count(), 0);
    }
}
