//! How a group is named: in the queue, in the table, in deduplication ids.

use std::fmt::Write as _;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// The name of one group of one filter, the same whoever makes it: 32 hex digits.
///
/// It is the message group in the queue, so a group has one writer whatever the filter's definition
/// was when a match was found.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct GroupId(pub String);

impl GroupId {
    /// Of a filter's name and the values its alarm is grouped by, as they stand in the events.
    pub fn of(filter_name: &str, values: &[Option<String>]) -> Self {
        let mut parts = vec![filter_name];
        for value in values {
            parts.push(if value.is_some() { "1" } else { "0" });
            parts.push(value.as_deref().unwrap_or_default());
        }
        GroupId(hash(&parts))
    }
}

/// 128 bits over texts, as 32 hex digits; `["ab", "c"]` and `["a", "bc"]` differ.
pub fn hash(texts: &[&str]) -> String {
    let mut hasher = SipHasher24::new();
    for text in texts {
        hasher.write_u64(text.len() as u64);
        hasher.write(text.as_bytes());
    }
    let mut hex = String::with_capacity(32);
    for byte in hasher.finish128().as_bytes() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The keys under which the state of a group lies.
///
/// All in one partition: `head`; `b#TIME`, a bucket; `p#TIME#MINUTE`, the samples of a bucket that
/// has too many for one item; `e#TIME`, its evidence. `TIME` sorts as the time does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKeys {
    partition: String,
}

/// How the partitions of groups begin.
const PARTITION: &str = "alarm#";

impl GroupKeys {
    /// Of a group under one definition of its alarm: another definition starts anew.
    pub fn new(group: &GroupId, definition_hash: &str) -> Self {
        GroupKeys {
            partition: format!("{PARTITION}{}#{definition_hash}", group.0),
        }
    }

    /// Of a partition key that [`partition`](Self::partition) gave; `None` if it is of something else.
    pub fn of_partition(partition: &str) -> Option<(Self, GroupId)> {
        let (group, _) = partition.strip_prefix(PARTITION)?.split_once('#')?;
        let keys = GroupKeys {
            partition: partition.to_owned(),
        };
        Some((keys, GroupId(group.to_owned())))
    }

    /// The partition key.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The sort key of the head.
    pub fn head(&self) -> &'static str {
        "head"
    }

    /// The sort key of the bucket that starts then (Unix seconds).
    pub fn bucket(&self, start: i64) -> String {
        format!("b#{}", sortable(start))
    }

    /// The sort key of one minute of a bucket.
    pub fn part(&self, start: i64, minute: u8) -> String {
        format!("p#{}#{minute}", sortable(start))
    }

    /// The sort key of the evidence of a bucket.
    pub fn evidence(&self, start: i64) -> String {
        format!("e#{}", sortable(start))
    }

    /// When the bucket with this sort key starts.
    pub fn bucket_start(sort: &str) -> Option<i64> {
        let hex = sort.strip_prefix("b#").or(sort.strip_prefix("e#"))?;
        let shifted = u64::from_str_radix(hex, 16).ok()?;
        Some((shifted ^ (1 << 63)) as i64)
    }
}

/// 16 hex digits that sort as the numbers do, negative ones too.
fn sortable(time: i64) -> String {
    format!("{:016x}", (time as u64) ^ (1 << 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_not_an_empty_one() {
        let of = |values: &[Option<&str>]| {
            let values: Vec<Option<String>> =
                values.iter().map(|value| value.map(String::from)).collect();
            GroupId::of("Filter", &values)
        };
        assert_ne!(of(&[None]), of(&[Some("")]));
        assert_ne!(of(&[Some("a"), Some("b")]), of(&[Some("ab"), Some("")]));
        assert_eq!(of(&[Some("a")]), of(&[Some("a")]));
        assert_eq!(of(&[]).0.len(), 32);
    }

    #[test]
    fn the_hash_is_stable_since_it_is_stored() {
        assert_eq!(hash(&["a", "b"]), "2c088e3ba4e69a0dfa3955dddc2e2f76");
    }

    #[test]
    fn keys_of_buckets_sort_as_their_times() {
        let keys = GroupKeys::new(&GroupId("g".into()), "d");
        let times = [i64::MIN, -600, 0, 600, 1_772_420_400, i64::MAX];
        let sorts = times.map(|time| keys.bucket(time));
        assert!(sorts.is_sorted());
        for (time, sort) in times.iter().zip(&sorts) {
            assert_eq!(GroupKeys::bucket_start(sort), Some(*time));
        }
    }

    #[test]
    fn a_partition_says_which_group_it_is_of() {
        let group = GroupId::of("F", &[]);
        let keys = GroupKeys::new(&group, "d");
        assert_eq!(
            GroupKeys::of_partition(keys.partition()),
            Some((keys.clone(), group))
        );
        assert_eq!(GroupKeys::of_partition("quota#1"), None);
    }
}
