//! Traps that a peer on WebAssembly fell into, a case each.

use crate::RT;
use anabranch_conformance::{Fault, Report};
use anabranch_executor::{Duration, RuntimeExt, TimeSource};
use js_sys::Reflect;
use std::future::pending;

pub async fn run(report: &mut impl Report) {
    report.case("timers_that_call_window_fail_in_workers_and_node_and_these_do_not", no_window().await);
    report.case("a_timeout_that_never_fires_on_wasm_fires_here", a_timeout().await);
    report.case("a_clock_of_milliseconds_does_not_stand_between_two_sleeps", the_clock().await);
}

async fn no_window() -> Result<(), Fault> {
    let global = js_sys::global();
    // In a window it is hidden: nothing may look for it there, either. Some windows do not let it be hidden.
    let shadowed = Reflect::has(&global, &"document".into()).unwrap_or_default();
    if !shadowed && Reflect::has(&global, &"window".into()).unwrap_or_default() {
        return Err(Fault::new("a place without a document to have no window"));
    }
    let before = RT.now();
    RT.sleep(Duration::from_millis(2)).await;
    if RT.now() > before { Ok(()) } else { Err(Fault::new("a timer to fire where there is no window")) }
}

async fn a_timeout() -> Result<(), Fault> {
    match RT.timeout(Duration::from_millis(5), pending::<()>()).await {
        Err(_elapsed) => Ok(()),
        Ok(()) => Err(Fault::new("what never ends not to end")),
    }
}

async fn the_clock() -> Result<(), Fault> {
    for _ in 0..20 {
        let before = RT.now();
        RT.sleep(Duration::from_micros(100)).await;
        if RT.now() <= before {
            return Err(Fault::new("time to go on between a sleep's beginning and its end"));
        }
    }
    Ok(())
}
