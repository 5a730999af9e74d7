//! What the whole job costs, as a multiple of inflating alone, and what else a user waits or pays for.
//!
//! L is the CPU time (user and system) in which libdeflate inflates the objects of a corpus into one
//! reused buffer with one thread, and does nothing else. The job is what `trailwarden scan` does:
//! verify, inflate, cut the records, evaluate, drop copies, alarms, evidence and stories. L and the jobs
//! are measured in turn, several rounds, and every figure is the median of the rounds with the least and
//! the most. What is counted is compared with what each record gives by itself, for a part of the
//! objects.
//!
//! Rows are chosen by name (`cargo bench -p trailwarden --bench scan -- thirty growth`), default all:
//!
//! | row | what |
//! | --- | --- |
//! | `thirty`, `thousand`, `five-thousand` | the job with the built-in filters and so many patterns more |
//! | `growth` | the jobs with more patterns against those with fewer |
//! | `small` | many small objects |
//! | `large` | one object that inflates to some 100 MB, more than the reader keeps in memory |
//! | `threads` | one thread against two, by the wall clock |
//! | `memory` | peak resident memory of the command: the large object, the whole corpus |
//! | `warm` | one object in a process that has been running, 1,000 patterns |
//! | `start` | a process of its own for one small object, 1,000 patterns from a filters file |
//! | `hostile` | odd and broken records: CPU for each MB against the clean corpus, resident memory |
//! | `process` | the command on files of the corpus against the job in memory |
//!
//! The corpora are made here from the records of `samples/`. `TRAILWARDEN_BENCH_CORPUS` names a folder of
//! log files to take instead; `TRAILWARDEN_BENCH_SMALL`, `_LARGE` and `_HOSTILE` do so for those rows.
//! `TRAILWARDEN_BENCH_EVENTS` sets the size of the corpus that is made (default 200,000 events),
//! `TRAILWARDEN_BENCH_ROUNDS` the number of rounds (default 5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a benchmark may fail by panicking, and prints its result"
)]

#[path = "scan/check.rs"]
mod check;
#[path = "scan/command.rs"]
mod command;
#[path = "scan/corpus.rs"]
mod corpus;
#[path = "scan/filters.rs"]
mod filters;
#[path = "scan/made.rs"]
mod made;
#[path = "scan/measure.rs"]
mod measure;
#[path = "scan/rows.rs"]
mod rows;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let [command::MARK, arguments @ ..] = arguments.as_slice() {
        return command::run(arguments);
    }
    // Cargo passes `--bench`.
    let is_row = |argument: &&str| !argument.starts_with("--");
    let chosen: Vec<&str> = arguments.into_iter().filter(is_row).collect();
    match rows::Bench::new().run(&chosen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unknown) => {
            let names = rows::NAMES.join(" ");
            eprintln!("`{unknown}` is no row, expected some of: {names}");
            ExitCode::from(2)
        }
    }
}
