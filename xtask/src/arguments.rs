//! What people type after `cargo xtask`, and the help that teaches it.

use clap::{Arg, ArgAction, ArgMatches, Command};

pub fn command() -> Command {
    Command::new("xtask")
        .bin_name("cargo xtask")
        .about("The project's own tasks: set up, test, measure, check")
        .after_help(
            "The two to know:\n  cargo xtask setup    install what is missing, saying so first\n  cargo xtask test     \
             run every test on every runtime\n\nEach task explains itself: cargo xtask test --help",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([
            Command::new("setup").about("Install what the tests need").long_about(
                "Installs what the tests need and this machine lacks, saying so before it does: Rust targets and \
                 components, a nightly for Miri, QEMU, Node, and the cargo tools in their pinned versions.\n\n\
                 Safe to repeat: where all is there it says so and ends. `test` runs it first. What it may not install \
                 (no root, no network) it prints as a command to type.",
            ),
            steps_of(Command::new("test").about("Run every test, on every runtime").long_about(
                "Runs every test: natively, under loom and Miri, on a Cortex-M in QEMU, as WebAssembly in Node, and in \
                 simulation over thousands of seeds.\n\nTests that may hold a clock run one after the other; what only computes, \
                 builds or checks runs beside them at the lowest priority (`chrt --idle`, or `nice`), in target directories of \
                 its own. With --verbose all run one after the other, as nothing may print between the lines of another.\n\nA step's output is shown whole when the step fails, and \
                 summed up in a line otherwise. The last line is always `N passed, N failed`. A missing tool is a failure, not a skip.",
            )),
            steps_of(Command::new("ci").about("Run what continuous integration runs: `test`, then every check").long_about(
                "Runs the steps of `test`, then the checks: formatting, lints for every target, layers, licences and \
                 sources of dependencies, documentation, coverage. `.ci/run` is this command.",
            )),
            Command::new("check-layers").about("Fail on an import, a cfg or a line that breaks the architecture").long_about(
                "Reads every manifest and parses every source file of the workspace, and fails on what breaks the \
                 layering: an import that points up or sideways, platform knowledge outside the adapters, `unsafe` outside \
                 the named leaf modules, an engine that reads a clock or waits, an `allow` without a reason.\n\n\
                 The rules are data, with their reasons: xtask/src/layers/rules.rs.",
            ),
            Command::new("sizes")
                .about("Measure flash and RAM of the firmware and hold them to their budget")
                .long_about(
                    "Builds the cases of xtask/src/sizes/cases.rs for thumbv7em with the profile `firmware`, reads flash and \
                     RAM from the linked ELF, prints what each takes beyond the case that it builds on, and writes \
                     target/sizes.json. Fails where a case takes over 2 % more than its budget \
                     (tests/firmware-sizes/budget.json), where a bound does not hold, and where the README has another \
                     table.\n\nflash = code, constants and initial values; ram = statics, initialised or zero (no stack, \
                     no heap).\n\nExample: cargo xtask sizes --accept ring --because \"consumers say how far they lag\"",
                )
                .arg(
                    option("accept", "CASE")
                        .action(ArgAction::Append)
                        .requires("because")
                        .help("Make what this case takes its budget, and write the README; `all` for every case"),
                )
                .arg(
                    option("because", "REASON")
                        .requires("accept")
                        .value_parser(clap::builder::NonEmptyStringValueParser::new())
                        .help("Why: it stands in the budget beside the figure"),
                )
                .arg(flag("write-readme").help("Put the printed table into the README")),
            Command::new("bench")
                .about("Measure against the peers and hold the ratios to their bounds")
                .long_about(
                    "Runs one benchmark of bench/ beside its peers in the same run, prints a table, writes \
                     target/bench/NAME.json and fails where a bound does not hold.\n\nExamples:\n  cargo xtask bench \
                     records\n  cargo xtask bench wasm --from-clean\n  cargo xtask bench wasm -- --minutes 1 --only durable",
                )
                .arg(Arg::new("NAME").required(true).help("A benchmark: a file of bench/src/bin/, such as `records`; or `wasm`"))
                .arg(flag("no-fail").help("Print what does not hold, and exit 0 all the same"))
                .arg(flag("from-clean").help("Measure as well how long the package's engines take to build from clean"))
                .arg(Arg::new("WORDS").num_args(0..).last(true).help("For the benchmark itself")),
            Command::new("sim")
                .about("Run the simulator: one seed of one scenario, or many seeds of all")
                .long_about(
                    "Runs scenarios in virtual time with seeded scheduling and faults. The same seed gives the same trace, \
                     so a seed that failed is repeated alone:\n\n  cargo xtask sim --seed 4711 --scenario lagging-rings\n  \
                     cargo xtask sim --seeds 10000",
                )
                .arg(option("scenario", "NAME").help("Only this scenario"))
                .arg(option("seed", "N").help("Only this seed").conflicts_with("seeds").requires("scenario"))
                .arg(option("seeds", "N").help("The seeds 0..N").required_unless_present("seed"))
                .arg(option("twice-every", "N").help("Of so many seeds one is played twice, comparing the traces; each, if not said")),
            Command::new("npm").about("Build the JavaScript package into target/npm/anabranch").long_about(
                "Builds the engine for WebAssembly, makes it small with wasm-opt, and puts it with the package's modules, types and \
                 README into target/npm/anabranch, as it is published: `npm pack` there makes the tarball.",
            ),
            Command::new("coverage").about("Measure the lines of crates/ that the tests run; fail below 90 %").long_about(
                "Runs the native tests instrumented, prints the covered lines of each file under crates/ and fails when \
                 less than 90 % of all their lines ran.",
            ),
        ])
}

fn steps_of(command: Command) -> Command {
    command
        .arg(
            option("only", "STEP")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Only this step (repeat it, or separate with commas)"),
        )
        .arg(flag("list").help("List the steps, with their commands, and run nothing"))
        .arg(flag("verbose").short('v').help("Show the whole output of each step as it comes"))
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

/// The value of a required argument.
pub fn text<'a>(args: &'a ArgMatches, name: &str) -> &'a str {
    args.get_one::<String>(name).expect("clap asks for required arguments")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_tree_is_sound_and_each_task_teaches() {
        let mut command = super::command();
        command.build();
        command.clone().debug_assert();
        for task in command.get_subcommands() {
            assert!(task.get_about().is_some() && task.get_long_about().is_some(), "{} has no help", task.get_name());
        }
    }

    #[test]
    fn a_size_is_accepted_with_a_reason_only() {
        let parse = |words: &[&str]| super::command().try_get_matches_from([&["xtask", "sizes"], words].concat());
        assert!(parse(&["--accept", "ring", "--accept", "queue", "--because", "a list of waiters"]).is_ok());
        assert!(parse(&["--accept", "ring"]).is_err());
        assert!(parse(&["--accept", "ring", "--because", ""]).is_err());
        assert!(parse(&["--because", "so"]).is_err());
    }

    #[test]
    fn a_seed_alone_asks_for_its_scenario() {
        let parse = |words: &str| super::command().try_get_matches_from(words.split(' '));
        assert!(parse("xtask sim --seed 3").is_err());
        assert!(parse("xtask sim --seed 3 --seeds 4").is_err());
        assert!(parse("xtask sim --seed 3 --scenario s").is_ok());
        assert!(parse("xtask sim --seeds 10000").is_ok());
    }
}
