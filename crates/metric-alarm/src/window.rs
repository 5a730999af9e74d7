//! The values of one span, as they come and go.

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::Statistic;
use crate::exact_sum::ExactSum;

/// The values in a span and their statistic. Values leave in the order in which they entered.
#[derive(Debug)]
pub(crate) struct Window {
    statistic: Statistic,
    count: u64,
    sum: ExactSum,
    /// The extreme value, then the extreme of those behind it, and so on.
    extremes: VecDeque<f64>,
}

impl Window {
    pub(crate) fn new(statistic: Statistic) -> Self {
        Self {
            statistic,
            count: 0,
            sum: ExactSum::new(),
            extremes: VecDeque::new(),
        }
    }

    /// Takes in a value, so many times, behind all others.
    pub(crate) fn enter(&mut self, value: f64, count: u64) {
        self.count += count;
        match self.statistic {
            Statistic::SampleCount => {}
            Statistic::Sum | Statistic::Average => self.sum.add_times(value, count),
            Statistic::Maximum => self.push_extreme(value, Ordering::Less),
            Statistic::Minimum => self.push_extreme(value, Ordering::Greater),
        }
    }

    /// Lets go of a value that entered so many times, in front of all others.
    pub(crate) fn leave(&mut self, value: f64, count: u64) {
        self.count -= count;
        match self.statistic {
            Statistic::SampleCount => {}
            Statistic::Sum | Statistic::Average => self.sum.add_times(-value, count),
            Statistic::Maximum | Statistic::Minimum => {
                self.extremes
                    .pop_front_if(|first| first.total_cmp(&value).is_eq());
            }
        }
    }

    /// The statistic of the values in the window; none of no values.
    pub(crate) fn value(&self) -> Option<f64> {
        match self.statistic {
            _ if self.count == 0 => None,
            Statistic::SampleCount => Some(self.count as f64),
            Statistic::Sum => Some(self.sum.value()),
            Statistic::Average => Some(self.sum.value() / self.count as f64),
            Statistic::Maximum | Statistic::Minimum => self.extremes.front().copied(),
        }
    }

    /// A value behind those that are `weaker` makes them irrelevant: they leave before it does.
    fn push_extreme(&mut self, value: f64, weaker: Ordering) {
        while self
            .extremes
            .pop_back_if(|last| last.total_cmp(&value) == weaker)
            .is_some()
        {}
        self.extremes.push_back(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statistic after each value, in a window of at most two values.
    fn pairs(statistic: Statistic, values: &[f64]) -> Vec<f64> {
        let mut window = Window::new(statistic);
        let mut seen = Vec::new();
        for (index, &value) in values.iter().enumerate() {
            if index >= 2 {
                window.leave(values[index - 2], 1);
            }
            window.enter(value, 1);
            seen.push(window.value().unwrap());
        }
        seen
    }

    #[test]
    fn each_statistic_follows_its_window() {
        let values = [3.0, 1.0, 1.0, 2.0, -4.0];
        assert_eq!(
            pairs(Statistic::SampleCount, &values),
            [1.0, 2.0, 2.0, 2.0, 2.0]
        );
        assert_eq!(pairs(Statistic::Sum, &values), [3.0, 4.0, 2.0, 3.0, -2.0]);
        assert_eq!(
            pairs(Statistic::Average, &values),
            [3.0, 2.0, 1.0, 1.5, -1.0]
        );
        assert_eq!(
            pairs(Statistic::Maximum, &values),
            [3.0, 3.0, 1.0, 2.0, 2.0]
        );
        assert_eq!(
            pairs(Statistic::Minimum, &values),
            [3.0, 1.0, 1.0, 1.0, -4.0]
        );
    }

    #[test]
    fn an_extreme_that_came_twice_stays_until_both_are_gone() {
        assert_eq!(
            pairs(Statistic::Maximum, &[5.0, 5.0, 1.0, 1.0]),
            [5.0, 5.0, 5.0, 1.0]
        );
    }

    #[test]
    fn an_empty_window_has_no_statistic() {
        for &statistic in Statistic::ALL {
            let mut window = Window::new(statistic);
            assert_eq!(window.value(), None);
            window.enter(1.0, 1);
            window.leave(1.0, 1);
            assert_eq!(window.value(), None);
        }
    }
}
