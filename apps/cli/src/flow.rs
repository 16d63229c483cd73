//! The demo's records, and what flows between them.
//!
//! ```text
//!  measure ──▶ cpu ────────┬──▶ load                 the higher of both: a join
//!          ──▶ memory ─────┤
//!          ──▶ disk ───────┼──▶ levels ──▶ watch ──▶ smooth
//!  thermometer ▶ temperature ┘   transforms      └──▶ alerts
//!          ──▶ network
//! ```

use std::time::Duration;

use anabranch::{BuildErrors, Builder, RecordConfig, prelude::*};

use crate::{
    readings::{Alert, Cpu, Disk, Level, Load, Memory, Network, Quantity, Reading, Temperature},
    services::{Measure, Thermometer, Watch, Watching},
};

pub const CPU: &str = "cpu";
pub const MEMORY: &str = "memory";
pub const DISK: &str = "disk";
pub const NETWORK: &str = "network";
pub const TEMPERATURE: &str = "temperature";
pub const LOAD: &str = "load";
pub const LEVELS: &str = "levels";
pub const SMOOTH: &str = "smooth";
pub const ALERTS: &str = "alerts";

/// The records, as people want to read them: what is measured, what is made of it, what is wrong.
pub const IN_ORDER: [&str; 9] = [CPU, MEMORY, DISK, NETWORK, TEMPERATURE, LOAD, LEVELS, SMOOTH, ALERTS];

/// What the flow depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    pub limits: Limits,
    pub watching: Watching,
    /// Whether the machine has sensors.
    pub temperature: bool,
}

/// Above what a smoothed level raises an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub cpu_percent: f64,
    pub memory_percent: f64,
    pub disk_percent: f64,
    pub celsius: f64,
}

/// A minute and more of values at one a second.
const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 64 };

fn ring<R: Runtime + SpawnDynamically, T: Clone + Send + 'static>(record: &mut RecordConfig<'_, R, T>) {
    record.with_buffer(RING);
}

/// Adds the records and what is made of them. Who measures is there already, or comes from outside.
pub fn flow<R: Runtime + SpawnDynamically>(builder: Builder<R>, options: Options) -> Builder<R> {
    let Options { limits, watching, temperature } = options;
    let builder = builder
        .configure::<Reading<Cpu>>(CPU, ring)
        .configure::<Reading<Memory>>(MEMORY, ring)
        .configure::<Reading<Disk>>(DISK, ring)
        .configure::<Reading<Network>>(NETWORK, ring)
        .configure::<Reading<Load>>(LOAD, |r| {
            r.with_buffer(BufferCfg::SingleLatest);
            r.join::<(Reading<Cpu>, Reading<Memory>)>([CPU, MEMORY], |(cpu, memory)| {
                // Both are measured in one moment: the newer of the two completes it.
                (cpu.time == memory.time)
                    .then(|| Reading { time: cpu.time, value: Load::of(&cpu.value, &memory.value) })
            });
        })
        .configure::<Reading<Level>>(LEVELS, |r| {
            let level = |of, limit| move |time, value| Some(Reading { time, value: Level { of, value, limit } });
            let (cpu, memory) =
                (level(Quantity::Cpu, limits.cpu_percent), level(Quantity::Memory, limits.memory_percent));
            let (disk, hottest) =
                (level(Quantity::Disk, limits.disk_percent), level(Quantity::Temperature, limits.celsius));
            r.with_buffer(RING).shared();
            r.transform(CPU, move |reading: Reading<Cpu>| cpu(reading.time, reading.value.percent));
            r.transform(MEMORY, move |reading: Reading<Memory>| memory(reading.time, reading.value.percent));
            r.transform(DISK, move |reading: Reading<Disk>| disk(reading.time, reading.value.percent));
            if temperature {
                r.transform(TEMPERATURE, move |reading: Reading<Temperature>| {
                    hottest(reading.time, reading.value.celsius)
                });
            }
        })
        .configure::<Reading<Level>>(SMOOTH, ring)
        // Not one alert may be lost, so it waits for whoever shows them.
        .configure::<Reading<Alert>>(ALERTS, |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 16, consumers: 1 });
        })
        .with_service(Watch::of(watching, LEVELS, SMOOTH, ALERTS));
    if !temperature {
        return builder;
    }
    builder.configure::<Reading<Temperature>>(TEMPERATURE, ring)
}

/// The whole demo: the flow, and this machine measured `every` so often.
pub async fn of_this_machine<R: Runtime + SpawnDynamically + SpawnBlocking>(
    runtime: R,
    options: Options,
    every: Duration,
) -> Result<Anabranch<R>, BuildErrors> {
    let builder = Anabranch::builder().runtime(runtime).with_service(Measure::of(every, CPU, MEMORY, DISK, NETWORK));
    let builder = if options.temperature { builder.with_service(Thermometer::of(every, TEMPERATURE)) } else { builder };
    flow(builder, options).build().await
}
