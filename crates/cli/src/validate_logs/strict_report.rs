//! How strict validation tells what it found: as lines for people, or as JSON lines.

use std::io::IsTerminal as _;

use digest_chain::{Finding, FindingKind, Level, Location, Stream, display_time};
use serde_json::{Value, json};

use super::asked::Asked;
use super::strict::{Count, Found, Options, Totals, label, range_text};
use crate::output::{self, printable};
use crate::progress::ValidationBar;

/// Is told what is found, in its order.
pub(crate) trait Report {
    /// Validation begins.
    fn begin(&mut self, asked: &Asked) -> anyhow::Result<()>;

    /// So many digests are to be looked at besides.
    fn expect(&mut self, _digests: usize) {}

    /// Something was found.
    fn finding(&mut self, stream: &Stream, finding: &Finding) -> anyhow::Result<()>;

    /// A digest was looked at; if something is wrong with it, that was told.
    fn digest(&mut self, location: &Location, is_valid: bool) -> anyhow::Result<()>;

    /// A log file of so many bytes, inflated, was looked at; if something is wrong with it, that was told.
    fn log_file(&mut self, location: &Location, length: u64, is_valid: bool) -> anyhow::Result<()>;

    /// That was all.
    fn end(&mut self, asked: &Asked, options: &Options, found: &Found) -> anyhow::Result<()>;
}

/// Writes to standard output, line by line, and shows on a terminal how far it is.
pub(crate) struct Printed {
    is_json: bool,
    is_verbose: bool,
    bar: ValidationBar,
    waiting: String,
}

/// So many bytes are written at once.
const MOST_WAITING_BYTES: usize = 64 * 1024;

impl Printed {
    pub(crate) fn new(is_json: bool, is_verbose: bool) -> Self {
        let lines_run_through = is_verbose && std::io::stdout().is_terminal();
        Printed {
            is_json,
            is_verbose,
            bar: ValidationBar::new(!lines_run_through),
            waiting: String::new(),
        }
    }

    fn line(&mut self, text: &str) {
        self.waiting.push_str(text);
        self.waiting.push('\n');
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bar.aside(|| output::write(&waiting))
    }

    fn valid(&mut self, what: &str, location: &Location) -> anyhow::Result<()> {
        match self.is_json {
            true => self.line(
                &json!({ "type": "valid", "what": what, "bucket": location.bucket, "key": location.key })
                    .to_string(),
            ),
            false => self.line(&printable(&format!("valid: {what} {location}"))),
        }
        match self.waiting.len() >= MOST_WAITING_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }
}

impl Report for Printed {
    fn begin(&mut self, asked: &Asked) -> anyhow::Result<()> {
        if !self.is_json {
            let range = range_text((asked.start, asked.end));
            self.line(&format!(
                "Validating {} strictly, {range}",
                printable(&asked.trail.arn)
            ));
        }
        self.flush()
    }

    fn expect(&mut self, digests: usize) {
        self.bar.add_digests(digests);
    }

    fn finding(&mut self, stream: &Stream, finding: &Finding) -> anyhow::Result<()> {
        let line = match self.is_json {
            true => finding_json(stream, finding).to_string(),
            false => finding_text(stream, finding),
        };
        self.line(&line);
        self.flush()
    }

    fn digest(&mut self, location: &Location, is_valid: bool) -> anyhow::Result<()> {
        self.bar.digest_is_done();
        match is_valid && self.is_verbose {
            true => self.valid("digest", location),
            false => Ok(()),
        }
    }

    fn log_file(&mut self, location: &Location, length: u64, is_valid: bool) -> anyhow::Result<()> {
        self.bar.log_file_is_done(length);
        match is_valid && self.is_verbose {
            true => self.valid("log file", location),
            false => Ok(()),
        }
    }

    fn end(&mut self, asked: &Asked, options: &Options, found: &Found) -> anyhow::Result<()> {
        self.bar.finish();
        match self.is_json {
            true => self.line(&summary_json(asked, options, found).to_string()),
            false => self.waiting.push_str(&summary_text(asked, found)),
        }
        self.flush()
    }
}

/// The word for how much it matters.
fn level(finding: &Finding) -> &'static str {
    match (finding.kind, finding.level()) {
        (FindingKind::Unreadable, _) => "unreadable",
        (_, Level::Problem) => "problem",
        (_, Level::Warning) => "warning",
        (_, Level::Notice) => "notice",
    }
}

/// `problem[stale]: No new digest files: ... (FROM to TO); of: 111122223333 us-east-1 audit-trail`
pub(super) fn finding_text(stream: &Stream, finding: &Finding) -> String {
    let code = finding.kind.code();
    let mut line = match finding.kind {
        FindingKind::Unreadable => format!("{code}: {finding}"),
        _ => format!("{}[{code}]: {finding}", level(finding)),
    };
    for (name, value) in &finding.facts {
        line.push_str(&format!("; {name}: {value}"));
    }
    if finding.location.is_none() {
        line.push_str(&format!("; of: {}", label(stream)));
    }
    printable(&line)
}

/// A finding as one JSON object.
pub(super) fn finding_json(stream: &Stream, finding: &Finding) -> Value {
    let location = finding.location.as_ref();
    let time = |time: i64| display_time(time);
    let facts: serde_json::Map<String, Value> = finding
        .facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({
        "type": "finding",
        "code": finding.kind.code(),
        "level": level(finding),
        "severity": finding.kind.severity(),
        "title": finding.kind.title(),
        "statement": finding.kind.statement(),
        "bucket": location.map(|location| &location.bucket),
        "key": location.map(|location| &location.key),
        "from": finding.range.map(|(from, _)| time(from)),
        "to": finding.range.map(|(_, to)| time(to)),
        "count": finding.count,
        "facts": facts,
        "stream": stream_json(stream),
    })
}

fn stream_json(stream: &Stream) -> Value {
    let Stream {
        scope,
        trail,
        home_region,
    } = stream;
    json!({
        "account": scope.account_id,
        "region": scope.region,
        "trail": trail,
        "home_region": home_region,
        "organization": scope.organization_id,
        "prefix": scope.prefix,
    })
}

fn count_json(count: Count) -> Value {
    json!({ "valid": count.valid, "total": count.total })
}

fn totals_json(totals: &Totals) -> Value {
    json!({
        "covered_from": totals.covered.map(|(from, _)| display_time(from)),
        "covered_to": totals.covered.map(|(_, to)| display_time(to)),
        "uncovered_seconds": totals.uncovered_seconds,
        "digests": count_json(totals.digests),
        "backfill_digests": count_json(totals.backfill),
        "log_files": count_json(totals.logs),
        "log_files_pending": totals.pending,
        "log_files_unjudged": totals.unjudged,
        "other_trails": totals.other_trails,
        "problems": totals.problems,
        "warnings": totals.warnings,
        "notices": totals.notices,
        "unreadable": totals.unreadable,
    })
}

/// The last line.
pub(super) fn summary_json(asked: &Asked, options: &Options, found: &Found) -> Value {
    let mut summary = json!({
        "type": "summary",
        "trail_arn": asked.trail.arn,
        "bucket": asked.bucket,
        "from": display_time(asked.start),
        "to": display_time(asked.end),
        "checked_at": display_time(options.now),
    });
    let of_stream = |(stream, totals): &(Stream, Totals)| {
        let mut value = json!({ "stream": stream_json(stream) });
        merge(&mut value, totals_json(totals));
        value
    };
    merge(&mut summary, totals_json(&found.totals()));
    let streams: Vec<Value> = found.streams.iter().map(of_stream).collect();
    merge(&mut summary, json!({ "streams": streams }));
    summary
}

fn merge(into: &mut Value, members: Value) {
    if let (Value::Object(into), Value::Object(members)) = (into, members) {
        into.extend(members);
    }
}

/// The last lines.
pub(super) fn summary_text(asked: &Asked, found: &Found) -> String {
    let totals = found.totals();
    let mut lines = vec![String::new()];
    let mut line = |name: &str, text: String| lines.push(format!("{name:<12}{text}"));
    line("Asked for", range_text((asked.start, asked.end)));
    line("Covered", covered_text(&totals));
    line("Digests", digests_text(&totals));
    line("Log files", logs_text(&totals));
    if !totals.other_trails.is_empty() {
        let trails: Vec<&str> = totals.other_trails.iter().map(String::as_str).collect();
        let trails = printable(&trails.join(", "));
        line(
            "Beside it",
            format!("trails that deliver to the same folders: {trails}"),
        );
    }
    line("Found", found_text(&totals));
    if found.streams.len() > 1 {
        lines.push(String::new());
        for (stream, totals) in &found.streams {
            lines.push(stream_text(stream, totals));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn covered_text(totals: &Totals) -> String {
    let Some(covered) = totals.covered else {
        return "nothing: there is no proven digest".to_owned();
    };
    let covered = range_text(covered);
    match totals.uncovered_seconds {
        0 => covered,
        seconds => format!("{covered}, without {} in between", hours_text(seconds)),
    }
}

/// `5 h`, `1 h 40 min`, `12 min`
fn hours_text(seconds: i64) -> String {
    let minutes = seconds.saturating_add(59) / 60;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn of(count: Count) -> String {
    format!("{} of {} valid", count.valid, count.total)
}

fn digests_text(totals: &Totals) -> String {
    match totals.backfill.total {
        0 => of(totals.digests),
        _ => format!(
            "{}; backfill digests: {}",
            of(totals.digests),
            of(totals.backfill)
        ),
    }
}

fn logs_text(totals: &Totals) -> String {
    let mut text = of(totals.logs);
    if totals.pending > 0 {
        text.push_str(&format!("; {} that no digest lists yet", totals.pending));
    }
    if totals.unjudged > 0 {
        let unjudged = totals.unjudged;
        text.push_str(&format!(
            "; {unjudged} not judged, for want of a proven digest of their time"
        ));
    }
    text
}

fn found_text(totals: &Totals) -> String {
    let counts = [
        (totals.problems, "problem"),
        (totals.unreadable, "unreadable file"),
        (totals.warnings, "warning"),
        (totals.notices, "notice"),
    ];
    let counted = |(count, name): (u64, &str)| match count {
        0 => None,
        1 => Some(format!("1 {name}")),
        _ => Some(format!("{count} {name}s")),
    };
    let counted: Vec<String> = counts.into_iter().filter_map(counted).collect();
    match counted.is_empty() {
        true => "nothing".to_owned(),
        false => counted.join(", "),
    }
}

fn stream_text(stream: &Stream, totals: &Totals) -> String {
    let covered = covered_text(totals);
    printable(&format!(
        "{}: {} digests, {} log files, {covered}: {}",
        label(stream),
        short(totals.digests.and(totals.backfill)),
        short(totals.logs),
        found_text(totals),
    ))
}

fn short(count: Count) -> String {
    format!("{}/{}", count.valid, count.total)
}
