//! A watchdog over a sensor: the code under test. How it is tested is in `tests/watchdog.rs`.
#![forbid(unsafe_code)]

use anabranch::prelude::*;
use std::convert::Infallible;

/// What the watchdog says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// No reading came for as long as it had patience.
    Silent,
    /// Readings come again.
    Back,
}

/// Raises an alarm when no reading comes for a while, and takes it back with the next one.
///
/// Nothing here knows that it will be simulated: it takes time from its context, as every service does.
#[service(restart = "on-failure")]
pub async fn watch<R: Runtime>(
    ctx: RuntimeContext<R>,
    readings: &mut Consumer<f32>,
    alarms: Producer<Alarm>,
    patience: Duration,
) -> Result<(), Infallible> {
    loop {
        match ctx.timeout(patience, readings.next()).await {
            Ok(Some(_)) => continue,
            Ok(None) => return Ok(()),
            Err(Elapsed) => {}
        }
        alarms.produce(Alarm::Silent);
        if readings.next().await.is_none() {
            return Ok(());
        }
        alarms.produce(Alarm::Back);
    }
}
