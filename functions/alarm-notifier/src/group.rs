//! What is stored of one group, and the alarms in it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use alarm_state::{
    BUCKET_SECONDS, Bucket, EvidenceBucket, GroupId, GroupKeys, HORIZON_SECONDS, Head, Matches,
    NewEvents, Sample, bucket_start,
};
use metric_alarm::{Alarm, AlarmDefinition, AlarmSeries};
use notification::Evidence;
use ports::{Body, Item, ItemKey, Items, Put};

use crate::stopped::Stopped;

/// What is written late is kept so long at least, for copies of it that come soon after.
const SHORTEST_SECONDS: i64 = 2 * 86_400;

/// Buckets that are read for the events that a message shows.
const MOST_EVIDENCE_BUCKETS: usize = 8;

/// How far beyond the events of a message alarms are followed. One that goes on for longer is counted on
/// by what is new, so that a message costs no more than a day of buckets. A message that comes again may
/// have been stored and not counted: its alarms are followed as far as there are buckets.
const FOLLOWED_SECONDS: i64 = 86_400;

/// A head that has not changed is written again when it was last written so long ago.
const REFRESH_SECONDS: i64 = 86_400;

/// More than there can be.
const ALL: usize = usize::MAX;

/// A group under one definition, and its head as it is in the table.
pub(crate) struct Group<'t, T> {
    table: &'t T,
    pub(crate) keys: GroupKeys,
    /// `None`: nothing is known of the group.
    pub(crate) head: Option<Head>,
    version: Option<u64>,
    /// Body, due time and expiry as they are in the table.
    stored: Option<(String, Option<i64>, i64)>,
}

/// Buckets that were read, all there are from `first` to `last`.
struct Loaded {
    first: i64,
    last: i64,
    buckets: BTreeMap<i64, StoredBucket>,
}

struct StoredBucket {
    bucket: Bucket,
    version: Option<u64>,
}

/// What a batch of samples came to.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// By the start of the bucket they are in.
    new: BTreeMap<i64, u64>,
    pub(crate) over_limit: u64,
}

impl Merged {
    /// How many samples were not known before.
    pub(crate) fn new_samples(&self) -> u64 {
        self.new.values().sum()
    }

    /// What of them lies in the alarm, or in a bucket that it begins or ends in.
    pub(crate) fn new_in(&self, alarm: &Alarm, now: i64) -> NewEvents {
        let buckets = bucket_start(alarm.start)..alarm.end.max(alarm.start.saturating_add(1));
        let horizon = now.saturating_sub(HORIZON_SECONDS);
        let mut events = NewEvents::default();
        for (&start, &new) in self.new.range(buckets) {
            events.count += new;
            if start.saturating_add(BUCKET_SECONDS) <= horizon {
                events.beyond_horizon += new;
            }
        }
        events
    }
}

impl<'t, T: Items> Group<'t, T> {
    /// Reads the head of a group.
    pub(crate) async fn load(table: &'t T, keys: GroupKeys, now: i64) -> Result<Self, Stopped> {
        let key = ItemKey {
            partition: keys.partition().to_owned(),
            sort: keys.head().to_owned(),
        };
        let item = table.get_item(&key).await?;
        let live = item.as_ref().filter(|item| item.expires_at > now);
        let head = live.map(|item| Head::parse(text(item))).transpose()?;
        Ok(Group {
            table,
            keys,
            head,
            version: item.as_ref().map(|item| item.version),
            stored: item.map(|item| (text(&item).to_owned(), item.due_at, item.expires_at)),
        })
    }

    /// Writes the head if it has changed; nobody else may have written it meanwhile.
    pub(crate) async fn save(&mut self, due_at: Option<i64>, now: i64) -> Result<(), Stopped> {
        let Some(head) = &self.head else {
            return Ok(());
        };
        let (body, expires_at) = (head.to_json(), head.expires_at(now));
        let is_there = self
            .stored
            .as_ref()
            .is_some_and(|(known, known_due_at, expires)| {
                *known == body && *known_due_at == due_at && expires_at - expires < REFRESH_SECONDS
            });
        if is_there {
            return Ok(());
        }
        let item = Item {
            key: self.key(self.keys.head().to_owned()),
            version: self.version.map_or(1, |version| version + 1),
            body: Body::Text(body.clone()),
            due_at,
            expires_at,
        };
        self.put(&item, self.version).await?;
        self.version = Some(item.version);
        self.stored = Some((body, due_at, expires_at));
        Ok(())
    }

    /// Adds the samples and the evidence of a message to what is stored.
    ///
    /// Returns what it came to and the alarms that hold one of the message's events.
    pub(crate) async fn merge(
        &self,
        matches: &Matches,
        definition: &AlarmDefinition,
        now: i64,
        watermark: i64,
    ) -> Result<(Merged, Vec<Alarm>), Stopped> {
        let samples = matches.samples()?;
        let times = || samples.iter().map(|sample| sample.time);
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return Ok((Merged::default(), Vec::new()));
        };
        self.merge_evidence(&matches.evidence, now).await?;
        let reach = reach(definition);
        let mut loaded = match definition.slides() {
            true => self.load_buckets(first.saturating_sub(reach), last.saturating_add(reach), now),
            // What happened long ago may still decide the state of aligned periods.
            false => self.load_buckets(i64::MIN, i64::MAX, now),
        }
        .await?;
        let merged = self.merge_samples(&mut loaded, &samples, now).await?;
        let is_touched =
            |alarm: &Alarm| times().any(|time| alarm.start <= time && time < alarm.end);
        let follow = match merged.new_samples() < matches.matched {
            true => 2 * HORIZON_SECONDS,
            false => FOLLOWED_SECONDS,
        };
        let followed = first.saturating_sub(follow)..=last.saturating_add(follow);
        let alarms = self
            .alarms_around(loaded, definition, followed, (now, watermark), is_touched)
            .await?;
        Ok((merged, alarms))
    }

    /// All alarms of the group.
    pub(crate) async fn alarms(
        &self,
        definition: &AlarmDefinition,
        now: i64,
        watermark: i64,
    ) -> Result<Vec<Alarm>, Stopped> {
        let loaded = self.load_buckets(i64::MIN, i64::MAX, now).await?;
        Ok(loaded.alarms(definition, watermark))
    }

    async fn merge_evidence(&self, evidence: &[Evidence], now: i64) -> Result<(), Stopped> {
        let mut by_bucket: BTreeMap<i64, Vec<&Evidence>> = BTreeMap::new();
        for event in evidence {
            by_bucket
                .entry(bucket_start(event.time))
                .or_default()
                .push(event);
        }
        for (start, events) in by_bucket {
            let key = self.key(self.keys.evidence(start));
            let item = self.table.get_item(&key).await?;
            let live = item.as_ref().filter(|item| item.expires_at > now);
            let known = live
                .map(|item| EvidenceBucket::parse(text(item)))
                .transpose()?;
            let mut bucket = known.unwrap_or_default();
            if bucket.merge(events.into_iter()) {
                let expected = item.as_ref().map(|item| item.version);
                let body = Body::Text(bucket.to_json());
                self.put_part(key, body, expected, start, now).await?;
            }
        }
        Ok(())
    }

    async fn merge_samples(
        &self,
        loaded: &mut Loaded,
        samples: &[Sample],
        now: i64,
    ) -> Result<Merged, Stopped> {
        let mut by_bucket: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
        for &sample in samples {
            by_bucket
                .entry(bucket_start(sample.time))
                .or_default()
                .push(sample);
        }
        let mut merged = Merged::default();
        for (start, samples) in by_bucket {
            let stored = loaded.buckets.entry(start).or_insert_with(|| StoredBucket {
                bucket: Bucket::new(start),
                version: None,
            });
            // Minutes in items of their own are read only where there is more to add.
            let mut versions: BTreeMap<u8, u64> = BTreeMap::new();
            for minute in stored.bucket.parts_of(&samples) {
                let item = self
                    .table
                    .get_item(&self.key(self.keys.part(start, minute)))
                    .await?;
                stored.bucket.load_part(minute, item.as_ref().map(bytes))?;
                versions.extend(item.map(|item| (minute, item.version)));
            }
            let new = stored.bucket.merge(&samples) as u64;
            merged.new.insert(start, new);
            merged.over_limit += stored.bucket.over_limit();
            if !stored.bucket.is_changed() {
                continue;
            }
            let encoded = stored.bucket.encode();
            for (minute, part) in encoded.parts {
                let key = self.key(self.keys.part(start, minute));
                let expected = match versions.get(&minute) {
                    Some(&version) => Some(version),
                    // A writer that died may have split the bucket before.
                    None => self.table.get_item(&key).await?.map(|item| item.version),
                };
                // It must not go before its bucket does, which a late sample may prolong.
                let start = start.saturating_add(HORIZON_SECONDS);
                self.put_part(key, Body::Bytes(part), expected, start, now)
                    .await?;
            }
            let key = self.key(self.keys.bucket(start));
            let body = Body::Bytes(encoded.bucket);
            self.put_part(key, body, stored.version, start, now).await?;
            stored.version = Some(stored.version.map_or(1, |version| version + 1));
        }
        Ok(merged)
    }

    /// The alarms that are `wanted`, from as many buckets as they reach over.
    async fn alarms_around(
        &self,
        mut loaded: Loaded,
        definition: &AlarmDefinition,
        followed: RangeInclusive<i64>,
        (now, watermark): (i64, i64),
        wanted: impl Fn(&Alarm) -> bool,
    ) -> Result<Vec<Alarm>, Stopped> {
        if !definition.slides() {
            return Ok(loaded.alarms(definition, watermark));
        }
        let reach = reach(definition);
        let mut more = reach.max(6 * BUCKET_SECONDS);
        loop {
            let mut alarms = loaded.alarms(definition, watermark);
            alarms.retain(&wanted);
            // An alarm that comes near the edge of what was read may go on beyond it.
            let low = alarms
                .iter()
                .any(|alarm| alarm.start < loaded.first.saturating_add(reach));
            let high = alarms
                .iter()
                .any(|alarm| alarm.end > loaded.last.saturating_sub(reach));
            let mut grew = false;
            if low && loaded.first > *followed.start() {
                let from = loaded.first.saturating_sub(more);
                let older = self.load_buckets(from, loaded.first - 1, now).await?;
                loaded.first = older.first;
                loaded.buckets.extend(older.buckets);
                grew = true;
            }
            if high && loaded.last < *followed.end() {
                let to = loaded.last.saturating_add(more);
                let newer = self
                    .load_buckets(loaded.last.saturating_add(1), to, now)
                    .await?;
                loaded.last = newer.last;
                loaded.buckets.extend(newer.buckets);
                grew = true;
            }
            if !grew {
                return Ok(alarms);
            }
            more = more.saturating_mul(4);
        }
    }

    /// All buckets with a second from `first` to `last`.
    async fn load_buckets(&self, first: i64, last: i64, now: i64) -> Result<Loaded, Stopped> {
        let (first, last) = (bucket_start(first), bucket_start(last));
        let (from, to) = (self.keys.bucket(first), self.keys.bucket(last));
        let partition = self.keys.partition();
        let items = self
            .table
            .items_between(partition, &from, &to, false, ALL)
            .await?;
        let mut buckets = BTreeMap::new();
        for item in items {
            let Some(start) = GroupKeys::bucket_start(&item.key.sort) else {
                continue;
            };
            let bucket = match item.expires_at > now {
                true => Bucket::decode(start, bytes(&item))?,
                false => Bucket::new(start),
            };
            let version = Some(item.version);
            buckets.insert(start, StoredBucket { bucket, version });
        }
        Ok(Loaded {
            first,
            last: last.saturating_add(BUCKET_SECONDS - 1),
            buckets,
        })
    }

    /// Events from `first` to `last` (Unix seconds), by time: the first ones, or the newest.
    pub(crate) async fn evidence(
        &self,
        first: i64,
        last: i64,
        newest: bool,
        now: i64,
    ) -> Result<Vec<Evidence>, Stopped> {
        let from = self.keys.evidence(bucket_start(first));
        let to = self.keys.evidence(bucket_start(last));
        let partition = self.keys.partition();
        let most = MOST_EVIDENCE_BUCKETS;
        let items = self
            .table
            .items_between(partition, &from, &to, newest, most)
            .await?;
        let mut events = Vec::new();
        for item in items.iter().filter(|item| item.expires_at > now) {
            let bucket = EvidenceBucket::parse(text(item))?;
            let within = |event: &&Evidence| (first..=last).contains(&event.time);
            events.extend(bucket.events().iter().filter(within).cloned());
        }
        events.sort();
        let surplus = events.len().saturating_sub(alarm_state::MOST_EVIDENCE);
        match newest {
            true => drop(events.drain(..surplus)),
            false => events.truncate(alarm_state::MOST_EVIDENCE),
        }
        Ok(events)
    }

    fn key(&self, sort: String) -> ItemKey {
        ItemKey {
            partition: self.keys.partition().to_owned(),
            sort,
        }
    }

    async fn put_part(
        &self,
        key: ItemKey,
        body: Body,
        expected: Option<u64>,
        start: i64,
        now: i64,
    ) -> Result<(), Stopped> {
        let by_event_time = start.saturating_add(BUCKET_SECONDS + HORIZON_SECONDS);
        let soonest = now.saturating_add(SHORTEST_SECONDS);
        let item = Item {
            key,
            version: expected.map_or(1, |version| version + 1),
            body,
            due_at: None,
            // Times of events are input: one in the far future must not be kept for ever.
            expires_at: by_event_time.clamp(soonest, soonest.saturating_add(2 * HORIZON_SECONDS)),
        };
        self.put(&item, expected).await
    }

    async fn put(&self, item: &Item, expected: Option<u64>) -> Result<(), Stopped> {
        match self.table.put_item(item, expected).await? {
            Put::Written => Ok(()),
            Put::Conflict(_) => Err(Stopped::conflict()),
        }
    }
}

impl Loaded {
    fn alarms(&self, definition: &AlarmDefinition, watermark: i64) -> Vec<Alarm> {
        let mut series = AlarmSeries::new(definition.clone());
        let tallies: Vec<_> = self
            .buckets
            .values()
            .flat_map(|stored| stored.bucket.tallies())
            .collect();
        series.add_tallies(&tallies);
        series.alarms(watermark)
    }
}

/// How far around a second an event there can matter to an alarm there.
fn reach(definition: &AlarmDefinition) -> i64 {
    2 * definition.period_seconds() + BUCKET_SECONDS
}

fn text(item: &Item) -> &str {
    match &item.body {
        Body::Text(text) => text,
        Body::Bytes(_) => "",
    }
}

fn bytes(item: &Item) -> &[u8] {
    match &item.body {
        Body::Bytes(bytes) => bytes,
        Body::Text(_) => &[],
    }
}

/// The alarms of a group as they follow from all samples that are stored of it, judged at
/// `watermark` (Unix seconds): what the incidents must agree with.
///
/// # Errors
/// Why the table cannot be read, in a sentence.
pub async fn alarms_of_group<T: Items>(
    table: &T,
    partition: &str,
    now: i64,
    watermark: i64,
) -> Result<Vec<Alarm>, String> {
    let Some((keys, _)) = GroupKeys::of_partition(partition) else {
        return Err(format!("`{partition}` is no partition of a group"));
    };
    let alarms = async {
        let group = Group::load(table, keys, now).await?;
        let Some(head) = &group.head else {
            return Ok(Vec::new());
        };
        let definition = head.filter.definition()?;
        group.alarms(&definition, now, watermark).await
    };
    alarms.await.map_err(|stopped: Stopped| stopped.error)
}

/// The group of a message.
pub(crate) fn keys_of(matches: &Matches) -> GroupKeys {
    GroupKeys::new(&matches.group_id, &matches.filter.definition_hash())
}

/// The head of a group with the newest that is known of its filter.
pub(crate) fn head_of<'h>(head: &'h mut Option<Head>, matches: &Matches) -> &'h mut Head {
    let group_id: GroupId = matches.group_id.clone();
    let head = head
        .get_or_insert_with(|| Head::new(matches.filter.clone(), group_id, matches.group.clone()));
    head.filter.clone_from(&matches.filter);
    head.group.clone_from(&matches.group);
    head
}
