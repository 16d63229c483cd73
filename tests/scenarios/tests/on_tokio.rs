//! The scenarios on Tokio, both flavours: what simulation shows for thousands of courses holds on real threads and clocks.

use anabranch::{Duration, TokioAdapter};
use anabranch_scenarios::{Scene, everywhere};
use std::error::Error;
use tokio::runtime::{Builder, Runtime};

/// Far longer than any scenario takes; who needs it hangs.
const GIVEN_UP: Duration = Duration::from_secs(60);

fn play_all(runtime: &Runtime, seeds: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
    let adapter = TokioAdapter::new(runtime.handle().clone())?;
    for scenario in everywhere::<TokioAdapter>() {
        let seeds = match scenario.name {
            "thousand-services" | "hung-service" => 2, // the one computes for long, the other waits for all its grace
            _ => seeds,
        };
        for seed in 0..seeds {
            let scene = Scene::new(adapter.clone(), seed, Duration::from_secs(2));
            let played = runtime.block_on(async { tokio::time::timeout(GIVEN_UP, (scenario.play)(scene)).await });
            let verdict = played.map_err(|_| format!("{} hangs", scenario.name))?;
            verdict.map_err(|error| format!("{}, chance by seed {seed}: {error}", scenario.name))?;
        }
    }
    Ok(())
}

#[test]
fn every_scenario_holds_on_the_current_thread() -> Result<(), Box<dyn Error + Send + Sync>> {
    play_all(&Builder::new_current_thread().enable_time().build()?, 8)
}

#[test]
fn every_scenario_holds_on_several_threads() -> Result<(), Box<dyn Error + Send + Sync>> {
    play_all(&Builder::new_multi_thread().worker_threads(4).enable_time().build()?, 8)
}
