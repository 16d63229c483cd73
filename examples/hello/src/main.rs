//! A first database: a record of temperatures, a service that reads it, and the record that the service writes.

use anabranch::{TokioAdapter, prelude::*};

/// Switches the fan on above 25 °C.
#[service]
async fn cooling<R: Runtime>(_: RuntimeContext<R>, mut heat: Consumer<f32>, fan: Producer<bool>) -> Result<(), String> {
    while let Some(celsius) = heat.next().await {
        fan.produce(celsius > 25.0);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .configure::<f32>("sensor/temperature", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
        })
        .configure::<bool>("actuator/fan", |r| {
            r.with_buffer(BufferCfg::SingleLatest);
        })
        .with_service(Cooling::of("sensor/temperature", "actuator/fan"))
        .build()
        .await?;
    let (temperature, mut fan) = (db.producer::<f32>("sensor/temperature")?, db.consumer::<bool>("actuator/fan")?);
    db.start();
    for celsius in [21.0, 24.5, 27.5] {
        temperature.produce(celsius);
        println!("{celsius} °C, fan: {:?}", fan.next().await);
    }
    Ok(())
}
