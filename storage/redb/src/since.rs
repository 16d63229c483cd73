//! What was committed since redb last wrote its blocks: in memory, and as the log has it, so that it can be done again.
//!
//! ```text
//!  change: table 1 (+ 128: the row goes) | length of the key, key | [length of the row, row]
//! ```
//!
//! Lengths are LEB128.

use crate::tables::{Changed, fits};
use anabranch_store::{Batch, Table};

const GOES: u8 = 128;
/// How many bytes a change has at most beside its key and its row.
const BESIDE: usize = 1 + 2 * LENGTH;
/// The bytes of the longest length.
const LENGTH: usize = 10;
/// What it may keep of its memory while it is empty.
const KEPT: usize = 512 << 10;

/// The changes, in their order.
#[derive(Debug, Default)]
pub(crate) struct Since {
    bytes: Vec<u8>,
    /// How many of those bytes the log has.
    logged: usize,
    weight: usize,
}

impl Since {
    /// The changes that a log has, as [`changes`](Self::changes) gives them; `None` where that is not what they are.
    pub(crate) fn logged(bytes: Vec<u8>) -> Option<Self> {
        let mut since = Since { logged: bytes.len(), weight: bytes.len(), bytes };
        let mut rest = since.bytes.as_slice();
        while !rest.is_empty() {
            let (change, behind) = take(rest)?;
            fits(change).ok()?;
            since.weight += gone(change);
            rest = behind;
        }
        Some(since)
    }

    pub(crate) fn push(&mut self, batch: &Batch) {
        self.weight += weight(batch);
        for (table, key, row) in batch.changes() {
            self.bytes.push(table as u8 | if row.is_none() { GOES } else { 0 });
            for bytes in [Some(key), row].into_iter().flatten() {
                put_length(bytes.len(), &mut self.bytes);
                self.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// Takes back what was pushed last: all behind the first `len` bytes, by which it weighs no more than before.
    pub(crate) fn truncate(&mut self, len: usize, weight: usize) {
        self.bytes.truncate(len);
        self.weight = weight;
    }

    /// The log has all of it.
    pub(crate) fn is_logged(&mut self) {
        self.logged = self.bytes.len();
    }

    /// What the log has not.
    pub(crate) fn unlogged(&self) -> &[u8] {
        self.bytes.get(self.logged..).unwrap_or_default()
    }

    /// How many bytes of it the log would get, at most, with a batch more.
    pub(crate) fn unlogged_with(&self, batch: &Batch) -> usize {
        self.unlogged().len() + batch.size() + BESIDE * batch.len()
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = Changed<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (change, behind) = take(rest)?;
            rest = behind;
            Some(change)
        })
    }

    /// What redb will have to write for it, about.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        (self.logged, self.weight) = (0, 0);
    }
}

/// What a change counts for beside its bytes. A row that goes has few, and where those lie apart, each of them is a block that is
/// to be written: those of one key lie together, and those of one key in a table that is in the order of time do not.
fn gone((table, _, row): Changed<'_>) -> usize {
    match (table, row) {
        (_, Some(_)) => 0,
        (Table::Times | Table::Effects, None) => 1024,
        (_, None) => 512,
    }
}

/// What a batch counts for until redb writes its blocks: its bytes, and more for rows that go.
pub(crate) fn weight(batch: &Batch) -> usize {
    batch.size() + batch.changes().map(gone).sum::<usize>()
}

fn take(bytes: &[u8]) -> Option<(Changed<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let table = *Table::ALL.get(usize::from(kind & !GOES))?;
    let (key, rest) = take_bytes(rest)?;
    if kind & GOES == GOES {
        return Some(((table, key, None), rest));
    }
    let (row, rest) = take_bytes(rest)?;
    Some(((table, key, Some(row)), rest))
}

fn put_length(mut length: usize, into: &mut Vec<u8>) {
    while length > 127 {
        into.push(length as u8 | 128);
        length >>= 7;
    }
    into.push(length as u8);
}

fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_u64;
    for (at, byte) in bytes.iter().take(LENGTH).enumerate() {
        length |= u64::from(byte & 127).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 128 == 0 {
            return bytes.get(at + 1..)?.split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let mut batch = Batch::new();
        batch.put(Table::Meta, b"", b"");
        batch.put(Table::Segments, &[7; 127], &[8; 128]);
        batch.delete(Table::Times, &[0; 8]);
        batch.put(Table::Keys, b"a key", &[9; 70_000]);
        batch
    }

    #[test]
    fn changes_come_back_as_they_were() {
        let (mut since, batch) = (Since::default(), batch());
        since.push(&batch);
        since.push(&batch);
        assert!(since.len() <= since.unlogged_with(&Batch::new()) && since.len() < 2 * batch.size() + 8 * BESIDE);
        let again = Since::logged(since.bytes.clone()).expect("they are changes");
        let twice: Vec<_> = batch.changes().chain(batch.changes()).collect();
        for since in [&since, &again] {
            assert_eq!(since.changes().collect::<Vec<_>>(), twice);
        }
        assert_eq!((again.unlogged(), since.unlogged()), (&[][..], &since.bytes[..]));
    }

    #[test]
    fn what_is_cut_off_is_no_change() {
        let mut since = Since::default();
        since.push(&batch());
        let whole = since.bytes.clone();
        let ends: Vec<usize> = batch()
            .changes()
            .scan(0, |end, (_, key, row)| {
                let length = |bytes: &[u8]| {
                    let mut all = Vec::new();
                    put_length(bytes.len(), &mut all);
                    all.len() + bytes.len()
                };
                *end += 1 + length(key) + row.map_or(0, length);
                Some(*end)
            })
            .collect();
        assert_eq!(ends.last(), Some(&whole.len()));
        for end in (0..300).chain(whole.len() - 3..=whole.len()) {
            assert_eq!(Since::logged(whole[..end].to_vec()).is_some(), end == 0 || ends.contains(&end), "{end} bytes");
        }
    }

    #[test]
    fn a_length_of_any_bytes_is_taken_or_refused() {
        assert_eq!(take_bytes(&[255; 20]), None);
        assert_eq!(take_bytes(&[128; 20]), None);
        assert_eq!(take_bytes(&[0x80, 0]), Some((&[][..], &[][..])));
        assert_eq!(take_bytes(&[2, 1]), None);
    }
}
