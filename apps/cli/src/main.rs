//! The `anabranch` command.
//!
//! ```text
//!  arguments.rs   what can be typed
//!       ├─ run.rs · check.rs · watch.rs                     a node, which is a crate of its own
//!       ├─ store/                                           a store: put, get, history, diff, why, verify, export, …
//!       │     look.rs · output.rs · progress.rs             how it is shown
//!       ├─ completions.rs                                   what shells need
//!       │
//!  demo.rs ───▶ flow.rs ──▶ services.rs ──▶ machine.rs       records, services, this machine
//!       │      past.rs                                        what is kept, and was before
//!       │       readings.rs · smoothing.rs · timestamp.rs · mqtt.rs
//!       │
//!       └─ events ──▶ lines.rs      a line a reading, or a JSON object a line
//!                 └─▶ view/         the live view of a terminal
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod check;
mod completions;
mod demo;
mod failure;
mod flow;
mod lines;
mod look;
mod machine;
mod mqtt;
mod output;
mod past;
mod progress;
mod readings;
mod run;
#[cfg(test)]
mod scripted;
mod services;
mod smoothing;
mod store;
mod timestamp;
mod view;
mod watch;

use std::{
    fmt::Display,
    io::{Write, stderr},
    process::ExitCode,
};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let done = match Arguments::read(std::env::args_os()) {
        Ok(Arguments { command }) => match command {
            Command::Demo(demo) => demo::run(&demo),
            Command::Run(run) => run::run(&run),
            Command::Check(check) => check::run(&check),
            Command::Watch(watch) => watch::run(&watch),
            Command::Put(put) => store::put(&put),
            Command::Get(get) => store::get(&get),
            Command::Delete(delete) => store::delete(&delete),
            Command::History(history) => store::history(&history),
            Command::List(list) => store::list(&list),
            Command::Diff(diff) => store::diff(&diff),
            Command::Why(why) => store::why(&why),
            Command::Stats(stats) => store::stats(&stats),
            Command::Verify(verify) => store::verify(&verify),
            Command::Export(export) => store::export(&export),
            Command::Import(import) => store::import(&import),
            Command::Completions(completions) => completions::run(&completions),
        },
        Err(refused) => return ExitCode::from(refused.say()),
    };
    match done {
        // A reader that has seen enough ends a command well.
        Ok(()) | Err(failure::Failure::Unheard) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(format_args!("error: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

/// Says something to people, beside the output. Who has closed that pipe does not want to hear it.
fn tell(words: impl Display) {
    let _ = writeln!(stderr(), "{words}");
}
