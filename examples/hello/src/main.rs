//! A first database: two records, and how one is made from the other.
use anabranch::{TokioAdapter, prelude::*};

#[tokio::main]
#[rustfmt::skip] // a line for each thing that is declared
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .configure::<f32>("celsius", |r| { r.with_buffer(BufferCfg::SpmcRing { capacity: 64 }); })
        .configure::<String>("comfort", |r| { r.with_buffer(BufferCfg::SingleLatest).transform("celsius", comfort); })
        .build().await?;
    let (celsius, mut comfort) = (db.producer::<f32>("celsius")?, db.consumer::<String>("comfort")?);
    db.start();
    celsius.produce(27.5);
    println!("{}", comfort.next().await.unwrap_or_default());
    Ok(())
}

fn comfort(celsius: f32) -> Option<String> {
    Some(format!("{celsius} °C: {}", if celsius > 25.0 { "too warm" } else { "fine" }))
}
