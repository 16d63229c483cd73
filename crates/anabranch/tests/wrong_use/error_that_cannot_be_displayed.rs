#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

struct Broken;

#[service]
async fn cooling<R: Runtime>(_ctx: RuntimeContext<R>) -> Result<(), Broken> {
    Err(Broken)
}

fn main() {}
