//! The example says what it should.

use std::process::Command;

#[test]
fn it_prints_what_the_transform_made_and_ends() {
    let ran = Command::new(env!("CARGO_BIN_EXE_hello")).output().expect("it was built");
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(said, "27.5 °C: too warm\n");
}
