//! The layout of a medium: blocks, each with its checksum, and a header that is replaced, never overwritten.
//!
//! redb sees a row of bytes. It checks its pages' checksums when it repairs, and not when it reads; and what says which
//! of its two commits holds is a bit without any. Here every block that is read is checked before redb gets to see it.
//!
//! Where they lie is said by [`Layout`].
//!
//! **Sums** hold 8 bytes for each of the 511 blocks that follow them, XXH3 over the block with its number as the seed; 0
//! stands for a block that was never written. They have no sum of their own: an entry that was altered does not fit its
//! block. They are overwritten in place, which harms nobody: whatever a power loss tears, an entry of a block that was not
//! written anew keeps its bytes, and redb writes no block anew that the last durable commit still needs.
//!
//! **A header** is what redb keeps in its first block, with a number that grows and a checksum. It goes twice into the
//! pair of blocks that does not hold the last one that was synced. A power loss can spoil that pair, and then the other
//! one stands, which is the state before; what alters one block later leaves its twin.
//!
//! **Opening** costs no sync where the last end was an orderly one. redb notes in its header that somebody has the database
//! open, and believes the length of the file where it finds that note, and the header's own where it does not. So the note has
//! to be on stable storage before the file gets another length or any other block is written; until then the header without
//! it says all the same. Its sync is put off until just before the first of those writes.

use crate::layout::{BLOCK, BLOCK_U64, COVERED, Layout, u64_at};
use anabranch_medium::Medium;
use anabranch_store::BackendError;
use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, ErrorKind},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};
use twox_hash::XxHash3_64;

/// How many bytes of redb's first block a header keeps: redb uses 320.
pub(crate) const HEADER: usize = 496;
/// A header with its number before it and its sum behind it: one sector.
const SLOT: usize = 8 + HEADER + 8;
/// How many blocks of sums are held in memory, at most, beside those that are still to be written: 2 GiB's.
const SUMS_HELD: usize = 1024;

/// One block's bytes.
pub(crate) type Block = Box<[u8]>;

/// A block is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("block {number}, the bytes {} to {} of its file, is not what was written", .number * BLOCK_U64, (.number + 1) * BLOCK_U64 - 1)]
pub(crate) struct DamagedBlock {
    /// Its number on the medium.
    number: u64,
}

/// Blocks as a generation that is over has to see them: those that it could not write, and those that were written since.
pub(crate) type Kept = RwLock<HashMap<u64, Block>>;

/// A medium, as blocks.
#[derive(Debug)]
pub(crate) struct Blocks {
    medium: Arc<dyn Medium>,
    layout: Layout,
    /// How many bytes redb has.
    len: AtomicU64,
    sums: RwLock<HashMap<u64, Sums>>,
    headers: Mutex<Headers>,
    /// What generations that are over still read.
    retired: Mutex<Vec<Weak<Kept>>>,
    any_retired: AtomicUsize,
    /// While it is being filled, before anybody relies on it.
    unsynced: AtomicBool,
    /// Nothing was written since it was opened but headers.
    untouched: AtomicBool,
    /// Held by whoever writes first.
    touching: Mutex<()>,
}

#[derive(Debug)]
struct Sums {
    entries: Box<[u64]>,
    /// How often they have changed, and how often they had when they were last synced.
    changes: u64,
    synced: u64,
}

#[derive(Debug, Clone)]
struct Headers {
    number: u64,
    newest: [u8; HEADER],
    /// The last one that was synced, and the pair that it is in.
    durable: [u8; HEADER],
    pair: u64,
}

/// Whether two headers name the same state: redb's note that somebody has the database open may be in one alone.
fn name_the_same(one: &[u8; HEADER], other: &[u8; HEADER]) -> bool {
    /// Where redb's header has its flags, and which of them that note is.
    const FLAGS: usize = 9;
    const IS_OPEN: u8 = 2;
    let but_for_the_note = |header: &[u8; HEADER]| {
        let mut header = *header;
        header[FLAGS] &= !IS_OPEN;
        header
    };
    but_for_the_note(one) == but_for_the_note(other)
}

fn sum(block: u64, bytes: &[u8]) -> u64 {
    // 0 says that a block was never written
    XxHash3_64::oneshot_with_seed(block, bytes).max(1)
}

/// What a panic elsewhere left behind is as good as before: no lock here is held while anything can panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn reading<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn writing<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Whole blocks of redb, the first one excepted: that is the header.
fn numbers(offset: u64, len: usize) -> io::Result<Range<u64>> {
    let whole = offset.is_multiple_of(BLOCK_U64) && len.is_multiple_of(BLOCK) && offset > 0;
    if !whole {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("{len} bytes at {offset} are no blocks")));
    }
    let first = offset / BLOCK_U64;
    Ok(first..first + (len / BLOCK) as u64)
}

impl Blocks {
    /// Lays an empty medium out. Nothing is synced until [`sync_from_now_on`](Self::sync_from_now_on).
    pub(crate) fn create(medium: Arc<dyn Medium>) -> io::Result<Self> {
        let layout = Layout::NEWEST;
        medium.write(0, &Layout::beginning())?;
        medium.set_len(layout.extent(0))?;
        let headers = Headers { number: 0, newest: [0; HEADER], durable: [0; HEADER], pair: 1 };
        Ok(Self::new(medium, layout, headers, 0, true))
    }

    /// Reads how a medium is laid out.
    pub(crate) fn open(medium: Arc<dyn Medium>) -> Result<Self, BackendError> {
        let io = |error: io::Error| BackendError::Io(error.to_string());
        let len = medium.len().map_err(io)?;
        let mut begin = vec![0; BLOCK.min(usize::try_from(len).unwrap_or(BLOCK))];
        medium.read(0, &mut begin).map_err(io)?;
        let layout = Layout::of(&begin)?;
        if len < layout.extent(0) {
            return Err(BackendError::Damaged(format!("its file ends after {len} bytes")));
        }
        let headers = Self::read_headers(&*medium)?;
        let blocks = Self::new(medium, layout, headers, layout.blocks_in(len) * BLOCK_U64, false);
        blocks.untouched.store(true, Ordering::Release);
        Ok(blocks)
    }

    /// Finds the newest header, and one that is on stable storage for certain.
    fn read_headers(medium: &dyn Medium) -> Result<Headers, BackendError> {
        let io = |error: io::Error| BackendError::Io(error.to_string());
        let mut pairs: [Option<(u64, [u8; HEADER])>; 2] = [None; 2];
        for slot in 0..4 {
            let mut bytes = [0; SLOT];
            medium.read((1 + slot) * BLOCK_U64, &mut bytes).map_err(io)?;
            let number = u64_at(&bytes, 0);
            let written = XxHash3_64::oneshot(&bytes[..8 + HEADER]) == u64_at(&bytes, 8 + HEADER);
            let pair = if slot < 2 { &mut pairs[0] } else { &mut pairs[1] };
            if written && pair.is_none_or(|(newest, _)| newest < number) {
                *pair = Some((number, std::array::from_fn(|at| bytes[8 + at])));
            }
        }
        let number_of = |pair: Option<(u64, _)>| pair.map_or(0, |(number, _)| number);
        let newer = usize::from(number_of(pairs[1]) > number_of(pairs[0]));
        let Some((number, newest)) = pairs[newer] else {
            return Err(BackendError::Damaged("none of the headers is what was written".into()));
        };
        // The one before it was synced before anything was written beside it. The newest may have been written by a process
        // that was killed before it was synced.
        let (durable, pair) = match pairs[1 - newer] {
            Some((_, before)) if name_the_same(&before, &newest) => (before, 1 - newer),
            Some(_) => {
                medium.sync().map_err(io)?;
                (newest, newer)
            }
            // Spoiled while it was written, or never written: either way the newest was synced before.
            None => (newest, newer),
        };
        Ok(Headers { number, newest, durable, pair: pair as u64 })
    }

    fn new(medium: Arc<dyn Medium>, layout: Layout, headers: Headers, len: u64, unsynced: bool) -> Self {
        Blocks {
            medium,
            layout,
            len: len.into(),
            sums: RwLock::default(),
            headers: headers.into(),
            retired: Mutex::default(),
            any_retired: 0.into(),
            unsynced: unsynced.into(),
            untouched: false.into(),
            touching: Mutex::default(),
        }
    }

    /// What they lie on, beside the log.
    pub(crate) fn medium(&self) -> &Arc<dyn Medium> {
        &self.medium
    }

    /// The blocks of the medium that are the log's: none where it has none.
    pub(crate) fn log(&self) -> Range<u64> {
        self.layout.log()
    }

    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    pub(crate) fn taken(&self) -> io::Result<u64> {
        self.medium.taken()
    }

    /// How much memory the sums take.
    pub(crate) fn memory(&self) -> u64 {
        reading(&self.sums).len() as u64 * BLOCK_U64
    }

    pub(crate) fn header(&self) -> [u8; HEADER] {
        locked(&self.headers).newest
    }

    /// Fills `into` with blocks, each of which is what was written.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        for (numbers, run) in runs(numbers(offset, into.len())?) {
            let bytes = &mut into[run];
            self.medium.read(self.layout.place(numbers.start) * BLOCK_U64, bytes)?;
            let group = numbers.start / COVERED;
            self.with_sums(group, |sums| {
                for (block, bytes) in numbers.zip(bytes.chunks_exact(BLOCK)) {
                    if sums.entries[(block % COVERED) as usize] != sum(block, bytes) {
                        return Err(io::Error::new(
                            ErrorKind::InvalidData,
                            DamagedBlock { number: self.layout.place(block) },
                        ));
                    }
                }
                Ok(())
            })??;
        }
        Ok(())
    }

    /// Writes blocks. What generations that are over may still read of those is kept for them.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let all = numbers(offset, bytes.len())?;
        self.touch()?;
        self.keep(all.clone());
        for (numbers, run) in runs(all) {
            let bytes = &bytes[run];
            let group = numbers.start / COVERED;
            self.medium.write(self.layout.place(numbers.start) * BLOCK_U64, bytes)?;
            let mut all = writing(&self.sums);
            let sums = self.load(&mut all, group)?;
            for (block, bytes) in numbers.zip(bytes.chunks_exact(BLOCK)) {
                sums.entries[(block % COVERED) as usize] = sum(block, bytes);
            }
            sums.changes += 1;
        }
        Ok(())
    }

    /// Writes a header, beside the last one that is durable.
    pub(crate) fn write_header(&self, header: [u8; HEADER]) -> io::Result<()> {
        let mut headers = locked(&self.headers);
        headers.number += 1;
        headers.newest = header;
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&headers.number.to_le_bytes());
        bytes[8..8 + HEADER].copy_from_slice(&header);
        let sum = XxHash3_64::oneshot(&bytes[..8 + HEADER]);
        bytes[8 + HEADER..].copy_from_slice(&sum.to_le_bytes());
        let pair = 1 - headers.pair;
        for twin in 0..2 {
            self.medium.write((1 + pair * 2 + twin) * BLOCK_U64, &bytes)?;
        }
        Ok(())
    }

    /// Makes it longer or shorter, in bytes of redb.
    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        self.touch()?;
        let (blocks, before) = (len.div_ceil(BLOCK_U64), self.len() / BLOCK_U64);
        if blocks < before {
            self.keep(blocks.max(1)..before);
        }
        self.medium.set_len(self.layout.extent(blocks))?;
        self.len.store(len, Ordering::Release);
        writing(&self.sums).retain(|group, _| group * COVERED < blocks);
        Ok(())
    }

    /// Returns when all is on stable storage.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if self.unsynced.load(Ordering::Acquire) || self.untouched.load(Ordering::Acquire) && self.is_told() {
            return Ok(());
        }
        self.sync_all()
    }

    /// Whether the last header that was synced names the same state as the newest.
    fn is_told(&self) -> bool {
        let headers = locked(&self.headers);
        name_the_same(&headers.newest, &headers.durable)
    }

    /// Before anything is written but a header: the newest one is synced.
    fn touch(&self) -> io::Result<()> {
        if !self.untouched.load(Ordering::Acquire) {
            return Ok(());
        }
        let _alone = locked(&self.touching);
        if self.untouched.load(Ordering::Acquire) {
            self.sync_all()?;
            self.untouched.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        // A reader that needs room in redb's cache may write a block at any time: only what is written here is synced.
        let mut changed: Vec<(u64, u64, Vec<u8>)> = reading(&self.sums)
            .iter()
            .filter(|(_, sums)| sums.changes != sums.synced)
            .map(|(group, sums)| {
                (*group, sums.changes, sums.entries.iter().flat_map(|sum| sum.to_le_bytes()).collect())
            })
            .collect();
        // In the order of the medium, and the same each time.
        changed.sort_unstable_by_key(|(group, ..)| *group);
        for (group, _, bytes) in &changed {
            self.medium.write(self.layout.place_of_sums(*group) * BLOCK_U64, bytes)?;
        }
        self.medium.sync()?;
        let mut all = writing(&self.sums);
        for (group, changes, _) in changed {
            all.entry(group).and_modify(|sums| sums.synced = changes);
        }
        drop(all);
        let mut headers = locked(&self.headers);
        if headers.durable != headers.newest {
            headers.durable = headers.newest;
            headers.pair = 1 - headers.pair;
        }
        Ok(())
    }

    /// It has been filled: syncs all of it, and whatever is written later when it is asked for.
    pub(crate) fn sync_from_now_on(&self) -> io::Result<()> {
        self.unsynced.store(false, Ordering::Release);
        self.sync()
    }

    /// After a write or a sync that failed: what was not durable then never will be.
    pub(crate) fn go_back(&self) -> io::Result<()> {
        let durable = {
            let headers = locked(&self.headers);
            (headers.newest != headers.durable).then_some(headers.durable)
        };
        if let Some(durable) = durable {
            self.write_header(durable)?;
            self.medium.sync()?;
        }
        self.len.store(self.layout.blocks_in(self.medium.len()?) * BLOCK_U64, Ordering::Release);
        Ok(())
    }

    /// From now on what `kept` has not is put there before it is overwritten, as long as anybody else holds it.
    pub(crate) fn retire(&self, kept: &Arc<Kept>) {
        locked(&self.retired).push(Arc::downgrade(kept));
        self.any_retired.fetch_add(1, Ordering::AcqRel);
    }

    fn keep(&self, blocks: Range<u64>) {
        if self.any_retired.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut retired = locked(&self.retired);
        retired.retain(|kept| kept.strong_count() > 0);
        self.any_retired.store(retired.len(), Ordering::Release);
        for kept in retired.iter().filter_map(Weak::upgrade) {
            for block in blocks.clone() {
                if reading(&kept).contains_key(&block) {
                    continue;
                }
                let mut bytes = vec![0; BLOCK].into_boxed_slice();
                // What cannot be read now could not be read then; whoever asks will be told.
                if self.read(block * BLOCK_U64, &mut bytes).is_ok() {
                    writing(&kept).insert(block, bytes);
                }
            }
        }
    }

    fn with_sums<R>(&self, group: u64, look: impl FnOnce(&Sums) -> R) -> io::Result<R> {
        if let Some(sums) = reading(&self.sums).get(&group) {
            return Ok(look(sums));
        }
        self.load(&mut writing(&self.sums), group).map(|sums| look(sums))
    }

    fn load<'a>(&self, all: &'a mut HashMap<u64, Sums>, group: u64) -> io::Result<&'a mut Sums> {
        if all.len() >= SUMS_HELD && !all.contains_key(&group) {
            let clean = all.iter().find_map(|(group, sums)| (sums.changes == sums.synced).then_some(*group));
            clean.map(|clean| all.remove(&clean));
        }
        match all.entry(group) {
            Entry::Occupied(there) => Ok(there.into_mut()),
            Entry::Vacant(room) => Ok(room.insert(self.read_sums(group)?)),
        }
    }

    fn read_sums(&self, group: u64) -> io::Result<Sums> {
        let offset = self.layout.place_of_sums(group) * BLOCK_U64;
        if offset + BLOCK_U64 > self.medium.len()? {
            return Ok(Sums::unwritten());
        }
        let mut bytes = vec![0; BLOCK];
        self.medium.read(offset, &mut bytes)?;
        Ok(Sums { entries: bytes.chunks_exact(8).map(|entry| u64_at(entry, 0)).collect(), changes: 0, synced: 0 })
    }
}

impl Sums {
    fn unwritten() -> Self {
        Sums { entries: vec![0; BLOCK / 8].into_boxed_slice(), changes: 0, synced: 0 }
    }
}

/// Blocks that lie one after another on the medium, and the bytes that they have in a buffer.
fn runs(numbers: Range<u64>) -> impl Iterator<Item = (Range<u64>, Range<usize>)> {
    let first = numbers.start;
    let mut next = first;
    std::iter::from_fn(move || {
        let end = numbers.end.min((next / COVERED + 1) * COVERED);
        let run = next..end;
        next = end;
        let bytes = |number: u64| (number - first) as usize * BLOCK;
        (!run.is_empty()).then(|| (run.clone(), bytes(run.start)..bytes(run.end)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_sums_lie_between() {
        let cut: Vec<_> = runs(509..513).collect();
        assert_eq!(cut, [(509..511, 0..2 * BLOCK), (511..513, 2 * BLOCK..4 * BLOCK)]);
        assert_eq!(runs(7..7).count(), 0);
    }
}
