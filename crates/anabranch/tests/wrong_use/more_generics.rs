#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime, T: Clone>(ctx: RuntimeContext<R>, input: Consumer<T>) -> Result<(), Infallible> {
    Ok(())
}

#[service]
async fn heating<R: Runtime>(ctx: RuntimeContext<R>, decide: impl Fn(f32) -> bool) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
