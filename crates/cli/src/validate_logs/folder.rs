//! A folder of downloaded or moved objects, and under which keys they lay.
//!
//! Every file whose name CloudTrail gives is known by it. The key is what stands in the path from `AWSLogs` on; what
//! stands before it in the key, and the bucket, are told by a digest that lies there. Without `AWSLogs` in the path
//! the key is made from the name.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;
use cloudtrail::{FileName, NameRest, ObjectKey, ObjectKind};
use digest_chain::{DigestFile, DigestKey, Inflating, MOST_DIGEST_BYTES, Scope, Stream};

/// So many digests are opened to learn where the objects beside them lay.
const MOST_PROBES: usize = 50;

/// The files below a folder, in byte order of their keys.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    places: Vec<Place>,
    files: Vec<File>,
    /// Positions in `files`, in byte order of the names; made when something is not where it should be.
    by_name: OnceLock<Vec<u32>>,
}

/// A folder of objects, in the folder that was given and in the bucket.
#[derive(Debug)]
struct Place {
    /// Below the folder that was given.
    path: PathBuf,
    /// What keys begin with, up to the last slash.
    key: String,
    /// The bucket, if the folder that was given is laid out by buckets.
    bucket: Option<String>,
    /// The bucket its digests say they lie in.
    said_bucket: Option<String>,
    /// It lies elsewhere than its digests say.
    is_moved: bool,
}

#[derive(Debug)]
struct File {
    name: Box<str>,
    place: u32,
}

/// One file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'f> {
    folder: &'f Folder,
    position: usize,
}

/// What a folder holds of one chain.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// How many digests.
    pub digests: usize,
    /// The end of the oldest one, in Unix seconds.
    pub oldest: i64,
    /// The end of the newest one.
    pub newest: i64,
    /// The bucket the newest one says it lies in, if any of those around it could be read.
    pub bucket: Option<String>,
}

impl Folder {
    /// Looks at the names of all files below a folder.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let names = Names::below(root)?;
        let mut folder = Folder {
            root: root.to_owned(),
            places: Vec::new(),
            files: Vec::new(),
            by_name: OnceLock::new(),
        };
        for (head, folders) in names.by_head {
            folder.add(&head, folders);
        }
        let Folder { places, files, .. } = &mut folder;
        let folder_of = |file: &File| {
            places
                .get(file.place as usize)
                .map_or("", |place| &place.key)
        };
        files.sort_by(|a, b| {
            let keys = match a.place == b.place {
                true => a.name.cmp(&b.name),
                false => order((folder_of(a), &a.name), (folder_of(b), &b.name)),
            };
            keys.then(a.place.cmp(&b.place))
        });
        Ok(folder)
    }

    /// Adds what lies below one `AWSLogs`, or what lies below none.
    fn add(&mut self, head: &Head, folders: Vec<InFolder>) {
        let said = self.probe(&folders);
        let placed = Placed::of(head, said.as_ref());
        for InFolder { path, names } in folders {
            let of_folder = placed.key_of_folder(&path);
            let mut by_key: BTreeMap<String, Vec<Box<str>>> = BTreeMap::new();
            match of_folder {
                Some(key) => _ = by_key.insert(key, names),
                None => {
                    for name in names {
                        if let Some(key) = placed.key_by_name(&name) {
                            by_key.entry(key).or_default().push(name);
                        }
                    }
                }
            }
            for (key, names) in by_key {
                let place = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                self.places.push(Place {
                    path: path.clone(),
                    key,
                    bucket: placed.bucket.clone(),
                    said_bucket: said.as_ref().map(|said| said.bucket.clone()),
                    is_moved: placed.is_moved,
                });
                let file = |name| File { name, place };
                self.files.extend(names.into_iter().map(file));
            }
        }
    }

    /// What one of these digests says, the newest that can be read.
    fn probe(&self, folders: &[InFolder]) -> Option<Said> {
        let mut digests: Vec<(i64, &PathBuf, &str)> = Vec::new();
        for InFolder { path, names } in folders {
            for name in names {
                if name.contains("_CloudTrail-Digest_")
                    && let Ok(parsed) = FileName::parse(name)
                {
                    digests.push((parsed.time, path, name));
                }
            }
        }
        digests.sort_unstable_by_key(|(time, ..)| std::cmp::Reverse(*time));
        digests
            .into_iter()
            .take(MOST_PROBES)
            .find_map(|(_, path, name)| Said::read(&self.root.join(path).join(name), name))
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The chains whose digests it holds.
    pub(crate) fn streams(&self) -> BTreeMap<Stream, Held> {
        let mut streams = BTreeMap::new();
        for position in 0..self.files.len() {
            let found = Found {
                folder: self,
                position,
            };
            if !found.name().contains("_CloudTrail-Digest_") {
                continue;
            }
            let Some(key) = DigestKey::parse(&found.key()) else {
                continue;
            };
            let said = || found.place().and_then(|place| place.said_bucket.clone());
            let held = streams.entry(key.stream).or_insert_with(|| Held {
                digests: 0,
                oldest: key.end,
                newest: key.end,
                bucket: said(),
            });
            held.digests += 1;
            held.oldest = held.oldest.min(key.end);
            if key.end > held.newest {
                held.newest = key.end;
                held.bucket = said();
            }
        }
        streams
    }

    /// The files of a bucket whose keys begin with `prefix`, behind a key, in byte order of the keys.
    pub(crate) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        start_after: &str,
    ) -> impl Iterator<Item = Found<'_>> {
        let is_before = |file: &File| {
            let order = |key: &str| self.key_order(file, key);
            order(prefix) == Ordering::Less || order(start_after) != Ordering::Greater
        };
        let first = self.files.partition_point(is_before);
        let mut last_key = None;
        (first..self.files.len())
            .map(|position| Found {
                folder: self,
                position,
            })
            .take_while(move |found| found.key().starts_with(prefix))
            .filter(move |found| found.may_lie_in(bucket))
            // Of copies of an object one is enough.
            .filter(move |found| {
                let key = Some(found.key());
                let is_new = key != last_key;
                last_key = key;
                is_new
            })
    }

    /// The file of an object: where its key says, or wherever something of its name lies.
    pub(crate) fn find(&self, bucket: &str, key: &str) -> Option<Found<'_>> {
        let first = self
            .files
            .partition_point(|file| self.key_order(file, key) == Ordering::Less);
        let in_place = (first..self.files.len())
            .map(|position| Found {
                folder: self,
                position,
            })
            .take_while(|found| found.has_key(key))
            .filter(|found| found.may_lie_in(bucket))
            .max_by_key(|found| found.place().is_some_and(|place| place.bucket.is_some()));
        in_place.or_else(|| self.find_moved(bucket, key))
    }

    fn find_moved(&self, bucket: &str, key: &str) -> Option<Found<'_>> {
        let name = key.rsplit('/').next()?;
        let by_name = self.by_name.get_or_init(|| {
            let count = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            let mut positions: Vec<u32> = (0..count).collect();
            positions.sort_by(|a, b| self.name_at(*a).cmp(self.name_at(*b)));
            positions
        });
        let first = by_name.partition_point(|position| self.name_at(*position) < name);
        by_name
            .get(first..)?
            .iter()
            .take_while(|position| self.name_at(**position) == name)
            .map(|position| Found {
                folder: self,
                position: *position as usize,
            })
            .find(|found| {
                let is_moved = found.place().is_some_and(|place| place.is_moved);
                is_moved && found.may_lie_in(bucket)
            })
    }

    fn name_at(&self, position: u32) -> &str {
        let file = self.files.get(position as usize);
        file.map_or("", |file| &file.name)
    }

    fn key_order(&self, file: &File, key: &str) -> Ordering {
        let place = self.places.get(file.place as usize);
        let folder = place.map_or("", |place| &place.key);
        order((folder, &file.name), (key, ""))
    }
}

/// The order of two texts, each in two parts.
fn order(a: (&str, &str), b: (&str, &str)) -> Ordering {
    let (a0, a1, b0, b1) = (
        a.0.as_bytes(),
        a.1.as_bytes(),
        b.0.as_bytes(),
        b.1.as_bytes(),
    );
    let both = a0.len().min(b0.len());
    let ((a0, a_rest), (b0, b_rest)) = (a0.split_at(both), b0.split_at(both));
    a0.cmp(b0).then_with(|| match (a_rest, b_rest) {
        ([], []) => a1.cmp(b1),
        ([], _) if b1.is_empty() => a1.cmp(b_rest),
        _ => a_rest.iter().chain(a1).cmp(b_rest.iter().chain(b1)),
    })
}

impl<'f> Found<'f> {
    fn file(&self) -> Option<&'f File> {
        self.folder.files.get(self.position)
    }

    fn place(&self) -> Option<&'f Place> {
        self.folder.places.get(self.file()?.place as usize)
    }

    pub(crate) fn name(&self) -> &'f str {
        self.file().map_or("", |file| &file.name)
    }

    /// Its key.
    pub(crate) fn key(&self) -> String {
        let key = self.place().map_or("", |place| &place.key);
        format!("{key}{}", self.name())
    }

    fn has_key(&self, key: &str) -> bool {
        let folder = self.place().map_or("", |place| &place.key);
        key.strip_prefix(folder) == Some(self.name())
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> PathBuf {
        let path = self.place().map_or(Path::new(""), |place| &place.path);
        self.folder.root.join(path).join(self.name())
    }

    /// Whether it lies elsewhere than the digests around it say.
    pub(crate) fn is_moved(&self) -> bool {
        self.place().is_some_and(|place| place.is_moved)
    }

    fn may_lie_in(&self, bucket: &str) -> bool {
        let place = self.place();
        let known = place.and_then(|place| place.bucket.as_deref());
        known.is_none_or(|known| known == bucket)
    }

    /// The digest after this one in its chain, by its name.
    pub(crate) fn next_digest(&self) -> Option<Found<'f>> {
        let this = DigestKey::parse(&self.key())?;
        let behind = self.position + 1..self.folder.files.len();
        behind
            .map(|position| Found {
                folder: self.folder,
                position,
            })
            .take(MOST_BETWEEN)
            .find(|found| {
                DigestKey::parse(&found.key()).is_some_and(|next| {
                    next.stream == this.stream
                        && next.is_backfill == this.is_backfill
                        && next.end > this.end
                })
            })
    }
}

/// So many other names may stand between two digests of a chain.
const MOST_BETWEEN: usize = 500;

/// The path down to `AWSLogs`; `None` where there is no such folder.
type Head = Option<PathBuf>;

/// Names that CloudTrail gives, by their folders, by what stands before `AWSLogs`.
#[derive(Default)]
struct Names {
    by_head: BTreeMap<Head, Vec<InFolder>>,
}

/// The names in one folder.
struct InFolder {
    path: PathBuf,
    names: Vec<Box<str>>,
}

impl Names {
    fn below(root: &Path) -> anyhow::Result<Self> {
        let mut names = Names::default();
        let mut folders = vec![PathBuf::new()];
        while let Some(path) = folders.pop() {
            let here = match path.as_os_str().is_empty() {
                true => root.to_owned(),
                false => root.join(&path),
            };
            names
                .add(&here, path, &mut folders)
                .with_context(|| format!("cannot read the folder `{}`", here.display()))?;
        }
        Ok(names)
    }

    /// Adds the names in one folder; the folders in it are still to be looked at.
    fn add(
        &mut self,
        here: &Path,
        path: PathBuf,
        folders: &mut Vec<PathBuf>,
    ) -> std::io::Result<()> {
        let head = head_of(&path);
        let mut names: Vec<Box<str>> = Vec::new();
        for entry in fs::read_dir(here)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let is_folder = match kind.is_symlink() {
                true => is_folder_elsewhere(here, &entry.path()),
                false => kind.is_dir(),
            };
            let name = entry.file_name();
            if is_folder {
                folders.push(path.join(name));
                continue;
            }
            // In the tree other names matter, too: nobody but CloudTrail should write there.
            if let Some(name) = name.to_str()
                && (head.is_some() || FileName::parse(name).is_ok())
            {
                names.push(name.into());
            }
        }
        if !names.is_empty() {
            names.sort_unstable();
            self.by_head
                .entry(head)
                .or_default()
                .push(InFolder { path, names });
        }
        Ok(())
    }
}

fn head_of(path: &Path) -> Head {
    let head: PathBuf = path.iter().take_while(|part| *part != "AWSLogs").collect();
    (head.as_path() != path).then_some(head)
}

/// Whether a link leads to a folder that is not around it.
fn is_folder_elsewhere(here: &Path, link: &Path) -> bool {
    match (link.canonicalize(), here.canonicalize()) {
        (Ok(there), Ok(here)) => there.is_dir() && !here.starts_with(&there),
        _ => false,
    }
}

/// Where a digest says it lies.
struct Said {
    bucket: String,
    key: String,
}

impl Said {
    /// Of a digest that names its own name.
    fn read(path: &Path, name: &str) -> Option<Said> {
        let content = fs::read(path).ok()?;
        let DigestFile { bucket, key, .. } = opened(&content)?;
        let is_named = key.rsplit('/').next() == Some(name);
        is_named.then_some(Said { bucket, key })
    }
}

/// A digest, if it is one.
pub(crate) fn opened(content: &[u8]) -> Option<DigestFile> {
    let mut inflating = Inflating::new(MOST_DIGEST_BYTES);
    let mut inflated = Vec::new();
    inflating.push(content, &mut |piece| inflated.extend_from_slice(piece));
    DigestFile::parse(&inflated).ok()
}

/// Where what lies below a head lay in its bucket.
struct Placed {
    head: Head,
    bucket: Option<String>,
    /// What keys begin with, before `AWSLogs/`.
    prefix: String,
    organization_id: Option<String>,
    is_moved: bool,
}

impl Placed {
    fn of(head: &Head, said: Option<&Said>) -> Self {
        let parsed = said.and_then(|said| ObjectKey::parse(&said.key).ok());
        let organization_id = parsed
            .as_ref()
            .and_then(|key| key.organization_id_inside().map(str::to_owned));
        let said_prefix = parsed.map(|key| key.prefix);
        let text = head
            .as_ref()
            .map(|head| head.to_string_lossy().replace('\\', "/"));
        let (bucket, prefix, is_moved) = match (&text, said, said_prefix) {
            (Some(text), Some(said), Some(prefix)) => {
                let in_bucket = match prefix.as_str() {
                    "" => said.bucket.clone(),
                    prefix => format!("{}/{prefix}", said.bucket),
                };
                let is_in_bucket = *text == in_bucket;
                let bucket = is_in_bucket.then(|| said.bucket.clone());
                let is_moved = !is_in_bucket && *text != prefix;
                (bucket, prefix, is_moved)
            }
            (Some(text), _, _) => {
                // Without a digest the first folder is taken for the bucket.
                let prefix = text.split_once('/').map_or("", |(_, prefix)| prefix);
                (None, prefix.to_owned(), true)
            }
            (None, _, prefix) => (None, prefix.unwrap_or_default(), true),
        };
        Placed {
            head: head.clone(),
            bucket,
            prefix,
            organization_id,
            is_moved,
        }
    }

    /// What the keys of the files of a folder begin with, up to the last slash; `None` where only names tell.
    fn key_of_folder(&self, path: &Path) -> Option<String> {
        let head = self.head.as_ref()?;
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let inside = path.strip_prefix(head).ok()?.to_str()?.replace('\\', "/");
        Some(format!("{}{slash}{inside}/", self.prefix))
    }

    fn key_by_name(&self, name: &str) -> Option<String> {
        let parsed = FileName::parse(name).ok()?;
        let scope = Scope {
            prefix: self.prefix.clone(),
            organization_id: self.organization_id.clone(),
            account_id: parsed.account_id,
            region: parsed.region,
        };
        let folder = match (&parsed.kind, &parsed.rest) {
            (ObjectKind::DigestFile { .. }, NameRest::Trail { .. }) => scope.digest_folder(),
            (ObjectKind::LogFile(folder), _) => scope.log_folder(*folder),
            _ => return None,
        };
        let day = crate::time::formatted(parsed.time, "%Y/%m/%d");
        Some(format!("{folder}{day}/"))
    }
}
