#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(ctx: RuntimeContext<R>, (low, high): (f32, f32), _: u8) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
