//! Tasks on the heap: boxed futures, in storage that serves again when its task has ended.
//!
//! Embassy keeps pointers to a task's storage after the task's end, so storage can never be given back to the allocator.
//! What a task captures can: it stands in a box. So a program keeps as many headers, some forty bytes each, as it ever had
//! tasks at once, and nothing else.

extern crate alloc;

use crate::EmbassyAdapter;
use alloc::{boxed::Box, rc::Rc, vec::Vec};
use anabranch_executor::{JoinError, JoinHandle, Joint, Progress, SpawnDynamically, run_joint};
use core::{
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
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
struct Shared<T>(RefCell<Progress<T>>);

impl<T> Joint<T> for Shared<T> {
    fn with<R>(&self, work: impl FnOnce(&mut Progress<T>) -> R) -> R {
        work(&mut self.0.borrow_mut())
    }
}

/// The handle of a task on Embassy.
pub struct EmbassyJoinHandle<T> {
    joint: Rc<Shared<T>>,
}

impl<T> fmt::Debug for EmbassyJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbassyJoinHandle")
    }
}

impl<T> Future for EmbassyJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.joint.poll_join(cx)
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
        let joint = Rc::new(Shared(RefCell::new(Progress::new())));
        self.spawner().spawn(place(run_joint(joint.clone(), future)));
        EmbassyJoinHandle { joint }
    }
}
