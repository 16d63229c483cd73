//! What `cargo xtask test` and `ci` run: two tables, a line a step. To add a step, add a line. What benchmarks need stands here, too.

mod checks;
mod tests;

use std::ffi::OsString;
use std::path::Path;

use crate::failure::Failure;
use crate::npm;
use crate::process::Run;
use crate::runner::Step;
use crate::tools::{
    BROWSER_PACKAGES, CHROMIUM, MOSQUITTO, NODE, NPM, OPENSSL, PACKAGE_PACKAGES, PEER_PACKAGES, PKG_CONFIG,
    STD_SOURCES, Tool, WASM,
};
use crate::workspace::{THUMBV7M, WASM32, Workspace};

/// The package that holds the simulator's scenarios.
pub const SCENARIOS: &str = "anabranch-scenarios";

/// The example that runs on every runtime.
const SENSORS: &str = "examples/sensors-to-alerts";

/// Tells scripts where the package is that they are to test or to measure.
const PACKAGE: &str = "ANABRANCH_PACKAGE";

pub const CORE: &str = "anabranch-core";
const EXECUTOR: &str = "anabranch-executor";
const EMBASSY: &str = "anabranch-embassy";
const FACADE: &str = "anabranch";
const VALUE: &str = "anabranch-value";
pub const MQTT: &str = "anabranch-mqtt";
const REDB: &str = "anabranch-redb";
const OPFS: &str = "anabranch-opfs";

/// The program that makes JavaScript of what was built for WebAssembly.
const GLUE: &str = "wasm-glue";
/// A test, as a file, that depends on next to nothing.
const SMALL_TEST: &str = "static_slot";

/// Where linters, checks and the documentation find what each needs of the others.
const CHECKS_FOLDER: &str = "checks";
/// Where `--release` goes beside the tests.
const OPTIMISED: &str = "optimised";

pub fn tests() -> Vec<Step> {
    tests::TESTS.to_vec()
}

pub fn tests_and_checks() -> Vec<Step> {
    [tests::TESTS, checks::CHECKS].concat()
}

/// A task of cargo that builds in a folder of the target directory, and so in nobody's way.
fn cargo_in(workspace: &Workspace, folder: &str, task: &str) -> Run {
    Run::cargo([task]).args(into(workspace, folder))
}

fn into(workspace: &Workspace, folder: &str) -> [OsString; 2] {
    ["--target-dir".into(), workspace.built(folder).into_os_string()]
}

/// Tests of one file each, which the native tests build and leave out. Of a package alone, what it depends on would have fewer
/// features, and be built once more.
fn tests_left_out(workspace: &Workspace, files: &[&str]) -> Run {
    let tests = Run::cargo(["test"]).args(workspace.host_selection());
    tests.args(files.iter().flat_map(|file| ["--test", file])).args(["--", "--ignored"])
}

/// Builds a program for this machine of what the native tests have built: with the same features, which are those of tests as soon
/// as one is built with it.
fn built_as_tested(workspace: &Workspace, program: &str) -> Result<Run, Failure> {
    workspace.package_of(program)?;
    let build = Run::cargo(["build"]).args(workspace.host_selection());
    Ok(build.args(["--bin", program, "--test", SMALL_TEST]))
}

/// Builds what glues a module for WebAssembly to JavaScript for a kind of host, and does it.
pub fn glue(workspace: &Workspace, module: &Path, glued: &Path, host: &str) -> Result<[Run; 2], Failure> {
    let program = workspace.built(format!("debug/{GLUE}"));
    let bind = Run::new(program, [module, glued]).args(["--target", host]);
    Ok([built_as_tested(workspace, GLUE)?, bind])
}

/// The counts are of what a user would ship: optimised for speed, as the peer is.
fn counting_instructions(workspace: &Workspace) -> Result<Run, Failure> {
    let package = workspace.package_in("tests/firmware-instructions")?;
    Ok(Run::cargo(["run", "--profile", "shipped", "--target", THUMBV7M, "-p", &package.name]).within(300))
}

/// What a benchmark needs beside Rust. Those in Rust are built together, and so a peer's needs are those of each.
pub fn needed_by_benchmark(benchmark: &str) -> &'static [Tool] {
    match benchmark {
        "links" => &[PKG_CONFIG, OPENSSL, MOSQUITTO],
        "wasm" => &[WASM, STD_SOURCES, NODE, NPM, PACKAGE_PACKAGES, BROWSER_PACKAGES, PEER_PACKAGES, CHROMIUM],
        _ => &[PKG_CONFIG, OPENSSL],
    }
}

/// What a benchmark is about, where that is not built with it.
pub fn built_before(workspace: &Workspace, benchmark: &str) -> Result<Vec<Run>, Failure> {
    match benchmark {
        "wasm" => Ok(vec![this_task(workspace, "npm")]),
        _ => Ok(Vec::new()),
    }
}

/// The benchmark itself, which writes its rows into a file.
pub fn benchmark(workspace: &Workspace, name: &str, result: &Path) -> Run {
    if name == "wasm" {
        return Run::new("node", ["bench/wasm/run.mjs"]).args([result]).env(PACKAGE, npm::folder(workspace));
    }
    let target = workspace.built("bench");
    let bench = Run::cargo(["run", "--release", "--manifest-path", "bench/Cargo.toml", "--bin", name, "--target-dir"]);
    bench.args([target]).args(["--"])
}

/// What other programs than a benchmark's own measure for it: each prints lines of `JSON {…}`, a row each.
pub fn measuring_beside(workspace: &Workspace, benchmark: &str) -> Result<Vec<Run>, Failure> {
    match benchmark {
        "records" => {}
        "wasm" => {
            let sizes = Run::new("node", [format!("{}/sizes.mjs", npm::SOURCES)]).args([npm::folder(workspace)]);
            let runs = std::iter::once(sizes.args(["--rows"])).chain(sensors_in_a_tab(workspace)?);
            return Ok(runs.collect());
        }
        _ => return Ok(Vec::new()),
    }
    let tokio = workspace.package_in(&format!("{SENSORS}/tokio"))?;
    let here = Run::cargo(["run", "--profile", "shipped", "-p", &tokio.name]).within(600);
    let [glue, elsewhere] = sensors_elsewhere(workspace)?;
    let elsewhere = elsewhere.args(["--nocapture", "--test-threads", "1"]);
    Ok(vec![counting_instructions(workspace)?, here, glue, elsewhere])
}

/// The example in a tab, which prints how long its edges took.
fn sensors_in_a_tab(workspace: &Workspace) -> Result<Vec<Run>, Failure> {
    in_javascript(workspace, "examples/web/sensors", "web", "test.mjs")
}

/// The tests that need a board or Node, and so are left out where one types `cargo test`.
fn sensors_elsewhere(workspace: &Workspace) -> Result<[Run; 2], Failure> {
    let test = tests_left_out(workspace, &["elsewhere"]).env("WASM_GLUE", workspace.built(format!("debug/{GLUE}")));
    Ok([built_as_tested(workspace, GLUE)?, test.within(900)])
}

/// Runs a firmware on the emulated board, which `.cargo/config.toml` describes; it ends QEMU through semihosting.
fn in_qemu(workspace: &Workspace, folder: &str) -> Result<Run, Failure> {
    let package = workspace.package_in(folder)?;
    Ok(Run::cargo(["run", "--profile", "firmware", "--target", THUMBV7M, "-p", &package.name]).within(300))
}

/// Runs a firmware on the emulated board with a network, which is QEMU's own. Time is that of the world, as it is outside.
fn in_qemu_s_network(workspace: &Workspace, folder: &str) -> Result<[Run; 2], Failure> {
    let package = workspace.package_in(folder)?;
    let program = workspace.built(format!("{THUMBV7M}/firmware/{}", package.program()?));
    let build = Run::cargo(["build", "--profile", "firmware", "--target", THUMBV7M, "-p", &package.name]);
    let board = ["-M", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "null"];
    let qemu = Run::new("qemu-system-arm", board).args(["-semihosting-config", "enable=on,target=native"]);
    let qemu = qemu.args(["-nic", "user,model=lan9118", "-kernel"]).args([program]);
    Ok([build, qemu.within(120)])
}

/// Builds a module for WebAssembly, glues it to JavaScript for a kind of host, and hands it to a script beside it.
fn in_javascript(workspace: &Workspace, folder: &str, host: &str, script: &str) -> Result<Vec<Run>, Failure> {
    let package = workspace.package_in(folder)?;
    let program = package.program()?;
    let module = workspace.built(format!("{WASM32}/shipped/{program}.wasm"));
    let glued = workspace.built(format!("{host}/{program}"));
    let build = Run::cargo(["build", "--profile", "shipped", "--target", WASM32, "-p", &package.name]);
    let [build_glue, bind] = glue(workspace, &module, &glued, host)?;
    let node = Run::new("node", [format!("{folder}/{script}")]).args([glued.join(format!("{program}.js"))]);
    Ok(vec![build, build_glue, bind, node.within(600)])
}

fn this_task(workspace: &Workspace, name: &str) -> Run {
    Run::new(&workspace.xtask, [name])
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let steps = tests_and_checks();
        for (place, step) in steps.iter().enumerate() {
            assert!(steps[..place].iter().all(|before| before.name != step.name), "{} stands twice", step.name);
        }
    }
}
