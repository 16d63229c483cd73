#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service(restrat = "on-failure")]
async fn a<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service(restart = "on_failure")]
async fn b<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service(restart = "always", backoff = "1h")]
async fn c<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service(limit = 5)]
async fn d<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service(instances = 0)]
async fn e<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

#[service(restart)]
async fn f<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    Ok(())
}

fn main() {}
