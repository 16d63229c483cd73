//! Why a command failed: what happened, where, and what to do.

use std::io;

use anabranch::{AccessError, BuildErrors, RunError, tokio::AdapterError};

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("no threads could be started for the demo ({0}); end other programs, or raise the limit with `ulimit -u`")]
    Threads(io::Error),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error(transparent)]
    Build(#[from] BuildErrors),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("Ctrl-C could not be listened to ({0}); end the demo with `--for 10s`")]
    Signals(#[from] ctrlc::Error),
    #[error("the terminal cannot be drawn on ({0}); try `anabranch demo --plain`")]
    Terminal(io::Error),
    #[error("the output could not be written ({0}); make room, or write it elsewhere")]
    Output(io::Error),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("the demo's own task was cut off; please report it")]
    Cut,
    #[error(
        "nobody reads the output, so the demo ended without writing all of it; let its reader go on, or end that one"
    )]
    Stuck,
    #[error("these services did not end in time and were aborted: {}; please report it", .0.join(", "))]
    Aborted(Vec<String>),
}
