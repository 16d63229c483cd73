//! The simulator: plays scenarios under many seeds, or one scenario under one.

use anabranch::sim::SimAdapter;
use anabranch_scenarios::{Explored, Scenario, in_simulation};
use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use std::{hint::black_box, panic, process::ExitCode, thread, time::Instant};

fn main() -> ExitCode {
    let scenarios = in_simulation();
    let names: Vec<&'static str> = ["all"].into_iter().chain(scenarios.iter().map(|scenario| scenario.name)).collect();
    let arguments = arguments(names).get_matches();
    // Whatever panics is caught, and said with the seed that it happened under.
    panic::set_hook(Box::new(|_| {}));
    // Each playing gives its memory back, and the next wants as much again. A large block that came and went once tells
    // the allocator of glibc to keep it meanwhile, which saves a fifth of the time; others take no notice.
    drop(black_box(Vec::<u8>::with_capacity(24 << 20)));
    play(&scenarios, &arguments)
}

fn arguments(names: Vec<&'static str>) -> Command {
    Command::new("anabranch-scenarios")
        .about("Plays services in simulation: each seed, or some of them, twice, with equal traces")
        .arg(
            Arg::new("scenario")
                .long("scenario")
                .value_name("NAME")
                .default_value("all")
                .value_parser(PossibleValuesParser::new(names))
                .help("Only this one"),
        )
        .arg(Arg::new("seed").long("seed").value_name("N").value_parser(value_parser!(u64)).help("Only this seed"))
        .arg(
            Arg::new("seeds")
                .long("seeds")
                .value_name("N")
                .default_value("1000")
                .value_parser(value_parser!(u64))
                .conflicts_with("seed")
                .help("The seeds 0..N; where all scenarios are played, a fifth of them for those with a disk"),
        )
        .arg(
            Arg::new("twice-every")
                .long("twice-every")
                .value_name("N")
                .default_value("1")
                .value_parser(value_parser!(u64).range(1..))
                .help("Of so many seeds one is played twice, to see that its traces are equal"),
        )
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=256))
                .help("On so many threads; as many as the machine has, if not said"),
        )
}

fn play(scenarios: &[Scenario<SimAdapter>], arguments: &ArgMatches) -> ExitCode {
    let wanted = arguments.get_one::<String>("scenario").filter(|name| *name != "all");
    let seeds = |scenario: &Scenario<SimAdapter>| match arguments.get_one::<u64>("seed") {
        Some(seed) => *seed..seed.saturating_add(1),
        None => {
            let seeds = arguments.get_one("seeds").copied().unwrap_or(0);
            0..if wanted.is_none() { scenario.kind.of_all(seeds) } else { seeds }
        }
    };
    let threads = arguments
        .get_one("threads")
        .copied()
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, |threads| threads.get() as u64));
    let twice_every = arguments.get_one("twice-every").copied().unwrap_or(1);
    let (mut passed, mut failed) = (0, 0);
    let begun = Instant::now();
    for scenario in scenarios.iter().filter(|scenario| wanted.is_none_or(|name| name == scenario.name)) {
        let begun = Instant::now();
        let name = scenario.name;
        match scenario.explore(seeds(scenario), twice_every, threads) {
            Ok(explored) => {
                let time = begun.elapsed().as_secs_f64();
                let seeds = seeds(scenario).count();
                let Explored { courses, steps } = explored;
                println!("{name:<24} {seeds:>9} seeds {courses:>9} courses {steps:>12} steps {time:>8.2} s");
                passed += 1;
            }
            Err(failure) => {
                println!("{name:<24} FAILED under seed {}: {}", failure.seed, failure.why);
                println!("the last of its trace:\n  {}", failure.last.join("\n  "));
                println!("cargo xtask sim --seed {} --scenario {name}", failure.seed);
                failed += 1;
            }
        }
    }
    let twice = if twice_every == 1 { "every seed".to_owned() } else { format!("one seed in {twice_every}") };
    println!("{twice} twice, on {threads} threads in {:.1} s", begun.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
