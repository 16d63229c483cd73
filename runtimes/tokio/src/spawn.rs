//! Tasks: Tokio's own, and blocking work on threads that Tokio does not own.

use crate::TokioAdapter;
use anabranch_executor::{
    JoinError, JoinHandle, SpawnBlocking, SpawnDynamically, SpawnError, SpawnStatically, StaticSlot,
};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// The handle of a task on Tokio.
#[derive(Debug)]
pub struct TokioJoinHandle<T> {
    task: tokio::task::JoinHandle<T>,
}

impl<T> Future for TokioJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(cx).map_err(|error| match error.is_panic() {
            true => JoinError::Panicked,
            false => JoinError::Aborted,
        })
    }
}

impl<T: Send + 'static> JoinHandle<T> for TokioJoinHandle<T> {
    fn abort(&self) {
        self.task.abort();
    }
}

impl SpawnDynamically for TokioAdapter {
    type JoinHandle<T: Send + 'static> = TokioJoinHandle<T>;

    fn spawn<F>(&self, future: F) -> TokioJoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TokioJoinHandle { task: self.handle().spawn(future) }
    }
}

impl SpawnStatically for TokioAdapter {
    type Storage<F: Future<Output = ()> + Send + 'static> = ();

    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        slot: &'static StaticSlot<WORDS>,
        make: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let occupied = slot.occupy()?;
        let future = make();
        self.handle().spawn(async move {
            // Goes with the task: at its end, in a panic, or when the runtime shuts down.
            let _occupied = occupied;
            future.await;
        });
        Ok(())
    }
}

impl SpawnBlocking for TokioAdapter {
    fn spawn_blocking<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + Send + 'static
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // The pool would pass a panic on to whoever awaits the work. The closure is gone after a panic, so nothing can
        // see what it left half done but through what it shares, as with any thread.
        blocking::unblock(move || catch_unwind(AssertUnwindSafe(work)).map_err(|_| JoinError::Panicked))
    }
}
