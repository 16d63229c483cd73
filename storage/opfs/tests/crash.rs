//! A few of the histories that the simulator plays by thousands: `cargo xtask sim --scenario store-crash --seeds 2000`.
//!
//! `ANABRANCH_SEEDS` says how many seeds; `ANABRANCH_SEED` which one.

use anabranch_crashes::{Opfs, each_seed, lifecycle, rows, seeds, versions};

const FEW: u64 = if cfg!(debug_assertions) { 10 } else { 200 };

#[test]
fn whatever_a_crash_leaves_is_as_after_some_commit_and_no_durable_one_is_lost() {
    each_seed(seeds(FEW), rows::crashes::<Opfs>);
}

#[test]
fn a_flipped_bit_is_told_or_changes_nothing() {
    each_seed(seeds(FEW), rows::flips::<Opfs>);
}

#[test]
fn after_a_crash_every_acknowledged_version_is_there_and_each_chain_is_whole() {
    each_seed(seeds(FEW), versions::crashes::<Opfs>);
}

#[test]
fn no_acknowledged_version_is_lost_while_versions_change_their_tier() {
    each_seed(seeds(FEW), lifecycle::crashes::<Opfs>);
}

#[test]
fn a_version_that_a_flipped_bit_has_changed_is_never_served_and_verify_names_its_key() {
    each_seed(seeds(FEW), versions::flips::<Opfs>);
}
