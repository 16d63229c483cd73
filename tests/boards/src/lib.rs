//! Boards in QEMU for tests: built once, started with a cable that can be pulled, watched by what they print, and at an end
//! by their own exit code.
//!
//! ```text
//!   Board (QEMU, firmware-mqtt) ──virtual Ethernet──▶ Mosquitto ◀── Peer (Tokio, records with links) · Observer (rumqttc)
//!        │ monitor: the cable              10.0.2.2 is this machine
//! ```
//!
//! **The contract:** each board has a network of its own, from which this machine is reached by its loopback address, and
//! nothing else is listened to. A board that a test leaves is killed, and prints its last words when the test has failed.
#![forbid(unsafe_code)]

mod board;
mod firmware;
mod monitor;
mod peer;

pub use board::{Board, Clock, Wire};
pub use firmware::{FIRMWARE, built};
pub use monitor::Monitor;
pub use peer::Peer;

use std::{future::Future, pin::pin, time::Duration};

/// Runs a test, which has to end within so many seconds. It runs on a thread of its own runtime, with one to spare.
pub fn within(seconds: u64, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    // Before the time runs: another test may be building it.
    built(FIRMWARE);
    runtime.block_on(async {
        let mut test = pin!(test);
        // The test is there still when this fails, so its board and its broker tell their last words.
        tokio::time::timeout(Duration::from_secs(seconds), test.as_mut()).await.expect("the test ends in time");
    });
    runtime.shutdown_background();
}
