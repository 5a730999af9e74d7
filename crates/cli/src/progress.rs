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
