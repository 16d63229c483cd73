#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(ctx: RuntimeContext<R>, name: &str) -> Result<(), Infallible> {
    Ok(())
}

#[service]
async fn heating<'a, R: Runtime>(ctx: RuntimeContext<R>, name: &'a str) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
