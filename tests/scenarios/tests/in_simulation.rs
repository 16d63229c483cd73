//! Every scenario under a few seeds, so that `cargo test` notices what `cargo xtask sim` looks at in depth; and the
//! seeds are shown to matter.

use anabranch_scenarios::{Kind, in_simulation};

/// Every second scenario, from a place on: a test's process has two of them at once.
fn every_second(from: usize) {
    for scenario in in_simulation().iter().skip(from).step_by(2) {
        let seeds = match scenario.kind {
            _ if scenario.name == "thousand-services" => 4,
            // Built for debugging, redb checks much that takes its time.
            Kind::Disk => 4,
            _ => 100,
        };
        let explored =
            scenario.explore(0..seeds, 1, 1).unwrap_or_else(|failure| panic!("{}: {failure}", scenario.name));
        assert!(
            explored.courses * 5 > seeds * 2 || scenario.name == "thousand-services",
            "{} took {} courses under {seeds} seeds",
            scenario.name,
            explored.courses
        );
    }
}

#[test]
fn every_other_scenario_holds_under_some_seeds_which_are_different_courses() {
    every_second(0);
}

#[test]
fn and_so_does_every_scenario_between_them() {
    every_second(1);
}
