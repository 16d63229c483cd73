//! The hot tier: the newest versions of keys, decoded, in memory, up to a limit of bytes.
//!
//! **The contract:** what is found here is the newest version that anybody can see. While a commit that writes a key is on its
//! way, the key is *in flux*: whoever asks is sent to the backend, which shows the versions before until the commit
//! is made, and those after from then on.

use crate::codec::KeyRow;
use crate::engine::Head;
use crate::{Timestamp, VersionedValue};
use alloc::boxed::Box;
use alloc::vec::Vec;
use anabranch_value::{Text, Value};
use core::hash::{BuildHasher, Hasher};
use core::sync::atomic::{AtomicBool, Ordering};
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How many parts it has, each with a lock of its own.
const SHARDS: usize = 32;

#[derive(Debug)]
pub(crate) struct Hot {
    shards: Box<[RwLock<Shard>]>,
    /// Seeded for each store, so that nobody outside can know which keys collide; the library's own takes half of a `get`.
    hasher: RandomState,
    /// Of each shard, in bytes.
    limit: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// Where in `entries` each is.
    index: HashTable<u32>,
    entries: Vec<Entry>,
    bytes: usize,
    /// Where the search for what was not used goes on.
    hand: usize,
    /// How often a key of it was written: what was read from a view before is not put here after.
    generation: u64,
    /// Where the entry was that was marked last.
    marked: usize,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    namespace: Text,
    key: Text,
    /// `None`: in flux, and not known before.
    current: Option<Current>,
    in_flux: bool,
    /// Since the hand was here.
    used: AtomicBool,
    bytes: usize,
}

#[derive(Debug)]
struct Current {
    row: KeyRow,
    version: VersionedValue,
}

impl Entry {
    fn is(&self, namespace: &str, key: &str) -> bool {
        self.key == *key && self.namespace == *namespace
    }
}

impl Current {
    fn head(&self) -> Head {
        Head { row: self.row, id: self.version.version_id }
    }
}

/// What is known here of a key.
#[derive(Debug)]
pub(crate) enum Found {
    /// Its newest version.
    Version(VersionedValue),
    /// It is deleted, since this time.
    Deleted(Timestamp),
    /// Nothing: ask the backend.
    Unknown,
}

impl Hot {
    pub fn new(limit: usize) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Hot { shards, hasher: RandomState::default(), limit: limit / SHARDS }
    }

    pub fn hash(&self, namespace: &str, key: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(namespace.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> &RwLock<Shard> {
        // The table takes the lowest and the highest bits.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    // A thread that panicked here left a cache; every method leaves it whole between its steps.
    fn read(&self, hash: u64) -> RwLockReadGuard<'_, Shard> {
        self.shard(hash).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, hash: u64) -> RwLockWriteGuard<'_, Shard> {
        self.shard(hash).write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, hash: u64, namespace: &str, key: &str) -> Found {
        let shard = self.read(hash);
        match shard.find(hash, namespace, key) {
            Some(Entry { in_flux: false, current: Some(current), used, .. }) => {
                // A line of the cache that nobody writes stays shared.
                if !used.load(Ordering::Relaxed) {
                    used.store(true, Ordering::Relaxed);
                }
                if current.version.deleted {
                    Found::Deleted(current.version.timestamp)
                } else {
                    Found::Version(current.version.clone())
                }
            }
            _ => Found::Unknown,
        }
    }

    /// Where the chain of a key stands. Asked by the writer, before it marks what it writes.
    pub fn head(&self, hash: u64, namespace: &str, key: &str) -> Option<Head> {
        let shard = self.read(hash);
        shard.find(hash, namespace, key)?.current.as_ref().map(Current::head)
    }

    /// A commit that writes the key is about to be made. Gives where its chain stands, if that is known here.
    pub fn mark(&self, hash: u64, namespace: &str, key: &str) -> Option<Head> {
        let mut shard = self.change(hash);
        let Some(place) = shard.place(hash, namespace, key) else {
            shard.insert(hash, namespace.into(), key.into(), None);
            return None;
        };
        shard.marked = place;
        let entry = &mut shard.entries[place];
        entry.in_flux = true;
        entry.current.as_ref().map(Current::head)
    }

    /// It was not even tried: what was known of the key is as it was.
    pub fn unmark(&self, hash: u64, namespace: &str, key: &str) {
        let mut shard = self.change(hash);
        if let Some(place) = shard.place(hash, namespace, key) {
            match &shard.entries[place].current {
                Some(_) => shard.entries[place].in_flux = false,
                None => shard.remove(place),
            }
        }
    }

    /// The commit was made.
    pub fn publish(&self, hash: u64, (namespace, key): (&str, &str), row: KeyRow, version: &VersionedValue) {
        let mut shard = self.change(hash);
        shard.generation += 1;
        // Most often it is what was marked last, and is not looked up once more.
        let marked = shard.marked;
        let is_marked = shard.entries.get(marked).is_some_and(|entry| entry.hash == hash && entry.is(namespace, key));
        if let Some(place) = is_marked.then_some(marked).or_else(|| shard.place(hash, namespace, key)) {
            let Shard { entries, bytes, .. } = &mut *shard;
            let entry = &mut entries[place];
            entry.in_flux = false;
            // Of several versions in one commit the newest stays, whichever comes first.
            if entry.current.as_ref().is_none_or(|its| its.version.timestamp < version.timestamp) {
                let its = size_of_entry(namespace, key) + size_on_heap(&version.value);
                *bytes = *bytes + its - entry.bytes;
                entry.bytes = its;
                entry.current = Some(Current { row, version: version.clone() });
            }
        }
        if shard.bytes > self.limit {
            shard.make_room(self.limit);
        }
    }

    /// The commit was not made, or wrote what is not known here.
    pub fn forget(&self, hash: u64, namespace: &str, key: &str) {
        let mut shard = self.change(hash);
        shard.generation += 1;
        if let Some(place) = shard.place(hash, namespace, key) {
            shard.remove(place);
        }
    }

    /// The oldest version of a key is another now: those before it were dropped.
    pub fn begins(&self, hash: u64, (namespace, key): (&str, &str), first: Timestamp) {
        let mut shard = self.change(hash);
        shard.generation += 1;
        if let Some(place) = shard.place(hash, namespace, key)
            && let Some(current) = &mut shard.entries[place].current
        {
            current.row.first = first;
        }
    }

    pub fn generation(&self, hash: u64) -> u64 {
        self.read(hash).generation
    }

    /// Takes what was read from a view, if nothing of its shard was written since this generation.
    pub fn fill(&self, hash: u64, generation: u64, names: (&str, &str), row: KeyRow, version: &VersionedValue) {
        let (namespace, key) = names;
        let bytes = size_of_entry(namespace, key) + size_on_heap(&version.value);
        if bytes > self.limit {
            return;
        }
        let mut shard = self.change(hash);
        if shard.generation == generation && shard.place(hash, namespace, key).is_none() {
            shard.insert(hash, namespace.into(), key.into(), Some(Current { row, version: version.clone() }));
            shard.make_room(self.limit);
        }
    }

    /// How many bytes it may take.
    pub const fn limit(&self) -> u64 {
        (self.limit * SHARDS) as u64
    }

    /// How many keys are here, and how many bytes they take.
    pub fn size(&self) -> (u64, u64) {
        self.shards.iter().fold((0, 0), |(keys, bytes), shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            (keys + shard.entries.len() as u64, bytes + shard.bytes as u64)
        })
    }
}

impl Shard {
    fn find(&self, hash: u64, namespace: &str, key: &str) -> Option<&Entry> {
        self.place(hash, namespace, key).map(|place| &self.entries[place])
    }

    fn place(&self, hash: u64, namespace: &str, key: &str) -> Option<usize> {
        self.index.find(hash, |place| self.entries[*place as usize].is(namespace, key)).map(|place| *place as usize)
    }

    fn insert(&mut self, hash: u64, namespace: Text, key: Text, current: Option<Current>) {
        let Ok(place) = u32::try_from(self.entries.len()) else { return };
        let in_flux = current.is_none();
        let value = current.as_ref().map_or(0, |current| size_on_heap(&current.version.value));
        let bytes = size_of_entry(&namespace, &key) + value;
        self.marked = self.entries.len();
        self.entries.push(Entry { hash, namespace, key, current, in_flux, used: AtomicBool::new(false), bytes });
        self.bytes += bytes;
        let entries = &self.entries;
        self.index.insert_unique(hash, place, |place| entries[*place as usize].hash);
    }

    fn remove(&mut self, place: usize) {
        let is_at = |wanted: usize| move |place: &u32| *place as usize == wanted;
        if let Ok(found) = self.index.find_entry(self.entries[place].hash, is_at(place)) {
            found.remove();
        }
        let removed = self.entries.swap_remove(place);
        self.bytes -= removed.bytes;
        // The last one has moved into its place.
        if let Some(moved) = self.entries.get(place)
            && let Some(its) = self.index.find_mut(moved.hash, is_at(self.entries.len()))
        {
            *its = place as u32;
        }
    }

    /// Lets go of what was not used since the hand was last there, until the limit is kept.
    fn make_room(&mut self, limit: usize) {
        // Once around to clear the marks, once around to let go; what is in flux stays.
        let mut left = 2 * self.entries.len();
        while self.bytes > limit && left > 0 {
            left -= 1;
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            let entry = &mut self.entries[self.hand];
            if entry.in_flux || core::mem::take(entry.used.get_mut()) {
                self.hand += 1;
            } else {
                self.remove(self.hand);
            }
        }
    }
}

/// Text up to this length lies in itself.
const INLINE: usize = 23;

fn size_of_entry(namespace: &str, key: &str) -> usize {
    // The entry and its place in the index, both in vectors that grow by doubling.
    let held = (size_of::<Entry>() + 8) * 3 / 2;
    held + size_of_text(namespace) + size_of_text(key)
}

fn size_of_text(text: &str) -> usize {
    if text.len() > INLINE { text.len() + 32 } else { 0 }
}

/// About what a value takes beside itself. It goes down as deep as values nest.
pub(crate) fn size_on_heap(value: &Value) -> usize {
    const BLOCK: usize = 32;
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
        Value::Date(_) | Value::LocalTime(_) | Value::ZonedTime(_) | Value::LocalDateTime(_) => 0,
        Value::ZonedDateTime(_) | Value::Duration(_) => 2 * BLOCK + 32,
        Value::String(text) => size_of_text(text),
        Value::Bytes(bytes) => BLOCK + bytes.len(),
        Value::List(list) => {
            2 * BLOCK + list.iter().map(|value| size_of::<Value>() + size_on_heap(value)).sum::<usize>()
        }
        Value::Map(map) => {
            let entry = |(key, value): (&Text, &Value)| {
                size_of::<Text>() + size_of::<Value>() + size_of_text(key) + size_on_heap(value)
            };
            3 * BLOCK + map.iter().map(entry).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Causes, VersionId};

    #[test]
    fn what_is_marked_and_then_refused_is_as_it_was() {
        let hot = Hot::new(1 << 20);
        let hash = hot.hash("n", "k");
        assert_eq!(hot.mark(hash, "n", "k"), None);
        hot.unmark(hash, "n", "k");
        assert_eq!(hot.size(), (0, 0));

        let at = Timestamp::from_nanos(5);
        let (version_id, row) = (
            VersionId::from_parts(at, &[7; VersionId::DIGEST]),
            KeyRow { number: 1, first: at, deleted: false, ever_deleted: false },
        );
        let (value, causes) = (Value::Int(1), Causes::default());
        let version =
            VersionedValue { value, timestamp: at, version_id, previous_version: None, causes, deleted: false };
        assert_eq!(hot.mark(hash, "n", "k"), None);
        hot.publish(hash, ("n", "k"), row, &version);
        let is_found = || matches!(hot.get(hash, "n", "k"), Found::Version(found) if found == version);
        assert!(is_found());
        assert_eq!(hot.mark(hash, "n", "k"), Some(Head { row, id: version_id }));
        assert!(!is_found(), "it is in flux");
        hot.unmark(hash, "n", "k");
        assert!(is_found());
    }
}
