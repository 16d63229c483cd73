//! The handle that threads share: writers that come together share a commit, and readers wait for nobody.

use crate::backend::{Backend, BackendError, Batch, Durability, Usage, View};
use crate::caretaker::Caretaker;
use crate::engine::{Engine, Staged};
use crate::follow::Followers;
use crate::hot::{Found, Hot};
use crate::read::{Reader, present};
use crate::stats::{Stats, Tier};
use crate::transfer::{self, Chunk, Exported, Imported, Sink, Source};
use crate::verify::{Verified, verify};
use crate::write::{Expected, One, Write, owned};
use crate::{
    Causes, Diff, KeyedVersion, Lifecycle, Moment, Page, StoreError, Timestamp, Trace, VersionId, VersionedValue,
};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use anabranch_value::Value;
use core::fmt;
use core::ops::{Range, RangeBounds};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The versioned store, for any number of threads. A clone is the same store.
///
/// ```
/// use anabranch_store::{Expected, Memory, Options, Store, StoreError, Timestamp};
///
/// let clock = || Timestamp::from_nanos(1_774_791_420_000_000_000); // the platform's, handed in
/// let store = Store::open(Memory::new(), Options::new(clock))?;
///
/// let first = store.put("plant", "boiler", 21.5)?;
/// let second = store.put_if("plant", "boiler", 22.0, first.version_id)?;
/// assert_eq!(second.previous_version, Some(first.version_id));
/// assert!(matches!(store.put_if("plant", "boiler", 0, Expected::Absent), Err(StoreError::Conflict { .. })));
///
/// assert_eq!(store.get("plant", "boiler")?.value, 22.0.into());
/// assert_eq!(store.get_at("plant", "boiler", first.timestamp)?, first);
/// assert_eq!(store.history("plant", "boiler", .., 10)?.items, [second, first]);
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    durability: Durability,
}

/// Tells the time on the platform's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// The platform's clock.
    pub clock: Clock,
    /// How many bytes the hot tier may take: 64 MiB unless told otherwise.
    pub hot_bytes: usize,
    /// How durable writes are, unless a handle says otherwise.
    pub durability: Durability,
    /// When versions become cold, where somebody calls [`Store::maintain`].
    pub lifecycle: Lifecycle,
}

impl Options {
    /// Those that most take, with the platform's clock.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let (hot_bytes, durability, lifecycle) = (64 << 20, Durability::Immediate, Lifecycle::default());
        Options { clock: Arc::new(clock), hot_bytes, durability, lifecycle }
    }

    /// With another limit of the hot tier. 0: nothing is held.
    #[must_use]
    pub fn hot_bytes(self, hot_bytes: usize) -> Self {
        Options { hot_bytes, ..self }
    }

    /// With another durability.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Options { durability, ..self }
    }

    /// With another lifecycle.
    #[must_use]
    pub fn lifecycle(self, lifecycle: Lifecycle) -> Self {
        Options { lifecycle, ..self }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clock: _, hot_bytes, durability, lifecycle } = self;
        let mut shown = f.debug_struct("Options");
        shown.field("hot_bytes", hot_bytes).field("durability", durability).field("lifecycle", lifecycle);
        shown.finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub backend: Shared,
    leader: Mutex<Leader>,
    queue: Mutex<Queue>,
    /// A group is done, and nobody leads.
    done: Condvar,
    pub hot: Hot,
    clock: Clock,
    pub followers: Followers,
    pub commits: AtomicU64,
    pub caretaker: Caretaker,
    is_lasting: bool,
}

/// What whoever makes a commit works with.
struct Leader {
    engine: Engine<Shared>,
    staged: Vec<Staged>,
    hashes: Vec<u64>,
    /// Of each request of the group: which of `staged` are its.
    outcomes: Vec<Result<Range<usize>, StoreError>>,
}

#[derive(Default)]
struct Queue {
    leading: Leading,
    waiting: VecDeque<Arc<Slot>>,
    /// How many requests the last commit was for: as many are likely to come again.
    last: usize,
}

#[derive(Default, PartialEq)]
enum Leading {
    #[default]
    Nobody,
    Somebody,
    /// Whoever led panicked.
    Panicked,
}

/// A request that waits for somebody to commit it.
struct Slot {
    writes: Vec<Write>,
    durability: Durability,
    outcome: Mutex<Option<Result<Vec<VersionedValue>, StoreError>>>,
}

/// Writes on their way: made by [`Store::submit`].
///
/// They are committed when this ticket, or one that was submitted after it, is waited for. Dropped, they are made with the next
/// ticket that somebody waits for, if there is one.
#[must_use = "the write is made when this or a later one is waited for"]
pub struct Ticket {
    store: Store,
    slot: Arc<Slot>,
}

impl Ticket {
    /// Waits until it is written, as durable as its handle says.
    ///
    /// # Errors
    /// As [`Store::write_batch`].
    pub fn wait(self) -> Result<Vec<VersionedValue>, StoreError> {
        self.store.inner.wait(&self.slot)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("writes", &self.slot.writes.len()).finish_non_exhaustive()
    }
}

/// A group takes no more than so many requests at once.
const GROUP: usize = 4096;
/// How often a leader gives way for those to come that were in the last group: far less than a sync.
const GIVE_WAY: usize = 32;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn wait(&self, slot: &Arc<Slot>) -> Result<Vec<VersionedValue>, StoreError> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(outcome) = lock(&slot.outcome).take() {
                return outcome;
            }
            match queue.leading {
                Leading::Somebody => queue = self.done.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Leading::Panicked => return Err(StoreError::WriterPanicked),
                Leading::Nobody => {
                    queue.leading = Leading::Somebody;
                    queue = self.lead(queue);
                }
            }
        }
    }

    /// Commits what waits.
    fn lead<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        let expected = if self.is_lasting { queue.last } else { 1 };
        for _ in 0..GIVE_WAY {
            if queue.waiting.len() >= expected {
                break;
            }
            drop(queue);
            std::thread::yield_now();
            queue = lock(&self.queue);
        }
        let count = queue.waiting.len().min(GROUP);
        let group: Vec<_> = queue.waiting.drain(..count).collect();
        drop(queue);
        let guard = Led(self);
        let is_immediate = group.iter().any(|slot| slot.durability == Durability::Immediate);
        let durability = if is_immediate { Durability::Immediate } else { Durability::Relaxed };
        let requests: Vec<_> = group.iter().map(|slot| &*slot.writes).collect();
        let mut leader = lock(&self.leader);
        self.commit(&mut leader, &requests, durability);
        let Leader { staged, outcomes, .. } = &mut *leader;
        // Versions lie in the order of requests, so each takes its from the front.
        let mut versions = staged.drain(..).map(|staged| staged.version);
        for (slot, outcome) in group.iter().zip(outcomes.drain(..)) {
            *lock(&slot.outcome) = Some(outcome.map(|range| versions.by_ref().take(range.len()).collect()));
        }
        drop(versions);
        drop(leader);
        guard.finish(count)
    }

    /// One write of a thread that need not wait for others: what [`commit`](Self::commit) does for many, with nothing in between.
    fn alone(&self, write: One<'_>, durability: Durability) -> Result<VersionedValue, StoreError> {
        let (namespace, key) = (write.namespace, write.key);
        let hash = self.hot.hash(namespace, key);
        let mut leader = lock(&self.leader);
        let engine = &mut leader.engine;
        // Should somebody have panicked before a commit.
        engine.discard();
        let wall = (self.clock)();
        // It is in flux from here on, so that its place is looked up once less.
        let known = self.hot.mark(hash, namespace, key);
        let Staged { row, version } = match engine.stage_one(write, wall, known) {
            Ok(staged) => staged,
            Err(error) => {
                self.hot.unmark(hash, namespace, key);
                return Err(error);
            }
        };
        if let Err(error) = engine.commit(durability) {
            self.hot.forget(hash, namespace, key);
            return Err(error);
        }
        self.count();
        self.hot.publish(hash, (namespace, key), row, &version);
        self.followers.wake();
        Ok(version)
    }

    /// A commit was made: by who holds the engine, so nobody else counts.
    pub fn count(&self) {
        self.commits.store(self.commits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Whether a request may be made with no queue. The caller then leads.
    fn try_lead(&self) -> Result<Option<Led<'_>>, StoreError> {
        let mut queue = lock(&self.queue);
        match queue.leading {
            Leading::Panicked => Err(StoreError::WriterPanicked),
            Leading::Nobody if queue.waiting.is_empty() && queue.last <= 1 => {
                queue.leading = Leading::Somebody;
                Ok(Some(Led(self)))
            }
            _ => Ok(None),
        }
    }

    /// Stages each request, commits them together, and lets everybody see them.
    fn commit(&self, leader: &mut Leader, requests: &[&[Write]], durability: Durability) {
        let Leader { engine, staged, hashes, outcomes } = leader;
        staged.clear();
        hashes.clear();
        outcomes.clear();
        // Should somebody have panicked before a commit.
        engine.discard();
        let wall = (self.clock)();
        for writes in requests {
            let from = staged.len();
            let first = hashes.len();
            hashes.extend(writes.iter().map(|write| self.hot.hash(&write.namespace, &write.key)));
            let known =
                |place: usize, write: &Write| self.hot.head(hashes[first + place], &write.namespace, &write.key);
            match engine.stage(writes, wall, &known, requests.len() == 1, staged) {
                Ok(()) => outcomes.push(Ok(from..staged.len())),
                Err(error) => {
                    hashes.truncate(first);
                    outcomes.push(Err(error));
                }
            }
        }
        if staged.is_empty() {
            return;
        }
        // As many, and in the same order, as `staged` and `hashes`.
        let made = requests.iter().zip(&*outcomes).filter(|(_, outcome)| outcome.is_ok());
        let writes: Vec<&Write> = made.flat_map(|(writes, _)| *writes).collect();
        for (write, hash) in writes.iter().zip(&*hashes) {
            self.hot.mark(*hash, &write.namespace, &write.key);
        }
        match engine.commit(durability) {
            Ok(()) => {
                self.count();
                for ((write, hash), staged) in writes.iter().zip(&*hashes).zip(&*staged).rev() {
                    self.hot.publish(*hash, (&write.namespace, &write.key), staged.row, &staged.version);
                }
                self.followers.wake();
            }
            Err(error) => {
                for (write, hash) in writes.iter().zip(&*hashes) {
                    self.hot.forget(*hash, &write.namespace, &write.key);
                }
                staged.clear();
                for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                    *outcome = Err(error.clone());
                }
            }
        }
    }
}

impl Inner {
    /// The time on the platform's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Has the engine do something between the commits of others.
    pub fn beside<T>(&self, work: impl FnOnce(&mut Engine<Shared>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut leader = lock(&self.leader);
        leader.engine.discard();
        work(&mut leader.engine)
    }

    /// Writes versions of another database, among the commits of others.
    pub fn take(&self, chunk: &Chunk, durability: Durability) -> Result<Imported, StoreError> {
        let mut leader = lock(&self.leader);
        let engine = &mut leader.engine;
        engine.discard();
        let imported = engine.stage_imported(chunk);
        if imported.is_err() {
            engine.discard();
        }
        let imported = imported?;
        let names = chunk.names.iter();
        let names: Vec<(u64, &str, &str)> =
            names.map(|(namespace, key)| (self.hot.hash(namespace, key), &**namespace, &**key)).collect();
        for (hash, namespace, key) in &names {
            self.hot.mark(*hash, namespace, key);
        }
        let outcome = engine.commit(durability);
        names.iter().for_each(|(hash, namespace, key)| self.hot.forget(*hash, namespace, key));
        outcome?;
        self.followers.wake();
        Ok(imported)
    }
}

/// Somebody leads. Dropped in a panic, nobody can any more, and those who wait are told.
struct Led<'i>(&'i Inner);

impl<'i> Led<'i> {
    /// Done: the next may lead.
    fn finish(self, count: usize) -> MutexGuard<'i, Queue> {
        let inner = self.0;
        core::mem::forget(self);
        let mut queue = lock(&inner.queue);
        queue.leading = Leading::Nobody;
        queue.last = count;
        inner.done.notify_all();
        queue
    }
}

impl Drop for Led<'_> {
    fn drop(&mut self) {
        lock(&self.0.queue).leading = Leading::Panicked;
        self.0.done.notify_all();
    }
}

/// Writing.
impl Store {
    /// Goes on with what a backend holds, or begins with an empty one.
    ///
    /// # Errors
    /// Those of [`Engine::open`].
    pub fn open(backend: impl Backend + Send + Sync + 'static, options: Options) -> Result<Self, StoreError> {
        let is_lasting = backend.is_lasting();
        let backend = Shared(Arc::new(backend));
        let engine = Engine::open(backend.clone())?;
        let leader = Leader { engine, staged: Vec::new(), hashes: Vec::new(), outcomes: Vec::new() };
        let inner = Inner {
            backend,
            leader: Mutex::new(leader),
            queue: Mutex::default(),
            done: Condvar::new(),
            hot: Hot::new(options.hot_bytes),
            clock: options.clock,
            followers: Followers::default(),
            commits: AtomicU64::new(0),
            caretaker: Caretaker::new(options.lifecycle),
            is_lasting,
        };
        Ok(Store { inner: Arc::new(inner), durability: options.durability })
    }

    /// The same store, with writes of another durability.
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        Store { inner: self.inner.clone(), durability }
    }

    /// Writes a value as one more version of a key.
    ///
    /// # Errors
    /// [`StoreError`] for a name that is empty or too long, a value that cannot be kept, and what the backend says.
    pub fn put(&self, namespace: &str, key: &str, value: impl Into<Value>) -> Result<VersionedValue, StoreError> {
        let (value, expected, causes) = (Some(value.into()), Expected::Any, Causes::default());
        self.one(One { namespace, key, value, expected, causes })
    }

    /// Writes a value if what is there is what is expected: a version id, or [`Expected::Absent`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`], which says what is there; and those of [`put`](Self::put).
    pub fn put_if(
        &self,
        namespace: &str,
        key: &str,
        value: impl Into<Value>,
        expected: impl Into<Expected>,
    ) -> Result<VersionedValue, StoreError> {
        self.write(Write::put(namespace, key, value).expecting(expected))
    }

    /// Deletes a key: with one more version, which says so. What it was stays in its history.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where there is nothing to delete; and those of [`put`](Self::put).
    pub fn delete(&self, namespace: &str, key: &str) -> Result<VersionedValue, StoreError> {
        self.write(Write::delete(namespace, key))
    }

    /// Makes one write.
    ///
    /// # Errors
    /// Those of [`put`](Self::put), [`put_if`](Self::put_if) and [`delete`](Self::delete).
    pub fn write(&self, write: Write) -> Result<VersionedValue, StoreError> {
        let Write { namespace, key, value, expected, causes } = write;
        self.one(One { namespace: &namespace, key: &key, value, expected, causes })
    }

    fn one(&self, one: One<'_>) -> Result<VersionedValue, StoreError> {
        let inner = &*self.inner;
        if !inner.is_lasting {
            return inner.alone(one, self.durability);
        }
        match inner.try_lead()? {
            Some(led) => {
                let outcome = inner.alone(one, self.durability);
                drop(led.finish(1));
                outcome
            }
            None => {
                let mut versions = self.submit(alloc::vec![one.into()])?.wait()?;
                versions.pop().ok_or(StoreError::WriterPanicked)
            }
        }
    }

    /// Makes all of several writes of different keys at once, or none of them.
    ///
    /// # Errors
    /// [`StoreError::SameKeyTwice`]; and what stands in the way of any of them.
    pub fn write_batch(&self, writes: Vec<Write>) -> Result<Vec<VersionedValue>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.submit(writes)?.wait()
    }

    /// Hands writes in, to be made at once or not at all, and goes on. Those that are submitted one after another are made in
    /// that order, and share commits.
    ///
    /// # Errors
    /// [`StoreError::WriterPanicked`].
    pub fn submit(&self, writes: Vec<Write>) -> Result<Ticket, StoreError> {
        let slot = Arc::new(Slot { writes, durability: self.durability, outcome: Mutex::new(None) });
        let mut queue = lock(&self.inner.queue);
        if queue.leading == Leading::Panicked {
            return Err(StoreError::WriterPanicked);
        }
        queue.waiting.push_back(slot.clone());
        drop(queue);
        Ok(Ticket { store: self.clone(), slot })
    }

    /// Makes all that was written with [`Durability::Relaxed`] durable.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn flush(&self) -> Result<(), StoreError> {
        lock(&self.inner.leader).engine.commit(Durability::Immediate)
    }
}

/// Reading.
impl Store {
    /// The newest version of a key. One that is in the hot tier is found without leaving it.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where it is not, or is deleted.
    pub fn get(&self, namespace: &str, key: &str) -> Result<VersionedValue, StoreError> {
        let hot = &self.inner.hot;
        let hash = hot.hash(namespace, key);
        match hot.get(hash, namespace, key) {
            Found::Version(version) => Ok(version),
            Found::Deleted(at) => {
                Err(StoreError::KeyNotFound { namespace: owned(namespace), key: owned(key), deleted: Some(at) })
            }
            Found::Unknown => {
                let generation = hot.generation(hash);
                let (row, version) = self.reader()?.current(namespace, key)?;
                hot.fill(hash, generation, (namespace, key), row, &version);
                present(version, namespace, key)
            }
        }
    }

    /// A version of a key by its id. One that says deleted is found, too.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where the key never was, [`StoreError::VersionNotFound`] where it has no such version.
    pub fn get_version(&self, namespace: &str, key: &str, id: &VersionId) -> Result<VersionedValue, StoreError> {
        self.reader()?.get_version(namespace, key, id)
    }

    /// A version by its id alone, with the key that it is of.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`].
    pub fn find_version(&self, id: &VersionId) -> Result<KeyedVersion, StoreError> {
        self.reader()?.find_version(id)
    }

    /// The newest version of a key at or before a moment.
    ///
    /// # Errors
    /// [`StoreError::NoValueAt`] before the first version, [`StoreError::NoLongerKept`] where retention has dropped what it was;
    /// [`StoreError::KeyNotFound`] where the key never was, or was deleted then.
    pub fn get_at(&self, namespace: &str, key: &str, at: Timestamp) -> Result<VersionedValue, StoreError> {
        self.reader()?.get_at(namespace, key, at)
    }

    /// The versions of a key within a range of time, newest first, deletions among them. The rest of a page is the same range up
    /// to, and without, its `next`. Where retention has dropped what was before, the last one names a previous version that is
    /// not there.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where the key never was, [`StoreError::NoLimit`].
    pub fn history(
        &self,
        namespace: &str,
        key: &str,
        range: impl RangeBounds<Timestamp>,
        limit: usize,
    ) -> Result<Page<VersionedValue, Timestamp>, StoreError> {
        self.reader()?.history(namespace, key, range, limit)
    }

    /// The namespaces that have keys, or had some at a moment: those after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::NoLimit`].
    pub fn list_namespaces(
        &self,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String, String>, StoreError> {
        self.reader()?.list_namespaces(at, after, limit)
    }

    /// The keys of a namespace that begin with `prefix`, in their order, as they are or were at a moment: those after
    /// `after`, at most `limit`. A page may be empty and have a next one, where many keys are deleted. Where retention has dropped
    /// what a key was at that moment, it is left out.
    ///
    /// # Errors
    /// [`StoreError::NoLimit`], and those of names.
    pub fn list_keys(
        &self,
        namespace: &str,
        prefix: &str,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String, String>, StoreError> {
        self.reader()?.list_keys(namespace, prefix, at, after, limit)
    }

    /// What changed between two versions of a key. A key that was not there, yet or any more, had no value.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where the key never was, [`StoreError::VersionNotFound`], and [`StoreError::NoLongerKept`] where
    /// retention has dropped what it was.
    pub fn diff(
        &self,
        namespace: &str,
        key: &str,
        before: impl Into<Moment>,
        after: impl Into<Moment>,
    ) -> Result<Diff, StoreError> {
        self.reader()?.diff(namespace, key, before, after)
    }

    /// What a version was made from, what those were made from, and so on, up to `limit` versions.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`], [`StoreError::NoLimit`].
    pub fn why(&self, version: &VersionId, limit: usize) -> Result<Trace, StoreError> {
        self.reader()?.why(version, limit)
    }

    /// What was made from a version, what was made from that, and so on, up to `limit` versions.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`], [`StoreError::NoLimit`].
    pub fn effects(&self, version: &VersionId, limit: usize) -> Result<Trace, StoreError> {
        self.reader()?.effects(version, limit)
    }

    /// How much there is, and what it takes.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let usage = Backend::usage(&self.inner.backend)?;
        let mut stats = self.reader()?.stats(usage)?;
        let (versions, bytes) = self.inner.hot.size();
        stats.hot = Tier { versions, bytes, limit: Some(self.inner.hot.limit()) };
        stats.warm.limit = self.inner.caretaker.lifecycle.warm_bytes;
        stats.memory_bytes += bytes;
        stats.commits = self.inner.commits.load(Ordering::Relaxed);
        Ok(stats)
    }

    /// Proves all that was written before it began: each id is computed again. `progress` is told the versions so far.
    ///
    /// # Errors
    /// What the backend says, but for damage, which is in the result.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, StoreError> {
        verify(&self.inner.backend, progress)
    }

    /// Writes the database to a file: all that was written before it began. `progress` is told the versions so far.
    ///
    /// # Errors
    /// [`StoreError::Export`] with what the sink says; what the backend says, but for damage, which is in the result.
    pub fn export(&self, sink: Sink<'_>, progress: &mut dyn FnMut(u64)) -> Result<Exported, StoreError> {
        transfer::export(&self.inner.backend, sink, progress)
    }

    /// Reads a file that was exported, and writes what is not here yet. `progress` is told the versions so far. To import
    /// the same again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Import`], after which what was read before is here; and what the backend says.
    pub fn import(&self, source: Source<'_>, progress: &mut dyn FnMut(u64)) -> Result<Imported, StoreError> {
        transfer::import(source, &mut |chunk, durability| self.inner.take(chunk, durability), progress)
    }

    /// What the database holds now, to be asked several things. It is dropped soon, and not held across a write.
    pub(crate) fn reader(&self) -> Result<Reader<Box<dyn View + '_>>, StoreError> {
        Ok(Reader::new(Backend::view(&self.inner.backend)?))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("durability", &self.durability).finish_non_exhaustive()
    }
}

/// A backend whose type nobody has to name.
#[derive(Clone)]
pub(crate) struct Shared(Arc<dyn AnyBackend>);

trait AnyBackend: Send + Sync {
    fn view(&self) -> Result<Box<dyn View + '_>, BackendError>;
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError>;
    fn usage(&self) -> Result<Usage, BackendError>;
}

impl<B: Backend + Send + Sync> AnyBackend for B {
    fn view(&self) -> Result<Box<dyn View + '_>, BackendError> {
        Ok(Box::new(Backend::view(self)?))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        Backend::commit(self, batch, durability)
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        Backend::usage(self)
    }
}

impl Backend for Shared {
    type View<'b> = Box<dyn View + 'b>;

    fn view(&self) -> Result<Self::View<'_>, BackendError> {
        self.0.view()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.0.commit(batch, durability)
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        self.0.usage()
    }
}
