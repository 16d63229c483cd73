//! Every form that a service can have compiles with warnings denied, and with names that the generated code uses, too.
#![deny(warnings, missing_docs)]
#![expect(clippy::too_many_arguments, reason = "one of each name that the generated code uses")]

use anabranch::{ServiceSpec, TokioAdapter, prelude::*};
use std::{convert::Infallible, fmt, sync::Arc};

#[derive(RecordKey)]
#[record(key = "sensor/temperature", value = f32)]
struct Temperature;

#[derive(RecordKey)]
#[record(value = bool)]
enum Lamp {
    #[key = "lamp/hall"]
    Hall,
    #[record(key = "lamp/stairs")]
    Stairs,
}

#[service]
async fn nothing<R: Runtime>(_ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service(restart = "on-failure", backoff = "100ms", max_backoff = "1min", limit = 5, instances = 2, name = "hot")]
async fn cooling<R>(
    ctx: RuntimeContext<R>,
    temperature: &mut Consumer<f32>,
    hall: Producer<bool>,
    stairs: &Producer<bool>,
    limit: f32,
    label: &'static str,
) -> Result<(), fmt::Error>
where
    R: Runtime,
{
    while let Some(celsius) = temperature.next().await {
        hall.produce(celsius > limit);
        stairs.produce(label.is_empty());
        ctx.yield_now().await;
    }
    Ok(())
}

/// Parameters called as the generated code calls its own.
#[service(restart = "always")]
async fn r#loop<S: anabranch::Runtime + SpawnDynamically>(
    supervisor: anabranch::RuntimeContext<S>,
    ctx: u8,
    runtime: Arc<str>,
    draft: &mut anabranch::Consumer<u8>,
    ended: Producer<u8>,
    begun: u8,
    instance: u8,
    ends: u8,
) -> core::result::Result<(), String> {
    let _ = (supervisor.now(), draft, ctx, runtime, ended, begun, instance, ends);
    Ok(())
}

mod nested {
    use anabranch as facade;
    use facade::prelude::*;

    #[service(crate = facade)]
    pub(super) async fn moving_average<R: Runtime>(_ctx: RuntimeContext<R>) -> Result<(), String> {
        Ok(())
    }
}

fn specs() -> [ServiceSpec<TokioAdapter>; 4] {
    [
        Nothing::of(),
        Cooling::of(Temperature, Lamp::Hall, Lamp::Stairs, 25.0, "upstairs"),
        Loop::of(1, "text".into(), "in", "out".to_string(), 1, 2, 3),
        nested::MovingAverage::of(),
    ]
}

#[test]
fn right_use_compiles_without_a_warning() {
    assert_eq!(specs().len(), 4);
    let keys = [Lamp::Hall, Lamp::Stairs];
    assert!(keys.iter().map(RecordKey::name).eq(["lamp/hall", "lamp/stairs"]));
    assert_eq!((Nothing::NAME, Cooling::NAME, Loop::NAME), ("nothing", "hot", "loop"));
}
