//! The one writer: it gives each write its time and its id, and puts all that is asked for at once into one commit.

use crate::backend::{Backend, BackendError, Batch, Direction, Durability, Table, View};
use crate::chains::Proven;
use crate::codec::{self, KeyRow, NamespaceRow, Previous};
use crate::lifecycle::Round;
use crate::read::Reader;
use crate::tally::{Namespaces, Times};
use crate::tiers::{self, Tiers};
use crate::transfer::{Chunk, Imported};
use crate::tree::Tree;
use crate::verify::{Verified, verify};
use crate::version_id::Written;
use crate::write::{Expected, MAX_VALUE, Write, owned};
#[cfg(feature = "std")]
use crate::write::{One, check_write};
use crate::{Causes, ImportError, StoreError, Timestamp, VersionId, VersionedValue};
use alloc::format;
use alloc::vec::Vec;
use anabranch_value::{Value, cbor};
use core::ops::{Bound, ControlFlow, Range};

/// The versioned store on one thread: a state machine over a [`Backend`], handed the time with each write.
///
/// **The contract:** what [`write`](Self::write) has returned is in the backend, as durable as was asked for; what it has
/// refused left no trace.
///
/// ```
/// use anabranch_store::{Durability, Engine, Memory, Timestamp, Write};
///
/// let mut engine = Engine::open(Memory::new())?;
/// let now = Timestamp::from_nanos(1_774_791_420_000_000_000); // of the platform's clock
/// let first = engine.write(&[Write::put("plant", "boiler", 21.5)], now, Durability::Immediate)?;
/// engine.write(&[Write::put("plant", "boiler", 22.0)], now, Durability::Immediate)?;
///
/// let reader = engine.reader()?;
/// assert_eq!(reader.get("plant", "boiler")?.value, 22.0.into());
/// assert_eq!(reader.get_at("plant", "boiler", first[0].timestamp)?.value, 21.5.into());
/// # Ok::<(), anabranch_store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Engine<B> {
    backend: B,
    /// Of the last version that was staged.
    last: Timestamp,
    /// Of the next key.
    number: u64,
    /// The same after the last commit.
    committed_number: u64,
    /// Whether the backend has no format yet, or an earlier one.
    is_new: bool,
    batch: Batch,
    /// The newest versions of keys that the batch writes, by their keys in `Keys`.
    staged: Tree<Vec<u8>, Head>,
    /// The rows of namespaces that the batch changes.
    namespaces: Namespaces,
    memory: Scratch,
    /// How far `maintain` is.
    pub(crate) round: Round,
}

/// Memory that is used again for each write.
#[derive(Debug, Default)]
struct Scratch {
    values: Vec<u8>,
    heads: Vec<(Option<Head>, Option<Range<usize>>)>,
    names: Vec<u8>,
    row: Vec<u8>,
    hashed: Vec<u8>,
}

/// Where a chain stands: what a write to it has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub row: KeyRow,
    pub id: VersionId,
}

/// A version that will be there after the next commit.
#[derive(Debug)]
pub(crate) struct Staged {
    /// For the hot tier.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "there is no hot tier"))]
    pub row: KeyRow,
    pub version: VersionedValue,
}

/// Says where the chain of one of the writes stands, if it knows.
pub(crate) type KnownHeads<'k> = &'k dyn Fn(usize, &Write) -> Option<Head>;

impl<B: Backend> Engine<B> {
    /// Goes on with what a backend holds, or begins with an empty one.
    ///
    /// # Errors
    /// [`BackendError::Newer`] for a database of a later format; [`BackendError::NotADatabase`]; others of the backend.
    pub fn open(backend: B) -> Result<Self, StoreError> {
        let reader = Reader::new(backend.view()?);
        let mut format = None;
        View::get(reader.view(), Table::Meta, codec::FORMAT_KEY, &mut |row| format = Some(codec::read_format(row)))?;
        let format = format.transpose()?;
        match format {
            Some(found) if found > codec::FORMAT => {
                return Err(BackendError::Newer { found, known: codec::FORMAT }.into());
            }
            None if View::count(reader.view(), Table::Versions)? > 0 => {
                return Err(BackendError::NotADatabase("it has versions and no format".into()).into());
            }
            Some(_) | None => {}
        }
        let last = reader.last_write()?.unwrap_or(Timestamp::ZERO);
        let mut number = 1;
        reader.scan(Table::Versions, (Bound::Unbounded, Bound::Unbounded), Direction::Backward, &mut |key, _| {
            number = codec::read_version_key(key)?.0.saturating_add(1);
            Ok(ControlFlow::Break(()))
        })?;
        drop(reader);
        Ok(Engine {
            backend,
            last,
            number,
            committed_number: number,
            is_new: format != Some(codec::FORMAT),
            batch: Batch::new(),
            staged: Tree::default(),
            namespaces: Namespaces::default(),
            memory: Scratch::default(),
            round: Round::default(),
        })
    }

    /// The backend.
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    /// The backend, with which another engine can go on.
    pub fn into_backend(self) -> B {
        self.backend
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn reader(&self) -> Result<Reader<B::View<'_>>, StoreError> {
        Ok(Reader::new(self.backend.view()?))
    }

    /// Proves all that was written: each id is computed again. `progress` is told the versions so far.
    ///
    /// # Errors
    /// What the backend says, but for damage, which is in the result.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, StoreError> {
        verify(&self.backend, progress)
    }

    /// Writes all of `writes` or, if one of them cannot be, none.
    ///
    /// # Errors
    /// What is wrong with a write, what there is instead of what it expected, and what the backend says.
    pub fn write(
        &mut self,
        writes: &[Write],
        wall: Timestamp,
        durability: Durability,
    ) -> Result<Vec<VersionedValue>, StoreError> {
        let mut staged = Vec::with_capacity(writes.len());
        self.stage(writes, wall, &|_, _| None, true, &mut staged)?;
        self.commit(durability)?;
        Ok(staged.into_iter().map(|staged| staged.version).collect())
    }

    /// Prepares all of `writes` or none of them for the next commit, after what was staged before. `alone`: nothing
    /// else will be staged before that.
    pub(crate) fn stage(
        &mut self,
        writes: &[Write],
        wall: Timestamp,
        known: KnownHeads<'_>,
        alone: bool,
        into: &mut Vec<Staged>,
    ) -> Result<(), StoreError> {
        self.check(writes, wall, known)?;
        let heads = core::mem::take(&mut self.memory.heads);
        for (write, (head, value)) in writes.iter().zip(&heads) {
            // There is time for all: it was checked.
            let timestamp = self.last.after(wall).unwrap_or(Timestamp::LATEST);
            self.last = timestamp;
            let names = (&*write.namespace, &*write.key);
            let (row, id) = self.put(names, &write.causes, timestamp, *head, value.clone(), alone);
            let version = version(write.value.clone(), write.causes.clone(), timestamp, id, *head);
            into.push(Staged { row, version });
        }
        self.memory.heads = heads;
        Ok(())
    }

    /// Finds all that could stand in the way of these writes, before anything is changed.
    fn check(&mut self, writes: &[Write], wall: Timestamp, known: KnownHeads<'_>) -> Result<(), StoreError> {
        check_distinct(writes)?;
        let more = i64::try_from(writes.len().saturating_sub(1)).unwrap_or(i64::MAX);
        let end = self.last.after(wall).and_then(|first| first.nanos().checked_add(more));
        if end.is_none() {
            return Err(StoreError::TimeIsUp);
        }
        let mut memory = core::mem::take(&mut self.memory);
        let outcome = self.find_heads(writes, known, &mut memory);
        self.memory = memory;
        outcome
    }

    /// Only a damaged row has a number for a key after which there are none for so many more.
    fn has_numbers_for(&self, keys: usize) -> Result<(), StoreError> {
        match self.number.checked_add(keys as u64) {
            Some(_) => Ok(()),
            None => {
                Err(BackendError::Damaged(format!("a row is of key number {}, after which there is none", self.number))
                    .into())
            }
        }
    }

    fn find_heads(
        &self,
        writes: &[Write],
        known: KnownHeads<'_>,
        Scratch { values, heads, names, .. }: &mut Scratch,
    ) -> Result<(), StoreError> {
        self.has_numbers_for(writes.len())?;
        heads.clear();
        values.clear();
        // Taken when it is needed, and dropped before the commit.
        let mut reader = None;
        for (place, write) in writes.iter().enumerate() {
            write.check()?;
            let value = write.value.as_ref().map(|value| encode(value, &write.key, values)).transpose()?;
            let mut head = None;
            if !self.staged.is_empty() {
                codec::key_of(&write.namespace, &write.key, names);
                head = self.staged.get(names).copied();
            }
            head = head.or_else(|| known(place, write));
            if head.is_none() {
                let reader = match &mut reader {
                    Some(reader) => reader,
                    none => none.insert(Reader::new(self.backend.view()?)),
                };
                head = find_head(reader, &write.namespace, &write.key)?;
            }
            let names = (&*write.namespace, &*write.key);
            check_expected(names, write.expected, write.value.is_none(), head.as_ref())?;
            heads.push((head, value));
        }
        Ok(())
    }

    /// As [`stage`](Self::stage), for one write with which nothing else is in its commit, and whose chain stands at `known` if that
    /// is known.
    #[cfg(feature = "std")]
    pub(crate) fn stage_one(
        &mut self,
        one: One<'_>,
        wall: Timestamp,
        known: Option<Head>,
    ) -> Result<Staged, StoreError> {
        let One { namespace, key, value, expected, causes } = one;
        check_write(namespace, key, &causes)?;
        let timestamp = self.last.after(wall).ok_or(StoreError::TimeIsUp)?;
        self.has_numbers_for(1)?;
        self.memory.values.clear();
        let encoded = value.as_ref().map(|value| encode(value, key, &mut self.memory.values)).transpose()?;
        let head = match known {
            Some(head) => Some(head),
            None => find_head(&Reader::new(self.backend.view()?), namespace, key)?,
        };
        check_expected((namespace, key), expected, value.is_none(), head.as_ref())?;
        self.last = timestamp;
        let (row, id) = self.put((namespace, key), &causes, timestamp, head, encoded, true);
        Ok(Staged { row, version: version(value, causes, timestamp, id, head) })
    }

    /// Puts one version into the batch.
    fn put(
        &mut self,
        (namespace, key): (&str, &str),
        causes: &[VersionId],
        timestamp: Timestamp,
        head: Option<Head>,
        value: Option<Range<usize>>,
        alone: bool,
    ) -> (KeyRow, VersionId) {
        let previous = head.map(|head| head.id);
        // Lent to each other for a moment.
        let values = core::mem::take(&mut self.memory.values);
        let value = value.map(|range| &values[range]);
        let written = Written { namespace, key, value, timestamp, previous, causes };
        let id = VersionId::of(&written, &mut self.memory.hashed);
        let before = if previous.is_some() { Previous::Before } else { Previous::None };
        let row = self.append(&written, &id, before, head.map(|head| head.row), alone);
        self.memory.values = values;
        (row, id)
    }

    /// Puts the rows of one version into the batch. `before`: what the key's row was.
    fn append(
        &mut self,
        written: &Written<'_>,
        id: &VersionId,
        previous: Previous,
        before: Option<KeyRow>,
        alone: bool,
    ) -> KeyRow {
        let Written { timestamp, value, causes, .. } = *written;
        let is_deletion = value.is_none();
        let row = match before {
            None => KeyRow { number: self.number, first: timestamp, deleted: is_deletion, ever_deleted: is_deletion },
            Some(before) => KeyRow { deleted: is_deletion, ever_deleted: before.ever_deleted || is_deletion, ..before },
        };
        let place = codec::version_key(row.number, timestamp);
        let version = codec::write_version(&place, id, previous, causes, value, &mut self.memory.row);
        self.batch.put(Table::Versions, &place, version);
        self.batch.put(Table::Times, &timestamp.to_bytes(), &row.number.to_be_bytes());
        for cause in causes {
            let mut effect = [0; 16];
            effect[..8].copy_from_slice(&cause.timestamp().to_bytes());
            effect[8..].copy_from_slice(&timestamp.to_bytes());
            self.batch.put(Table::Effects, &effect, &[]);
        }
        if before != Some(row) || !alone {
            codec::key_of(written.namespace, written.key, &mut self.memory.names);
        }
        if before != Some(row) {
            self.key_changed(written.namespace, before, row);
        }
        if !alone {
            self.staged.insert(self.memory.names.clone(), Head { row, id: *id });
        }
        row
    }

    /// A key has come, is gone, or is there again: its names stand in the scratch memory.
    fn key_changed(&mut self, namespace: &str, before: Option<KeyRow>, row: KeyRow) {
        let Scratch { names, row: scratch, .. } = &mut self.memory;
        if before.is_none() {
            codec::write_name(row.number, names, scratch);
            self.batch.put(Table::Versions, &codec::version_key(row.number, Timestamp::ZERO), scratch);
            self.number += 1;
        }
        row.write(names, scratch);
        self.batch.put(Table::Keys, names, scratch);
        let was_live = before.is_some_and(|before| !before.deleted);
        let change = self.namespaces.of(namespace);
        // Differences, until they are added to what is there: `commit` does.
        change.ever += u64::from(before.is_none());
        change.live = change.live.wrapping_add(u64::from(!row.deleted)).wrapping_sub(u64::from(was_live));
    }

    /// Prepares versions of another database for the next commit, as they are: each after the one before it.
    pub(crate) fn stage_imported(&mut self, chunk: &Chunk) -> Result<Imported, StoreError> {
        let mut imported = Imported::default();
        let mut times = Times::default();
        for (place, version) in &chunk.versions {
            let (namespace, key) = &chunk.names[*place];
            if self.stage_one_imported(namespace, key, version, &mut times)? {
                imported.new += 1;
            } else {
                imported.known += 1;
            }
        }
        Ok(imported)
    }

    /// Whether it is new.
    fn stage_one_imported(
        &mut self,
        namespace: &str,
        key: &str,
        version: &Proven,
        times: &mut Times,
    ) -> Result<bool, StoreError> {
        let since = version.id.timestamp();
        let diverged = || StoreError::Import {
            versions: 0,
            reason: ImportError::Diverged { namespace: owned(namespace), key: owned(key), since },
        };
        codec::key_of(namespace, key, &mut self.memory.names);
        self.has_numbers_for(1)?;
        let reader = Reader::new(self.backend.view()?);
        let head = match self.staged.get(&self.memory.names) {
            Some(head) => Some(*head),
            None => find_head(&reader, namespace, key)?,
        };
        if let Some(head) = head.filter(|head| head.id.timestamp() >= since) {
            let number = head.row.number;
            // What retention has dropped here was here; of all but the last of it no more can be said.
            let was_here = |last: VersionId| since < last.timestamp() || version.id == last;
            let is_here = head.id == version.id
                || reader.version(number, &version.id)?.is_some()
                || reader.deep(number)?.is_some_and(|deep| was_here(deep.last));
            return if is_here { Ok(false) } else { Err(diverged()) };
        }
        let here = head.map(|head| head.id);
        let previous = match version.previous {
            // A gap: what was between is lost.
            Some(previous) if !version.follows && here.is_none_or(|here| here < previous) => Previous::Here(previous),
            // The beginning of the chain is lost.
            previous if here != previous => return Err(diverged()),
            None => Previous::None,
            Some(_) => Previous::Before,
        };
        if reader.written_at(since)?.is_some() || !times.insert(since) {
            let reason = ImportError::TimeTaken { namespace: owned(namespace), key: owned(key), at: since };
            return Err(StoreError::Import { versions: 0, reason });
        }
        let tiers = reader.tiers()?;
        if since <= tiers.counted {
            // It was not there when warm versions were counted, so that is done anew.
            Tiers { warm_bytes: 0, counted: Timestamp::ZERO, ..tiers }.write(&mut self.memory.row);
            self.batch.put(Table::Meta, tiers::KEY, &self.memory.row);
        }
        drop(reader);
        self.last = self.last.max(since);
        let written = Written {
            namespace,
            key,
            value: version.value.as_deref(),
            timestamp: since,
            previous: version.previous,
            causes: &version.causes,
        };
        self.append(&written, &version.id, previous, head.map(|head| head.row), false);
        Ok(true)
    }

    /// Writes what was staged.
    pub(crate) fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        let outcome = self.complete().and_then(|()| Ok(self.backend.commit(&self.batch, durability)?));
        if outcome.is_ok() {
            self.committed_number = self.number;
            self.is_new = false;
        }
        self.discard();
        outcome
    }

    /// Writes rows that are no versions; nothing is staged.
    pub(crate) fn commit_beside(&mut self, mut batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if self.is_new {
            codec::write_format(codec::FORMAT, &mut self.memory.row);
            batch.put(Table::Meta, codec::FORMAT_KEY, &self.memory.row);
        }
        self.backend.commit(&batch, durability)?;
        self.is_new = false;
        Ok(())
    }

    /// Lets go of what was staged and is not committed.
    pub(crate) fn discard(&mut self) {
        self.batch.clear();
        // Most commits have nothing in these, and to clear a map takes its time.
        if !self.staged.is_empty() {
            self.staged = Tree::default();
        }
        if !self.namespaces.is_empty() {
            self.namespaces.clear();
        }
        self.number = self.committed_number;
    }

    /// Adds what is written once for a commit.
    fn complete(&mut self) -> Result<(), StoreError> {
        if self.is_new {
            codec::write_format(codec::FORMAT, &mut self.memory.row);
            self.batch.put(Table::Meta, codec::FORMAT_KEY, &self.memory.row);
        }
        if self.namespaces.is_empty() {
            return Ok(());
        }
        let reader = Reader::new(self.backend.view()?);
        for (name, change) in self.namespaces.iter() {
            let row = reader.namespace(name)?;
            let row =
                NamespaceRow { live: row.live.wrapping_add(change.live), ever: row.ever.wrapping_add(change.ever) };
            row.write(name.as_bytes(), &mut self.memory.row);
            self.batch.put(Table::Namespaces, name.as_bytes(), &self.memory.row);
        }
        Ok(())
    }
}

fn version(
    value: Option<Value>,
    causes: Causes,
    timestamp: Timestamp,
    version_id: VersionId,
    before: Option<Head>,
) -> VersionedValue {
    let (deleted, value) = (value.is_none(), value.unwrap_or_default());
    VersionedValue { value, timestamp, version_id, previous_version: before.map(|head| head.id), causes, deleted }
}

fn encode(value: &Value, key: &str, values: &mut Vec<u8>) -> Result<Range<usize>, StoreError> {
    let from = values.len();
    cbor::write(value, values).map_err(|reason| StoreError::BadValue { key: owned(key), reason })?;
    let length = values.len() - from;
    if length > MAX_VALUE {
        return Err(StoreError::ValueTooLarge { key: owned(key), length, limit: MAX_VALUE });
    }
    Ok(from..values.len())
}

pub(crate) fn find_head<V: View>(reader: &Reader<V>, namespace: &str, key: &str) -> Result<Option<Head>, StoreError> {
    let Some(row) = reader.find_key(namespace, key)? else { return Ok(None) };
    let id = reader.head(row.number)?;
    let id = id.ok_or_else(|| StoreError::damaged(format_args!("{key:?} of {namespace:?} has lost its versions")))?;
    Ok(Some(Head { row, id }))
}

fn check_expected(
    (namespace, key): (&str, &str),
    expected: Expected,
    is_deletion: bool,
    head: Option<&Head>,
) -> Result<(), StoreError> {
    let current = head.filter(|head| !head.row.deleted).map(|head| head.id);
    let holds = match expected {
        Expected::Any => true,
        Expected::Absent => current.is_none(),
        Expected::Version(version) => current == Some(version),
    };
    if !holds {
        return Err(StoreError::Conflict { namespace: owned(namespace), key: owned(key), current });
    }
    if is_deletion && current.is_none() {
        let deleted = head.map(|head| head.id.timestamp());
        return Err(StoreError::KeyNotFound { namespace: owned(namespace), key: owned(key), deleted });
    }
    Ok(())
}

fn check_distinct(writes: &[Write]) -> Result<(), StoreError> {
    if writes.len() < 2 {
        return Ok(());
    }
    let mut names: Vec<_> = writes.iter().map(|write| (&*write.namespace, &*write.key)).collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    twice.map_or(Ok(()), |(namespace, key)| {
        Err(StoreError::SameKeyTwice { namespace: owned(namespace), key: owned(key) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn a_later_format_is_refused_with_its_number() {
        let mut engine = Engine::open(Memory::new()).unwrap();
        engine.write(&[Write::put("n", "k", 1)], Timestamp::from_nanos(1), Durability::Immediate).unwrap();
        let backend = engine.into_backend();
        let (mut row, mut batch) = (Vec::new(), Batch::new());
        codec::write_format(codec::FORMAT + 1, &mut row);
        batch.put(Table::Meta, codec::FORMAT_KEY, &row);
        backend.commit(&batch, Durability::Immediate).unwrap();
        let error = Engine::open(backend).unwrap_err();
        assert_eq!(error, BackendError::Newer { found: codec::FORMAT + 1, known: codec::FORMAT }.into());
    }

    #[test]
    fn an_earlier_format_is_read_and_continued_as_the_one_of_today() {
        let mut engine = Engine::open(Memory::new()).unwrap();
        let now = Timestamp::from_nanos(1);
        let first = engine.write(&[Write::put("n", "k", 1)], now, Durability::Immediate).unwrap().remove(0);
        let backend = engine.into_backend();
        let (mut row, mut batch) = (Vec::new(), Batch::new());
        codec::write_format(1, &mut row);
        batch.put(Table::Meta, codec::FORMAT_KEY, &row);
        backend.commit(&batch, Durability::Immediate).unwrap();
        let mut engine = Engine::open(backend).unwrap();
        let format = |engine: &Engine<Memory>| {
            let mut format = None;
            View::get(&engine.backend().view().unwrap(), Table::Meta, codec::FORMAT_KEY, &mut |row| {
                format = codec::read_format(row).ok();
            })
            .unwrap();
            format
        };
        assert_eq!((format(&engine), engine.reader().unwrap().get("n", "k").unwrap()), (Some(1), first));
        engine.write(&[Write::put("n", "k", 2)], now, Durability::Immediate).unwrap();
        assert_eq!(format(&engine), Some(codec::FORMAT));
    }

    #[test]
    fn an_engine_that_is_opened_again_goes_on_where_it_was() {
        let wall = Timestamp::from_nanos(1000);
        let mut engine = Engine::open(Memory::new()).unwrap();
        let write = |engine: &mut Engine<Memory>, key: &str| {
            engine.write(&[Write::put("n", key, 1)], wall, Durability::Immediate).unwrap().remove(0)
        };
        let first = write(&mut engine, "a");
        write(&mut engine, "b");
        let mut engine = Engine::open(engine.into_backend()).unwrap();
        let again = write(&mut engine, "a");
        assert_eq!((again.timestamp.nanos(), again.previous_version), (1002, Some(first.version_id)));
        write(&mut engine, "c");
        assert!(engine.verify(&mut |_| ()).unwrap().is_whole());
    }
}
