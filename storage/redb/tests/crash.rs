//! A few of the histories that the simulator plays by thousands: `cargo xtask sim --scenario store-crash --seeds 2000`.
//!
//! `ANABRANCH_SEEDS` says how many seeds; `ANABRANCH_SEED` which one.

use anabranch_crashes::{Redb, each_seed, lifecycle, rows, seeds, versions};

/// Built for debugging, redb checks much that takes its time.
const FEW: u64 = if cfg!(debug_assertions) { 2 } else { 50 };

#[test]
fn whatever_a_crash_leaves_is_as_after_some_commit_and_no_durable_one_is_lost() {
    each_seed(seeds(FEW), rows::crashes::<Redb>);
}

/// What the simulator's seed 19 hands to the histories. There the first commit after an orderly end grew the file, and the sync of
/// that failed; the header without the note that the database is open was still the durable one, was written again with the new
/// length, which was lost, and the file was shorter than it said.
#[test]
fn the_history_of_seed_19_loses_nothing() -> Result<(), anabranch_crashes::Lost> {
    const SEED: u64 = 15_805_725_812_254_993_642;
    versions::crashes::<Redb>(SEED)?;
    rows::crashes::<Redb>(SEED)?;
    Ok(())
}

#[test]
fn a_flipped_bit_is_told_or_changes_nothing() {
    each_seed(seeds(FEW), rows::flips::<Redb>);
}

#[test]
fn after_a_crash_every_acknowledged_version_is_there_and_each_chain_is_whole() {
    each_seed(seeds(FEW), versions::crashes::<Redb>);
}

#[test]
fn no_acknowledged_version_is_lost_while_versions_change_their_tier() {
    each_seed(seeds(FEW), lifecycle::crashes::<Redb>);
}

#[test]
fn a_version_that_a_flipped_bit_has_changed_is_never_served_and_verify_names_its_key() {
    each_seed(seeds(FEW), versions::flips::<Redb>);
}
