//! The backend: one writer, who appends to the log and now and then brings what it has into the tree.

use crate::{
    header::{BLOCK, Root},
    log::Log,
    merge::Merger,
    nodes::Nodes,
    space::Space,
    trouble::{damaged, of_io},
    view::{OpfsView, State},
};
use anabranch_medium::Medium;
use anabranch_store::{Backend, BackendError, Batch, Durability, Table, Usage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// What may be chosen when a database is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How many bytes of nodes are kept in memory, at most.
    pub cache: usize,
    /// When the log has so many bytes, the next commit brings it into the tree first. What is in it is in memory, too, and is
    /// gone through when the database is opened.
    pub log: u64,
    /// After so many bytes of commits that are [`Durability::Relaxed`] the next one is made durable: so much can be lost.
    pub relaxed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { cache: 8 << 20, log: 1 << 20, relaxed: 256 << 10 }
    }
}

/// How many times longer than it should be the log may become where it cannot be brought into the tree.
const LONGEST: u64 = 64;

/// So many blocks may be free without any leaf being moved for it, beside as many as are taken.
const SPARE: u64 = 64;
/// How many leaves a checkpoint moves to where blocks have become free.
const MOVED_AT_ONCE: usize = 256;

/// The tables of the store on two media: what a browser's worker opens with `open_opfs`.
#[derive(Debug)]
pub struct OpfsBackend {
    current: RwLock<Arc<State>>,
    nodes: Arc<Nodes>,
    log_medium: Arc<dyn Medium>,
    writer: Mutex<Writer>,
    options: Options,
}

#[derive(Debug)]
struct Writer {
    log: Log,
    /// How long the log is when the next checkpoint is made.
    checkpoint_at: u64,
    /// Found by the first checkpoint.
    space: Option<Space>,
    /// What each generation has left behind, the oldest first: free once nobody has any root of before.
    left: Vec<Left>,
    /// A new generation of which only the header may not be on the medium.
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Left {
    root: Weak<Root>,
    blocks: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct Begun {
    root: Root,
    freed: Vec<(u32, u32)>,
}

impl OpfsBackend {
    /// Opens the database on two media, or makes one there if both are empty. Who has the media has them alone, and keeps them
    /// open as long as the database.
    ///
    /// Reads the log and one node of the tree at most, however large that is.
    ///
    /// # Errors
    /// [`BackendError`]: [`NotADatabase`](BackendError::NotADatabase), [`Newer`](BackendError::Newer),
    /// [`Damaged`](BackendError::Damaged); [`Full`](BackendError::Full) and [`Io`](BackendError::Io) by the media.
    pub fn open(log: Arc<dyn Medium>, tree: Arc<dyn Medium>, options: Options) -> Result<Self, BackendError> {
        let root = match Root::read(&*tree)? {
            Some(root) => root,
            None if log.is_empty().map_err(|error| of_io(&error))? => Root::create(&*tree)?,
            None if Log::has_records(&*log)? => return Err(damaged("it has a log and no tree")),
            None => return Err(BackendError::NotADatabase("its log has no record".into())),
        };
        let (seed, commit) = (root.seed(), root.commit);
        let mut state = State::new(Arc::new(root));
        let log_of = Log::open(log.clone(), seed, commit, &mut |table, key, row| state.change(table, key, row))?;
        if log_of.is_empty() {
            // Whoever wrote the header may not have come to sync it, and the first record stands over what it is of.
            tree.sync().map_err(|error| of_io(&error))?;
        }
        let (checkpoint_at, space, left, begun) = (options.log, None, Vec::new(), None);
        Ok(OpfsBackend {
            current: RwLock::new(Arc::new(state)),
            nodes: Arc::new(Nodes::new(tree, options.cache)),
            log_medium: log,
            writer: Mutex::new(Writer { log: log_of, checkpoint_at, space, left, begun }),
            options,
        })
    }

    /// Brings all commits into the tree, and makes them durable by that. It happens by itself when the log has become long; after
    /// this one the database opens fastest.
    ///
    /// Costs the nodes that have changed, written once, and two syncs.
    ///
    /// # Errors
    /// [`BackendError`]: all commits are where they were, in the log.
    pub fn checkpoint(&self) -> Result<(), BackendError> {
        self.bring(&mut self.writer())
    }

    /// Returns when all commits are durable.
    ///
    /// # Errors
    /// [`BackendError`]: those that were [`Durability::Relaxed`] may not be.
    pub fn sync(&self) -> Result<(), BackendError> {
        let mut writer = self.writer();
        let settled = self.settle(&mut writer);
        writer.log.sync().and(settled)
    }

    /// Ends it, and tells what dropping it could not.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub fn close(self) -> Result<(), BackendError> {
        self.sync()
    }

    /// Nothing here panics with a lock held that leaves half a change behind.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> RwLockReadGuard<'_, Arc<State>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn to_change(&self) -> RwLockWriteGuard<'_, Arc<State>> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn bring(&self, writer: &mut Writer) -> Result<(), BackendError> {
        self.settle(writer)?;
        let state = self.current().clone();
        if !state.is_changed() {
            return writer.log.sync();
        }
        // Whatever becomes of this one, the next is made when the log has grown as much again.
        writer.checkpoint_at = writer.log.len() + self.options.log;
        let space = writer.space.get_or_insert_with(|| Space::of(&state.root, &self.nodes));
        while writer.left.first().is_some_and(|left| left.root.strong_count() == 0) {
            writer.left.remove(0).blocks.into_iter().for_each(|(block, count)| space.give(block, count));
        }
        let (live, extent) = (space.count(), space.extent());
        let mut merger = Merger::new(&self.nodes, space);
        if extent > 2 * live + SPARE {
            merger = merger.and_move(u32::try_from(live).unwrap_or(u32::MAX), MOVED_AT_ONCE);
        }
        let mut tables = state.root.tables;
        let merged = Table::ALL.into_iter().zip(&mut tables).try_for_each(|(table, rooted)| {
            *rooted = merger.merge(table, *rooted, &state.changes(table))?;
            Ok(())
        });
        let merged = merged.and_then(|()| merger.flush());
        let merged = merged.and_then(|()| self.nodes.medium.sync().map_err(|error| of_io(&error)));
        let (taken, freed) = (merger.taken, merger.freed);
        if let Err(error) = merged {
            taken.into_iter().for_each(|(block, count)| space.give(block, count));
            // Those that were written are none.
            self.nodes.forget();
            return Err(error);
        }
        let generation = state.root.generation + 1;
        let root = Root { generation, commit: writer.log.commit, blocks: space.extent(), tables };
        writer.begun = Some(Begun { root, freed });
        self.settle(writer)
    }

    /// Writes the header of a new generation, if one was begun. Until that has succeeded nobody knows which generation the medium
    /// has, so nothing else is written.
    fn settle(&self, writer: &mut Writer) -> Result<(), BackendError> {
        let Some(begun) = &writer.begun else { return Ok(()) };
        begun.root.write(&*self.nodes.medium)?;
        self.nodes.medium.sync().map_err(|error| of_io(&error))?;
        let Some(Begun { root, freed }) = writer.begun.take() else { return Ok(()) };
        let (seed, extent) = (root.seed(), root.blocks * BLOCK as u64);
        let before = std::mem::replace(&mut *self.to_change(), Arc::new(State::new(Arc::new(root))));
        writer.left.push(Left { root: Arc::downgrade(&before.root), blocks: freed });
        writer.log.begin(seed, self.options.log * 4);
        writer.checkpoint_at = self.options.log;
        // What nothing needs at its end is given back. It is as well where that fails.
        if self.nodes.medium.len().is_ok_and(|len| len > extent) {
            let _ = self.nodes.medium.set_len(extent);
        }
        Ok(())
    }
}

impl Backend for OpfsBackend {
    type View<'b> = OpfsView;

    fn view(&self) -> Result<OpfsView, BackendError> {
        Ok(OpfsView { state: self.current().clone(), nodes: self.nodes.clone() })
    }

    /// One write and, where it is [`Durability::Immediate`], one sync; every [`Options::log`] bytes a checkpoint before that.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        let mut writer = self.writer();
        let durability = match durability {
            Durability::Relaxed if writer.log.at_risk() + batch.size() > self.options.relaxed => Durability::Immediate,
            asked => asked,
        };
        self.settle(&mut writer)?;
        if writer.log.len() >= writer.checkpoint_at {
            match self.bring(&mut writer) {
                Ok(()) => {}
                // The log goes on, within reason: there may be room for a commit where there is none for a tree.
                Err(_) if writer.begun.is_none() && writer.log.len() < self.options.log.saturating_mul(LONGEST) => {}
                Err(error) => return Err(error),
            }
        }
        if batch.is_empty() {
            return if durability == Durability::Immediate { writer.log.sync() } else { Ok(()) };
        }
        writer.log.append(batch, durability)?;
        let mut current = self.to_change();
        let state = Arc::make_mut(&mut *current);
        batch.changes().for_each(|(table, key, row)| state.change(table, key, row));
        Ok(())
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        let media = [&self.log_medium, &self.nodes.medium];
        let disk = media.into_iter().try_fold(0, |sum, medium| Ok(sum + medium.taken()?));
        let memory = self.current().memory + self.nodes.memory() + self.writer().log.at_risk();
        Ok(Usage { memory: memory as u64, disk: disk.map_err(|error| of_io(&error))? })
    }
}

impl Drop for OpfsBackend {
    /// Relaxed commits become durable at an orderly end.
    fn drop(&mut self) {
        // There is nobody to tell, and what was durable is.
        let _ = self.sync();
    }
}
