//! What `validate-logs` on a folder takes, against inflating and hashing the same files and nothing else.
//!
//! The chains are made here: one trail in four Regions, 720 hours with 12 log files each, written to a folder. Two
//! things are measured in turn, by the wall clock and in CPU time, with the files in the page cache:
//!
//! - the limit: one thread for each core reads a log file or digest, inflates and hashes it with what `validate-logs` uses, and
//!   takes the next one;
//! - the command: the whole process, once for each Region as the AWS CLI would be called, and once with `--strict
//!   --all-regions`.
//!
//! `TRAILWARDEN_BENCH_HOURS` sets the hours (default 720), `TRAILWARDEN_BENCH_ROUNDS` the number of rounds (default 3).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark may fail by panicking, and prints its result"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use digest_chain::{GzipEnd, LogHasher};
use tempfile::TempDir;
use testkit::chain::{Chain, TrailSpec};
use testkit::time;

const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "ap-northeast-1", "sa-east-1"];

fn main() {
    let hours = setting("TRAILWARDEN_BENCH_HOURS", 720);
    let rounds = setting("TRAILWARDEN_BENCH_ROUNDS", 3).max(1);
    let corpus = Corpus::write(hours);
    let inflated = corpus.limit();
    println!(
        "{} Regions, {hours} hours, {} log files and digests, {:.1} MB inflated, {:.1} MB gzip, {} cores",
        REGIONS.len(),
        corpus.files.len(),
        inflated as f64 / 1e6,
        corpus.gzip_bytes as f64 / 1e6,
        cores(),
    );
    for _ in 0..rounds {
        let limit = Took::by(|| _ = corpus.limit());
        let compatible = Took::by(|| REGIONS.iter().for_each(|region| corpus.run(region, &[])));
        let strict = Took::by(|| corpus.run(REGIONS[0], &["--strict", "--all-regions"]));
        println!(
            "limit {limit} ({:.2} GB/s)   as the AWS CLI {}   --strict {}",
            inflated as f64 / 1e9 / limit.wall,
            compatible.against(&limit),
            strict.against(&limit),
        );
    }
}

/// Seconds.
struct Took {
    wall: f64,
    /// Of this process and of those it has waited for.
    cpu: f64,
}

impl Took {
    fn by(work: impl FnOnce()) -> Took {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        work();
        Took {
            wall: start.elapsed().as_secs_f64(),
            cpu: cpu_seconds() - cpu,
        }
    }

    fn against(&self, limit: &Took) -> String {
        let percent = |limit: f64, of: f64| 100.0 * limit / of;
        let (wall, cpu) = (percent(limit.wall, self.wall), percent(limit.cpu, self.cpu));
        format!("{self}: {wall:.0} % of its speed, {cpu:.0} % by CPU time")
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s ({:.2} CPU s)", self.wall, self.cpu)
    }
}

/// User and system time so far, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let behind_the_name = text.rsplit_once(") ").unwrap().1;
    let fields = behind_the_name.split(' ').skip(11).take(4);
    let ticks: f64 = fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn setting(name: &str, default: usize) -> usize {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

fn cores() -> usize {
    thread::available_parallelism().unwrap().get()
}

struct Corpus {
    folder: TempDir,
    files: Vec<PathBuf>,
    gzip_bytes: u64,
    trail_arn: String,
    range: (i64, i64),
}

impl Corpus {
    fn write(hours: usize) -> Corpus {
        let folder = TempDir::new().unwrap();
        let spec = TrailSpec {
            hours,
            logs_per_hour: 12,
            records_per_log: 25,
            ..TrailSpec::default()
        };
        let mut metadata = serde_json::Map::new();
        let mut range = (i64::MIN, i64::MAX);
        for region in REGIONS {
            let chain = Chain::of(&spec.in_region(region));
            chain.write_folder(folder.path());
            let path = folder.path().join("metadata.json");
            let text = fs::read_to_string(path).unwrap();
            let buckets: serde_json::Value = serde_json::from_str(&text).unwrap();
            let keys = buckets[&spec.bucket].as_object().unwrap();
            metadata.extend(keys.clone());
            let (start, end) = chain.range();
            // What the digests of all Regions cover.
            range = (range.0.max(start), range.1.min(end));
        }
        let metadata = serde_json::json!({ &spec.bucket: metadata });
        fs::write(folder.path().join("metadata.json"), metadata.to_string()).unwrap();
        let base = folder.path().join(&spec.bucket).join(spec.base());
        let files = files_below(&base);
        Corpus {
            gzip_bytes: files
                .iter()
                .map(|file| fs::metadata(file).unwrap().len())
                .sum(),
            files,
            folder,
            trail_arn: spec.arn(),
            range,
        }
    }

    /// Inflates and hashes on all cores; returns how many bytes that was.
    fn limit(&self) -> u64 {
        let (next, inflated) = (AtomicUsize::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..cores() {
                scope.spawn(|| {
                    while let Some(path) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut hasher = LogHasher::new();
                        hasher.push(&fs::read(path).unwrap());
                        let content = hasher.finish();
                        assert_eq!(content.end, GzipEnd::Whole);
                        inflated.fetch_add(content.length, Ordering::Relaxed);
                    }
                });
            }
        });
        inflated.into_inner()
    }

    fn run(&self, region: &str, more: &[&str]) {
        let folder = self.folder.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailwarden"));
        command.args([
            "validate-logs",
            "--trail-arn",
            &self.trail_arn,
            "--region",
            region,
        ]);
        command.args([
            "--start-time",
            &time(self.range.0),
            "--end-time",
            &time(self.range.1),
        ]);
        command.arg("--dir").arg(folder);
        command
            .arg("--signatures")
            .arg(folder.join("metadata.json"));
        for region in REGIONS {
            let keys = folder.join("public_keys").join(format!("{region}.json"));
            command.arg("--public-keys").arg(keys);
        }
        let output = command
            .args(more)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let (status, said) = (output.status, String::from_utf8_lossy(&output.stdout));
        assert!(status.success(), "{more:?}: {status}\n{said}");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
