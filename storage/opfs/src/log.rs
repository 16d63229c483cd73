//! The log: each commit is a record at its end, written before anybody sees it, and gone through again when a database is opened.
//!
//! ```text
//!  sum 4 | check 4 | seed 4 | length 4 | unsafe 4 | commit 8 | the batch
//!
//!  change: table 1 (+ 128: the row goes) | length of the key, key | [length of the row, row]
//! ```
//!
//! Records follow one another from the beginning on. The **seed** says which generation of the tree they belong to: with a new
//! one the log begins anew, over the old one, whose records are then nobody's. **Unsafe** says how many commits before this one
//! may be lost in a crash: what came before them was synced.
//!
//! **What is no record** ends the log, for a power loss tears what was not synced. Where one bit makes a record of it, that bit is
//! put right: either it has flipped, or the power loss has torn no more than it off, and then the commit was on its way. `check`
//! keeps anything else from being taken for that: both sums would have to fit by chance. And where a record that follows says
//! that this one was safe, it is damage, and is told.

use crate::{
    bytes::{put_length, take, u32_at, u64_at},
    crc::{check, flipped},
    trouble::{damaged, of_io},
};
use anabranch_medium::Medium;
use anabranch_store::{BackendError, Batch, Durability, Table, crc32c};
use std::sync::Arc;

/// How long a record is but for its batch.
const HEADER: usize = 28;
/// What the check is of begins here, and the batch behind the header.
const CHECKED: usize = 8;
const GOES: u8 = 128;

/// Takes each change of a batch in turn: the table, the key, and the row, or `None` when it goes.
pub(crate) type Apply<'a> = &'a mut dyn FnMut(Table, &[u8], Option<&[u8]>);

/// The end of a log, where records are written.
#[derive(Debug)]
pub(crate) struct Log {
    medium: Arc<dyn Medium>,
    seed: u32,
    /// The last commit, and the last one that is safe.
    pub(crate) commit: u64,
    safe: u64,
    /// The records that are not safe, and where the first of them begins.
    unsafe_records: Vec<u8>,
    from: u64,
    /// Something failed, so it is not known what is on the medium behind what is safe.
    failed: bool,
}

impl Log {
    /// How long it is.
    pub(crate) fn len(&self) -> u64 {
        self.from + self.unsafe_records.len() as u64
    }

    /// Whether it has no record.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of it may be lost in a crash.
    pub(crate) fn at_risk(&self) -> usize {
        self.unsafe_records.len()
    }

    /// Goes through the records that follow what is in the tree, and gives each change to `apply`.
    pub(crate) fn open(
        medium: Arc<dyn Medium>,
        seed: u32,
        commit: u64,
        apply: Apply<'_>,
    ) -> Result<Self, BackendError> {
        let len = medium.len().map_err(|error| of_io(&error))?;
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| damaged("its log is longer than memory"))?];
        medium.read(0, &mut bytes).map_err(|error| of_io(&error))?;
        let (mut at, mut last, mut is_clean) = (0, commit, true);
        loop {
            match Record::parse(&bytes[at..]).filter(|record| record.is(seed, last + 1)) {
                Some(record) => {
                    changes(record.batch, apply).ok_or_else(|| damaged_at(at))?;
                    at += HEADER + record.batch.len();
                    last += 1;
                }
                None => match flipped_bit(&bytes[at..], seed, last + 1) {
                    Some(bit) => {
                        bytes[at + bit / 8] ^= 1 << (bit % 8);
                        is_clean = false;
                    }
                    None => break,
                },
            }
        }
        let rest = &bytes[at..];
        // Whoever wrote them may not have come to sync them, so they are as those that have been written just now.
        let unsafe_records = bytes[..at].to_vec();
        let mut log = Log { medium, seed, commit: last, safe: commit, unsafe_records, from: 0, failed: false };
        // What the crash has left of later ones must not be taken for what follows those that are written now.
        for place in places_of(rest, seed) {
            match Record::parse(&rest[place..]) {
                Some(later) if later.commit > last + 1 && later.safe() > last => return Err(damaged_at(at)),
                _ => is_clean = false,
            }
        }
        if at == 0 && Record::parse(rest).is_some_and(|record| record.seed != seed && record.commit > last) {
            return Err(damaged("its log is of a later state than its tree"));
        }
        if !is_clean {
            log.mend()?;
        }
        Ok(log)
    }

    /// Whether a log has a record of some database: one that has lost its tree.
    pub(crate) fn has_records(medium: &dyn Medium) -> Result<bool, BackendError> {
        let len = medium.len().map_err(|error| of_io(&error))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(1 << 20)];
        medium.read(0, &mut bytes).map_err(|error| of_io(&error))?;
        Ok(Record::parse(&bytes).is_some())
    }

    /// Begins anew: all that it had is in the tree's new generation.
    pub(crate) fn begin(&mut self, seed: u32, keep: u64) {
        self.seed = seed;
        self.safe = self.commit;
        self.from = 0;
        self.failed = false;
        self.unsafe_records = Vec::new();
        // What it has is written over; what it will hardly need again is given back. It is as well where that fails.
        if self.medium.len().is_ok_and(|len| len > keep) {
            let _ = self.medium.set_len(keep);
        }
    }

    /// Writes a batch. When it fails, nothing of it will ever be there, unless it says that it is `Poisoned`: then that is so
    /// once the next call succeeds.
    pub(crate) fn append(&mut self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.settle()?;
        let (before, at) = (self.unsafe_records.len(), self.len());
        let commit = self.commit + 1;
        write(batch, self.seed, commit, self.safe, &mut self.unsafe_records)?;
        let written = self.medium.write(at, self.unsafe_records.get(before..).unwrap_or_default());
        let written =
            written.and_then(|()| if durability == Durability::Immediate { self.medium.sync() } else { Ok(()) });
        if let Err(error) = written {
            self.unsafe_records.truncate(before);
            return Err(self.after(&of_io(&error)));
        }
        self.commit = commit;
        if durability == Durability::Immediate {
            self.is_safe();
        }
        Ok(())
    }

    /// Returns when all of it is safe.
    pub(crate) fn sync(&mut self) -> Result<(), BackendError> {
        self.settle()?;
        if !self.unsafe_records.is_empty() {
            self.medium.sync().map_err(|error| self.after(&of_io(&error)))?;
            self.is_safe();
        }
        Ok(())
    }

    fn is_safe(&mut self) {
        self.from = self.len();
        self.safe = self.commit;
        self.unsafe_records.clear();
    }

    fn settle(&mut self) -> Result<(), BackendError> {
        if self.failed { self.mend().map_err(|error| poisoned(&error)) } else { Ok(()) }
    }

    /// What is told of a failure, after having tried to undo what it may have left.
    fn after(&mut self, error: &BackendError) -> BackendError {
        self.failed = true;
        match self.mend() {
            Ok(()) => error.clone(),
            Err(second) => BackendError::Poisoned(format!("{error}, and then: {second}")),
        }
    }

    /// After a sync that failed nobody knows which of the records before it are on the medium: they are written again, and
    /// what may stand behind them is cut off.
    fn mend(&mut self) -> Result<(), BackendError> {
        // In this order: on a full disk what is cut off makes the room that the rest needs.
        self.medium.set_len(self.len()).map_err(|error| of_io(&error))?;
        if !self.unsafe_records.is_empty() {
            self.medium.write(self.from, &self.unsafe_records).map_err(|error| of_io(&error))?;
        }
        self.cut()
    }

    /// Ends it behind its last record, durably.
    fn cut(&mut self) -> Result<(), BackendError> {
        let cut = self.medium.set_len(self.len()).and_then(|()| self.medium.sync());
        cut.map_err(|error| of_io(&error))?;
        self.failed = false;
        self.is_safe();
        Ok(())
    }
}

fn poisoned(error: &BackendError) -> BackendError {
    BackendError::Poisoned(error.to_string())
}

fn damaged_at(at: usize) -> BackendError {
    damaged(format!("the commit at byte {at} of its log is not what was written"))
}

/// A record that is whole.
struct Record<'a> {
    seed: u32,
    at_risk: u32,
    commit: u64,
    batch: &'a [u8],
}

impl<'a> Record<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let record = bytes.get(..HEADER.checked_add(u32_at(bytes, 12) as usize)?)?;
        let is_whole =
            crc32c(record.get(4..)?) == u32_at(record, 0) && check(record.get(CHECKED..)?) == u32_at(record, 4);
        is_whole.then(|| Record {
            seed: u32_at(record, 8),
            at_risk: u32_at(record, 16),
            commit: u64_at(record, 20),
            batch: record.get(HEADER..).unwrap_or_default(),
        })
    }

    fn is(&self, seed: u32, commit: u64) -> bool {
        self.seed == seed && self.commit == commit
    }

    /// The last commit that was safe when it was written.
    fn safe(&self) -> u64 {
        self.commit.saturating_sub(1).saturating_sub(self.at_risk.into())
    }
}

/// Appends the record of a batch.
fn write(batch: &Batch, seed: u32, commit: u64, safe: u64, into: &mut Vec<u8>) -> Result<(), BackendError> {
    let from = into.len();
    into.extend([0; HEADER]);
    for (table, key, row) in batch.changes() {
        into.push(table as u8 | if row.is_none() { GOES } else { 0 });
        for bytes in [Some(key), row].into_iter().flatten() {
            put_length(bytes.len(), into);
            into.extend_from_slice(bytes);
        }
    }
    let Ok(length) = u32::try_from(into.len() - from - HEADER) else {
        into.truncate(from);
        return Err(BackendError::Io("a batch has more than 4 GiB".into()));
    };
    let record = &mut into[from..];
    record[8..12].copy_from_slice(&seed.to_le_bytes());
    record[12..16].copy_from_slice(&length.to_le_bytes());
    record[16..20].copy_from_slice(&u32::try_from(commit - 1 - safe).unwrap_or(u32::MAX).to_le_bytes());
    record[20..28].copy_from_slice(&commit.to_le_bytes());
    let sum = check(&record[CHECKED..]);
    record[4..8].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32c(&record[4..]);
    record[..4].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// Gives each change of a batch to `apply`; `None` where it is none.
fn changes(mut batch: &[u8], apply: Apply<'_>) -> Option<()> {
    while let [kind, rest @ ..] = batch {
        let table = *Table::ALL.get(usize::from(kind & !GOES))?;
        let (key, rest) = take(rest)?;
        let (row, rest) = match kind & GOES {
            GOES => (None, rest),
            _ => take(rest).map(|(row, rest)| (Some(row), rest))?,
        };
        apply(table, key, row);
        batch = rest;
    }
    Some(())
}

/// Where a record of a seed may begin.
fn places_of(bytes: &[u8], seed: u32) -> impl Iterator<Item = usize> {
    let seed = seed.to_le_bytes();
    bytes.windows(4).enumerate().filter(move |(at, its)| *its == seed && *at >= 8).map(|(at, _)| at - 8)
}

/// The bit that makes the record of a commit of what stands here, if one does.
fn flipped_bit(bytes: &[u8], seed: u32, commit: u64) -> Option<usize> {
    let others = (u32_at(bytes, 8) ^ seed).count_ones() + (u64_at(bytes, 20) ^ commit).count_ones();
    if bytes.len() < HEADER || others > 1 {
        return None;
    }
    let mut bytes = bytes.to_vec();
    let is_it = |bytes: &mut [u8], bit: usize| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let is_it = Record::parse(bytes).is_some_and(|record| record.is(seed, commit));
        bytes[bit / 8] ^= 1 << (bit % 8);
        is_it
    };
    // With another length it is another record.
    if let Some(bit) = (12 * 8..16 * 8).find(|bit| is_it(&mut bytes, *bit)) {
        return Some(bit);
    }
    let length = HEADER + u32_at(&bytes, 12) as usize;
    let record = bytes.get(..length)?;
    let syndrome = crc32c(&record[4..]) ^ u32_at(record, 0);
    let bit = match syndrome.count_ones() {
        1 => Some(syndrome.trailing_zeros() as usize),
        _ => flipped(syndrome, length - 4).map(|bit| bit + 32),
    };
    bit.filter(|bit| is_it(&mut bytes, *bit))
}
