//! The example on both flavours of Tokio: the same alerts, in the same order.

use anabranch::TokioAdapter;
use std::{fmt::Write, process::Command};

const ALERTS: &str = include_str!("../../alerts.txt");

#[test]
fn the_program_prints_the_alerts_on_many_threads_and_ends() {
    let ran = Command::new(env!("CARGO_BIN_EXE_sensors-to-alerts-tokio")).output().expect("it was built");
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout).expect("it prints text");
    let latency = said.strip_prefix(ALERTS).unwrap_or_else(|| panic!("other alerts than expected:\n{said}"));
    assert!(latency.starts_with("200 edges, "), "{latency}");
    println!("{latency}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_alerts_are_the_same_on_one_thread() -> Result<(), Box<dyn std::error::Error>> {
    let runtime: &'static TokioAdapter = Box::leak(Box::new(TokioAdapter::current()?));
    let mut alerts = sensors_to_alerts::start(runtime)?;
    let mut said = String::new();
    while let Some(alert) = alerts.next().await {
        writeln!(said, "{alert}")?;
    }
    assert_eq!(said, ALERTS);
    println!("{}", alerts.latency("tokio, current-thread"));
    Ok(())
}
