//! For tests: a machine whose readings are written down, and a broker, in virtual time.

use std::{error::Error, time::Duration};

use anabranch::{Builder, mqtt::MqttConnector, prelude::*};
use anabranch_mqtt_broker::{BrokerOptions, ServedBroker};
use anabranch_sim::{SimAdapter, SimListener};

use crate::{
    flow::{self, Options},
    mqtt::Topics,
    readings::{Cpu, Disk, Limits, Memory, Network, Reading, Temperature},
    services::Watching,
    timestamp::Timestamp,
};

pub const GIB: u64 = 1 << 30;

pub const OPTIONS: Options = Options {
    limits: Limits { cpu_percent: 80.0, memory_percent: 90.0, disk_percent: 90.0, celsius: 80.0 },
    watching: Watching { smooth_over: Duration::from_secs(5), hysteresis: 5.0 },
    temperature: true,
    keep: false,
};

/// A broker on a host of its own.
pub fn broker(adapter: &SimAdapter) -> ServedBroker<SimAdapter> {
    let host = adapter.on_host("broker");
    let broker = ServedBroker::new(host.clone(), BrokerOptions::default());
    let port = host.clone();
    host.spawn(broker.listen(
        move || port.listen(1883),
        |listener: &mut SimListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| stream),
    ));
    broker
}

/// A connector to it.
pub fn connector() -> MqttConnector {
    MqttConnector::new("mqtt://broker")
}

/// What is measured in one moment.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    pub cpu: f64,
    pub memory: f64,
    pub celsius: f64,
}

/// The demo's flow in simulation, with the writing ends of what is otherwise measured.
pub struct Machine {
    pub db: Anabranch<SimAdapter>,
    cpu: Producer<Reading<Cpu>>,
    memory: Producer<Reading<Memory>>,
    disk: Producer<Reading<Disk>>,
    network: Producer<Reading<Network>>,
    temperature: Producer<Reading<Temperature>>,
}

impl Machine {
    pub async fn new(builder: Builder<SimAdapter>, options: Options) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::with_links(builder, options, None).await
    }

    /// The same with links; the builder has the connector.
    pub async fn with_links(
        builder: Builder<SimAdapter>,
        options: Options,
        topics: Option<&Topics>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let db = flow::flow(builder, options, topics).build().await?;
        Ok(Machine {
            cpu: db.producer(flow::CPU)?,
            memory: db.producer(flow::MEMORY)?,
            disk: db.producer(flow::DISK)?,
            network: db.producer(flow::NETWORK)?,
            temperature: db.producer(flow::TEMPERATURE)?,
            db,
        })
    }

    /// A second later, this is measured.
    pub async fn measure(&self, written: Written) {
        self.db.runtime().sleep(Duration::from_secs(1)).await;
        let time = Timestamp::from_unix(self.db.runtime().unix_time().unwrap_or_default());
        let Written { cpu, memory, celsius } = written;
        let used_bytes = (memory / 100.0 * (16 * GIB) as f64) as u64;
        self.cpu.produce(Reading { time, value: Cpu { percent: cpu, busiest_core_percent: cpu, cores: 4 } });
        self.memory.produce(Reading {
            time,
            value: Memory {
                percent: memory,
                used_bytes,
                total_bytes: 16 * GIB,
                swap_used_bytes: 0,
                swap_total_bytes: 0,
            },
        });
        self.disk.produce(Reading {
            time,
            value: Disk {
                percent: 75.0,
                used_bytes: 375 * GIB,
                total_bytes: 500 * GIB,
                mount_point: "/".into(),
                read_bytes_per_second: 0.0,
                written_bytes_per_second: 4096.0,
            },
        });
        self.network.produce(Reading {
            time,
            value: Network {
                received_bytes_per_second: cpu * 100_000.0,
                sent_bytes_per_second: cpu * 10_000.0,
                received_bytes: 3 * GIB,
                sent_bytes: GIB / 4,
            },
        });
        let value = Temperature { celsius, sensor: "coretemp Package id 0".into(), sensors: 5 };
        self.temperature.produce(Reading { time, value });
    }
}
