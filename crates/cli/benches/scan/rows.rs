//! The rows of the table.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::hint::black_box;
use std::num::NonZeroUsize;

use cloudtrail::Origin;
use metric_filters::{Evaluator, Mode, TimeRange};
use notification::{Evidence, EvidenceContext};
use tempfile::TempDir;
use testkit::patterns::Material;
use trailwarden::report::Report;
use trailwarden::scan::{Options, scan};
use trailwarden::source::Source;

use crate::corpus::{Corpus, object};
use crate::filters::Filters;
use crate::made::Maker;
use crate::measure::{Figure, Job, Spread, cpu_seconds, in_turn, print, wall_seconds};
use crate::{check, command};

/// The rows there are.
pub const NAMES: [&str; 12] = [
    "thirty",
    "thousand",
    "five-thousand",
    "growth",
    "small",
    "large",
    "threads",
    "memory",
    "warm",
    "start",
    "hostile",
    "process",
];

/// Patterns beside the built-in filters, and the row that asks for so many.
const COUNTS: [(usize, &str); 3] = [(30, "thirty"), (1000, "thousand"), (5000, "five-thousand")];

/// What the rows have in common; made when it is first asked for.
pub struct Bench {
    events: usize,
    rounds: usize,
    main: OnceCell<Corpus>,
    small: OnceCell<Corpus>,
    large: OnceCell<Corpus>,
    material: OnceCell<Material>,
    filters: [OnceCell<Filters>; 3],
}

impl Bench {
    pub fn new() -> Self {
        Bench {
            events: setting("TRAILWARDEN_BENCH_EVENTS", 200_000),
            rounds: setting("TRAILWARDEN_BENCH_ROUNDS", 5).max(1),
            main: OnceCell::new(),
            small: OnceCell::new(),
            large: OnceCell::new(),
            material: OnceCell::new(),
            filters: Default::default(),
        }
    }

    /// Measures the chosen rows, all if none is chosen, and prints the table.
    ///
    /// # Errors
    /// The name of a row that is not there.
    pub fn run<'a>(&self, chosen: &[&'a str]) -> Result<(), &'a str> {
        if let Some(unknown) = chosen.iter().find(|name| !NAMES.contains(name)) {
            return Err(unknown);
        }
        let wants = |name: &str| chosen.is_empty() || chosen.contains(&name);
        let mut figures = self.patterns(&wants);
        type Row = fn(&Bench) -> Vec<Figure>;
        let rows: [(&str, Row); 8] = [
            ("small", Bench::small),
            ("large", Bench::large),
            ("threads", Bench::threads),
            ("memory", Bench::memory),
            ("warm", Bench::warm),
            ("start", Bench::start),
            ("hostile", Bench::hostile),
            ("process", Bench::process),
        ];
        for (name, row) in rows {
            if wants(name) {
                eprintln!("{name} ...");
                figures.extend(row(self));
            }
        }
        print(&figures);
        Ok(())
    }

    /// `thirty`, `thousand`, `five-thousand` and `growth`, all in the same rounds.
    fn patterns(&self, wants: &impl Fn(&str) -> bool) -> Vec<Figure> {
        let counts: Vec<usize> = (0..COUNTS.len())
            .filter(|at| wants(COUNTS[*at].1) || wants("growth"))
            .collect();
        if counts.is_empty() {
            return Vec::new();
        }
        let corpus = self.main_corpus();
        let mut jobs = vec![limit(corpus)];
        for at in &counts {
            eprintln!("{} ...", COUNTS[*at].1);
            let filters = self.filters(*at);
            check::clean(corpus, filters);
            jobs.push(job(corpus, filters, self.is_made("CORPUS")));
        }
        let times = in_turn(self.rounds, jobs);
        let mut figures = Vec::new();
        for (at, job) in counts.iter().zip(&times[1..]) {
            let (count, row) = COUNTS[*at];
            if wants(row) {
                let what = format!("built-in filters and {count} patterns");
                let ratio = Spread::of_ratios(job, &times[0]);
                figures.push(figure(row, &what, ratio, "L"));
            }
        }
        if wants("growth") {
            for (more, fewer) in [(1, 0), (2, 1)] {
                let what = format!("{} patterns against {}", COUNTS[more].0, COUNTS[fewer].0);
                let ratio = Spread::of_ratios(&times[1 + more], &times[1 + fewer]);
                figures.push(figure("growth", &what, ratio, "x"));
            }
        }
        figures
    }

    fn small(&self) -> Vec<Figure> {
        let corpus = self.small_corpus();
        vec![self.against_limit(corpus, "small", "many small objects", "SMALL")]
    }

    fn large(&self) -> Vec<Figure> {
        let corpus = self.large_corpus();
        vec![self.against_limit(
            corpus,
            "large",
            "one object beyond the reader's buffer",
            "LARGE",
        )]
    }

    fn against_limit(
        &self,
        corpus: &Corpus,
        row: &'static str,
        what: &str,
        variable: &str,
    ) -> Figure {
        let filters = self.filters(0);
        check::clean(corpus, filters);
        let times = in_turn(
            self.rounds,
            vec![limit(corpus), job(corpus, filters, self.is_made(variable))],
        );
        figure(row, what, Spread::of_ratios(&times[1], &times[0]), "L")
    }

    fn threads(&self) -> Vec<Figure> {
        const WHAT: &str = "wall clock of one thread against two";
        if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
            return vec![unmeasured("threads", WHAT, "x", "there is one core")];
        }
        let (corpus, filters) = (self.main_corpus(), self.filters(0));
        let mut counts = None;
        let mut walls = [Vec::new(), Vec::new()];
        for _ in 0..self.rounds {
            for (threads, walls) in walls.iter_mut().enumerate() {
                let scan = || scan(&filters.set, &corpus.sources, &options(threads + 1), |_| {});
                let mut report = None;
                walls.push(wall_seconds(|| report = Some(scan())));
                check::same(&mut counts, &report.expect("it was done"));
            }
        }
        let ratio = Spread::of_ratios(&walls[0], &walls[1]);
        vec![figure("threads", WHAT, ratio, "x")]
    }

    fn memory(&self) -> Vec<Figure> {
        let (large, main) = (self.large_corpus(), self.main_corpus());
        vec![
            peak(
                "memory",
                "peak resident, the command on the large object",
                large,
            ),
            peak(
                "memory",
                "peak resident, the command on the whole corpus",
                main,
            ),
        ]
    }

    fn warm(&self) -> Vec<Figure> {
        let filters = self.filters(1);
        let mut evaluator = filters.set.evaluator();
        let mut figure = |objects: Vec<&Source>, size: &str| {
            // Once for the buffers, then often enough to be seen.
            objects
                .iter()
                .for_each(|source| evaluate(&mut evaluator, filters, source));
            let repetitions = 2000 / objects.len();
            let times = (0..self.rounds).map(|_| {
                let seconds = cpu_seconds(|| {
                    for source in objects.iter().cycle().take(repetitions * objects.len()) {
                        evaluate(&mut evaluator, filters, source);
                    }
                });
                seconds * 1e6 / (repetitions * objects.len()) as f64
            });
            let what = format!("an object of {size}, 1,000 patterns, warm");
            figure("warm", &what, Spread::of(times.collect()), "us")
        };
        vec![
            figure(self.small_corpus().nearest(6_800, 20), "6.8 KB"),
            figure(self.main_corpus().nearest(53_000, 20), "53 KB"),
        ]
    }

    fn start(&self) -> Vec<Figure> {
        let corpus = self.small_corpus();
        let folder = TempDir::new().expect("a folder for temporary files");
        let file = Filters::alone(1000, self.material()).write(folder.path());
        let object = corpus.file(corpus.nearest(6_800, 1)[0]);
        let with_filters: Vec<OsString> = vec![
            "scan".into(),
            object.into(),
            "--threads=1".into(),
            "--filters".into(),
            file.into(),
        ];
        let without: Vec<OsString> = vec!["completions".into(), "bash".into()];
        let times = in_turn(
            self.rounds * 10,
            vec![
                Box::new(|| command::took(&with_filters).cpu_seconds),
                Box::new(|| command::took(&without).cpu_seconds),
            ],
        );
        let [with_filters, without] = [0, 1].map(|at| Spread::of(times[at].clone()).times(1e3));
        let what = "process start, 1,000 patterns from a file, a small object";
        vec![
            figure("start", what, with_filters, "ms"),
            figure(
                "start",
                "for comparison: a process that prints completions",
                without,
                "ms",
            ),
        ]
    }

    fn hostile(&self) -> Vec<Figure> {
        let (clean, filters) = (self.main_corpus(), self.filters(0));
        let hostile = Corpus::named_by("TRAILWARDEN_BENCH_HOSTILE")
            .unwrap_or_else(|| Maker::new().hostile(self.events / 2));
        println!("hostile corpus: {} objects", hostile.sources.len());
        check::odd(&hostile, filters);
        let per_byte = |corpus| -> Job<'_> {
            Box::new(move || {
                let mut bytes = 0;
                let seconds = cpu_seconds(|| {
                    let report = scan(&filters.set, corpus, &options(1), |_| {});
                    bytes = report.log_files.content_bytes;
                });
                seconds / bytes as f64
            })
        };
        let times = in_turn(
            self.rounds,
            vec![per_byte(&clean.sources), per_byte(&hostile.sources)],
        );
        let ratio = Spread::of_ratios(&times[1], &times[0]);
        let what = "CPU for each MB inflated, against the clean corpus";
        vec![
            figure("hostile", what, ratio, "x"),
            peak(
                "hostile",
                "peak resident, the command on the hostile corpus",
                &hostile,
            ),
        ]
    }

    fn process(&self) -> Vec<Figure> {
        let (corpus, filters) = (self.main_corpus(), self.filters(0));
        let folder = TempDir::new().expect("a folder for temporary files");
        let mut arguments = scan_of(corpus);
        arguments.extend(["--threads=1".into(), "--filters".into()]);
        arguments.push(filters.write(folder.path()).into());
        let times = in_turn(
            self.rounds,
            vec![
                job(corpus, filters, false),
                Box::new(|| command::took(&arguments).cpu_seconds),
            ],
        );
        let ratio = Spread::of_ratios(&times[1], &times[0]);
        let what = "the command on files, one thread, against the job in memory";
        vec![figure("process", what, ratio, "x")]
    }

    fn main_corpus(&self) -> &Corpus {
        self.main.get_or_init(|| {
            let corpus = Corpus::named_by("TRAILWARDEN_BENCH_CORPUS")
                .unwrap_or_else(|| Maker::new().main(self.events));
            describe("corpus", &corpus);
            corpus
        })
    }

    fn small_corpus(&self) -> &Corpus {
        self.small.get_or_init(|| {
            let corpus =
                Corpus::named_by("TRAILWARDEN_BENCH_SMALL").unwrap_or_else(|| Maker::new().small());
            describe("corpus of small objects", &corpus);
            corpus
        })
    }

    fn large_corpus(&self) -> &Corpus {
        self.large.get_or_init(|| {
            let corpus =
                Corpus::named_by("TRAILWARDEN_BENCH_LARGE").unwrap_or_else(|| Maker::new().large());
            describe("corpus of one large object", &corpus);
            corpus
        })
    }

    fn material(&self) -> &Material {
        self.material
            .get_or_init(|| Material::new(self.main_corpus().some_records()))
    }

    /// The built-in filters and so many patterns as [`COUNTS`] has there.
    fn filters(&self, at: usize) -> &Filters {
        self.filters[at].get_or_init(|| Filters::beside_built_in(COUNTS[at].0, self.material()))
    }

    fn is_made(&self, variable: &str) -> bool {
        std::env::var_os(format!("TRAILWARDEN_BENCH_{variable}")).is_none()
    }
}

/// What `trailwarden scan` does, with so many threads.
pub fn options(threads: usize) -> Options {
    Options {
        range: TimeRange::ALL,
        now: None,
        max_events: 10,
        threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
        clock: 0,
    }
}

fn limit(corpus: &Corpus) -> Job<'_> {
    Box::new(|| cpu_seconds(|| corpus.inflate_all()))
}

/// The job with one thread. Every round must find the same, and a story if `tells` so.
fn job<'b>(corpus: &'b Corpus, filters: &'b Filters, tells: bool) -> Job<'b> {
    let mut counts = None;
    Box::new(move || {
        let mut report: Option<Report> = None;
        let run = || scan(&filters.set, &corpus.sources, &options(1), |_| {});
        let seconds = cpu_seconds(|| report = Some(run()));
        let report = report.expect("it was done");
        check::same(&mut counts, &report);
        let mut alarms = report.alarms.iter();
        assert!(
            !tells || alarms.any(|alarm| !alarm.events.is_empty() && !alarm.story.is_empty()),
            "something of what was made is told"
        );
        seconds
    })
}

/// One object in memory, as a function that is called with it evaluates it: matches and evidence.
fn evaluate(evaluator: &mut Evaluator<'_>, filters: &Filters, source: &Source) {
    let origin = Origin {
        location: source.location.clone(),
        ..Origin::default()
    };
    let report = evaluator.evaluate(object(source), None, &origin, TimeRange::ALL, |found| {
        let filter = &filters.set.filters()[found.filter];
        if filter.alarm.is_some() && filter.mode == Mode::Live && found.suppressed_by.is_none() {
            let context = EvidenceContext {
                time: found.time,
                time_from_key: found.time_from_key,
                account: found.account,
                region: None,
                location: &origin.location,
                record_index: found.record_index,
            };
            black_box(Evidence::of(found.record, &context));
        }
        black_box(found.group);
    });
    black_box(report.expect("the corpus is sound"));
}

fn scan_of(corpus: &Corpus) -> Vec<OsString> {
    vec!["scan".into(), corpus.folder().into()]
}

fn figure(row: &'static str, what: &str, value: Spread, unit: &'static str) -> Figure {
    Figure {
        row,
        what: what.to_owned(),
        value: Ok(value),
        unit,
    }
}

/// Peak resident memory of the command over a corpus, with default settings.
fn peak(row: &'static str, what: &str, corpus: &Corpus) -> Figure {
    const RUNS: usize = 3;
    let peaks: Option<Vec<f64>> = (0..RUNS)
        .map(|_| command::took(scan_of(corpus)).peak_mb)
        .collect();
    match peaks {
        Some(peaks) => figure(row, what, Spread::of(peaks), "MB"),
        None => unmeasured(row, what, "MB", "/proc is not there"),
    }
}

fn unmeasured(row: &'static str, what: &str, unit: &'static str, why: &'static str) -> Figure {
    Figure {
        row,
        what: what.to_owned(),
        value: Err(why),
        unit,
    }
}

fn describe(name: &str, corpus: &Corpus) {
    println!(
        "{name}: {} objects, {:.1} MB inflated, {:.1} MB gzip",
        corpus.sources.len(),
        corpus.inflated_bytes() as f64 / 1e6,
        corpus.gzip_bytes() as f64 / 1e6,
    );
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}
