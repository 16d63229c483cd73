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
    /// There while, and only while, the node is in a list: who takes it out takes its waker.
    waker: Option<Waker>,
    previous: *const Waiter,
    next: *const Waiter,
}

/// A place in a waiters' list, inside the future that waits.
pub(crate) struct Waiter {
    /// Not initialised before they are needed: most values are there when they are asked for.
    links: UnsafeCell<MaybeUninit<Links>>,
    /// Whether `links` is not initialised, and in no list; touched by the owning future only, so it is still unset when
    /// somebody else unlinked it.
    fresh: Cell<bool>,
    _pinned: PhantomPinned,
}

// SAFETY: `links` is touched under the record's lock only; a `Waker` may be sent and shared. `fresh` is touched
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

    /// As new. Only for one that is in no list any more: its links then hold nothing that needs dropping.
    #[inline]
    fn clear(&self) {
        self.fresh.set(true);
    }

    /// # Safety
    /// `node` is alive and used.
    #[inline]
    unsafe fn links(node: *const Waiter) -> *mut Links {
        // SAFETY: the caller's. No reference is made to what others may touch.
        unsafe { (*node).links.get().cast() }
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
    pub(crate) fn insert(&mut self, waiter: Pin<&mut Waiter>, waker: &Waker) -> Option<Waker> {
        let node: *const Waiter = &raw const *waiter;
        // SAFETY: the waiter is pinned, so the address stays good until its future's drop unlinks it; `&mut self` is
        // reached only with the lock held, so nobody else touches any node's links. Those of a fresh one are written
        // before they are read: it is in no list, and only its future, which lends it here, can reach it.
        unsafe {
            let links = (*waiter.links.get()).as_mut_ptr();
            if waiter.fresh.replace(false) {
                (&raw mut (*links).waker).write(None);
            }
            if let Some(linked) = &mut (*links).waker {
                return if linked.will_wake(waker) { None } else { Some(core::mem::replace(linked, waker.clone())) };
            }
            let last = self.last;
            (&raw mut (*links).waker).write(Some(waker.clone())); // over `None`
            (*links).previous = last;
            (*links).next = ptr::null();
            if last.is_null() {
                self.first = node;
            } else {
                (*Waiter::links(last)).next = node;
            }
            self.last = node;
            None
        }
    }

    /// Takes `waiter` out, if it is in. Gives its waker back, to be dropped outside the lock.
    #[must_use]
    pub(crate) fn remove(&mut self, waiter: Pin<&mut Waiter>) -> Option<Waker> {
        if !waiter.used() {
            return None;
        }
        // SAFETY: the waiter is alive (it is borrowed) and used, and the lock is held. Linked nodes are alive by the
        // invariant, and only the holder of the lock touches links.
        unsafe {
            let links = Waiter::links(&raw const *waiter);
            let waker = (*links).waker.take()?;
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
            Some(waker)
        }
    }

    /// Takes out the one who waits, if there is one and no other: the usual case, which then needs no batch. Not for an
    /// empty list.
    #[inline]
    pub(crate) fn take_only(&mut self) -> Option<Waker> {
        if self.first != self.last {
            return None;
        }
        // SAFETY: the list is not empty, linked nodes are alive and used, and the lock is held.
        let waker = unsafe { (*Waiter::links(self.first)).waker.take() };
        (self.first, self.last) = (ptr::null(), ptr::null());
        waker
    }

    /// Takes out those who wait longest, as many as fit into `batch`, which counts how many waited when it was new: who
    /// waits again while they are woken comes after those, so taking batch after batch comes to an end.
    ///
    /// Out of line: one for all records, and no burden to a push that finds nobody waiting.
    #[inline(never)]
    pub(crate) fn take(&mut self, batch: &mut Batch) {
        let most = Batch::SIZE.min(batch.left);
        let mut node = self.first;
        let mut len = 0;
        // SAFETY: linked nodes are alive and used, and the lock is held.
        unsafe {
            while !node.is_null()
                && len < most
                && let Some(place) = batch.wakers.get_mut(len)
                && let Some(waker) = (*Waiter::links(node)).waker.take()
            {
                place.write(waker);
                len += 1;
                node = (*Waiter::links(node)).next;
            }
            batch.len = len;
            self.first = node;
            if node.is_null() {
                self.last = ptr::null();
                batch.left = 0;
            } else {
                (*Waiter::links(node)).previous = ptr::null();
                batch.left = if batch.left == Batch::NOT_COUNTED { self.count() } else { batch.left - len };
            }
        }
    }

    /// How many wait. Only where there are more than a batch holds.
    #[cold]
    fn count(&self) -> usize {
        let (mut node, mut count) = (self.first, 0);
        while !node.is_null() {
            count += 1;
            // SAFETY: linked nodes are alive and used, and the lock is held.
            node = unsafe { (*Waiter::links(node)).next };
        }
        count
    }
}

/// A few wakers that were taken out under the lock, to be woken outside it.
pub(crate) struct Batch {
    /// The first `len` are initialised.
    wakers: [MaybeUninit<Waker>; Batch::SIZE],
    len: usize,
    /// How many of those who waited did not fit.
    left: usize,
}

impl Batch {
    const SIZE: usize = 4;
    const NOT_COUNTED: usize = usize::MAX;

    #[inline]
    pub(crate) const fn new() -> Self {
        Batch { wakers: [const { MaybeUninit::uninit() }; Batch::SIZE], len: 0, left: Batch::NOT_COUNTED }
    }

    /// Wakes them all, the longest waiting first, and says whether there are more to take.
    #[inline(never)]
    pub(crate) fn wake(&mut self) -> bool {
        let len = core::mem::take(&mut self.len);
        for waker in self.wakers.iter().take(len) {
            // SAFETY: the first `len` were initialised, and as `len` is 0 now, each is read once. Should one panic, the
            // others are leaked.
            unsafe { waker.assume_init_read() }.wake();
        }
        self.left > 0
    }
}

#[cfg(all(test, feature = "std", not(loom)))]
mod tests {
    use super::*;
    use std::{
        boxed::Box,
        sync::{Arc, Mutex},
        task::Wake,
        vec::Vec,
    };

    /// Who was woken, in order.
    type Woken = Arc<Mutex<Vec<usize>>>;

    struct Numbered(usize, Woken);
    impl Wake for Numbered {
        fn wake(self: Arc<Self>) {
            self.1.lock().expect("nobody panics with it").push(self.0);
        }
    }

    /// `count` waiters in one list, numbered as they came, and the wakers that say who was woken.
    fn waiting(count: usize) -> (List, Vec<Pin<Box<Waiter>>>, Vec<Waker>, Woken) {
        let woken = Woken::default();
        let mut list = List::new();
        let wakers: Vec<Waker> = (0..count).map(|n| Arc::new(Numbered(n, woken.clone())).into()).collect();
        let mut waiters: Vec<_> = (0..count).map(|_| Box::pin(Waiter::new())).collect();
        for (waiter, waker) in waiters.iter_mut().zip(&wakers) {
            assert!(list.insert(waiter.as_mut(), waker).is_none());
        }
        (list, waiters, wakers, woken)
    }

    fn woken_by_now(woken: &Woken) -> Vec<usize> {
        core::mem::take(&mut *woken.lock().expect("nobody panics with it"))
    }

    #[test]
    fn however_many_wait_each_is_woken_once_the_longest_waiting_first() {
        for count in 0..14 {
            let (mut list, _waiters, _wakers, woken) = waiting(count);
            let (mut batch, mut batches) = (Batch::new(), 1);
            list.take(&mut batch);
            while batch.wake() {
                list.take(&mut batch);
                batches += 1;
            }
            assert!(list.is_empty());
            assert_eq!(woken_by_now(&woken), (0..count).collect::<Vec<_>>());
            assert_eq!(batches, count.div_ceil(Batch::SIZE).max(1));
        }
    }

    #[test]
    fn who_waits_again_at_once_does_not_keep_the_waking_going() {
        for count in 5..14 {
            let (mut list, mut waiters, wakers, woken) = waiting(count);
            let mut batch = Batch::new();
            list.take(&mut batch);
            let mut all = Vec::new();
            loop {
                let more = batch.wake();
                for n in woken_by_now(&woken) {
                    all.push(n);
                    assert!(list.insert(waiters[n].as_mut(), &wakers[n]).is_none());
                }
                if !more {
                    break;
                }
                list.take(&mut batch);
            }
            assert_eq!(all, (0..count).collect::<Vec<_>>());
            assert_eq!(list.count(), count, "they all wait again");
            for waiter in &mut waiters {
                assert!(list.remove(waiter.as_mut()).is_some());
            }
        }
    }

    #[test]
    fn who_left_is_not_woken_wherever_it_stood() {
        for leaves in 0..6 {
            let (mut list, mut waiters, _wakers, woken) = waiting(6);
            assert!(list.remove(waiters[leaves].as_mut()).is_some());
            assert!(list.remove(waiters[leaves].as_mut()).is_none(), "it is out already");
            let mut batch = Batch::new();
            list.take(&mut batch);
            // one of those that did not fit goes before its turn, too
            let last = if leaves == 5 { 4 } else { 5 };
            assert!(list.remove(waiters[last].as_mut()).is_some());
            while batch.wake() {
                list.take(&mut batch);
            }
            assert!(list.is_empty());
            assert_eq!(woken_by_now(&woken), (0..6).filter(|n| *n != leaves && *n != last).collect::<Vec<_>>());
        }
    }

    #[test]
    fn who_is_polled_again_is_woken_by_its_last_waker_and_the_old_one_is_given_back() {
        let (mut list, mut waiters, wakers, woken) = waiting(2);
        // Whether a waker is the same as another, it may not know: then it is replaced.
        let (again, other) =
            (list.insert(waiters[0].as_mut(), &wakers[0]), list.insert(waiters[0].as_mut(), &wakers[1]));
        assert!(other.is_some());
        drop((again, other));
        let mut batch = Batch::new();
        list.take(&mut batch);
        assert!(!batch.wake());
        assert_eq!(woken_by_now(&woken), [1, 1]);
        drop((wakers, waiters));
        assert_eq!(Arc::strong_count(&woken), 1, "no waker is left behind");
    }
}
