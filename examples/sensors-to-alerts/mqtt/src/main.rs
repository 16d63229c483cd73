//! Sensors to alerts with links: the same services, over records of a database. Alerts and smoothed readings go out over
//! MQTT, and a new limit may come in.
//!
//! `cargo run -p sensors-to-alerts-mqtt -- mqtt://127.0.0.1:1883`

use anabranch::{ConnectorConfig, TimeSource, TokioAdapter, mqtt::MqttConnector, prelude::*};
use sensors_to_alerts::{Alarm, Alert, Limit, Reading, Sensor, Smoother};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = std::env::args().nth(1).unwrap_or_else(|| "mqtt://127.0.0.1:1883".into());
    let runtime = TokioAdapter::current()?;
    let at_least_once = ConnectorConfig { qos: Some(1), ..Default::default() };
    let db = Anabranch::builder()
        .runtime(runtime.clone())
        .with_connector(MqttConnector::new(broker))
        .configure::<Reading>("sensor/temperature", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
        })
        .configure::<Reading>("temperature/smoothed", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
            r.link_to("mqtt://sensors-to-alerts/smoothed").with_json();
        })
        // shared: the first limit comes from here, later ones by the link
        .configure::<Limit>("temperature/limit", |r| {
            r.with_buffer(BufferCfg::SingleLatest).shared();
            r.link_from("mqtt://sensors-to-alerts/limit").with_json().with_config(at_least_once);
        })
        .configure::<Alert>("alert", |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 16, consumers: 1 });
            r.link_to("mqtt://sensors-to-alerts/alert").with_json().with_config(at_least_once);
        })
        .with_service(Sensor::of("sensor/temperature", runtime.now(), 0))
        .with_service(Smoother::of("sensor/temperature", "temperature/smoothed"))
        .with_service(Alarm::of("temperature/smoothed", "temperature/limit", "alert"))
        .build()
        .await?;
    db.producer("temperature/limit")?.produce(Limit { raise_above: 26_000, clear_below: 24_000 });
    db.start();
    db.ended().await; // the signal is short; the link would go on waiting for limits
    let left = db.shutdown(Duration::from_secs(10)).await.aborted;
    for link in db.links() {
        println!("{}: {} values, {} failed, {} dropped", link.address, link.values, link.failed, link.dropped);
    }
    if left.is_empty() { Ok(()) } else { Err(format!("did not end in time: {}", left.join(", ")).into()) }
}
