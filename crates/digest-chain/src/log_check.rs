//! A log file, hashed while it is inflated.

use crate::sha256::Hashing;
use crate::{GzipEnd, Inflating, LogFile, Sha256};

/// The most that a log object is inflated to. CloudTrail's log files have a few MB; what inflates to more is
/// [`TooLarge`](GzipEnd::TooLarge), a [`BadFormat`](LogProblem::BadFormat), where the AWS CLI would go on to the end.
pub const MOST_LOG_BYTES: u64 = 4 << 30;

/// What a log object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogContent {
    /// The hash of what its first gzip member inflates to, as far as it does.
    pub sha256: Sha256,
    /// How it ended.
    pub end: GzipEnd,
    /// How many bytes it inflates to.
    pub length: u64,
}

/// Hashes a log object that comes in pieces, in constant memory.
#[derive(Debug)]
pub struct LogHasher {
    inflating: Inflating,
    hashing: Hashing,
    length: u64,
}

impl Default for LogHasher {
    fn default() -> Self {
        LogHasher::new()
    }
}

impl LogHasher {
    /// Nothing yet.
    pub fn new() -> Self {
        LogHasher::up_to(MOST_LOG_BYTES)
    }

    fn up_to(most_bytes: u64) -> Self {
        LogHasher {
            inflating: Inflating::new(most_bytes),
            hashing: Hashing::new(),
            length: 0,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        let LogHasher {
            inflating,
            hashing,
            length,
        } = self;
        inflating.push(bytes, &mut |output| {
            hashing.update(output);
            *length += output.len() as u64;
        });
    }

    /// Whether more bytes can change nothing any more.
    pub fn is_decided(&self) -> bool {
        self.inflating.is_decided()
    }

    /// That was all.
    pub fn finish(self) -> LogContent {
        LogContent {
            sha256: self.hashing.finish(),
            end: self.inflating.end(),
            length: self.length,
        }
    }
}

/// What is wrong with the content of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogProblem {
    /// The content is not what was delivered.
    HashMismatch,
    /// It is no gzip, does not verify, or inflates to more than [`MOST_LOG_BYTES`].
    BadFormat,
    /// The content is what was delivered; something stands behind it.
    TrailingData,
    /// The content is what was delivered; the gzip trailer is cut off.
    TrailerCut,
    /// The digest hashes it in a way that is not known.
    UnknownAlgorithm,
}

impl LogContent {
    /// What the AWS CLI finds wrong with it: all but [`TrailerCut`](LogProblem::TrailerCut) and
    /// [`UnknownAlgorithm`](LogProblem::UnknownAlgorithm).
    pub fn compatible_problem(&self, log: &LogFile) -> Option<LogProblem> {
        match self.end {
            GzipEnd::NotGzip | GzipEnd::Corrupt | GzipEnd::TooLarge => Some(LogProblem::BadFormat),
            GzipEnd::TrailingData => Some(LogProblem::TrailingData),
            GzipEnd::Whole | GzipEnd::TrailerCut | GzipEnd::Truncated => {
                (self.sha256.to_string() != log.hash_value).then_some(LogProblem::HashMismatch)
            }
        }
    }

    /// What is wrong with it.
    pub fn problem(&self, log: &LogFile) -> Option<LogProblem> {
        if log.hash_algorithm.as_deref() != Some("SHA-256") {
            return Some(LogProblem::UnknownAlgorithm);
        }
        let is_delivered = self.sha256.to_string() == log.hash_value;
        match self.end {
            GzipEnd::Whole if is_delivered => None,
            GzipEnd::TrailerCut if is_delivered => Some(LogProblem::TrailerCut),
            GzipEnd::TrailingData if is_delivered => Some(LogProblem::TrailingData),
            GzipEnd::NotGzip | GzipEnd::Corrupt | GzipEnd::TooLarge => Some(LogProblem::BadFormat),
            GzipEnd::Whole | GzipEnd::TrailerCut | GzipEnd::TrailingData | GzipEnd::Truncated => {
                Some(LogProblem::HashMismatch)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_bomb_is_a_log_file_of_bad_format_and_is_not_inflated_to_its_end() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(&vec![0; 8 << 20]).unwrap();
        let object = encoder.finish().unwrap();
        let mut hasher = LogHasher::up_to(1 << 20);
        hasher.push(&object);
        assert!(hasher.is_decided());
        let content = hasher.finish();
        assert_eq!(content.end, GzipEnd::TooLarge);
        assert!(content.length <= 1 << 20);
        let log = LogFile {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            hash_value: content.sha256.to_string(),
            hash_algorithm: Some("SHA-256".to_owned()),
        };
        let found = [content.problem(&log), content.compatible_problem(&log)];
        assert_eq!(found, [Some(LogProblem::BadFormat); 2]);
    }
}
