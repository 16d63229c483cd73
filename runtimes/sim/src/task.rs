//! A task as its wakers and its handle see it: a few bits that say whether it must be polled, and its value.

use crate::scheduler::Core;
use anabranch_executor::{JoinError, JoinHandle, MaybeSend};
use std::{
    fmt,
    future::Future,
    mem,
    panic::Location,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// The task has been woken and not been polled since.
const WOKEN: u8 = 1;
/// It is being polled. Whoever polls it looks at `WOKEN` afterwards, so a waker need not queue it.
const RUNNING: u8 = 2;
/// It is to be dropped instead of polled.
const ABORTED: u8 = 4;
/// It is gone: nothing wakes it any more.
const ENDED: u8 = 8;

/// What a task's wakers hold.
pub(crate) struct Task {
    core: Arc<Core>,
    key: usize,
    bits: AtomicU8,
}

/// What the scheduler does with a task that it has picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Poll,
    Abort,
}

impl Task {
    /// A task that waits for its first poll, and so already stands in the list of ready ones.
    pub(crate) fn ready(core: Arc<Core>, key: usize) -> Arc<Self> {
        Arc::new(Task { core, key, bits: AtomicU8::new(WOKEN) })
    }

    /// A task that never runs.
    pub(crate) fn refused(core: Arc<Core>) -> Arc<Self> {
        Arc::new(Task { core, key: usize::MAX, bits: AtomicU8::new(ENDED) })
    }

    pub(crate) fn begin(&self) -> Turn {
        match self.bits.swap(RUNNING, Ordering::AcqRel) & ABORTED {
            0 => Turn::Poll,
            _ => Turn::Abort,
        }
    }

    /// Ends a poll that left the task waiting; true when the task was woken meanwhile and must be queued again.
    pub(crate) fn pause(&self) -> bool {
        self.bits.fetch_and(!RUNNING, Ordering::AcqRel) & WOKEN != 0
    }

    pub(crate) fn end(&self) {
        self.bits.store(ENDED, Ordering::Release);
    }

    /// Marks the task as woken; true when it was asleep, and so must be queued by the caller.
    pub(crate) fn rouse(&self) -> bool {
        self.bits.fetch_or(WOKEN, Ordering::AcqRel) & (WOKEN | RUNNING | ENDED) == 0
    }

    /// Queues a task that a fault had held up, unless it is gone.
    pub(crate) fn go_on(&self) {
        if self.bits.load(Ordering::Acquire) & ENDED == 0 {
            self.core.queue(self.key);
        }
    }

    fn abort(&self) {
        if self.bits.fetch_or(WOKEN | ABORTED, Ordering::AcqRel) & (WOKEN | RUNNING | ENDED) == 0 {
            self.core.queue(self.key);
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rouse() {
            self.core.queue(self.key);
        }
    }
}

/// Who a task is, for people: its number in the trace, its name and where it was spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLabel {
    /// Its number in the trace, counted from 0 in the order of spawning.
    pub id: u64,
    /// The name that it was given, or the type of its future, which names the function that made it.
    pub name: &'static str,
    /// The line that spawned it.
    pub spawned_at: &'static Location<'static>,
}

impl fmt::Display for TaskLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} `{}` (spawned at {})", self.id, self.name, self.spawned_at)
    }
}

/// The end of a task that has no value to give, told to whoever awaits it.
pub(crate) trait Ending: Send + Sync {
    fn end(&self, error: JoinError);
}

/// Where a task's value waits for its handle.
#[derive(Debug)]
pub(crate) struct Outcome<T>(Mutex<OutcomeState<T>>);

#[derive(Debug)]
enum OutcomeState<T> {
    Running(Option<Waker>),
    Ended(Result<T, JoinError>),
    Taken,
}

impl<T> Outcome<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Outcome(Mutex::new(OutcomeState::Running(None))))
    }

    pub(crate) fn set(&self, result: Result<T, JoinError>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let OutcomeState::Running(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = OutcomeState::Ended(result);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A handle that was awaited to its end stays pending when it is polled once more.
    fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, JoinError>> {
        let new = cx.waker().clone();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            OutcomeState::Running(waker) => {
                let former = waker.replace(new);
                drop(state);
                drop(former);
                Poll::Pending
            }
            OutcomeState::Ended(_) => match mem::replace(&mut *state, OutcomeState::Taken) {
                OutcomeState::Ended(result) => Poll::Ready(result),
                OutcomeState::Running(_) | OutcomeState::Taken => Poll::Pending,
            },
            OutcomeState::Taken => Poll::Pending,
        }
    }
}

impl<T: Send> Ending for Outcome<T> {
    fn end(&self, error: JoinError) {
        self.set(Err(error));
    }
}

/// The handle of a task in simulation: await it for the task's value, or abort the task.
///
/// An aborted task becomes ready. When the seed picks it, its future is dropped instead of polled; no time passes
/// until then, and the drop never happens inside `abort()`, as on Tokio.
pub struct SimJoinHandle<T> {
    pub(crate) outcome: Arc<Outcome<T>>,
    pub(crate) task: Arc<Task>,
}

impl<T> fmt::Debug for SimJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimJoinHandle").finish_non_exhaustive()
    }
}

impl<T> Future for SimJoinHandle<T> {
    type Output = Result<T, JoinError>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.outcome.poll(cx)
    }
}

impl<T: MaybeSend + 'static> JoinHandle<T> for SimJoinHandle<T> {
    fn abort(&self) {
        self.task.abort();
    }
}
