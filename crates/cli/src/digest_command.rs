//! `trailwarden digest`: saves what digests are verified with, for validation without a connection.

use crate::Outcome;
use crate::args::DigestCommand;

#[cfg(not(feature = "aws"))]
pub(crate) fn run(_: &DigestCommand) -> anyhow::Result<Outcome> {
    anyhow::bail!(crate::NO_AWS)
}

#[cfg(feature = "aws")]
pub(crate) fn run(command: &DigestCommand) -> anyhow::Result<Outcome> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            match command {
                DigestCommand::Keys(arguments) => saving::keys(arguments).await,
                DigestCommand::Signatures(arguments) => saving::signatures(arguments).await,
            }
        })?;
    Ok(Outcome::Fine)
}

#[cfg(feature = "aws")]
mod saving {
    use std::collections::BTreeMap;
    use std::num::NonZeroUsize;
    use std::ops::ControlFlow;
    use std::path::Path;

    use anyhow::{Context as _, bail};
    use aws_clients::LoadError;
    use digest_chain::{DigestKey, DigestObject, Location, Scope};
    use futures_util::{StreamExt as _, stream};
    use serde_json::{Map, Value, json};

    use crate::args::{DigestKeys, DigestSignatures};
    use crate::output;
    use crate::validate_logs::s3_store::S3Store;
    use crate::validate_logs::store::{Listed, ReadError, Store as _};

    const DAY: i64 = 86_400;

    /// Keys are asked for so long after the end, too: the last digest is signed after it.
    const KEYS_AFTER_SECONDS: i64 = 2 * 3600;

    /// A list for each Region.
    pub(super) async fn keys(arguments: &DigestKeys) -> anyhow::Result<()> {
        let end = arguments.end_time.unwrap_or_else(now);
        is_range(arguments.start_time, end)?;
        let first = arguments.region.first().cloned().map(String::from);
        let store = store(first.as_deref(), arguments.profile.as_deref()).await?;
        let mut by_region = Map::new();
        for region in &arguments.region {
            let region = String::from(region.clone());
            let until = end.saturating_add(KEYS_AFTER_SECONDS);
            let keys = store.public_keys(&region, arguments.start_time, until);
            let keys = keys.await.map_err(failed)?;
            if keys.is_empty() {
                bail!(
                    "`{region}` has no public keys for that time, expected a Region with digests in it"
                );
            }
            by_region.insert(region, serde_json::from_str(&keys.to_json())?);
        }
        save(&Value::Object(by_region), arguments.output.as_deref())
    }

    /// `{bucket: {key: {name: value}}}`
    pub(super) async fn signatures(arguments: &DigestSignatures) -> anyhow::Result<()> {
        let end = arguments.end_time.unwrap_or_else(now);
        is_range(arguments.start_time, end)?;
        let store = store(None, arguments.profile.as_deref()).await?;
        let bucket = arguments.s3_bucket.as_str();
        let mut keys = Vec::new();
        for account_id in &arguments.account_id {
            for region in &arguments.region {
                let scope = Scope {
                    prefix: arguments.s3_prefix.clone().unwrap_or_default(),
                    organization_id: arguments.organization_id.clone(),
                    account_id: account_id.clone().into(),
                    region: region.clone().into(),
                };
                let range = (arguments.start_time, end);
                let found = digests(&store, bucket, &scope, range).await?;
                if found.is_empty() {
                    let folder = scope.digest_folder();
                    bail!("there are no digests of that time in s3://{bucket}/{folder}");
                }
                keys.extend(found);
            }
        }
        let read = |key: String| async {
            let location = Location::new(bucket, key);
            store.read_digest(&location).await.map_err(failed)
        };
        let concurrency = NonZeroUsize::get(arguments.concurrency);
        let mut reads = stream::iter(keys).map(read).buffered(concurrency);
        let mut metadata: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        while let Some(object) = reads.next().await {
            let DigestObject {
                key,
                metadata: of_key,
                ..
            } = object?;
            metadata.insert(key, of_key);
        }
        let document = json!({ (bucket): metadata });
        save(&document, arguments.output.as_deref())
    }

    /// The keys of the digests that end in a range.
    async fn digests(
        store: &S3Store,
        bucket: &str,
        scope: &Scope,
        (start, end): (i64, i64),
    ) -> anyhow::Result<Vec<String>> {
        let folder = scope.digest_folder();
        let day = |time: i64| format!("{folder}{}/", crate::time::formatted(time, "%Y/%m/%d"));
        // Names of a day lie behind the name of its folder.
        let behind = day(start);
        let beyond = day(end.saturating_add(DAY));
        let mut keys = Vec::new();
        let mut take = |listed: Listed| {
            if listed.key.as_str() >= beyond.as_str() {
                return ControlFlow::Break(());
            }
            let digest = DigestKey::parse(&listed.key);
            if digest.is_some_and(|digest| (start..=end).contains(&digest.end)) {
                keys.push(listed.key);
            }
            ControlFlow::Continue(())
        };
        let listed = store.list(bucket, &folder, Some(&behind), &mut take).await;
        listed.map_err(failed)?;
        Ok(keys)
    }

    async fn store(region: Option<&str>, profile: Option<&str>) -> anyhow::Result<S3Store> {
        match S3Store::new(region, profile).await {
            Err(LoadError::NoRegion) => bail!(
                "no Region is set, expected AWS_REGION or one in the profile of the AWS CLI (`aws configure`)"
            ),
            store => Ok(store?),
        }
    }

    fn failed(error: ReadError) -> anyhow::Error {
        anyhow::anyhow!("{}", output::printable(&error.to_string()))
    }

    fn is_range(start: i64, end: i64) -> anyhow::Result<()> {
        if start > end {
            bail!("the start time is behind the end time");
        }
        Ok(())
    }

    fn now() -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn save(document: &Value, path: Option<&Path>) -> anyhow::Result<()> {
        let text = format!("{document:#}\n");
        match path {
            None => output::write(&text),
            Some(path) => std::fs::write(path, text)
                .with_context(|| format!("cannot write `{}`", path.display())),
        }
    }
}
