//! The demo's services: two that measure, one that watches. They know their records' types, and no runtime.
#![expect(clippy::too_many_arguments, reason = "`#[service]` adds two parameters to those of the service")]

use std::{convert::Infallible, time::Duration};

use anabranch::{JoinError, prelude::*};

use crate::{
    machine::{Machine, MachineError, Readings, Sensors},
    readings::{Alert, Cpu, Disk, Level, Memory, Network, Quantity, Reading, Temperature},
    smoothing::{Guard, Smoother},
    timestamp::Timestamp,
};

/// The least time in which the system's processor counters move enough to be read.
pub const LEAST_PERIOD: Duration = Duration::from_millis(200);

/// Why a service could not measure.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("reading the system panicked; please report it with what this machine is")]
    Panicked(#[from] JoinError),
    #[error("this machine does not know the time; set its clock")]
    NoClock,
    #[error("no temperature sensor answers any more; plug it in again")]
    NoSensor,
}

/// Measures the machine, the first time as soon as its counters have moved, then `every` so often.
#[service(restart = "on-failure", limit = 5)]
pub async fn measure<R: Runtime + SpawnBlocking>(
    ctx: RuntimeContext<R>,
    every: Duration,
    cpu: Producer<Reading<Cpu>>,
    memory: Producer<Reading<Memory>>,
    disk: Producer<Reading<Disk>>,
    network: Producer<Reading<Network>>,
) -> Result<(), MeasureError> {
    let mut machine = ctx.spawn_blocking(Machine::open).await??;
    ctx.sleep(LEAST_PERIOD).await;
    let mut every = ctx.interval(every);
    loop {
        // The machine goes to the thread that may wait for the system, and comes back with what it read.
        let reading = ctx.spawn_blocking(move || {
            let readings = machine.read();
            (machine, readings)
        });
        let readings: Readings;
        (machine, readings) = reading.await?;
        let time = now(&ctx)?;
        cpu.produce(Reading { time, value: readings.cpu });
        memory.produce(Reading { time, value: readings.memory });
        if let Some(value) = readings.disk {
            disk.produce(Reading { time, value });
        }
        network.produce(Reading { time, value: readings.network });
        every.skip_missed();
        every.tick().await;
    }
}

/// Measures the hottest sensor, on a machine that has some.
#[service(restart = "on-failure", limit = 5)]
pub async fn thermometer<R: Runtime + SpawnBlocking>(
    ctx: RuntimeContext<R>,
    every: Duration,
    temperature: Producer<Reading<Temperature>>,
) -> Result<(), MeasureError> {
    let mut sensors = ctx.spawn_blocking(Sensors::open).await?.ok_or(MeasureError::NoSensor)?;
    let mut every = ctx.interval(every);
    loop {
        let reading = ctx.spawn_blocking(move || {
            let hottest = sensors.read();
            (sensors, hottest)
        });
        let hottest: Option<Temperature>;
        (sensors, hottest) = reading.await?;
        temperature.produce(Reading { time: now(&ctx)?, value: hottest.ok_or(MeasureError::NoSensor)? });
        every.skip_missed();
        every.tick().await;
    }
}

fn now<R: Runtime>(ctx: &RuntimeContext<R>) -> Result<Timestamp, MeasureError> {
    ctx.unix_time().map(Timestamp::from_unix).ok_or(MeasureError::NoClock)
}

/// How levels are smoothed, and how far below its limit one has to come for its alert to clear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watching {
    pub smooth_over: Duration,
    pub hysteresis: f64,
}

/// Smooths the levels, and raises an alert when one goes over its limit and another when it is well below again.
#[service(restart = "on-failure")]
pub async fn watch<R: Runtime>(
    _ctx: RuntimeContext<R>,
    watching: Watching,
    levels: &mut Consumer<Reading<Level>>,
    smooth: Producer<Reading<Level>>,
    alerts: Producer<Reading<Alert>>,
) -> Result<(), Infallible> {
    let mut watched = Quantity::ALL.map(|of| (of, Smoother::new(watching.smooth_over), Guard::default()));
    while let Some(Reading { time, value: level }) = levels.next().await {
        for (_, smoother, guard) in watched.iter_mut().filter(|(of, ..)| *of == level.of) {
            let value = smoother.push(time, level.value);
            smooth.produce(Reading { time, value: Level { value, ..level } });
            if let Some((state, line)) = guard.look(value, level.limit, watching.hysteresis) {
                let alert = Alert { of: level.of, state, value, line };
                let _nobody_listens = alerts.send(Reading { time, value: alert }).await;
            }
        }
    }
    Ok(())
}
