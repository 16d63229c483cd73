//! The lock around a record's state: held for a handful of instructions, never across an await.
//!
//! With `std` it is one byte: taking it is one atomic read-modify-write and giving it back is a plain store, where
//! `std::sync::Mutex` needs a read-modify-write for both. Measured on the ring (push + receive in one thread), that is
//! 12 ns against 30 ns for the two lock pairs, and it decides whether a ring beats a lock-based broadcast channel by two.
//! Who finds it taken spins briefly, then gives way to other threads, then sleeps: the owner holds it only while it
//! clones or moves one value. Without `std` it is a critical section, with interrupts off on a single core.

pub(crate) use imp::Lock;

#[cfg(feature = "std")]
mod imp {
    use crate::sync::{AtomicBool, UnsafeCell, clear, const_unless_loom, seems_set, set, yield_now};

    /// A value that one thread at a time may touch.
    pub(crate) struct Lock<T> {
        taken: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: `with` gives `&mut T` to one thread at a time, with Acquire on taking the lock and Release on giving it
    // back, so sharing the lock only moves access to `T` between threads.
    unsafe impl<T: Send> Sync for Lock<T> {}
    // SAFETY: as for the value itself; the flag is an atomic.
    unsafe impl<T: Send> Send for Lock<T> {}

    struct Release<'a>(&'a AtomicBool);
    impl Drop for Release<'_> {
        #[inline]
        fn drop(&mut self) {
            clear(self.0);
        }
    }

    impl<T> Lock<T> {
        const_unless_loom! {
            /// A free lock around `value`.
            pub(crate) fn new(value: T) -> Self {
                Lock { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
            }
        }

        /// Runs `work` with the value, alone. A panic in `work` gives the lock back.
        #[inline]
        pub(crate) fn with<U>(&self, work: impl FnOnce(&mut T) -> U) -> U {
            if !self.take() {
                self.wait();
            }
            self.run(work)
        }

        /// Runs `work` if nobody else has the lock just now. For the fast paths, which so hold no call that would make
        /// them save registers; who gets `None` goes the long way.
        #[inline]
        pub(crate) fn try_with<U>(&self, work: impl FnOnce(&mut T) -> Option<U>) -> Option<U> {
            if self.take() { self.run(work) } else { None }
        }

        /// The same for `work` that runs no code of the application: it moves values, and clones and drops none.
        #[inline]
        pub(crate) fn try_move<U>(&self, work: impl FnOnce(&mut T) -> Option<U>) -> Option<U> {
            self.try_with(work)
        }

        #[inline]
        fn take(&self) -> bool {
            set(&self.taken)
        }

        /// Runs `work` and gives the lock back. Only for who has just taken it.
        #[inline]
        fn run<U>(&self, work: impl FnOnce(&mut T) -> U) -> U {
            let _release = Release(&self.taken);
            // SAFETY: the caller changed the flag from false to true, so nobody else has a reference until `_release`
            // drops, which is after `work` returned or unwound.
            self.value.with_mut(|value| work(unsafe { &mut *value }))
        }

        #[cold]
        #[inline(never)]
        fn wait(&self) {
            let mut tries = 0_u32;
            loop {
                yield_now(tries);
                if !seems_set(&self.taken) && self.take() {
                    return;
                }
                tries = tries.saturating_add(1);
            }
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    use core::cell::{Cell, UnsafeCell};

    /// A value that is touched inside critical sections only.
    pub(crate) struct Lock<T> {
        busy: Cell<bool>,
        value: UnsafeCell<T>,
    }

    // SAFETY: both cells are touched inside a critical section only, which one context at a time is in.
    unsafe impl<T: Send> Sync for Lock<T> {}

    struct Release<'a>(&'a Cell<bool>);
    impl Drop for Release<'_> {
        #[inline]
        fn drop(&mut self) {
            self.0.set(false);
        }
    }

    impl<T> Lock<T> {
        /// A free lock around `value`.
        pub(crate) const fn new(value: T) -> Self {
            Lock { busy: Cell::new(false), value: UnsafeCell::new(value) }
        }

        /// Runs `work` with the value, in a critical section.
        ///
        /// # Panics
        /// When `work` comes back to this same lock: only a `Clone` that uses the record whose value it clones can.
        #[inline]
        pub(crate) fn with<U>(&self, work: impl FnOnce(&mut T) -> U) -> U {
            critical_section::with(|_| {
                if self.busy.replace(true) {
                    busy();
                }
                let _release = Release(&self.busy);
                // SAFETY: in the critical section, and `busy` was false: no other reference exists until
                // `_release` drops.
                work(unsafe { &mut *self.value.get() })
            })
        }

        /// As `with`: in a critical section nobody else can have the lock.
        #[inline]
        pub(crate) fn try_with<U>(&self, work: impl FnOnce(&mut T) -> Option<U>) -> Option<U> {
            self.with(work)
        }

        /// The same for `work` that runs no code of the application (it moves values, and clones and drops none), so that
        /// it cannot come back to this lock; it can only come from where the lock is busy, and then is turned away.
        #[inline]
        pub(crate) fn try_move<U>(&self, work: impl FnOnce(&mut T) -> Option<U>) -> Option<U> {
            critical_section::with(|_| {
                if self.busy.get() {
                    return None;
                }
                // SAFETY: in the critical section, and not busy: there is no other reference, and `work` runs no code that
                // could make one.
                work(unsafe { &mut *self.value.get() })
            })
        }
    }

    /// Once for the program, since every use of a record comes with its check.
    #[cold]
    #[inline(never)]
    fn busy() -> ! {
        panic!("a value's Clone used the record that holds the value");
    }
}
