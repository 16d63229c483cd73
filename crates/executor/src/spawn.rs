//! Starting tasks: on the heap, in static storage, and off the async threads.

use crate::{MaybeSend, MaybeSync, StaticSlot, TimeSource};
use core::future::Future;

/// What every adapter is: cheap to clone, `'static`, and able to say its name.
pub trait RuntimeAdapter: Clone + MaybeSend + MaybeSync + 'static {
    /// The runtime's name for people and logs: `"tokio"`, `"embassy"`, `"wasm"`, `"sim"`.
    fn runtime_name(&self) -> &'static str;
}

/// Why a spawned task gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum JoinError {
    /// [`JoinHandle::abort`] ended it, or its runtime shut down.
    #[error("the task was aborted before it ended")]
    Aborted,
    /// It panicked. The panic touched no other task; its message went to the panic hook.
    #[error("the task panicked; the panic hook printed where and why")]
    Panicked,
}

/// A spawned task's other end: await it for the task's value, or abort the task.
///
/// Dropping the handle lets the task run on by itself.
pub trait JoinHandle<T>: Future<Output = Result<T, JoinError>> + Unpin + MaybeSend + 'static {
    /// Asks the runtime to drop the task. A task that has ended already keeps its value. Returns at once; await the
    /// handle to know that the task is gone.
    fn abort(&self);
}

/// Spawns futures into memory that the runtime allocates.
pub trait SpawnDynamically: RuntimeAdapter {
    /// The handle of a spawned task.
    type JoinHandle<T: MaybeSend + 'static>: JoinHandle<T>;

    /// Starts `future` as a task of its own.
    ///
    /// On targets that unwind, a panic in it ends this task only, and arrives as [`JoinError::Panicked`].
    fn spawn<F>(&self, future: F) -> Self::JoinHandle<F::Output>
    where
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static;
}

/// Why a task was not started in its static slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SpawnError {
    /// The task that lives in this slot still runs. Wait for it to end, or declare more `instances`.
    #[error("this task already runs in its static slot; wait for it to end, or declare more `instances`")]
    Busy,
    /// The slot was first used by another adapter or another task, whose storage it keeps for ever.
    #[error("this static slot belongs to another runtime or task; start a service on one runtime only")]
    WrongType,
}

/// Spawns futures into storage that the caller declared `static`: no heap.
///
/// Runtimes that have a heap keep this trait too, and leave the slot empty, so that one service has one API.
pub trait SpawnStatically: RuntimeAdapter {
    /// What the adapter places into a slot for a task of type `F`; `()` where it uses the heap.
    type Storage<F: Future<Output = ()> + MaybeSend + 'static>: 'static;

    /// Makes the future and starts it in `slot`. `make` is called at most once, and not when the slot is taken.
    ///
    /// # Errors
    /// [`SpawnError::Busy`] while the slot's task runs; the slot can be used again when it has ended.
    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        slot: &'static StaticSlot<WORDS>,
        make: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + MaybeSend + 'static;
}

/// Runs closures that block (files, heavy computation) where they stall no async task.
///
/// Where there are threads, the pool belongs to no async runtime, so it works the same on each; where there are none
/// the closure runs inline, at the first poll. The closure starts at the latest when the future is polled; dropping
/// the future does not stop a closure that has started.
pub trait SpawnBlocking: RuntimeAdapter {
    /// Runs `work` and gives its value, or [`JoinError::Panicked`] when it panicked.
    fn spawn_blocking<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + MaybeSend + 'static
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static;
}

/// The one bound that a service writes.
///
/// ```
/// # use anabranch_executor::{Runtime, RuntimeContext};
/// async fn service<R: Runtime>(ctx: RuntimeContext<R>) { /* … */ }
/// ```
pub trait Runtime: TimeSource + SpawnStatically {}
impl<R: TimeSource + SpawnStatically> Runtime for R {}
