//! `validate-logs --strict`: what is asked for, and who is told.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context as _, bail};
use digest_chain::{Scope, Stream};

use super::asked::{Asked, TrailArn};
use super::folder_store::FolderStore;
use super::store::Store;
use super::strict::{self, Options};
use super::strict_report::Printed;
use super::times::Written;
use super::{given, now};
use crate::Outcome;
use crate::args::{Format, ValidateLogs};

pub(super) fn run(arguments: &ValidateLogs) -> anyhow::Result<Outcome> {
    match &arguments.dir {
        Some(folder) => offline(arguments, folder),
        None => online(arguments),
    }
}

async fn validate<S: Store>(
    store: &S,
    asked: &Asked,
    arguments: &ValidateLogs,
) -> anyhow::Result<Outcome> {
    let now = now();
    let kept_from = |days: u32| now.saturating_sub(i64::from(days) * 86_400);
    let options = Options {
        all_regions: arguments.all_regions,
        all_accounts: arguments.all_accounts,
        takes_copies: arguments.allow_copies,
        kept_from: arguments.retention_days.map(kept_from),
        now,
        concurrency: NonZeroUsize::get(arguments.concurrency),
    };
    let is_json = arguments.format == Some(Format::Json);
    let mut report = Printed::new(is_json, arguments.verbose);
    let found = strict::validate(store, asked, &options, &mut report).await?;
    Ok(found.outcome())
}

/// The range as it was given, offsets honoured.
fn range(arguments: &ValidateLogs, default_start: Option<i64>) -> anyhow::Result<(i64, i64)> {
    let read = |option: &str, text: &str| {
        let time = Written::parse(text).map(Written::with_offset);
        let time = time.or_else(|| crate::time::parse::<crate::time::Start>(text).ok());
        time.with_context(|| {
            format!("{option}: `{text}` is no time, expected one such as 2026-03-01T00:00:00Z or 2026-03-01T02:00:00+02:00")
        })
    };
    let start = match (given(arguments.start_time.as_ref()), default_start) {
        (Some(text), _) => read("--start-time", text)?,
        (None, Some(start)) => start,
        (None, None) => bail!("expected --start-time"),
    };
    let end = given(arguments.end_time.as_ref());
    let end = end.map_or_else(|| Ok(now()), |text| read("--end-time", text))?;
    if start > end {
        bail!("--start-time is behind --end-time, expected it before");
    }
    Ok((start, end))
}

fn trail_arn(arguments: &ValidateLogs) -> anyhow::Result<Option<TrailArn>> {
    let Some(arn) = given(arguments.trail_arn.as_ref()) else {
        return Ok(None);
    };
    let trail = TrailArn::parse(arn).with_context(|| {
        format!("--trail-arn: `{arn}` is no ARN of a trail, expected arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME")
    })?;
    Ok(Some(trail))
}

// ---- On AWS.

#[cfg(not(feature = "aws"))]
fn online(_: &ValidateLogs) -> anyhow::Result<Outcome> {
    bail!("{}", crate::NO_AWS)
}

#[cfg(feature = "aws")]
fn online(arguments: &ValidateLogs) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (start, end) = range(arguments, None)?;
        let trail = trail_arn(arguments)?.context("expected --trail-arn")?;
        let region = given(arguments.region.as_ref());
        let store = super::s3_store::S3Store::new(region, arguments.profile.as_deref()).await?;
        let mut asked = Asked {
            bucket: String::new(),
            prefix: String::new(),
            organization_id: given(arguments.organization_id.as_ref()).map(str::to_owned),
            account_id: given(arguments.account_id.as_ref())
                .unwrap_or(&trail.account_id)
                .to_owned(),
            region: region.unwrap_or(&trail.home_region).to_owned(),
            trail,
            start,
            end,
        };
        match given(arguments.s3_bucket.as_ref()) {
            Some(bucket) => {
                asked.bucket = bucket.to_owned();
                let prefix = given(arguments.s3_prefix.as_ref()).unwrap_or_default();
                asked.prefix = prefix.trim_end_matches('/').to_owned();
            }
            None => look_up(arguments, &store, &mut asked).await?,
        }
        validate(&store, &asked, arguments).await
    })
}

/// Asks AWS where the trail delivers to.
#[cfg(feature = "aws")]
async fn look_up(
    arguments: &ValidateLogs,
    store: &super::s3_store::S3Store,
    asked: &mut Asked,
) -> anyhow::Result<()> {
    let failed = |what: &'static str| move |error| anyhow::anyhow!("{what}: {error}");
    let shown = store
        .trail(&asked.trail)
        .await
        .map_err(failed("cannot look up the trail"))?;
    let shown = shown.with_context(|| {
        format!(
            "there is no trail {} here; if it was deleted, say with --s3-bucket where its files are",
            asked.trail.arn
        )
    })?;
    asked.bucket = shown.bucket;
    asked.prefix = shown.prefix.unwrap_or_default();
    if !shown.is_organization_trail {
        return Ok(());
    }
    if arguments.account_id.is_none() && !arguments.all_accounts {
        bail!("the trail is one of an organization, expected --account-id or --all-accounts");
    }
    if asked.organization_id.is_none() {
        let id = store.organization_id().await;
        let failed = failed("cannot look up the organization; say its id with --organization-id");
        asked.organization_id = Some(id.map_err(failed)?);
    }
    Ok(())
}

// ---- In a folder.

fn offline(arguments: &ValidateLogs, folder: &Path) -> anyhow::Result<Outcome> {
    let trail = trail_arn(arguments)?;
    let signatures = arguments.signatures.as_deref();
    let store = FolderStore::open(folder, &arguments.public_keys, signatures)?;
    let asked = asked_of_folder(arguments, &store, folder, trail)?;
    let outcome = futures_executor::block_on(validate(&store, &asked, arguments))?;
    let count = store.without_signature();
    if count > 0 {
        crate::output::note(&super::without_signature(count, signatures.is_some()));
    }
    Ok(outcome)
}

/// Which of the chains in the folder is meant. One that is named need not be there: that is what is to be found out.
fn asked_of_folder(
    arguments: &ValidateLogs,
    store: &FolderStore,
    folder: &Path,
    trail: Option<TrailArn>,
) -> anyhow::Result<Asked> {
    let held = store.folder().streams();
    let account_id = given(arguments.account_id.as_ref());
    let region = given(arguments.region.as_ref());
    let is_meant = |stream: &Stream| {
        let is_of_trail = trail.as_ref().is_none_or(|trail| {
            trail.name == stream.trail && trail.home_region == stream.home_region
        });
        is_of_trail
            && account_id.is_none_or(|account| account == stream.scope.account_id)
            && region.is_none_or(|region| region == stream.scope.region)
    };
    let trails = |stream: &Stream| (stream.trail.clone(), stream.home_region.clone());
    let meant: Vec<&Stream> = held.keys().filter(|stream| is_meant(stream)).collect();
    let first = meant.first().copied();
    let is_one = |differ: fn(&Stream) -> &str| {
        first.is_some_and(|first| meant.iter().all(|other| differ(other) == differ(first)))
    };
    let is_clear = trail.is_some()
        || first.is_some_and(|first| {
            meant.iter().all(|other| trails(other) == trails(first))
                && (arguments.all_accounts || is_one(|stream| &stream.scope.account_id))
                && (arguments.all_regions || is_one(|stream| &stream.scope.region))
        });
    if !is_clear {
        let problem = match first {
            None => "no digests of that account and Region",
            Some(_) => "digests of several chains",
        };
        let folder = folder.display();
        let text = format!("there are {problem} below `{folder}`; choose one of:");
        bail!("{}", super::choice(text, held.iter()));
    }
    let trail = match (trail, first) {
        (Some(trail), _) => trail,
        (None, Some(stream)) => {
            TrailArn::of(&stream.home_region, &stream.scope.account_id, &stream.trail)
        }
        (None, None) => bail!("there are no digests below `{}`", folder.display()),
    };
    let account_id = account_id.unwrap_or(&trail.account_id).to_owned();
    let region = region.unwrap_or(&trail.home_region).to_owned();
    // Of several that fit, that of this account and Region; if there is none, what the others have in common with it.
    let is_exact =
        |stream: &&&Stream| stream.scope.account_id == account_id && stream.scope.region == region;
    let like = meant
        .iter()
        .find(is_exact)
        .copied()
        .or(first)
        .or_else(|| held.keys().next());
    let of_like = like.and_then(|stream| held.get(stream));
    let scope = like.map(|stream| stream.scope.clone());
    let Scope {
        prefix,
        organization_id,
        ..
    } = scope.unwrap_or(Scope {
        prefix: String::new(),
        organization_id: None,
        account_id: String::new(),
        region: String::new(),
    });
    let oldest = meant
        .iter()
        .filter_map(|stream| held.get(*stream))
        .map(|held| held.oldest);
    let (start, end) = range(arguments, oldest.min())?;
    let bucket = given(arguments.s3_bucket.as_ref()).map(str::to_owned);
    let given_organization = given(arguments.organization_id.as_ref()).map(str::to_owned);
    Ok(Asked {
        trail,
        bucket: bucket
            .or_else(|| of_like?.bucket.clone())
            .unwrap_or_default(),
        prefix: given(arguments.s3_prefix.as_ref()).map_or(prefix, str::to_owned),
        organization_id: given_organization.or(organization_id),
        account_id,
        region,
        start,
        end,
    })
}
