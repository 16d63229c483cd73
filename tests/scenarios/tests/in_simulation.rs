//! Every scenario under a few seeds, so that `cargo test` notices what `cargo xtask sim` looks at in depth; and the
//! seeds are shown to matter.

use anabranch_scenarios::in_simulation;

#[test]
fn every_scenario_holds_under_a_hundred_seeds() {
    for scenario in in_simulation() {
        let seeds = if scenario.name == "thousand-services" { 0..4 } else { 0..100 };
        if let Err(failure) = scenario.explore(seeds, 1) {
            panic!("{}: {failure}", scenario.name);
        }
    }
}

#[test]
fn seeds_are_different_courses() -> Result<(), anabranch::sim::Failure> {
    for scenario in in_simulation().iter().filter(|scenario| scenario.name != "thousand-services") {
        let explored = scenario.explore(0..100, 1)?;
        assert!(explored.courses > 40, "{} took {} courses under 100 seeds", scenario.name, explored.courses);
    }
    Ok(())
}
