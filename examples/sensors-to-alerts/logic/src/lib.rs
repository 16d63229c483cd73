//! Sensors to alerts: four records and three services, written once. Each `main` beside this crate chooses a runtime,
//! calls [`start`], and prints what comes.
//!
//! ```text
//!  sensor ──▶ TEMPERATURE ──▶ smoother ──▶ SMOOTHED ──▶ alarm ──▶ ALERT ──▶ main
//!                ring                        ring         ▲        queue
//!                                                       LIMIT
//!                                                       latest
//! ```
//!
//! Nothing here allocates, and nothing here knows where it runs. Each reading carries the moment of the last edge of
//! the signal, and so does each alert: how long an edge takes to be seen is measured where the alerts arrive.
#![no_std]
#![forbid(unsafe_code)]

mod alerts;
mod services;
mod signal;

pub use alerts::{Alerts, Latency};
pub use services::{Alarm, NoLimit, Sensor, SensorGone, Smoother, alarm, sensor, smoother};
pub use signal::{EDGES, Reading, SAMPLE, signal};

use anabranch::prelude::*;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What the sensor measures.
pub static TEMPERATURE: Record<Reading, Ring<64>> = Record::new("sensor/temperature");
/// The same, without the ripple.
pub static SMOOTHED: Record<Reading, Ring<64>> = Record::new("temperature/smoothed");
/// When to raise an alert, and when to clear it.
pub static LIMIT: Record<Limit, Latest> = Record::new("temperature/limit");
/// Alerts, none of which may be lost: whoever raises them waits for room.
pub static ALERT: Record<Alert, Queue<16>> = Record::new("alert");

/// An alert is raised above the one, and cleared below the other: a signal that lingers at a limit makes one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// In thousandths of a degree Celsius.
    pub raise_above: i32,
    /// In thousandths of a degree Celsius.
    pub clear_below: i32,
}

/// Says that it has become too warm, or that it no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Too warm, or no longer.
    pub raised: bool,
    /// In thousandths of a degree Celsius, smoothed.
    pub millicelsius: i32,
    /// When the edge came that this alert is about, counted from the start.
    pub edge: Duration,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, tenths) = (if self.raised { "raised " } else { "cleared" }, self.millicelsius / 100);
        write!(f, "{:5} ms  {what}  {}.{} °C", self.edge.as_millis(), tenths / 10, tenths % 10)
    }
}

/// Starts all of it, and gives the end where alerts arrive. They end when the signal does.
///
/// The readers are there before the first reading is: nothing is lost at the start.
///
/// # Errors
/// [`StartError`] when it runs already.
pub fn start<R: Runtime>(runtime: &'static R) -> Result<Alerts<R>, StartError> {
    LIMIT.producer()?.produce(Limit { raise_above: 26_000, clear_below: 24_000 });
    let alerts = Alerts::new(runtime, ALERT.consumer()?);
    Alarm::spawn_static(runtime, SMOOTHED.consumer()?, LIMIT.consumer()?, ALERT.producer()?)?;
    Smoother::spawn_static(runtime, TEMPERATURE.consumer()?, SMOOTHED.producer()?)?;
    let readings = TEMPERATURE.producer()?;
    let first = readings.status().produced;
    Sensor::spawn_static(runtime, readings, alerts.started(), first)?;
    Ok(alerts)
}
