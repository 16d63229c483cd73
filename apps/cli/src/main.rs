//! The `anabranch` command.
//!
//! ```text
//!  arguments.rs   what can be typed
//!       │
//!  demo.rs ───▶ flow.rs ──▶ services.rs ──▶ machine.rs       records, services, this machine
//!       │       readings.rs · smoothing.rs · timestamp.rs
//!       │
//!       └─ events ──▶ lines.rs      a line a reading, or a JSON object a line
//!                 └─▶ view/         the live view of a terminal
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod demo;
mod failure;
mod flow;
mod lines;
mod machine;
mod readings;
#[cfg(test)]
mod scripted;
mod services;
mod smoothing;
mod timestamp;
mod view;

use std::{
    fmt::Display,
    io::{Write, stderr},
    process::ExitCode,
};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let done = match Arguments::read(std::env::args_os()) {
        Ok(Arguments { command: Command::Demo(demo) }) => demo::run(&demo),
        Err(refused) => return ExitCode::from(refused.say()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Says something to people, beside the output. Who has closed that pipe does not want to hear it.
fn tell(words: impl Display) {
    let _ = writeln!(stderr(), "{words}");
}
