//! Finding the objects to read: files, folders, globs and standard input.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use walkdir::WalkDir;

/// One object to read.
#[derive(Debug)]
pub struct Source {
    /// How it is called in the findings: the path, or `-`. Bytes that are no UTF-8 are written `\xff`,
    /// so that two objects never have the same.
    pub location: String,
    /// Where its bytes are.
    pub content: Content,
    /// The user named it, or it is standard input: it is expected to be a log file.
    pub named: bool,
}

/// Where the bytes of an object are.
#[derive(Debug)]
pub enum Content {
    /// In a file.
    File(PathBuf),
    /// On standard input.
    Stdin,
    /// Here.
    Memory(Vec<u8>),
    /// Nowhere: the walk through a folder met something that cannot be read.
    Obstacle(Obstacle),
}

/// What can stand in the way of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A link that leads back to a folder around it.
    SymlinkLoop,
    /// A folder or link that cannot be followed, and why.
    Unreadable(String),
    /// A pipe, socket or device.
    NotAFile,
}

/// Objects larger than this are not read: CloudTrail's own limit is 50 MB, compressed.
const MOST_OBJECT_BYTES: u64 = 1 << 30;

/// Expands what the user named into objects, sorted within each folder, each path once.
///
/// # Errors
/// A path that is neither there nor a glob that matches anything, and `s3://` addresses.
pub fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            sources.push(Source {
                location: "-".to_owned(),
                content: Content::Stdin,
                named: true,
            });
            continue;
        }
        match path.symlink_metadata() {
            Ok(_) => walk(path, true, &mut sources),
            Err(error) if error.kind() == io::ErrorKind::NotFound => glob(path, &mut sources)?,
            Err(error) => sources.push(obstacle(path, Obstacle::Unreadable(error.to_string()))),
        }
    }
    let mut seen = HashSet::new();
    sources.retain(|source| seen.insert(identity(source)));
    Ok(sources)
}

/// The same for the same path, however it is spelled.
fn identity(source: &Source) -> PathBuf {
    let path = match &source.content {
        Content::File(path) => path.as_path(),
        _ => Path::new(&source.location),
    };
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

/// A path as text, with what is no UTF-8 escaped.
fn location(path: &Path) -> String {
    let chunks = path.as_os_str().as_encoded_bytes().utf8_chunks();
    chunks
        .map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii()))
        .collect()
}

fn glob(path: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    let text = path.to_string_lossy();
    if text.starts_with("s3://") {
        bail!(
            "`{text}` is an S3 address, expected a local path: copy the objects first, for example with `aws s3 sync`"
        );
    }
    if !text.contains(['*', '?', '[']) {
        bail!("`{text}` does not exist, expected a file, a folder, a glob or -");
    }
    let matches = glob::glob(&text).with_context(|| format!("`{text}` is not a glob"))?;
    let before = sources.len();
    for found in matches {
        match found {
            Ok(found) => walk(&found, false, sources),
            Err(error) => sources.push(obstacle(
                error.path(),
                Obstacle::Unreadable(error.error().to_string()),
            )),
        }
    }
    if sources.len() == before {
        bail!("no file matches the glob `{text}`");
    }
    Ok(())
}

/// A file, or every file below a folder. Links are followed.
fn walk(path: &Path, named: bool, sources: &mut Vec<Source>) {
    for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            // What the user named is read whatever it is: it may be a pipe (`<(zcat ...)`).
            Ok(entry) if entry.file_type().is_file() || entry.depth() == 0 => {
                sources.push(Source {
                    location: location(entry.path()),
                    named: named && entry.depth() == 0,
                    content: Content::File(entry.into_path()),
                })
            }
            Ok(entry) => sources.push(obstacle(entry.path(), Obstacle::NotAFile)),
            Err(error) => {
                let path = error.path().unwrap_or(path).to_owned();
                let what = match error.loop_ancestor() {
                    Some(_) => Obstacle::SymlinkLoop,
                    None => Obstacle::Unreadable(cause(&error)),
                };
                sources.push(obstacle(&path, what));
            }
        }
    }
}

fn obstacle(path: &Path, obstacle: Obstacle) -> Source {
    Source {
        location: location(path),
        content: Content::Obstacle(obstacle),
        named: false,
    }
}

fn cause(error: &walkdir::Error) -> String {
    error
        .io_error()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// What the file system says of an object that was read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Properties {
    /// Unix seconds.
    pub(crate) last_modified: Option<i64>,
}

/// Reads a file into `buffer`, replacing what was there.
pub(crate) fn read_file(path: &Path, buffer: &mut Vec<u8>) -> io::Result<Properties> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    buffer.clear();
    read_limited(file, buffer)?;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(Properties {
        last_modified: modified.and_then(|since| i64::try_from(since.as_secs()).ok()),
    })
}

/// Reads standard input into `buffer`, replacing what was there.
pub(crate) fn read_stdin(buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    read_limited(io::stdin().lock(), buffer)
}

fn read_limited(input: impl io::Read, buffer: &mut Vec<u8>) -> io::Result<()> {
    let read = input.take(MOST_OBJECT_BYTES + 1).read_to_end(buffer)?;
    if read as u64 > MOST_OBJECT_BYTES {
        let message = format!(
            "larger than {} MiB, the most that is read of one object",
            MOST_OBJECT_BYTES >> 20
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(())
}
