//! Both functions over a world in memory, in thousands of random scenes with random faults.
//!
//! A scene (`scene`) is a few log files with events in bursts, late ones, copies, some in the future. Their messages come in
//! any shape, order, number and grouping; invocations run side by side, request by request; requests fail, lose
//! their answers, processes die (`play`, `queues`). Once nothing is left to be done, what is in the table, in the topic, in the
//! log group and in the ledger is held against `trailwarden scan` of the same files (`check`).
//!
//! `TRAILWARDEN_MODEL_RUNS` says how many scenes, `TRAILWARDEN_MODEL_SEED` plays one again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::float_cmp,
    reason = "a test may fail by panicking"
)]

mod check;
mod play;
mod queues;
mod random;
mod scene;

use std::panic::{AssertUnwindSafe, catch_unwind};

use random::Random;
use scene::Scene;

/// Scenes when nothing else is said.
const RUNS: u64 = 2_000;

const THREADS: u64 = 2;

#[test]
fn whatever_happens_on_the_way_all_alarms_are_told_as_scan_finds_them() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(seed) = number("TRAILWARDEN_MODEL_SEED") {
        scene_of(seed);
        return;
    }
    let runs = number("TRAILWARDEN_MODEL_RUNS").unwrap_or(RUNS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (thread..runs).step_by(THREADS as usize).for_each(scene_of));
        }
    });
}

/// Plays the scene of a seed and checks it; says which one it was should that fail.
fn scene_of(seed: u64) {
    let mut random = Random::new(seed);
    let scene = Scene::new(&mut random);
    let mut faults = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let played = play::play(&scene, &mut random);
        faults = Some((played.faults.clone(), played.timeouts));
        check::check(&scene, &played);
    }));
    if result.is_err() {
        panic!(
            "TRAILWARDEN_MODEL_SEED={seed} fails as said above; faults and timeouts: {faults:?}\n{}",
            scene.describe()
        );
    }
}
