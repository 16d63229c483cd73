#![allow(unused)]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling(ctx: RuntimeContext<anabranch::TokioAdapter>) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
