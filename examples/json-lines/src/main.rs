//! Shows what comes over newline-JSON, and sends every reading back in Fahrenheit:
//! `cargo run -p json-lines -- 127.0.0.1 7000`, beside a server such as `nc -lk 127.0.0.1 7000`.

use anabranch::{TokioAdapter, prelude::*};
use json_lines::LinesConnector;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Deserialize)]
struct Reading {
    device: String,
    celsius: f64,
}

#[derive(Debug, Clone, Serialize)]
struct Converted {
    device: String,
    fahrenheit: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "127.0.0.1".into());
    let port = arguments.next().map_or(Ok(7000), |port| port.parse())?;
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .with_connector(LinesConnector::new("lines", &host, port))
        .configure::<Reading>("reading", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 }).link_from("lines://sensors/{device}").with_json();
        })
        .configure::<Converted>("converted", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 })
                .transform("reading", |reading: Reading| {
                    Some(Converted { device: reading.device, fahrenheit: reading.celsius * 1.8 + 32.0 })
                })
                .link_to("lines://fahrenheit/{device}")
                .with_json();
        })
        .build()
        .await?;
    println!("lines://{host}:{port}; send [\"sensors/kitchen\",{{\"celsius\":21.5}}]");
    tokio::select! {
        ended = db.run() => ended?,
        _ = tokio::signal::ctrl_c() => drop(db.shutdown(Duration::from_secs(5)).await),
    }
    Ok(())
}
