//! Tasks on the heap: boxed futures, in storage that serves again when its task has ended.
//!
//! Embassy keeps pointers to a task's storage after the task's end, so storage can never be given back to the allocator.
//! What a task captures can: it stands in a box. So a program keeps as many headers, some forty bytes each, as it ever had
//! tasks at once, and nothing else.

extern crate alloc;

use crate::EmbassyAdapter;
use alloc::{boxed::Box, rc::Rc, vec::Vec};
use anabranch_executor::{JoinError, JoinHandle, SpawnDynamically};
use core::{
    cell::{Cell, RefCell},
    fmt,
    future::{Future, poll_fn},
    mem::replace,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use critical_section::Mutex;
use embassy_executor::{SpawnToken, raw::TaskStorage};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;
type Storage = &'static TaskStorage<Boxed>;

/// Storage whose task has ended.
static FREE: Mutex<RefCell<Vec<Storage>>> = Mutex::new(RefCell::new(Vec::new()));

fn free(storage: Storage) {
    critical_section::with(|cs| FREE.borrow_ref_mut(cs).push(storage));
}

/// Puts a task into storage that is free, or new.
fn place(future: impl Future<Output = ()> + 'static) -> SpawnToken<impl Sized> {
    let used = critical_section::with(|cs| FREE.borrow_ref_mut(cs).pop());
    let mut storage = used.unwrap_or_else(new);
    let future = Rc::new(Cell::new(Some(future)));
    loop {
        let future = future.clone();
        let placed = storage.spawn(move || -> Boxed {
            let future = future.take();
            Box::pin(async move {
                if let Some(future) = future {
                    future.await;
                }
                free(storage);
            })
        });
        match placed {
            Ok(token) => return token,
            // An executor of an interrupt has come in just when that task was ending.
            Err(_) => free(core::mem::replace(&mut storage, new())),
        }
    }
}

fn new() -> Storage {
    Box::leak(Box::new(TaskStorage::new()))
}

/// What a task and its handle share. They stay on one core, and the interrupt handlers of that know neither.
struct Joint<T>(RefCell<Progress<T>>);

/// How far a task has come.
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
    /// Polls the task's future, unless it was told to stop.
    fn poll_task<F: Future<Output = T>>(
        &self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        match &mut *self.0.borrow_mut() {
            // The waker first: the future may abort its own task while it is polled.
            Progress::Running { task: Some(task), .. } => task.clone_from(cx.waker()),
            Progress::Running { task, .. } => *task = Some(cx.waker().clone()),
            _ => return Poll::Ready(Err(JoinError::Aborted)),
        }
        future.poll(cx).map(Ok)
    }

    /// Leaves what the task ended with to its handle.
    fn end(&self, outcome: Result<T, JoinError>) {
        let before = self.0.replace(Progress::Ended(outcome));
        if let Progress::Running { joiner: Some(joiner), .. } | Progress::Aborting { joiner: Some(joiner) } = before {
            joiner.wake();
        }
    }

    fn abort(&self) {
        let mut progress = self.0.borrow_mut();
        let Progress::Running { task, joiner } = &mut *progress else { return };
        let (task, joiner) = (task.take(), joiner.take());
        *progress = Progress::Aborting { joiner };
        drop(progress);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// The handle of a task on Embassy.
pub struct EmbassyJoinHandle<T> {
    joint: Rc<Joint<T>>,
}

impl<T> fmt::Debug for EmbassyJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbassyJoinHandle")
    }
}

impl<T> Future for EmbassyJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut progress = self.joint.0.borrow_mut();
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

impl<T: 'static> JoinHandle<T> for EmbassyJoinHandle<T> {
    fn abort(&self) {
        self.joint.abort();
    }
}

impl SpawnDynamically for EmbassyAdapter {
    type JoinHandle<T: 'static> = EmbassyJoinHandle<T>;

    /// The task's future is on the heap, and leaves it when the task ends; its header stays, for the next task.
    fn spawn<F>(&self, future: F) -> EmbassyJoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let joint = Rc::new(Joint(RefCell::new(Progress::Running { task: None, joiner: None })));
        let handle = EmbassyJoinHandle { joint: joint.clone() };
        self.spawner().spawn(place(async move {
            let outcome = {
                let mut future = pin!(future);
                poll_fn(|cx| joint.poll_task(future.as_mut(), cx)).await
            };
            // The future is gone by now, as whoever waits may rely on.
            joint.end(outcome);
        }));
        handle
    }
}
