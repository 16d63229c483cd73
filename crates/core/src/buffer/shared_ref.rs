//! How a handle refers to its record: a plain pointer on the path of every value, and beside it what keeps a record on
//! the heap alive.
//!
//! Matching on "static or counted" for every value costs a branch and the arithmetic that finds the value inside an
//! `Arc<dyn …>`; with the pointer taken once it is one load.

use crate::record::{Cursor, Shared};
use core::{mem::MaybeUninit, ops::Deref, ptr::NonNull};

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

    /// The next value if it can be had at once: see [`Shared::take`].
    #[inline]
    pub(crate) fn take(&self, cursor: &mut Cursor) -> Option<T> {
        let mut out = MaybeUninit::uninit();
        // SAFETY: `take` says `true` only after it wrote a value to `out`; `Shared` cannot be implemented outside this
        // crate, and its one implementation does.
        if (**self).take(cursor, &mut out) { Some(unsafe { out.assume_init() }) } else { None }
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
