//! A digest object, opened.

use std::collections::BTreeMap;

use crate::{DigestFile, FormatError, GzipEnd, Inflating, LogFile, Previous, Sha256};

/// The largest digest file that is read, inflated. One with 100,000 log files has about 40 MB.
pub const MOST_DIGEST_BYTES: u64 = 64 << 20;

/// A digest object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestObject {
    /// The bucket it was read from.
    pub bucket: String,
    /// The key it was read from.
    pub key: String,
    /// Its bytes, compressed.
    pub content: Vec<u8>,
    /// Its user metadata, by lower-case names without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// What the metadata of a digest object say. None of it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// `signature`, in hex.
    pub signature: Option<String>,
    /// `signature-algorithm`.
    pub signature_algorithm: Option<String>,
    /// `backfill-generation-timestamp`: when a backfill digest was signed.
    pub backfill_generated: Option<String>,
}

/// A digest object whose content could be read.
///
/// Anybody who can write to the bucket can make one whose list of log files inflates to a thousand times its size. So
/// the list stays compressed until the digest is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedDigest {
    /// The bucket it was read from.
    pub bucket: String,
    /// The key it was read from.
    pub key: String,
    /// What it says, without its log files: see [`log_files`](Self::log_files).
    pub file: DigestFile,
    /// The hash of its content, inflated.
    pub sha256: Sha256,
    /// Whether something stands behind its gzip member.
    pub has_trailing_data: bool,
    /// What its metadata say.
    pub metadata: Metadata,
    /// The bytes of the object, compressed.
    content: Vec<u8>,
}

/// Why the content of a digest object cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unopened {
    /// It is no gzip object that verifies.
    #[error("it is not one whole gzip member ({})", gzip_words(*.0))]
    Gzip(GzipEnd),
    /// What it inflates to is no digest file.
    #[error(transparent)]
    Format(#[from] FormatError),
}

fn gzip_words(end: GzipEnd) -> &'static str {
    match end {
        GzipEnd::Whole => "whole",
        GzipEnd::TrailingData => "something stands behind it",
        GzipEnd::TrailerCut => "its trailer is cut off",
        GzipEnd::Truncated => "it breaks off",
        GzipEnd::NotGzip => "not gzip",
        GzipEnd::Corrupt => "it does not verify",
        GzipEnd::TooLarge => "it inflates to more than 64 MiB",
    }
}

impl OpenedDigest {
    /// Inflates and reads a digest object; a second member or other bytes behind the first are noted.
    ///
    /// # Errors
    /// It is no gzip object that verifies, or no digest file.
    pub fn open(object: DigestObject) -> Result<Self, Unopened> {
        let DigestObject {
            bucket,
            key,
            content,
            mut metadata,
        } = object;
        let (end, inflated) = inflated(&content);
        let has_trailing_data = match end {
            GzipEnd::Whole => false,
            GzipEnd::TrailingData => true,
            other => return Err(Unopened::Gzip(other)),
        };
        Ok(OpenedDigest {
            bucket,
            key,
            sha256: Sha256::of(&inflated),
            file: DigestFile::parse_without_logs(&inflated)?,
            has_trailing_data,
            metadata: Metadata {
                signature: metadata.remove("signature"),
                signature_algorithm: metadata.remove("signature-algorithm"),
                backfill_generated: metadata.remove("backfill-generation-timestamp"),
            },
            content,
        })
    }

    /// The log files that it lists, read anew.
    pub fn log_files(&self) -> Vec<LogFile> {
        let (_, inflated) = inflated(&self.content);
        // It was read before, so it can be.
        DigestFile::parse(&inflated).map_or_else(|_| Vec::new(), |file| file.log_files)
    }

    /// What it says, with its log files.
    pub(crate) fn into_file(self) -> DigestFile {
        DigestFile {
            log_files: self.log_files(),
            ..self.file
        }
    }

    /// About how many bytes it holds in memory.
    pub fn held_bytes(&self) -> usize {
        let DigestFile {
            account_id,
            start_time,
            end_time,
            bucket,
            key,
            public_key_fingerprint,
            signature_algorithm,
            previous,
            log_files: _,
        } = &self.file;
        let Previous {
            bucket: previous_bucket,
            key: previous_key,
            hash_value,
            hash_algorithm,
            signature: previous_signature,
        } = previous;
        let Metadata {
            signature,
            signature_algorithm: other_algorithm,
            backfill_generated,
        } = &self.metadata;
        let texts = [
            &self.bucket,
            &self.key,
            start_time,
            end_time,
            bucket,
            key,
            public_key_fingerprint,
        ];
        let options = [
            account_id,
            signature_algorithm,
            previous_bucket,
            previous_key,
            hash_value,
            hash_algorithm,
            previous_signature,
            signature,
            other_algorithm,
            backfill_generated,
        ];
        let texts = texts.into_iter().chain(options.into_iter().flatten());
        size_of::<Self>() + self.content.len() + texts.map(String::len).sum::<usize>()
    }

    /// Whether it lies where CloudTrail put it.
    pub fn is_in_place(&self) -> bool {
        self.file.bucket == self.bucket && self.file.key == self.key
    }
}

fn inflated(content: &[u8]) -> (GzipEnd, Vec<u8>) {
    let mut inflating = Inflating::new(MOST_DIGEST_BYTES);
    let mut inflated = Vec::new();
    inflating.push(content, &mut |piece| inflated.extend_from_slice(piece));
    (inflating.end(), inflated)
}
