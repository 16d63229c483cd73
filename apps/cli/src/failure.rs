//! Why a command failed: what happened, where, and what to do.

use std::{io, path::PathBuf};

use anabranch::{AccessError, BuildErrors, RunError, store::StoreError, tokio::AdapterError};
use anabranch_node::{ClientError, Faults, NodeError, ReadError};

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("no threads could be started ({0}); end other programs, or raise the limit with `ulimit -u`")]
    Threads(io::Error),
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error(transparent)]
    Build(#[from] BuildErrors),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(
        "no port of 127.0.0.1 could be opened for a broker ({0}); use another one with `--broker`, or none with `--no-mqtt`"
    )]
    Broker(io::Error),
    #[error("Ctrl-C could not be listened to ({0}); end the demo with `--for 10s`")]
    Signals(#[from] ctrlc::Error),
    #[error(
        "the readings cannot be kept in {} ({source}): name another place with `--data`, or keep nothing with `--no-data`",
        .directory.display()
    )]
    Past { directory: PathBuf, source: Box<StoreError> },
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
    #[error(transparent)]
    Unread(#[from] ReadError),
    #[error(transparent)]
    Config(#[from] Faults),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(
        "signals could not be listened to ({0}), so the node could not be told to end; raise the limit with `ulimit -u`"
    )]
    EndUnheard(ctrlc::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("which node? name its directory with `--data DIR`, or go to where an anabranch.toml names it with `data`")]
    WhichNode,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the standard input could not be read ({0}); what was printed before is safe")]
    Input(io::Error),
    #[error("line {number} of the standard input: {why}; what was printed before is safe")]
    Line { number: u64, why: String },
    #[error("the value cannot be shown as JSON ({0}); please report it")]
    Shown(serde_json::Error),
}

impl Failure {
    /// 1 failed, 2 wrong use (a wrong config is one), 3 not found, 4 conflict.
    pub fn code(&self) -> u8 {
        match self {
            // Of the demo only the broker's URL comes from whoever typed it.
            Failure::Config(_) | Failure::WhichNode | Failure::Build(_) | Failure::Line { .. } => 2,
            Failure::Store(StoreError::Conflict { .. }) => 4,
            Failure::Store(error) if error.is_not_found() => 3,
            Failure::Store(StoreError::EmptyName { .. } | StoreError::NameTooLong { .. } | StoreError::NoLimit) => 2,
            Failure::Client(error) if error.is_not_found() => 3,
            _ => 1,
        }
    }
}

/// A reader that has seen enough closes the pipe, as `head` does: that is an end and no failure.
pub fn quiet(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}
