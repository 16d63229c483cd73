//! The conformance suite for runtimes: one list of named cases for each capability of the contract.
//!
//! An adapter's test says which capabilities it has by calling their parts; the cases are the same bytes on a server,
//! in a browser, in simulation and on a microcontroller with no heap.
//!
//! ```text
//!  capability           call                                     cases
//!  TimeSource           run_time(&rt, &mut report)               order, past, far future, cancelling, intervals, limits
//!  SpawnStatically      run_spawn_statically(rt, slots, …)       Busy, reuse, tasks that talk
//!  SpawnDynamically     run_spawn_dynamically(&rt, …)  `alloc`   values, abort, panics, delayed start, yielding
//!  SpawnBlocking        run_spawn_blocking(&rt, …)     `alloc`   values, panics, timers that go on
//!  Network              run_network(&rt, &peers, …)             both directions, ends, cuts, cancelling, wakers
//!  channels of core     run_channels(&rt, …)         `channels`   closing from either side
//!  records of core      run_records(…)               `records`   the four buffers over statics: no heap, no runtime
//!                       run_records_in_a_task(&rt, …)           values that flow and wake, over statics: time only
//!                       run_memory(place, …)                    what each buffer and handle takes, to the byte
//!                       run_heap_records(…)          `alloc`    the first over records on the heap
//!                       run_records_between_tasks(&rt, …)       the second between tasks, over the heap
//!  links: a connector   run_connectors(&fixture, …)  `connectors`  both ways, restarts of the peer, offline, shutdown
//!  store: a backend     run_backends(fresh, …)       `backends`   whole batches, views that stay, order, bounds, large rows
//!                       run_lasting_backends(…)                 what outlives the backend
//!                       run_lifecycle(&rt, …)        `lifecycle`  the loop that keeps tiers in order: no threads, no `std`
//! ```
//!
//! A case never asserts an upper bound on real time: a busy machine is not a faulty one. What hangs is reported as a
//! fault of its case when [`LIMIT`] has passed on the runtime's own clock.
//!
//! ```
//! use anabranch_conformance::*;
//! use anabranch_executor::{SpawnStatically, TimeSource};
//!
//! /// An adapter's whole test, for an adapter with time and static tasks; `write` is `println!`, `hprintln!`, `console.log`.
//! async fn keeps_the_contract<R: TimeSource + SpawnStatically, const WORDS: usize>(
//!     rt: &'static R,
//!     slots: &'static Slots<WORDS>, // static_slots!(TheAdapter)
//!     write: impl FnMut(core::fmt::Arguments<'_>),
//! ) -> bool {
//!     let platform = Platform { unwinds: false, threads: false };
//!     let mut tally = Tally::new(write);
//!     run_time(rt, &mut tally).await;
//!     run_spawn_statically(rt, slots, platform, &mut tally).await;
//!     tally.finish()
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "backends")]
mod backends;
#[cfg(feature = "alloc")]
mod blocking;
#[cfg(feature = "channels")]
mod channels;
#[cfg(feature = "connectors")]
mod connectors;
#[cfg(feature = "alloc")]
mod dynamically;
#[cfg(feature = "lifecycle")]
mod lifecycle;
mod network;
#[cfg(feature = "records")]
mod records;
mod report;
mod signal;
mod statically;
mod time;

#[cfg(feature = "backends")]
pub use backends::{run_backends, run_lasting_backends};
#[cfg(feature = "alloc")]
pub use blocking::run_spawn_blocking;
#[cfg(feature = "channels")]
pub use channels::run_channels;
#[cfg(feature = "connectors")]
pub use connectors::{ConnectorFixture, run_connectors};
#[cfg(feature = "alloc")]
pub use dynamically::run_spawn_dynamically;
#[cfg(feature = "lifecycle")]
pub use lifecycle::run_lifecycle;
pub use network::{Abilities, NetworkFixture, run_network};
#[cfg(feature = "records")]
pub use records::{Place, run_memory, run_records, run_records_in_a_task};
#[cfg(all(feature = "records", feature = "alloc"))]
pub use records::{run_heap_records, run_records_between_tasks};
pub use report::{Fault, Report, Tally};
pub use signal::Signal;
pub use statically::{Board, Part, Slots, resident, run_spawn_statically};
pub use time::run_time;

#[doc(hidden)]
pub use anabranch_executor::slot_words;
use anabranch_executor::{Duration, MaybeSend, RuntimeExt, TimeSource};
use core::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// How long a case may take on the runtime's clock before it counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What is true of the place that the adapter runs in, where the contract leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// A panic unwinds, so it ends one task and arrives as an error. Not so on WebAssembly and microcontrollers.
    pub unwinds: bool,
    /// There are several threads, so blocking work stalls no timer, and two tasks can run at the same moment.
    pub threads: bool,
}

/// Runs the named cases one after another and reports each.
macro_rules! run_cases {
    ($rt:expr, $report:expr, [$($case:ident $args:tt),* $(,)?]) => { $(
        let outcome = $crate::limited($rt, $case $args).await;
        $report.case(stringify!($case), outcome);
    )* };
}
pub(crate) use run_cases;

/// Runs one case, and turns a hang into a fault.
async fn limited<R: TimeSource>(
    rt: &R,
    case: impl Future<Output = Result<(), Fault>> + MaybeSend,
) -> Result<(), Fault> {
    rt.timeout(LIMIT, case).await.unwrap_or(Err(Fault::new("the case to end within its limit of 20 seconds")))
}

/// Polls `future` exactly once, with the waker of the task that asks.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls `future` exactly once, as a task would that nobody can wake.
fn poll_elsewhere<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
