#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service(restart = "on-failure")]
async fn cooling<R: Runtime>(ctx: RuntimeContext<R>, temperature: Consumer<f32>) -> Result<(), Infallible> {
    Ok(())
}

#[service]
async fn heating<R: Runtime>(
    ctx: RuntimeContext<R>,
    temperature: &Consumer<f32>,
    heater: &mut Producer<bool>,
    light: Producer,
) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
