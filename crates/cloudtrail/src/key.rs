//! The names CloudTrail stores its objects under.
//!
//! ```text
//! [prefix/]AWSLogs/[organization/]account/FOLDER/region/YYYY/MM/DD/account_FOLDER_region_YYYYMMDDTHHmmZ_unique.json.gz
//! [prefix/]AWSLogs/[organization/]account/CloudTrail-Digest/region/YYYY/MM/DD/account_CloudTrail-Digest_region_trail_home-region_YYYYMMDDTHHmmssZ[_backfill].json.gz
//! ```
//!
//! `FOLDER` is `CloudTrail` (management and data events), `CloudTrail-Insight`,
//! `CloudTrail-NetworkActivity` or `CloudTrail-Aggregated`. Organization trails put the
//! organization's id behind `AWSLogs`; Control Tower puts it before; older ones leave it out.
//!
//! Sources: CloudTrail User Guide, "Finding your CloudTrail log files" and "CloudTrail digest file
//! structure".

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What CloudTrail keeps in an object, by the name of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A log file.
    LogFile(LogFolder),
    /// A digest file; a backfill digest vouches for log files that were delivered late.
    DigestFile {
        /// Is it a backfill digest?
        backfill: bool,
    },
}

/// The folders log files lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFolder {
    /// `CloudTrail`: management and data events.
    Events,
    /// `CloudTrail-Insight`: Insights events.
    Insight,
    /// `CloudTrail-NetworkActivity`: network activity events.
    NetworkActivity,
    /// `CloudTrail-Aggregated`: summaries of data events.
    Aggregated,
}

impl LogFolder {
    /// All of them.
    pub const ALL: [LogFolder; 4] = [
        LogFolder::Events,
        LogFolder::Insight,
        LogFolder::NetworkActivity,
        LogFolder::Aggregated,
    ];

    /// The name of the folder in a key.
    pub fn name(self) -> &'static str {
        match self {
            LogFolder::Events => "CloudTrail",
            LogFolder::Insight => "CloudTrail-Insight",
            LogFolder::NetworkActivity => "CloudTrail-NetworkActivity",
            LogFolder::Aggregated => "CloudTrail-Aggregated",
        }
    }
}

const DIGEST_FOLDER: &str = "CloudTrail-Digest";

impl ObjectKind {
    /// The name of the folder in a key.
    pub fn folder(self) -> &'static str {
        match self {
            ObjectKind::LogFile(folder) => folder.name(),
            ObjectKind::DigestFile { .. } => DIGEST_FOLDER,
        }
    }

    fn from_folder(name: &str) -> Option<Self> {
        if name == DIGEST_FOLDER {
            return Some(ObjectKind::DigestFile { backfill: false });
        }
        let folder = LogFolder::ALL
            .into_iter()
            .find(|folder| folder.name() == name)?;
        Some(ObjectKind::LogFile(folder))
    }
}

/// The AWS partition a Region belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `aws`: the public Regions.
    Aws,
    /// `aws-cn`: China.
    AwsCn,
    /// `aws-us-gov`: GovCloud (US).
    AwsUsGov,
}

impl Partition {
    /// The partition of a Region, by its name.
    pub fn of_region(region: &str) -> Self {
        if region.starts_with("cn-") {
            Partition::AwsCn
        } else if region.starts_with("us-gov-") {
            Partition::AwsUsGov
        } else {
            Partition::Aws
        }
    }

    /// The name as it stands in ARNs.
    pub fn name(self) -> &'static str {
        match self {
            Partition::Aws => "aws",
            Partition::AwsCn => "aws-cn",
            Partition::AwsUsGov => "aws-us-gov",
        }
    }
}

/// The last segment of a key: enough to know what an object is when it was moved out of its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// What the object is.
    pub kind: ObjectKind,
    /// The account, 12 digits.
    pub account_id: String,
    /// The Region whose events it holds, as the name says. A record's own `awsRegion` is to be
    /// trusted more.
    pub region: String,
    /// The time in the name, in Unix seconds: for a log file the minute of its delivery, for a digest
    /// file the end of its hour.
    pub time: i64,
    /// What makes the name unique: 16 characters without a meaning.
    /// For a digest file: the trail and its home Region.
    pub rest: NameRest,
}

/// The part of a file name that depends on what the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameRest {
    /// A log file's random part.
    Unique(String),
    /// A digest file's trail and home Region.
    Trail {
        /// Name of the trail.
        name: String,
        /// The Region the trail was made in.
        home_region: String,
    },
}

/// A whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectKey {
    /// What stands before `AWSLogs/`, without the slash; empty for none.
    pub prefix: String,
    /// The organization's id, from behind `AWSLogs` or else from the end of the prefix.
    pub organization_id: Option<String>,
    /// The Region in the folder.
    pub region_folder: String,
    /// The day in the folder: year, month, day.
    pub day: (i16, i8, i8),
    /// The file name.
    pub name: FileName,
    /// Does the organization's id stand behind `AWSLogs`?
    organization_inside: bool,
}

/// Why a key is not one of CloudTrail's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A key that ends with a slash stands for a folder.
    #[error("`{key}` is a folder marker, expected a log file or digest file")]
    FolderMarker {
        /// The key.
        key: String,
    },
    /// A part of the key is not what CloudTrail writes there.
    #[error("`{found}` in the key, expected {expected}")]
    Unexpected {
        /// The part at fault, or the whole key.
        found: String,
        /// What CloudTrail writes there.
        expected: &'static str,
    },
}

fn unexpected(found: &str, expected: &'static str) -> KeyError {
    KeyError::Unexpected {
        found: found.to_owned(),
        expected,
    }
}

impl ObjectKey {
    /// Parses a key (not form-encoded).
    ///
    /// # Errors
    /// The first part that is not what CloudTrail writes.
    pub fn parse(key: &str) -> Result<Self, KeyError> {
        if key.ends_with('/') || key.is_empty() {
            return Err(KeyError::FolderMarker {
                key: key.to_owned(),
            });
        }
        let segments: Vec<&str> = key.split('/').collect();
        let aws_logs = segments
            .iter()
            .rposition(|segment| *segment == "AWSLogs")
            .ok_or_else(|| unexpected(key, "`AWSLogs/` in it"))?;
        let (before, behind) = segments.split_at(aws_logs);
        let behind = behind.get(1..).unwrap_or_default();
        let (inside, behind) = match behind.split_first() {
            Some((first, rest)) if is_organization_id(first) => (Some(*first), rest),
            _ => (None, behind),
        };
        let &[account, folder, region, year, month, day, name] = behind else {
            return Err(unexpected(
                key,
                "account/folder/region/year/month/day/name behind `AWSLogs/`",
            ));
        };
        let name = FileName::parse(name)?;
        check_folders(&name, account, folder)?;
        let outside = before
            .last()
            .copied()
            .filter(|segment| is_organization_id(segment));
        Ok(ObjectKey {
            prefix: before.join("/"),
            organization_id: inside.or(outside).map(str::to_owned),
            region_folder: region_name(region)?.to_owned(),
            day: calendar_day(year, month, day)?,
            name,
            organization_inside: inside.is_some(),
        })
    }

    /// The organization's id, if it stands behind `AWSLogs`, as with organization trails.
    pub fn organization_id_inside(&self) -> Option<&str> {
        self.organization_id
            .as_deref()
            .filter(|_| self.organization_inside)
    }

    /// The partition of the Region in the name.
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.name.region)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.prefix.is_empty() {
            write!(f, "{}/", self.prefix)?;
        }
        f.write_str("AWSLogs/")?;
        if let (true, Some(organization)) = (self.organization_inside, &self.organization_id) {
            write!(f, "{organization}/")?;
        }
        let (year, month, day) = self.day;
        let FileName {
            account_id, kind, ..
        } = &self.name;
        let (folder, region) = (kind.folder(), &self.region_folder);
        write!(
            f,
            "{account_id}/{folder}/{region}/{year:04}/{month:02}/{day:02}/{}",
            self.name
        )
    }
}

impl FileName {
    /// Parses the last segment of a key. `.json` is accepted for `.json.gz`: a file that was inflated.
    ///
    /// # Errors
    /// The first part that is not what CloudTrail writes.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let stem = name
            .strip_suffix(".json.gz")
            .or_else(|| name.strip_suffix(".json"))
            .ok_or_else(|| unexpected(name, "a name that ends with `.json.gz`"))?;
        let mut parts = stem.splitn(4, '_');
        let mut part = |expected| parts.next().ok_or_else(|| unexpected(name, expected));
        let account_id = account_id(part("an account id first")?)?;
        let folder = part("`_CloudTrail_` behind the account id")?;
        let kind = ObjectKind::from_folder(folder)
            .ok_or_else(|| unexpected(folder, "`CloudTrail`, `CloudTrail-Insight`, `CloudTrail-NetworkActivity`, `CloudTrail-Aggregated` or `CloudTrail-Digest`"))?;
        let region = region_name(part("a Region behind the folder's name")?)?;
        let rest = part("a time and a unique part behind the Region")?;
        let (kind, time, rest) = match kind {
            ObjectKind::LogFile(_) => {
                let (time, unique) = log_file_rest(rest)?;
                (kind, time, unique)
            }
            ObjectKind::DigestFile { .. } => digest_file_rest(rest)?,
        };
        Ok(FileName {
            kind,
            account_id: account_id.to_owned(),
            region: region.to_owned(),
            time,
            rest,
        })
    }

    /// Is it a log file (of any folder)?
    pub fn is_log_file(&self) -> bool {
        matches!(self.kind, ObjectKind::LogFile(_))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileName {
            kind,
            account_id,
            region,
            time,
            rest,
        } = self;
        write!(f, "{account_id}_{}_{region}_", kind.folder())?;
        let time = jiff::Timestamp::from_second(*time).unwrap_or_default();
        let time = Offset::UTC.to_datetime(time);
        match rest {
            NameRest::Unique(unique) => {
                write!(f, "{}_{unique}.json.gz", time.strftime("%Y%m%dT%H%MZ"))
            }
            NameRest::Trail { name, home_region } => {
                write!(
                    f,
                    "{name}_{home_region}_{}",
                    time.strftime("%Y%m%dT%H%M%SZ")
                )?;
                if *kind == (ObjectKind::DigestFile { backfill: true }) {
                    f.write_str("_backfill")?;
                }
                f.write_str(".json.gz")
            }
        }
    }
}

fn log_file_rest(rest: &str) -> Result<(i64, NameRest), KeyError> {
    let (time, unique) = rest
        .split_once('_')
        .ok_or_else(|| unexpected(rest, "a time and a unique part"))?;
    if unique.is_empty() || !unique.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(unexpected(unique, "16 letters and digits"));
    }
    let time =
        compact_time(time, 5).ok_or_else(|| unexpected(time, "a time such as 20260302T0215Z"))?;
    Ok((time, NameRest::Unique(unique.to_owned())))
}

/// Trail names may hold underscores, so this reads from the end.
fn digest_file_rest(rest: &str) -> Result<(ObjectKind, i64, NameRest), KeyError> {
    let (rest, backfill) = match rest.strip_suffix("_backfill") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let mut parts = rest.rsplitn(3, '_');
    let time = parts.next().unwrap_or_default();
    let (Some(home_region), Some(trail)) = (parts.next(), parts.next()) else {
        return Err(unexpected(rest, "a trail, its home Region and a time"));
    };
    if trail.is_empty() {
        return Err(unexpected(rest, "the name of a trail"));
    }
    let rest = NameRest::Trail {
        name: trail.to_owned(),
        home_region: region_name(home_region)?.to_owned(),
    };
    let time =
        compact_time(time, 7).ok_or_else(|| unexpected(time, "a time such as 20260302T021500Z"))?;
    Ok((ObjectKind::DigestFile { backfill }, time, rest))
}

fn check_folders(name: &FileName, account: &str, folder: &str) -> Result<(), KeyError> {
    account_id(account)?;
    if account != name.account_id {
        return Err(unexpected(account, "the account of the file name"));
    }
    if folder != name.kind.folder() {
        return Err(unexpected(folder, "the folder of the file name"));
    }
    Ok(())
}

fn account_id(text: &str) -> Result<&str, KeyError> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text);
    }
    Err(unexpected(text, "an account id of 12 digits"))
}

/// Region names change faster than programs: any lower-case word passes.
fn region_name(text: &str) -> Result<&str, KeyError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.bytes().all(fits) {
        return Ok(text);
    }
    Err(unexpected(text, "a Region such as eu-west-1"))
}

fn is_organization_id(segment: &str) -> bool {
    segment.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn calendar_day(year: &str, month: &str, day: &str) -> Result<(i16, i8, i8), KeyError> {
    let number = |text: &str, digits| {
        let digits_only = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        digits_only.then(|| text.parse::<i16>().ok()).flatten()
    };
    let date = (|| {
        let (month, day) = (number(month, 2)?, number(day, 2)?);
        let date = jiff::civil::Date::new(
            number(year, 4)?,
            month.try_into().ok()?,
            day.try_into().ok()?,
        )
        .ok()?;
        Some((date.year(), date.month(), date.day()))
    })();
    date.ok_or_else(|| unexpected(&format!("{year}/{month}/{day}"), "a day such as 2026/03/02"))
}

/// Reads `YYYYMMDDTHHmmZ` or, with `time_characters` 7, `YYYYMMDDTHHmmssZ`, as Unix seconds.
fn compact_time(text: &str, time_characters: usize) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    if date.len() != 8 || time.len() != time_characters {
        return None;
    }
    let time = time.strip_suffix('Z')?;
    let number = |text: &str, range: std::ops::Range<usize>| -> Option<i8> {
        let digits = text.get(range)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()
    };
    let year = i16::from(number(date, 0..2)?) * 100 + i16::from(number(date, 2..4)?);
    let second = if time.len() == 6 {
        number(time, 4..6)?
    } else {
        0
    };
    let datetime = DateTime::new(
        year,
        number(date, 4..6)?,
        number(date, 6..8)?,
        number(time, 0..2)?,
        number(time, 2..4)?,
        second,
        0,
    );
    Some(Offset::UTC.to_timestamp(datetime.ok()?).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T0215Z_Mu0KsOhtH1ar15ZZ.json.gz";

    #[test]
    fn a_log_file_key_gives_its_parts() {
        let key = ObjectKey::parse(LOG).unwrap();
        assert_eq!(key.prefix, "");
        assert_eq!(key.organization_id, None);
        assert_eq!(key.name.kind, ObjectKind::LogFile(LogFolder::Events));
        assert_eq!(key.name.time, 1_772_417_700);
        assert_eq!(key.to_string(), LOG);
    }

    #[test]
    fn every_folder_is_known() {
        for folder in LogFolder::ALL {
            let key = LOG.replace("CloudTrail", folder.name());
            assert_eq!(
                ObjectKey::parse(&key).unwrap().name.kind,
                ObjectKind::LogFile(folder),
                "{key}"
            );
        }
        let other = LOG.replace("CloudTrail", "CloudTrail-Insights");
        assert!(
            ObjectKey::parse(&other).is_err(),
            "AWS writes `CloudTrail-Insight`"
        );
    }

    #[test]
    fn the_organization_may_stand_before_or_behind_aws_logs() {
        let behind = ObjectKey::parse(&format!(
            "trails/{}",
            LOG.replace("AWSLogs/", "AWSLogs/o-exampleorgid/")
        ))
        .unwrap();
        assert_eq!(
            (behind.prefix.as_str(), behind.organization_id.as_deref()),
            ("trails", Some("o-exampleorgid"))
        );
        let before = ObjectKey::parse(&format!("o-exampleorgid/{LOG}")).unwrap();
        assert_eq!(
            (before.prefix.as_str(), before.organization_id.as_deref()),
            ("o-exampleorgid", Some("o-exampleorgid"))
        );
        let both = format!(
            "o-exampleorgid/{}",
            LOG.replace("AWSLogs/", "AWSLogs/o-exampleorgid/")
        );
        assert_eq!(ObjectKey::parse(&both).unwrap().to_string(), both);
    }

    #[test]
    fn digest_and_backfill_digest_keys_name_their_trail() {
        let digest = "p/q/AWSLogs/111122223333/CloudTrail-Digest/us-gov-west-1/2026/03/02/111122223333_CloudTrail-Digest_us-gov-west-1_my_trail_us-gov-east-1_20260302T021500Z.json.gz";
        let key = ObjectKey::parse(digest).unwrap();
        assert_eq!(key.partition(), Partition::AwsUsGov);
        assert_eq!(
            key.name.rest,
            NameRest::Trail {
                name: "my_trail".into(),
                home_region: "us-gov-east-1".into()
            }
        );
        assert_eq!(key.to_string(), digest);
        let backfill = digest.replace(".json.gz", "_backfill.json.gz");
        let key = ObjectKey::parse(&backfill).unwrap();
        assert_eq!(key.name.kind, ObjectKind::DigestFile { backfill: true });
        assert_eq!(key.to_string(), backfill);
    }

    #[test]
    fn the_folder_may_name_another_region_than_the_file() {
        let key = LOG.replace("CloudTrail/us-east-1", "CloudTrail/us-east-2");
        let key = ObjectKey::parse(&key).unwrap();
        assert_eq!(
            (key.region_folder.as_str(), key.name.region.as_str()),
            ("us-east-2", "us-east-1")
        );
    }

    #[test]
    fn partitions_follow_the_region() {
        assert_eq!(Partition::of_region("cn-northwest-1").name(), "aws-cn");
        assert_eq!(Partition::of_region("us-gov-east-1").name(), "aws-us-gov");
        assert_eq!(Partition::of_region("eu-central-2").name(), "aws");
    }

    #[test]
    fn what_is_not_cloudtrails_says_why() {
        for (key, says) in [
            ("AWSLogs/111122223333/CloudTrail/", "folder marker"),
            ("photos/cat.jpg", "`AWSLogs/` in it"),
            (
                "AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/02/111122223333_vpcflowlogs_us-east-1_x_y.log.gz",
                "ends with `.json.gz`",
            ),
            (&LOG.replace("20260302T", "20261302T"), "a time such as"),
            (&LOG.replace("/2026/03/02", "/2026/02/30"), "a day such as"),
            (&LOG.replacen("111122223333", "11112222333", 1), "12 digits"),
            (
                &LOG.replacen("111122223333", "444455556666", 1),
                "the account of the file name",
            ),
        ] {
            let error = ObjectKey::parse(key).unwrap_err().to_string();
            assert!(error.contains(says), "{key}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_says_why(text in "[A-Za-z0-9_/.-]{0,80}|\\PC{0,40}") {
            let _ = ObjectKey::parse(&text);
            let _ = FileName::parse(&text);
        }

        #[test]
        fn printing_and_parsing_is_identity(
            prefix in "([a-z]{1,5}/){0,2}", organization in "(o-[a-z0-9]{10})?", account in "[0-9]{12}",
            region in "(us|eu|cn|us-gov)-(east|west)-[1-3]", minute in 0_i64..30_000_000, folder in 0_usize..6, unique in "[A-Za-z0-9]{16}", trail in "[A-Za-z][A-Za-z0-9._-]{2,20}",
        ) {
            let kind = match LogFolder::ALL.get(folder) {
                Some(folder) => ObjectKind::LogFile(*folder),
                None => ObjectKind::DigestFile { backfill: folder == 5 },
            };
            let rest = match kind {
                ObjectKind::LogFile(_) => NameRest::Unique(unique),
                ObjectKind::DigestFile { .. } => NameRest::Trail { name: trail, home_region: region.clone() },
            };
            let name = FileName { kind, account_id: account, region: region.clone(), time: minute * 60, rest };
            let key = ObjectKey {
                prefix: prefix.trim_end_matches('/').to_owned(),
                organization_inside: !organization.is_empty(),
                organization_id: (!organization.is_empty()).then_some(organization),
                region_folder: region,
                day: (2026, 3, 2),
                name,
            };
            prop_assert_eq!(ObjectKey::parse(&key.to_string()), Ok(key));
        }
    }
}
