//! Task storage in a [`StaticSlot`]: placed once, tagged with its type, used again when its task has ended.
//!
//! The one module of this crate with unsafe code. It keeps a single invariant: *a ready slot whose first word is the
//! address of [`OWNER`] holds a [`TaggedTask`], whose tag is the `TypeId` of that very type; it is never moved, freed or
//! overwritten.* Only this module knows that address, so only this module can have written it.

use anabranch_executor::{Claim, SpawnError, StaticSlot};
use core::{any::TypeId, future::Future};
use embassy_executor::{SpawnToken, raw::TaskStorage};

/// Its address, which no other object has, marks the slots that this module initialised.
static OWNER: u8 = 0;

/// What Embassy keeps in a static slot for a task of type `F`: its storage, and what type that is.
#[repr(C)]
pub struct TaggedTask<F: Future + 'static> {
    tag: Tag, // first, so that it can be read before the type is known
    task: TaskStorage<F>,
}

/// Says whose a slot is, and, where it is ours, for which type.
#[repr(C)]
struct Tag {
    owner: usize, // first, so that it can be read before it is known that there is a `Tag`
    task: TypeId,
}

/// Makes the future in its slot, ready to be handed to a spawner.
pub(crate) fn prepare<F, const WORDS: usize>(
    slot: &'static StaticSlot<WORDS>,
    make: impl FnOnce() -> F,
) -> Result<SpawnToken<impl Sized>, SpawnError>
where
    F: Future<Output = ()> + 'static,
{
    storage(slot)?.spawn(make).map_err(|_| SpawnError::Busy)
}

/// The storage for tasks of type `F` in `slot`; it is placed there at the first call.
fn storage<F, const WORDS: usize>(slot: &'static StaticSlot<WORDS>) -> Result<&'static TaskStorage<F>, SpawnError>
where
    F: Future<Output = ()> + 'static,
{
    let (owner, task) = ((&raw const OWNER).addr(), TypeId::of::<TaggedTask<F>>());
    let address = match slot.claim::<TaggedTask<F>>() {
        Claim::Busy => return Err(SpawnError::Busy),
        Claim::Fresh(fresh) => {
            let address = fresh.address().cast::<TaggedTask<F>>();
            // SAFETY: `claim` has checked that `TaggedTask<F>` fits in size and alignment, and gives `Fresh` once in the
            // slot's life, so nobody else reads or writes these bytes now. They are the slot's atomics, so they may be
            // written behind a shared reference, and a static's, so they stay for ever.
            unsafe { address.write(TaggedTask { tag: Tag { owner, task }, task: TaskStorage::new() }) };
            fresh.ready();
            address
        }
        Claim::Ready(address) => {
            // SAFETY: the slot is large and aligned enough for a `TaggedTask<F>`, as `claim` has checked, hence for its
            // first word, which is initialised: by this module, or, where other code made the slot ready and wrote
            // nothing, with the slot's zeros. Nobody writes it after `ready`, whose store `claim` has acquired.
            let owned = unsafe { address.cast::<usize>().read() } == owner;
            // SAFETY: read only where this module is the owner, which by the invariant has written a `Tag` there.
            if !owned || unsafe { (*address.cast::<Tag>()).task } != task {
                return Err(SpawnError::WrongType);
            }
            address.cast::<TaggedTask<F>>()
        }
    };
    // SAFETY: by the tag, a `TaggedTask<F>` lies at `address`; it is never moved, freed or written as a whole again, and
    // `TaskStorage` is `Sync` with all its changes behind interior mutability, so sharing it for ever is sound.
    Ok(unsafe { &(*address).task })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::{
        future::{pending, poll_fn},
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        task::Poll,
    };
    use embassy_executor::raw::Executor;
    use std::{boxed::Box, thread};

    /// The executors of these tests are polled by hand, so there is nobody to tell that a task is ready.
    #[unsafe(export_name = "__pender")]
    fn pender(_context: *mut ()) {}

    /// Embassy keeps pointers into a task after it ended, so executors, like slots, have to live for ever.
    fn executor() -> &'static Executor {
        Box::leak(Box::new(Executor::new(core::ptr::null_mut())))
    }

    fn poll(executor: &'static Executor) {
        // SAFETY: no task of these tests polls its executor, so this is not reentrant.
        unsafe { executor.poll() };
    }

    #[test]
    fn a_task_runs_in_its_slot_and_the_slot_serves_again_when_it_ended() {
        static SLOT: StaticSlot<64> = StaticSlot::new();
        static SUM: AtomicU32 = AtomicU32::new(0);
        /// Ready at its second poll, so that the task is caught while it runs.
        async fn add(n: u32) {
            let mut polled = false;
            poll_fn(|cx| {
                if core::mem::replace(&mut polled, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            SUM.fetch_add(n, Relaxed);
        }

        let executor = executor();
        for round in 1..=3 {
            executor.spawner().spawn(prepare(&SLOT, || add(round)).expect("the slot is free"));
            poll(executor);
            let again = prepare(&SLOT, || -> _ {
                assert!(round > 3, "`make` must not run while the slot is taken");
                add(100)
            });
            assert_eq!(again.err(), Some(SpawnError::Busy));
            poll(executor);
            assert_eq!(SUM.load(Relaxed), (1..=round).sum());
        }
    }

    #[test]
    fn a_slot_that_holds_another_tasks_storage_says_wrong_type_for_ever() {
        static SLOT: StaticSlot<64> = StaticSlot::new();
        let executor = executor();
        executor.spawner().spawn(prepare(&SLOT, || async {}).expect("the slot is free"));
        let other = || pending::<()>();
        assert_eq!(prepare(&SLOT, other).err(), Some(SpawnError::WrongType));
        poll(executor);
        assert_eq!(prepare(&SLOT, other).err(), Some(SpawnError::WrongType), "though its task has ended");
    }

    #[test]
    fn a_slot_that_other_code_made_ready_without_a_tag_says_wrong_type() {
        static SLOT: StaticSlot<64> = StaticSlot::new();
        let Claim::Fresh(fresh) = SLOT.claim::<()>() else { panic!("nobody used the slot before") };
        assert_eq!(prepare(&SLOT, pending::<()>).err(), Some(SpawnError::Busy), "while it is being written");
        fresh.ready();
        assert_eq!(prepare(&SLOT, pending::<()>).err(), Some(SpawnError::WrongType));
    }

    #[test]
    fn what_a_task_captures_is_dropped_when_it_ends() {
        static SLOT: StaticSlot<64> = StaticSlot::new();
        let shared = std::sync::Arc::new(());
        let held = shared.clone();
        let executor = executor();
        executor.spawner().spawn(prepare(&SLOT, move || async move { drop(held) }).expect("the slot is free"));
        assert_eq!(std::sync::Arc::strong_count(&shared), 2);
        poll(executor);
        assert_eq!(std::sync::Arc::strong_count(&shared), 1);
    }

    #[test]
    fn of_many_threads_that_start_one_slot_exactly_one_wins() {
        static SLOT: StaticSlot<64> = StaticSlot::new();
        let start = || thread::spawn(|| prepare(&SLOT, pending::<()>).map(core::mem::forget).is_ok());
        let started = [start(), start(), start(), start()].map(|thread| thread.join().expect("no thread panics"));
        assert_eq!(started.iter().filter(|won| **won).count(), 1);
    }
}
