//! Sensors to alerts with records, a service and links, as the example has it; its broker is at the other end of a stream
//! that is no network.

use crate::{
    broker::Stream,
    in_one_task::Taken,
    over_mqtt::{Sample, Way},
};
use anabranch::{
    ConnectError, ConnectorConfig, Endpoint, Json, LinkIn, LinkOut, LinkSet, Links, Network, Offline, RuntimeAdapter,
    TimeSource,
    embassy::{self, EmbassyAdapter},
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use core::future::ready;
use embassy_executor::Spawner;
use sensors_to_alerts::{ALERT, LIMIT, SMOOTHED, Smoother, TEMPERATURE};
use static_cell::StaticCell;

const NEVER_KEPT: ConnectorConfig = ConnectorConfig { offline: Some(Offline::Drop), ..ConnectorConfig::DEFAULT };
const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT };

/// By quality of service.
static SMOOTHED_OUT: [LinkOut<Json>; 2] = [
    LinkOut::new("mqtt://sensors-to-alerts/smoothed").with_json().with_config(NEVER_KEPT),
    LinkOut::new("mqtt://sensors-to-alerts/smoothed").with_json().with_config(AT_LEAST_ONCE),
];
static LIMIT_IN: LinkIn<Json> = LinkIn::new("mqtt://sensors-to-alerts/limit").with_json().with_config(AT_LEAST_ONCE);
static ALERT_OUT: LinkOut<Json, 8> =
    LinkOut::new("mqtt://sensors-to-alerts/alert").with_json().with_config(AT_LEAST_ONCE);
static MQTT: [StaticMqtt<1024, 512>; 2] = [const { StaticMqtt::new() }; 2];

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

/// Embassy, whose only network is the broker's stream.
#[derive(Debug, Clone, Copy)]
struct Beside(EmbassyAdapter);

impl RuntimeAdapter for Beside {
    fn runtime_name(&self) -> &'static str {
        self.0.runtime_name()
    }
}

impl TimeSource for Beside {
    type Instant = embassy::Instant;
    type Sleep = embassy::Sleep;

    fn now(&self) -> Self::Instant {
        self.0.now()
    }
    fn sleep_until(&self, deadline: Self::Instant) -> Self::Sleep {
        self.0.sleep_until(deadline)
    }
    fn unix_time(&self) -> Option<Duration> {
        self.0.unix_time()
    }
}

impl Network for Beside {
    type Stream = Stream;

    fn connect(&self, _: &Endpoint<'_>) -> impl Future<Output = Result<Stream, ConnectError>> {
        ready(Ok(Stream::new()))
    }
    fn check(&self, _: &Endpoint<'_>) -> Result<(), ConnectError> {
        Ok(())
    }
}

#[embassy_executor::task]
async fn sensor(readings: Producer<sensors_to_alerts::Reading>) {
    loop {
        readings.produce(SAMPLE.wait().await);
    }
}

#[embassy_executor::task(pool_size = 2)]
async fn mqtt(runtime: Beside, qos: usize) {
    let broker = MqttConnector::new("mqtt://10.0.2.2:1883").client_id("ours");
    let Ok(links) = links(qos) else { return };
    _ = MQTT[qos].run(&runtime, &broker, &links).await;
}

fn links(qos: usize) -> Result<impl LinkSet + use<>, Taken> {
    Ok(Links::new()
        .link_from(&LIMIT_IN, LIMIT.producer()?)
        .link_to(&SMOOTHED_OUT[qos], SMOOTHED.consumer()?)
        .link_to(&ALERT_OUT, ALERT.consumer()?))
}

/// Records and links.
pub const WAY: Way = Way { sample: &SAMPLE, start, publish, stop };

static SAMPLE: Sample = Sample::new();

fn start(spawner: Spawner) -> Result<(), Taken> {
    let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
    spawner.spawn(sensor(TEMPERATURE.producer()?)?);
    Smoother::spawn_static(runtime, TEMPERATURE.consumer()?, SMOOTHED.producer()?).map_err(|_| Taken)
}

fn publish(spawner: Spawner, qos: usize) -> Result<(), Taken> {
    spawner.spawn(mqtt(Beside(EmbassyAdapter::new(spawner)), qos)?);
    Ok(())
}

fn stop(qos: usize) {
    MQTT[qos].close();
}
