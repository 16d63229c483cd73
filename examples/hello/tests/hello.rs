//! The example says what it should.

use std::process::Command;

#[test]
fn it_prints_the_fan_for_each_temperature_and_ends() {
    let ran = Command::new(env!("CARGO_BIN_EXE_hello")).output().expect("it was built");
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(said, "21 °C, fan: Some(false)\n24.5 °C, fan: Some(false)\n27.5 °C, fan: Some(true)\n");
}
