#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(ctx: &RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service]
async fn heating<R: Runtime>(ctx: R) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
