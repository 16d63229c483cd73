//! Tasks on the microtask queue, with a handle that can wait for them and abort them.

use crate::WasmAdapter;
use anabranch_executor::{
    JoinError, JoinHandle, MaybeSend, SpawnBlocking, SpawnDynamically, SpawnError, SpawnStatically, StaticSlot,
};
use std::{
    future::{Future, poll_fn},
    mem::replace,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use wasm_bindgen_futures::spawn_local;

/// What a task and its handle share.
#[derive(Debug)]
struct Joint<T>(Mutex<Progress<T>>);

/// How far a task has come.
#[derive(Debug)]
enum Progress<T> {
    /// It runs. To abort it, `task` is woken; when it ends, `joiner` is.
    Running { task: Option<Waker>, joiner: Option<Waker> },
    /// It was told to stop, and has not been polled since.
    Aborting { joiner: Option<Waker> },
    /// It is gone.
    Ended(Result<T, JoinError>),
    /// It is gone, and its handle has taken what it left.
    Taken,
}

impl<T> Joint<T> {
    fn progress(&self) -> MutexGuard<'_, Progress<T>> {
        // Nothing that is done under the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the task's future, unless it was told to stop.
    fn poll_task<F: Future<Output = T>>(
        &self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        match &mut *self.progress() {
            // The waker first: the future may abort its own task while it is polled.
            Progress::Running { task: Some(task), .. } => task.clone_from(cx.waker()),
            Progress::Running { task, .. } => *task = Some(cx.waker().clone()),
            _ => return Poll::Ready(Err(JoinError::Aborted)),
        }
        future.poll(cx).map(Ok)
    }

    /// Leaves what the task ended with to its handle.
    fn end(&self, outcome: Result<T, JoinError>) {
        let before = replace(&mut *self.progress(), Progress::Ended(outcome));
        if let Progress::Running { joiner: Some(joiner), .. } | Progress::Aborting { joiner: Some(joiner) } = before {
            joiner.wake();
        }
    }

    fn abort(&self) {
        let mut progress = self.progress();
        let Progress::Running { task, joiner } = &mut *progress else { return };
        let (task, joiner) = (task.take(), joiner.take());
        *progress = Progress::Aborting { joiner };
        drop(progress);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// The handle of a task in WebAssembly.
#[derive(Debug)]
pub struct WasmJoinHandle<T> {
    joint: Arc<Joint<T>>,
}

impl<T> Future for WasmJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut progress = self.joint.progress();
        let replaced = match &mut *progress {
            Progress::Running { joiner, .. } | Progress::Aborting { joiner } => joiner.replace(cx.waker().clone()),
            Progress::Taken => None,
            Progress::Ended(_) => match replace(&mut *progress, Progress::Taken) {
                Progress::Ended(outcome) => return Poll::Ready(outcome),
                _ => None,
            },
        };
        // With a waker goes, perhaps, the last of a task, which may hold this very handle.
        drop(progress);
        drop(replaced);
        Poll::Pending
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
        let joint = Arc::new(Joint(Mutex::new(Progress::Running { task: None, joiner: None })));
        let handle = WasmJoinHandle { joint: joint.clone() };
        spawn_local(async move {
            let outcome = {
                let mut future = pin!(future);
                poll_fn(|cx| joint.poll_task(future.as_mut(), cx)).await
            };
            // The future is gone by now, as whoever waits may rely on.
            joint.end(outcome);
        });
        handle
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
        spawn_local(async move {
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
