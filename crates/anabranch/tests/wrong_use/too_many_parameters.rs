#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(
    ctx: RuntimeContext<R>,
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
