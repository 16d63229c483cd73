#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(ctx: RuntimeContext<R>) {}

#[service]
async fn heating<R: Runtime>(ctx: RuntimeContext<R>) -> Result<u8, Infallible> {
    Ok(1)
}

fn main() {}
