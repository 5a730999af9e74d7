//! Times of which nothing is known, since their digests could not be read or verified.

use std::collections::BTreeMap;

use super::{HOUR, LATE_SECONDS};

/// Which log files may be listed by digests that could not be read or verified.
#[derive(Debug, Default)]
pub(super) struct Unjudged {
    /// When what regular digests list was written.
    written: Times,
    /// What is in the names of log files of backfill digests.
    backfilled: Times,
    /// What is in the names of log files of any digest.
    named: Times,
}

impl Unjudged {
    /// Nothing is known of the digest of this time.
    pub(super) fn add(&mut self, (start, end): (i64, i64), is_backfill: bool) {
        let named = (start.saturating_sub(LATE_SECONDS), end);
        self.named.add(named);
        match is_backfill {
            true => self.backfilled.add(named),
            false => self.written.add((start - HOUR / 2, end + HOUR / 2)),
        }
    }

    /// Whether one of them may list a log file, by the time in its name and when it was delivered, if that is known.
    pub(super) fn may_list(&self, named: i64, delivered: Option<i64>) -> bool {
        match delivered {
            Some(written) => self.written.contains(written) || self.backfilled.contains(named),
            None => self.named.contains(named),
        }
    }
}

/// Ranges of time by their start; those that touch are one.
#[derive(Debug, Default)]
struct Times(BTreeMap<i64, i64>);

impl Times {
    fn add(&mut self, (mut start, mut end): (i64, i64)) {
        while let Some((&from, &to)) = self.0.range(..=end).next_back()
            && to >= start
        {
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        self.0.insert(start, end);
    }

    fn contains(&self, time: i64) -> bool {
        let before = self.0.range(..=time).next_back();
        before.is_some_and(|(_, &end)| time <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let mut times = Times::default();
        for range in [(10, 20), (40, 50), (21, 30), (20, 21), (60, 60), (5, 9)] {
            times.add(range);
        }
        let ranges: Vec<(i64, i64)> = times.0.clone().into_iter().collect();
        assert_eq!(ranges, [(5, 9), (10, 30), (40, 50), (60, 60)]);
        let held: Vec<i64> = (0..70).filter(|&time| times.contains(time)).collect();
        let expected = (5..=9).chain(10..=30).chain(40..=50).chain(60..=60);
        assert!(held.into_iter().eq(expected));
        times.add((0, 100));
        assert_eq!(times.0.len(), 1);
    }
}
