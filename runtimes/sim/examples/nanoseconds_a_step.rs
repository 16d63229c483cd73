//! How long the simulation takes for a step, and for a seed with a thousand tasks: `cargo run --release -p anabranch-sim --example nanoseconds_a_step`.

use anabranch_executor::{Duration, RuntimeExt, SpawnDynamically, TimeSource};
use anabranch_sim::{Sim, SimAdapter, SimOptions};
use std::time::Instant;

const TASKS: u64 = 1_000;
const ROUNDS: u64 = 1_000;
const SEEDS: u64 = 100;

fn main() {
    measure("yield", |adapter| async move {
        for _ in 0..ROUNDS {
            adapter.yield_now().await;
        }
    });
    measure("sleep", |adapter| async move {
        for _ in 0..ROUNDS {
            adapter.sleep(Duration::from_nanos(1 + adapter.random_below(1_000_000))).await;
        }
    });
    measure("spawn and join", |adapter| async move {
        for _ in 0..ROUNDS / 10 {
            let _ = adapter.spawn(async {}).await;
        }
    });
    let started = Instant::now();
    let explored = SimOptions::default().explore(0..SEEDS, |sim| {
        let adapter = sim.adapter();
        for _ in 0..TASKS {
            let within = adapter.clone();
            drop(adapter.spawn(async move {
                for _ in 0..5 {
                    within.sleep(Duration::from_millis(within.random_below(100))).await;
                    within.yield_now().await;
                }
            }));
        }
        Ok(sim.run()?)
    });
    let explored = explored.expect("nothing fails here");
    let each = started.elapsed().as_secs_f64() * 1_000.0 / SEEDS as f64;
    println!("{TASKS} tasks, {} steps, each seed twice: {each:.2} ms a seed", explored.steps / SEEDS);
}

/// Runs as many tasks as are to be affordable for each of 10,000 seeds; the best of five, for the machine is shared.
fn measure<F: Future<Output = ()> + Send + 'static>(name: &str, task: impl Fn(SimAdapter) -> F) {
    let best = (0..5).map(|seed| {
        let mut sim = Sim::new(seed);
        let adapter = sim.adapter();
        let started = Instant::now();
        for _ in 0..TASKS {
            drop(adapter.spawn(task(adapter.clone())));
        }
        sim.run().expect("every task ends");
        started.elapsed().as_nanos() as f64 / sim.steps() as f64
    });
    println!("{name:>16}: {:6.1} ns a step", best.fold(f64::INFINITY, f64::min));
}
