//! Real brokers for tests: started on free ports of this machine, killed, stopped, silenced and started again, and watched by
//! a client that others wrote.
//!
//! ```text
//!   database under test ──▶ [Line: cut, held] ──▶ Mosquitto · ejabberd · rumqttd ◀── Observer (rumqttc)
//!                                                          │
//!                                                     its own log
//! ```
//!
//! **The contract:** nothing here knows Anabranch. What a broker was told and what it acknowledged is read from its own log,
//! and what it passes on is seen by a client of other authors.
#![forbid(unsafe_code)]

mod ejabberd;
mod line;
mod mosquitto;
mod observer;
mod papers;
mod port;
mod process;

pub use ejabberd::Ejabberd;
pub use line::Line;
pub use mosquitto::{Mosquitto, Setup};
pub use observer::{Gone, Observed, Observer, Persistence};
pub use papers::{Authority, Papers};
pub use port::free_port;
pub use process::Process;
pub use rumqttc::v5::mqttbytes::QoS;

use std::{future::Future, pin::pin, time::Duration};

/// How long anything may take on a busy machine. A test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Runs a test on Tokio's multi-thread flavour.
pub fn on_two_threads(test: impl Future<Output = ()>) {
    run(&mut tokio::runtime::Builder::new_multi_thread(), test);
}

/// Runs a test on Tokio's current-thread flavour.
pub fn on_one_thread(test: impl Future<Output = ()>) {
    run(&mut tokio::runtime::Builder::new_current_thread(), test);
}

/// Runs a test on one flavour and then on the other.
pub fn on_both_flavours<F: Future<Output = ()>>(test: impl Fn() -> F) {
    on_two_threads(test());
    on_one_thread(test());
}

fn run(builder: &mut tokio::runtime::Builder, test: impl Future<Output = ()>) {
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let mut test = pin!(test);
        // The test is there still when this fails, so its brokers tell their last words.
        tokio::time::timeout(PATIENCE, test.as_mut()).await.expect("the test ends in time");
    });
    // What still waits for a name or a file must not hold the test up.
    runtime.shutdown_background();
}
