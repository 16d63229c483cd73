//! What a task and its handle share, on executors that give no handles of their own.

use crate::JoinError;
use core::{
    future::{Future, poll_fn},
    mem::replace,
    ops::Deref,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

/// How far a task has come. Its adapter keeps it in a [`Joint`].
#[derive(Debug)]
pub struct Progress<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    /// It runs. To abort it, `task` is woken; when it ends, `joiner` is.
    Running { task: Option<Waker>, joiner: Option<Waker> },
    /// It was told to stop, and has not been polled since.
    Aborting { joiner: Option<Waker> },
    /// It is gone.
    Ended(Result<T, JoinError>),
    /// It is gone, and its handle has taken what it left.
    Taken,
}

impl<T> Progress<T> {
    /// That of a task which has not been polled yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(State::Running { task: None, joiner: None })
    }
}

impl<T> Default for Progress<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A task's [`Progress`] between the task and its handle, for an adapter that writes its own
/// [`JoinHandle`](crate::JoinHandle): the adapter brings the lock, this trait the rest.
///
/// [`run_joint`] is the task; [`poll_join`](Joint::poll_join) and [`abort`](Joint::abort) are the handle's.
pub trait Joint<T> {
    /// Gives `work` the progress alone, for as long as it runs. `work` does not panic, and wakes nobody.
    fn with<R>(&self, work: impl FnOnce(&mut Progress<T>) -> R) -> R;

    /// Polls the task's future, unless it was told to stop.
    fn poll_task<F: Future<Output = T>>(
        &self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        // The waker first: the future may abort its own task while it is polled.
        let runs = self.with(|progress| {
            match &mut progress.0 {
                State::Running { task: Some(task), .. } => task.clone_from(cx.waker()),
                State::Running { task, .. } => *task = Some(cx.waker().clone()),
                _ => return false,
            }
            true
        });
        if runs { future.poll(cx).map(Ok) } else { Poll::Ready(Err(JoinError::Aborted)) }
    }

    /// Leaves what the task ended with to its handle.
    fn end(&self, outcome: Result<T, JoinError>) {
        let before = self.with(|progress| replace(&mut progress.0, State::Ended(outcome)));
        if let State::Running { joiner: Some(joiner), .. } | State::Aborting { joiner: Some(joiner) } = before {
            joiner.wake();
        }
    }

    /// Tells the task to stop, if it still runs: it is dropped when its executor polls it next.
    fn abort(&self) {
        let task = self.with(|progress| {
            let State::Running { task, joiner } = &mut progress.0 else { return None };
            let (task, joiner) = (task.take(), joiner.take());
            progress.0 = State::Aborting { joiner };
            task
        });
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Takes what the task ended with, once; pending before, and for ever after.
    fn poll_join(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        // With a waker goes, perhaps, the last of a task, which may hold this very handle: so it leaves the lock first.
        let (polled, _replaced) = self.with(|progress| match &mut progress.0 {
            State::Running { joiner, .. } | State::Aborting { joiner } => {
                (Poll::Pending, joiner.replace(cx.waker().clone()))
            }
            State::Ended(_) | State::Taken => match replace(&mut progress.0, State::Taken) {
                State::Ended(outcome) => (Poll::Ready(outcome), None),
                _ => (Poll::Pending, None),
            },
        });
        polled
    }
}

/// A task: `future`, until it ends or is aborted; then the handle has what it left, and `future` is gone.
pub async fn run_joint<T, J: Joint<T>>(joint: impl Deref<Target = J>, future: impl Future<Output = T>) {
    let outcome = {
        let mut future = pin!(future);
        poll_fn(|cx| joint.poll_task(future.as_mut(), cx)).await
    };
    // The future is gone by now, as whoever waits may rely on.
    joint.end(outcome);
}
