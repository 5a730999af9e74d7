//! Strict validation: every statement of the chain is held against what is there.
//!
//! For each account and Region (`strict_scope`) the digests are listed by their exact names and walked forward, their
//! log files hashed, and the log folders listed to see who is in them that no digest lists. Where the AWS CLI takes a
//! listing at its word, this looks at the numbers: links, times and the ends of gzip members.
//!
//! Findings are told as they are found (`strict_report`); an object that cannot be read is told as that and never as
//! tampered with. Memory is bounded: digests are held in batches, log files never, and of a log file that is vouched
//! for eight bytes.

use std::collections::BTreeSet;

use cloudtrail::LogFolder;
use digest_chain::{Finding, FindingKind, Level, Location, Scope, Stream, display_time};

use super::asked::Asked;
use super::store::{ReadError, Store};
use super::strict_keys::KeyRing;
use super::strict_report::Report;
use super::strict_scope::ScopeRun;
use crate::Outcome;

/// How long after what was delivered its digest may come.
pub(super) const PATIENCE_SECONDS: i64 = 9_000;

/// What is asked for beyond a chain and a range.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Every Region that has digests, not only the one that was named.
    pub all_regions: bool,
    /// Every account that has digests, not only the one that was named.
    pub all_accounts: bool,
    /// Whether copies in another bucket, or below another prefix, are valid.
    pub takes_copies: bool,
    /// Objects from before this time are not kept, in Unix seconds.
    pub kept_from: Option<i64>,
    /// The time, in Unix seconds.
    pub now: i64,
    /// How many objects are read at the same time.
    pub concurrency: usize,
}

/// Of so many, so many are valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// How many are valid.
    pub valid: u64,
    /// How many there are.
    pub total: u64,
}

impl Count {
    pub(super) fn add(&mut self, is_valid: bool) {
        self.total += 1;
        self.valid += u64::from(is_valid);
    }

    pub(super) fn and(self, other: Count) -> Count {
        Count {
            valid: self.valid + other.valid,
            total: self.total + other.total,
        }
    }
}

/// What was found of one chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Digests.
    pub digests: Count,
    /// Backfill digests.
    pub backfill: Count,
    /// Log files of proven digests.
    pub logs: Count,
    /// Log files whose digest may still come.
    pub pending: u64,
    /// Log files that cannot be judged, since digests of their time could not be read or verified.
    pub unjudged: u64,
    /// The time that proven digests cover, from the start of the oldest to the end of the newest.
    pub covered: Option<(i64, i64)>,
    /// How many seconds in between no proven digest covers.
    pub uncovered_seconds: i64,
    /// Other trails with digests in the same folder.
    pub other_trails: BTreeSet<String>,
    /// Problems, unreadable files not included.
    pub problems: u64,
    /// Warnings.
    pub warnings: u64,
    /// Notices.
    pub notices: u64,
    /// What could not be read.
    pub unreadable: u64,
}

impl Totals {
    /// Counts a finding.
    pub(super) fn count(&mut self, finding: &Finding) {
        *match (finding.kind, finding.level()) {
            (FindingKind::Unreadable, _) => &mut self.unreadable,
            (_, Level::Problem) => &mut self.problems,
            (_, Level::Warning) => &mut self.warnings,
            (_, Level::Notice) => &mut self.notices,
        } += 1;
    }

    /// The next digest that is proven covers this time.
    pub(super) fn cover(&mut self, (start, end): (i64, i64)) {
        let (from, to) = self.covered.unwrap_or((start, start));
        self.uncovered_seconds += start.saturating_sub(to).max(0);
        self.covered = Some((from.min(start), to.max(end)));
    }

    fn add(&mut self, other: &Totals) {
        self.digests = self.digests.and(other.digests);
        self.backfill = self.backfill.and(other.backfill);
        self.logs = self.logs.and(other.logs);
        self.pending += other.pending;
        self.unjudged += other.unjudged;
        if let Some((start, end)) = other.covered {
            let (from, to) = self.covered.unwrap_or((start, end));
            self.covered = Some((from.min(start), to.max(end)));
        }
        self.uncovered_seconds += other.uncovered_seconds;
        self.other_trails.extend(other.other_trails.iter().cloned());
        self.problems += other.problems;
        self.warnings += other.warnings;
        self.notices += other.notices;
        self.unreadable += other.unreadable;
    }
}

/// What was found, chain by chain.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each chain, in the order in which it was validated.
    pub streams: Vec<(Stream, Totals)>,
}

impl Found {
    /// All chains together.
    pub(crate) fn totals(&self) -> Totals {
        let mut all = Totals::default();
        self.streams.iter().for_each(|(_, totals)| all.add(totals));
        all
    }

    /// What the exit status says: a problem weighs more than a file that could not be read or judged.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.totals() {
            Totals { problems: 1.., .. } => Outcome::Found,
            Totals {
                unreadable: 1.., ..
            }
            | Totals { unjudged: 1.., .. } => Outcome::CouldNotRun,
            _ => Outcome::Fine,
        }
    }
}

/// Validates and tells what was found.
///
/// # Errors
/// The question cannot be answered as it was asked, or what was found cannot be told.
pub(crate) async fn validate<S: Store>(
    store: &S,
    asked: &Asked,
    options: &Options,
    report: &mut dyn Report,
) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut keys = KeyRing::new((asked.start, asked.end), options.now);
    report.begin(asked)?;
    let scopes = scopes(store, asked, options).await;
    for planned in &scopes {
        let Planned { scope, .. } = planned;
        let mut run = ScopeRun::new(store, asked, options, scope, &mut keys, report);
        run.foreign(&planned.foreign, 0)?;
        match &planned.unreadable {
            Some(error) => run.unlisted(&scope.base(), error)?,
            None => run.validate().await?,
        }
        found.streams.extend(run.into_found());
    }
    report.end(asked, options, &found)?;
    Ok(found)
}

/// An account and Region that is to be validated.
struct Planned {
    scope: Scope,
    /// Why it is not known what there is.
    unreadable: Option<ReadError>,
    /// Folders of the account where those of Regions should be.
    foreign: Vec<Location>,
}

impl Planned {
    fn new(scope: Scope) -> Self {
        Planned {
            scope,
            unreadable: None,
            foreign: Vec::new(),
        }
    }

    fn unreadable(scope: Scope, error: ReadError) -> Self {
        let unreadable = Some(error);
        Planned {
            unreadable,
            ..Planned::new(scope)
        }
    }
}

/// Which accounts and Regions are to be validated, the one that was named in any case.
async fn scopes<S: Store>(store: &S, asked: &Asked, options: &Options) -> Vec<Planned> {
    let named = asked.stream().scope;
    let mut accounts = BTreeSet::from([named.account_id.clone()]);
    if options.all_accounts {
        match names(store, &asked.bucket, &base_of_accounts(asked)).await {
            Ok(names) => accounts.extend(names.into_iter().filter(|name| is_account(name))),
            Err(error) => return vec![Planned::unreadable(named, error)],
        }
    }
    let mut scopes = Vec::new();
    for account_id in accounts {
        let scope = Scope {
            account_id,
            ..named.clone()
        };
        if !options.all_regions {
            scopes.push(Planned::new(scope));
            continue;
        }
        match regions(store, &asked.bucket, &scope).await {
            Ok((mut regions, foreign)) => {
                let is_named = scope.account_id == named.account_id || !foreign.is_empty();
                regions.extend(is_named.then(|| named.region.clone()));
                let first = scopes.len();
                scopes.extend(regions.into_iter().map(|region| {
                    Planned::new(Scope {
                        region,
                        ..scope.clone()
                    })
                }));
                if let Some(first) = scopes.get_mut(first) {
                    first.foreign = foreign;
                }
            }
            Err(error) => scopes.push(Planned::unreadable(scope, error)),
        }
    }
    scopes
}

/// The Regions of which an account has digests or log files, and folders in their places that no Region is named like.
async fn regions<S: Store>(
    store: &S,
    bucket: &str,
    scope: &Scope,
) -> Result<(BTreeSet<String>, Vec<Location>), ReadError> {
    let (mut regions, mut foreign) = (BTreeSet::new(), Vec::new());
    let log_folders = LogFolder::ALL.map(LogFolder::name);
    for folder in ["CloudTrail-Digest"].into_iter().chain(log_folders) {
        let prefix = format!("{}{folder}/", scope.base());
        for name in names(store, bucket, &prefix).await? {
            match is_region(&name) {
                true => _ = regions.insert(name),
                false => foreign.push(Location::new(bucket, format!("{prefix}{name}/"))),
            }
        }
    }
    Ok((regions, foreign))
}

/// Whether a Region may be named so: `us-east-1`, `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    let Some((area, number)) = name.rsplit_once('-') else {
        return false;
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number && name.len() <= 32 && area.contains('-') && area.split('-').all(is_word)
}

/// The folder that the folders of the accounts lie in.
fn base_of_accounts(asked: &Asked) -> String {
    let base = asked.stream().scope.base();
    let account = format!("{}/", asked.account_id);
    base.strip_suffix(&account).unwrap_or(&base).to_owned()
}

/// The names of the folders below a prefix; none if it is not there.
pub(super) async fn names<S: Store>(
    store: &S,
    bucket: &str,
    prefix: &str,
) -> Result<Vec<String>, ReadError> {
    let folders = match store.folders(bucket, prefix).await {
        Err(ReadError::NotFound) => Vec::new(),
        folders => folders?,
    };
    let name = |folder: &String| {
        Some(
            folder
                .strip_prefix(prefix)?
                .trim_end_matches('/')
                .to_owned(),
        )
    };
    Ok(folders.iter().filter_map(name).collect())
}

pub(super) fn is_account(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// `111122223333 us-east-1 audit-trail`
pub(super) fn label(stream: &Stream) -> String {
    let Scope {
        account_id, region, ..
    } = &stream.scope;
    format!("{account_id} {region} {}", stream.trail)
}

/// `2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z`
pub(super) fn range_text((from, to): (i64, i64)) -> String {
    format!("{} to {}", display_time(from), display_time(to))
}

/// Until when what was delivered is digested by now, within the range.
pub(super) fn due(asked: &Asked, options: &Options) -> i64 {
    let digested = options.now.saturating_sub(PATIENCE_SECONDS);
    asked.end.min(digested)
}
