//! `trailwarden validate-logs`: the digest chain of a trail, and the log files it vouches for.
//!
//! [`Store`](store::Store) is where objects and keys are read from: S3 and CloudTrail, or a folder. What drives a
//! validation is the same for both.

mod asked;
mod compatible;
mod folder;
mod folder_store;
mod lines;
mod pool;
#[cfg(feature = "aws")]
pub(crate) mod s3_store;
pub(crate) mod store;
mod strict;
mod strict_command;
mod strict_keys;
mod strict_listing;
#[cfg(test)]
mod strict_memory;
#[cfg(test)]
mod strict_properties;
mod strict_report;
mod strict_scope;
#[cfg(test)]
mod strict_tests;
mod times;

use std::num::NonZeroUsize;
use std::path::Path;

use digest_chain::Stream;

use crate::Outcome;
use crate::args::ValidateLogs;
use asked::{Asked, TrailArn};
use compatible::Ended;
use folder::Held;
use folder_store::FolderStore;
use lines::Lines;
use store::Store;
use times::Written;

pub(crate) fn run(arguments: &ValidateLogs) -> anyhow::Result<Outcome> {
    if arguments.strict {
        return strict_command::run(arguments);
    }
    let ended = match &arguments.dir {
        Some(folder) => offline(arguments, folder),
        None => online(arguments),
    };
    Ok(ended.unwrap_or_else(|Ended(why)| {
        let lines: Vec<String> = why.lines().map(crate::output::printable).collect();
        crate::output::note(&format!("\n{}", lines.join("\n")));
        Outcome::CouldNotRunAsAwsCli
    }))
}

/// Prints verdicts up to where the run ends.
async fn validate<S: Store>(
    store: &S,
    asked: &Asked,
    arguments: &ValidateLogs,
    note: impl Fn() -> Option<String>,
) -> Result<Outcome, Ended> {
    let mut lines = Lines::new(arguments.verbose, (asked.start, asked.end));
    let concurrency = NonZeroUsize::get(arguments.concurrency);
    compatible::run(store, asked, concurrency, &mut lines).await?;
    if let Some(note) = note() {
        lines.note(&format!("{note}\n"));
    }
    Ok(match lines.is_invalid() {
        true => Outcome::Found,
        false => Outcome::Fine,
    })
}

/// The range, as the AWS CLI reads it: `default_start` where none is given.
fn range(arguments: &ValidateLogs, default_start: i64) -> Result<(i64, i64), Ended> {
    let read = |text: &str| {
        let written = Written::parse(text);
        let written =
            written.ok_or_else(|| Ended(format!("Unable to parse date value: {text}")))?;
        Ok(written.without_offset())
    };
    let start = arguments
        .start_time
        .as_deref()
        .map_or(Ok(default_start), read)?;
    // An empty end time is none to the AWS CLI.
    let end = arguments
        .end_time
        .as_deref()
        .filter(|text| !text.is_empty());
    let end = end.map_or_else(|| Ok(now()), read)?;
    if start > end {
        let why = "Invalid time range specified: start-time must occur before end-time";
        return Err(Ended(why.to_owned()));
    }
    Ok((start, end))
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn trail_arn(arn: &str) -> Result<TrailArn, Ended> {
    TrailArn::parse(arn).ok_or_else(|| Ended(format!("Invalid trail ARN provided: {arn}")))
}

/// An empty text is as none to the AWS CLI.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

// ---- On AWS.

#[cfg(not(feature = "aws"))]
fn online(_: &ValidateLogs) -> Result<Outcome, Ended> {
    Err(Ended(crate::NO_AWS.to_owned()))
}

#[cfg(feature = "aws")]
fn online(arguments: &ValidateLogs) -> Result<Outcome, Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Ended(error.to_string()))?;
    runtime.block_on(async {
        let range = range(arguments, 0)?;
        let region = given(arguments.region.as_ref());
        let store = s3_store::S3Store::new(region, arguments.profile.as_deref());
        let store = store.await.map_err(|_| {
            let why = "You must specify a region. You can also configure your region by running \"aws configure\".";
            Ended(why.to_owned())
        })?;
        let asked = asked_of_aws(arguments, &store, range).await?;
        validate(&store, &asked, arguments, || None).await
    })
}

/// Which chain is meant; what is not given is asked of AWS.
#[cfg(feature = "aws")]
async fn asked_of_aws(
    arguments: &ValidateLogs,
    store: &s3_store::S3Store,
    (start, end): (i64, i64),
) -> Result<Asked, Ended> {
    let failed = |error: store::ReadError| Ended(error.in_words_of_the_aws_cli());
    let trail = trail_arn(arguments.trail_arn.as_deref().unwrap_or_default())?;
    let account_id = given(arguments.account_id.as_ref());
    let mut asked = Asked {
        bucket: String::new(),
        prefix: String::new(),
        organization_id: None,
        account_id: account_id.unwrap_or(&trail.account_id).to_owned(),
        region: given(arguments.region.as_ref())
            .unwrap_or(&trail.home_region)
            .to_owned(),
        trail,
        start,
        end,
    };
    if let Some(bucket) = &arguments.s3_bucket {
        asked.bucket.clone_from(bucket);
        asked.prefix = arguments.s3_prefix.clone().unwrap_or_default();
        return Ok(asked);
    }
    let shown = store.trail(&asked.trail).await.map_err(failed)?;
    let shown = shown.ok_or_else(|| {
        let arn = &asked.trail.arn;
        Ended(format!("A trail could not be found for {arn}"))
    })?;
    if shown.is_organization_trail {
        if account_id.is_none() {
            let why = "Missing required parameter for organization trail: '--account-id'";
            return Err(Ended(why.to_owned()));
        }
        asked.organization_id = Some(store.organization_id().await.map_err(failed)?);
    }
    asked.bucket = shown.bucket;
    asked.prefix = shown.prefix.unwrap_or_default();
    Ok(asked)
}

// ---- In a folder.

fn offline(arguments: &ValidateLogs, folder: &Path) -> Result<Outcome, Ended> {
    let trail = arguments.trail_arn.as_deref().map(trail_arn).transpose()?;
    range(arguments, i64::MIN)?;
    let signatures = arguments.signatures.as_deref();
    let store = FolderStore::open(folder, &arguments.public_keys, signatures)
        .map_err(|error| Ended(format!("{error:#}")))?;
    let asked = asked_of_folder(arguments, &store, folder, trail)?;
    let note = || {
        let count = store.without_signature();
        (count > 0).then(|| without_signature(count, signatures.is_some()))
    };
    futures_executor::block_on(validate(&store, &asked, arguments, note))
}

fn without_signature(count: u64, has_signatures: bool) -> String {
    let files = match count {
        1 => "1 digest file has".to_owned(),
        count => format!("{count} digest files have"),
    };
    let help = match has_signatures {
        true => "it is not in the file of --signatures either",
        false => {
            "save the metadata with `trailwarden digest signatures` and give the file with --signatures"
        }
    };
    format!(
        "note: {files} no signature here: it is metadata of the object in S3, which a download leaves behind, and \
         the digest that follows, which repeats it, is not here; {help}"
    )
}

/// Which of the chains in the folder is meant.
fn asked_of_folder(
    arguments: &ValidateLogs,
    store: &FolderStore,
    folder: &Path,
    trail: Option<TrailArn>,
) -> Result<Asked, Ended> {
    let account_id = given(arguments.account_id.as_ref());
    let account_id = account_id.or(trail.as_ref().map(|trail| trail.account_id.as_str()));
    let region = given(arguments.region.as_ref());
    let region = region.or(trail.as_ref().map(|trail| trail.home_region.as_str()));
    let is_meant = |stream: &Stream| {
        let is_of_trail = trail.as_ref().is_none_or(|trail| {
            trail.name == stream.trail && trail.home_region == stream.home_region
        });
        is_of_trail
            && account_id.is_none_or(|account| account == stream.scope.account_id)
            && region.is_none_or(|region| region == stream.scope.region)
    };
    let held = store.folder().streams();
    let mut meant: Vec<(&Stream, &Held)> =
        held.iter().filter(|(stream, _)| is_meant(stream)).collect();
    let bucket = given(arguments.s3_bucket.as_ref());
    let prefix = arguments.s3_prefix.as_deref();
    if meant.len() > 1 {
        meant.retain(|(stream, held)| {
            bucket.is_none_or(|bucket| held.bucket.as_deref() == Some(bucket))
                && prefix.is_none_or(|prefix| stream.scope.prefix == prefix)
        });
    }
    let folder = folder.display();
    let (stream, of_stream) = match meant.as_slice() {
        [one] => *one,
        [] if store.folder().is_empty() => {
            let why = format!("there are no digests and no log files below `{folder}`");
            return Err(Ended(why));
        }
        [] if held.is_empty() => {
            return Err(Ended(format!("there are no digests below `{folder}`")));
        }
        [] => {
            let problem = format!(
                "there are no digests of that trail, account and Region below `{folder}`, but of:"
            );
            return Err(Ended(choice(problem, held.iter())));
        }
        _ => {
            let problem =
                format!("there are digests of several chains below `{folder}`; choose one of:");
            return Err(Ended(choice(problem, meant.into_iter())));
        }
    };
    let (start, end) = range(arguments, of_stream.oldest)?;
    Ok(Asked {
        trail: trail.unwrap_or_else(|| {
            TrailArn::of(&stream.home_region, &stream.scope.account_id, &stream.trail)
        }),
        bucket: bucket
            .or(of_stream.bucket.as_deref())
            .unwrap_or_default()
            .to_owned(),
        prefix: stream.scope.prefix.clone(),
        organization_id: stream.scope.organization_id.clone(),
        account_id: stream.scope.account_id.clone(),
        region: stream.scope.region.clone(),
        start,
        end,
    })
}

fn choice<'s>(mut text: String, chains: impl Iterator<Item = (&'s Stream, &'s Held)>) -> String {
    for (stream, held) in chains {
        let Stream {
            scope,
            trail,
            home_region,
        } = stream;
        let arn = TrailArn::of(home_region, &scope.account_id, trail).arn;
        text += &format!(
            "\n  --trail-arn {arn} --account-id {} --region {}",
            scope.account_id, scope.region
        );
        if let Some(bucket) = &held.bucket {
            text += &format!(" --s3-bucket {bucket}");
        }
        if !scope.prefix.is_empty() {
            text += &format!(" --s3-prefix {}", scope.prefix);
        }
    }
    text
}
