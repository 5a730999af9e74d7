//! `cloudtrail::LogFileReader`: with its index and without, plain and compressed, in buffers large and small.

use cloudtrail::{Entry, LogFileReader, LogFolder, ReadError, SkipReason, Summary};
use libdeflater::{CompressionLvl, Compressor};

/// The data are the content of a log file; a bare array is one of aggregated events.
pub fn hold(data: &[u8]) {
    let folder = data.starts_with(b"[").then_some(LogFolder::Aggregated);
    let one_member = gzip(data);
    let (head, tail) = data.split_at(data.len() / 2);
    let two_members = [gzip(head), gzip(tail)].concat();

    let mut readers = Readers::new(LogFileReader::new);
    let plain = readers.read(data, folder);
    // Content that looks like gzip is read as such.
    if !data.starts_with(&[0x1f, 0x8b]) {
        let single = readers.read_indexed(&one_member, folder);
        assert_eq!(single, plain, "one member: {}", data.escape_ascii());
        // Inflated piece by piece.
        let mut whole = Readers::new(|| LogFileReader::with_buffer(data.len() + 2));
        let (elements, _) = whole.read_indexed(&two_members, folder);
        assert_eq!(elements, plain.0, "two members: {}", data.escape_ascii());
    }

    // A window that cuts records, and others that do not fit.
    let mut small = Readers::new(|| LogFileReader::with_buffer(1 + data.len() / 3));
    let (elements, summary) = small.read(&two_members, folder);
    assert_eq!(
        elements.len() as u64,
        summary.map_or(0, |summary| summary.read)
    );
}

/// What a reader hands out.
#[derive(Debug, PartialEq, Eq)]
enum Element {
    /// As it lies in the file.
    Record(u64, Vec<u8>),
    Skipped(u64, SkipReason),
}

type Outcome = (Vec<Element>, Result<Summary, ReadError>);

/// Two readers alike but for the index.
struct Readers {
    indexed: LogFileReader,
    exact: LogFileReader,
}

impl Readers {
    fn new(reader: impl Fn() -> LogFileReader) -> Self {
        Readers {
            indexed: reader(),
            exact: reader().without_index(),
        }
    }

    /// Reads both ways, which must come to the same.
    fn read(&mut self, object: &[u8], folder: Option<LogFolder>) -> Outcome {
        let indexed = self.read_indexed(object, folder);
        let exact = read(&mut self.exact, object, folder);
        assert_eq!(indexed, exact, "{}", object.escape_ascii());
        indexed
    }

    fn read_indexed(&mut self, object: &[u8], folder: Option<LogFolder>) -> Outcome {
        read(&mut self.indexed, object, folder)
    }
}

fn read(reader: &mut LogFileReader, object: &[u8], folder: Option<LogFolder>) -> Outcome {
    let mut elements = Vec::new();
    let summary = reader.read(object, folder, |entry| {
        elements.push(match entry {
            Entry::Record { index, record } => Element::Record(index, record.raw().to_vec()),
            Entry::Skipped { index, reason } => Element::Skipped(index, reason),
        });
    });
    if summary.is_err() {
        // What was handed out before the fault was met does not count.
        elements.clear();
    }
    (elements, summary)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::fastest());
    let mut object = vec![0; compressor.gzip_compress_bound(content.len())];
    let length = compressor.gzip_compress(content, &mut object).unwrap();
    object.truncate(length);
    object
}
