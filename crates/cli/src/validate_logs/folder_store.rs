//! Digests, log files and public keys in files: downloaded, or copied from where they were.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, bail};
use digest_chain::{
    DigestObject, Location, LogContent, LogHasher, MOST_DIGEST_BYTES, PublicKeys, display_time,
};
use serde_json::Value;

use super::folder::{Folder, Found, opened};
use super::pool::Pool;
use super::store::{Listed, ReadError, ServiceError, Store};

/// How much of a log file is in memory.
const PIECE_BYTES: usize = 64 * 1024;

thread_local! {
    static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE_BYTES]);
}

/// What the names of metadata are in S3.
const METADATA: [&str; 3] = [
    "signature",
    "signature-algorithm",
    "backfill-generation-timestamp",
];

/// A folder, and files of keys and metadata.
pub(crate) struct FolderStore {
    files: Arc<Files>,
    pool: Pool,
}

struct Files {
    folder: Folder,
    keys: Keys,
    signatures: Signatures,
    /// How many digests had no signature anywhere.
    without_signature: AtomicU64,
}

impl FolderStore {
    /// Looks at the names of all files, and reads keys and metadata.
    ///
    /// # Errors
    /// Something cannot be read, or is no such file.
    pub(crate) fn open(
        folder: &Path,
        public_keys: &[PathBuf],
        signatures: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let (folder, saved) = thread::scope(|scope| {
            let looking = scope.spawn(|| Folder::open(folder));
            let saved = Keys::read(public_keys).and_then(|keys| {
                let signatures = signatures.map(Signatures::read).transpose()?;
                Ok((keys, signatures.unwrap_or_default()))
            });
            (looking.join(), saved)
        });
        let (keys, signatures) = saved?;
        let folder =
            folder.unwrap_or_else(|_| bail!("the thread that looked at the folder died"))?;
        let files = Files {
            folder,
            keys,
            signatures,
            without_signature: AtomicU64::new(0),
        };
        Ok(FolderStore {
            files: Arc::new(files),
            pool: Pool::new(),
        })
    }

    /// What lies in the folder.
    pub(crate) fn folder(&self) -> &Folder {
        &self.files.folder
    }

    /// How many of the digests that were read had no signature: neither one of their own nor one in the digest that
    /// follows.
    pub(crate) fn without_signature(&self) -> u64 {
        self.files.without_signature.load(Ordering::Relaxed)
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let files = Arc::clone(&self.files);
        let result = self.pool.run(move || work(&files)).await;
        result.unwrap_or_else(|| Err(ReadError::Broken("the thread that read it died".to_owned())))
    }
}

impl Store for FolderStore {
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        start_after: Option<&str>,
        take: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let start_after = start_after.unwrap_or_default();
        for found in self.files.folder.list(bucket, prefix, start_after) {
            let listed = Listed {
                key: found.key(),
                last_modified: None,
                etag: String::new(),
                size: found.path().metadata().map_or(0, |metadata| metadata.len()),
            };
            if take(listed).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn folders(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ReadError> {
        let mut folders: Vec<String> = Vec::new();
        for found in self.files.folder.list(bucket, prefix, "") {
            let key = found.key();
            let inside = key.get(prefix.len()..).and_then(|rest| rest.find('/'));
            let folder = inside.and_then(|slash| key.get(..=prefix.len() + slash));
            if let Some(folder) = folder
                && folders.last().is_none_or(|last| last != folder)
            {
                folders.push(folder.to_owned());
            }
        }
        Ok(folders)
    }

    async fn read_digest_within(
        &self,
        location: &Location,
        most_bytes: u64,
    ) -> Result<Option<DigestObject>, ReadError> {
        let location = location.clone();
        self.on_a_thread(move |files| files.digest(&location, most_bytes))
            .await
    }

    async fn hash_log(&self, location: &Location) -> Result<LogContent, ReadError> {
        let location = location.clone();
        self.on_a_thread(move |files| files.hash_log(&location))
            .await
    }

    async fn public_keys(
        &self,
        region: &str,
        start: i64,
        end: i64,
    ) -> Result<PublicKeys, ReadError> {
        Ok(self.files.keys.of(region, start, end))
    }
}

impl Files {
    fn find(&self, location: &Location) -> Result<Found<'_>, ReadError> {
        let Location { bucket, key } = location;
        self.folder.find(bucket, key).ok_or(ReadError::NotFound)
    }

    fn hash_log(&self, location: &Location) -> Result<LogContent, ReadError> {
        let path = self.find(location)?.path();
        let failed = |error| read_error(&path, &error);
        let mut file = File::open(&path).map_err(failed)?;
        let mut hasher = LogHasher::new();
        PIECE.with_borrow_mut(|piece| {
            while !hasher.is_decided() {
                match file.read(piece).map_err(failed)? {
                    0 => break,
                    length => hasher.push(piece.get(..length).unwrap_or_default()),
                }
            }
            Ok(())
        })?;
        Ok(hasher.finish())
    }

    fn digest(
        &self,
        location: &Location,
        most_bytes: u64,
    ) -> Result<Option<DigestObject>, ReadError> {
        let found = self.find(location)?;
        let Some(content) = content(&found.path(), most_bytes.min(MOST_DIGEST_BYTES))? else {
            return Ok(None);
        };
        let mut object = DigestObject {
            bucket: location.bucket.clone(),
            key: location.key.clone(),
            content,
            metadata: BTreeMap::new(),
        };
        if found.is_moved()
            && let Some(file) = opened(&object.content)
            && file.key.rsplit('/').next() == Some(found.name())
        {
            // A copy is taken as lying where it lay.
            (object.bucket, object.key) = (file.bucket, file.key);
        }
        object.metadata = match self.signatures.of(&object.bucket, &object.key) {
            Some(metadata) => metadata.clone(),
            None => self.metadata_without_signatures(&found, &object),
        };
        if !object.metadata.contains_key("signature") {
            self.without_signature.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Some(object))
    }

    /// The digest that follows repeats the signature. When a backfill digest was signed is not repeated: it is only
    /// used to look for the key, so any time will do at which the key was valid.
    fn metadata_without_signatures(
        &self,
        found: &Found<'_>,
        object: &DigestObject,
    ) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        let follower = found.next_digest().and_then(|next| {
            let content = content(&next.path(), MOST_DIGEST_BYTES).ok()??;
            opened(&content)
        });
        let Some(previous) = follower.map(|follower| follower.previous) else {
            return metadata;
        };
        let names_it = previous.key.as_deref() == Some(&object.key);
        let Some(signature) = previous.signature.filter(|_| names_it) else {
            return metadata;
        };
        metadata.insert("signature".to_owned(), signature);
        metadata.insert("signature-algorithm".to_owned(), "SHA256withRSA".to_owned());
        if let Some(digest) = opened(&object.content)
            && let Some(time) = self.keys.some_time_of(&digest.public_key_fingerprint)
        {
            let name = "backfill-generation-timestamp".to_owned();
            metadata.insert(name, display_time(time));
        }
        metadata
    }
}

/// A file of at most so many bytes; `None` for a larger one.
fn content(path: &Path, most_bytes: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let failed = |error| read_error(path, &error);
    let file = File::open(path).map_err(failed)?;
    let mut content = Vec::new();
    let mut limited = file.take(most_bytes.saturating_add(1));
    limited.read_to_end(&mut content).map_err(failed)?;
    Ok((content.len() as u64 <= most_bytes).then_some(content))
}

fn read_error(path: &Path, error: &io::Error) -> ReadError {
    let text = format!("cannot read `{}`: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::NotFound,
        io::ErrorKind::PermissionDenied => ReadError::Refused(ServiceError {
            operation: "read",
            code: None,
            message: None,
            text,
        }),
        _ => ReadError::Broken(text),
    }
}

/// Public keys from files, by Region where a file says it.
#[derive(Default)]
struct Keys {
    of_any_region: PublicKeys,
    by_region: HashMap<String, PublicKeys>,
}

impl Keys {
    fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut keys = Keys::default();
        for path in paths {
            let context = || format!("`{}` is no file of public keys", path.display());
            keys.add(&text(path)?).with_context(context)?;
        }
        Ok(keys)
    }

    /// One list, or one for each Region.
    fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let value: Option<Value> = serde_json::from_str(text).ok();
        let regions = value.as_ref().and_then(Value::as_object);
        match regions.filter(|members| !members.contains_key("PublicKeyList")) {
            Some(regions) => {
                for (region, list) in regions {
                    let keys = PublicKeys::from_json(&list.to_string());
                    let keys = keys.with_context(|| format!("the keys of `{region}`"))?;
                    add(self.by_region.entry(region.clone()).or_default(), &keys);
                }
            }
            None => add(&mut self.of_any_region, &PublicKeys::from_json(text)?),
        }
        Ok(())
    }

    fn of(&self, region: &str, start: i64, end: i64) -> PublicKeys {
        let mut found = PublicKeys::new();
        let of_region = self.by_region.get(region);
        for keys in of_region.into_iter().chain([&self.of_any_region]) {
            let is_valid = |key: &&digest_chain::PublicKey| {
                key.validity_start <= end && key.validity_end >= start
            };
            found.extend(keys.sorted().into_iter().filter(is_valid).cloned());
        }
        found
    }

    /// A time at which a key is valid.
    fn some_time_of(&self, fingerprint: &str) -> Option<i64> {
        let all = self.by_region.values().chain([&self.of_any_region]);
        let key = all.into_iter().find_map(|keys| keys.get(fingerprint))?;
        Some(key.validity_start.midpoint(key.validity_end))
    }
}

fn add(keys: &mut PublicKeys, more: &PublicKeys) {
    keys.extend(more.sorted().into_iter().cloned());
}

/// Metadata of digest objects, by the names of the objects.
#[derive(Default)]
struct Signatures {
    by_name: HashMap<String, Vec<Saved>>,
}

struct Saved {
    bucket: Option<String>,
    key: String,
    metadata: BTreeMap<String, String>,
}

impl Signatures {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("`{}` is no file of metadata", path.display());
        let value: Value = serde_json::from_str(&text(path)?).with_context(context)?;
        let mut signatures = Signatures::default();
        signatures.add(&value).with_context(context)?;
        Ok(signatures)
    }

    fn add(&mut self, value: &Value) -> anyhow::Result<()> {
        let Some(members) = value.as_object() else {
            bail!("expected an object of keys, or of buckets with objects of keys");
        };
        for (name, inside) in members {
            let Some(inside) = inside.as_object() else {
                bail!("`{name}` is {inside}, expected an object");
            };
            // Metadata are texts; keys are objects.
            match inside.values().all(Value::is_string) && !inside.is_empty() {
                true => self.add_one(None, name, inside),
                false => {
                    for (key, metadata) in inside {
                        let Some(metadata) = metadata.as_object() else {
                            bail!("`{key}` is {metadata}, expected an object");
                        };
                        self.add_one(Some(name), key, metadata);
                    }
                }
            }
        }
        Ok(())
    }

    fn add_one(
        &mut self,
        bucket: Option<&str>,
        key: &str,
        members: &serde_json::Map<String, Value>,
    ) {
        let mut metadata = BTreeMap::new();
        for (name, value) in members {
            let name = name.to_ascii_lowercase();
            let name = name.strip_prefix("x-amz-meta-").unwrap_or(&name);
            if let Some(text) = value.as_str()
                && METADATA.contains(&name)
            {
                metadata.insert(name.to_owned(), text.to_owned());
            }
        }
        let name = key.rsplit('/').next().unwrap_or(key).to_owned();
        self.by_name.entry(name).or_default().push(Saved {
            bucket: bucket.map(str::to_owned),
            key: key.to_owned(),
            metadata,
        });
    }

    /// What was saved of this object; else of one with its key, else with its name.
    fn of(&self, bucket: &str, key: &str) -> Option<&BTreeMap<String, String>> {
        let saved = self.by_name.get(key.rsplit('/').next()?)?;
        let likeness = |saved: &&Saved| {
            let is_same_bucket = saved.bucket.as_deref() == Some(bucket);
            (saved.key == key, is_same_bucket)
        };
        let best = saved.iter().max_by_key(likeness)?;
        Some(&best.metadata)
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path);
    text.with_context(|| format!("cannot read `{}`", path.display()))
}
