//! The adapter: a handle to a Tokio runtime that was found to have a timer.

use anabranch_executor::RuntimeAdapter;
use std::panic::catch_unwind;
use tokio::{
    runtime::{EnterGuard, Handle},
    task,
};

/// Why there is no adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AdapterError {
    /// The calling thread is in no Tokio runtime.
    #[error(
        "no Tokio runtime is running on this thread; call `TokioAdapter::current()` inside `#[tokio::main] async fn \
         main()`, or make a runtime and write `TokioAdapter::new(runtime.handle().clone())`"
    )]
    NoRuntime,
    /// The runtime was built without its timer, so nothing could sleep in it.
    #[error(
        "this Tokio runtime was built without a timer; write `.enable_time()` (or `.enable_all()`) on its \
         `tokio::runtime::Builder` before `.build()`"
    )]
    NoTimer,
}

/// Fits Tokio to the runtime contract. Cheap to clone; can be used on any thread, also on one outside the runtime.
///
/// A sleep that is made inside a task of another Tokio runtime uses the timer of that one, which has to have one.
///
/// It does not keep the runtime alive: when the `tokio::runtime::Runtime` is dropped its tasks are aborted, tasks that
/// are spawned later arrive as aborted at once, and a sleep that is polled later panics as Tokio's own do.
#[derive(Debug, Clone)]
pub struct TokioAdapter {
    handle: Handle,
}

impl TokioAdapter {
    /// The adapter of the runtime that runs the caller.
    ///
    /// # Errors
    /// [`AdapterError::NoRuntime`] outside a runtime, [`AdapterError::NoTimer`] in one without a timer.
    pub fn current() -> Result<Self, AdapterError> {
        Handle::try_current().map_err(|_| AdapterError::NoRuntime).and_then(Self::new)
    }

    /// The adapter of the runtime that `handle` belongs to.
    ///
    /// # Errors
    /// [`AdapterError::NoTimer`] when the runtime was built without one.
    pub fn new(handle: Handle) -> Result<Self, AdapterError> {
        // Tokio has no other way to ask than to try; the panic is caught here, once, and not in the middle of a service.
        let has_timer = catch_unwind(|| {
            let _context = handle.enter();
            drop(tokio::time::sleep(std::time::Duration::ZERO));
        });
        has_timer.map_err(|_| AdapterError::NoTimer)?;
        Ok(TokioAdapter { handle })
    }

    /// The runtime's handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Makes the runtime's timer reachable, where it is not: inside a task it is already, and asking is next to free,
    /// where entering costs a few hundredths of a task's whole life.
    pub(crate) fn context(&self) -> Option<EnterGuard<'_>> {
        task::try_id().is_none().then(|| self.handle.enter())
    }
}

impl RuntimeAdapter for TokioAdapter {
    fn runtime_name(&self) -> &'static str {
        "tokio"
    }
}
