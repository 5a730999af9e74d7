//! The report of a scan as a person wants to read it: alarms first, then the filters, then what was
//! not read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};

use crate::args::Scan;
use crate::output::printable;
use crate::report::{AlarmRow, EventRow, MetricFilterRow, ProblemRow, Report};
use crate::time;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// Problems of one kind that are listed one by one.
const MOST_PROBLEMS: usize = 10;

/// Renders a report.
pub(crate) fn render(report: &Report, arguments: &Scan) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_report(&mut text, report, arguments);
    text
}

fn write_report(text: &mut String, report: &Report, arguments: &Scan) -> std::fmt::Result {
    headline(text, report)?;
    let shown = match arguments.max_alarms {
        0 => report.alarms.len(),
        most => most.min(report.alarms.len()),
    };
    for alarm in report.alarms.iter().take(shown) {
        write_alarm(text, alarm)?;
    }
    if shown < report.alarms.len() {
        let older = counted(report.alarms.len() - shown, "older alarm");
        writeln!(
            text,
            "\n{DIM}... and {older}; --max-alarms 0 shows all, --format json has all{DIM:#}"
        )?;
    }
    if let Some(event) = report
        .alarms
        .iter()
        .take(shown)
        .flat_map(|alarm| &alarm.events)
        .find_map(|event| event.event_id.as_deref())
    {
        let from: Vec<String> = match arguments.paths.as_slice() {
            paths @ ([_] | [_, _]) => paths
                .iter()
                .map(|path| quoted(&path.to_string_lossy()))
                .collect(),
            _ => vec!["PATH...".to_owned()],
        };
        let event = quoted(&printable(event));
        let from = printable(&from.join(" "));
        writeln!(
            text,
            "
{DIM}To see an event in full: trailwarden show {event} --from {from}{DIM:#}"
        )?;
    }
    write_filters(text, &report.metric_filters)?;
    write_outcomes(text, report)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=~".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn headline(text: &mut String, report: &Report) -> std::fmt::Result {
    let alarms = match report.alarms.len() {
        0 => "No alarm".to_owned(),
        count => counted(count, "alarm"),
    };
    let events = counted(report.records.evaluated as usize, "event");
    let files = counted(report.log_files.processed as usize, "log file");
    write!(text, "{BOLD}{alarms}{BOLD:#} in {events} of {files}")?;
    if let (Some(first), Some(last)) = (
        &report.records.first_event_time,
        &report.records.last_event_time,
    ) {
        write!(text, ", {}", span(first, last))?;
    }
    writeln!(text)
}

fn write_alarm(text: &mut String, alarm: &AlarmRow) -> std::fmt::Result {
    let style = severity_style(alarm.severity);
    let when = match (&alarm.first_event_time, &alarm.last_event_time) {
        (Some(first), Some(last)) => span(first, last),
        _ => span(&alarm.start, &alarm.end),
    };
    let open = if alarm.state == "open" {
        "  (may go on)"
    } else {
        ""
    };
    writeln!(
        text,
        "\n{style}{}{style:#}  {BOLD}{}{BOLD:#}  {when}{open}",
        alarm.severity.to_uppercase(),
        printable(&alarm.title)
    )?;
    writeln!(text, "{}", paragraph(&printable(&alarm.story)))?;
    let others: Vec<String> = alarm
        .group
        .iter()
        .filter(|(selector, _)| *selector != "$.recipientAccountId")
        .map(|(selector, value)| {
            format!(
                "{selector} = {}",
                printable(value.as_deref().unwrap_or("(none)"))
            )
        })
        .collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(", for {}", others.join(", "))
    };
    writeln!(
        text,
        "  {DIM}{}: {}{others}{DIM:#}",
        printable(&alarm.filter),
        alarm.condition
    )?;
    write_events(text, alarm)
}

/// `2026-03-02 02:10:41 to 02:14:09 UTC`
fn span(first: &str, last: &str) -> String {
    let (first, last) = (
        first.trim_end_matches('Z').replace('T', " "),
        last.trim_end_matches('Z').replace('T', " "),
    );
    let same_day = first.get(..10) == last.get(..10);
    match (first == last, same_day) {
        (true, _) => format!("{first} UTC"),
        (_, true) => format!("{first} to {} UTC", last.get(11..).unwrap_or_default()),
        _ => format!("{first} to {last} UTC"),
    }
}

/// Indented, and on a terminal wrapped between words.
fn paragraph(text: &str) -> String {
    let options = textwrap::Options::new(columns())
        .initial_indent("  ")
        .subsequent_indent("  ");
    textwrap::fill(text, options)
}

/// The width of the terminal; no limit where there is none.
fn columns() -> usize {
    match (
        std::io::stdout().is_terminal(),
        terminal_size::terminal_size(),
    ) {
        (true, Some((terminal_size::Width(columns), _))) => usize::from(columns).max(40),
        _ => usize::MAX,
    }
}

fn write_events(text: &mut String, alarm: &AlarmRow) -> std::fmt::Result {
    let day = |time: &Option<String>| {
        time.as_deref()
            .and_then(|time| time.get(..10))
            .map(str::to_owned)
    };
    let format = match day(&alarm.first_event_time) == day(&alarm.last_event_time) {
        true => "%H:%M:%S", // The heading has the day.
        false => "%m-%d %H:%M:%S",
    };
    let mut rows: Vec<[String; 7]> = alarm
        .events
        .iter()
        .map(|event| event_cells(event, format))
        .collect();
    // The story says what does not fit; the id is what `show` wants.
    for droppable in [TARGET, REGION, SOURCE_IP] {
        if aligned(&rows)
            .iter()
            .any(|row| row.chars().count() + 4 > columns())
        {
            rows.iter_mut()
                .filter_map(|row| row.get_mut(droppable))
                .for_each(String::clear);
        }
    }
    for row in aligned(&rows) {
        writeln!(text, "    {row}")?;
    }
    let more = alarm.matched as usize - alarm.events.len().min(alarm.matched as usize);
    if more > 0 && !alarm.events.is_empty() {
        writeln!(text, "    {DIM}... and {more} more{DIM:#}")?;
    }
    let mut locations: Vec<&str> = alarm
        .events
        .iter()
        .map(|event| event.location.as_str())
        .collect();
    locations.sort_unstable();
    locations.dedup();
    for location in locations.iter().take(2) {
        writeln!(text, "    {DIM}in {}{DIM:#}", printable(location))?;
    }
    if locations.len() > 2 {
        writeln!(
            text,
            "    {DIM}and {} more{DIM:#}",
            counted(locations.len() - 2, "log file")
        )?;
    }
    Ok(())
}

/// Columns of an event that can go where a terminal is narrow.
const SOURCE_IP: usize = 3;
const REGION: usize = 4;
const TARGET: usize = 5;

fn event_cells(event: &EventRow, time_format: &str) -> [String; 7] {
    let name = match (&event.error_code, event.failed) {
        (Some(code), _) => format!("{} ({code})", event.event_name),
        (None, true) => format!("{} (failed)", event.event_name),
        (None, false) => event.event_name.clone(),
    };
    let cell = |text: &str, most| cut(&printable(text), most);
    let optional = |text: &Option<String>, most| cell(text.as_deref().unwrap_or("-"), most);
    [
        formatted_time(event, time_format),
        cell(&name, 44),
        cell(&event.actor, 36),
        optional(&event.source_ip, 36),
        optional(&event.region, 16),
        optional(&event.target, 36),
        optional(&event.event_id, 36),
    ]
}

fn formatted_time(event: &EventRow, format: &str) -> String {
    let seconds = cloudtrail::parse_time(&event.event_time);
    seconds.map_or_else(
        || event.event_time.clone(),
        |seconds| time::formatted(seconds, format),
    )
}

fn write_filters(text: &mut String, filters: &[MetricFilterRow]) -> std::fmt::Result {
    let header = ["Filter", "Severity", "Matched", "Alarms", ""].map(str::to_owned);
    let rows: Vec<[String; 5]> = filters
        .iter()
        .filter(|filter| filter.matched > 0)
        .map(|filter| {
            [
                cut(&printable(&filter.name), 60),
                filter.severity.to_owned(),
                grouped(filter.matched),
                grouped(filter.alarms),
                remarks(filter),
            ]
        })
        .collect();
    writeln!(text, "\n{BOLD}Metric filters{BOLD:#}")?;
    if !rows.is_empty() {
        for row in aligned(&[vec![header], rows].concat()) {
            writeln!(text, "  {row}")?;
        }
    }
    let silent: Vec<&str> = filters
        .iter()
        .filter(|filter| filter.matched == 0)
        .map(|filter| filter.name.as_str())
        .collect();
    if silent.is_empty() {
        return Ok(());
    }
    let named = silent
        .iter()
        .take(20)
        .map(|name| printable(name))
        .collect::<Vec<_>>()
        .join(", ");
    let more = if silent.len() > 20 {
        format!(" and {} more", silent.len() - 20)
    } else {
        String::new()
    };
    writeln!(
        text,
        "{DIM}{}{DIM:#}",
        paragraph(&format!("Nothing matched {named}{more}"))
    )
}

fn remarks(filter: &MetricFilterRow) -> String {
    let mut remarks = Vec::new();
    if filter.mode == "shadow" {
        remarks.push("shadow mode: not notified".to_owned());
    }
    if filter.suppressed > 0 {
        remarks.push(format!("{} suppressed", grouped(filter.suppressed)));
    }
    if filter.copies > 0 {
        remarks.push(counted(filter.copies as usize, "duplicate"));
    }
    if filter.without_value > 0 {
        remarks.push(format!(
            "{} without a metric value",
            grouped(filter.without_value)
        ));
    }
    remarks.join(", ")
}

/// What was not evaluated, and why; each number where a reader can add it up.
fn write_outcomes(text: &mut String, report: &Report) -> std::fmt::Result {
    let files = &report.log_files;
    let records = &report.records;
    writeln!(text, "\n{BOLD}Read{BOLD:#}")?;
    let skipped: u64 = files.skipped.values().sum();
    let failed: u64 = files.failed.values().sum();
    writeln!(
        text,
        "  {} found: {} processed, {}, {}",
        counted(files.found as usize, "object"),
        grouped(files.processed),
        with_reasons(skipped, "skipped", &files.skipped),
        with_reasons(failed, "failed", &files.failed),
    )?;
    let skipped: u64 = records.skipped.values().sum();
    writeln!(
        text,
        "  {} read: {} evaluated, {}",
        counted(records.read as usize, "record"),
        grouped(records.evaluated),
        with_reasons(skipped, "skipped", &records.skipped),
    )?;
    if records.time_from_key > 0 {
        writeln!(
            text,
            "  {} no readable time; that of the delivery, or of the file, was taken",
            have(records.time_from_key)
        )?;
    }
    if records.future > 0 {
        writeln!(text, "  {} a time in the future", have(records.future))?;
    }
    write_problems(text, &report.problems)
}

fn have(count: u64) -> String {
    match count {
        1 => "1 record has".to_owned(),
        count => format!("{} records have", grouped(count)),
    }
}

/// `74 skipped (digest_file 72, not_a_log_file 2)`
fn with_reasons(sum: u64, what: &str, reasons: &BTreeMap<&'static str, u64>) -> String {
    let reasons: Vec<String> = reasons
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{reason} {}", grouped(*count)))
        .collect();
    match reasons.is_empty() {
        true => format!("{} {what}", grouped(sum)),
        false => format!("{} {what} ({})", grouped(sum), reasons.join(", ")),
    }
}

fn write_problems(text: &mut String, problems: &[ProblemRow]) -> std::fmt::Result {
    if problems.is_empty() {
        return Ok(());
    }
    let mut by_kind: BTreeMap<(&str, &str), Vec<&ProblemRow>> = BTreeMap::new();
    for problem in problems {
        by_kind
            .entry((problem.outcome, &problem.kind))
            .or_default()
            .push(problem);
    }
    writeln!(text, "\n{BOLD}Problems{BOLD:#}")?;
    for ((outcome, kind), problems) in by_kind {
        let style = if outcome == "failed" {
            severity_style("high")
        } else {
            DIM
        };
        writeln!(
            text,
            "  {style}{outcome}{style:#} {kind}: {}",
            counted(problems.len(), "object")
        )?;
        for problem in problems.iter().take(MOST_PROBLEMS) {
            writeln!(
                text,
                "    {}\n      {DIM}{}{DIM:#}",
                printable(&problem.location),
                printable(&problem.message)
            )?;
        }
        if problems.len() > MOST_PROBLEMS {
            writeln!(
                text,
                "    {DIM}... and {} more; --format json has all{DIM:#}",
                problems.len() - MOST_PROBLEMS
            )?;
        }
    }
    Ok(())
}

fn severity_style(severity: &str) -> Style {
    let colour = match severity {
        "critical" => return AnsiColor::Red.on_default().bold().invert(),
        "high" => AnsiColor::Red,
        "medium" => AnsiColor::Yellow,
        "low" => AnsiColor::Cyan,
        _ => AnsiColor::Blue,
    };
    colour.on_default().bold()
}

/// Rows with their cells in columns, two spaces apart, the last column ragged; empty columns go.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let padded = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(padded).collect()
}

fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// `1 alarm`, `2,681 events`
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count as u64))
}

/// Digits in groups of three.
fn grouped(count: u64) -> String {
    indicatif::HumanCount(count).to_string()
}
