//! Links: what it costs to route a value to its record, to have a link at all, and to bridge values over MQTT.
//!
//! `cargo xtask bench links` runs it; `--only WORD` runs the cases whose name holds the word.

mod bridge;
mod database;
mod memory;
mod routing;

use anabranch_bench::Report;
use std::{path::Path, process::ExitCode};

/// Runs `case` when its name is asked for.
pub fn asked(name: &str) -> bool {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only").skip(1);
    arguments.next().is_none_or(|word| name.contains(&word))
}

fn main() -> ExitCode {
    if bridge::be_a_bridge() {
        return ExitCode::SUCCESS;
    }
    let mut report = Report::default();
    println!("     {:58} {:>10} {:>10} peer", "case", "ours", "peer's");
    memory::run(&mut report);
    routing::run(&mut report);
    bridge::run(&mut report);
    for row in std::env::args().filter_map(|argument| argument.strip_prefix("--row=").map(str::to_owned)) {
        if let Ok(row) = serde_json::from_str(&row) {
            report.add_foreign(row);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    match report.write(&folder, "links") {
        Ok((holding, all)) => println!("{holding} of {all} bounds hold; target/bench/links.json has the figures"),
        Err(error) => {
            eprintln!("cannot write target/bench/links.json: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
