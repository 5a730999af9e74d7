//! Cutting the records out of a document, window by window.
//!
//! A document is `{"Records":[...]}`; aggregated events come as a bare array. [`Document::advance`]
//! takes as much of a window as it can decide on and says how much that was; the caller brings the
//! rest again with more behind it. What stands between the records is passed over, what is odd about
//! it is noted, and a value too large for the window is passed over without being kept.

use raw_json::{Extent, Index, Object, Str, extent, is_white_space};

use crate::log_file::{Entry, ProblemKind, SkipReason};

/// Why a text holds no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentError {
    Empty,
    NotJson { offset: u64 },
    NoRecords,
    RecordsNotAnArray,
    DigestFile,
}

/// Reads the documents of one object.
#[derive(Debug)]
pub(crate) struct Document {
    place: Place,
    bare_array_allowed: bool,
    /// Bytes taken so far.
    offset: u64,
    documents: u64,
    record_arrays: u64,
    records_of_another_type: bool,
    digest_members: u8,
    next_index: u64,
    problems: Vec<(ProblemKind, u64)>,
}

/// Where reading stands, always between two tokens.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before a document.
    Outside,
    /// In the outer object, before a member or its end.
    InDocument,
    /// Behind the name of a member of the outer object, `Records` or another.
    BeforeColon { records: bool },
    /// Behind its colon.
    BeforeValue { records: bool },
    /// In the array of records.
    InRecords { bare: bool, comma: Comma },
    /// Inside a value that is too large to keep.
    InLargeValue {
        record: bool,
        bare: bool,
        passing: Passing,
    },
}

/// Whether a comma may, must or must not stand next between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comma {
    /// At the start of the array.
    NotYet,
    /// Behind a record.
    Due,
    /// Behind a comma.
    Seen,
}

/// Passes over a value byte by byte.
#[derive(Debug, Clone, Copy, Default)]
struct Passing {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

/// What one step decided.
enum Step {
    /// This many bytes are done with.
    Taken(usize),
    /// The window ends inside a token that needs to be seen whole.
    NeedsMore,
}

impl Document {
    pub(crate) fn new(bare_array_allowed: bool) -> Self {
        Document {
            place: Place::Outside,
            bare_array_allowed,
            offset: 0,
            documents: 0,
            record_arrays: 0,
            records_of_another_type: false,
            digest_members: 0,
            next_index: 0,
            problems: Vec::new(),
        }
    }

    /// Problems by kind, with how often each was met.
    pub(crate) fn problems(&self) -> &[(ProblemKind, u64)] {
        &self.problems
    }

    /// Takes what it can from the window and returns how many bytes that was. `last` says that
    /// nothing follows the window. Without an index every record is read the exact way.
    pub(crate) fn advance(
        &mut self,
        window: &[u8],
        last: bool,
        index: &mut Option<Index>,
        each: &mut impl FnMut(Entry<'_>),
    ) -> Result<usize, DocumentError> {
        let mut taken = 0;
        while let Some(rest) = window.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.step(rest, last, index, each)? {
                Step::Taken(bytes) => {
                    taken += bytes;
                    self.offset += bytes as u64;
                }
                Step::NeedsMore => break,
            }
        }
        Ok(taken)
    }

    /// The window cannot grow: what stands at its start is passed over without being kept.
    pub(crate) fn pass_over(&mut self) {
        let (record, bare) = match self.place {
            Place::InRecords { bare, .. } => (true, bare),
            _ => (false, false),
        };
        self.place = Place::InLargeValue {
            record,
            bare,
            passing: Passing::default(),
        };
    }

    /// The end of the text: everything was taken that could be.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(Entry<'_>)) -> Result<(), DocumentError> {
        match self.place {
            Place::Outside => {}
            Place::InLargeValue { record, .. } => {
                if record {
                    self.skip(SkipReason::Unterminated, each);
                }
                self.note(ProblemKind::UnterminatedDocument);
            }
            Place::InDocument
            | Place::BeforeColon { .. }
            | Place::BeforeValue { .. }
            | Place::InRecords { .. } => self.note(ProblemKind::UnterminatedDocument),
        }
        if self.record_arrays > 0 {
            if self.record_arrays > self.documents || self.records_of_another_type {
                self.note(ProblemKind::RepeatedRecords);
            }
            return Ok(());
        }
        Err(
            match (
                self.documents,
                self.records_of_another_type,
                self.digest_members,
            ) {
                (0, ..) => DocumentError::Empty,
                (_, _, 2..) => DocumentError::DigestFile,
                (_, true, _) => DocumentError::RecordsNotAnArray,
                _ => DocumentError::NoRecords,
            },
        )
    }

    fn step(
        &mut self,
        rest: &[u8],
        last: bool,
        index: &mut Option<Index>,
        each: &mut impl FnMut(Entry<'_>),
    ) -> Result<Step, DocumentError> {
        if let Place::InLargeValue {
            record,
            bare,
            passing,
        } = self.place
        {
            return Ok(self.pass(rest, record, bare, passing, each));
        }
        let white_space = rest
            .iter()
            .take_while(|byte| is_white_space(**byte))
            .count();
        if white_space > 0 {
            return Ok(Step::Taken(white_space));
        }
        match self.place {
            Place::Outside => self.begin_document(rest, last),
            Place::InDocument => self.member(rest, last),
            Place::BeforeColon { records } => self.colon(rest, records),
            Place::BeforeValue { records } => self.value(rest, last, records),
            Place::InRecords { bare, comma } => {
                if comma != Comma::Due
                    && let Some(index) = index.as_mut()
                    && let Some(step) = self.ordinary_records(rest, bare, index, each)
                {
                    return Ok(step);
                }
                Ok(self.element(rest, last, bare, comma, each))
            }
            Place::InLargeValue { .. } => Ok(Step::NeedsMore),
        }
    }

    fn begin_document(&mut self, rest: &[u8], last: bool) -> Result<Step, DocumentError> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        if self.offset == 0 && BYTE_ORDER_MARK.starts_with(rest.get(..3).unwrap_or(rest)) {
            return Ok(match rest.len() {
                3.. => Step::Taken(3),
                short if last => Step::Taken(short),
                _ => Step::NeedsMore,
            });
        }
        match rest.first() {
            Some(b'{') => self.place = Place::InDocument,
            Some(b'[') if self.bare_array_allowed => {
                self.record_arrays += 1;
                self.place = Place::InRecords {
                    bare: true,
                    comma: Comma::NotYet,
                };
            }
            Some(b'[') if self.documents == 0 => return Err(DocumentError::NoRecords),
            _ if self.documents == 0 => {
                return Err(DocumentError::NotJson {
                    offset: self.offset,
                });
            }
            _ => {
                self.note(ProblemKind::ContentBehindDocument);
                return Ok(Step::Taken(rest.len()));
            }
        }
        self.documents += 1;
        if self.documents == 2 {
            self.note(ProblemKind::SeveralDocuments);
        }
        Ok(Step::Taken(1))
    }

    /// A member of the outer object: `Records` is entered, everything else passed over.
    fn member(&mut self, rest: &[u8], last: bool) -> Result<Step, DocumentError> {
        match rest.first() {
            Some(b'}') => {
                self.place = Place::Outside;
                return Ok(Step::Taken(1));
            }
            Some(b',') => return Ok(Step::Taken(1)),
            Some(b'"') => {}
            // The array was closed too early: this is a record.
            Some(b'{') if self.record_arrays > 0 => {
                self.note(ProblemKind::MalformedDocument);
                self.place = Place::InRecords {
                    bare: false,
                    comma: Comma::NotYet,
                };
                return Ok(Step::Taken(0));
            }
            _ if self.record_arrays == 0 => {
                return Err(DocumentError::NotJson {
                    offset: self.offset,
                });
            }
            _ => {
                self.note(ProblemKind::MalformedDocument);
                return Ok(Step::Taken(1));
            }
        }
        let Extent::Complete { end, .. } = extent(rest, 0) else {
            return self.incomplete(rest, last);
        };
        let name = Str::new(rest.get(1..end - 1).unwrap_or_default()).decode();
        self.digest_members += u8::from(matches!(
            name.as_ref(),
            "logFiles" | "digestS3Object" | "digestEndTime"
        ));
        self.place = Place::BeforeColon {
            records: name == "Records",
        };
        Ok(Step::Taken(end))
    }

    fn colon(&mut self, rest: &[u8], records: bool) -> Result<Step, DocumentError> {
        if rest.first() == Some(&b':') {
            self.place = Place::BeforeValue { records };
            return Ok(Step::Taken(1));
        }
        self.place = Place::InDocument;
        match self.record_arrays {
            0 => Err(DocumentError::NotJson {
                offset: self.offset,
            }),
            _ => {
                self.note(ProblemKind::MalformedDocument);
                Ok(Step::Taken(0))
            }
        }
    }

    /// The value of a member of the outer object.
    fn value(&mut self, rest: &[u8], last: bool, records: bool) -> Result<Step, DocumentError> {
        if records && rest.first() == Some(&b'[') {
            self.record_arrays += 1;
            self.place = Place::InRecords {
                bare: false,
                comma: Comma::NotYet,
            };
            return Ok(Step::Taken(1));
        }
        let step = match extent(rest, 0) {
            // A scalar at the very end of the window may go on behind it.
            Extent::Complete { end, .. } if end < rest.len() || last => {
                self.records_of_another_type |= records;
                Step::Taken(end)
            }
            Extent::Unterminated { at } if at < rest.len() => {
                self.note(ProblemKind::MalformedDocument);
                Step::Taken(at)
            }
            _ => self.incomplete(rest, last)?,
        };
        if matches!(step, Step::Taken(_)) {
            self.place = Place::InDocument;
        }
        Ok(step)
    }

    fn incomplete(&mut self, rest: &[u8], last: bool) -> Result<Step, DocumentError> {
        match (last, self.record_arrays) {
            (false, _) => Ok(Step::NeedsMore),
            (true, 0) => Err(DocumentError::NotJson {
                offset: self.offset,
            }),
            (true, _) => Ok(Step::Taken(rest.len())),
        }
    }

    /// The quick way, for records as CloudTrail writes them. What it does not know it leaves to [`Document::element`], whose
    /// answer for these would be the same.
    fn ordinary_records(
        &mut self,
        rest: &[u8],
        bare: bool,
        index: &mut Index,
        each: &mut impl FnMut(Entry<'_>),
    ) -> Option<Step> {
        if rest.first() != Some(&b'{') {
            return None;
        }
        let mut taken = 0;
        for record in index
            .fill(rest)
            .map_while(|value| value.value().as_object())
        {
            // A comma stands before each but the first.
            taken += usize::from(taken > 0) + record.raw().len();
            let index = self.take_index();
            each(Entry::Record { index, record });
        }
        if taken == 0 {
            return None;
        }
        self.place = Place::InRecords {
            bare,
            comma: Comma::Due,
        };
        Some(Step::Taken(taken))
    }

    fn element(
        &mut self,
        rest: &[u8],
        last: bool,
        bare: bool,
        comma: Comma,
        each: &mut impl FnMut(Entry<'_>),
    ) -> Step {
        let expected = match rest.first() {
            Some(b']') => comma != Comma::Seen,
            Some(b',') => comma == Comma::Due,
            // The braces and colons of a record that was closed too early.
            Some(b'}' | b':') => false,
            _ => comma != Comma::Due,
        };
        if !expected {
            self.note(ProblemKind::MalformedDocument);
        }
        let in_records = |comma| Place::InRecords { bare, comma };
        match rest.first() {
            Some(b']') => {
                self.place = if bare {
                    Place::Outside
                } else {
                    Place::InDocument
                };
                return Step::Taken(1);
            }
            Some(b',') => {
                self.place = in_records(Comma::Seen);
                return Step::Taken(1);
            }
            Some(b'}' | b':') => return Step::Taken(1),
            _ => self.place = in_records(Comma::NotYet),
        }
        match extent(rest, 0) {
            Extent::Complete { end, fault }
                if end < rest.len() || last || rest.first() == Some(&b'{') =>
            {
                self.place = in_records(Comma::Due);
                if fault.is_some() && rest.first() == Some(&b'{') {
                    self.note(ProblemKind::MalformedRecord);
                }
                match Object::from_extent(rest.get(..end).unwrap_or_default()) {
                    Some(record) => {
                        let index = self.take_index();
                        each(Entry::Record { index, record });
                    }
                    None => self.skip(SkipReason::NotAnObject, each),
                }
                Step::Taken(end.max(1))
            }
            Extent::Unterminated { at } if at < rest.len() => {
                self.skip(SkipReason::Unterminated, each);
                Step::Taken(at.max(1))
            }
            _ if last => {
                self.skip(SkipReason::Unterminated, each);
                Step::Taken(rest.len())
            }
            _ => Step::NeedsMore,
        }
    }

    /// Goes on inside a value that is too large to keep.
    fn pass(
        &mut self,
        rest: &[u8],
        record: bool,
        bare: bool,
        mut passing: Passing,
        each: &mut impl FnMut(Entry<'_>),
    ) -> Step {
        match passing.end(rest) {
            Some(end) => {
                if record {
                    self.skip(SkipReason::TooLarge, each);
                }
                self.place = if record {
                    Place::InRecords {
                        bare,
                        comma: Comma::Due,
                    }
                } else {
                    Place::InDocument
                };
                Step::Taken(end)
            }
            None => {
                self.place = Place::InLargeValue {
                    record,
                    bare,
                    passing,
                };
                Step::Taken(rest.len())
            }
        }
    }

    fn skip(&mut self, reason: SkipReason, each: &mut impl FnMut(Entry<'_>)) {
        let index = self.take_index();
        each(Entry::Skipped { index, reason });
    }

    fn take_index(&mut self) -> u64 {
        self.next_index += 1;
        self.next_index - 1
    }

    fn note(&mut self, kind: ProblemKind) {
        match self.problems.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.problems.push((kind, 1)),
        }
    }
}

impl Passing {
    /// The offset behind the value, if it ends in `bytes`.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (position, byte) in bytes.iter().enumerate() {
            match (self.in_string, byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (true, b'"') => self.in_string = false,
                (true, _) => {}
                (false, b'"') => self.in_string = true,
                (false, b'{' | b'[') => self.depth += 1,
                (false, b'}' | b']') if self.depth == 0 => return Some(position),
                (false, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(position + 1);
                    }
                }
                (false, b',') if self.depth == 0 => return Some(position),
                (false, _) => {}
            }
        }
        None
    }
}
