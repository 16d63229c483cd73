//! Who waits on a record: a doubly linked list of wakers whose nodes live in the waiting futures, so that waiting needs
//! no memory of the record and any number can wait.
//!
//! INVARIANT: a node is in a list only while its future is pinned and alive (the future's drop takes it out); the
//! fields behind a node's cell are touched only while the lock of the record that owns the list is held.

use core::{
    cell::{Cell, UnsafeCell},
    future::Future,
    marker::PhantomPinned,
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
};

struct Links {
    previous: *const Waiter,
    next: *const Waiter,
    waker: Option<Waker>,
    /// The head of the record when it began to wait.
    since: u64,
    linked: bool,
}

/// A place in a waiters' list, inside the future that waits.
pub(crate) struct Waiter {
    links: UnsafeCell<Links>,
    /// Whether it may be linked; touched by the owning future only, so it is still set when somebody else unlinked it.
    used: Cell<bool>,
    _pinned: PhantomPinned,
}

// SAFETY: `links` is touched under the record's lock only; a `Waker` may be sent and shared. `used` is touched
// through the pinned mutable reference of the owning future only, which one thread has at a time.
unsafe impl Send for Waiter {}
// SAFETY: nothing can be done with a shared `Waiter`: its methods need the list, or `&mut`.
unsafe impl Sync for Waiter {}

impl Waiter {
    #[inline]
    pub(crate) const fn new() -> Self {
        Waiter {
            links: UnsafeCell::new(Links {
                previous: ptr::null(),
                next: ptr::null(),
                waker: None,
                since: 0,
                linked: false,
            }),
            used: Cell::new(false),
            _pinned: PhantomPinned,
        }
    }

    /// Whether it may be linked: one that is not used is in no list.
    #[inline]
    pub(crate) fn used(&self) -> bool {
        self.used.get()
    }
}

/// What a [`Wait`] waits for.
pub(crate) trait WaitFor {
    type Output;
    /// Ends, or links `waiter` into a record's list.
    fn poll(&mut self, waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<Self::Output>;
    /// Takes `waiter`, which may be linked, out of its record's list.
    fn cancel(&mut self, waiter: Pin<&mut Waiter>);
}

/// A future with a waiter in it, which leaves its list when the future is dropped.
pub(crate) struct Wait<W: WaitFor> {
    waits_for: W,
    waiter: Waiter,
}

impl<W: WaitFor> Wait<W> {
    #[inline]
    pub(crate) fn new(waits_for: W) -> Self {
        Wait { waits_for, waiter: Waiter::new() }
    }

    #[inline]
    pub(crate) fn parts(self: Pin<&mut Self>) -> (&mut W, Pin<&mut Waiter>) {
        // SAFETY: `waiter` is pinned whenever the whole is, and is never moved out; `waits_for` is never pinned.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.waits_for, Pin::new_unchecked(&mut this.waiter))
        }
    }
}

impl<W: WaitFor> Future for Wait<W> {
    type Output = W::Output;
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<W::Output> {
        let (waits_for, waiter) = self.parts();
        waits_for.poll(waiter, cx.waker())
    }
}

impl<W: WaitFor> Drop for Wait<W> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.used.get() {
            // SAFETY: a value that is being dropped is not moved again, and was pinned when its waiter was used.
            let (waits_for, waiter) = unsafe { Pin::new_unchecked(self) }.parts();
            waits_for.cancel(waiter);
        }
    }
}

/// The waiters of one record, oldest first.
pub(crate) struct List {
    first: *const Waiter,
    last: *const Waiter,
}

// SAFETY: the list is part of a record's locked state; the nodes that it points to are `Send`.
unsafe impl Send for List {}

impl List {
    pub(crate) const fn new() -> Self {
        List { first: ptr::null(), last: ptr::null() }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Links `waiter` at the end, or renews the waker of one that is linked. Gives back a waker that was replaced: to be
    /// dropped outside the lock, since that may drop a task that waits on this very record.
    #[must_use]
    pub(crate) fn insert(&mut self, waiter: Pin<&mut Waiter>, waker: &Waker, since: u64) -> Option<Waker> {
        waiter.used.set(true);
        let node: *const Waiter = &raw const *waiter;
        // SAFETY: the waiter is pinned, so the address stays good until its drop unlinks it; `&mut self` is reached
        // only with the lock held, so nobody else touches any node's links.
        unsafe {
            let links = (*node).links.get();
            let replaced = match &(*links).waker {
                Some(same) if same.will_wake(waker) => None,
                _ => (*links).waker.replace(waker.clone()),
            };
            if (*links).linked {
                return replaced;
            }
            (*links).since = since;
            (*links).linked = true;
            (*links).previous = self.last;
            (*links).next = ptr::null();
            if self.last.is_null() {
                self.first = node;
            } else {
                (*(*self.last).links.get()).next = node;
            }
            self.last = node;
            replaced
        }
    }

    /// Takes `waiter` out, if it is in; its future then need not do so when it is dropped.
    pub(crate) fn remove(&mut self, waiter: Pin<&mut Waiter>) {
        if waiter.used.replace(false) {
            // SAFETY: the waiter is alive (it is borrowed), and the lock is held.
            unsafe { self.unlink(&raw const *waiter) };
        }
    }

    /// # Safety
    /// `node` is alive, and the lock of the record is held.
    unsafe fn unlink(&mut self, node: *const Waiter) {
        // SAFETY: linked nodes are alive by the invariant, and only the holder of the lock touches links.
        unsafe {
            let links = (*node).links.get();
            if !(*links).linked {
                return;
            }
            let (previous, next) = ((*links).previous, (*links).next);
            if previous.is_null() {
                self.first = next;
            } else {
                (*(*previous).links.get()).next = next;
            }
            if next.is_null() {
                self.last = previous;
            } else {
                (*(*next).links.get()).previous = previous;
            }
            (*links).linked = false;
        }
    }

    /// Takes out the wakers of those who began to wait before `before`, oldest first, as many as fit. Who waits again
    /// while they are woken has a newer `since`, so taking batch after batch comes to an end.
    pub(crate) fn take(&mut self, batch: &mut Batch, before: u64) {
        while !batch.is_full() {
            let node = self.first;
            // SAFETY: a linked node is alive, and the lock is held.
            unsafe {
                if node.is_null() || (*(*node).links.get()).since >= before {
                    return;
                }
                self.unlink(node);
                if let Some(waker) = (*(*node).links.get()).waker.take() {
                    batch.add(waker);
                }
            }
        }
    }
}

/// A few wakers that were taken out under the lock, to be woken outside it.
pub(crate) struct Batch {
    wakers: [Option<Waker>; Batch::SIZE],
    len: usize,
}

impl Batch {
    const SIZE: usize = 4;

    pub(crate) const fn new() -> Self {
        Batch { wakers: [const { None }; Batch::SIZE], len: 0 }
    }

    fn is_full(&self) -> bool {
        self.len == Batch::SIZE
    }

    fn add(&mut self, waker: Waker) {
        if let Some(place) = self.wakers.get_mut(self.len) {
            *place = Some(waker);
            self.len += 1;
        }
    }

    /// Wakes them all, and says whether there may be more to take.
    pub(crate) fn wake(&mut self) -> bool {
        let full = self.is_full();
        self.len = 0;
        for place in &mut self.wakers {
            match place.take() {
                Some(waker) => waker.wake(),
                None => break,
            }
        }
        full
    }
}
