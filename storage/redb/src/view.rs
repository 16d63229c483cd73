//! Reading: a view is the tables as they were after one commit, and stays so when the database is opened anew.

use crate::{Options, RedbBackend, disk::Disk, tables::Tables, trouble::Trouble};
use anabranch_store::{BackendError, Direction, Table, View};
use redb::{Database, ReadableDatabase};
use std::{
    ops::{Bound, ControlFlow},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A database of redb that was opened, with its disk. There is one at a time that writes; those before it live as long as
/// views of theirs.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) database: Database,
    pub(crate) disk: Disk,
    dead: AtomicBool,
}

impl Generation {
    pub(crate) fn open(disk: Disk, options: &Options) -> Result<Arc<Self>, Trouble> {
        let opened = Database::builder().set_cache_size(options.cache).create_with_backend(disk.clone());
        let failed = disk.failure().map_or(Ok(()), |failure| Err(failure.into()));
        match (opened, failed) {
            (Ok(database), Ok(())) => Ok(Arc::new(Generation { database, disk, dead: AtomicBool::new(false) })),
            (opened, failed) => {
                // before it is dropped: it is not to write any more
                disk.retire();
                failed.and(Err(opened.map_or_else(Into::into, |_| Trouble::Before)))
            }
        }
    }

    /// Whether all that was written went to the medium.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        self.disk.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// After it was the last one to hold it: brings everything to the medium.
    pub(crate) fn close(this: Arc<Self>) -> Result<(), Trouble> {
        let disk = this.disk.clone();
        let this = Arc::into_inner(this).ok_or(Trouble::Before)?;
        this.database.close()?;
        disk.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// redb refuses every read after one that has failed.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }
}

/// The tables after one commit.
pub(crate) struct Snapshot {
    // in this order: they end before their database
    pub(crate) tables: Tables,
    pub(crate) generation: Arc<Generation>,
    pub(crate) commit: u64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(crate) fn take(generation: &Arc<Generation>, commit: u64) -> Result<Self, Trouble> {
        let tables = Tables::open(&generation.database.begin_read()?)?;
        Ok(Snapshot { tables, generation: generation.clone(), commit })
    }
}

/// The tables as they were when it was taken.
#[derive(Debug)]
pub struct RedbView<'b> {
    pub(crate) backend: &'b RedbBackend,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// How often a view looks for its commit in a database that was opened anew, before it says that the disk fails.
const ATTEMPTS: usize = 8;

impl RedbView<'_> {
    /// Reads from the tables; when they cannot be read because something else has failed, from the same tables anew.
    fn read<R>(&self, mut read: impl FnMut(&Tables) -> Result<R, Trouble>) -> Result<R, BackendError> {
        let mut snapshot = self.snapshot.clone();
        for _ in 0..ATTEMPTS {
            match read(&snapshot.tables) {
                Ok(read) => return Ok(read),
                Err(Trouble::Backend(error)) => {
                    snapshot.generation.dead.store(true, Ordering::Release);
                    return Err(error);
                }
                Err(Trouble::Before) => {
                    snapshot.generation.dead.store(true, Ordering::Release);
                    snapshot = self.backend.revived(self.snapshot.commit, &snapshot)?;
                }
            }
        }
        Err(Trouble::Before.into())
    }
}

impl View for RedbView<'_> {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), BackendError> {
        self.read(|tables| Ok(tables.get(table, key, read)?))
    }

    fn scan(
        &self,
        table: Table,
        (low, high): (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let mut reached: Option<Vec<u8>> = None;
        self.read(|tables| {
            let from = reached.clone();
            let (low, high) = match (&from, direction) {
                (None, _) => (low, high),
                (Some(key), Direction::Forward) => (Bound::Excluded(key.as_slice()), high),
                (Some(key), Direction::Backward) => (low, Bound::Excluded(key.as_slice())),
            };
            let mut last = None;
            let scanned = tables.scan(table, (low, high), direction, visit, &mut last);
            reached = last.or(from);
            Ok(scanned?)
        })
    }

    fn count(&self, table: Table) -> Result<u64, BackendError> {
        self.read(|tables| Ok(tables.count(table)?))
    }
}
