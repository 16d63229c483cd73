//! Tasks on the microtask queue, with a handle that can wait for them and abort them.

use crate::{WasmAdapter, queue};
use anabranch_executor::{
    JoinError, JoinHandle, Joint, MaybeSend, Progress, SpawnBlocking, SpawnDynamically, SpawnError, SpawnStatically,
    StaticSlot, run_joint,
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

/// What a task and its handle share.
#[derive(Debug)]
struct Shared<T>(Mutex<Progress<T>>);

impl<T> Joint<T> for Shared<T> {
    fn with<R>(&self, work: impl FnOnce(&mut Progress<T>) -> R) -> R {
        // Nothing that is done under the lock can panic.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The handle of a task in WebAssembly.
#[derive(Debug)]
pub struct WasmJoinHandle<T> {
    joint: Arc<Shared<T>>,
}

impl<T> Future for WasmJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.joint.poll_join(cx)
    }
}

impl<T: MaybeSend + 'static> JoinHandle<T> for WasmJoinHandle<T> {
    fn abort(&self) {
        self.joint.abort();
    }
}

impl SpawnDynamically for WasmAdapter {
    type JoinHandle<T: MaybeSend + 'static> = WasmJoinHandle<T>;

    fn spawn<F>(&self, future: F) -> WasmJoinHandle<F::Output>
    where
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static,
    {
        let joint = Arc::new(Shared(Mutex::new(Progress::new())));
        queue::spawn(run_joint(joint.clone(), future));
        WasmJoinHandle { joint }
    }
}

impl SpawnStatically for WasmAdapter {
    type Storage<F: Future<Output = ()> + MaybeSend + 'static> = ();

    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        slot: &'static StaticSlot<WORDS>,
        make: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + MaybeSend + 'static,
    {
        let occupied = slot.occupy()?;
        let future = make();
        queue::spawn(async move {
            let _occupied = occupied;
            future.await;
        });
        Ok(())
    }
}

impl SpawnBlocking for WasmAdapter {
    #[expect(clippy::manual_async_fn, reason = "an `async fn` would borrow the adapter for as long as the work runs")]
    fn spawn_blocking<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + MaybeSend + 'static
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        async move { Ok(work()) }
    }
}
