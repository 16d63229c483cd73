//! What the lock is made of: `core`'s atomics and cells, or loom's, which explore every interleaving.

#[cfg(not(loom))]
pub(crate) use plain::*;
#[cfg(loom)]
pub(crate) use under_loom::*;

#[cfg(not(loom))]
mod plain {
    #[cfg(feature = "std")]
    pub(crate) use core::sync::atomic::{AtomicBool, Ordering};

    #[cfg(feature = "std")]
    /// `core`'s cell with loom's way of access.
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);
    #[cfg(feature = "std")]
    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(core::cell::UnsafeCell::new(value))
        }
        #[inline]
        pub(crate) fn with_mut<U>(&self, work: impl FnOnce(*mut T) -> U) -> U {
            work(self.0.get())
        }
    }

    #[cfg(feature = "std")]
    /// Sets `flag`, and says whether it was clear.
    #[inline]
    pub(crate) fn set(flag: &AtomicBool) -> bool {
        !flag.swap(true, Ordering::Acquire)
    }

    #[cfg(feature = "std")]
    /// Clears `flag`, which the caller has set.
    #[inline]
    pub(crate) fn clear(flag: &AtomicBool) {
        flag.store(false, Ordering::Release);
    }

    #[cfg(feature = "std")]
    /// Whether `flag` was set a moment ago: looking does not take the flag's cache line away from who will clear it.
    #[inline]
    pub(crate) fn seems_set(flag: &AtomicBool) -> bool {
        flag.load(Ordering::Relaxed)
    }

    #[cfg(feature = "std")]
    /// Waits a little, longer with each try: the processor's hint, then the scheduler, then a short sleep, so that a
    /// waiting thread of high priority cannot keep the owner from running.
    pub(crate) fn yield_now(tries: u32) {
        match tries {
            0..6 => (0..8_u32 << tries).for_each(|_| core::hint::spin_loop()),
            6..256 => std::thread::yield_now(),
            _ => std::thread::sleep(core::time::Duration::from_micros(50)),
        }
    }

    macro_rules! const_unless_loom {
        ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
    }
    pub(crate) use const_unless_loom;
}

#[cfg(loom)]
mod under_loom {
    use alloc::vec::Vec;
    use core::cell::RefCell;
    use loom::thread::{self, Thread};
    pub(crate) use loom::{
        cell::UnsafeCell,
        sync::atomic::{AtomicBool, Ordering},
    };

    /// By comparing: loom does not know that a swap's write comes right after the write that it read, so it would let a
    /// flag's clearing come before a swap that found it set, which then would be set for ever.
    pub(crate) fn set(flag: &AtomicBool) -> bool {
        flag.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Never, so that who waits tries at once: loom may show a relaxed load an old value for ever, and a
    /// read-modify-write always the newest.
    pub(crate) fn seems_set(_flag: &AtomicBool) -> bool {
        false
    }

    std::thread_local! {
        /// Who waits for a flag to be cleared, in one model: all its threads run on one thread of the system.
        static WAITING: RefCell<Vec<Thread>> = const { RefCell::new(Vec::new()) };
    }

    /// Waits until some flag is cleared: threads that spin have loom try for ever in which order they do it. Nothing
    /// comes between a failed `set` and this, since loom stops a thread only where it touches something shared.
    pub(crate) fn yield_now(_tries: u32) {
        WAITING.with_borrow_mut(|waiting| waiting.push(thread::current()));
        thread::park();
    }

    /// Clears `flag`, which the caller has set.
    pub(crate) fn clear(flag: &AtomicBool) {
        flag.store(false, Ordering::Release);
        for thread in WAITING.take() {
            thread.unpark();
        }
    }

    macro_rules! const_unless_loom {
        ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis fn $($rest)* };
    }
    pub(crate) use const_unless_loom;
}
