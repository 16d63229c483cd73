//! The tasks of this instance, polled from the microtask queue.
//!
//! ```text
//!   spawn ─┐
//!   wake  ─┼─▶ ready ── Promise.resolve().then(RUN).catch(TRAPPED) ──▶ wakers, then each task that was ready
//!   timer ─┘                                               │
//!                                              a trap: the instance is poisoned
//! ```
//!
//! The queue is our own so that all code of tasks and wakers runs within a promise: there a panic, which traps, is caught.
//! From a plain microtask or timer it would be an uncaught exception, and those end a whole Node process.

use crate::{global::settled, poison};
use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

#[derive(Default)]
struct Queue {
    tasks: RefCell<Slab<Option<Task>>>,
    ready: RefCell<VecDeque<Arc<Ticket>>>,
    wakers: RefCell<Vec<Waker>>,
    /// Whether the host will call.
    scheduled: Cell<bool>,
}

/// A task, in its place but while it is polled.
struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// What a task's wakers share: which task it is.
struct Ticket {
    key: usize,
    /// Whether it need not be put among those that are ready: it is there, or its task is over.
    queued: AtomicBool,
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Relaxed) {
            // The table is gone when the instance is.
            let _ = QUEUE.try_with(|queue| queue.push(self));
        }
    }
}

thread_local! {
    static QUEUE: Queue = Queue::default();
    static RUN: Closure<dyn Fn()> = Closure::new(|| QUEUE.with(Queue::run));
    static TRAPPED: Closure<dyn Fn(JsValue)> = Closure::new(|error| poison::poison(&error));
}

/// Runs a future to its end, beginning with the next microtask.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    QUEUE.with(|queue| {
        let ticket = {
            let mut tasks = queue.tasks.borrow_mut();
            let place = tasks.vacant_entry();
            let ticket = Arc::new(Ticket { key: place.key(), queued: AtomicBool::new(true) });
            place.insert(Some(Task { future: Box::pin(future), waker: Waker::from(ticket.clone()) }));
            ticket
        };
        queue.push(ticket);
    });
}

/// Wakes `waker` from the next microtask: a waker may do anything, panic included.
pub fn wake(waker: Waker) {
    QUEUE.with(|queue| {
        queue.wakers.borrow_mut().push(waker);
        queue.schedule();
    });
}

impl Queue {
    fn push(&self, ticket: Arc<Ticket>) {
        self.ready.borrow_mut().push_back(ticket);
        self.schedule();
    }

    fn schedule(&self) {
        if !poison::is_poisoned() && !self.scheduled.replace(true) {
            RUN.with(|run| {
                TRAPPED.with(|trapped| {
                    settled().then(run.as_ref().unchecked_ref()).caught(trapped.as_ref().unchecked_ref())
                })
            });
        }
    }

    /// Those that become ready meanwhile come with the next microtask, so that none is polled for ever in one.
    fn run(&self) {
        self.scheduled.set(false);
        if poison::is_poisoned() {
            return;
        }
        for waker in self.wakers.take() {
            waker.wake();
        }
        let count = self.ready.borrow().len();
        for _ in 0..count {
            let next = self.ready.borrow_mut().pop_front();
            if let Some(ticket) = next {
                self.poll(&ticket);
            }
        }
    }

    fn poll(&self, ticket: &Ticket) {
        // Nothing is borrowed while it is polled or dropped: it may spawn others.
        let task = self.tasks.borrow_mut().get_mut(ticket.key).and_then(Option::take);
        let Some(mut task) = task else { return };
        ticket.queued.store(false, Relaxed);
        if task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_pending() {
            self.tasks.borrow_mut()[ticket.key] = Some(task);
            return;
        }
        // It is not woken any more, since its place may be another's.
        ticket.queued.store(true, Relaxed);
        self.tasks.borrow_mut().remove(ticket.key);
    }
}
