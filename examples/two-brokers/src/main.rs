//! Two brokers in one database: a plant's readings come from one, and a summary of every ten goes to the other.
//!
//! `cargo run -p two-brokers -- mqtt://127.0.0.1:1883 mqtt://127.0.0.1:1884`

use anabranch::{ConnectorConfig, TokioAdapter, mqtt::MqttConnector, prelude::*};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, convert::Infallible};

/// `machine` is in the address that a reading comes from; the payload is `{"celsius":21.5}`.
#[derive(Debug, Clone, Deserialize)]
struct Reading {
    machine: String,
    celsius: f64,
}

/// Of ten readings of one machine.
#[derive(Debug, Clone, Serialize)]
struct Summary {
    machine: String,
    lowest: f64,
    mean: f64,
    highest: f64,
}

/// Sums ten readings of each machine up.
#[service(restart = "on-failure")]
async fn summarize<R: Runtime>(
    _: RuntimeContext<R>,
    readings: &mut Consumer<Reading>,
    summaries: Producer<Summary>,
) -> Result<(), Infallible> {
    let mut tens: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    while let Some(Reading { machine, celsius }) = readings.next().await {
        let ten = tens.entry(machine.clone()).or_default();
        ten.push(celsius);
        if ten.len() < 10 {
            continue;
        }
        let (lowest, highest) = ten.iter().fold((f64::MAX, f64::MIN), |(low, high), &c| (low.min(c), high.max(c)));
        let mean = ten.drain(..).sum::<f64>() / 10.0;
        // A queue: while head office cannot be reached, it waits.
        let _gone = summaries.send(Summary { machine, lowest, mean, highest }).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut urls = std::env::args().skip(1);
    let plant = urls.next().unwrap_or_else(|| "mqtt://127.0.0.1:1883".into());
    let office = urls.next().unwrap_or_else(|| "mqtt://127.0.0.1:1884".into());
    let at_least_once = ConnectorConfig { qos: Some(1), retain: Some(true), ..Default::default() };
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .with_connector(MqttConnector::new(plant).name("plant"))
        .with_connector(MqttConnector::new(office).name("office"))
        .configure::<Reading>("reading", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 256 });
            r.link_from("mqtt+plant://machines/{machine}/temp").with_json();
        })
        .configure::<Summary>("summary", |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 64, consumers: 1 });
            r.link_to("mqtt+office://plants/north/{machine}").with_json().with_config(at_least_once);
        })
        .with_service(Summarize::of("reading", "summary"))
        .build()
        .await?;
    tokio::select! {
        ended = db.run() => ended?,
        _ = tokio::signal::ctrl_c() => drop(db.shutdown(Duration::from_secs(5)).await),
    }
    for connector in db.connectors() {
        println!("{} at {}: connected {} times", connector.scheme, connector.peer, connector.connects);
    }
    Ok(())
}
