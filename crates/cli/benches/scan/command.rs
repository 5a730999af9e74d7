//! The command in a process of its own: this binary again, told to be `trailwarden`.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode, Stdio};

use crate::measure::cpu_so_far;

/// The first argument that tells this binary to be the command.
pub const MARK: &str = "--be-the-command";

/// What a process took that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// CPU time from its start to the end of the command, in seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory in MB; `None` where the system does not say.
    pub peak_mb: Option<f64>,
}

/// Runs the command in this process and says last what it took.
pub fn run(arguments: &[&str]) -> ExitCode {
    let name = std::iter::once("trailwarden");
    let arguments = name.chain(arguments.iter().copied());
    let code = trailwarden::run(arguments.map(OsString::from));
    let peak = peak_kib().map_or_else(|| "unknown".to_owned(), |kib| kib.to_string());
    eprintln!("\n{} {peak}", cpu_so_far().as_nanos());
    code
}

/// `VmHWM` of this process.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Runs the command in a new process, with its findings thrown away.
pub fn took<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Took {
    let ended = Command::new(std::env::current_exe().expect("this binary is somewhere"))
        .arg(MARK)
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .expect("this binary starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "the command failed: {said}");
    let last = said.lines().last().unwrap_or_default();
    let (nanoseconds, peak) = last.split_once(' ').expect("what it took stands last");
    Took {
        cpu_seconds: nanoseconds.parse::<f64>().expect("a number") / 1e9,
        peak_mb: peak.parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6),
    }
}
