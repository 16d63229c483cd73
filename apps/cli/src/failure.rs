//! Why a command failed: what happened, where, and what to do.

use std::{fmt, io, path::PathBuf};

use anabranch::{
    AccessError, BuildErrors, RunError,
    store::{BackendError, StoreError},
    tokio::AdapterError,
};
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
    #[error("there is no store in {}; name its directory with `--data`, or make one with `put` or `import`", .0.display())]
    NoStore(PathBuf),
    #[error("{}: {why}{}", .data.display(), way_out(.why))]
    Open { data: PathBuf, why: Box<StoreError> },
    #[error("the node keeps no store: set `data` in its [node]")]
    NodeKeepsNothing,
    #[error("{why}{}", IsThere(.is))]
    Lost { why: String, is: Option<String> },
    #[error("{0}; `history` lists those that it has")]
    OfAnotherKey(String),
    #[error("damaged in {damages} {}{}; `export` saves the rest, and `import` makes a new store of it", places(*.damages), Of(.keys))]
    Damaged { damages: usize, keys: Vec<(String, String)> },
    #[error(
        "the store is damaged in {damages} {}, which the file has not; all else is in it, and `import` makes a new store of it",
        places(*.damages)
    )]
    NotWhole { damages: usize },
    #[error("{} could not be written ({why}); make room, or write it elsewhere", .file.display())]
    Unwritten { file: PathBuf, why: io::Error },
    #[error("{} could not be read ({why}); name a file that `export` wrote", .file.display())]
    Unreadable { file: PathBuf, why: io::Error },
    #[error("the standard input could not be read ({0}); what was printed before is safe")]
    Input(io::Error),
    #[error("line {number} of the standard input: {why}; {before}")]
    Line { number: u64, why: String, before: &'static str },
    /// That is an end like any other.
    #[error("the reader of the output has left")]
    Unheard,
    #[error("the value cannot be shown as JSON ({0}); please report it")]
    Shown(serde_json::Error),
}

impl Failure {
    /// 1 failed, 2 wrong use (a wrong config is one), 3 not found, 4 conflict.
    pub fn code(&self) -> u8 {
        match self {
            // Of the demo only the broker's URL comes from whoever typed it.
            Failure::Config(_) | Failure::WhichNode | Failure::Build(_) | Failure::Line { .. } => 2,
            Failure::Store(error) => of_store(error),
            Failure::Open { why, .. } => of_store(why),
            Failure::Client(ClientError::Refused { status, .. }) => of_status(*status),
            Failure::Lost { .. } => 4,
            Failure::NoStore(_) | Failure::NodeKeepsNothing | Failure::OfAnotherKey(_) => 3,
            Failure::Unreadable { why, .. } if why.kind() == io::ErrorKind::NotFound => 3,
            Failure::Unheard => 0,
            _ => 1,
        }
    }
}

fn of_store(error: &StoreError) -> u8 {
    match error {
        StoreError::Conflict { .. } => 4,
        error if error.is_not_found() => 3,
        StoreError::EmptyName { .. }
        | StoreError::NameTooLong { .. }
        | StoreError::NoLimit
        | StoreError::SameKeyTwice { .. }
        | StoreError::BadValue { .. }
        | StoreError::ValueTooLarge { .. }
        | StoreError::TooManyCauses { .. }
        | StoreError::BadTimestamp(_)
        | StoreError::BadVersionId(_) => 2,
        _ => 1,
    }
}

/// What a node has answered.
fn of_status(status: u16) -> u8 {
    match status {
        404 | 410 => 3,
        412 => 4,
        400 | 413 => 2,
        _ => 1,
    }
}

/// What to do where a directory's store cannot be opened, if the error does not say it.
fn way_out(error: &StoreError) -> &'static str {
    match error {
        StoreError::Backend(BackendError::NotADatabase(_)) => "; name another directory with `--data`",
        StoreError::Backend(BackendError::Io(_)) => {
            "; let this user write there, or name another directory with `--data`"
        }
        _ => "",
    }
}

fn places(number: usize) -> &'static str {
    if number == 1 { "place" } else { "places" }
}

/// What is there, for who has lost to it.
struct IsThere<'f>(&'f Option<String>);

impl fmt::Display for IsThere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| write!(f, ": it is {value}"))
    }
}

/// Whose the damage is, as far as that can be told.
struct Of<'f>(&'f [(String, String)]);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (namespace, key)) in self.0.iter().enumerate() {
            let before = if place == 0 { ", of" } else { "," };
            write!(f, "{before} {key:?} of {namespace:?}")?;
        }
        Ok(())
    }
}

/// A reader that has seen enough closes the pipe, as `head` does: that is an end and no failure.
pub fn quiet(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}
