#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
fn cooling<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
