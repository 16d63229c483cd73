//! The simulation keeps the contract of every runtime, under many seeds and with faults.

use anabranch_conformance::{
    Fault, Platform, run_spawn_blocking, run_spawn_dynamically, run_spawn_statically, run_time, static_slots,
};
use anabranch_sim::{Faults, Sim, SimAdapter, SimOptions, Verdict};

const PLATFORM: Platform = Platform { unwinds: true, threads: false };

/// Runs the whole suite; it panics in tasks by intention.
fn keeps_the_contract(sim: &mut Sim) -> Verdict {
    let rt = sim.static_adapter();
    let failed = sim.block_on(async {
        let (mut passed, mut failed) = (0, Vec::new());
        let mut report = |name: &'static str, outcome: Result<(), Fault>| match outcome {
            Ok(()) => passed += 1,
            Err(fault) => failed.push(format!("{name}: {fault}")),
        };
        run_time(rt, &mut report).await;
        run_spawn_dynamically(rt, PLATFORM, &mut report).await;
        run_spawn_statically(rt, static_slots!(SimAdapter), PLATFORM, &mut report).await;
        run_spawn_blocking(rt, PLATFORM, &mut report).await;
        assert!(passed + failed.len() > 30, "the suite has run");
        failed
    })?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

fn silently(test: impl FnOnce()) {
    // The cases that panic would print some thousand reports that nobody reads.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let intended = info.payload().downcast_ref::<&str>().is_some_and(|text| text.contains("asked to panic"));
        if !intended {
            hook(info);
        }
    }));
    test();
}

#[test]
fn the_simulation_keeps_the_contract_under_every_seed_and_on_bad_days() {
    silently(|| {
        SimOptions::default().panics_expected().check(0..200, keeps_the_contract);
        // No task is held up, for one case knows no other way to see a task end than to give it 30 ms.
        let faults = Faults { stall: 0.0, ..Faults::harsh() };
        SimOptions::default().panics_expected().faults(faults).check(0..200, keeps_the_contract);
    });
}
