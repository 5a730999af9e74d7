//! What lies among the digests of an account and Region.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use digest_chain::{DigestKey, Location, Scope, Stream, display_time};

use super::store::{Listed, ReadError, Store};

/// So many foreign names are told one by one.
const MOST_NAMED: usize = 1_000;

/// A digest that was listed.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where it lies.
    pub location: Location,
    /// The end of its hour.
    pub end: i64,
    /// Its size, compressed.
    pub size: u64,
}

/// The digests of one stream, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// Those of every hour.
    pub standard: Vec<Entry>,
    /// Backfill digests.
    pub backfill: Vec<Entry>,
}

impl Chains {
    /// How many end by this time.
    pub(super) fn count_until(&self, end: i64) -> usize {
        let until = |entries: &[Entry]| entries.partition_point(|entry| entry.end <= end);
        until(&self.standard) + until(&self.backfill)
    }

    /// Adds what lies in another bucket.
    pub(super) fn add(&mut self, other: Chains) {
        self.standard.extend(other.standard);
        self.backfill.extend(other.backfill);
        self.sort();
    }

    fn sort(&mut self) {
        self.standard.sort_by_key(|entry| entry.end);
        self.backfill.sort_by_key(|entry| entry.end);
    }

    /// The end of the oldest digest.
    pub(super) fn first_end(&self) -> Option<i64> {
        let firsts = [&self.standard, &self.backfill].map(|entries| entries.first());
        firsts.into_iter().flatten().map(|entry| entry.end).min()
    }
}

/// What a listing gave.
#[derive(Debug, Default)]
pub(super) struct DigestFolder {
    /// The digests of each stream whose end is in the range.
    pub streams: BTreeMap<Stream, Chains>,
    /// Names CloudTrail gives no digest, or not there.
    pub foreign: Vec<Location>,
    /// How many more of them there are.
    pub more_foreign: u64,
}

impl DigestFolder {
    /// Lists the digests of a scope that end from `start` to `last`.
    pub(super) async fn list<S: Store>(
        store: &S,
        bucket: &str,
        scope: &Scope,
        (start, last): (i64, i64),
    ) -> Result<Self, ReadError> {
        let mut found = DigestFolder::default();
        let folder = scope.digest_folder();
        list_days(store, bucket, &folder, (start, last), &mut |listed| {
            found.take(bucket, scope, (start, last), listed);
        })
        .await?;
        found.streams.values_mut().for_each(Chains::sort);
        Ok(found)
    }

    fn take(&mut self, bucket: &str, scope: &Scope, (start, last): (i64, i64), listed: Listed) {
        let location = Location::new(bucket, listed.key);
        let key = DigestKey::parse(&location.key).filter(|key| key.stream.scope == *scope);
        match key {
            Some(key) if (start..=last).contains(&key.end) => {
                let chains = self.streams.entry(key.stream).or_default();
                let list = match key.is_backfill {
                    true => &mut chains.backfill,
                    false => &mut chains.standard,
                };
                list.push(Entry {
                    location,
                    end: key.end,
                    size: listed.size,
                });
            }
            Some(_) => {}
            None if self.foreign.len() < MOST_NAMED => self.foreign.push(location),
            None => self.more_foreign += 1,
        }
    }
}

/// Lists what lies in the folders of these days below a folder, and whatever else is there with them or behind the
/// folders of all days. Folders that a person made are empty objects, and nothing.
pub(super) async fn list_days<S: Store>(
    store: &S,
    bucket: &str,
    folder: &str,
    (start, last): (i64, i64),
    take: &mut dyn FnMut(Listed),
) -> Result<(), ReadError> {
    let start_after = format!("{folder}{}", day(start));
    let behind_all_days = format!("{folder}:"); // What comes after the digits.
    let last_day = day(last);
    let mut is_cut = false;
    let mut take_file = |listed: Listed| {
        if !(listed.key.ends_with('/') && listed.size == 0) {
            take(listed);
        }
    };
    let mut until_last = |listed: Listed| {
        let day = listed
            .key
            .strip_prefix(folder)
            .and_then(|rest| rest.get(..11));
        if day.is_some_and(|day| is_day(day) && day > last_day.as_str()) {
            is_cut = true;
            return ControlFlow::Break(());
        }
        take_file(listed);
        ControlFlow::Continue(())
    };
    let listed = store.list(bucket, folder, Some(&start_after), &mut until_last);
    if_there(listed.await)?;
    if !is_cut {
        return Ok(());
    }
    let mut rest = |listed: Listed| {
        take_file(listed);
        ControlFlow::Continue(())
    };
    let listed = store.list(bucket, folder, Some(&behind_all_days), &mut rest);
    if_there(listed.await)
}

/// The key of a digest that a stream has of a time before this, if there is one.
pub(super) async fn earlier<S: Store>(
    store: &S,
    bucket: &str,
    stream: &Stream,
    before: i64,
) -> Result<Option<String>, ReadError> {
    let folder = stream.scope.digest_folder();
    let before_day = day(before);
    let mut found = None;
    let mut look = |listed: Listed| {
        let Some(key) = DigestKey::parse(&listed.key) else {
            return ControlFlow::Continue(());
        };
        if key.stream == *stream && key.end < before {
            found = Some(listed.key);
        }
        match found.is_some() || day(key.end) > before_day {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let listed = store.list(bucket, &folder, None, &mut look);
    if_there(listed.await).map(|()| found)
}

fn if_there(listed: Result<(), ReadError>) -> Result<(), ReadError> {
    match listed {
        Err(ReadError::NotFound) => Ok(()),
        listed => listed,
    }
}

/// `2026/03/01/`
fn day(time: i64) -> String {
    let time = display_time(time);
    format!("{}/", time.get(..10).unwrap_or_default().replace('-', "/"))
}

/// Whether this is the name of a day's folder.
fn is_day(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 | 10 => byte == b'/',
        _ => byte.is_ascii_digit(),
    };
    text.bytes().enumerate().all(fits)
}
