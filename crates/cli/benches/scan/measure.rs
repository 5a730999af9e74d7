//! CPU time, and figures made of several rounds.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// CPU time (user and system) of this process so far.
pub fn cpu_so_far() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// CPU time of this process over a call, in seconds.
pub fn cpu_seconds<T>(call: impl FnOnce() -> T) -> f64 {
    let before = cpu_so_far();
    std::hint::black_box(call());
    (cpu_so_far() - before).as_secs_f64()
}

/// Time by the clock on the wall over a call, in seconds.
pub fn wall_seconds<T>(call: impl FnOnce() -> T) -> f64 {
    let before = Instant::now();
    std::hint::black_box(call());
    before.elapsed().as_secs_f64()
}

/// A job to be measured: does it once and says how long that took, in seconds.
pub type Job<'j> = Box<dyn FnMut() -> f64 + 'j>;

/// Does all jobs in turn, so many times. For each job its times, round by round.
pub fn in_turn(rounds: usize, mut jobs: Vec<Job<'_>>) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(rounds); jobs.len()];
    for _ in 0..rounds {
        for (job, times) in jobs.iter_mut().zip(&mut times) {
            times.push(job());
        }
    }
    times
}

/// Median, least and most of several rounds.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Spread {
            median: (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0,
            least: values[0],
            most: values[values.len() - 1],
        }
    }

    /// Round by round one time against another.
    pub fn of_ratios(times: &[f64], against: &[f64]) -> Self {
        let ratios = times.iter().zip(against).map(|(time, other)| time / other);
        Spread::of(ratios.collect())
    }

    pub fn times(self, factor: f64) -> Self {
        Spread {
            median: self.median * factor,
            least: self.least * factor,
            most: self.most * factor,
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Figure {
    pub row: &'static str,
    pub what: String,
    pub value: Result<Spread, &'static str>,
    pub unit: &'static str,
}

/// What a figure should be, and what it is meant to become one day. One that is missed is printed so; it does not fail the run.
enum Goal {
    AtMost(f64, f64),
    AtLeast(f64, f64),
    Aim(f64),
}

/// By the start of what a figure is. Memory is in MB of a million bytes.
const GOALS: [(&str, Goal); 15] = [
    ("built-in filters and 30 patterns", Goal::AtMost(2.3, 1.7)),
    ("built-in filters and 1000 patterns", Goal::AtMost(2.8, 2.0)),
    ("1000 patterns against 30", Goal::AtMost(1.3, 1.1)),
    ("5000 patterns against 1000", Goal::Aim(1.1)),
    ("many small objects", Goal::AtMost(2.5, 1.8)),
    ("one object beyond", Goal::AtMost(4.0, 2.6)),
    ("wall clock of one thread", Goal::AtLeast(1.8, 1.95)),
    (
        "peak resident, the command on the large",
        Goal::AtMost(67.1, 33.6),
    ),
    (
        "peak resident, the command on the whole",
        Goal::AtMost(100.7, 50.3),
    ),
    (
        "peak resident, the command on the hostile",
        Goal::AtMost(134.2, 134.2),
    ),
    ("an object of 6.8 KB", Goal::Aim(10.0)),
    ("an object of 53 KB", Goal::Aim(45.0)),
    ("process start, 1,000 patterns", Goal::Aim(5.0)),
    ("CPU for each MB inflated", Goal::AtMost(3.0, 2.0)),
    ("the command on files", Goal::AtMost(1.25, 1.1)),
];

/// Prints figures, one to a line, with the goal beside each that has one.
pub fn print(figures: &[Figure]) {
    println!(
        "\n{:<14} {:<64} {:>10} {:>21}  goal",
        "row", "figure", "median", "least to most"
    );
    for figure in figures {
        let Figure {
            row, what, unit, ..
        } = figure;
        match figure.value {
            Err(why) => println!("{row:<14} {what:<64} not measured: {why}"),
            Ok(spread) => println!(
                "{row:<14} {what:<64} {:>10} {:>21}  {}",
                format!("{} {unit}", number(spread.median)),
                format!("{} to {}", number(spread.least), number(spread.most)),
                against_goal(what, spread.median),
            ),
        }
    }
}

fn against_goal(what: &str, value: f64) -> String {
    let goal = GOALS.iter().find(|(start, _)| what.starts_with(start));
    let (bound, must, aim, met): (_, _, _, fn(f64, f64) -> bool) = match goal {
        None => return "none set".to_owned(),
        Some((_, Goal::AtMost(must, aim))) => {
            ("at most", Some(*must), *aim, |value, goal| value <= goal)
        }
        Some((_, Goal::AtLeast(must, aim))) => {
            ("at least", Some(*must), *aim, |value, goal| value >= goal)
        }
        Some((_, Goal::Aim(aim))) => ("at most", None, *aim, |value, goal| value <= goal),
    };
    let verdict = |goal| if met(value, goal) { "met" } else { "missed" };
    let aim = format!("aim {}: {}", number(aim), verdict(aim));
    match must {
        Some(must) => format!("{bound} {}: {}; {aim}", number(must), verdict(must)),
        None => aim,
    }
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
