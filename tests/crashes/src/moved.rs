//! What a store over a storage exports makes the same store elsewhere.

use crate::Lost;
use anabranch_store::{Memory, Options, Store, Timestamp};

/// Brings all that a store holds into a new one in memory, by pieces as a host hands them on, and says how many versions came.
///
/// # Errors
/// What either store says, and that the two do not hold the same.
pub fn moved(store: &Store, options: Options) -> Result<u64, Lost> {
    let elsewhere = Store::open(Memory::new(), options)?;
    let (mut exporting, mut importing) = (store.exporting()?, elsewhere.importing());
    loop {
        let piece = exporting.next_piece(50_000)?;
        if piece.is_empty() {
            break;
        }
        importing.feed(piece)?;
    }
    let imported = importing.end()?;
    match elsewhere.snapshot_at(Timestamp::LATEST)?.eq(store.snapshot_at(Timestamp::LATEST)?) {
        true => Ok(imported.new),
        false => Err("what came elsewhere is not what was here".into()),
    }
}
