//! The memory backend keeps what every backend keeps.

use anabranch_conformance::{Tally, run_backends};
use anabranch_store::Memory;

#[test]
fn the_memory_backend_keeps_the_contract() {
    let mut tally = Tally::new(|line| println!("{line}"));
    run_backends(|| Ok(Memory::new()), &mut tally);
    assert!(tally.finish());
}
