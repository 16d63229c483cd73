//! A simulated broker on a host of its own, and databases that link to it.

use anabranch_core::{Anabranch, BufferCfg, Builder, ConnectionState, ConnectorConfig, RecordConfig};
use anabranch_executor::{Duration, SpawnDynamically, TimeSource};
use anabranch_mqtt::MqttConnector;
use anabranch_mqtt_broker::{BrokerOptions, ServedBroker};
use anabranch_sim::{Sim, SimAdapter, SimListener};
use std::string::FromUtf8Error;

pub const PORT: u16 = 1883;

pub struct World {
    pub client: SimAdapter,
    pub broker: ServedBroker<SimAdapter>,
}

impl World {
    pub fn new(sim: &Sim, options: BrokerOptions) -> Self {
        World::on(&sim.adapter().on_host("broker"), sim.adapter().on_host("client"), options)
    }

    pub fn on(host: &SimAdapter, client: SimAdapter, options: BrokerOptions) -> Self {
        let broker = ServedBroker::new(host.clone(), options);
        let port = host.clone();
        host.spawn(broker.listen(
            move || port.listen(PORT),
            |listener: &mut SimListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| stream),
        ));
        World { client, broker }
    }

    pub fn builder(&self, connector: MqttConnector) -> Builder<SimAdapter> {
        Anabranch::builder().runtime(self.client.clone()).with_connector(connector)
    }

    pub async fn sleep(&self, milliseconds: u64) {
        self.client.sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Waits until something is so, which is looked at every ten milliseconds of the simulation.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..100_000 {
            if holds() {
                return;
            }
            self.sleep(10).await;
        }
        panic!("never: {what}");
    }
}

pub fn connector() -> MqttConnector {
    MqttConnector::new("mqtt://broker").client_id("client")
}

pub fn text(bytes: &[u8]) -> Result<String, FromUtf8Error> {
    String::from_utf8(bytes.to_vec())
}

/// Adds a record of texts that come in from `from` and go out to `to`.
pub fn bridge(
    builder: Builder<SimAdapter>,
    name: &str,
    buffer: BufferCfg,
    [from, to]: [&str; 2],
    qos: u8,
) -> Builder<SimAdapter> {
    let config = ConnectorConfig { qos: Some(qos), ..Default::default() };
    builder.configure::<String>(name.to_string(), |r: &mut RecordConfig<'_, SimAdapter, String>| {
        r.with_buffer(buffer);
        r.link_from(from).with_config(config).with_deserializer(|bytes, _| text(bytes));
        r.link_to(to).with_config(config).with_serializer(|value: &String, out| out.push(value.as_bytes()));
    })
}

pub fn is_online(db: &Anabranch<SimAdapter>) -> bool {
    db.connectors()[0].state == ConnectionState::Online
}
