//! Storage for a task that the caller declares `static`, and how an adapter claims it.

use crate::{MaybeSend, SpawnError, SpawnStatically};
use core::future::Future;
use portable_atomic::{AtomicU8, AtomicUsize, Ordering};

/// What a [`StaticSlot`]'s storage is aligned to, in bytes.
pub const SLOT_ALIGN: usize = 16;

const EMPTY: u8 = 0;
const CLAIMED: u8 = 1;
const READY: u8 = 2;
const OCCUPIED: u8 = 3;

/// Static storage for one task, of `WORDS` machine words.
///
/// The words are atomics, which makes the slot `Sync` and writable behind a shared reference without unsafe code in
/// this crate; they are never used as atomics. `#[service]` declares the slots and computes their size with
/// [`slot_words`]; an adapter [`claim`](Self::claim)s one and keeps its own task storage in it, for ever.
///
/// ```
/// # use anabranch_executor::StaticSlot;
/// static SLOT: StaticSlot<32> = StaticSlot::new();
/// ```
#[repr(C, align(16))]
#[derive(Debug)]
pub struct StaticSlot<const WORDS: usize> {
    words: [AtomicUsize; WORDS],
    state: AtomicU8,
}

/// What [`StaticSlot::claim`] found.
#[derive(Debug)]
pub enum Claim {
    /// Nobody has used the slot: whoever gets this writes the storage, then calls [`Fresh::ready`].
    Fresh(Fresh),
    /// The storage was written earlier and lies at this address, initialised, for ever.
    Ready(*mut u8),
    /// Another claimant is writing the storage right now, or a task on the heap occupies the slot.
    Busy,
}

/// The right, given once in a slot's life, to initialise it.
#[derive(Debug)]
pub struct Fresh {
    address: *mut u8,
    state: &'static AtomicU8,
}

impl Fresh {
    /// Where the storage begins: aligned to [`SLOT_ALIGN`], and large enough for the type that was claimed.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.address
    }

    /// Declares the storage initialised. Dropping a `Fresh` without this leaves the slot unusable, never half made.
    pub fn ready(self) {
        self.state.store(READY, Ordering::Release);
    }
}

/// The right to run a task on the heap in the slot's name. The task holds it; when it goes with the task, however that
/// ends, the slot can be used again.
#[derive(Debug)]
#[must_use = "the slot is free again as soon as this is dropped"]
pub struct Occupied {
    state: &'static AtomicU8,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.state.store(EMPTY, Ordering::Release);
    }
}

impl<const WORDS: usize> StaticSlot<WORDS> {
    /// An empty slot. All bits are zero, so it costs RAM and no flash.
    #[must_use]
    pub const fn new() -> Self {
        StaticSlot { words: [const { AtomicUsize::new(0) }; WORDS], state: AtomicU8::new(EMPTY) }
    }

    /// Claims the slot for a storage of type `S`. That `S` fits is checked when the caller is compiled.
    pub fn claim<S: 'static>(&'static self) -> Claim {
        const {
            assert!(
                size_of::<S>() <= WORDS * size_of::<usize>() && align_of::<S>() <= SLOT_ALIGN,
                "this task does not fit its static slot: spawn it on the adapter that `#[service]` sized it for"
            );
        }
        let address = self.words.as_ptr().cast_mut().cast::<u8>();
        match self.state.compare_exchange(EMPTY, CLAIMED, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => Claim::Fresh(Fresh { address, state: &self.state }),
            Err(READY) => Claim::Ready(address),
            Err(_) => Claim::Busy,
        }
    }

    /// Takes the slot for a task whose memory lies elsewhere: what an adapter with a heap does in place of
    /// [`claim`](Self::claim).
    ///
    /// # Errors
    /// [`SpawnError::Busy`] while the last task that occupied it is there; [`SpawnError::WrongType`] when another
    /// adapter keeps its storage in it.
    pub fn occupy(&'static self) -> Result<Occupied, SpawnError> {
        match self.state.compare_exchange(EMPTY, OCCUPIED, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => Ok(Occupied { state: &self.state }),
            Err(READY) => Err(SpawnError::WrongType),
            Err(_) => Err(SpawnError::Busy),
        }
    }
}

impl<const WORDS: usize> Default for StaticSlot<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A function that makes a task's future. Lets [`slot_words`] see a type that has no name.
pub trait TaskFn<Args>: Copy {
    /// The future that the function returns.
    type Future: Future<Output = ()> + MaybeSend + 'static;
}

macro_rules! task_fn {
    ($($($arg:ident)*;)*) => { $(
        impl<F, Fut, $($arg),*> TaskFn<($($arg,)*)> for F
        where
            F: Copy + FnOnce($($arg),*) -> Fut,
            Fut: Future<Output = ()> + MaybeSend + 'static,
        {
            type Future = Fut;
        }
    )* };
}
task_fn! {
    A; A B; A B C; A B C D; A B C D E; A B C D E G; A B C D E G H; A B C D E G H I; A B C D E G H I J;
    A B C D E G H I J K; A B C D E G H I J K L; A B C D E G H I J K L M;
}

/// How many words of static storage adapter `R` needs for the tasks that `_task` makes.
#[must_use]
pub const fn slot_words<R: SpawnStatically, Args, F: TaskFn<Args>>(_task: F) -> usize {
    size_of::<R::Storage<F::Future>>().div_ceil(size_of::<usize>())
}
