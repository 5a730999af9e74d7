//! A progress bar on standard error, on a terminal only.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::scan::Progress;

/// Shows how a scan goes on.
pub(crate) struct ScanBar {
    bar: ProgressBar,
    start: Instant,
}

impl ScanBar {
    /// A bar for so many objects; nothing is drawn where standard error is not a terminal.
    pub(crate) fn new(files: usize) -> Self {
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new(files as u64),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        ScanBar {
            bar,
            start: Instant::now(),
        }
    }

    pub(crate) fn show(&self, progress: Progress) {
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64().max(0.001);
        let per_second = |count: u64| (count as f64 / seconds) as u64;
        self.bar.set_position(progress.files);
        self.bar.set_message(format!(
            "{}/s  {} events/s",
            HumanBytes(per_second(progress.content_bytes)),
            HumanCount(per_second(progress.records)),
        ));
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how a validation goes on.
pub(crate) struct ValidationBar {
    bar: ProgressBar,
    start: Instant,
    log_files: u64,
    content_bytes: u64,
}

impl ValidationBar {
    /// A bar for digests whose number will become known; nothing is drawn where standard error is not a terminal,
    /// or where lines on standard output would run through it.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let bar = match is_wanted && std::io::stderr().is_terminal() {
            true => ProgressBar::new(0),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} digests  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        ValidationBar {
            bar,
            start: Instant::now(),
            log_files: 0,
            content_bytes: 0,
        }
    }

    /// So many digests are to be looked at besides.
    pub(crate) fn add_digests(&self, count: usize) {
        self.bar.inc_length(count as u64);
    }

    /// A digest and its log files are done.
    pub(crate) fn digest_is_done(&self) {
        self.bar.inc(1);
        // Of a chain that goes on in another bucket there are more than were listed.
        if self
            .bar
            .length()
            .is_some_and(|length| length < self.bar.position())
        {
            self.bar.set_length(self.bar.position());
        }
    }

    /// A log file of so many bytes, inflated, was looked at.
    pub(crate) fn log_file_is_done(&mut self, content_bytes: u64) {
        self.log_files += 1;
        self.content_bytes += content_bytes;
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64().max(0.001);
        let per_second = |count: u64| (count as f64 / seconds) as u64;
        self.bar.set_message(format!(
            "{} log files  {}/s  {}/s",
            HumanCount(self.log_files),
            HumanCount(per_second(self.log_files)),
            HumanBytes(per_second(self.content_bytes)),
        ));
    }

    /// Writes something else to the terminal.
    pub(crate) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        match self.bar.is_hidden() {
            true => write(),
            false => self.bar.suspend(write),
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
