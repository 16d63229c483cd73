//! A ring of slots that hold `T` and no more, and the count that says which of them are filled.
//!
//! INVARIANT: the `len` slots that end before `next` (wrapping) hold initialised values, numbered
//! `head - len .. head`; the others hold nothing. Every method keeps it, also when a `Clone` panics.

use core::mem::{MaybeUninit, needs_drop};

mod sealed {
    /// Keeps [`SlotStore`](super::SlotStore) to this file: the code here relies on a store whose length never changes.
    pub trait Sealed {}
    impl<T, const N: usize> Sealed for [core::mem::MaybeUninit<T>; N] {}
    #[cfg(feature = "alloc")]
    impl<T> Sealed for alloc::boxed::Box<[core::mem::MaybeUninit<T>]> {}
}

/// Where the slots lie: inside the record (`[MaybeUninit<T>; N]`), or on the heap (`Box<[MaybeUninit<T>]>`). Sealed.
pub trait SlotStore<T>: sealed::Sealed + 'static {
    /// Whether it is known to the compiler that there is one slot only: then no index is computed.
    const SINGLE: bool;
    /// The slots, of which there is at least one; the same number for the life of the store.
    fn slots(&self) -> &[MaybeUninit<T>];
    /// The slots, to write.
    fn slots_mut(&mut self) -> &mut [MaybeUninit<T>];
}

impl<T: 'static, const N: usize> SlotStore<T> for [MaybeUninit<T>; N] {
    const SINGLE: bool = N == 1;
    #[inline]
    fn slots(&self) -> &[MaybeUninit<T>] {
        self
    }
    #[inline]
    fn slots_mut(&mut self) -> &mut [MaybeUninit<T>] {
        self
    }
}

#[cfg(feature = "alloc")]
impl<T: 'static> SlotStore<T> for alloc::boxed::Box<[MaybeUninit<T>]> {
    const SINGLE: bool = false;
    #[inline]
    fn slots(&self) -> &[MaybeUninit<T>] {
        self
    }
    #[inline]
    fn slots_mut(&mut self) -> &mut [MaybeUninit<T>] {
        self
    }
}

/// `capacity` empty slots on the heap; `None` when there is not so much memory.
#[cfg(feature = "alloc")]
pub(crate) fn slots<T>(capacity: usize) -> Option<alloc::boxed::Box<[MaybeUninit<T>]>> {
    let mut slots = alloc::vec::Vec::<MaybeUninit<T>>::new();
    slots.try_reserve_exact(capacity).ok()?;
    // SAFETY: the memory for so many was just reserved, and a `MaybeUninit` may hold anything.
    unsafe { slots.set_len(capacity) };
    Some(slots.into_boxed_slice())
}

/// The filled part of a [`SlotStore`], oldest to newest. In this order in memory, the counts before the slots: what is far
/// from the start of a record takes a microcontroller an instruction more to reach.
#[repr(C)]
pub(crate) struct Slots<T, S: SlotStore<T>> {
    /// How many values were ever pushed: the sequence number of the next one.
    head: u64,
    /// The slot that the next value goes to.
    next: usize,
    /// How many slots are filled.
    len: usize,
    store: S,
    _values: core::marker::PhantomData<T>,
}

impl<T, S: SlotStore<T>> Slots<T, S> {
    /// No values yet. `store`'s slots are taken as empty.
    pub(crate) const fn new(store: S) -> Self {
        Slots { head: 0, next: 0, len: 0, store, _values: core::marker::PhantomData }
    }

    #[inline]
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The sequence number of the oldest value that is held; `head` when none is.
    #[inline]
    pub(crate) fn oldest(&self) -> u64 {
        self.head - self.len as u64
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.store.slots().len()
    }

    /// The slot where the value `seq` lies or will lie. `seq` is within one round of `head`.
    #[inline]
    pub(crate) fn index_of(&self, seq: u64) -> usize {
        if S::SINGLE {
            return 0;
        }
        let capacity = self.capacity();
        let behind = usize::try_from(self.head - seq).unwrap_or(0);
        if self.next >= behind { self.next - behind } else { self.next + capacity - behind }
    }

    /// The slot after `index`.
    #[inline]
    pub(crate) fn after(&self, index: usize) -> usize {
        if S::SINGLE {
            return 0;
        }
        let next = index + 1;
        if next == self.capacity() { 0 } else { next }
    }

    /// Adds a value; when all slots are filled, the oldest goes, and is given back if dropping it means anything.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Option<T> {
        let full = self.len == self.capacity();
        self.head += 1;
        if S::SINGLE && !needs_drop::<T>() {
            self.len = 1;
            if let Some(slot) = self.store.slots_mut().first_mut() {
                slot.write(value); // over the old one, whose drop means nothing
            }
            return None;
        }
        let next = self.next;
        self.next = self.after(next);
        // SAFETY: `next` is 0 or came from `after`, which wraps before the store's length, and that never changes.
        let slot = unsafe { self.store.slots_mut().get_unchecked_mut(next) };
        if full {
            let old = core::mem::replace(slot, MaybeUninit::new(value));
            if !needs_drop::<T>() {
                return None;
            }
            // SAFETY: all slots were filled, so this one was; it has been replaced, so the value is ours alone.
            return Some(unsafe { old.assume_init() });
        }
        slot.write(value);
        self.len += 1;
        None
    }

    /// The value `seq`, which lies at `index`; `None` when it is not held, or not there.
    #[inline]
    pub(crate) fn get(&self, seq: u64, index: usize) -> Option<&T> {
        // `seq` is one of the `len` before `head`, in one comparison: 1 behind is the newest, `len` behind the oldest.
        let behind = self.head.wrapping_sub(seq);
        if behind.wrapping_sub(1) >= self.len as u64 {
            return None;
        }
        debug_assert_eq!(index, self.index_of(seq), "a cursor's slot follows its sequence number");
        // SAFETY: by the check above `seq` is held. `index` is its slot, inside the store: cursors take it from
        // `index_of` and move both together, `after` by one.
        Some(unsafe { self.store.slots().get_unchecked(index).assume_init_ref() })
    }

    /// The newest value, if there is one that `seq` is not beyond: for a single slot whose value is replaced, and never
    /// taken out, so that one comparison says whether it is filled and new.
    #[inline]
    pub(crate) fn newest_since(&self, seq: u64) -> Option<&T> {
        if self.head <= seq {
            return None;
        }
        debug_assert!(S::SINGLE && self.len == 1, "a value was taken out of a record that keeps its newest");
        // SAFETY: `head` is beyond `seq`, so a value was pushed; it went into the one slot, and nothing was popped: who
        // asks for the newest value (a latest) does not pop.
        self.store.slots().first().map(|slot| unsafe { slot.assume_init_ref() })
    }

    /// Takes the oldest value out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let index = self.index_of(self.oldest());
        self.len -= 1;
        // SAFETY: the slot was filled by the invariant, and `len` no longer counts it, so the value is moved out once.
        Some(unsafe { self.store.slots()[index].assume_init_read() })
    }
}

impl<T, S: SlotStore<T>> Drop for Slots<T, S> {
    fn drop(&mut self) {
        if needs_drop::<T>() {
            while let Some(value) = self.pop() {
                drop(value);
            }
        }
    }
}
