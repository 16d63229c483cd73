//! The project's own tasks: set up, test, measure, check.
//!
//! ```text
//!  commands     test · ci        setup       check-layers     sizes · bench · coverage     sim · npm
//!                  │               │              │                     │
//!  data         steps.rs        tools.rs    layers/rules.rs      the tables of each file
//!                  │
//!  machinery    toolchain.rs ── runner.rs ── lanes.rs ── process.rs ── tally.rs
//! ```
//!
//! What the project consists of is data, in one table for each concern; a new step, tool, layer or size is a new line.

mod arguments;
mod bench;
mod coverage;
mod failure;
mod lanes;
mod layers;
mod npm;
mod priority;
mod process;
mod runner;
mod sizes;
mod steps;
mod table;
mod tally;
mod toolchain;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::Failure;
use process::Run;
use workspace::Workspace;

fn main() -> ExitCode {
    let matches = arguments::command().get_matches();
    let ended = match toolchain::switch() {
        Ok(None) => dispatch(&matches).map(|()| ExitCode::SUCCESS),
        Ok(Some(elsewhere)) => Ok(elsewhere),
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            ExitCode::FAILURE
        }
    }
}

fn dispatch(matches: &clap::ArgMatches) -> Result<(), Failure> {
    let (name, args) = matches.subcommand().expect("clap asks for a subcommand");
    if name == "setup" {
        return tools::setup();
    }
    let workspace = Workspace::read()?;
    match name {
        "test" => runner::run(&workspace, &steps::tests(), args),
        "ci" => runner::run(&workspace, &steps::tests_and_checks(), args),
        "check-layers" => layers::check(&workspace),
        "sizes" => {
            let accepted = args.get_many::<String>("accept").into_iter().flatten().map(String::as_str).collect();
            tools::need(&[tools::THUMB_DSP])?;
            let because = args.get_one::<String>("because").map_or("", String::as_str);
            sizes::measure(&workspace, &sizes::Asked { accepted, because, write_readme: args.get_flag("write-readme") })
        }
        "npm" => {
            tools::need(&[tools::WASM, tools::STD_SOURCES, tools::NODE, tools::NPM, tools::PACKAGE_PACKAGES])?;
            npm::build(&workspace)
        }
        "coverage" => {
            tools::need(&[tools::LLVM, tools::COVERAGE])?;
            coverage::measure(&workspace)
        }
        "bench" => {
            let words = args.get_many::<String>("WORDS").into_iter().flatten().cloned().collect();
            let (no_fail, from_clean) = (args.get_flag("no-fail"), args.get_flag("from-clean"));
            bench::run(&workspace, arguments::text(args, "NAME"), &bench::Asked { no_fail, from_clean, words })
        }
        "sim" => simulate(&workspace, args),
        other => Err(Failure::new(format!("`{other}` is no task: see `cargo xtask --help`"))),
    }
}

/// Hands the simulator its scenario and seeds; what it prints goes straight through.
fn simulate(workspace: &Workspace, args: &clap::ArgMatches) -> Result<(), Failure> {
    let package = workspace.package(steps::SCENARIOS)?;
    let mut simulator = Run::cargo(["run", "--quiet", "--release", "-p", &package.name, "--"]);
    for option in ["scenario", "seed", "seeds", "twice-every"] {
        if let Some(value) = args.get_one::<String>(option) {
            simulator = simulator.args([format!("--{option}"), value.clone()]);
        }
    }
    simulator.through(&workspace.root)
}
