//! Objects in memory, compressed as they lie in a bucket.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use cloudtrail::FileName;
use libdeflater::Decompressor;
use serde_json::Value;
use tempfile::TempDir;
use testkit::patterns::Random;
use trailwarden::source::{Content, Source, find};

/// Objects to be measured with.
pub struct Corpus {
    pub sources: Vec<Source>,
    /// Where they lie as files: where they come from, or a folder of their own once somebody asks.
    folder: Option<PathBuf>,
    written: OnceCell<TempDir>,
}

impl Corpus {
    /// Objects that were made.
    pub fn of(objects: Vec<Vec<u8>>) -> Self {
        let source = |(n, object)| Source {
            location: format!("111122223333_CloudTrail_us-east-1_20260302T0215Z_{n:016}.json.gz"),
            content: Content::Memory(object),
            named: false,
        };
        Corpus {
            sources: objects.into_iter().enumerate().map(source).collect(),
            folder: None,
            written: OnceCell::new(),
        }
    }

    /// The log files below a folder that an environment variable names; `None` if it does not.
    pub fn named_by(variable: &str) -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os(variable)?);
        let mut sources = find(std::slice::from_ref(&folder)).expect("the folder is there");
        sources.retain(|source| {
            let name = source.location.rsplit('/').next().unwrap_or_default();
            let is_digest = FileName::parse(name).is_ok_and(|name| !name.is_log_file());
            name.ends_with(".json.gz") && !is_digest
        });
        for source in &mut sources {
            if let Content::File(path) = &source.content {
                source.content = Content::Memory(fs::read(path).expect("the file is readable"));
            }
        }
        assert!(
            !sources.is_empty(),
            "{variable} names a folder of log files"
        );
        Some(Corpus {
            sources,
            folder: Some(folder),
            written: OnceCell::new(),
        })
    }

    /// The same objects as files.
    pub fn folder(&self) -> &Path {
        if let Some(folder) = &self.folder {
            return folder;
        }
        let written = self.written.get_or_init(|| {
            let folder = TempDir::new().expect("a folder for temporary files");
            for source in &self.sources {
                let path = folder.path().join(&source.location);
                fs::write(path, object(source)).expect("the folder is writable");
            }
            folder
        });
        written.path()
    }

    /// One of the objects as a file.
    pub fn file(&self, source: &Source) -> PathBuf {
        match &self.folder {
            Some(_) => PathBuf::from(&source.location),
            None => self.folder().join(&source.location),
        }
    }

    pub fn gzip_bytes(&self) -> usize {
        self.sources.iter().map(|source| object(source).len()).sum()
    }

    /// As the objects themselves say.
    pub fn inflated_bytes(&self) -> usize {
        self.sources.iter().map(inflated_bytes).sum()
    }

    /// The limit L: inflates every object into one buffer and does nothing else. Returns the bytes.
    pub fn inflate_all(&self) -> usize {
        let largest = self.sources.iter().map(inflated_bytes).max();
        let mut buffer = vec![0; largest.unwrap_or_default()];
        let mut decompressor = Decompressor::new();
        let inflate = |source| {
            decompressor
                .gzip_decompress(object(source), &mut buffer)
                .expect("the corpus is sound")
        };
        self.sources.iter().map(inflate).sum()
    }

    /// The objects in an order that follows nothing.
    pub fn shuffled(&self) -> Vec<&Source> {
        let mut random = Random::new(11);
        let mut keyed: Vec<(u64, &Source)> = self
            .sources
            .iter()
            .map(|source| (random.draw(), source))
            .collect();
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, source)| source).collect()
    }

    /// The objects whose inflated size is nearest to `bytes`, the nearest first.
    pub fn nearest(&self, bytes: usize, count: usize) -> Vec<&Source> {
        let mut sources: Vec<&Source> = self.sources.iter().collect();
        sources.sort_by_key(|source| inflated_bytes(source).abs_diff(bytes));
        sources.truncate(count);
        sources
    }

    /// The records of this and that object.
    pub fn some_records(&self) -> impl Iterator<Item = Value> {
        const ENOUGH: usize = 20_000;
        let records = self.shuffled().into_iter().filter_map(records_of);
        records.flatten().take(ENOUGH)
    }
}

/// The compressed bytes of an object.
pub fn object(source: &Source) -> &[u8] {
    match &source.content {
        Content::Memory(object) => object,
        _ => unreachable!("a corpus is in memory"),
    }
}

/// What the last member's trailer says, as far as it can be true: a byte gives some thousand at most.
pub fn inflated_bytes(source: &Source) -> usize {
    let object = object(source);
    let size = object.last_chunk().copied().map(u32::from_le_bytes);
    (size.unwrap_or_default() as usize).min(object.len() * 1032)
}

/// The records of an object as trees; `None` if it is not one well-formed document.
pub fn records_of(source: &Source) -> Option<Vec<Value>> {
    let mut content = vec![0; inflated_bytes(source)];
    let inflated = Decompressor::new().gzip_decompress(object(source), &mut content);
    content.truncate(inflated.ok()?);
    let mut document: Value = serde_json::from_slice(&content).ok()?;
    match document.get_mut("Records")?.take() {
        Value::Array(records) => Some(records),
        _ => None,
    }
}
