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
    /// Check the digest chain of a trail and the log files it vouches for, like `aws cloudtrail validate-logs`.
    ValidateLogs(ValidateLogs),
    /// Save what digests are verified with, for validation without a connection.
    Digest(DigestCommands),
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

/// The options of `validate-logs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status, as that of the AWS CLI: 0 when nothing is invalid, 1 when a digest or log file is, 255 when it could not run to its end. With --strict: 0 without a problem (notices and warnings are told), 1 with one, 2 when there is none but something could not be read, or it could not run."
)]
pub struct ValidateLogs {
    /// The ARN of the trail; with --dir only needed where the folder holds several.
    #[arg(long, value_name = "ARN", required_unless_present = "dir")]
    pub trail_arn: Option<String>,
    /// Validate what was delivered from this time on, UTC: 2026-03-01T00:00:00Z [default with --dir: the oldest digest].
    #[arg(long, value_name = "TIME", required_unless_present = "dir")]
    pub start_time: Option<String>,
    /// Validate what was delivered up to this time, UTC [default: now].
    #[arg(long, value_name = "TIME")]
    pub end_time: Option<String>,
    /// The bucket with the digests [default: that of the trail].
    #[arg(long, value_name = "BUCKET")]
    pub s3_bucket: Option<String>,
    /// What keys begin with, before /AWSLogs/; only with --s3-bucket [default: that of the trail].
    #[arg(long, value_name = "PREFIX")]
    pub s3_prefix: Option<String>,
    /// The account whose log files are validated; an organization trail needs it [default: that of the ARN].
    #[arg(long, value_name = "ACCOUNT")]
    pub account_id: Option<String>,
    /// The Region whose log files are validated [default: the home Region of the trail].
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// A profile of the AWS configuration files [default: AWS_PROFILE, or default].
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// Name the valid files, too.
    #[arg(long)]
    pub verbose: bool,
    /// How many objects are read at the same time.
    #[arg(long, value_name = "N", default_value = "64")]
    pub concurrency: NonZeroUsize,
    /// Validate downloaded or moved copies below this folder; nothing is asked of AWS.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "public_keys",
        conflicts_with = "profile"
    )]
    pub dir: Option<PathBuf>,
    /// Public keys for --dir, as `digest keys` saves them or `aws cloudtrail list-public-keys` prints them; may be repeated.
    #[arg(long, value_name = "FILE", requires = "dir")]
    pub public_keys: Vec<PathBuf>,
    /// Metadata of the digest objects for --dir, as `digest signatures` saves them [default: signatures are taken from the digest that follows].
    #[arg(long, value_name = "FILE", requires = "dir")]
    pub signatures: Option<PathBuf>,
    /// Hold every statement of the chain against what is there: gaps, links, what no digest lists, what is missing at the end.
    #[arg(long)]
    pub strict: bool,
    /// Validate every Region that has digests (with --strict).
    #[arg(long, requires = "strict")]
    pub all_regions: bool,
    /// Validate every account that has digests (with --strict).
    #[arg(long, requires = "strict")]
    pub all_accounts: bool,
    /// The organization of an organization trail, where --s3-bucket says where its files are: o-... (with --strict).
    #[arg(long, value_name = "ID", requires = "strict")]
    pub organization_id: Option<String>,
    /// Objects are kept for so many days; what is older and gone has expired (with --strict).
    #[arg(long, value_name = "DAYS", requires = "strict")]
    pub retention_days: Option<u32>,
    /// Take copies in another bucket, or below another prefix, for valid (with --strict).
    #[arg(long, requires = "strict")]
    pub allow_copies: bool,
    /// How to print what was found: for people, or as JSON lines (with --strict).
    #[arg(long, value_enum, requires = "strict")]
    pub format: Option<Format>,
}

/// `digest`.
#[derive(Debug, Args)]
pub struct DigestCommands {
    /// What to save.
    #[command(subcommand)]
    pub command: DigestCommand,
}

/// The commands below `digest`.
#[derive(Debug, Subcommand)]
pub enum DigestCommand {
    /// Save the public keys of Regions, for `validate-logs --dir --public-keys`.
    #[command(after_help = "Exit status: 0 when they were saved, 2 when they were not.")]
    Keys(DigestKeys),
    /// Save the metadata of a trail's digest objects, for `validate-logs --dir --signatures`.
    #[command(after_help = "Exit status: 0 when they were saved, 2 when they were not.")]
    Signatures(DigestSignatures),
}

/// The options of `digest keys`.
#[derive(Debug, Args)]
pub struct DigestKeys {
    /// A Region whose digests are to be verified; may be repeated.
    #[arg(long, required = true, value_name = "REGION")]
    pub region: Vec<RegionName>,
    /// Keys that were valid from this time on: 2026-03-02, 2026-03-02T02:10:00Z or Unix seconds.
    #[arg(long, value_name = "TIME", value_parser = time::parse::<Start>)]
    pub start_time: i64,
    /// Keys that were valid up to this time [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::parse::<End>)]
    pub end_time: Option<i64>,
    /// A profile of the AWS configuration files [default: AWS_PROFILE, or default].
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// Where to write them [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The options of `digest signatures`.
#[derive(Debug, Args)]
pub struct DigestSignatures {
    /// The bucket with the digests, as NAME or s3://NAME.
    #[arg(long, value_name = "BUCKET")]
    pub s3_bucket: BucketName,
    /// What keys begin with, before /AWSLogs/.
    #[arg(long, value_name = "PREFIX")]
    pub s3_prefix: Option<String>,
    /// The organization of an organization trail: o-...
    #[arg(long, value_name = "ID")]
    pub organization_id: Option<String>,
    /// The account whose digests they are; may be repeated.
    #[arg(long, required = true, value_name = "ACCOUNT")]
    pub account_id: Vec<AccountId>,
    /// The Region whose digests they are; may be repeated.
    #[arg(long, required = true, value_name = "REGION")]
    pub region: Vec<RegionName>,
    /// Digests that end from this time on: 2026-03-02, 2026-03-02T02:10:00Z or Unix seconds.
    #[arg(long, value_name = "TIME", value_parser = time::parse::<Start>)]
    pub start_time: i64,
    /// Digests that end up to this time [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::parse::<End>)]
    pub end_time: Option<i64>,
    /// A profile of the AWS configuration files [default: AWS_PROFILE, or default].
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub profile: Option<String>,
    /// How many objects are read at the same time.
    #[arg(long, value_name = "N", default_value = "64")]
    pub concurrency: NonZeroUsize,
    /// Where to write them [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
