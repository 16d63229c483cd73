//! The records and services of `sensors-to-alerts`, and three links.

use crate::network;
use anabranch::{
    ConnectorConfig, Json, LinkIn, LinkOut, LinkSet, Links, Offline,
    embassy::{EmbassyAdapter, Sockets},
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use board_mps2::{command_line, exit, println};
use core::fmt;
use embassy_executor::Spawner;
use sensors_to_alerts::{ALERT, Alarm, LIMIT, Limit, SMOOTHED, Sensor, Smoother, TEMPERATURE};
use static_cell::{ConstStaticCell, StaticCell};

board_mps2::panic_exits!();

const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT };
/// Old readings are of no use; of alerts, the newest eight wait for a connection.
const NEVER_KEPT: ConnectorConfig = ConnectorConfig { offline: Some(Offline::Drop), ..ConnectorConfig::DEFAULT };

static SMOOTHED_OUT: LinkOut<Json> =
    LinkOut::new("mqtt://sensors-to-alerts/smoothed").with_json().with_config(NEVER_KEPT);
static LIMIT_IN: LinkIn<Json> = LinkIn::new("mqtt://sensors-to-alerts/limit").with_json().with_config(AT_LEAST_ONCE);
static ALERT_OUT: LinkOut<Json, 8> =
    LinkOut::new("mqtt://sensors-to-alerts/alert").with_json().with_config(AT_LEAST_ONCE);
static MQTT: StaticMqtt<1024, 512> = StaticMqtt::new();

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();
static SOCKETS: Sockets<1, 2048, 1024> = Sockets::new();
static COMMAND_LINE: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    let stack = network::start(spawner);
    let runtime = RUNTIME.init(EmbassyAdapter::new(spawner).with_network(stack, &SOCKETS));
    let url = command_line(COMMAND_LINE.take()).and_then(|line| line.split(' ').nth(1));
    let broker = MqttConnector::new(url.unwrap_or("mqtt://10.0.2.2:1883")).client_id("board").last_will(
        "sensors-to-alerts/state",
        "gone",
        1,
        true,
    );
    let links = start(runtime).unwrap_or_else(|error| fail(&error));
    // Until the signal has ended, and the broker has every alert.
    MQTT.run(runtime, &broker, &links).await.unwrap_or_else(|error| fail(&error));
    println!("{} alerts acknowledged", ALERT_OUT.counts().values);
    exit(0)
}

/// Starts the services, and ties their records to the outside.
fn start(runtime: &'static EmbassyAdapter) -> Result<impl LinkSet + use<>, StartError> {
    let limit = LIMIT.producer()?;
    limit.produce(Limit { raise_above: 26_000, clear_below: 24_000 });
    let links = Links::new()
        .link_from(&LIMIT_IN, limit)
        .link_to(&SMOOTHED_OUT, SMOOTHED.consumer()?)
        .link_to(&ALERT_OUT, ALERT.consumer()?);
    Alarm::spawn_static(runtime, SMOOTHED.consumer()?, LIMIT.consumer()?, ALERT.producer()?)?;
    Smoother::spawn_static(runtime, TEMPERATURE.consumer()?, SMOOTHED.producer()?)?;
    Sensor::spawn_static(runtime, TEMPERATURE.producer()?, runtime.now(), 0)?;
    Ok(links)
}

fn fail(error: &dyn fmt::Display) -> ! {
    println!("{error}");
    exit(1)
}
