//! `trailwarden test-filter`: `aws logs test-metric-filter` without AWS.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};
use filter_pattern::Pattern;
use serde_json::{Map, Value, json};

use crate::args::{Format, TestFilter};
use crate::filters_command::show_warnings;
use crate::output::printable;
use crate::{Outcome, diagnostics, output};

pub(crate) fn run(arguments: &TestFilter) -> anyhow::Result<Outcome> {
    let text = &arguments.filter_pattern;
    let pattern = match filter_pattern::compile(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            output::note(&diagnostics::compile_error(text, &error));
            return Ok(Outcome::CouldNotRun);
        }
    };
    if arguments.file.is_none() && arguments.log_event_messages.is_empty() {
        bail!("no messages, expected --log-event-messages MESSAGE... or --file FILE");
    }
    show_warnings(&pattern);
    let mut tester = Tester {
        pattern,
        messages: 0,
        matches: Vec::new(),
    };
    for message in &arguments.log_event_messages {
        tester.test(message.as_bytes());
    }
    if let Some(path) = &arguments.file {
        tester
            .test_lines(path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
    }
    match arguments.format {
        Format::Json => output::write(&tester.json()?)?,
        Format::Text => {
            output::write(&tester.text())?;
            output::note(&format!(
                "{} of {} messages match",
                tester.matches.len(),
                tester.messages
            ));
        }
    }
    match tester.matches.is_empty() {
        true => Ok(Outcome::Found),
        false => Ok(Outcome::Fine),
    }
}

struct Tester {
    pattern: Pattern,
    messages: u64,
    matches: Vec<Matched>,
}

struct Matched {
    number: u64,
    message: String,
    extracted: Vec<(String, String)>,
}

impl Tester {
    fn test(&mut self, message: &[u8]) {
        self.messages += 1;
        if self.pattern.matches(message) {
            self.matches.push(Matched {
                number: self.messages,
                message: String::from_utf8_lossy(message).into_owned(),
                extracted: self.pattern.extract(message),
            });
        }
    }

    fn test_lines(&mut self, path: &Path) -> io::Result<()> {
        let mut lines: Box<dyn BufRead> = match path.as_os_str() == "-" {
            true => Box::new(io::stdin().lock()),
            false => Box::new(BufReader::new(File::open(path)?)),
        };
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let message = line.strip_suffix(b"\n").unwrap_or(&line);
            self.test(message.strip_suffix(b"\r").unwrap_or(message));
            line.clear();
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Result<String> {
        let matches: Vec<Value> = self.matches.iter().map(Matched::json).collect();
        let document = serde_json::to_string_pretty(&json!({ "matches": matches }))?;
        Ok(document + "\n")
    }

    fn text(&self) -> String {
        self.matches.iter().map(Matched::text).collect()
    }
}

impl Matched {
    fn json(&self) -> Value {
        let extracted: Map<String, Value> = self
            .extracted
            .iter()
            .map(|(selector, value)| (selector.clone(), Value::from(value.as_str())))
            .collect();
        json!({ "eventNumber": self.number, "eventMessage": self.message, "extractedValues": extracted })
    }

    fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.number, printable(&self.message));
        for (selector, value) in &self.extracted {
            text.push_str(&format!("    {selector} = {}\n", printable(value)));
        }
        text
    }
}
