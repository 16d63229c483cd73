#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(temperature: Consumer<f32>) -> Result<(), Infallible> {
    Ok(())
}

#[service]
async fn heating<R: Runtime>() -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
