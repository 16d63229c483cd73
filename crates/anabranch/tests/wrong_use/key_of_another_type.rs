#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[derive(RecordKey)]
#[record(key = "sensor/temperature", value = f32)]
struct Temperature;

#[service]
async fn counting<R: Runtime>(_ctx: RuntimeContext<R>, _counts: Consumer<u64>) -> Result<(), Infallible> {
    Ok(())
}

fn spec() -> anabranch::ServiceSpec<anabranch::TokioAdapter> {
    Counting::of(Temperature)
}

fn main() {}
