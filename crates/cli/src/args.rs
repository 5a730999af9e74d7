//! The command line, as `clap` sees it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::aws_names::{AccountId, BucketName, RegionName};
use crate::time::{self, End, Start};

/// CloudTrail alerting: on your own files, without an AWS account, and the hand that a stack needs.
#[derive(Debug, Parser)]
#[command(name = "trailwarden", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read log files, hold every event against the metric filters, and show the alarms.
    Scan(Scan),
    /// Hold messages against one filter pattern, like `aws logs test-metric-filter`.
    TestFilter(TestFilter),
    /// Check, test, list and explain metric filters.
    Filters(Filters),
    /// Print an event from where it lies.
    Show(Show),
    /// Have an existing bucket announce its objects to EventBridge; its other notifications stay.
    Attach(Attach),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// The options of `scan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when the job was done; with --exit-code 1 on any alarm or failed object; 2 when it could not run."
)]
pub struct Scan {
    /// Log files, folders, globs in quotes, or - for one log file on standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "its own members say it; a comment here would become help text"
    )]
    pub filters: FilterChoice,
    /// Evaluate events from this time on: 2026-03-02, 2026-03-02T02:10:00Z or Unix seconds.
    #[arg(long, value_name = "TIME", value_parser = time::parse::<Start>)]
    pub start_time: Option<i64>,
    /// Evaluate events up to this time, included; also the time at which alarms are judged.
    #[arg(long, value_name = "TIME", value_parser = time::parse::<End>)]
    pub end_time: Option<i64>,
    /// Show at most this many events of each alarm.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub max_events: usize,
    /// Show at most this many alarms as text, newest first; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub max_alarms: usize,
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// How many files are read at the same time [default: number of cores].
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Exit with 1 on any alarm or failed object.
    #[arg(long)]
    pub exit_code: bool,
}

/// Which filters.
#[derive(Debug, Args)]
pub struct FilterChoice {
    /// A metric filters file instead of the built-in filters.
    #[arg(long = "filters", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A profile of the filters file; of the built-in one: recommended, cis, user-guide.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// The options of `test-filter`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when a message matched, 1 when none did, 2 for an invalid pattern or unreadable file."
)]
pub struct TestFilter {
    /// The filter pattern.
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub filter_pattern: String,
    /// The messages; write --log-event-messages=M for one that starts with a hyphen.
    #[arg(long, value_name = "MESSAGE", num_args = 0..)]
    pub log_event_messages: Vec<String>,
    /// A file with one message a line, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to print the matches.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `filters`.
#[derive(Debug, Args)]
pub struct Filters {
    /// What to do with them.
    #[command(subcommand)]
    pub command: FiltersCommand,
}

/// The commands below `filters`.
#[derive(Debug, Subcommand)]
pub enum FiltersCommand {
    /// Look for faults in filters files; all of them are shown in one go.
    #[command(
        after_help = "Exit status: 0 without faults, 1 with faults, 2 when a file cannot be read."
    )]
    Check {
        /// Metric filters files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run the tests that filters carry.
    #[command(
        after_help = "Exit status: 0 when all tests hold, 1 when one fails or the file has faults, 2 when a file cannot be read."
    )]
    Test {
        /// Metric filters files [default: the built-in filters].
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Only the filters of this profile [default: every profile of the file].
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
    },
    /// List filters.
    List {
        #[command(flatten)]
        #[expect(
            missing_docs,
            reason = "its own members say it; a comment here would become help text"
        )]
        filters: FilterChoice,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Say which tests of a pattern hold for an event, which fail, and the values they saw.
    #[command(
        after_help = "Exit status: 0 when the event matches, 1 when it does not, 2 when it could not run."
    )]
    Explain {
        /// The name of a filter.
        #[arg(value_name = "NAME", required_unless_present = "filter_pattern")]
        name: Option<String>,
        /// A filter pattern instead of the name of a filter.
        #[arg(
            long,
            value_name = "PATTERN",
            allow_hyphen_values = true,
            conflicts_with = "name"
        )]
        filter_pattern: Option<String>,
        /// A file with the event, or - for standard input.
        #[arg(long, value_name = "FILE")]
        event: PathBuf,
        #[command(flatten)]
        #[expect(
            missing_docs,
            reason = "its own members say it; a comment here would become help text"
        )]
        filters: FilterChoice,
    },
}

/// The options of `show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when the event was found, 1 when it was not, 2 when it could not run."
)]
pub struct Show {
    /// The event's id (`eventID`).
    pub event_id: String,
    /// Where else to look.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Where to look: a log file, a folder, a glob in quotes, or - for standard input; may be repeated.
    #[arg(long, required = true, value_name = "PATH")]
    pub from: Vec<PathBuf>,
    /// Mask secrets, as notifications do.
    #[arg(long)]
    pub mask: bool,
    /// How to print the event; json is one line for each place, with the place.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// The options of `attach`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when EventBridge delivery is on, 1 when it is not and --yes was not given, 2 when it could not run or be made sure of."
)]
pub struct Attach {
    /// The bucket, as NAME or s3://NAME.
    #[arg(long, value_name = "BUCKET")]
    pub bucket: BucketName,
    /// The bucket's Region [default: as the AWS CLI: AWS_REGION, or that of the profile].
    #[arg(long, value_name = "REGION")]
    pub region: Option<RegionName>,
    /// A profile of the AWS configuration files, rather than credentials in the environment [default: AWS_PROFILE, or default].
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// Refuse if the bucket belongs to another account.
    #[arg(long, value_name = "ACCOUNT")]
    pub expected_bucket_owner: Option<AccountId>,
    /// Write the change; without it the change is only shown.
    #[arg(long)]
    pub yes: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
