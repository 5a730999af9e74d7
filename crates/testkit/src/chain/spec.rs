//! What a stream of digest files is to look like.

use jiff::Timestamp;

/// One trail in one account and Region, and what happens to it hour by hour. Hours count from 0.
///
/// ```
/// use testkit::chain::{Chain, TrailSpec};
///
/// let chain = Chain::of(&TrailSpec { hours: 6, empty_hours: vec![2, 3], ..TrailSpec::default() });
/// assert_eq!(chain.streams[0].digests.len(), 6);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailSpec {
    /// What stands before `AWSLogs/`, without the slash.
    pub prefix: Option<String>,
    /// The organization of an organization trail.
    pub organization_id: Option<String>,
    /// Whose events.
    pub account: String,
    /// Whose trail, if not the account's own.
    pub owner: Option<String>,
    /// Where the events come from.
    pub region: String,
    /// Name of the trail.
    pub trail: String,
    /// Where the trail was made.
    pub home_region: String,
    /// Where it delivers to.
    pub bucket: String,
    /// When the first digest begins, in Unix seconds; not at the full hour.
    pub start: i64,
    /// For how many hours it goes.
    pub hours: usize,
    /// Log files in an hour.
    pub logs_per_hour: usize,
    /// Records in a log file, at least one.
    pub records_per_log: usize,
    /// Hours without log files; their digests are empty.
    pub empty_hours: Vec<usize>,
    /// Hours whose first log file is late: its events, and the time in its key, lie
    /// [`late_by_hours`](Self::late_by_hours) before.
    pub late_hours: Vec<usize>,
    /// How late.
    pub late_by_hours: u32,
    /// Hours in which a file of Insights events is delivered, too.
    pub insight_hours: Vec<usize>,
    /// Hours of which there is no digest, with log files that nobody vouches for. The next digest is a
    /// starting digest.
    pub off_hours: Vec<usize>,
    /// Hours of which there is no digest, although the next one is linked to the one before.
    pub skipped_hours: Vec<usize>,
    /// Hours in which logging stopped, and after how many seconds. Their digests are short; the next
    /// is a starting digest.
    pub stops: Vec<(usize, u32)>,
    /// Hours from which on another key signs. After 20 days it changes by itself.
    pub key_changes: Vec<usize>,
    /// From which hour on it delivers to which bucket.
    pub moves: Vec<(usize, String)>,
    /// Hours of which there is a backfill digest, too; from the first made to the last.
    pub backfill_hours: Vec<usize>,
    /// After how many days a backfill digest is made.
    pub backfill_after_days: u32,
}

/// The key of an hour changes by itself after so many.
const KEY_HOURS: usize = 20 * 24;

impl Default for TrailSpec {
    fn default() -> Self {
        TrailSpec {
            prefix: None,
            organization_id: None,
            account: "111122223333".into(),
            owner: None,
            region: "us-east-1".into(),
            trail: "audit-trail".into(),
            home_region: "us-east-1".into(),
            bucket: "amzn-s3-demo-bucket".into(),
            // 2026-03-01T00:17:23Z
            start: 1_772_324_243,
            hours: 24,
            logs_per_hour: 4,
            records_per_log: 3,
            empty_hours: Vec::new(),
            late_hours: Vec::new(),
            late_by_hours: 3,
            insight_hours: Vec::new(),
            off_hours: Vec::new(),
            skipped_hours: Vec::new(),
            stops: Vec::new(),
            key_changes: Vec::new(),
            moves: Vec::new(),
            backfill_hours: Vec::new(),
            backfill_after_days: 40,
        }
    }
}

impl TrailSpec {
    /// The same trail in another Region. Its digests end at another minute.
    pub fn in_region(&self, region: &str) -> Self {
        let other = TrailSpec {
            region: region.to_owned(),
            ..self.clone()
        };
        other.at_its_own_minute()
    }

    /// The same trail in another account of the organization, or a trail like it.
    pub fn in_account(&self, account: &str) -> Self {
        let other = TrailSpec {
            account: account.to_owned(),
            ..self.clone()
        };
        other.at_its_own_minute()
    }

    fn at_its_own_minute(mut self) -> Self {
        let hash = super::sha256(format!("{} {}", self.account, self.region).as_bytes());
        let second = i64::from_str_radix(&hash[..8], 16).unwrap() % 3480;
        self.start = self.start - self.start.rem_euclid(3600) + 60 + second;
        self
    }

    /// The ARN of the trail.
    pub fn arn(&self) -> String {
        let owner = self.owner.as_ref().unwrap_or(&self.account);
        let (home_region, trail) = (&self.home_region, &self.trail);
        format!("arn:aws:cloudtrail:{home_region}:{owner}:trail/{trail}")
    }

    /// What keys begin with: `[prefix/]AWSLogs/[organization/]account/`.
    pub fn base(&self) -> String {
        let part = |part: &Option<String>| {
            part.as_ref()
                .map_or(String::new(), |part| part.clone() + "/")
        };
        let (prefix, organization) = (part(&self.prefix), part(&self.organization_id));
        format!("{prefix}AWSLogs/{organization}{}/", self.account)
    }

    /// The key of the digest that ends at this time.
    pub fn digest_key(&self, end: i64, is_backfill: bool) -> String {
        let TrailSpec {
            account,
            region,
            trail,
            home_region,
            ..
        } = self;
        let base = self.base();
        let day = stamp(end, "%Y/%m/%d");
        let end = stamp(end, "%Y%m%dT%H%M%SZ");
        let backfill = if is_backfill { "_backfill" } else { "" };
        format!(
            "{base}CloudTrail-Digest/{region}/{day}/{account}_CloudTrail-Digest_{region}_{trail}_{home_region}_{end}{backfill}.json.gz"
        )
    }

    /// The key of a log file in a folder such as `CloudTrail`; `unique` is 16 letters and digits.
    pub fn log_key(&self, folder: &str, time: i64, unique: &str) -> String {
        let (account, region, base) = (&self.account, &self.region, self.base());
        let day = stamp(time, "%Y/%m/%d");
        let time = stamp(time, "%Y%m%dT%H%MZ");
        format!("{base}{folder}/{region}/{day}/{account}_{folder}_{region}_{time}_{unique}.json.gz")
    }

    /// When an hour begins.
    pub fn start_of(&self, hour: usize) -> i64 {
        self.start + 3600 * i64::try_from(hour).unwrap()
    }

    /// When its digest ends.
    pub fn end_of(&self, hour: usize) -> i64 {
        let stop = self.stops.iter().find(|(at, _)| *at == hour);
        self.start_of(hour) + stop.map_or(3600, |(_, seconds)| i64::from(*seconds))
    }

    /// Where it delivers to in an hour.
    pub fn bucket_of(&self, hour: usize) -> &str {
        let moves = self.moves.iter().filter(|(from, _)| *from <= hour);
        let latest = moves.max_by_key(|(from, _)| from);
        latest.map_or(&self.bucket, |(_, bucket)| bucket)
    }

    /// The hour in which the key that signs in this one was used first, and how many there were before.
    pub(super) fn key_of(&self, hour: usize) -> (usize, usize) {
        let changes = self.key_changes.iter().copied();
        let changes = changes.chain((1..=hour / KEY_HOURS).map(|nth| nth * KEY_HOURS));
        let past: Vec<usize> = changes.filter(|&from| from <= hour).collect();
        (past.iter().copied().max().unwrap_or(0), past.len())
    }

    /// The hour whose digest the one of this hour is linked to.
    pub(super) fn previous_hour(&self, hour: usize) -> Option<usize> {
        let mut earlier = (0..hour).rev();
        let previous = earlier.find(|earlier| !self.skipped_hours.contains(earlier))?;
        let is_end = self.off_hours.contains(&previous)
            || self.stops.iter().any(|(stop, _)| *stop == previous);
        (!is_end).then_some(previous)
    }
}

pub(super) fn stamp(time: i64, format: &str) -> String {
    let time = Timestamp::from_second(time).unwrap();
    time.strftime(format).to_string()
}
