//! How a handle refers to its record: a plain pointer on the path of every value, and beside it what keeps a record on
//! the heap alive.
//!
//! Matching on "static or counted" for every value costs a branch and the arithmetic that finds the value inside an
//! `Arc<dyn …>`; with the pointer taken once it is one load.

use crate::{
    buffer::Waiter,
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

    /// The next value if it is there; otherwise what `none` makes of what [`Shared::poll_recv`] found, and of how far it
    /// moved the cursor.
    #[inline]
    pub(crate) fn try_recv<E>(&self, cursor: &mut Cursor, none: impl FnOnce(Found, u64) -> E) -> Result<T, E> {
        let mut out = MaybeUninit::uninit();
        if !(**self).take(cursor, &mut out) {
            self.try_recv_slowly(cursor, &mut out, none)?;
        }
        // SAFETY: `take` says `true`, and `try_recv_slowly` `Ok`, only after a value was written to `out`.
        Ok(unsafe { out.assume_init() })
    }

    /// `Ok` when it wrote a value to `out`.
    // Kept out of line, and the value in the one place where the fast way puts it, too: otherwise the compiler copies it
    // once more, or in pieces that do not match how it was stored.
    #[cold]
    #[inline(never)]
    fn try_recv_slowly<E>(
        &self,
        cursor: &mut Cursor,
        out: &mut MaybeUninit<T>,
        none: impl FnOnce(Found, u64) -> E,
    ) -> Result<(), E> {
        let expected = cursor.seq;
        match (**self).poll_recv(cursor, None, out) {
            Found::Value => Ok(()),
            found => Err(none(found, cursor.seq - expected)),
        }
    }

    /// Hands the next value to `value`, or what [`Shared::poll_recv`] found and how far it moved the cursor to `none`. A
    /// waiter that may be linked must be taken out with the value, so that it goes the long way at once.
    ///
    /// (Two functions, and no `Result` of a value or a reason: that would lie over the value's first bytes, and the
    /// compiler would copy those one by one, which waits for the stores before it three times.)
    #[inline]
    pub(crate) fn poll_recv<U>(
        &self,
        cursor: &mut Cursor,
        waiting: Option<(Pin<&mut Waiter>, &Waker)>,
        value: impl FnOnce(T) -> U,
        none: impl FnOnce(Found, u64) -> U,
    ) -> U {
        let mut out = MaybeUninit::uninit();
        let expected = cursor.seq;
        let found = (**self).poll_recv(cursor, waiting, &mut out);
        if found == Found::Value {
            // SAFETY: a value was written: `Shared` cannot be implemented outside this crate, and its one implementation
            // says so only then.
            value(unsafe { out.assume_init() })
        } else {
            none(found, cursor.seq - expected)
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
