#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling(ctx: RuntimeContext<anabranch::TokioAdapter>) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
