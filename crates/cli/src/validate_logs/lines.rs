//! What `aws cloudtrail validate-logs` prints, line by line and blank line by blank line.
//!
//! Source: the behaviour of AWS CLI 1.46.2.

use std::io::{self, IsTerminal as _, Write};

use digest_chain::{DigestFile, Location, LogFile, display_time};

use crate::output::printable;
use crate::progress::ValidationBar;

/// How many were valid, and how many were not.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    valid: u64,
    invalid: u64,
}

/// Prints verdicts in the order in which they are told, and counts them.
pub(crate) struct Lines {
    stdout: io::BufWriter<io::Stdout>,
    bar: ValidationBar,
    is_verbose: bool,
    /// Whether a blank line, or nothing, was written last.
    is_double_spaced: bool,
    digests: Count,
    backfill: Count,
    logs: Count,
    /// The range that valid digests are of.
    found: Option<(i64, i64)>,
    /// The range that was asked for.
    asked: (i64, i64),
}

impl Lines {
    pub(crate) fn new(is_verbose: bool, asked: (i64, i64)) -> Self {
        let lines_run_through = is_verbose && io::stdout().is_terminal();
        Lines {
            stdout: io::BufWriter::with_capacity(64 * 1024, io::stdout()),
            bar: ValidationBar::new(!lines_run_through),
            is_verbose,
            is_double_spaced: true,
            digests: Count::default(),
            backfill: Count::default(),
            logs: Count::default(),
            found: None,
            asked,
        }
    }

    /// How far it is, for a terminal.
    pub(crate) fn bar(&mut self) -> &mut ValidationBar {
        &mut self.bar
    }

    /// Whether anything is invalid.
    pub(crate) fn is_invalid(&self) -> bool {
        self.digests.invalid + self.backfill.invalid + self.logs.invalid > 0
    }

    /// The first line.
    pub(crate) fn begin(&mut self, trail_arn: &str) {
        let (start, end) = self.asked;
        self.write(&format!(
            "Validating log files for trail {} between {} and {}\n\n",
            printable(trail_arn),
            display_time(start),
            display_time(end)
        ));
    }

    /// A digest is valid.
    pub(crate) fn valid_digest(&mut self, file: &DigestFile, is_backfill: bool) {
        if let (Some(start), Some(end)) = (file.start(), file.end()) {
            let (first, last) = (start.max(self.asked.0), end.min(self.asked.1));
            self.found = Some(match self.found {
                Some((from, to)) => (from.min(first), to.max(last)),
                None => (first, last),
            });
        }
        self.digests_of(is_backfill).valid += 1;
        self.valid(mark(is_backfill), "Digest file", &file.bucket, &file.key);
    }

    /// A digest is not.
    pub(crate) fn invalid_digest(&mut self, location: &Location, is_backfill: bool, why: &str) {
        self.digests_of(is_backfill).invalid += 1;
        let place = place(&location.bucket, &location.key);
        let mark = mark(is_backfill);
        self.invalid(&format!(
            "{mark}Digest file\t{place}\tINVALID: {}",
            printable(why)
        ));
    }

    /// No digest vouches for what lies between two times.
    pub(crate) fn gap(&mut self, from: i64, to: i64, is_backfill: bool) {
        let (from, to) = (display_time(from), display_time(to));
        let mark = mark(is_backfill);
        self.invalid(&format!(
            "{mark}No log files were delivered by CloudTrail between {from} and {to}"
        ));
    }

    /// What a log file is like.
    pub(crate) fn log(&mut self, log: &LogFile, why_invalid: Option<&str>) {
        match why_invalid {
            None => {
                self.logs.valid += 1;
                self.valid("", "Log file", &log.bucket, &log.key);
            }
            Some(why) => {
                self.logs.invalid += 1;
                let place = place(&log.bucket, &log.key);
                self.invalid(&format!("Log file\t{place}\tINVALID: {why}"));
            }
        }
    }

    /// The last lines.
    pub(crate) fn summary(&mut self) {
        let (start, end) = self.asked;
        let mut text = String::new();
        if !self.is_double_spaced {
            text.push('\n');
        }
        text += &format!(
            "Results requested for {} to {}\n",
            display_time(start),
            display_time(end)
        );
        let all = [self.digests, self.backfill];
        if all.iter().all(|count| count.valid + count.invalid == 0) {
            text += "No digests found\n";
        } else {
            text += &match self.found {
                None => "No valid digests found in range\n".to_owned(),
                Some((from, to)) => format!(
                    "Results found for {} to {}:\n",
                    display_time(from),
                    display_time(to)
                ),
            };
            let kinds = [
                (self.digests, "digest"),
                (self.backfill, "backfill digest"),
                (self.logs, "log"),
            ];
            for (count, name) in kinds {
                text += &ratio(count, name);
            }
            text.push('\n');
        }
        self.write(&text);
    }

    /// Why the run ends before its end; or a word to its result.
    pub(crate) fn note(&mut self, text: &str) {
        self.write_error(text);
    }

    /// Lets what was printed be seen.
    pub(crate) fn flush(&mut self) {
        if self.stdout.buffer().is_empty() {
            return;
        }
        let Lines { stdout, bar, .. } = self;
        // A reader that has gone away has seen what it wanted; the exit status stays.
        let _ = bar.aside(|| stdout.flush());
    }

    fn digests_of(&mut self, is_backfill: bool) -> &mut Count {
        match is_backfill {
            true => &mut self.backfill,
            false => &mut self.digests,
        }
    }

    fn valid(&mut self, mark: &str, what: &str, bucket: &str, key: &str) {
        if self.is_verbose {
            self.is_double_spaced = false;
            self.write(&format!("{mark}{what}\t{}\tvalid\n", place(bucket, key)));
        }
    }

    fn invalid(&mut self, line: &str) {
        let before = if self.is_double_spaced { "" } else { "\n" };
        self.is_double_spaced = true;
        self.write_error(&format!("{before}{line}\n\n"));
    }

    fn write(&mut self, text: &str) {
        if self.stdout.buffer().len() + text.len() > self.stdout.capacity() {
            self.flush();
        }
        let _ = self.stdout.write_all(text.as_bytes());
    }

    /// After all that went to standard output: both may be the same pipe.
    fn write_error(&mut self, text: &str) {
        self.flush();
        let _ = self.bar.aside(|| io::stderr().write_all(text.as_bytes()));
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
        self.bar.finish();
    }
}

fn ratio(count: Count, name: &str) -> String {
    let Count { valid, invalid } = count;
    let total = valid + invalid;
    match (total, invalid) {
        (0, _) => String::new(),
        (_, 0) => format!("\n{valid}/{total} {name} files valid"),
        _ => {
            format!("\n{valid}/{total} {name} files valid, {invalid}/{total} {name} files INVALID")
        }
    }
}

fn mark(is_backfill: bool) -> &'static str {
    match is_backfill {
        true => "(backfill) ",
        false => "",
    }
}

fn place(bucket: &str, key: &str) -> String {
    let is_plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match is_plain(bucket) && is_plain(key) {
        true => format!("s3://{bucket}/{key}"),
        false => format!("s3://{}/{}", printable(bucket), printable(key)),
    }
}
