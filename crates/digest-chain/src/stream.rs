//! Which chain a digest is part of, by its key.

use cloudtrail::{NameRest, ObjectKey, ObjectKind};

/// Where the objects of one account and Region lie in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// What stands before `AWSLogs/`, without the slash; empty for none.
    pub prefix: String,
    /// The organization's id, where it stands behind `AWSLogs/`.
    pub organization_id: Option<String>,
    /// The account, 12 digits.
    pub account_id: String,
    /// The Region the events came from.
    pub region: String,
}

/// One chain of digests: those of one trail for one account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream {
    /// Where its objects lie.
    pub scope: Scope,
    /// The name of the trail.
    pub trail: String,
    /// The Region the trail was made in.
    pub home_region: String,
}

/// The key of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKey {
    /// The chain it is part of.
    pub stream: Stream,
    /// The end of its hour, in Unix seconds.
    pub end: i64,
    /// Whether it is a backfill digest.
    pub is_backfill: bool,
}

impl Scope {
    /// The folder of everything of the account: `[prefix/]AWSLogs/[organization/]account/`.
    pub fn base(&self) -> String {
        let Scope {
            prefix,
            organization_id,
            account_id,
            ..
        } = self;
        let slash = |part: &str| match part {
            "" => String::new(),
            part => format!("{part}/"),
        };
        let organization = slash(organization_id.as_deref().unwrap_or_default());
        format!("{}AWSLogs/{organization}{account_id}/", slash(prefix))
    }

    /// The folder of the digests: `base CloudTrail-Digest/region/`.
    pub fn digest_folder(&self) -> String {
        format!("{}CloudTrail-Digest/{}/", self.base(), self.region)
    }

    /// A folder of log files: `base CloudTrail/region/`.
    pub fn log_folder(&self, folder: cloudtrail::LogFolder) -> String {
        format!("{}{}/{}/", self.base(), folder.name(), self.region)
    }
}

impl Stream {
    /// The key of its digest that ends at this time.
    pub fn digest_key(&self, end: i64, is_backfill: bool) -> String {
        let Stream {
            scope,
            trail,
            home_region,
        } = self;
        let Scope {
            account_id, region, ..
        } = scope;
        let stamp = crate::stamp_text(end);
        let (year, month, day) = (&stamp[..4], &stamp[4..6], &stamp[6..8]);
        let backfill = if is_backfill { "_backfill" } else { "" };
        format!(
            "{}{year}/{month}/{day}/{account_id}_CloudTrail-Digest_{region}_{trail}_{home_region}_{stamp}{backfill}.json.gz",
            scope.digest_folder()
        )
    }
}

impl DigestKey {
    /// Reads a key; `None` if CloudTrail gives no digest such a key. Every part is looked at, and that the folder of
    /// the day is that of the time in the name.
    pub fn parse(key: &str) -> Option<Self> {
        let parsed = ObjectKey::parse(key).ok()?;
        let ObjectKind::DigestFile { backfill } = parsed.name.kind else {
            return None;
        };
        let NameRest::Trail { name, home_region } = &parsed.name.rest else {
            return None;
        };
        let scope = Scope {
            prefix: parsed.prefix.clone(),
            organization_id: parsed.organization_id_inside().map(str::to_owned),
            account_id: parsed.name.account_id.clone(),
            region: parsed.name.region.clone(),
        };
        let stream = Stream {
            scope,
            trail: name.clone(),
            home_region: home_region.clone(),
        };
        let end = parsed.name.time;
        // Nothing is left over, and nothing is written otherwise.
        (stream.digest_key(end, backfill) == key).then_some(DigestKey {
            stream,
            end,
            is_backfill: backfill,
        })
    }
}
