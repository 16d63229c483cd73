//! The store on a disk that fails: what a power loss after each write and sync leaves, and what a flipped bit does.
//!
//! A store waits for nobody, so the runtime has nothing to do here; it gives the seed, and what the disk went through
//! stands in its trace.

use crate::{Scene, Verdict};
use anabranch::sim::SimAdapter;
use anabranch_crashes::{Opfs, Redb, lifecycle, rows, versions};

/// Histories of commits, of several writers who share them, and of versions that change their tier, cut after each write and sync.
pub async fn store_crash(scene: Scene<SimAdapter>) -> Verdict {
    let seed = scene.chance.below(u64::MAX);
    scene.runtime.note(format_args!("{:?}", versions::crashes::<Redb>(seed)?));
    scene.runtime.note(format_args!("{:?}", rows::crashes::<Redb>(seed)?));
    scene.runtime.note(format_args!("{:?}", versions::crashes::<Opfs>(seed)?));
    scene.runtime.note(format_args!("{:?}", rows::crashes::<Opfs>(seed)?));
    // They are long: a database is opened again, proven and tidied up a hundred times.
    if scene.chance.one_in(8) {
        scene.runtime.note(format_args!("{:?}", lifecycle::crashes::<Redb>(seed)?));
        scene.runtime.note(format_args!("{:?}", lifecycle::crashes::<Opfs>(seed)?));
    }
    Ok(())
}

/// A bit changes in a file that nobody has open.
pub async fn store_flipped_bits(scene: Scene<SimAdapter>) -> Verdict {
    let seed = scene.chance.below(u64::MAX);
    scene.runtime.note(format_args!("{:?}", versions::flips::<Redb>(seed)?));
    scene.runtime.note(format_args!("{:?}", rows::flips::<Redb>(seed)?));
    scene.runtime.note(format_args!("{:?}", versions::flips::<Opfs>(seed)?));
    scene.runtime.note(format_args!("{:?}", rows::flips::<Opfs>(seed)?));
    Ok(())
}
