//! The demo's records, and what flows between them.
//!
//! ```text
//!  measure ──▶ cpu ────────┬──▶ load                 the higher of both: a join
//!          ──▶ memory ─────┤
//!          ──▶ disk ───────┼──▶ levels ──▶ watch ──▶ smooth
//!  thermometer ▶ temperature ┘  joins ▲       └────▶ alerts
//!          ──▶ network                │
//!                      steer ──▶ limits
//!                        ▲                    what is measured, load, levels, alerts and limits
//!                    commands    returned ──▶ time_crossings ──▶ crossing      │
//!                        ▲          ▲                                          ▼
//!  broker:  anabranch/HOST/limits/set   …/cpu                   anabranch/HOST/cpu, …/level/cpu, …
//! ```

use std::time::Duration;

use anabranch::{BuildErrors, Builder, ConnectorConfig, Network as Networked, RecordConfig, prelude::*};
use serde::Serialize;

use crate::{
    mqtt::{self, Mqtt, Topics},
    past::{self, Past},
    readings::{
        Alert, Command, Cpu, Crossing, Disk, Level, Limits, Load, Memory, Network, Quantity, Reading, Temperature,
    },
    services::{Measure, Steer, Thermometer, TimeCrossings, Watch, Watching},
    timestamp::Timestamp,
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
/// The limits that hold, and what asks for others.
pub const LIMITS: &str = "limits";
pub const COMMANDS: &str = "commands";
/// The readings of `cpu` as they come back from the broker, and how long that took.
pub const RETURNED: &str = "returned";
pub const CROSSING: &str = "crossing";

/// The records, as people want to read them: what is measured, what is made of it, what is wrong, what came from outside.
pub const IN_ORDER: [&str; 13] =
    [CPU, MEMORY, DISK, NETWORK, TEMPERATURE, LOAD, LEVELS, SMOOTH, ALERTS, LIMITS, COMMANDS, RETURNED, CROSSING];

/// Those that are kept, each in a namespace of its name.
pub const KEPT: [&str; 10] = [CPU, MEMORY, DISK, NETWORK, TEMPERATURE, LOAD, LEVELS, SMOOTH, ALERTS, LIMITS];

/// What the flow depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    pub limits: Limits,
    pub watching: Watching,
    /// Whether the machine has sensors.
    pub temperature: bool,
    /// Whether what is measured and made of it is kept.
    pub keep: bool,
}

/// A minute and more of values at one a second.
const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 64 };

fn ring<R: Runtime + SpawnDynamically, T: Clone + Send + 'static>(record: &mut RecordConfig<'_, R, T>) {
    record.with_buffer(RING);
}

/// Publishes a record's values, where there is a broker.
fn publish<R, T>(record: &mut RecordConfig<'_, R, T>, to: Option<&Topics>, leaf: &str, config: ConnectorConfig)
where
    R: Runtime + SpawnDynamically,
    T: Serialize + Clone + Send + 'static,
{
    if let Some(topics) = to {
        record.link_to(topics.address(leaf)).with_json().with_config(config);
    }
}

/// Keeps a record's values in a namespace of its name, where they are to be kept.
fn keep<R, T>(record: &mut RecordConfig<'_, R, T>, kept: bool, key: &str)
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
    T: Serialize + Clone + Send + Sync + 'static,
{
    if kept {
        let namespace = record.name().to_owned();
        record.keep(Keep::in_namespace(namespace).key(key));
    }
}

/// Adds the records, what is made of them, and with `topics` their links. Who measures is there already, or comes from
/// outside, and so does the connector.
pub fn flow<R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync>(
    builder: Builder<R>,
    options: Options,
    topics: Option<&Topics>,
) -> Builder<R> {
    let Options { limits, watching, temperature, keep: kept } = options;
    let mut builder = builder
        .configure::<Reading<Cpu>>(CPU, |r| {
            r.with_buffer(RING);
            publish(r, topics, CPU, mqtt::READINGS);
            keep(r, kept, CPU);
        })
        .configure::<Reading<Memory>>(MEMORY, |r| {
            r.with_buffer(RING);
            publish(r, topics, MEMORY, mqtt::READINGS);
            keep(r, kept, MEMORY);
        })
        .configure::<Reading<Disk>>(DISK, |r| {
            r.with_buffer(RING);
            publish(r, topics, DISK, mqtt::READINGS);
            keep(r, kept, DISK);
        })
        .configure::<Reading<Network>>(NETWORK, |r| {
            r.with_buffer(RING);
            publish(r, topics, NETWORK, mqtt::READINGS);
            keep(r, kept, NETWORK);
        })
        .configure::<Reading<Load>>(LOAD, |r| {
            r.with_buffer(BufferCfg::SingleLatest);
            r.join::<(Reading<Cpu>, Reading<Memory>)>([CPU, MEMORY], |(cpu, memory)| {
                // Both are measured in one moment: the newer of the two completes it.
                (cpu.time == memory.time)
                    .then(|| Reading { time: cpu.time, value: Load::of(&cpu.value, &memory.value) })
            });
            publish(r, topics, LOAD, mqtt::READINGS);
            keep(r, kept, LOAD);
        })
        .configure::<Reading<Limits>>(LIMITS, |r| {
            r.with_buffer(BufferCfg::SingleLatest);
            publish(r, topics, LIMITS, mqtt::RETAINED);
            keep(r, kept, LIMITS);
        })
        .configure::<Reading<Level>>(LEVELS, |r| {
            r.with_buffer(RING).shared();
            // A new limit makes levels of the readings that are there, so that it holds at once.
            let level = |of, reading: Timestamp, value, limit| {
                Some(Reading { time: reading, value: Level { of, value, limit } })
            };
            r.join::<(Reading<Cpu>, Reading<Limits>)>([CPU, LIMITS], move |(cpu, limits)| {
                level(Quantity::Cpu, cpu.time, cpu.value.percent, limits.value.cpu_percent)
            });
            r.join::<(Reading<Memory>, Reading<Limits>)>([MEMORY, LIMITS], move |(memory, limits)| {
                level(Quantity::Memory, memory.time, memory.value.percent, limits.value.memory_percent)
            });
            r.join::<(Reading<Disk>, Reading<Limits>)>([DISK, LIMITS], move |(disk, limits)| {
                level(Quantity::Disk, disk.time, disk.value.percent, limits.value.disk_percent)
            });
            if temperature {
                r.join::<(Reading<Temperature>, Reading<Limits>)>([TEMPERATURE, LIMITS], move |(hottest, limits)| {
                    level(Quantity::Temperature, hottest.time, hottest.value.celsius, limits.value.celsius)
                });
            }
            publish(r, topics, "level/{of}", mqtt::AT_LEAST_ONCE);
            keep(r, kept, "{of}");
        })
        .configure::<Reading<Level>>(SMOOTH, |r| {
            r.with_buffer(RING);
            keep(r, kept, "{of}");
        })
        // Not one alert may be lost, so it waits for whoever shows them, and for the link.
        .configure::<Reading<Alert>>(ALERTS, |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 16, consumers: if topics.is_some() { 2 } else { 1 } });
            publish(r, topics, ALERTS, mqtt::AT_LEAST_ONCE);
            keep(r, kept, "{of}");
        })
        .configure::<Command>(COMMANDS, |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 8 });
            if let Some(topics) = topics {
                r.link_from(topics.address(mqtt::COMMANDS))
                    .with_deserializer(|payload, _| Command::read(payload))
                    .with_config(mqtt::AT_LEAST_ONCE);
            }
        })
        .with_service(Watch::of(watching, LEVELS, SMOOTH, ALERTS))
        .with_service(Steer::of(limits, COMMANDS, LIMITS));
    if let Some(topics) = topics {
        builder = builder
            .configure::<Reading<Cpu>>(RETURNED, |r| {
                r.with_buffer(RING);
                r.link_from(topics.address(CPU)).with_json();
            })
            .configure::<Reading<Crossing>>(CROSSING, ring)
            .with_service(TimeCrossings::of(RETURNED, CROSSING));
    }
    if !temperature {
        return builder;
    }
    builder.configure::<Reading<Temperature>>(TEMPERATURE, |r| {
        r.with_buffer(RING);
        publish(r, topics, TEMPERATURE, mqtt::READINGS);
        keep(r, kept, TEMPERATURE);
    })
}

/// The whole demo: the flow, this machine measured `every` so often, and a broker if there is to be one.
pub async fn of_this_machine<R: Runtime + SpawnDynamically + SpawnBlocking + Networked + Send + Sync>(
    runtime: R,
    options: Options,
    every: Duration,
    mqtt: Option<&Mqtt>,
    past: Option<&Past>,
) -> Result<Anabranch<R>, BuildErrors> {
    let mut builder =
        Anabranch::builder().runtime(runtime).with_service(Measure::of(every, CPU, MEMORY, DISK, NETWORK));
    if options.temperature {
        builder = builder.with_service(Thermometer::of(every, TEMPERATURE));
    }
    if let Some(mqtt) = mqtt {
        builder = builder.with_connector(mqtt.connector());
    }
    if let Some(past) = past {
        builder = builder.with_store(past.store.clone()).with_lifecycle(past::MAINTAINED);
    }
    flow(builder, options, mqtt.map(|mqtt| &mqtt.topics)).build().await
}
