//! Where a store is, and how it is opened.
//!
//! Where a node has the directory open, it is asked; else a command opens it itself, and nobody else can meanwhile.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anabranch::{
    redb::{Options, RedbBackend},
    store::{Options as StoreOptions, Store, StoreError, Timestamp},
};
use clap::Args;

use super::database::{Asked, Database};
use crate::failure::Failure;

/// Where the store is, and how it is shown.
#[derive(Debug, Args)]
pub struct Place {
    /// The store's directory
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data: PathBuf,

    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

impl Place {
    /// The store to write to; it is made if it is not there.
    pub fn make(&self) -> Result<Database, Failure> {
        match Asked::at(&self.data)? {
            Some(node) => Ok(Database::Node(node)),
            None => open(&self.data).map(Database::Own),
        }
    }

    /// The store that is there: who only reads makes none.
    pub fn open(&self) -> Result<Database, Failure> {
        match Asked::at(&self.data)? {
            Some(node) => Ok(Database::Node(node)),
            None => self.open_own().map(Database::Own),
        }
    }

    /// As [`open`](Self::open), where no node runs.
    pub fn open_own(&self) -> Result<Store, Failure> {
        if has_store(&self.data) { open(&self.data) } else { Err(Failure::NoStore(self.data.clone())) }
    }
}

/// Whether there is a store in a directory, or something that is to be told from one by opening it.
pub fn has_store(data: &Path) -> bool {
    RedbBackend::may_be_at(data)
}

fn open(data: &Path) -> Result<Store, Failure> {
    let failed = |why: StoreError| Failure::Open { data: data.into(), why: why.into() };
    let backend = RedbBackend::open(data, Options::default()).map_err(|why| failed(why.into()))?;
    Store::open(backend, StoreOptions::new(now)).map_err(failed)
}

/// The time on the platform's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
