//! A chain in memory as a [`Store`], and what strict validation says of it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use digest_chain::{
    DigestObject, Finding, FindingKind, Location, LogContent, LogHasher, PublicKey, PublicKeys,
    Stream,
};
use futures_executor::block_on;
use testkit::chain::{Chain, Object, ReadFault, TrailSpec};

use super::asked::{Asked, TrailArn};
use super::store::{Listed, ReadError, ServiceError, Store};
use super::strict::{Found, Options, validate};
use super::strict_report::Report;

/// The objects of a chain.
pub(super) struct Memory<'c> {
    pub chain: &'c Chain,
    /// Whether listings say when objects were written.
    pub is_online: bool,
    /// Public keys of times from then on cannot be asked for.
    pub keys_before: i64,
    /// How many reads are under way, and how many there were at most.
    under_way: Cell<(usize, usize)>,
}

impl<'c> Memory<'c> {
    pub(super) fn new(chain: &'c Chain) -> Self {
        Memory {
            chain,
            is_online: true,
            keys_before: i64::MAX,
            under_way: Cell::new((0, 0)),
        }
    }

    pub(super) fn most_under_way(&self) -> usize {
        self.under_way.get().1
    }

    fn object(&self, location: &Location) -> Result<&Object, ReadError> {
        let place = (location.bucket.clone(), location.key.clone());
        let mut faults = self.chain.read_faults.iter();
        match faults.find(|(at, _)| *at == place).map(|(_, fault)| fault) {
            Some(ReadFault::ConnectionCut) => Err(ReadError::Broken("it broke off".into())),
            Some(ReadFault::Denied) => Err(refused("AccessDenied")),
            Some(ReadFault::Archived) => Err(refused("InvalidObjectState")),
            None => self.chain.objects.get(&place).ok_or(ReadError::NotFound),
        }
    }

    /// Takes its time, so that others can begin.
    async fn read<T>(&self, read: impl FnOnce() -> T) -> T {
        let (now, most) = self.under_way.get();
        self.under_way.set((now + 1, most.max(now + 1)));
        let mut is_second = false;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            match std::mem::replace(&mut is_second, true) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        let (now, most) = self.under_way.get();
        self.under_way.set((now - 1, most));
        read()
    }
}

fn refused(code: &str) -> ReadError {
    ReadError::Refused(ServiceError {
        operation: "GetObject",
        code: Some(code.to_owned()),
        message: None,
        text: code.to_owned(),
    })
}

impl Store for Memory<'_> {
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        start_after: Option<&str>,
        take: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        for ((of, key), object) in &self.chain.objects {
            let is_behind = start_after.is_none_or(|after| key.as_str() > after);
            if of != bucket || !key.starts_with(prefix) || !is_behind {
                continue;
            }
            let listed = Listed {
                key: key.clone(),
                last_modified: self.is_online.then_some(object.delivered),
                etag: String::new(),
                size: object.content.len() as u64,
            };
            if take(listed).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn folders(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ReadError> {
        let keys = self.chain.objects.keys().filter(|(of, _)| of == bucket);
        let folder = |(_, key): &(String, String)| {
            let (name, _) = key.strip_prefix(prefix)?.split_once('/')?;
            Some(format!("{prefix}{name}/"))
        };
        let folders: BTreeSet<String> = keys.filter_map(folder).collect();
        Ok(folders.into_iter().collect())
    }

    async fn read_digest_within(
        &self,
        location: &Location,
        most_bytes: u64,
    ) -> Result<Option<DigestObject>, ReadError> {
        let object = self.read(|| self.object(location)).await?;
        let digest = DigestObject {
            bucket: location.bucket.clone(),
            key: location.key.clone(),
            content: object.content.clone(),
            metadata: object.metadata.clone(),
        };
        Ok((digest.content.len() as u64 <= most_bytes).then_some(digest))
    }

    async fn hash_log(&self, location: &Location) -> Result<LogContent, ReadError> {
        let object = self.read(|| self.object(location)).await?;
        let mut hasher = LogHasher::new();
        hasher.push(&object.content);
        Ok(hasher.finish())
    }

    async fn public_keys(
        &self,
        region: &str,
        start: i64,
        end: i64,
    ) -> Result<PublicKeys, ReadError> {
        if start >= self.keys_before {
            return Err(refused("ThrottlingException"));
        }
        let published = self.chain.public_keys.get(region).into_iter().flatten();
        let mut keys = PublicKeys::new();
        keys.extend(
            published
                .filter(|key| key.validity_start <= end && key.validity_end >= start)
                .map(|key| PublicKey {
                    fingerprint: key.fingerprint.clone(),
                    der: key.value.clone(),
                    validity_start: key.validity_start,
                    validity_end: key.validity_end,
                }),
        );
        Ok(keys)
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub(super) struct Kept {
    pub findings: Vec<(Stream, Finding)>,
    pub valid: Vec<Location>,
}

impl Report for Kept {
    fn begin(&mut self, _: &Asked) -> anyhow::Result<()> {
        Ok(())
    }

    fn finding(&mut self, stream: &Stream, finding: &Finding) -> anyhow::Result<()> {
        self.findings.push((stream.clone(), finding.clone()));
        Ok(())
    }

    fn digest(&mut self, location: &Location, is_valid: bool) -> anyhow::Result<()> {
        self.valid.extend(is_valid.then(|| location.clone()));
        Ok(())
    }

    fn log_file(&mut self, location: &Location, _: u64, is_valid: bool) -> anyhow::Result<()> {
        self.valid.extend(is_valid.then(|| location.clone()));
        Ok(())
    }

    fn end(&mut self, _: &Asked, _: &Options, _: &Found) -> anyhow::Result<()> {
        Ok(())
    }
}

impl Kept {
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|(_, finding)| finding)
    }

    pub(super) fn kinds(&self) -> BTreeSet<FindingKind> {
        self.findings().map(|finding| finding.kind).collect()
    }

    /// Whether a finding names an object.
    pub(super) fn names(&self, bucket: &str, key: &str) -> bool {
        let location = Location::new(bucket, key);
        self.findings()
            .any(|finding| finding.location.as_ref() == Some(&location))
    }
}

/// What to ask for a stream.
pub(super) fn asked(spec: &TrailSpec, (start, end): (i64, i64)) -> Asked {
    Asked {
        trail: TrailArn::parse(&spec.arn()).unwrap(),
        bucket: spec.bucket_of(spec.hours).to_owned(),
        prefix: spec.prefix.clone().unwrap_or_default(),
        organization_id: spec.organization_id.clone(),
        account_id: spec.account.clone(),
        region: spec.region.clone(),
        start,
        end,
    }
}

/// As it is asked when the range ends.
pub(super) fn options(range: (i64, i64)) -> Options {
    Options {
        all_regions: false,
        all_accounts: false,
        takes_copies: false,
        kept_from: None,
        now: range.1,
        concurrency: 8,
    }
}

/// Validates the first stream.
pub(super) fn run(chain: &Chain, range: (i64, i64)) -> (Kept, Found) {
    let asked = asked(&chain.streams[0].spec, range);
    run_with(&Memory::new(chain), &asked, &options(range)).unwrap()
}

/// Validates.
pub(super) fn run_with(
    store: &Memory<'_>,
    asked: &Asked,
    options: &Options,
) -> anyhow::Result<(Kept, Found)> {
    let mut kept = Kept::default();
    let found = block_on(validate(store, asked, options, &mut kept))?;
    Ok((kept, found))
}
