//! What `cargo xtask test` and `ci` run: two tables, a line a step. To add a step, add a line.

use std::path::Path;

use crate::failure::Failure;
use crate::npm;
use crate::process::Run;
use crate::runner::{Counts, Step};
use crate::sizes;
use crate::tools::{
    BROWSER_PACKAGES, CHROMIUM, CLIPPY, COVERAGE, DENY, EJABBERD, HACK, LLVM, MIRI, MIRI_SOURCES, MOSQUITTO,
    MOSQUITTO_CLIENTS, NODE, NPM, OPENSSL, OPENSSL_PROGRAM, PACKAGE_PACKAGES, PEER_PACKAGES, PKG_CONFIG,
    PROJECT_PACKAGES, QEMU, RUSTFMT, THUMB, THUMB_DSP, Tool, WASM,
};
use crate::workspace::{THUMBV7EM, THUMBV7M, WASM32, Workspace};

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

/// The tests, in the order in which one wants to hear of a failure.
const TESTS: &[Step] = &[
    Step {
        name: "native",
        shows: "unit, integration, conformance, compile-fail and doc tests on this machine, and links against real brokers",
        needs: &[MOSQUITTO, MOSQUITTO_CLIENTS],
        counts: Counts::Tests,
        runs: |workspace| Ok(vec![Run::cargo(["test", "--no-fail-fast"]).args(workspace.host_selection())]),
    },
    Step {
        name: "loom",
        shows: "every interleaving of the lock-free parts",
        needs: &[],
        counts: Counts::Tests,
        runs: |workspace| {
            let loom = Run::cargo(["test", "-p", CORE, "--release", "--test", "loom", "--target-dir"]);
            Ok(vec![loom.args([workspace.built("loom")]).env("RUSTFLAGS", "--cfg loom")])
        },
    },
    Step {
        name: "miri",
        shows: "no undefined behaviour where `unsafe` stands",
        needs: &[MIRI, MIRI_SOURCES],
        counts: Counts::Tests,
        runs: |_| {
            let miri = |package, tests: &[&str]| Run::cargo(["+nightly", "miri", "test", "-p", package]).args(tests);
            // The tests that are meant for it: those of allocations count, and take a minute here.
            // Links have no `unsafe` of their own, and tables of ten thousand.
            let core = miri(CORE, &["--lib", "--test", "properties", "--test", "traps", "--", "--skip", "link::"]);
            Ok(vec![core, miri(EMBASSY, &["--lib"])])
        },
    },
    Step {
        name: "no-alloc",
        shows: "the contract and the records build with no allocator, and a program with a record on the heap does not",
        needs: &[THUMB, QEMU],
        counts: Counts::Nothing,
        runs: |workspace| {
            let parts =
                Run::cargo(["build", "-p", EXECUTOR, "-p", CORE, "--no-default-features", "--target", THUMBV7M]);
            let package = workspace.package_in("tests/firmware-heap")?;
            let heap = Run::cargo(["build", "--profile", "firmware", "--target", THUMBV7M, "-p", &package.name]);
            let heap = heap.args(["--features", "heap"]).must_fail_saying("no global memory allocator found");
            let [static_record, hello] = ["tests/firmware-heap", "examples/embassy-hello"];
            Ok(vec![parts, heap, in_qemu(workspace, static_record)?, in_qemu(workspace, hello)?])
        },
    },
    Step {
        name: "targets",
        shows: "links, their formats, MQTT and values build for a board with a heap and without, and for WebAssembly",
        needs: &[THUMB, WASM],
        counts: Counts::Nothing,
        runs: |_| {
            let build = |target| {
                let links = Run::cargo(["check", "-p", CORE, "-p", VALUE, "-p", MQTT, "--target", target]);
                let heap = [format!("{CORE}/alloc"), format!("{MQTT}/alloc")];
                let formats = ["json", "cbor", "postcard"].map(|format| format!("{CORE}/{format}"));
                let features = [&heap[..], &formats[..]].concat().join(",");
                links.args(["--no-default-features", "--features", &features])
            };
            let links = Run::cargo(["check", "-p", CORE, "-p", MQTT, "--target", THUMBV7M, "--no-default-features"]);
            let formats = ["json-core", "cbor", "postcard"].map(|format| format!("{CORE}/{format}"));
            Ok(vec![build(THUMBV7M), build(WASM32), links.args(["--features", &formats.join(",")])])
        },
    },
    Step {
        name: "qemu",
        shows: "the board's own checks and the conformance suites on a Cortex-M, with no heap and with one; connections over embassy-net; what is measured also works",
        needs: &[THUMB, QEMU],
        counts: Counts::Tests,
        runs: |workspace| {
            let programs = ["tests/firmware-board", "tests/firmware-conformance", "tests/firmware-idle"];
            let mut runs: Vec<Run> =
                programs.iter().map(|folder| in_qemu(workspace, folder)).collect::<Result<_, _>>()?;
            runs.push(in_qemu(workspace, "tests/firmware-dynamic")?.args(["--features", "heap"]));
            // It moves mebibytes through two stacks against the board's own clock: optimised for speed.
            let network = workspace.package_in("tests/firmware-network")?;
            runs.push(
                Run::cargo(["run", "--profile", "shipped", "--target", THUMBV7M, "-p", &network.name]).within(300),
            );
            runs.extend(in_qemu_s_network(workspace, "tests/firmware-lan9118")?);
            runs.push(in_qemu(workspace, sizes::PROGRAMS)?.args(["--all-features"]));
            Ok(runs)
        },
    },
    Step {
        name: "instructions",
        shows: "a value costs no more instructions on a Cortex-M than its bound",
        needs: &[THUMB, QEMU],
        counts: Counts::Tests,
        runs: |workspace| Ok(vec![counting_instructions(workspace)?]),
    },
    Step {
        name: "node",
        shows: "the conformance suite as WebAssembly in Node, with links over WebSocket to a Mosquitto that is killed, and panics",
        needs: &[WASM, NODE, NPM, BROWSER_PACKAGES, MOSQUITTO, MOSQUITTO_CLIENTS, OPENSSL_PROGRAM],
        counts: Counts::Tests,
        runs: |workspace| in_javascript(workspace, "tests/web", "nodejs", "run.mjs"),
    },
    Step {
        name: "browser",
        shows: "the same in headless Chromium: in a window and in dedicated, shared and service workers; sensors to alerts in a tab; and what these tests are built on",
        needs: &[WASM, NODE, NPM, BROWSER_PACKAGES, CHROMIUM, MOSQUITTO, MOSQUITTO_CLIENTS, OPENSSL_PROGRAM],
        counts: Counts::Tests,
        runs: |workspace| {
            let rig = Run::new("node", ["tests/browser/rig.test.mjs"]).within(300);
            let suites = in_javascript(workspace, "tests/web", "web", "browser.mjs")?;
            Ok(std::iter::once(rig).chain(suites).chain(sensors_in_a_tab(workspace)?).collect())
        },
    },
    Step {
        name: "package",
        shows: "the npm package: every call, good and bad, in Node and headless Chromium; killed processes and tabs, full quotas, damaged files; fresh projects in Node, Vite, TypeScript and workerd",
        needs: &[
            WASM,
            NODE,
            NPM,
            PACKAGE_PACKAGES,
            BROWSER_PACKAGES,
            PROJECT_PACKAGES,
            CHROMIUM,
            MOSQUITTO,
            MOSQUITTO_CLIENTS,
        ],
        counts: Counts::Tests,
        runs: |workspace| {
            let cli = workspace.package_of("anabranch")?;
            let build = Run::cargo(["build", "-p", &cli.name, "--bin", "anabranch"]);
            let tests = |run: Run| {
                run.env(PACKAGE, npm::folder(workspace))
                    .env("ANABRANCH_CLI", workspace.built("debug/anabranch"))
                    .within(900)
            };
            let in_node = |folder: &str| tests(Run::new("node", ["bindings/javascript/tests/run.mjs", folder]));
            let in_browser =
                |file: &str| tests(Run::new("node", [format!("bindings/javascript/tests/browser/{file}")]));
            // What the package depends on, where Node looks for it.
            let folder = npm::folder(workspace);
            let needed =
                Run::new("npm", ["install", "--omit=dev", "--no-package-lock", "--ignore-scripts", "--no-audit"]);
            let needed = needed.args(["--no-fund", "--prefix"]).args([folder]);
            Ok(vec![
                this_task(workspace, "npm"),
                needed.within(300),
                build,
                in_node("bindings/javascript/tests/node"),
                in_browser("storage.test.mjs"),
                in_browser("tabs.test.mjs"),
                in_browser("links.test.mjs"),
                in_node("bindings/javascript/tests/projects"),
            ])
        },
    },
    Step {
        name: "simulator",
        shows: "every scenario over 10,000 seeds, those of the store's disk, cut after each write and sync, over 2,000; one in five twice, with the same trace",
        needs: &[],
        counts: Counts::Tests,
        runs: |workspace| {
            let package = workspace.package(SCENARIOS)?;
            let play = Run::cargo(["run", "--release", "-p", &package.name, "--", "--seeds", "10000"]);
            Ok(vec![play.args(["--twice-every", "5"]).within(3_600)])
        },
    },
    Step {
        name: "store",
        shows: "the store's files as they are built for users: full disks, being killed, what is read and synced",
        needs: &[],
        counts: Counts::Tests,
        runs: |_| Ok(vec![Run::cargo(["test", "--release", "-p", REDB, "-p", OPFS]).within(1_200)]),
    },
    Step {
        name: "fuzz",
        shows: "an import file, values' formats, rows and a database's file, altered at random for 25 s, are read or refused",
        needs: &[CLIPPY],
        counts: Counts::Tests,
        runs: |workspace| {
            let fuzz = |task| {
                let manifest = ["--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"];
                Run::cargo([task, "--release"]).args(manifest).args([workspace.built("fuzz")])
            };
            let lint = fuzz("clippy").args(["--all-targets", "--", "-D", "warnings"]);
            Ok(vec![lint, fuzz("test").args(["--quiet"]), fuzz("run").args(["--bin", "fuzz", "--", "--seconds", "25"])])
        },
    },
    Step {
        name: "features",
        shows: "every combination of the façade's and the record layer's features builds without a warning",
        needs: &[HACK, CLIPPY],
        counts: Counts::Nothing,
        runs: |workspace| {
            let package = workspace.package(FACADE)?;
            let hack = |package, how: &[&str]| {
                // The defaults are features like others, and the native tests run with them.
                let hack = Run::cargo(["hack", "clippy", "-p", package, "--exclude-features", "default"]);
                hack.args(how).args(["--", "-D", "warnings"])
            };
            // Formats and connectors touch nothing of one another: each by itself, and all of them with everything else. The
            // façade passes features on, and has none that three others together would change.
            let boards = "defmt,json-core,embassy-net,embassy-dns,embassy-sntp";
            let others = format!("json,cbor,postcard,mqtt,tls,store,redb,{boards}");
            let together = ["--feature-powerset", "--depth", "2", "--group-features", &others];
            Ok(vec![
                hack(CORE, &["--feature-powerset"]),
                hack(MQTT, &["--feature-powerset"]),
                hack(&package.name, &together),
                hack(&package.name, &["--each-feature"]),
            ])
        },
    },
    Step {
        name: "examples",
        shows: "`sensors-to-alerts` gives the same alerts on a board and in Node as here, where the native tests run all examples",
        needs: &[THUMB, QEMU, WASM, NODE],
        counts: Counts::Tests,
        runs: |workspace| Ok(vec![sensors_elsewhere(workspace)?]),
    },
    Step {
        name: "brokers",
        shows: "links through a broker that few have on their machine: ejabberd",
        needs: &[EJABBERD],
        counts: Counts::Tests,
        runs: |workspace| {
            let package = workspace.package_in("tests/brokers")?;
            let test = Run::cargo(["test", "-p", &package.name, "--test", "ejabberd", "--", "--ignored"]);
            Ok(vec![test.within(900)])
        },
    },
    Step {
        name: "boards",
        shows: "a board with links to a real Mosquitto and a peer on Tokio: killed brokers, a pulled cable, floods, bad input, a minute under load, an hour alone; the guide's board",
        needs: &[THUMB, QEMU, MOSQUITTO],
        counts: Counts::Tests,
        runs: |workspace| {
            let package = workspace.package_in("tests/boards")?;
            let test = Run::cargo(["test", "-p", &package.name, "--tests", "--", "--ignored"]);
            Ok(vec![test.args(["--test-threads", "2"]).within(1_200)])
        },
    },
    Step {
        name: "demo",
        shows: "`anabranch demo` prints real readings and ends",
        needs: &[],
        counts: Counts::Nothing,
        runs: |workspace| {
            // As the README has it: at the root, with no package named. Built as for the tests, which takes four minutes less.
            workspace.package_of("anabranch")?;
            Ok(vec![Run::cargo(["run", "--", "demo", "--plain", "--no-data", "--for", "3s", "--json"]).within(1_200)])
        },
    },
];

/// The checks: what has to hold beside the tests.
const CHECKS: &[Step] = &[
    Step {
        name: "format",
        shows: "all sources are formatted",
        needs: &[RUSTFMT],
        counts: Counts::Nothing,
        runs: |_| Ok(vec![Run::cargo(["fmt", "--all", "--check"])]),
    },
    Step {
        name: "lints",
        shows: "no warning, on any target",
        needs: &[CLIPPY, THUMB, WASM],
        counts: Counts::Nothing,
        runs: |workspace| {
            let warnings = ["--", "-D", "warnings"];
            let here =
                Run::cargo(["clippy", "--keep-going", "--all-targets"]).args(workspace.host_selection()).args(warnings);
            let elsewhere = [THUMBV7M, WASM32].iter().filter_map(|target| {
                let packages = workspace.foreign().filter(|(_, its)| its == target);
                let selection: Vec<&str> = packages.flat_map(|(package, _)| ["-p", &package.name]).collect();
                let lint = Run::cargo(["clippy", "--keep-going", "--target", target]);
                (!selection.is_empty()).then(|| lint.args(selection).args(warnings))
            });
            // Its code stands behind features.
            let measured = workspace.package_in(sizes::PROGRAMS)?;
            let measured = Run::cargo(["clippy", "--target", THUMBV7M, "-p", &measured.name, "--all-features"]);
            // The one firmware with an allocator stays out of where all are built in one go.
            let heap = workspace.package_in("tests/firmware-dynamic")?;
            let heap = Run::cargo(["clippy", "--target", THUMBV7M, "-p", &heap.name, "--features", "heap"]);
            // It builds anywhere, and what opens its files in browsers alone.
            let opfs = Run::cargo(["clippy", "--target", WASM32, "-p", OPFS]);
            let apart = [measured.args(warnings), heap.args(warnings), opfs.args(warnings)];
            Ok(std::iter::once(here).chain(elsewhere).chain(apart).collect())
        },
    },
    Step {
        name: "bench",
        shows: "the benchmarks compile without a warning",
        needs: &[CLIPPY, PKG_CONFIG, OPENSSL],
        counts: Counts::Nothing,
        runs: |workspace| {
            let lint = Run::cargo(["clippy", "--locked", "--manifest-path", "bench/Cargo.toml", "--target-dir"]);
            Ok(vec![lint.args([workspace.built("bench")]).args(["--", "-D", "warnings"])])
        },
    },
    Step {
        name: "nucleo",
        shows: "the example for a board that one can buy compiles without a warning",
        needs: &[CLIPPY, THUMB_DSP],
        counts: Counts::Nothing,
        runs: |workspace| {
            let manifest = "examples/embassy-stm32-nucleo/Cargo.toml";
            let lint = Run::cargo(["clippy", "--locked", "--target", THUMBV7EM, "--manifest-path", manifest]);
            Ok(vec![lint.args(["--target-dir"]).args([workspace.built("boards")]).args(["--", "-D", "warnings"])])
        },
    },
    Step {
        name: "layers",
        shows: "the architecture's rules hold",
        needs: &[],
        counts: Counts::Nothing,
        runs: |workspace| Ok(vec![this_task(workspace, "check-layers")]),
    },
    Step {
        name: "deny",
        shows: "licences, bans and sources of dependencies",
        needs: &[DENY],
        counts: Counts::Nothing,
        runs: |_| Ok(vec![Run::cargo(["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])]),
    },
    Step {
        name: "docs",
        shows: "the documentation builds without a warning",
        needs: &[],
        counts: Counts::Nothing,
        runs: |workspace| {
            let docs = Run::cargo(["doc", "--no-deps", "--keep-going"]).args(workspace.host_selection());
            Ok(vec![docs.env("RUSTDOCFLAGS", "-D warnings")])
        },
    },
    Step {
        name: "sizes",
        shows: "flash and RAM stay within their budget, and the README has them",
        needs: &[THUMB_DSP],
        counts: Counts::Nothing,
        runs: |workspace| Ok(vec![this_task(workspace, "sizes")]),
    },
    Step {
        name: "coverage",
        shows: "the tests run at least 90 % of the lines of crates/",
        needs: &[LLVM, COVERAGE],
        counts: Counts::Nothing,
        runs: |workspace| Ok(vec![this_task(workspace, "coverage")]),
    },
];

pub fn tests() -> Vec<Step> {
    TESTS.to_vec()
}

pub fn tests_and_checks() -> Vec<Step> {
    [TESTS, CHECKS].concat()
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
        "wasm" => &[WASM, NODE, NPM, PACKAGE_PACKAGES, BROWSER_PACKAGES, PEER_PACKAGES, CHROMIUM],
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
    let elsewhere = sensors_elsewhere(workspace)?.args(["--nocapture", "--test-threads", "1"]);
    Ok(vec![counting_instructions(workspace)?, here, elsewhere])
}

/// The example in a tab, which prints how long its edges took.
fn sensors_in_a_tab(workspace: &Workspace) -> Result<Vec<Run>, Failure> {
    in_javascript(workspace, "examples/web/sensors", "web", "test.mjs")
}

/// The tests that need a board or Node, and so are left out where one types `cargo test`.
fn sensors_elsewhere(workspace: &Workspace) -> Result<Run, Failure> {
    let package = workspace.package_in(&format!("{SENSORS}/sim"))?;
    Ok(Run::cargo(["test", "-p", &package.name, "--test", "elsewhere", "--", "--ignored"]).within(900))
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
    let glue = workspace.package_of("wasm-glue")?;
    let program = package.program()?;
    let module = workspace.built(format!("{WASM32}/shipped/{program}.wasm"));
    let glued = workspace.built(format!("{host}/{program}"));
    let build = Run::cargo(["build", "--profile", "shipped", "--target", WASM32, "-p", &package.name]);
    let bind = Run::cargo(["run", "-p", &glue.name, "--bin", "wasm-glue", "--"]).args([&module, &glued]);
    let node = Run::new("node", [format!("{folder}/{script}")]).args([glued.join(format!("{program}.js"))]);
    Ok(vec![build, bind.args(["--target", host]), node.within(600)])
}

fn this_task(workspace: &Workspace, name: &str) -> Run {
    Run::new(&workspace.xtask, [name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let steps = tests_and_checks();
        for (place, step) in steps.iter().enumerate() {
            assert!(steps[..place].iter().all(|before| before.name != step.name), "{} stands twice", step.name);
        }
    }
}
