//! The tests: what `cargo xtask test` runs. Those in order may hold a clock; what runs beside them does not.

use super::{
    CHECKS_FOLDER, CORE, EMBASSY, EXECUTOR, FACADE, MQTT, OPFS, OPTIMISED, PACKAGE, REDB, SCENARIOS, VALUE,
    built_as_tested, cargo_in, counting_instructions, in_javascript, in_qemu, in_qemu_s_network, into,
    sensors_elsewhere, sensors_in_a_tab, tests_left_out, this_task,
};
use crate::lanes::Lane;
use crate::npm;
use crate::process::Run;
use crate::runner::{Counts, Step};
use crate::sizes;
use crate::tools::{
    BROWSER_PACKAGES, CHROMIUM, CLIPPY, EJABBERD, HACK, MIRI, MIRI_SOURCES, MOSQUITTO, MOSQUITTO_CLIENTS, NODE, NPM,
    OPENSSL_PROGRAM, PACKAGE_PACKAGES, PROJECT_PACKAGES, QEMU, STD_SOURCES, THUMB, WASM,
};
use crate::workspace::{THUMBV7M, WASM32};

/// The tests, in the order in which one wants to hear of a failure.
pub const TESTS: &[Step] = &[
    Step {
        name: "native",
        shows: "unit, integration, conformance, compile-fail and doc tests on this machine, and links against real brokers",
        needs: &[MOSQUITTO, MOSQUITTO_CLIENTS],
        counts: Counts::Tests,
        lane: Lane::InOrder,
        runs: |workspace| Ok(vec![Run::cargo(["test", "--no-fail-fast"]).args(workspace.host_selection())]),
    },
    Step {
        name: "loom",
        shows: "every interleaving of the lock-free parts",
        needs: &[],
        counts: Counts::Tests,
        lane: Lane::Beside("loom"),
        runs: |workspace| {
            let loom = cargo_in(workspace, "loom", "test").args(["-p", CORE, "--release", "--test", "loom"]);
            Ok(vec![loom.env("RUSTFLAGS", "--cfg loom")])
        },
    },
    Step {
        name: "miri",
        shows: "no undefined behaviour where `unsafe` stands",
        needs: &[MIRI, MIRI_SOURCES],
        counts: Counts::Tests,
        lane: Lane::Beside("miri"),
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
        lane: Lane::InOrder,
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
        lane: Lane::Beside(CHECKS_FOLDER),
        runs: |workspace| {
            let check = cargo_in(workspace, CHECKS_FOLDER, "check");
            let build = |target| {
                let links = check.clone().args(["-p", CORE, "-p", VALUE, "-p", MQTT, "--target", target]);
                let heap = [format!("{CORE}/alloc"), format!("{MQTT}/alloc")];
                let formats = ["json", "cbor", "postcard"].map(|format| format!("{CORE}/{format}"));
                let features = [&heap[..], &formats[..]].concat().join(",");
                links.args(["--no-default-features", "--features", &features])
            };
            let links = check.clone().args(["-p", CORE, "-p", MQTT, "--target", THUMBV7M, "--no-default-features"]);
            let formats = ["json-core", "cbor", "postcard"].map(|format| format!("{CORE}/{format}"));
            Ok(vec![build(THUMBV7M), build(WASM32), links.args(["--features", &formats.join(",")])])
        },
    },
    Step {
        name: "qemu",
        shows: "the board's own checks and the conformance suites on a Cortex-M, with no heap and with one; connections over embassy-net; what is measured also works",
        needs: &[THUMB, QEMU],
        counts: Counts::Tests,
        lane: Lane::InOrder,
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
        lane: Lane::InOrder,
        runs: |workspace| Ok(vec![counting_instructions(workspace)?]),
    },
    Step {
        name: "node",
        shows: "the conformance suite as WebAssembly in Node, with links over WebSocket to a Mosquitto that is killed, and panics",
        needs: &[WASM, NODE, NPM, BROWSER_PACKAGES, MOSQUITTO, MOSQUITTO_CLIENTS, OPENSSL_PROGRAM],
        counts: Counts::Tests,
        lane: Lane::InOrder,
        runs: |workspace| in_javascript(workspace, "tests/web", "nodejs", "run.mjs"),
    },
    Step {
        name: "browser",
        shows: "the same in headless Chromium: in a window and in dedicated, shared and service workers; sensors to alerts in a tab; and what these tests are built on",
        needs: &[WASM, NODE, NPM, BROWSER_PACKAGES, CHROMIUM, MOSQUITTO, MOSQUITTO_CLIENTS, OPENSSL_PROGRAM],
        counts: Counts::Tests,
        lane: Lane::InOrder,
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
            STD_SOURCES,
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
        lane: Lane::InOrder,
        runs: |workspace| {
            let build = built_as_tested(workspace, "anabranch")?;
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
        lane: Lane::Beside(OPTIMISED),
        runs: |workspace| {
            let package = workspace.package(SCENARIOS)?;
            let play = cargo_in(workspace, OPTIMISED, "run").args(["--release", "-p", &package.name]);
            Ok(vec![play.args(["--", "--seeds", "10000", "--twice-every", "5"]).within(3_600)])
        },
    },
    Step {
        name: "store",
        shows: "the store's files as they are built for users: full disks, being killed, what is read and synced",
        needs: &[],
        counts: Counts::Tests,
        // One of its tests kills by the clock what has to have written until then.
        lane: Lane::InOrder,
        runs: |_| Ok(vec![Run::cargo(["test", "--release", "-p", REDB, "-p", OPFS]).within(1_200)]),
    },
    Step {
        name: "fuzz",
        shows: "an import file, values' formats, rows and a database's file, altered at random for 25 s of a processor's time, are read or refused",
        needs: &[CLIPPY],
        counts: Counts::Tests,
        lane: Lane::Beside("fuzz"),
        runs: |workspace| {
            let fuzz = |task| {
                let manifest = ["--release", "--locked", "--manifest-path", "fuzz/Cargo.toml"];
                cargo_in(workspace, "fuzz", task).args(manifest)
            };
            let lint = fuzz("clippy").args(["--all-targets", "--", "-D", "warnings"]);
            Ok(vec![lint, fuzz("test").args(["--quiet"]), fuzz("run").args(["--bin", "fuzz", "--", "--seconds", "25"])])
        },
    },
    Step {
        name: "features",
        shows: "the façade's and the record layer's features, each and every two of them, build without a warning",
        needs: &[HACK, CLIPPY],
        counts: Counts::Nothing,
        lane: Lane::Beside(CHECKS_FOLDER),
        runs: |workspace| {
            let package = workspace.package(FACADE)?;
            let hack = |package, how: &[&str]| {
                // The defaults are features like others, and the native tests run with them.
                let hack = Run::cargo(["hack", "clippy"]).args(into(workspace, CHECKS_FOLDER)).args(["-p", package]);
                hack.args(["--exclude-features", "default"]).args(how).args(["--", "-D", "warnings"])
            };
            // Formats and connectors touch nothing of one another: each by itself, and all of them with everything else. The
            // façade passes features on, and has none that three others together would change.
            let boards = "defmt,json-core,embassy-net,embassy-dns,embassy-sntp";
            let others = format!("json,cbor,postcard,mqtt,tls,store,redb,{boards}");
            let together = ["--feature-powerset", "--depth", "2", "--group-features", &others];
            // No line of the record layer asks for more than two at once; with all of them, the façade builds it.
            Ok(vec![
                hack(CORE, &["--feature-powerset", "--depth", "2"]),
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
        lane: Lane::InOrder,
        runs: |workspace| Ok(sensors_elsewhere(workspace)?.to_vec()),
    },
    Step {
        name: "brokers",
        shows: "links through a broker that few have on their machine: ejabberd",
        needs: &[EJABBERD],
        counts: Counts::Tests,
        lane: Lane::InOrder,
        runs: |workspace| Ok(vec![tests_left_out(workspace, &["ejabberd"]).within(900)]),
    },
    Step {
        name: "boards",
        shows: "a board with links to a real Mosquitto and a peer on Tokio: killed brokers, a pulled cable, floods, bad input, a minute under load, an hour alone; the guide's board",
        needs: &[THUMB, QEMU, MOSQUITTO],
        counts: Counts::Tests,
        lane: Lane::InOrder,
        runs: |workspace| {
            let tests = tests_left_out(workspace, &["boards", "guide"]);
            Ok(vec![tests.args(["--test-threads", "2"]).within(1_200)])
        },
    },
    Step {
        name: "demo",
        shows: "`anabranch demo` prints real readings and ends",
        needs: &[],
        counts: Counts::Nothing,
        lane: Lane::InOrder,
        runs: |workspace| {
            // As the README has it: at the root, with no package named. Built as for the tests, which takes four minutes less.
            workspace.package_of("anabranch")?;
            Ok(vec![Run::cargo(["run", "--", "demo", "--plain", "--no-data", "--for", "3s", "--json"]).within(1_200)])
        },
    },
];
