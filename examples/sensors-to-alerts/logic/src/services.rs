//! The services: they name types of records, and neither buffers nor a runtime.

use crate::{Alert, Limit, Reading, SAMPLE, signal};
use anabranch::prelude::*;
use core::{convert::Infallible, fmt};

/// The bus answers so many readings, and then has to be opened again.
const READINGS_UNTIL_THE_BUS_HANGS_UP: u64 = 500;

/// The sensor does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SensorGone;

impl fmt::Display for SensorGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sensor does not answer; check its wires")
    }
}

/// Takes a reading at each multiple of [`SAMPLE`] after `started`. Its bus hangs up now and then; then it is started
/// again, and goes on after the reading that came last. In its record, the first reading has the number `first`.
#[service(restart = "on-failure", backoff = "2ms")]
pub async fn sensor<R: Runtime>(
    ctx: RuntimeContext<R>,
    readings: Producer<Reading>,
    started: R::Instant,
    first: u64,
) -> Result<(), SensorGone> {
    let taken = (readings.status().produced - first) as u32;
    for (sample, reading) in (taken..).map_while(|sample| Some((sample, signal(sample)?))) {
        // A deadline, and not a pause: being late with one reading delays no other.
        ctx.sleep_until(started.after(SAMPLE * sample)).await;
        let number = readings.produce(reading) - first;
        // After a delay many are due at once: the readers' turn comes between any two.
        ctx.yield_now().await;
        if number % READINGS_UNTIL_THE_BUS_HANGS_UP == READINGS_UNTIL_THE_BUS_HANGS_UP - 1 {
            return Err(SensorGone);
        }
    }
    Ok(())
}

/// Takes the ripple out: each value goes halfway to the new reading.
#[service(restart = "on-failure", backoff = "1ms")]
pub async fn smoother<R: Runtime>(
    _: RuntimeContext<R>,
    readings: &mut Consumer<Reading>,
    smoothed: Producer<Reading>,
) -> Result<(), Infallible> {
    let mut smooth = None;
    while let Some(reading) = readings.next().await {
        let before = smooth.unwrap_or(reading.millicelsius);
        let millicelsius = before + (reading.millicelsius - before) / 2;
        smoothed.produce(Reading { millicelsius, ..reading });
        smooth = Some(millicelsius);
    }
    Ok(())
}

/// Nobody has set a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLimit;

impl fmt::Display for NoLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no limit to compare with; produce one into the record `temperature/limit`")
    }
}

/// Raises an alert above the limit, and clears it below. A new limit counts from the next reading on.
#[service(restart = "on-failure", backoff = "1ms", limit = 3)]
pub async fn alarm<R: Runtime>(
    _: RuntimeContext<R>,
    smoothed: &mut Consumer<Reading>,
    limits: &mut Consumer<Limit>,
    alerts: Producer<Alert>,
) -> Result<(), NoLimit> {
    let mut limit = limits.next().await.ok_or(NoLimit)?;
    let mut raised = false;
    while let Some(Reading { millicelsius, edge }) = smoothed.next().await {
        limit = limits.try_recv().unwrap_or(limit);
        let now = if raised { millicelsius >= limit.clear_below } else { millicelsius > limit.raise_above };
        if now != raised {
            raised = now;
            if alerts.send(Alert { raised, millicelsius, edge }).await.is_err() {
                break; // nobody listens any more
            }
        }
    }
    Ok(())
}
