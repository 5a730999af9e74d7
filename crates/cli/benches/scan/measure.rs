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
    /// The most it should be. One that is more is printed so; it does not fail the run.
    pub goal: Option<f64>,
}

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
                against_goal(figure.goal, spread.median),
            ),
        }
    }
}

fn against_goal(goal: Option<f64>, value: f64) -> String {
    let Some(goal) = goal else {
        return "none set".to_owned();
    };
    let verdict = if value <= goal { "holds" } else { "missed" };
    format!("at most {}: {verdict}", number(goal))
}

/// Three digits that say something.
fn number(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
