//! From the bytes of one object to its records.
//!
//! An object counts as a whole or not at all, so that a retry never counts twice. One whose content fits the budget is inflated into
//! a reused buffer and verified before anything of it is handed out. A larger one is read while it is inflated, in constant
//! memory: whether it verifies is known at its end, and until then the caller holds back what it found.

use libdeflater::Decompressor;
use raw_json::{Index, Object};

use crate::document::{Document, DocumentError};
use crate::gzip::{Framing, GzipError, GzipStream, claimed_bytes, inflate_whole, is_gzip};
use crate::key::LogFolder;

/// One element of `Records`.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// An object: an event, whatever members it has.
    Record {
        /// Position among the elements of the log file, from 0.
        index: u64,
        /// The record, bytes as they lie in the file.
        record: Object<'a>,
    },
    /// Something that cannot be evaluated.
    Skipped {
        /// Position among the elements of the log file, from 0.
        index: u64,
        /// Why.
        reason: SkipReason,
    },
}

/// Why an element of `Records` is not evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// A string, number, array, `null`, ...
    NotAnObject,
    /// The text ends, or the array is closed, before the record ends.
    Unterminated,
    /// The record is larger than the buffer.
    TooLarge,
}

impl SkipReason {
    /// The name used in counts: `not_an_object`, ...
    pub fn name(self) -> &'static str {
        match self {
            SkipReason::NotAnObject => "not_an_object",
            SkipReason::Unterminated => "unterminated",
            SkipReason::TooLarge => "too_large",
        }
    }
}

/// Something odd about a log file that was read all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// What was found, in a sentence for a person.
    pub message: String,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// More than one gzip member; all were read.
    MultipleMembers,
    /// Bytes behind the last gzip member that are not gzip.
    TrailingData,
    /// More than one JSON document; all were read.
    SeveralDocuments,
    /// `Records` stands more than once in a document; all were read.
    RepeatedRecords,
    /// Something that is not JSON behind the document.
    ContentBehindDocument,
    /// The text ends before the document does.
    UnterminatedDocument,
    /// Something between the records is not JSON.
    MalformedDocument,
    /// A record is not well-formed JSON; it was evaluated as far as it can be read.
    MalformedRecord,
    /// A record was skipped because it is not an object.
    SkippedNotAnObject,
    /// A record was skipped because it does not end.
    SkippedUnterminated,
    /// A record was skipped because it is larger than the buffer.
    SkippedTooLarge,
}

impl ProblemKind {
    /// The name used in counts: `multiple_members`, ...
    pub fn name(self) -> &'static str {
        match self {
            ProblemKind::MultipleMembers => "multiple_members",
            ProblemKind::TrailingData => "trailing_data",
            ProblemKind::SeveralDocuments => "several_documents",
            ProblemKind::RepeatedRecords => "repeated_records",
            ProblemKind::ContentBehindDocument => "content_behind_document",
            ProblemKind::UnterminatedDocument => "unterminated_document",
            ProblemKind::MalformedDocument => "malformed_document",
            ProblemKind::MalformedRecord => "malformed_record",
            ProblemKind::SkippedNotAnObject => "not_an_object",
            ProblemKind::SkippedUnterminated => "unterminated_record",
            ProblemKind::SkippedTooLarge => "record_too_large",
        }
    }

    fn message(self, count: u64) -> String {
        let times = if count == 1 {
            String::new()
        } else {
            format!(" ({count} times)")
        };
        let what = match self {
            ProblemKind::MultipleMembers => {
                "more than one gzip member; all were read as one stream"
            }
            ProblemKind::TrailingData => {
                "bytes behind the gzip stream that are not gzip; they were not read"
            }
            ProblemKind::SeveralDocuments => "more than one JSON document; all were read",
            ProblemKind::RepeatedRecords => "`Records` stands more than once; all were read",
            ProblemKind::ContentBehindDocument => {
                "content behind the document that is not JSON; it was not read"
            }
            ProblemKind::UnterminatedDocument => {
                "the JSON document does not end; the records before that were read"
            }
            ProblemKind::MalformedDocument => {
                "something between the records is not JSON; it was passed over"
            }
            ProblemKind::MalformedRecord => {
                "a record is not well-formed JSON; it was evaluated as far as it can be read"
            }
            ProblemKind::SkippedNotAnObject => {
                "an element of `Records` is not an object; it was skipped"
            }
            ProblemKind::SkippedUnterminated => "a record does not end; it was skipped",
            ProblemKind::SkippedTooLarge => {
                "a record is larger than the read buffer; it was skipped"
            }
        };
        format!("{what}{times}")
    }
}

impl From<SkipReason> for ProblemKind {
    fn from(reason: SkipReason) -> Self {
        match reason {
            SkipReason::NotAnObject => ProblemKind::SkippedNotAnObject,
            SkipReason::Unterminated => ProblemKind::SkippedUnterminated,
            SkipReason::TooLarge => ProblemKind::SkippedTooLarge,
        }
    }
}

/// What a log file held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Elements of `Records`: `read = records + skipped`.
    pub read: u64,
    /// Elements handed out as records.
    pub records: u64,
    /// Elements skipped, by reason.
    pub skipped: Vec<(SkipReason, u64)>,
    /// Bytes of the content, inflated.
    pub content_bytes: u64,
    /// What was odd, each kind once.
    pub problems: Vec<Problem>,
}

/// Why an object gives no records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The object does not inflate or does not verify. Nothing of it counts.
    #[error("{source}; whole records in what could be inflated: {readable_records}, none counts")]
    Gzip {
        /// What is wrong with the gzip stream.
        source: GzipError,
        /// Whole records in what could be inflated.
        readable_records: u64,
    },
    /// No content, or white space only.
    #[error("the object is empty, expected a log file")]
    Empty,
    /// The content does not start as a JSON object.
    #[error("the content is not JSON (byte {offset}), expected an object with `Records`")]
    NotJson {
        /// Offset in the inflated content.
        offset: u64,
    },
    /// JSON, but without `Records`.
    #[error("the content has no `Records`, expected an object with an array of that name")]
    NoRecords,
    /// `Records` is something else than an array.
    #[error("`Records` is not an array")]
    RecordsNotAnArray,
    /// It inflates to more than the reader may read. Nothing of it counts.
    #[error("the object inflates to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A digest file: `logFiles` and `digestEndTime` instead of `Records`.
    #[error("the content is a digest file, expected a log file")]
    DigestFile,
}

impl ReadError {
    /// The name used in counts: `truncated`, `crc_mismatch`, ...
    pub fn kind(&self) -> &'static str {
        match self {
            ReadError::Gzip { source, .. } => match source {
                GzipError::Truncated { .. } => "truncated",
                GzipError::Crc { .. } => "crc_mismatch",
                GzipError::Length { .. } => "length_mismatch",
                GzipError::Corrupt { .. } => "corrupt_gzip",
            },
            ReadError::Empty => "empty",
            ReadError::NotJson { .. } => "not_json",
            ReadError::NoRecords => "no_records",
            ReadError::RecordsNotAnArray => "records_not_an_array",
            ReadError::TooLarge { .. } => "too_large",
            ReadError::DigestFile => "digest_file",
        }
    }
}

impl From<DocumentError> for ReadError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Empty => ReadError::Empty,
            DocumentError::NotJson { offset } => ReadError::NotJson { offset },
            DocumentError::NoRecords => ReadError::NoRecords,
            DocumentError::RecordsNotAnArray => ReadError::RecordsNotAnArray,
            DocumentError::DigestFile => ReadError::DigestFile,
        }
    }
}

/// Reads log files, one after the other, keeping its buffers.
///
/// ```
/// use cloudtrail::{Entry, LogFileReader};
///
/// let mut names = Vec::new();
/// let object = br#"{"Records":[{"eventName":"StopLogging"},{"eventName":"DeleteTrail"}]}"#;
/// let summary = LogFileReader::new().read(object, None, |entry| {
///     if let Entry::Record { record, .. } = entry {
///         names.extend(record.get("eventName").and_then(|name| name.as_str()).map(String::from));
///     }
/// })?;
/// assert_eq!((summary.read, names.join(" ").as_str()), (2, "StopLogging DeleteTrail"));
/// # Ok::<(), cloudtrail::ReadError>(())
/// ```
pub struct LogFileReader {
    decompressor: Decompressor,
    buffer: Vec<u8>,
    /// `None`: every record is read the exact way.
    index: Option<Index>,
    buffer_bytes: usize,
    most_content_bytes: u64,
}

/// Size of the first window onto a content that does not fit the buffer.
const WINDOW_BYTES: usize = 1 << 20;

impl LogFileReader {
    /// A reader with the default buffer of 32 MiB: hardly any log file is larger, inflated.
    pub fn new() -> Self {
        Self::with_buffer(32 << 20)
    }

    /// A reader that keeps at most `buffer_bytes` of inflated content in memory. A single record
    /// larger than that is skipped as [`SkipReason::TooLarge`].
    pub fn with_buffer(buffer_bytes: usize) -> Self {
        LogFileReader {
            decompressor: Decompressor::new(),
            buffer: Vec::new(),
            index: Some(Index::default()),
            buffer_bytes,
            most_content_bytes: u64::MAX,
        }
    }

    /// Refuses objects that inflate to more than this as [`ReadError::TooLarge`], for those whose time
    /// is limited: a small object can inflate to a thousand times its size.
    #[must_use]
    pub fn most_content_bytes(self, most_content_bytes: u64) -> Self {
        LogFileReader {
            most_content_bytes,
            ..self
        }
    }

    /// Reads every record the exact way, without an index: slower, with the same results. For tests of the quick way.
    #[must_use]
    pub fn without_index(self) -> Self {
        LogFileReader {
            index: None,
            ..self
        }
    }

    /// Verifies the object and hands out the elements of `Records` in order.
    ///
    /// `object` is gzip or plain JSON; `folder` is where its key says it lies, if known (aggregated
    /// events come as a bare array).
    ///
    /// # Errors
    /// The object does not verify, or holds no records. If its content is larger than the buffer, or its last bytes say so, `each` may have been called before
    /// that was known: what came of it does not count. JSON that breaks off later on is never an error.
    pub fn read(
        &mut self,
        object: &[u8],
        folder: Option<LogFolder>,
        mut each: impl FnMut(Entry<'_>),
    ) -> Result<Summary, ReadError> {
        let mut document = Document::new(folder == Some(LogFolder::Aggregated));
        let mut tally = Tally::default();
        let mut count = |entry: Entry<'_>| {
            tally.count(&entry);
            each(entry);
        };
        let (content_bytes, framing) = if !is_gzip(object) {
            read_slice(&mut document, object, &mut self.index, &mut count)?;
            (object.len() as u64, Framing::default())
        } else if let Some(content) = inflate_whole(
            &mut self.decompressor,
            object,
            &mut self.buffer,
            self.buffer_bytes,
        ) {
            read_slice(&mut document, content, &mut self.index, &mut count)?;
            (
                content.len() as u64,
                Framing {
                    members: 1,
                    trailing_bytes: 0,
                },
            )
        } else {
            let limit = self.most_content_bytes;
            let is_larger = claimed_bytes(object) > self.buffer_bytes as u64;
            if !is_larger {
                // Several members, or a fault.
                verify(object, limit)?;
            }
            let (buffer_bytes, index) = (self.buffer_bytes, &mut self.index);
            let read = read_stream(
                &mut document,
                object,
                buffer_bytes,
                limit,
                index,
                &mut count,
            );
            read.or_else(|error| match error {
                ReadError::Gzip { source, .. } => Err(unverified(source, object)),
                ReadError::TooLarge { .. } => Err(error),
                // That an object does not verify comes before everything that is wrong with its content.
                _ => verify(object, limit).and(Err(error)),
            })?
        };
        Ok(tally.summary(&document, content_bytes, framing))
    }
}

impl Default for LogFileReader {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for LogFileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFileReader")
            .field("buffer_bytes", &self.buffer_bytes)
            .finish_non_exhaustive()
    }
}

fn read_slice(
    document: &mut Document,
    content: &[u8],
    index: &mut Option<Index>,
    each: &mut impl FnMut(Entry<'_>),
) -> Result<(), ReadError> {
    document.advance(content, true, index, each)?;
    Ok(document.finish(each)?)
}

/// Inflates everything for its checks only. What fails here fails as a whole.
fn verify(object: &[u8], limit: u64) -> Result<(), ReadError> {
    let mut stream = GzipStream::new(object);
    let mut output = vec![0; 1 << 16];
    let mut inflated = 0_u64;
    loop {
        match stream.read(&mut output) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                inflated += read as u64;
                if inflated > limit {
                    return Err(ReadError::TooLarge { limit });
                }
            }
            Err(source) => return Err(unverified(source, object)),
        }
    }
}

fn unverified(source: GzipError, object: &[u8]) -> ReadError {
    ReadError::Gzip {
        source,
        readable_records: readable_records(object),
    }
}

/// Whole records in as much of a broken object as inflates.
fn readable_records(object: &[u8]) -> u64 {
    let mut document = Document::new(true);
    let mut records = 0;
    let mut count = |entry: Entry<'_>| records += u64::from(matches!(entry, Entry::Record { .. }));
    // Breaking off is what is expected here; the count up to there is the answer.
    let most_bytes = WINDOW_BYTES;
    let _ = read_stream(
        &mut document,
        object,
        most_bytes,
        u64::MAX,
        &mut None,
        &mut count,
    );
    records
}

/// Reads through a window that grows, up to `most_bytes`, only for a record that needs it.
fn read_stream(
    document: &mut Document,
    object: &[u8],
    most_bytes: usize,
    limit: u64,
    index: &mut Option<Index>,
    each: &mut impl FnMut(Entry<'_>),
) -> Result<(u64, Framing), ReadError> {
    let most_bytes = most_bytes.max(2);
    let mut stream = GzipStream::new(object);
    let mut window = vec![0; WINDOW_BYTES.min(most_bytes)];
    let (mut filled, mut content_bytes) = (0, 0_u64);
    loop {
        let free = window.get_mut(filled..).unwrap_or_default();
        let room = !free.is_empty();
        let read = stream.read(free).map_err(|source| ReadError::Gzip {
            source,
            readable_records: 0, // The caller counts them.
        })?;
        filled += read;
        content_bytes += read as u64;
        if content_bytes > limit {
            return Err(ReadError::TooLarge { limit });
        }
        let last = room && read == 0;
        let taken =
            document.advance(window.get(..filled).unwrap_or_default(), last, index, each)?;
        if last {
            document.finish(each)?;
            return Ok((content_bytes, stream.framing()));
        }
        window.copy_within(taken..filled, 0);
        filled -= taken;
        if filled == window.len() {
            if window.len() >= most_bytes {
                document.pass_over();
            } else {
                window.resize((window.len() * 2).min(most_bytes), 0);
            }
        }
    }
}

/// Counts each entry where it is decided.
#[derive(Default)]
struct Tally {
    read: u64,
    records: u64,
    skipped: Vec<(SkipReason, u64)>,
}

impl Tally {
    fn count(&mut self, entry: &Entry<'_>) {
        self.read += 1;
        match entry {
            Entry::Record { .. } => self.records += 1,
            Entry::Skipped { reason, .. } => {
                match self.skipped.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, count)) => *count += 1,
                    None => self.skipped.push((*reason, 1)),
                }
            }
        }
    }

    fn summary(self, document: &Document, content_bytes: u64, framing: Framing) -> Summary {
        let mut problems: Vec<Problem> = Vec::new();
        let mut note = |kind: ProblemKind, count| {
            problems.push(Problem {
                kind,
                message: kind.message(count),
            })
        };
        if framing.members > 1 {
            note(ProblemKind::MultipleMembers, 1);
        }
        if framing.trailing_bytes > 0 {
            note(ProblemKind::TrailingData, 1);
        }
        for (kind, count) in document.problems() {
            note(*kind, *count);
        }
        for (reason, count) in &self.skipped {
            note((*reason).into(), *count);
        }
        Summary {
            read: self.read,
            records: self.records,
            skipped: self.skipped,
            content_bytes,
            problems,
        }
    }
}
