//! Firmware is built by the cargo that built the tests.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

const TARGET: &str = "thumbv7m-none-eabi";

/// The firmware with the scenarios.
pub const FIRMWARE: &str = "firmware-mqtt";

/// The image of the firmware `package`, which is built if it is not there.
///
/// # Panics
/// When it does not build.
pub fn built(package: &'static str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<&str, PathBuf>>> = Mutex::new(None);
    let mut images = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let image = images.get_or_insert_default().entry(package).or_insert_with(|| build(package));
    image.clone()
}

fn build(package: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Where this test's own program lies: `target/debug/deps`.
    let program = env::current_exe().expect("a test has a program");
    let target = program.ancestors().nth(3).expect("it lies in the target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    let built = cargo.args(["build", "--quiet", "--profile", "firmware", "--target", TARGET, "-p", package]).status();
    assert!(built.is_ok_and(|status| status.success()), "{package} builds for {TARGET}");
    target.join(TARGET).join("firmware").join(package)
}
