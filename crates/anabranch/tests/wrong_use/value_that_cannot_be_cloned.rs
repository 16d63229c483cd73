#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

struct Socket;

#[service(restart = "always")]
async fn cooling<R: Runtime>(_ctx: RuntimeContext<R>, _socket: Socket) -> Result<(), Infallible> {
    Ok(())
}

#[service]
async fn once<R: Runtime>(_ctx: RuntimeContext<R>, _socket: Socket) -> Result<(), Infallible> {
    Ok(())
}

fn spec() -> anabranch::ServiceSpec<anabranch::TokioAdapter> {
    Once::of(Socket)
}

fn main() {}
