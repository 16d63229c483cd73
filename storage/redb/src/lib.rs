//! The store on disk: the tables in one file, by redb, over blocks with checksums.
//!
//! ```text
//!  RedbBackend   one writer; views of the last commit; opens anew after a failure   lib.rs, view.rs, since.rs
//!    Log         a durable commit in one write and one sync, until redb's next one  log.rs
//!    tables      keys and rows as redb's types                                      tables.rs
//!    redb        B+trees, copy on write, two-phase commits
//!    Disk        no failure of a write reaches a reader                             disk.rs
//!    Blocks      checksums, the header, the format                                  blocks.rs, layout.rs
//!    Place       a directory that is locked, or a simulated one                     directory.rs, anabranch_medium
//! ```
//!
//! **The contract**, beside [`Backend`]'s: when [`commit`](Backend::commit) fails for want of room or by an error of the
//! disk, readers, those of open views included, go on, and the next commit is tried as if nothing had happened.
//! Opening after a crash reads a few blocks and what is in the log, however large the database is.
//!
//! ```
//! use anabranch_redb::{Options, RedbBackend};
//! use anabranch_store::{Backend, Batch, Durability, Table, View};
//!
//! # let dir = tempfile::tempdir()?;
//! let backend = RedbBackend::open(dir.path(), Options::default())?;
//! let mut batch = Batch::new();
//! batch.put(Table::Meta, b"greeting", b"hello");
//! backend.commit(&batch, Durability::Immediate)?;
//! let mut found = Vec::new();
//! backend.view()?.get(Table::Meta, b"greeting", &mut |row| found = row.to_vec())?;
//! assert_eq!(found, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod blocks;
mod directory;
mod disk;
mod layout;
mod lease;
mod log;
mod since;
mod tables;
mod trouble;
mod view;

#[cfg(feature = "sim")]
pub use anabranch_medium::sim;
pub use anabranch_medium::{Medium, Place};
pub use view::RedbView;

use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Table, Usage};
use blocks::{Blocks, reading, writing};
use directory::Directory;
use disk::Disk;
use log::{Log, NO_LOG};
use redb::{ReadableDatabase, WriteTransaction};
use since::{Since, weight};
use std::{
    ops::{Bound, ControlFlow},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tables::Changed;
use trouble::Trouble;
use view::{Generation, Snapshot};

/// What may be chosen when a database is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How many bytes of blocks are kept in memory, at most.
    pub cache: usize,
    /// After so many bytes of commits, redb writes its blocks, by which all that is [`Durability::Relaxed`] becomes durable: so
    /// much can be lost at most, and so much memory they take meanwhile. Whoever makes that commit writes the blocks of all of
    /// them, a few milliseconds for the 256 KiB that it is unless told otherwise.
    pub relaxed: usize,
    /// How many bytes of the log are used before redb writes its blocks: 8 KiB for each durable commit, as long as no more than
    /// 4 KB were written since the one before it. There are no more than the 512 KiB that it is unless told otherwise; with 0 each
    /// durable commit writes its blocks, which is two syncs instead of one, and no more disk is used than the rows take.
    pub log: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { cache: 32 << 20, relaxed: 256 << 10, log: 512 << 10 }
    }
}

/// The tables of the store in a directory.
#[derive(Debug)]
pub struct RedbBackend {
    /// The tables after the last commit: what views see.
    current: RwLock<Arc<Snapshot>>,
    writer: Mutex<Writer>,
    place: Box<dyn Place>,
    options: Options,
}

#[derive(Debug)]
struct Writer {
    blocks: Arc<Blocks>,
    generation: Arc<Generation>,
    /// The number of the last commit.
    commits: u64,
    log: Log,
    /// The commits that are not in what redb has on the disk.
    since: Since,
    /// The epoch that redb's state in memory names: where there are any, it is the one after the log's, so that whenever redb makes
    /// that state durable, the log is none that follows it.
    epoch: u64,
    /// A commit has failed, and the database could not be opened anew since.
    broken: bool,
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// It stays in memory, and may be lost.
    Memory,
    /// It goes to the log, with what has stayed in memory before.
    Log,
    /// redb writes its blocks.
    Blocks,
}

impl RedbBackend {
    /// Opens the database in a directory, or makes one there.
    ///
    /// # Errors
    /// [`BackendError`]: [`InUse`](BackendError::InUse) while another process, or this one, has it open;
    /// [`NotADatabase`](BackendError::NotADatabase), [`Newer`](BackendError::Newer),
    /// [`Damaged`](BackendError::Damaged); [`Io`](BackendError::Io) when the directory cannot be written.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self, BackendError> {
        Self::open_at(Directory::take(directory.as_ref())?, options)
    }

    /// Whether there may be a database in a directory, which only [`open`](Self::open) can tell: `false` where that would make
    /// one.
    #[must_use]
    pub fn may_be_at(directory: impl AsRef<Path>) -> bool {
        directory::may_be_at(directory.as_ref())
    }

    /// Opens the database in a place, or makes one there. Who has the place has it alone.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(place: impl Place, options: Options) -> Result<Self, BackendError> {
        Ok(Self::open_in(Box::new(place), options)?)
    }

    fn open_in(place: Box<dyn Place>, options: Options) -> Result<Self, Trouble> {
        let medium = match place.medium()? {
            Some(medium) => medium,
            None => {
                let blocks = Arc::new(Blocks::create(place.spare()?)?);
                fill(&blocks, &options, &mut |_| Ok(()))?;
                place.publish()?;
                place.medium()?.ok_or(Trouble::Before)?
            }
        };
        let blocks = Arc::new(Blocks::open(medium)?);
        let generation = Generation::open(Disk::new(blocks.clone()), &options)?;
        let mut writer = Writer {
            log: Log::new(blocks.medium().clone(), blocks.log(), NO_LOG, options.log),
            blocks,
            generation,
            commits: 0,
            since: Since::default(),
            epoch: NO_LOG,
            broken: false,
        };
        let snapshot = writer.recover().inspect_err(|_| writer.generation.disk.retire())?;
        Ok(RedbBackend { current: RwLock::new(Arc::new(snapshot)), writer: Mutex::new(writer), place, options })
    }

    /// Writes all rows, and nothing else, into a new file, which then takes the place of the old one. Views go on
    /// meanwhile, also those that were taken before; commits wait.
    ///
    /// # Errors
    /// [`BackendError`]: the database is as it was.
    pub fn compact(&self) -> Result<(), BackendError> {
        Ok(self.replace()?)
    }

    fn replace(&self) -> Result<(), Trouble> {
        let mut writer = self.writer();
        if writer.is_broken() {
            self.renew(&mut writer)?;
        }
        let snapshot = self.current();
        let blocks = Arc::new(Blocks::create(self.place.spare()?)?);
        fill(&blocks, &self.options, &mut |into| copy(&snapshot, into))?;
        self.place.publish()?;
        // From here on the new file is the database, so its rows are durable, whatever they were.
        writer.generation.disk.retire();
        writer.broken = true;
        writer.since.clear();
        let medium = self.place.medium()?.ok_or(Trouble::Before)?;
        let blocks = Arc::new(Blocks::open(medium)?);
        writer.log = Log::new(blocks.medium().clone(), blocks.log(), NO_LOG, self.options.log);
        writer.blocks = blocks;
        self.renew(&mut writer)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Arc<Snapshot> {
        reading(&self.current).clone()
    }

    /// The tables after that commit, if it is the last one, after what failed was opened anew.
    fn revived(&self, commit: u64, failed: &Snapshot) -> Result<Arc<Snapshot>, BackendError> {
        let mut writer = self.writer();
        if Arc::ptr_eq(&writer.generation, &failed.generation) {
            self.renew(&mut writer)?;
        }
        let current = self.current();
        match current.commit == commit {
            true => Ok(current),
            false => Err(BackendError::Io("the view has ended, for the disk has failed: take a new one".into())),
        }
    }

    /// Opens the database again over what is on the medium, with the commits that would be lost by that.
    fn renew(&self, writer: &mut Writer) -> Result<(), Trouble> {
        writer.generation.disk.retire();
        writer.broken = true;
        writer.log.settle()?;
        writer.blocks.go_back()?;
        let generation = Generation::open(Disk::new(writer.blocks.clone()), &self.options)?;
        let snapshot = writer.redo(&generation).inspect_err(|_| generation.disk.retire())?;
        writer.generation = generation;
        writer.broken = false;
        *writing(&self.current) = Arc::new(snapshot);
        Ok(())
    }
}

impl Drop for RedbBackend {
    /// Relaxed commits become durable at an orderly end, also after something has failed.
    fn drop(&mut self) {
        let mut writer = self.writer();
        if writer.is_broken() {
            // There is nobody to tell, and what was durable is.
            let _ = self.renew(&mut writer);
        }
    }
}

impl Writer {
    /// Whether to open it anew first: a reader, too, can have met with a failure.
    fn is_broken(&self) -> bool {
        self.broken || self.log.is_unsettled() || self.generation.is_dead() || self.generation.disk.failure().is_some()
    }

    /// Brings the state that redb has on the disk to where the log says that it was.
    fn recover(&mut self) -> Result<Snapshot, Trouble> {
        self.log.begin(named(&self.generation)?);
        let logged = Since::logged(self.log.read()?);
        self.since = logged.ok_or_else(|| BackendError::Damaged("a commit in its log is none".into()))?;
        self.redo(&self.generation.clone())
    }

    /// Makes in a database that was just opened all commits that it has not on the disk.
    fn redo(&mut self, generation: &Arc<Generation>) -> Result<Snapshot, Trouble> {
        self.epoch = named(generation)?;
        if self.epoch != self.log.epoch() {
            // redb did come to write them, though something failed behind that: a commit more than was thought.
            self.since.clear();
            self.log.begin(self.epoch);
            self.commits += 1;
        }
        if !self.since.is_empty() {
            let after = self.log.after();
            apply(generation, Durability::Relaxed, &mut self.since.changes(), (after != self.epoch).then_some(after))?;
            self.epoch = after;
        }
        Snapshot::take(generation, self.commits)
    }

    /// What becomes of a batch.
    fn to(&self, batch: &Batch, durability: Durability, options: &Options) -> To {
        let is_much = self.since.weight() + weight(batch) > options.relaxed;
        match durability {
            _ if is_much => To::Blocks,
            Durability::Relaxed => To::Memory,
            Durability::Immediate if self.log.takes(self.since.unlogged_with(batch)) => To::Log,
            Durability::Immediate => To::Blocks,
        }
    }

    fn write(&mut self, batch: &Batch, to: To) -> Result<Snapshot, Trouble> {
        let commit = self.commits + 1;
        if to == To::Blocks {
            let after = self.log.after_checkpoint();
            self.apply(batch, Durability::Immediate, after)?;
            self.log.begin(after);
            self.since.clear();
            self.commits = commit;
            return Snapshot::take(&self.generation, commit);
        }
        if !batch.is_empty() {
            self.apply(batch, Durability::Relaxed, self.log.after())?;
        }
        let snapshot = Snapshot::take(&self.generation, commit)?;
        let (len, weight) = (self.since.len(), self.since.weight());
        self.since.push(batch);
        if to == To::Log {
            self.log.append(self.since.unlogged()).inspect_err(|_| self.since.truncate(len, weight))?;
            self.since.is_logged();
        }
        self.commits = commit;
        Ok(snapshot)
    }

    fn apply(&mut self, batch: &Batch, durability: Durability, epoch: u64) -> Result<(), Trouble> {
        let is_new = epoch != self.epoch;
        apply(&self.generation, durability, &mut batch.changes(), is_new.then_some(epoch))?;
        self.epoch = epoch;
        Ok(())
    }
}

/// The epoch that the last commit of a database names.
fn named(generation: &Generation) -> Result<u64, Trouble> {
    Ok(tables::epoch(&generation.database.begin_read()?)?.unwrap_or(NO_LOG))
}

/// How redb is to commit: always in two phases and with the state of its allocator, so that after a crash it knows at once
/// which commit holds and which blocks are free.
fn begin(generation: &Generation, durability: Durability) -> Result<WriteTransaction, Trouble> {
    let mut transaction = generation.database.begin_write()?;
    match durability {
        Durability::Immediate => transaction.set_quick_repair(true),
        Durability::Relaxed => transaction.set_durability(redb::Durability::None)?,
    }
    Ok(transaction)
}

/// Makes changes in one commit of redb, which names another epoch if there is one.
fn apply<'a>(
    generation: &Generation,
    durability: Durability,
    changes: &mut dyn Iterator<Item = Changed<'a>>,
    epoch: Option<u64>,
) -> Result<(), Trouble> {
    let transaction = begin(generation, durability)?;
    tables::write(&transaction, changes, || generation.disk.failure().is_some())?;
    if let Some(epoch) = epoch {
        tables::set_epoch(&transaction, epoch)?;
    }
    generation.check()?;
    transaction.commit()?;
    generation.check()
}

/// How many bytes of rows are copied in one commit.
const COPIED_AT_ONCE: usize = 4 << 20;

/// Makes a database with all tables, and the rows that `with` puts there; when it returns, all is on stable storage.
fn fill(
    blocks: &Arc<Blocks>,
    options: &Options,
    with: &mut dyn FnMut(&Generation) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let generation = Generation::open(Disk::new(blocks.clone()), options)?;
    let filled = (|| -> Result<(), Trouble> {
        let transaction = begin(&generation, Durability::Immediate)?;
        tables::create(&transaction)?;
        transaction.commit()?;
        generation.check()?;
        with(&generation)
    })();
    if let Err(trouble) = filled {
        generation.disk.retire();
        return Err(trouble);
    }
    Generation::close(generation)?;
    Ok(blocks.sync_from_now_on()?)
}

fn copy(from: &Snapshot, into: &Generation) -> Result<(), Trouble> {
    let mut batch = Batch::new();
    let write = |batch: &mut Batch| -> Result<(), Trouble> {
        apply(into, Durability::Immediate, &mut batch.changes(), None)?;
        batch.clear();
        Ok(())
    };
    for table in Table::ALL {
        let mut outcome = Ok(());
        let mut visit = |key: &[u8], row: &[u8]| {
            batch.put(table, key, row);
            if batch.size() >= COPIED_AT_ONCE {
                outcome = write(&mut batch);
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let all = (Bound::Unbounded, Bound::Unbounded);
        from.tables.scan(table, all, Direction::Forward, &mut visit, &mut None)?;
        outcome?;
    }
    write(&mut batch)
}

impl Backend for RedbBackend {
    type View<'b> = RedbView<'b>;

    fn view(&self) -> Result<RedbView<'_>, BackendError> {
        Ok(RedbView { backend: self, snapshot: self.current() })
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        batch.changes().try_for_each(tables::fits)?;
        let mut writer = self.writer();
        if batch.is_empty() && (durability == Durability::Relaxed || writer.since.unlogged().is_empty()) {
            return Ok(());
        }
        if writer.is_broken() {
            self.renew(&mut writer)?;
        }
        let to = writer.to(batch, durability, &self.options);
        match writer.write(batch, to) {
            Ok(snapshot) => {
                *writing(&self.current) = Arc::new(snapshot);
                Ok(())
            }
            Err(trouble) => {
                let error = BackendError::from(trouble);
                let commits = writer.commits;
                match self.renew(&mut writer) {
                    // What failed came after the commit, which holds.
                    Ok(()) if to == To::Blocks && writer.commits != commits => Ok(()),
                    // It will be tried again.
                    Err(second) if error != BackendError::Full => {
                        Err(BackendError::Poisoned(format!("{error}, and then: {}", BackendError::from(second))))
                    }
                    _ => Err(error),
                }
            }
        }
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        let (blocks, disk, since) = {
            let writer = self.writer();
            (writer.blocks.clone(), writer.generation.disk.clone(), writer.since.len() as u64)
        };
        let memory = blocks.memory() + disk.memory() + since;
        Ok(Usage { memory, disk: blocks.taken().map_err(Trouble::from)? })
    }
}
