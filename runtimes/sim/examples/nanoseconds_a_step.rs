//! How long the simulation takes for a step: `cargo run --release -p anabranch-sim --example nanoseconds_a_step`.

use anabranch_executor::{Duration, RuntimeExt, SpawnDynamically, TimeSource};
use anabranch_sim::{Sim, SimAdapter};
use std::time::Instant;

const TASKS: u64 = 1_000;
const ROUNDS: u64 = 1_000;

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
