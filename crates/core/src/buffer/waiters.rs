//! Who waits on a record: a doubly linked list of wakers whose nodes live in the waiting futures, so that waiting needs
//! no memory of the record and any number can wait.
//!
//! INVARIANT: a node is in a list only while its future is pinned and alive (the future's drop takes it out); the
//! fields behind a node's cell are touched only while the lock of the record that owns the list is held. `used` says
//! whether they are initialised; a node that is not used is in no list.

use core::{
    cell::{Cell, UnsafeCell},
    future::Future,
    marker::PhantomPinned,
    mem::MaybeUninit,
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
    /// Not initialised before they are needed: most values are there when they are asked for.
    links: UnsafeCell<MaybeUninit<Links>>,
    /// Whether `links` is initialised, and may be in a list; touched by the owning future only, so it is still set when
    /// somebody else unlinked it.
    fresh: Cell<bool>,
    _pinned: PhantomPinned,
}

// SAFETY: `links` is touched under the record's lock only; a `Waker` may be sent and shared. `used` is touched
// through the pinned mutable reference of the owning future only, which one thread has at a time.
unsafe impl Send for Waiter {}
// SAFETY: nothing can be done with a shared `Waiter`: its methods need the list, or `&mut`.
unsafe impl Sync for Waiter {}

impl Waiter {
    #[inline]
    pub(crate) fn new() -> Self {
        // In this way, and not by one expression, which would be a constant: the compiler copies a constant whole, with
        // zeros for what is not initialised.
        let mut waiter = MaybeUninit::<Waiter>::uninit();
        // SAFETY: the pointer is to the field of a `Waiter`'s own memory; the other fields may be uninitialised.
        unsafe {
            (&raw mut (*waiter.as_mut_ptr()).fresh).write(Cell::new(true));
            waiter.assume_init()
        }
    }

    /// Whether it may be linked: one that is not used is in no list.
    #[inline]
    pub(crate) fn used(&self) -> bool {
        !self.fresh.get()
    }

    /// It is in no list any more, and as new.
    #[inline]
    fn clear(&self) {
        if !self.fresh.replace(true) {
            // SAFETY: it was used, so its links are initialised; it is in no list, so nobody else touches them.
            unsafe { (*self.links.get()).assume_init_drop() }
        }
    }

    /// # Safety
    /// `node` is alive and used.
    #[inline]
    unsafe fn links(node: *const Waiter) -> *mut Links {
        // SAFETY: the caller's. No reference is made to what others may touch.
        unsafe { (*node).links.get().cast() }
    }
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a [`Wait`] waits for.
pub(crate) trait WaitFor {
    type Output;
    /// Ends, with `waiter` in no list, or links it into a record's list.
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
        let (waits_for, mut waiter) = self.parts();
        let polled = waits_for.poll(waiter.as_mut(), cx.waker());
        if polled.is_ready() {
            waiter.clear();
        }
        polled
    }
}

impl<W: WaitFor> Drop for Wait<W> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.used() {
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
        let node: *const Waiter = &raw const *waiter;
        if waiter.fresh.replace(false) {
            let links = Links { previous: ptr::null(), next: ptr::null(), waker: None, since: 0, linked: false };
            // SAFETY: it was not used, so it is in no list, and only its future, which lends it here, can reach it.
            unsafe { (*waiter.links.get()).write(links) };
        }
        // SAFETY: the waiter is pinned, so the address stays good until its drop unlinks it; `&mut self` is reached
        // only with the lock held, so nobody else touches any node's links.
        unsafe {
            let links = Waiter::links(node);
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
                (*Waiter::links(self.last)).next = node;
            }
            self.last = node;
            replaced
        }
    }

    /// Takes `waiter` out, if it is in.
    pub(crate) fn remove(&mut self, waiter: Pin<&mut Waiter>) {
        if waiter.used() {
            // SAFETY: the waiter is alive (it is borrowed) and used, and the lock is held.
            unsafe { self.unlink(&raw const *waiter) };
        }
    }

    /// # Safety
    /// `node` is alive and used, and the lock of the record is held.
    unsafe fn unlink(&mut self, node: *const Waiter) {
        // SAFETY: linked nodes are alive by the invariant, and only the holder of the lock touches links.
        unsafe {
            let links = Waiter::links(node);
            if !(*links).linked {
                return;
            }
            let (previous, next) = ((*links).previous, (*links).next);
            if previous.is_null() {
                self.first = next;
            } else {
                (*Waiter::links(previous)).next = next;
            }
            if next.is_null() {
                self.last = previous;
            } else {
                (*Waiter::links(next)).previous = previous;
            }
            (*links).linked = false;
        }
    }

    /// Takes out the wakers of those who began to wait before `before`, oldest first, as many as fit. Who waits again
    /// while they are woken has a newer `since`, so taking batch after batch comes to an end.
    pub(crate) fn take(&mut self, batch: &mut Batch, before: u64) {
        for place in &mut batch.wakers {
            let node = self.first;
            if !self.first_waits_since_before(before) {
                break;
            }
            // SAFETY: a linked node is alive and used, and the lock is held.
            unsafe {
                self.unlink(node);
                *place = (*Waiter::links(node)).waker.take();
            }
        }
        batch.more = self.first_waits_since_before(before);
    }

    /// Takes out the waker of the one who waits longest, if it began to before `before`.
    pub(crate) fn take_first(&mut self, before: u64) -> Option<FirstWaker> {
        if !self.first_waits_since_before(before) {
            return None;
        }
        let node = self.first;
        // SAFETY: a linked node is alive and used, and the lock is held.
        let waker = unsafe {
            self.unlink(node);
            (*Waiter::links(node)).waker.take()?
        };
        Some(FirstWaker { waker, more: !self.first.is_null() })
    }

    #[inline]
    fn first_waits_since_before(&self, before: u64) -> bool {
        // SAFETY: a linked node is alive and used, and the lock is held.
        !self.first.is_null() && unsafe { (*Waiter::links(self.first)).since < before }
    }
}

/// The waker of the one who waited longest.
pub(crate) struct FirstWaker {
    pub(crate) waker: Waker,
    /// Whether others wait.
    pub(crate) more: bool,
}

/// A few wakers that were taken out under the lock, to be woken outside it.
pub(crate) struct Batch {
    wakers: [Option<Waker>; Batch::SIZE],
    /// Whether some who wait did not fit.
    more: bool,
}

impl Batch {
    /// One, where taking the lock costs a few instructions and memory is dear.
    const SIZE: usize = if cfg!(feature = "std") { 4 } else { 1 };

    #[inline]
    pub(crate) const fn new() -> Self {
        Batch { wakers: [const { None }; Batch::SIZE], more: false }
    }

    /// Wakes them all, and says whether there are more to take.
    #[inline]
    pub(crate) fn wake(&mut self) -> bool {
        for place in &mut self.wakers {
            match place.take() {
                Some(waker) => waker.wake(),
                None => break,
            }
        }
        self.more
    }
}
