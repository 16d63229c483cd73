//! The runtime contract on Embassy: static tasks, no heap.
//!
//! ```text
//!   EmbassyAdapter ── TimeSource ──────▶ Instant, Sleep      time.rs        the time driver of embassy-time
//!        │          └────────────────▶ unix_time           wall_clock.rs  told by the application
//!        ├───────── SpawnStatically ──▶ task storage        slot.rs        in a StaticSlot; the only unsafe
//!        ├───────── SpawnBlocking ────▶ inline
//!        ├───────── SpawnDynamically ─▶ boxed futures       heap.rs        `alloc`: storage of tasks that ended serves again
//!        ├───────── Network ──────────▶ EmbassyStream       network.rs     `net`: TCP sockets of embassy-net, in a static
//!        └───────── keep_unix_time ───▶ unix_time          time_server.rs `sntp`: from a time server; sntp.rs is its packets
//! ```
//!
//! **The contract:** every task lives in a `static` that its service declared, so memory is known when the firmware is
//! linked, and spawning fails only by [`SpawnError`](anabranch_executor::SpawnError): no allocator is ever needed. With the
//! feature `alloc`, and an allocator of the application's, tasks on the heap stand beside them.
//!
//! ```ignore
//! static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();
//!
//! #[embassy_executor::main]
//! async fn main(spawner: Spawner) {
//!     let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
//!     Cooling::spawn_static(runtime, TEMPERATURE.consumer(), FAN.producer())?;
//! }
//! ```
//!
//! What stays the application's, as everywhere in Embassy:
//! - **The time driver and its tick.** Instants are as fine as its tick; a deadline rounds up to the next one. Where a
//!   service waits through a combinator that makes wakers of its own (`FuturesUnordered`), the driver's queue has to take
//!   them: choose `generic-queue-…` of `embassy-time`, as its default queue knows Embassy's wakers only, and panics.
//! - **The panic handler.** Microcontrollers do not unwind, so a panic ends the program and not one service: let the
//!   handler record the message where it survives, and reset the board.
//! - **The wall clock.** [`unix_time`](anabranch_executor::TimeSource::unix_time) is `None` until
//!   `EmbassyAdapter::set_unix_time` was called, with the time from a real-time clock or a host; `keep_unix_time` calls it with
//!   that of a time server (`sntp`).
//! - **The network** (`net`): its driver, its stack and the task of the stack's runner. The stack keeps one place for whoever
//!   waits in `Stack::wait_…_up`: let one task at a time do that, as two wake each other for ever.
//!
//! ```ignore
//! static SOCKETS: Sockets<1, 2048, 1024> = Sockets::new(); // connections, bytes received, bytes to send
//!
//! let (stack, runner) = embassy_net::new(driver, Config::dhcpv4(Default::default()), resources, seed);
//! spawner.spawn(network(runner)?);
//! let runtime = RUNTIME.init(EmbassyAdapter::new(spawner).with_network(stack, &SOCKETS));
//! ```
//!
//! `EmbassyAdapter` itself exists on targets without an operating system only: its tasks stay on one core, while hosts
//! may move them between threads. What it is made of is tested on hosts and under Miri all the same.
#![no_std]

#[cfg(target_os = "none")]
mod adapter;
#[cfg(all(feature = "net", any(target_os = "none", test)))]
mod endpoint;
#[cfg(all(feature = "alloc", target_os = "none"))]
mod heap;
#[cfg(all(feature = "net", target_os = "none"))]
mod log;
#[cfg(all(feature = "net", target_os = "none"))]
mod network;
#[cfg(any(target_os = "none", test))]
mod slot;
#[cfg(all(feature = "sntp", any(target_os = "none", test)))]
mod sntp;
mod time;
#[cfg(all(feature = "sntp", target_os = "none"))]
mod time_server;
#[cfg(any(target_os = "none", test))]
mod wall_clock;

#[cfg(target_os = "none")]
pub use adapter::EmbassyAdapter;
#[cfg(all(feature = "alloc", target_os = "none"))]
pub use heap::EmbassyJoinHandle;
#[cfg(all(feature = "net", target_os = "none"))]
pub use network::{EmbassyStream, Sockets};
#[cfg(target_os = "none")]
pub use slot::TaggedTask;
pub use time::{Instant, Sleep};
#[cfg(all(feature = "sntp", target_os = "none"))]
pub use time_server::TimeServerError;

#[doc(hidden)]
pub use anabranch_executor::slot_words as __words_of;

/// How many words of static storage the tasks of `$task`, a function generic over the runtime, need on Embassy.
///
/// It is resolved where this crate is compiled, so a crate of services needs neither a feature nor a `cfg` of its own.
#[cfg(target_os = "none")]
#[doc(hidden)]
#[macro_export]
macro_rules! __slot_words {
    ($task:ident) => {
        $crate::__words_of::<$crate::EmbassyAdapter, _, _>($task::<$crate::EmbassyAdapter>)
    };
}

/// No task runs on Embassy here, so none needs static storage.
#[cfg(not(target_os = "none"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __slot_words {
    ($task:ident) => {
        0
    };
}
