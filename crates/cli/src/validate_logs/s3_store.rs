//! Digests and log files in S3, public keys of CloudTrail.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use aws_clients::{Clients, LoadError, S3Objects, Timeouts};
use digest_chain::{
    DigestObject, Location, LogContent, LogHasher, MOST_DIGEST_BYTES, PublicKey, PublicKeys,
};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};
use ports::{
    BucketRegion as _, ErrorKind, ListFrom, ListObjects as _, ObjectHead, ObjectLocation,
    Organization as _, PublicKeys as _, RequestError, Sink, StreamObject as _, Trail, Trails as _,
};

use super::asked::TrailArn;
use super::pool::Pool;
use super::store::{Listed, ReadError, ServiceError, Store};

/// S3 and CloudTrail.
pub(crate) struct S3Store {
    clients: Clients,
    /// The clients of the buckets' Regions, each asked for once.
    buckets: RefCell<HashMap<String, Bucket>>,
    pool: Pool,
}

type Bucket = Shared<LocalBoxFuture<'static, Result<S3Objects, ReadError>>>;

impl S3Store {
    /// As the AWS CLI is set up; what is given here goes first.
    pub(crate) async fn new(
        region: Option<&str>,
        profile: Option<&str>,
    ) -> Result<Self, LoadError> {
        let region = region.map(str::to_owned);
        let clients = Clients::load_for_person(Timeouts::persistent(), region, profile).await?;
        Ok(S3Store {
            clients,
            buckets: RefCell::default(),
            pool: Pool::new(),
        })
    }

    /// The trail with this ARN, as the Region of the clients shows it.
    pub(crate) async fn trail(&self, trail: &TrailArn) -> Result<Option<Trail>, ReadError> {
        let trails = self.clients.trails(self.clients.region());
        let shown = trails.describe_trails().await.map_err(read_error)?;
        Ok(shown.into_iter().find(|shown| shown.arn == trail.arn))
    }

    /// The id of the organization.
    pub(crate) async fn organization_id(&self) -> Result<String, ReadError> {
        let organization = self.clients.organization();
        organization.organization_id().await.map_err(read_error)
    }

    async fn objects(&self, bucket: &str) -> Result<S3Objects, ReadError> {
        let of_bucket = {
            let mut buckets = self.buckets.borrow_mut();
            let known = buckets.get(bucket).cloned();
            known.unwrap_or_else(|| {
                let asking = objects_of(self.clients.clone(), bucket.to_owned());
                let of_bucket = asking.boxed_local().shared();
                buckets.insert(bucket.to_owned(), of_bucket.clone());
                of_bucket
            })
        };
        of_bucket.await
    }
}

async fn objects_of(clients: Clients, bucket: String) -> Result<S3Objects, ReadError> {
    let objects = clients.objects();
    let region = objects.bucket_region(&bucket).await.map_err(read_error)?;
    Ok(match region == clients.region() {
        true => objects,
        false => clients.objects_in(&region),
    })
}

impl Store for S3Store {
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        start_after: Option<&str>,
        take: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let objects = self.objects(bucket).await?;
        let mut token: Option<String> = None;
        loop {
            let from = match (&token, start_after) {
                (Some(token), _) => ListFrom::Token(token),
                (None, Some(key)) => ListFrom::After(key),
                (None, None) => ListFrom::Start,
            };
            let page = objects.list_objects(bucket, prefix, false, from).await;
            let page = page.map_err(read_error)?;
            for object in page.objects {
                let listed = Listed {
                    key: object.key,
                    last_modified: object.last_modified,
                    etag: object.etag,
                    size: object.size,
                };
                if take(listed).is_break() {
                    return Ok(());
                }
            }
            match page.next {
                None => return Ok(()),
                Some(next) => token = Some(next),
            }
        }
    }

    async fn folders(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ReadError> {
        let objects = self.objects(bucket).await?;
        let mut folders = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let from = token.as_deref().map_or(ListFrom::Start, ListFrom::Token);
            let page = objects.list_objects(bucket, prefix, true, from).await;
            let page = page.map_err(read_error)?;
            folders.extend(page.folders);
            match page.next {
                None => return Ok(folders),
                Some(next) => token = Some(next),
            }
        }
    }

    async fn read_digest_within(
        &self,
        location: &Location,
        most_bytes: u64,
    ) -> Result<Option<DigestObject>, ReadError> {
        let objects = self.objects(&location.bucket).await?;
        let mut sink = DigestSink {
            content: Vec::new(),
            most_bytes: most_bytes.min(MOST_DIGEST_BYTES),
            is_too_large: false,
        };
        let place = object_location(location);
        let reading = objects.stream_object(&place, &mut sink);
        let head = reading.await.map_err(read_error)?;
        let object = DigestObject {
            bucket: location.bucket.clone(),
            key: location.key.clone(),
            content: sink.content,
            metadata: head.metadata,
        };
        Ok((!sink.is_too_large).then_some(object))
    }

    async fn hash_log(&self, location: &Location) -> Result<LogContent, ReadError> {
        let objects = self.objects(&location.bucket).await?;
        let mut sink = LogSink::default();
        let place = object_location(location);
        let reading = objects.stream_object(&place, &mut sink);
        reading.await.map_err(read_error)?;
        match sink {
            LogSink::Large(hasher) => Ok(hasher.finish()),
            LogSink::Small(content) => {
                let hashed = self.pool.run(move || {
                    let mut hasher = LogHasher::new();
                    hasher.push(&content);
                    hasher.finish()
                });
                let died = || ReadError::Broken("the thread that hashed it died".to_owned());
                hashed.await.ok_or_else(died)
            }
        }
    }

    async fn public_keys(
        &self,
        region: &str,
        start: i64,
        end: i64,
    ) -> Result<PublicKeys, ReadError> {
        let keys = self.clients.public_keys(region);
        let keys = keys
            .list_public_keys(start, end)
            .await
            .map_err(read_error)?;
        let mut found = PublicKeys::new();
        found.extend(keys.into_iter().map(|key| PublicKey {
            fingerprint: key.fingerprint,
            der: key.value,
            validity_start: key.validity_start,
            validity_end: key.validity_end,
        }));
        Ok(found)
    }
}

fn object_location(location: &Location) -> ObjectLocation {
    ObjectLocation {
        bucket: location.bucket.clone(),
        key: location.key.clone(),
        version: None,
    }
}

/// Keeps a digest, up to a limit.
struct DigestSink {
    content: Vec<u8>,
    most_bytes: u64,
    is_too_large: bool,
}

impl Sink for DigestSink {
    fn begin(&mut self, head: &ObjectHead) {
        self.content.clear();
        let announced = head.length.unwrap_or(0);
        self.is_too_large = announced > self.most_bytes;
        if !self.is_too_large {
            self.content
                .reserve(usize::try_from(announced).unwrap_or(0));
        }
    }

    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let length = (self.content.len() as u64).saturating_add(bytes.len() as u64);
        self.is_too_large = self.is_too_large || length > self.most_bytes;
        if self.is_too_large {
            self.content = Vec::new();
            return ControlFlow::Break(());
        }
        self.content.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }
}

/// A larger log file is hashed as it comes.
const MOST_SMALL_BYTES: usize = 256 * 1024;

/// Keeps a small log file, to be hashed on another thread; hashes a large one as it comes.
enum LogSink {
    Small(Vec<u8>),
    Large(Box<LogHasher>),
}

impl Default for LogSink {
    fn default() -> Self {
        LogSink::Small(Vec::new())
    }
}

impl Sink for LogSink {
    fn begin(&mut self, head: &ObjectHead) {
        let announced = usize::try_from(head.length.unwrap_or(0)).unwrap_or(usize::MAX);
        *self = LogSink::Small(Vec::with_capacity(announced.min(MOST_SMALL_BYTES)));
    }

    fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        match self {
            LogSink::Small(content) if content.len() + bytes.len() <= MOST_SMALL_BYTES => {
                content.extend_from_slice(bytes);
                ControlFlow::Continue(())
            }
            LogSink::Small(content) => {
                let mut hasher = Box::new(LogHasher::new());
                hasher.push(content);
                *self = LogSink::Large(hasher);
                self.take(bytes)
            }
            LogSink::Large(hasher) => {
                hasher.push(bytes);
                match hasher.is_decided() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            }
        }
    }
}

fn read_error(error: RequestError) -> ReadError {
    let text = ports::with_sources(&error);
    match (error.kind, error.code.as_deref()) {
        (ErrorKind::NotFound, Some("NoSuchKey")) => ReadError::NotFound,
        // There was no answer, or none to its end.
        (ErrorKind::Unknown, None) => ReadError::Broken(text),
        _ => ReadError::Refused(ServiceError {
            operation: error.operation,
            code: error.code,
            message: error.message,
            text,
        }),
    }
}
