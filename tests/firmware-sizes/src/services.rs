//! The application in supervised services, of which one fails once and is restarted.

use crate::cooling::{Alarm, Fan, Reading, Smooth};
use anabranch::{SendError, embassy::EmbassyAdapter, prelude::*};
use core::{fmt, time::Duration};
use embassy_executor::Spawner;
use static_cell::StaticCell;

static READINGS: Record<Reading, Ring<16>> = Record::unnamed();
static FAN: Record<Fan, Latest> = Record::unnamed();
static ALARMS: Record<Alarm, Queue<4>> = Record::unnamed();

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

#[derive(Debug)]
struct SensorGone;

impl fmt::Display for SensorGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sensor does not answer; check its wires")
    }
}

/// Reads the sensor ten times a second. After its first readings it fails once, and is restarted.
#[service(restart = "on-failure", backoff = "50ms", limit = 3)]
async fn sensor<R: Runtime>(ctx: RuntimeContext<R>, readings: Producer<Reading>) -> Result<(), SensorGone> {
    let mut every = ctx.interval(Duration::from_millis(100));
    for number in 0.. {
        every.tick().await;
        if readings.produce(Reading::number(number)) == 4 {
            return Err(SensorGone);
        }
    }
    Ok(())
}

/// Smooths readings, switches the fan, and raises an alarm when it is on and does not help.
#[service(restart = "always", backoff = "10ms")]
async fn cooling<R: Runtime>(
    _ctx: RuntimeContext<R>,
    readings: &mut Consumer<Reading>,
    fan: Producer<Fan>,
    alarms: Producer<Alarm>,
) -> Result<(), SendError<Alarm>> {
    let mut smooth = Smooth::new();
    while let Some(reading) = readings.next().await {
        smooth.add(&reading);
        fan.produce(smooth.fan());
        if smooth.is_too_warm() {
            alarms.send(Alarm { device: reading.device, number: reading.number }).await?;
        }
    }
    Ok(())
}

/// Alarms come, with the fan on and the failed sensor restarted.
pub async fn work(spawner: Spawner) -> Option<()> {
    let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
    let (mut fan, mut alarms) = (FAN.consumer().ok()?, ALARMS.consumer().ok()?);
    Cooling::spawn_static(runtime, READINGS.consumer().ok()?, FAN.producer().ok()?, ALARMS.producer().ok()?).ok()?;
    Sensor::spawn_static(runtime, READINGS.producer().ok()?).ok()?;
    for _ in 0..8 {
        let Alarm { device: 7, number: 10.. } = alarms.next().await? else { return None };
    }
    let restarted = Sensor::state(0)?.restarts() == 1;
    (restarted && fan.try_recv() == Ok(Fan::On)).then_some(())
}
