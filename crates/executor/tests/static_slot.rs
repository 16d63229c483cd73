//! A slot keeps one storage for ever, or is occupied by one task on the heap at a time, and never both.

use anabranch_executor::{Claim, SLOT_ALIGN, SpawnError, StaticSlot};

#[test]
fn a_slot_is_occupied_until_its_task_is_gone() {
    static SLOT: StaticSlot<0> = StaticSlot::new();
    let occupied = SLOT.occupy().expect("a new slot is free");
    assert_eq!(SLOT.occupy().err(), Some(SpawnError::Busy));
    assert!(matches!(SLOT.claim::<()>(), Claim::Busy));
    drop(occupied);
    assert!(SLOT.occupy().is_ok());
}

#[test]
fn a_slot_that_keeps_a_storage_cannot_be_occupied() {
    static SLOT: StaticSlot<4> = StaticSlot::new();
    let Claim::Fresh(fresh) = SLOT.claim::<[usize; 4]>() else { panic!("a new slot is fresh") };
    assert_eq!(SLOT.occupy().err(), Some(SpawnError::Busy), "while the storage is being written");
    let address = fresh.address();
    assert!(address.addr().is_multiple_of(SLOT_ALIGN));
    fresh.ready();
    assert_eq!(SLOT.occupy().err(), Some(SpawnError::WrongType));
    assert!(matches!(SLOT.claim::<[usize; 4]>(), Claim::Ready(same) if same == address));
}

#[test]
fn a_storage_that_was_given_up_half_written_is_never_used() {
    static SLOT: StaticSlot<1> = StaticSlot::new();
    {
        let _never_ready = SLOT.claim::<usize>();
    }
    assert!(matches!(SLOT.claim::<usize>(), Claim::Busy));
    assert_eq!(SLOT.occupy().err(), Some(SpawnError::Busy));
}
