//! How a handle refers to its record: a plain pointer on the path of every value, and beside it what keeps a record on
//! the heap alive.
//!
//! Matching on "static or counted" for every value costs a branch and the arithmetic that finds the value inside an
//! `Arc<dyn …>`; with the pointer taken once it is one load.

use crate::{
    buffer::Waiter,
    consumer::TryRecvError,
    record::{Cursor, Found, Shared},
};
use core::{mem::MaybeUninit, ops::Deref, pin::Pin, ptr::NonNull, task::Waker};

/// A reference to a record that is `static`, or shared on the heap.
pub(crate) struct SharedRef<T: 'static> {
    record: NonNull<dyn Shared<T>>,
    #[cfg(feature = "alloc")]
    owner: Option<alloc::sync::Arc<dyn Shared<T>>>,
}

// SAFETY: it is a `&'static dyn Shared<T>` or an `Arc<dyn Shared<T>>`, and `Shared` asks for `Send + Sync`.
unsafe impl<T> Send for SharedRef<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for SharedRef<T> {}

impl<T> SharedRef<T> {
    pub(crate) fn of_static(record: &'static dyn Shared<T>) -> Self {
        SharedRef {
            record: NonNull::from(record),
            #[cfg(feature = "alloc")]
            owner: None,
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn of_heap(record: alloc::sync::Arc<dyn Shared<T>>) -> Self {
        SharedRef { record: NonNull::from(&*record), owner: Some(record) }
    }
}

/// How many values a task may take in a row before it lets others run: as many as Tokio's channels allow a task. Only
/// where there are threads: on one thread nobody produces while a consumer takes, so that its buffer is the limit.
#[cfg(feature = "std")]
const IN_A_ROW: u32 = 128;

/// A consumer's place in a record.
pub(crate) struct Place<T: 'static> {
    pub(crate) record: SharedRef<T>,
    pub(crate) cursor: Cursor,
    /// How many values were missed here.
    pub(crate) lagged: u64,
}

impl<T> Place<T> {
    /// The next value if it is there.
    #[inline]
    pub(crate) fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut out = MaybeUninit::uninit();
        if !self.record.take(&mut self.cursor, &mut out) {
            self.try_recv_slowly(&mut out)?;
        }
        // SAFETY: `take` says `true`, and `try_recv_slowly` `Ok`, only after a value was written to `out`; `Shared`
        // cannot be implemented outside this crate, and its one implementation keeps to that.
        Ok(unsafe { out.assume_init() })
    }

    /// `Ok` when it wrote a value to `out`.
    // Kept out of line, and the value in the one place where the fast way puts it, too: otherwise the compiler copies it
    // once more, or in pieces that do not match how it was stored.
    #[cold]
    #[inline(never)]
    fn try_recv_slowly(&mut self, out: &mut MaybeUninit<T>) -> Result<(), TryRecvError> {
        match self.find(None, out) {
            (Found::Value, _) => Ok(()),
            (Found::Gap, missed) => Err(TryRecvError::Lagged(missed)),
            (Found::Nothing, _) => Err(TryRecvError::Empty),
            (Found::Closed, _) => Err(TryRecvError::Closed),
        }
    }

    /// What [`Shared::poll_recv`] finds, and how many values were missed.
    #[inline]
    fn find(&mut self, waiting: Option<(Pin<&mut Waiter>, &Waker)>, out: &mut MaybeUninit<T>) -> (Found, u64) {
        let expected = self.cursor.seq;
        let found = self.record.poll_recv(&mut self.cursor, waiting, out);
        let missed = self.cursor.seq - expected;
        if found == Found::Gap {
            self.lagged += missed;
        }
        (found, missed)
    }

    /// Hands the next value to `value`, or what was found instead and how many values were missed to `none`.
    ///
    /// A consumer whose producer runs on another thread may always find a value; its task would never end a poll, and keep
    /// the other tasks of its thread from running. So after every `IN_A_ROW` values it asks to be polled again, and lets
    /// them run first.
    ///
    /// (Two functions, and no `Result` of a value or a reason: that would lie over the value's first bytes, and the
    /// compiler would copy those one by one, which waits for the stores before it three times.)
    #[inline]
    pub(crate) fn poll_recv<U>(
        &mut self,
        waiter: Pin<&mut Waiter>,
        waker: &Waker,
        value: impl FnOnce(T) -> U,
        none: impl FnOnce(Found, u64) -> U,
    ) -> U {
        #[cfg(feature = "std")]
        if self.cursor.in_a_row() >= IN_A_ROW {
            self.cursor.begin_row();
            waker.wake_by_ref();
            return none(Found::Nothing, 0);
        }
        let mut out = MaybeUninit::uninit();
        let (found, missed) = self.find(Some((waiter, waker)), &mut out);
        if found == Found::Value {
            #[cfg(feature = "std")]
            if missed != 1 {
                self.cursor.begin_row(); // a latest or a mailbox passed over values: those were not taken
            }
            // SAFETY: as in `try_recv`: a value was written.
            value(unsafe { out.assume_init() })
        } else {
            #[cfg(feature = "std")]
            self.cursor.begin_row();
            none(found, missed)
        }
    }
}

impl<T> Clone for SharedRef<T> {
    fn clone(&self) -> Self {
        SharedRef {
            record: self.record,
            #[cfg(feature = "alloc")]
            owner: self.owner.clone(),
        }
    }
}

impl<T> Deref for SharedRef<T> {
    type Target = dyn Shared<T>;
    #[inline]
    fn deref(&self) -> &Self::Target {
        // SAFETY: the record is `'static`, or `owner` keeps it alive, in place, as long as `self`; it is only ever
        // shared, never borrowed mutably.
        unsafe { self.record.as_ref() }
    }
}
