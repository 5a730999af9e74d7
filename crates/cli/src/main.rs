//! The `trailwarden` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    trailwarden::run(std::env::args_os())
}
