//! The example in simulation: the program, and the same services under other seeds and on a machine that stumbles.

use anabranch::{
    ClaimError, ServicePhase, SimAdapter, StartError,
    sim::{Faults, Sim, SimOptions},
};
use sensors_to_alerts::{ALERT, Alerts, Sensor, TEMPERATURE, start};
use std::{fmt::Write, process::Command, sync::Mutex};

const ALERTS: &str = include_str!("../../alerts.txt");

/// Static records are one for the whole process: the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn the_program_prints_the_alerts_and_ends() {
    let ran = Command::new(env!("CARGO_BIN_EXE_sensors-to-alerts-sim")).output().expect("it was built");
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout).expect("it prints text");
    let latency = said.strip_prefix(ALERTS).unwrap_or_else(|| panic!("other alerts than expected:\n{said}"));
    // Half a sample until the first reading shows the edge, one more until the smooth value is beyond the limit, and in
    // virtual time nothing else.
    assert!(latency.starts_with("200 edges, from sensor to alert: p50 6.000 ms, p99 6.000 ms, max 6.000 ms\n"));
}

#[test]
fn in_whatever_order_tasks_run_and_however_late_their_timers_are_the_alerts_are_the_same() {
    let _turn = TURN.lock();
    for (faults, seeds) in [(Faults::default(), 0..10), (Faults::harsh(), 10..20)] {
        SimOptions::default().faults(faults).check(seeds, |sim| {
            let runtime = sim.static_adapter();
            let said = sim.block_on(async { said(start(runtime)?).await })??;
            assert_eq!(said, ALERTS);
            Ok(())
        });
    }
}

#[test]
fn the_sensor_is_started_again_when_its_bus_hangs_up() -> Result<(), Failed> {
    let _turn = TURN.lock();
    let mut sim = Sim::new(0);
    let runtime = sim.static_adapter();
    let state = Sensor::state(0).expect("there is one");
    let before = state.restarts();
    sim.block_on(async { said(start(runtime)?).await })??;
    assert_eq!(state.restarts() - before, 2, "1,400 readings, and the bus hangs up after each 500");
    assert_eq!(state.phase(), ServicePhase::Finished);
    assert!(TEMPERATURE.status().closed && ALERT.status().closed);
    Ok(())
}

#[test]
fn starting_it_while_it_runs_is_an_error_that_harms_nothing() -> Result<(), Failed> {
    let _turn = TURN.lock();
    let mut sim = Sim::new(0);
    let runtime = sim.static_adapter();
    sim.block_on(async {
        let alerts = start(runtime)?;
        assert_eq!(start(runtime).err(), Some(StartError::Claim(ClaimError::SeatsTaken)));
        assert_eq!(said(alerts).await?, ALERTS);
        Ok::<(), Failed>(())
    })??;
    Ok(())
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The alerts as the program prints them.
async fn said(mut alerts: Alerts<SimAdapter>) -> Result<String, Failed> {
    let mut said = String::new();
    while let Some(alert) = alerts.next().await {
        writeln!(said, "{alert}")?;
    }
    Ok(said)
}
