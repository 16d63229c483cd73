//! The runtime contract on Tokio, the same on its current-thread and its multi-thread flavour.
//!
//! ```text
//!  TimeSource        Tokio's timer wheel: milliseconds, rounded up, so never early
//!  SpawnDynamically  Tokio's tasks; a panic arrives as `JoinError::Panicked`
//!  SpawnStatically   the same tasks; the slot only says `Busy` while its task is there
//!  SpawnBlocking     the threads of the `blocking` crate, which no async runtime owns
//!  Network           TCP, and TLS with the feature `tls` (rustls); the runtime needs `.enable_io()` for it
//! ```
//!
//! Blocking work never needs `block_in_place` (which panics on the current-thread flavour) nor a nested `block_on`
//! (which panics on both): [`spawn_blocking`](anabranch_executor::SpawnBlocking::spawn_blocking) is the same on each
//! flavour, and on a thread that no runtime owns.
//!
//! ```
//! use anabranch_executor::{RuntimeExt, SpawnDynamically, TimeSource};
//! use anabranch_tokio::TokioAdapter;
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let rt = TokioAdapter::current()?;
//! let within = rt.clone();
//! let task = rt.spawn(async move {
//!     within.sleep(Duration::from_millis(1)).await;
//!     "done"
//! });
//! assert_eq!(task.await?, "done");
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod adapter;
mod network;
mod spawn;
mod time;

pub use adapter::{AdapterError, TokioAdapter};
pub use network::TokioStream;
pub use spawn::TokioJoinHandle;
pub use time::{TokioInstant, TokioSleep};
