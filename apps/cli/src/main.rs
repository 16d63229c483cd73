//! The `anabranch` command.
//!
//! ```text
//!  arguments.rs   what can be typed
//!       ├─ run.rs · check.rs · watch.rs                     a node, which is a crate of its own
//!       ├─ store.rs                                         put, get, delete, history, list: a store's directory
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
mod demo;
mod failure;
mod flow;
mod lines;
mod machine;
mod mqtt;
mod past;
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
        },
        Err(refused) => return ExitCode::from(refused.say()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
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
