//! Sensors to alerts in simulation: virtual time, and one seed that decides what is otherwise left to chance.

use anabranch::{SimAdapter, StartError, sim::Sim};
use sensors_to_alerts::start;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // The runtime: a world of its own, which keeps an adapter for services in static storage.
    let mut sim = Sim::new(0);
    let runtime = sim.static_adapter();
    Ok(sim.block_on(run(runtime))??)
}

// The same on each runtime.
async fn run(runtime: &'static SimAdapter) -> Result<(), StartError> {
    let mut alerts = start(runtime)?;
    while let Some(alert) = alerts.next().await {
        println!("{alert}");
    }
    println!("{}", alerts.latency("sim"));
    Ok(())
}
