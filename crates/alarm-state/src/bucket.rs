//! Ten minutes of event time and the samples in them.
//!
//! A quiet bucket is one item with its samples. One with many is split: an item with tallies, which is
//! all that alarms need, and one for each minute with the samples, read only when more of that
//! minute come.

use std::collections::BTreeMap;

use metric_alarm::{Sample, Tally};

use crate::StoredError;
use crate::sample_codec::{decode, decode_tallies, encode, encode_tallies};

/// The length of a bucket.
pub const BUCKET_SECONDS: i64 = 600;
const MINUTE_SECONDS: i64 = 60;

/// Samples a bucket keeps in one item.
const MOST_INLINE: usize = 2_000;

/// Samples of one group and minute that are kept; an item holds 400 KB. Those beyond it, the highest
/// ids of that minute, are in no alarm; [`Bucket::over_limit`] counts them.
pub const MOST_SAMPLES_A_MINUTE: usize = 18_000;

/// The same for a minute with values other than 1, each of which is a tally of its own: the tallies of
/// ten such minutes fit into an item.
pub const MOST_VALUES_A_MINUTE: usize = 1_500;

const SCHEMA_INLINE: u8 = 1;
const SCHEMA_SPLIT: u8 = 2;

/// When the bucket with this time starts.
pub fn bucket_start(time: i64) -> i64 {
    time.saturating_sub(time.rem_euclid(BUCKET_SECONDS))
}

/// A bucket and what is known of it: the samples of some minutes, tallies of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    start: i64,
    /// By minute, then by id, so that a sample is found where its copies are.
    minutes: BTreeMap<u8, Minute>,
    split: bool,
    over_limit: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Minute {
    Samples {
        samples: BTreeMap<u64, Sample>,
        /// Some value is another one than 1, or was.
        valued: bool,
        changed: bool,
    },
    /// The samples lie in an item of their own, which was not read.
    Tallies(Vec<Tally>),
}

/// A bucket as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The item of the bucket.
    pub bucket: Vec<u8>,
    /// The items of those minutes that changed. They are to be written first.
    pub parts: Vec<(u8, Vec<u8>)>,
}

impl Bucket {
    /// A bucket without samples; `start` is what [`bucket_start`] gives.
    pub fn new(start: i64) -> Self {
        Bucket {
            start,
            minutes: BTreeMap::new(),
            split: false,
            over_limit: 0,
        }
    }

    /// Reads a bucket from its item.
    ///
    /// # Errors
    /// The bytes are no bucket.
    pub fn decode(start: i64, bytes: &[u8]) -> Result<Self, StoredError> {
        let mut bucket = Bucket::new(start);
        let failed = |source| StoredError::new("bucket of samples", source);
        match bytes.split_first() {
            Some((&SCHEMA_INLINE, samples)) => {
                for sample in decode(samples).map_err(failed)? {
                    bucket.take(sample);
                }
                for minute in bucket.minutes.values_mut() {
                    minute.saved();
                }
            }
            Some((&SCHEMA_SPLIT, tallies)) => {
                bucket.split = true;
                for tally in decode_tallies(tallies).map_err(failed)? {
                    let minute = bucket.minute_of(tally.time);
                    match bucket
                        .minutes
                        .entry(minute)
                        .or_insert(Minute::Tallies(vec![]))
                    {
                        Minute::Tallies(tallies) => tallies.push(tally),
                        Minute::Samples { .. } => {}
                    }
                }
            }
            Some((&found, _)) => {
                return Err(failed(crate::CodecError::Byte { found, at: 0 }));
            }
            None => return Err(failed(crate::CodecError::Length { found: 0 })),
        }
        Ok(bucket)
    }

    /// When it starts.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The minutes whose items must be read with [`load_part`](Self::load_part) before samples with
    /// these times are merged.
    pub fn parts_of(&self, samples: &[Sample]) -> Vec<u8> {
        let mut parts: Vec<u8> = samples
            .iter()
            .map(|sample| self.minute_of(sample.time))
            .filter(|minute| matches!(self.minutes.get(minute), Some(Minute::Tallies(_))))
            .collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// Every minute that lies in an item of its own, read or not.
    pub fn is_split(&self) -> bool {
        self.split
    }

    /// Takes in the item of a minute; `None` if there is none.
    ///
    /// # Errors
    /// The bytes are no samples.
    pub fn load_part(&mut self, minute: u8, bytes: Option<&[u8]>) -> Result<(), StoredError> {
        let samples = bytes.map(decode).transpose();
        let samples = samples.map_err(|source| StoredError::new("minute of samples", source))?;
        let samples = samples.unwrap_or_default();
        let part = Minute::Samples {
            valued: samples.iter().any(|sample| sample.value != 1.0),
            samples: samples
                .into_iter()
                .map(|sample| (sample.id, sample))
                .collect(),
            // Its tallies may be behind: a writer that died wrote the part and not the bucket.
            changed: true,
        };
        self.minutes.insert(minute, part);
        Ok(())
    }

    /// Adds samples with times in this bucket; copies count once. Returns how many are new.
    ///
    /// Where copies disagree the lowest time wins, then the lowest value, as in
    /// [`metric_alarm::AlarmSeries::add`]. A value that is not finite is ignored.
    pub fn merge(&mut self, samples: &[Sample]) -> usize {
        let mut new = 0;
        for &sample in samples {
            let is_ours = bucket_start(sample.time) == self.start;
            if is_ours && sample.value.is_finite() && self.take(sample) {
                new += 1;
            }
        }
        new
    }

    /// Samples of full minutes that [`merge`](Self::merge) did not keep.
    pub fn over_limit(&self) -> u64 {
        self.over_limit
    }

    /// Whether anything changed since it was read.
    pub fn is_changed(&self) -> bool {
        let mut minutes = self.minutes.values();
        minutes.any(|minute| matches!(minute, Minute::Samples { changed: true, .. }))
    }

    /// The samples by their number: all that an alarm needs.
    pub fn tallies(&self) -> Vec<Tally> {
        let mut all = Vec::new();
        for minute in self.minutes.values() {
            match minute {
                Minute::Tallies(tallies) => all.extend(tallies),
                Minute::Samples { samples, .. } => all.extend(tallies_of(samples.values())),
            }
        }
        all
    }

    /// As it is to be stored.
    pub fn encode(&self) -> Encoded {
        let known = self.minutes.values().map(|minute| match minute {
            Minute::Samples { samples, .. } => samples.len(),
            Minute::Tallies(_) => 0,
        });
        if !self.split && known.sum::<usize>() <= MOST_INLINE {
            return Encoded {
                bucket: [&[SCHEMA_INLINE], encode(&self.all_samples()).as_slice()].concat(),
                parts: Vec::new(),
            };
        }
        let parts = self
            .minutes
            .iter()
            .filter_map(|(&minute, part)| match part {
                // What was inline until now has no items yet.
                Minute::Samples {
                    samples, changed, ..
                } if *changed || !self.split => Some((minute, encode(&by_time(samples.values())))),
                _ => None,
            });
        Encoded {
            parts: parts.collect(),
            bucket: [&[SCHEMA_SPLIT], encode_tallies(&self.tallies()).as_slice()].concat(),
        }
    }

    fn all_samples(&self) -> Vec<Sample> {
        by_time(self.minutes.values().flat_map(|minute| match minute {
            Minute::Samples { samples, .. } => samples.values().collect::<Vec<_>>(),
            Minute::Tallies(_) => Vec::new(),
        }))
    }

    fn minute_of(&self, time: i64) -> u8 {
        let minute = time.saturating_sub(self.start) / MINUTE_SECONDS;
        u8::try_from(minute).unwrap_or_default()
    }

    /// Adds a sample; `false` if it changes nothing that is counted.
    fn take(&mut self, sample: Sample) -> bool {
        let minute = self.minute_of(sample.time);
        // A copy with another time in these ten minutes.
        let elsewhere = self
            .minutes
            .iter()
            .find_map(|(&at, minute_at)| match minute_at {
                Minute::Samples { samples, .. } if at != minute => {
                    samples.get(&sample.id).map(|known| (at, *known))
                }
                _ => None,
            });
        let mut is_new = true;
        if let Some((at, known)) = elsewhere {
            if !precedes(&sample, &known) {
                return false;
            }
            is_new = false;
            if let Some(Minute::Samples {
                samples, changed, ..
            }) = self.minutes.get_mut(&at)
            {
                samples.remove(&sample.id);
                *changed = true;
            }
        }
        let empty = Minute::Samples {
            samples: BTreeMap::new(),
            valued: false,
            changed: false,
        };
        let Minute::Samples {
            samples,
            valued,
            changed,
        } = self.minutes.entry(minute).or_insert(empty)
        else {
            return false;
        };
        match samples.get(&sample.id) {
            Some(known) if !precedes(&sample, known) => return false,
            Some(_) => is_new = false,
            None => {}
        }
        samples.insert(sample.id, sample);
        *valued |= sample.value != 1.0;
        *changed = true;
        let most = match *valued {
            true => MOST_VALUES_A_MINUTE,
            false => MOST_SAMPLES_A_MINUTE,
        };
        while samples.len() > most {
            samples.pop_last();
            self.over_limit += 1;
            is_new = false;
        }
        is_new
    }
}

impl Minute {
    fn saved(&mut self) {
        if let Minute::Samples { changed, .. } = self {
            *changed = false;
        }
    }
}

fn precedes(sample: &Sample, known: &Sample) -> bool {
    let by_time = sample.time.cmp(&known.time);
    by_time.then(sample.value.total_cmp(&known.value)).is_lt()
}

fn by_time<'s>(samples: impl Iterator<Item = &'s Sample>) -> Vec<Sample> {
    let mut samples: Vec<Sample> = samples.copied().collect();
    samples.sort_by_key(|sample| (sample.time, sample.id));
    samples
}

fn tallies_of<'s>(samples: impl Iterator<Item = &'s Sample>) -> Vec<Tally> {
    let mut counts: BTreeMap<(i64, u64), Tally> = BTreeMap::new();
    for &Sample { time, value, .. } in samples {
        let none = Tally {
            time,
            value,
            count: 0,
        };
        counts.entry((time, value.to_bits())).or_insert(none).count += 1;
    }
    counts.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(time: i64, id: u64) -> Sample {
        Sample {
            time,
            id,
            value: 1.0,
        }
    }

    /// What a table would keep.
    #[derive(Default)]
    struct Stored {
        bucket: Option<Vec<u8>>,
        parts: BTreeMap<u8, Vec<u8>>,
    }

    impl Stored {
        fn merge(&mut self, samples: &[Sample]) -> Bucket {
            let mut bucket = match &self.bucket {
                Some(bytes) => Bucket::decode(0, bytes).unwrap(),
                None => Bucket::new(0),
            };
            for minute in bucket.parts_of(samples) {
                let bytes = self.parts.get(&minute).map(Vec::as_slice);
                bucket.load_part(minute, bytes).unwrap();
            }
            bucket.merge(samples);
            let encoded = bucket.encode();
            self.bucket = Some(encoded.bucket);
            self.parts.extend(encoded.parts);
            bucket
        }

        fn tallies(&self) -> Vec<Tally> {
            Bucket::decode(0, self.bucket.as_ref().unwrap())
                .unwrap()
                .tallies()
        }
    }

    proptest! {
        #[test]
        fn batches_in_any_order_leave_the_same(
            samples in prop::collection::vec((0_i64..600, 0_u64..40, prop_oneof![Just(1.0), Just(2.5)]), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            // Copies in different items may disagree in nothing but what they are: see the limits.
            let samples: Vec<Sample> = samples
                .into_iter()
                .map(|(time, id, value)| Sample { time, id, value })
                .collect();
            let mut at_once = Stored::default();
            at_once.merge(&samples);
            let cut = cut.index(samples.len() + 1);
            let mut in_two = Stored::default();
            in_two.merge(&samples[cut..]);
            in_two.merge(&samples[..cut]);
            prop_assert_eq!(at_once.tallies(), in_two.tallies());
        }
    }

    #[test]
    fn a_flood_is_split_by_minute_and_counted_to_the_last_event() {
        let flood: Vec<Sample> = (0..12_000).map(|n| sample((n % 600) as i64, n)).collect();
        let mut stored = Stored::default();
        for batch in flood.chunks(700) {
            stored.merge(batch);
        }
        assert_eq!(stored.parts.len(), 10);
        let count = |stored: &Stored| {
            stored
                .tallies()
                .iter()
                .map(|tally| tally.count)
                .sum::<u64>()
        };
        assert_eq!(count(&stored), 12_000);
        assert!(stored.bucket.as_ref().unwrap().len() < 5_000);
        stored.merge(&flood[..5_000]);
        assert_eq!(count(&stored), 12_000);
    }

    #[test]
    fn only_minutes_that_are_touched_are_read_and_written() {
        let flood: Vec<Sample> = (0..6_000).map(|n| sample((n % 600) as i64, n)).collect();
        let mut stored = Stored::default();
        stored.merge(&flood);
        let mut bucket = Bucket::decode(0, stored.bucket.as_ref().unwrap()).unwrap();
        let more = [sample(61, 100_000)];
        assert_eq!(bucket.parts_of(&more), [1]);
        bucket.load_part(1, Some(&stored.parts[&1])).unwrap();
        assert_eq!(bucket.merge(&more), 1);
        let parts: Vec<u8> = bucket
            .encode()
            .parts
            .into_iter()
            .map(|part| part.0)
            .collect();
        assert_eq!(parts, [1]);
    }

    #[test]
    fn a_part_written_by_one_who_died_before_the_bucket_is_counted_when_the_message_comes_again() {
        let flood: Vec<Sample> = (0..6_000).map(|n| sample((n % 600) as i64, n)).collect();
        let mut stored = Stored::default();
        stored.merge(&flood);
        let before = stored.bucket.clone();
        let more = [sample(61, 100_000)];
        stored.merge(&more);
        stored.bucket = before;
        let bucket = stored.merge(&more);
        assert!(bucket.is_changed());
        assert_eq!(stored.tallies().iter().map(|t| t.count).sum::<u64>(), 6_001);
    }

    #[test]
    fn a_minute_keeps_so_many_and_says_how_many_more_there_were() {
        let flood: Vec<Sample> = (0..MOST_SAMPLES_A_MINUTE as u64 + 10)
            .map(|n| sample(5, n))
            .collect();
        let mut bucket = Bucket::new(0);
        bucket.merge(&flood);
        assert_eq!(bucket.over_limit(), 10);
        let (_, part) = bucket.encode().parts.remove(0);
        assert!(part.len() < 390_000, "{}", part.len());
    }

    #[test]
    fn many_different_values_fit_into_an_item() {
        let flood: Vec<Sample> = (0..60_000_u64)
            .map(|n| Sample {
                value: n as f64 + 0.5,
                ..sample((n % 600) as i64, n)
            })
            .collect();
        let mut bucket = Bucket::new(0);
        bucket.merge(&flood);
        assert_eq!(
            bucket.over_limit(),
            60_000 - 10 * MOST_VALUES_A_MINUTE as u64
        );
        let encoded = bucket.encode();
        assert!(encoded.bucket.len() < 390_000, "{}", encoded.bucket.len());
    }

    #[test]
    fn buckets_start_at_whole_ten_minutes() {
        assert_eq!(bucket_start(1_199), 600);
        assert_eq!(bucket_start(-1), -600);
        assert_eq!(bucket_start(600), 600);
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for bytes in [&[][..], &[9, 0], &[SCHEMA_INLINE], &[SCHEMA_INLINE, 1]] {
            let error = Bucket::decode(0, bytes).unwrap_err();
            assert_eq!(
                error.to_string(),
                "cannot read the stored bucket of samples"
            );
        }
    }
}
