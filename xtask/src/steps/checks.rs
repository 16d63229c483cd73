//! The checks: what `cargo xtask ci` runs as well.

use super::{CHECKS_FOLDER, OPFS, cargo_in, this_task};
use crate::lanes::{Lane, NOTHING};
use crate::process::Run;
use crate::runner::{Counts, Step};
use crate::sizes;
use crate::tools::{CLIPPY, COVERAGE, DENY, LLVM, OPENSSL, PKG_CONFIG, RUSTFMT, THUMB, THUMB_DSP, WASM};
use crate::workspace::{THUMBV7EM, THUMBV7M, WASM32};

/// The checks: what has to hold beside the tests.
pub const CHECKS: &[Step] = &[
    Step {
        name: "format",
        shows: "all sources are formatted",
        needs: &[RUSTFMT],
        counts: Counts::Nothing,
        lane: Lane::Beside(NOTHING),
        runs: |_| Ok(vec![Run::cargo(["fmt", "--all", "--check"])]),
    },
    Step {
        name: "lints",
        shows: "no warning, on any target",
        needs: &[CLIPPY, THUMB, WASM],
        counts: Counts::Nothing,
        lane: Lane::Beside(CHECKS_FOLDER),
        runs: |workspace| {
            let warnings = ["--", "-D", "warnings"];
            let clippy = cargo_in(workspace, CHECKS_FOLDER, "clippy");
            let here = clippy.clone().args(["--keep-going", "--all-targets"]).args(workspace.host_selection());
            let elsewhere = [THUMBV7M, WASM32].iter().filter_map(|target| {
                let packages = workspace.foreign().filter(|(_, its)| its == target);
                let selection: Vec<&str> = packages.flat_map(|(package, _)| ["-p", &package.name]).collect();
                let lint = clippy.clone().args(["--keep-going", "--target", target]);
                (!selection.is_empty()).then(|| lint.args(selection).args(warnings))
            });
            // Its code stands behind features.
            let measured = workspace.package_in(sizes::PROGRAMS)?;
            let measured = clippy.clone().args(["--target", THUMBV7M, "-p", &measured.name, "--all-features"]);
            // The one firmware with an allocator stays out of where all are built in one go.
            let heap = workspace.package_in("tests/firmware-dynamic")?;
            let heap = clippy.clone().args(["--target", THUMBV7M, "-p", &heap.name, "--features", "heap"]);
            // It builds anywhere, and what opens its files in browsers alone.
            let opfs = clippy.clone().args(["--target", WASM32, "-p", OPFS]);
            let apart = [measured.args(warnings), heap.args(warnings), opfs.args(warnings)];
            Ok(std::iter::once(here.args(warnings)).chain(elsewhere).chain(apart).collect())
        },
    },
    Step {
        name: "bench",
        shows: "the benchmarks compile without a warning",
        needs: &[CLIPPY, PKG_CONFIG, OPENSSL],
        counts: Counts::Nothing,
        lane: Lane::Beside(CHECKS_FOLDER),
        runs: |workspace| {
            let lint =
                cargo_in(workspace, CHECKS_FOLDER, "clippy").args(["--locked", "--manifest-path", "bench/Cargo.toml"]);
            Ok(vec![lint.args(["--", "-D", "warnings"])])
        },
    },
    Step {
        name: "nucleo",
        shows: "the example for a board that one can buy compiles without a warning",
        needs: &[CLIPPY, THUMB_DSP],
        counts: Counts::Nothing,
        lane: Lane::Beside("boards"),
        runs: |workspace| {
            let manifest = "examples/embassy-stm32-nucleo/Cargo.toml";
            let lint = cargo_in(workspace, "boards", "clippy").args(["--locked", "--target", THUMBV7EM]);
            Ok(vec![lint.args(["--manifest-path", manifest, "--", "-D", "warnings"])])
        },
    },
    Step {
        name: "layers",
        shows: "the architecture's rules hold",
        needs: &[],
        counts: Counts::Nothing,
        lane: Lane::Beside(NOTHING),
        runs: |workspace| Ok(vec![this_task(workspace, "check-layers")]),
    },
    Step {
        name: "deny",
        shows: "licences, bans and sources of dependencies",
        needs: &[DENY],
        counts: Counts::Nothing,
        lane: Lane::Beside(NOTHING),
        runs: |_| Ok(vec![Run::cargo(["deny", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])]),
    },
    Step {
        name: "docs",
        shows: "the documentation builds without a warning",
        needs: &[],
        counts: Counts::Nothing,
        lane: Lane::Beside(CHECKS_FOLDER),
        runs: |workspace| {
            let docs = cargo_in(workspace, CHECKS_FOLDER, "doc").args(["--no-deps", "--keep-going"]);
            Ok(vec![docs.args(workspace.host_selection()).env("RUSTDOCFLAGS", "-D warnings")])
        },
    },
    Step {
        name: "sizes",
        shows: "flash and RAM stay within their budget, and the README has them",
        needs: &[THUMB_DSP],
        counts: Counts::Nothing,
        lane: Lane::InOrder,
        runs: |workspace| Ok(vec![this_task(workspace, "sizes")]),
    },
    Step {
        name: "coverage",
        shows: "the tests run at least 90 % of the lines of crates/",
        needs: &[LLVM, COVERAGE],
        counts: Counts::Nothing,
        lane: Lane::InOrder,
        runs: |workspace| Ok(vec![this_task(workspace, "coverage")]),
    },
];
