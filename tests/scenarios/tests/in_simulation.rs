//! Every scenario under a few seeds, so that `cargo test` notices what `cargo xtask sim` looks at in depth; and the
//! seeds are shown to matter.

use anabranch_scenarios::{Kind, in_simulation};

#[test]
fn every_scenario_holds_under_some_seeds() {
    for scenario in in_simulation() {
        let seeds = match scenario.kind {
            _ if scenario.name == "thousand-services" => 0..4,
            // Built for debugging, redb checks much that takes its time.
            Kind::Disk => 0..4,
            _ => 0..100,
        };
        if let Err(failure) = scenario.explore(seeds, 1) {
            panic!("{}: {failure}", scenario.name);
        }
    }
}

#[test]
fn seeds_are_different_courses() -> Result<(), anabranch::sim::Failure> {
    for scenario in in_simulation().iter().filter(|scenario| scenario.name != "thousand-services") {
        let seeds = if scenario.kind == Kind::Disk { 4 } else { 100 };
        let explored = scenario.explore(0..seeds, 1)?;
        assert!(
            explored.courses * 5 > seeds * 2,
            "{} took {} courses under {seeds} seeds",
            scenario.name,
            explored.courses
        );
    }
    Ok(())
}
