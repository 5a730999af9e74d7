//! `trailwarden scan`

use std::num::NonZeroUsize;

use anyhow::bail;
use metric_filters::{FilterSet, TimeRange};

use crate::args::{FilterChoice, Format, Scan};
use crate::filters_command::{Loaded, load};
use crate::progress::ScanBar;
use crate::{Outcome, diagnostics, output, scan, source, text_report};

/// Clocks differ a little; what is further ahead than this cannot be right.
const CLOCK_TOLERANCE_SECONDS: i64 = 15 * 60;

pub(crate) fn run(arguments: &Scan) -> anyhow::Result<Outcome> {
    let clock = jiff::Timestamp::now().as_second();
    let range = time_range(arguments, clock)?;
    let is_stdin = |path: &std::path::PathBuf| path.as_os_str() == "-";
    if arguments.paths.iter().any(is_stdin) && arguments.filters.file.as_ref().is_some_and(is_stdin)
    {
        bail!("standard input can be read once, expected - for a log file or for the filters");
    }
    let Some(set) = filter_set(&arguments.filters)? else {
        return Ok(Outcome::CouldNotRun);
    };
    let sources = source::find(&arguments.paths)?;
    let options = scan::Options {
        range,
        now: arguments.end_time,
        max_events: arguments.max_events,
        threads: arguments.threads.unwrap_or_else(cores),
        clock,
    };
    let bar = ScanBar::new(sources.len());
    let report = scan::scan(&set, &sources, &options, |progress| bar.show(progress));
    bar.finish();
    match arguments.format {
        Format::Json => output::write(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
        Format::Text => output::write(&text_report::render(&report, arguments))?,
    }
    match arguments.exit_code && report.has_findings() {
        true => Ok(Outcome::Found),
        false => Ok(Outcome::Fine),
    }
}

/// The filters the user chose; `None` after their faults have been shown.
pub(crate) fn filter_set(choice: &FilterChoice) -> anyhow::Result<Option<FilterSet>> {
    match load(choice)? {
        Loaded::Filters { filters, .. } => Ok(Some(FilterSet::new(filters))),
        Loaded::Faults(diagnostics) => {
            diagnostics
                .iter()
                .for_each(|diagnostic| output::note(diagnostic));
            diagnostics::error(&format!(
                "{} in the filters file, so nothing was scanned",
                text_report::counted(diagnostics.len(), "fault")
            ));
            Ok(None)
        }
    }
}

fn time_range(arguments: &Scan, clock: i64) -> anyhow::Result<TimeRange> {
    let range = TimeRange {
        start: arguments.start_time.unwrap_or(i64::MIN),
        end: arguments.end_time.unwrap_or(i64::MAX),
        future: clock + CLOCK_TOLERANCE_SECONDS,
    };
    if range.start > range.end {
        bail!("--start-time is later than --end-time, expected a range");
    }
    Ok(range)
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
