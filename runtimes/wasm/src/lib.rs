//! The runtime contract in WebAssembly: windows, workers, Node and edge isolates, all through `globalThis`.
//!
//! ```text
//!  TimeSource        globalThis.setTimeout, cleared when a sleep is dropped; performance.now(), or Date.now() kept
//!                    from going back where there is none
//!  SpawnDynamically  a queue of its own on the microtask queue; abort drops the task
//!  SpawnStatically   the same tasks; the slot only says `Busy` while its task is there
//!  SpawnBlocking     inline, at the first poll: there is one thread
//!  Network           WebSockets: the host's own, or those of a constructor that is handed to `use_web_socket` (Node 20)
//! ```
//!
//! There is one thread. Tasks that are ready run before the host's next event, so a task that yields for ever keeps timers from
//! firing: wait for something instead. Nothing is asked of the host before it is needed, since an edge isolate refuses timers
//! while it starts.
//!
//! A panic does not unwind: it poisons the whole instance. [`watch_panics`] remembers it, [`alive`] is what an exported function
//! asks first, and [`promise`] gives promises that a panic rejects: so every call from JavaScript ends, with the code `PANICKED`.
//! Methods that are exported take `&self`: one that took `&mut self` would stay borrowed, and `wasm-bindgen` refuse it in words
//! of its own.
//!
//! The crate builds on every target, so that a program for several runtimes needs no case distinction; it runs where
//! there is a JavaScript host.
//!
//! ```no_run
//! use anabranch_executor::{SpawnDynamically, TimeSource};
//! use anabranch_wasm::WasmAdapter;
//! use std::time::Duration;
//!
//! let rt = WasmAdapter::new();
//! drop(rt.spawn(async move {
//!     rt.sleep(Duration::from_secs(1)).await;
//! }));
//! ```
#![forbid(unsafe_code)]

mod clock;
mod global;
mod network;
mod poison;
mod queue;
mod spawn;
mod timer;

pub use clock::WasmInstant;
pub use network::{WasmStream, use_web_socket};
pub use poison::{Panicked, alive, panicked, poison, promise, watch_panics};
pub use spawn::WasmJoinHandle;
pub use timer::WasmSleep;

use anabranch_executor::RuntimeAdapter;

/// Fits a JavaScript host to the runtime contract. It holds nothing: the host is global.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasmAdapter;

impl WasmAdapter {
    /// The adapter of the host that runs this instance; can stand in a `static`.
    #[must_use]
    pub const fn new() -> Self {
        WasmAdapter
    }
}

impl RuntimeAdapter for WasmAdapter {
    fn runtime_name(&self) -> &'static str {
        "wasm"
    }
}
