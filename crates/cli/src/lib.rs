//! Trailwarden on the command line: scan, test-filter, filters and show on local files, attach on AWS.
//!
//! Each command is a module; `main` only calls [`run`]. Findings go to standard output, everything
//! else to standard error. Exit status 2 means that a command could not run; 0 and 1 mean what the
//! command's help says.
//!
//! What speaks to AWS is behind the feature `aws`; without it the library and the command have all but that.

pub mod args;
#[cfg(feature = "aws")]
mod attach_command;
mod aws_names;
mod diagnostics;
mod digest_command;
mod filters_command;
mod kept;
mod output;
mod progress;
pub mod report;
pub mod scan;
mod scan_command;
mod show_command;
pub mod source;
mod test_filter_command;
mod text_report;
mod time;
mod validate_logs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::args::{Arguments, Command};

/// What a command has to say by its exit status; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// 0
    Fine,
    /// 1
    Found,
    /// 2, after the command has said why.
    CouldNotRun,
    /// 255, after the command has said why, where the AWS CLI would end so.
    CouldNotRunAsAwsCli,
}

/// Runs the command line; the first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; everything else has exit status 2.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match dispatch(arguments.command) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Ok(Outcome::CouldNotRun) => ExitCode::from(2),
        Ok(Outcome::CouldNotRunAsAwsCli) => ExitCode::from(255),
        Err(error) => {
            diagnostics::error(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Scan(arguments) => scan_command::run(&arguments),
        Command::TestFilter(arguments) => test_filter_command::run(&arguments),
        Command::Filters(arguments) => filters_command::run(&arguments.command),
        Command::Show(arguments) => show_command::run(&arguments),
        Command::Attach(arguments) => attach(&arguments),
        Command::ValidateLogs(arguments) => validate_logs::run(&arguments),
        Command::Digest(arguments) => digest_command::run(&arguments.command),
        Command::Completions { shell } => {
            let mut completions = Vec::new();
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "trailwarden",
                &mut completions,
            );
            output::write(&String::from_utf8_lossy(&completions))?;
            Ok(Outcome::Fine)
        }
    }
}

#[cfg(feature = "aws")]
fn attach(arguments: &args::Attach) -> anyhow::Result<Outcome> {
    attach_command::run(arguments)
}

#[cfg(not(feature = "aws"))]
fn attach(_: &args::Attach) -> anyhow::Result<Outcome> {
    anyhow::bail!(NO_AWS)
}

#[cfg(not(feature = "aws"))]
const NO_AWS: &str = "this build has no AWS support, expected one without --no-default-features: \
                      cargo build --release --package trailwarden";
