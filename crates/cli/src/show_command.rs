//! `trailwarden show`

use cloudtrail::{Entry, FileName, LogFileReader, ObjectKind, ReadError, SkipReason, event_id};
use memchr::memmem;
use raw_json::{Object, Value};

use crate::args::{Format, Show};
use crate::source::{self, Content, Obstacle, Source, read_file, read_stdin};
use crate::{Outcome, diagnostics, output};

pub(crate) fn run(arguments: &Show) -> anyhow::Result<Outcome> {
    let sources = source::find(&[arguments.from.as_slice(), &arguments.paths].concat())?;
    let mut search = Search {
        arguments,
        reader: LogFileReader::new(),
        buffer: Vec::new(),
        found: Vec::new(),
        unread: 0,
    };
    for source in &sources {
        search.source(source);
    }
    let Search { found, unread, .. } = search;
    output::write(
        &found
            .iter()
            .map(|place| place.text(arguments))
            .collect::<String>(),
    )?;
    if unread > 0 {
        diagnostics::warning(&format!(
            "{} could not be read in full",
            crate::text_report::counted(unread, "object")
        ));
    }
    if found.is_empty() {
        diagnostics::error(&format!(
            "no event `{}` in {}",
            arguments.event_id,
            crate::text_report::counted(sources.len(), "object")
        ));
        return Ok(Outcome::Found);
    }
    if arguments.format == Format::Text {
        for Place {
            location, index, ..
        } in &found
        {
            output::note(&format!("{location}, record {index}"));
        }
    }
    Ok(Outcome::Fine)
}

struct Search<'a> {
    arguments: &'a Show,
    reader: LogFileReader,
    buffer: Vec<u8>,
    found: Vec<Place>,
    unread: usize,
}

/// Where an event was found, and what it is.
struct Place {
    location: String,
    index: u64,
    /// As it lies there.
    record: Vec<u8>,
}

impl Search<'_> {
    fn source(&mut self, source: &Source) {
        let name = source.location.rsplit('/').next().unwrap_or_default();
        let folder = match FileName::parse(name).map(|name| name.kind) {
            Ok(ObjectKind::DigestFile { .. }) => return,
            Ok(ObjectKind::LogFile(folder)) => Some(folder),
            Err(_) => None,
        };
        let read = match &source.content {
            Content::File(path) => read_file(path, &mut self.buffer).map(drop),
            Content::Stdin => read_stdin(&mut self.buffer),
            Content::Memory(_) => return,
            Content::Obstacle(obstacle) => {
                self.unread += usize::from(!matches!(obstacle, Obstacle::SymlinkLoop));
                return;
            }
        };
        if read.is_err() {
            self.unread += 1;
            return;
        }
        let id = &self.arguments.event_id;
        let finder = memmem::Finder::new(id.as_bytes());
        let (mut found, mut skipped) = (Vec::new(), false);
        let result = self.reader.read(&self.buffer, folder, |entry| match entry {
            Entry::Record { index, record } if is_event(record, id, &finder) => found.push(Place {
                location: source.location.clone(),
                index,
                record: record.raw().to_vec(),
            }),
            Entry::Record { .. } => {}
            Entry::Skipped { reason, .. } => skipped |= reason != SkipReason::NotAnObject,
        });
        let strangers = folder.is_none() && !source.named;
        let unread = match &result {
            Ok(_) => skipped,
            Err(ReadError::DigestFile) => false,
            Err(ReadError::Gzip { .. }) => true,
            Err(_) => !strangers,
        };
        self.unread += usize::from(unread);
        if result.is_ok() {
            self.found.append(&mut found);
        }
    }
}

fn is_event(record: Object<'_>, id: &str, finder: &memmem::Finder<'_>) -> bool {
    // The id's bytes stand in the record, unless some are written as escapes.
    let possible =
        finder.find(record.raw()).is_some() || memchr::memchr(b'\\', record.raw()).is_some();
    possible && event_id(record).is_some_and(|found| found == id)
}

impl Place {
    fn text(&self, arguments: &Show) -> String {
        let record = Object::from_extent(&self.record);
        let masked = record
            .filter(|_| arguments.mask)
            .map(|record| notification::mask_json(Value::Object(record)));
        let bytes = masked
            .as_ref()
            .map_or(self.record.as_slice(), |masked| masked.as_bytes());
        match arguments.format {
            Format::Text => raw_json::indented(bytes) + "\n",
            Format::Json => {
                let location = serde_json::Value::from(self.location.as_str());
                let event = masked
                    .unwrap_or_else(|| record.map(raw_json::compact_object).unwrap_or_default());
                format!(
                    "{{\"location\":{location},\"record_index\":{},\"event\":{event}}}\n",
                    self.index
                )
            }
        }
    }
}
