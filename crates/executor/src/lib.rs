//! The runtime contract: what Anabranch asks of the place that it runs in, and nothing more.
//!
//! Everything above this crate is written once against these traits. An *adapter* (one small crate for each
//! platform) keeps them, and the shared conformance suite says whether it does.
//!
//! ```text
//!                     a service:  async fn f<R: Runtime>(ctx: RuntimeContext<R>, …)
//!                                              │
//!            Runtime = TimeSource + SpawnStatically          RuntimeExt: interval, timeout,
//!                                              │                         spawn_after, yield_now
//!      ┌──────────────┬────────────────┬───────┴───────┬───────────────┐
//!  TimeSource   SpawnDynamically  SpawnStatically  SpawnBlocking   RuntimeAdapter
//!      ├──────────────┴────────────────┴───────────────┴───────────────┘
//!      │            and Network, where there is one: byte streams to the outside
//!          kept by:    Tokio  ·  Embassy  ·  WebAssembly  ·  simulation
//! ```
//!
//! **The contract:** a future that is handed to an adapter is polled until it ends or is aborted; it is polled only
//! after its waker was called; its memory is given back when it ends. Deadlines are the primitive of time: a deadline
//! in the past is ready at the first poll. Dropping a future cancels what it was waiting for.
//!
//! The crate is `no_std`, needs no allocator, holds no `unsafe`, and has no dependency that needs an operating system.
//!
//! ```
//! use anabranch_executor::{Duration, Elapsed, Runtime, RuntimeContext, RuntimeExt};
//!
//! /// Written once; runs on every runtime.
//! async fn heartbeat<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Elapsed> {
//!     let mut every = ctx.interval(Duration::from_millis(100));
//!     for _ in 0..10 {
//!         every.tick().await;
//!     }
//!     Ok(())
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod context;
mod ext;
mod joint;
mod maybe_send;
mod network;
mod spawn;
mod static_slot;
mod time;

pub use context::RuntimeContext;
pub use core::time::Duration;
pub use ext::{Elapsed, Interval, RuntimeExt, YieldNow};
pub use joint::{Joint, Progress, run_joint};
pub use maybe_send::{MaybeSend, MaybeSync};
pub use network::{
    ByteStream, ByteStreamExt, ConnectError, Endpoint, Identity, Io, Network, Roots, StreamError, Tls, Transport,
};
pub use spawn::{
    JoinError, JoinHandle, Runtime, RuntimeAdapter, SpawnBlocking, SpawnDynamically, SpawnError, SpawnStatically,
};
pub use static_slot::{Claim, Fresh, Occupied, SLOT_ALIGN, StaticSlot, TaskFn, slot_words};
pub use time::{Moment, TimeSource};
