#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
async fn cooling<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Infallible> {
    let shared = std::rc::Rc::new(1);
    ctx.sleep(Duration::from_secs(1)).await;
    drop(shared);
    Ok(())
}

fn main() {}
