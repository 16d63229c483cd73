//! MQTT in, a record, MQTT out: what arrives at `sensors/DEVICE/temp` goes out to `copy/DEVICE`.
//!
//! `cargo run -p mqtt-bridge -- mqtt://127.0.0.1:1883`; `anabranch.toml` beside it does the same without a line of Rust.

use anabranch::{ConnectorConfig, TokioAdapter, mqtt::MqttConnector, prelude::*};
use serde::{Deserialize, Serialize};

/// `device` is in the address that a reading comes from; the payload is `{"celsius":21.5}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reading {
    device: String,
    celsius: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = std::env::args().nth(1).unwrap_or_else(|| "mqtt://127.0.0.1:1883".into());
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .with_connector(MqttConnector::new(broker).name("plant"))
        .configure::<Reading>("temperature", |r| {
            let at_least_once = ConnectorConfig { qos: Some(1), retain: Some(false), ..Default::default() };
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
            r.link_from("mqtt+plant://sensors/{device}/temp").with_json();
            r.link_to("mqtt+plant://copy/{device}").with_json().with_config(at_least_once);
        })
        .build()
        .await?;
    tokio::select! {
        ended = db.run() => ended?,
        _ = tokio::signal::ctrl_c() => {
            for left in db.shutdown(Duration::from_secs(5)).await.aborted {
                eprintln!("did not end in time: {left}");
            }
        }
    }
    for link in db.links() {
        println!("{}: {} values, {} failed, {} dropped", link.address, link.values, link.failed, link.dropped);
    }
    Ok(())
}
