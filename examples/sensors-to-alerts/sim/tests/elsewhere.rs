//! The example on the emulated board and in Node: the same alerts as here, and how long they took there.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const ALERTS: &str = include_str!("../../alerts.txt");

/// The board's time is the real one here; `.cargo/config.toml` runs firmware in virtual time.
const BOARD_IN_REAL_TIME: &str = "qemu-system-arm -M mps2-an385 -nographic -monitor none -serial null \
     -semihosting-config enable=on,target=native -kernel";

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn the_firmware_prints_the_alerts() {
    let mut firmware = cargo("run --profile firmware --target thumbv7m-none-eabi -p sensors-to-alerts-embassy");
    firmware.env("CARGO_TARGET_THUMBV7M_NONE_EABI_RUNNER", BOARD_IN_REAL_TIME);
    prints_the_alerts(firmware);
}

#[test]
#[ignore = "it needs Node and the target wasm32-unknown-unknown; add `-- --ignored` where they are"]
fn the_module_prints_the_alerts_in_node() {
    // Where cargo puts what it builds: beside the folder that it gives to tests.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("that folder lies in the target directory");
    let module = target.join("wasm32-unknown-unknown/shipped/sensors_to_alerts_node.wasm");
    let glued = target.join("node/sensors_to_alerts_node");
    stdout(cargo("build --profile shipped --target wasm32-unknown-unknown -p sensors-to-alerts-node"));
    // Where it is built already, it is not built once more for this test alone.
    let mut glue = env::var_os("WASM_GLUE").map_or_else(|| cargo("run -p wasm-glue --"), Command::new);
    glue.args([&module, &glued]).args(["--target", "nodejs"]);
    stdout(glue);
    let mut node = Command::new("node");
    node.current_dir(root()).arg("examples/sensors-to-alerts/node/run.mjs");
    node.arg(glued.join("sensors_to_alerts_node.js"));
    prints_the_alerts(node);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The cargo that built this test, for the same target directory.
fn cargo(words: &str) -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("that folder lies in the target directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", target).args(words.split_whitespace());
    cargo
}

/// What the program prints when it ends well.
fn stdout(mut program: Command) -> String {
    let ran = program.stderr(Stdio::inherit()).output().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    assert!(ran.status.success(), "{program:?} ended with {}", ran.status);
    String::from_utf8(ran.stdout).expect("it prints text")
}

fn prints_the_alerts(program: Command) {
    let said = stdout(program);
    let latency = said.strip_prefix(ALERTS).unwrap_or_else(|| panic!("other alerts than expected:\n{said}"));
    println!("{latency}");
    assert!(latency.starts_with("200 edges, ") && latency.contains("JSON {"), "{latency}");
}
