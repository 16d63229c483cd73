//! Records beside `tokio::sync` and AimDB: buffers in one thread, between tasks, across threads; services in a row.
//!
//! `cargo xtask bench records` runs it; `--only WORD` runs the cases whose name holds the word.

mod across_threads;
mod between_tasks;
mod one_thread;
mod services;

use anabranch_bench::Report;
use std::{path::Path, process::ExitCode};

/// 32 bytes, as a small reading has.
pub type Value = [u64; 4];

/// What ring, broadcast and AimDB's ring have for capacity everywhere here.
pub const CAPACITY: usize = 1024;

/// Values a measured round, and rounds.
pub const ROUNDS: usize = 15;

/// Runs `case` when its name is asked for.
pub fn asked(name: &str) -> bool {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only").skip(1);
    arguments.next().is_none_or(|word| name.contains(&word))
}

fn main() -> ExitCode {
    let mut report = Report::default();
    println!("     {:58} {:>10} {:>10} peer", "case", "ours", "peer's");
    one_thread::run(&mut report);
    between_tasks::run(&mut report);
    across_threads::run(&mut report);
    services::run(&mut report);
    for row in std::env::args().filter_map(|argument| argument.strip_prefix("--row=").map(str::to_owned)) {
        if let Ok(row) = serde_json::from_str(&row) {
            report.add_foreign(row);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    match report.write(&folder, "records") {
        Ok((holding, all)) => println!("{holding} of {all} bounds hold; target/bench/records.json has the figures"),
        Err(error) => {
            eprintln!("cannot write target/bench/records.json: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
