//! Sensors to alerts on Tokio.

use anabranch::{StartError, TokioAdapter};
use sensors_to_alerts::start;
use std::{error::Error, sync::OnceLock};

// The runtime: services in static storage ask for one that is there for ever.
static RUNTIME: OnceLock<TokioAdapter> = OnceLock::new();

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let current = TokioAdapter::current()?;
    Ok(run(RUNTIME.get_or_init(|| current)).await?)
}

// The same on each runtime.
async fn run(runtime: &'static TokioAdapter) -> Result<(), StartError> {
    let mut alerts = start(runtime)?;
    while let Some(alert) = alerts.next().await {
        println!("{alert}");
    }
    println!("{}", alerts.latency("tokio"));
    Ok(())
}
