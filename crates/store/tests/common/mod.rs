//! What the store's tests speak of: a clock that is set by hand, and a model that is too plain to be wrong.
#![allow(dead_code, reason = "each test uses a part of it")]

use anabranch_store::{
    Backend, Batch, Causes, Direction, Durability, Expected, Exported, Imported, Options, Retention, Store, StoreError,
    Table, Timestamp, VersionId, VersionedValue, View, Write,
};
use std::collections::{BTreeMap, HashSet};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock, and what sets it.
pub fn clock_of(
    nanos: i64,
) -> (impl Fn() -> Timestamp + Send + Sync + Clone + 'static, impl Fn(i64) + Send + Sync + Clone + 'static) {
    let clock = Arc::new(AtomicI64::new(nanos));
    let set = clock.clone();
    (move || Timestamp::from_nanos(clock.load(Ordering::SeqCst)), move |nanos| set.store(nanos, Ordering::SeqCst))
}

pub fn opened(
    backend: impl Backend + Send + Sync + 'static,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    hot_bytes: usize,
) -> Store {
    Store::open(backend, Options::new(clock).hot_bytes(hot_bytes)).unwrap()
}

/// A row's key and what it holds.
type Row = (Vec<u8>, Vec<u8>);

/// What a table holds, behind the store's back.
pub fn rows(backend: &impl Backend, table: Table) -> Vec<Row> {
    let mut rows = Vec::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    let visit = &mut |key: &[u8], row: &[u8]| {
        rows.push((key.to_vec(), row.to_vec()));
        ControlFlow::Continue(())
    };
    backend.view().unwrap().scan(table, all, Direction::Forward, visit).unwrap();
    rows
}

/// Sets a row behind the store's back, or takes it out.
pub fn set_row(backend: &impl Backend, table: Table, key: &[u8], row: Option<&[u8]>) {
    let mut batch = Batch::new();
    match row {
        Some(row) => batch.put(table, key, row),
        None => batch.delete(table, key),
    }
    backend.commit(&batch, Durability::Immediate).unwrap();
}

/// The loss of each of these rows is found, and when one bit of it is another: every `each`th is tried.
pub fn assert_each_damage_is_found(
    store: &Store,
    backend: &impl Backend,
    table: Table,
    rows: impl IntoIterator<Item = Row>,
    each: usize,
) {
    for (key, row) in rows {
        let damaged = |what: &str| {
            let verified = store.verify(&mut |_| ()).unwrap();
            assert!(!verified.is_whole(), "{what} of {key:02x?} in {table:?} is not found");
        };
        set_row(backend, table, &key, None);
        damaged("the loss");
        for bit in (0..row.len() * 8).step_by(each) {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            set_row(backend, table, &key, Some(&flipped));
            damaged("a flipped bit");
        }
        set_row(backend, table, &key, Some(&row));
    }
}

/// The file of an export, and what is said of it.
pub fn exported(store: &Store) -> (Vec<u8>, Exported) {
    let mut file = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    let exported = store.export(sink, &mut |_| ()).unwrap();
    assert_eq!(exported.bytes, file.len() as u64);
    (file, exported)
}

/// Imports a file that comes in pieces of at most so many bytes.
pub fn import(
    store: &Store,
    mut file: &[u8],
    at_once: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported, StoreError> {
    let source = &mut |buffer: &mut [u8]| {
        let count = file.len().min(buffer.len()).min(at_once);
        buffer[..count].copy_from_slice(&file[..count]);
        file = &file[count..];
        Ok(count)
    };
    store.import(source, progress)
}

type Names = (String, String);

/// All versions of all keys, in vectors.
#[derive(Debug, Default)]
pub struct Model {
    chains: BTreeMap<Names, Vec<VersionedValue>>,
    /// How many of a chain's oldest versions were dropped.
    dropped: BTreeMap<Names, usize>,
    retention: BTreeMap<String, Retention>,
    last: i64,
}

fn owned((namespace, key): (&str, &str)) -> Names {
    (namespace.into(), key.into())
}

impl Model {
    /// What the writes should give, but for the ids. The model itself changes when it is told those.
    pub fn write(&mut self, writes: &[Write], wall: Timestamp) -> Result<Vec<VersionedValue>, StoreError> {
        let mut seen = HashSet::new();
        let mut sorted: Vec<_> = writes.iter().map(|write| (write.namespace(), write.key())).collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.into_iter().find(|names| !seen.insert(*names)) {
            return Err(StoreError::SameKeyTwice { namespace: twice.0.into(), key: twice.1.into() });
        }
        let mut versions = Vec::new();
        let mut last = self.last;
        for write in writes {
            let names = (write.namespace(), write.key());
            let head = self.head(names);
            let current = head.filter(|head| !head.deleted).map(|head| head.version_id);
            let fits = match write.expected() {
                Expected::Any => true,
                Expected::Absent => current.is_none(),
                Expected::Version(version) => current == Some(version),
            };
            let (namespace, key) = owned(names);
            if !fits {
                return Err(StoreError::Conflict { namespace, key, current });
            }
            if write.value().is_none() && current.is_none() {
                let deleted = head.map(|head| head.timestamp);
                return Err(StoreError::KeyNotFound { namespace, key, deleted });
            }
            last = wall.nanos().max(last + 1);
            versions.push(VersionedValue {
                value: write.value().cloned().unwrap_or_default(),
                timestamp: Timestamp::from_nanos(last),
                version_id: self.some_id(),
                previous_version: head.map(|head| head.version_id),
                causes: Causes::default(),
                deleted: write.value().is_none(),
            });
        }
        self.last = last;
        Ok(versions)
    }

    /// The versions as they were written: all as expected, and each with an id that no other has.
    pub fn learn(&mut self, writes: &[Write], got: &[VersionedValue], expected: &[VersionedValue]) {
        assert_eq!(got.len(), expected.len());
        for ((write, got), expected) in writes.iter().zip(got).zip(expected) {
            assert_eq!(got, &VersionedValue { version_id: got.version_id, ..expected.clone() });
            assert_eq!(got.version_id.timestamp(), got.timestamp);
            let others = self.chains.values().flatten();
            assert!(others.into_iter().all(|other| other.version_id < got.version_id), "ids are in the order of time");
            self.chains.entry(owned((write.namespace(), write.key()))).or_default().push(got.clone());
        }
    }

    /// An id that no version has.
    pub fn some_id(&self) -> VersionId {
        VersionId::from_bytes([1; 32]).unwrap()
    }

    /// Those of its versions that are kept.
    pub fn chain(&self, names: (&str, &str)) -> &[VersionedValue] {
        let names = owned(names);
        let dropped = self.dropped.get(&names).copied().unwrap_or_default();
        self.chains.get(&names).map(|chain| &chain[dropped..]).unwrap_or_default()
    }

    /// When the first of all its versions was written, and whether that was dropped.
    pub fn first(&self, names: (&str, &str)) -> Option<(Timestamp, bool)> {
        let names = owned(names);
        let was_dropped = self.dropped.get(&names).is_some_and(|dropped| *dropped > 0);
        self.chains.get(&names).map(|chain| (chain[0].timestamp, was_dropped))
    }

    pub fn set_retention(&mut self, namespace: &str, retention: Retention) {
        self.retention.insert(namespace.into(), retention);
    }

    /// Drops what retention does not keep: how many versions.
    pub fn retain(&mut self, now: Timestamp) -> u64 {
        let mut all = 0;
        for (names, chain) in &self.chains {
            let dropped = self.dropped.entry(names.clone()).or_default();
            let before = *dropped;
            match self.retention.get(&names.0) {
                None | Some(Retention::All) => {}
                Some(Retention::Last(count)) => *dropped = before.max(chain.len().saturating_sub(count.get() as usize)),
                Some(Retention::For(time)) => {
                    let since = now.nanos() - time.as_nanos() as i64;
                    let newer =
                        |dropped: &usize| chain.get(*dropped + 1).is_some_and(|next| next.timestamp.nanos() <= since);
                    while newer(dropped) {
                        *dropped += 1;
                    }
                }
            }
            all += (*dropped - before) as u64;
        }
        all
    }

    /// All versions that are kept, as they were written.
    pub fn all(&self) -> Vec<(Names, VersionedValue)> {
        let mut all: Vec<_> =
            self.kept().flat_map(|(names, chain)| chain.iter().map(|its| (names.clone(), its.clone()))).collect();
        all.sort_by_key(|(_, version)| version.timestamp);
        all
    }

    fn kept(&self) -> impl Iterator<Item = (&Names, &[VersionedValue])> {
        self.chains.keys().map(|names| (names, self.chain((&names.0, &names.1))))
    }

    pub fn head(&self, names: (&str, &str)) -> Option<&VersionedValue> {
        self.chain(names).last()
    }

    pub fn get(&self, names: (&str, &str)) -> Option<VersionedValue> {
        self.head(names).filter(|version| !version.deleted).cloned()
    }

    /// When versions were written.
    pub fn times(&self) -> impl Iterator<Item = Timestamp> {
        self.chains.values().flatten().map(|version| version.timestamp)
    }

    /// Each key whose version of that moment is kept.
    pub fn at(&self, at: Timestamp) -> Vec<(Names, VersionedValue)> {
        let newest = |chain: &[VersionedValue]| {
            chain.iter().rev().find(|version| version.timestamp <= at).filter(|version| !version.deleted).cloned()
        };
        self.kept().filter_map(|(names, chain)| Some((names.clone(), newest(chain)?))).collect()
    }

    pub fn keys_at(&self, at: Timestamp) -> Vec<Names> {
        self.at(at).into_iter().map(|(names, _)| names).collect()
    }
}

/// A store in memory, with a clock that stands at 1,000 ns until it is set.
pub fn in_memory() -> Store {
    opened(anabranch_store::Memory::new(), || Timestamp::from_nanos(1000), 64 << 20)
}

/// All versions of a key, oldest first, in pages.
pub fn chain(store: &Store, namespace: &str, key: &str) -> Vec<VersionedValue> {
    let mut versions = Vec::new();
    let mut before = Timestamp::LATEST;
    loop {
        let page = store.history(namespace, key, ..before, 100).unwrap();
        versions.extend(page.items);
        match page.next {
            Some(next) => before = next,
            None => break,
        }
    }
    versions.reverse();
    versions
}

/// Each version names the one before it, and time goes on.
pub fn assert_whole(chain: &[VersionedValue]) {
    assert_eq!(chain[0].previous_version, None);
    for pair in chain.windows(2) {
        assert_eq!(pair[1].previous_version, Some(pair[0].version_id));
        assert!(pair[1].timestamp > pair[0].timestamp);
    }
}

/// What a backend does when a commit is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    Fail,
    Panic,
}

/// A backend that fails when it is told to, and takes as long for a commit as a disk.
#[derive(Clone)]
pub struct Faulty {
    pub memory: Arc<anabranch_store::Memory>,
    pub fault: Arc<std::sync::Mutex<Fault>>,
    pub commits: Arc<AtomicI64>,
    pub sync: std::time::Duration,
}

impl Faulty {
    pub fn new(sync: std::time::Duration) -> Self {
        Faulty {
            memory: Arc::default(),
            fault: Arc::new(std::sync::Mutex::new(Fault::None)),
            commits: Arc::default(),
            sync,
        }
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

impl Backend for Faulty {
    type View<'b> = anabranch_store::MemoryView;

    fn view(&self) -> Result<Self::View<'_>, anabranch_store::BackendError> {
        self.memory.view()
    }

    fn commit(
        &self,
        batch: &anabranch_store::Batch,
        durability: anabranch_store::Durability,
    ) -> Result<(), anabranch_store::BackendError> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::None => {}
            Fault::Fail => return Err(anabranch_store::BackendError::Full),
            Fault::Panic => panic!("a backend that panics"),
        }
        std::thread::sleep(self.sync);
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.memory.commit(batch, durability)
    }

    fn usage(&self) -> Result<anabranch_store::Usage, anabranch_store::BackendError> {
        self.memory.usage()
    }
}
