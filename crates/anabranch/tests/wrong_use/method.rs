#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(&self) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
