//! The log: a durable commit is one write at its end and one sync, where redb's own would be many blocks and two syncs.
//!
//! ```text
//!  record, in blocks, each twice:   0 0 1 1 … n n     and the next record behind it
//!
//!  block: sum 8 | epoch 8 | sum of the record 8 | length of the record 4 | number in the record 4 | 4064 bytes of the record
//! ```
//!
//! A record is the changes that were committed since the one before it. The **epoch** is a number that redb's last durable state
//! names, too: what has another one is nothing that follows this state. When redb's blocks are written, the state gets the next
//! epoch in the same commit, and the log begins anew, over what is then nobody's.
//!
//! **Each block stands twice.** Of one that was altered later its twin is left. Where neither is whole, the power has failed on
//! the way, and the record was never acknowledged: unless there is a later record of the same epoch, for each is written only
//! after the one before it was synced. Then it is damage, and is told. No block that was acknowledged is ever written again.

use crate::{
    layout::{BLOCK, BLOCK_U64, u32_at, u64_at},
    trouble::Trouble,
};
use anabranch_medium::Medium;
use anabranch_store::BackendError;
use std::{io, ops::Range, sync::Arc};
use twox_hash::XxHash3_64;

/// What stands before the bytes of a record in each of its blocks.
const HEAD: usize = 32;
/// How many bytes of a record are in a block.
const HELD: usize = BLOCK - HEAD;
/// A block and its twin.
const PAIR: usize = 2 * BLOCK;
/// How many blocks a record has at most: what takes more costs redb little more.
const LONGEST: u64 = 8;
/// The epoch of a state that no log follows.
pub(crate) const NO_LOG: u64 = 0;

/// Where records are written.
#[derive(Debug)]
pub(crate) struct Log {
    medium: Arc<dyn Medium>,
    /// Its blocks on the medium.
    blocks: Range<u64>,
    /// How many pairs of those may be written in one epoch.
    room: u64,
    epoch: u64,
    /// The pair where the next record begins.
    next: u64,
    /// What a record that failed may have left there.
    failed: Option<Range<u64>>,
}

impl Log {
    /// The log in these blocks of a medium, of which no more bytes are used than `limit` says, before it is read.
    pub(crate) fn new(medium: Arc<dyn Medium>, blocks: Range<u64>, epoch: u64, limit: usize) -> Self {
        let room = ((blocks.end - blocks.start) / 2).min((limit / PAIR) as u64);
        Log { medium, blocks, room, epoch, next: 0, failed: None }
    }

    /// The epoch of the state that it follows.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch that a state has to name that has all of this log: the next one, if this one is in use.
    pub(crate) fn after(&self) -> u64 {
        if self.epoch == NO_LOG { NO_LOG } else { self.epoch + 1 }
    }

    /// The same for a state that redb is about to make durable, with which the log may come into use. Then it is filled with
    /// zeros, once: a sync of what takes no new room on the disk costs half as much, and it cannot be full.
    pub(crate) fn after_checkpoint(&self) -> u64 {
        if self.epoch > NO_LOG || self.room == 0 {
            return self.after();
        }
        let zeros = vec![0; pairs_to_bytes(self.pairs())];
        // Where there is no room for it, it stays out of use.
        if self.medium.write(self.at(0), &zeros).is_ok() { NO_LOG + 1 } else { NO_LOG }
    }

    /// Begins anew behind a durable state of this epoch.
    pub(crate) fn begin(&mut self, epoch: u64) {
        (self.epoch, self.next) = (epoch, 0);
    }

    /// Whether a record of so many bytes has room.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        let pairs = pairs_of(bytes);
        self.epoch > NO_LOG && pairs <= LONGEST && self.next + pairs <= self.room
    }

    /// Writes a record and syncs it. After an error nobody knows whether it is there, until [`settle`](Self::settle).
    pub(crate) fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let pairs = self.next..self.next + pairs_of(record.len());
        let bytes = encoded(record, self.epoch, pairs.start);
        let written = self.medium.write(self.at(pairs.start), &bytes).and_then(|()| self.medium.sync());
        match written {
            Ok(()) => self.next = pairs.end,
            Err(_) => self.failed = Some(pairs),
        }
        written
    }

    /// Whether it is not known what is in it.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.failed.is_some()
    }

    /// Sees to it that nothing of a record that failed ever comes back.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if let Some(pairs) = &self.failed {
            self.medium.write(self.at(pairs.start), &vec![0; pairs_to_bytes(pairs.end - pairs.start)])?;
            self.medium.sync()?;
            self.failed = None;
        }
        Ok(())
    }

    /// Reads all records that follow the state. Whoever has written them may not have come to sync the last one: when this
    /// returns, it is on stable storage.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut all = Vec::new();
        if self.epoch == NO_LOG || self.blocks.is_empty() {
            return Ok(all);
        }
        let mut pairs = Pairs { log: self, from: 0, read: Vec::new() };
        let mut at = 0;
        while let Some(record) = pairs.record(at)? {
            for pair in at..at + pairs_of(record.len()) {
                pairs.mend(pair)?;
            }
            at += pairs_of(record.len());
            all.extend_from_slice(&record);
        }
        // A later record can only begin where the longest one that is missing would end.
        for later in at + 1..=(at + LONGEST).min(self.pairs().saturating_sub(1)) {
            if pairs.block(later)?.is_some_and(|block| later > at + block.number) {
                let block = self.blocks.start + 2 * at;
                let damage = format!("block {block}, where a commit is in its log, is not what was written");
                return Err(BackendError::Damaged(damage).into());
            }
        }
        if at > 0 {
            self.medium.sync()?;
        }
        self.next = at;
        Ok(all)
    }

    fn pairs(&self) -> u64 {
        (self.blocks.end - self.blocks.start) / 2
    }

    /// Where a pair is on the medium, in bytes.
    fn at(&self, pair: u64) -> u64 {
        (self.blocks.start + 2 * pair) * BLOCK_U64
    }
}

/// How many pairs a record of so many bytes takes.
fn pairs_of(bytes: usize) -> u64 {
    bytes.div_ceil(HELD) as u64
}

/// As long as a record or the log is.
fn pairs_to_bytes(pairs: u64) -> usize {
    pairs as usize * PAIR
}

fn sum(pair: u64, block: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(pair, &block[8..])
}

/// The pairs of a record that begins at that one.
fn encoded(record: &[u8], epoch: u64, pair: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pairs_to_bytes(pairs_of(record.len())));
    let whole = XxHash3_64::oneshot(record);
    for (number, held) in (0_u32..).zip(record.chunks(HELD)) {
        let mut block = [0; BLOCK];
        block[8..16].copy_from_slice(&epoch.to_le_bytes());
        block[16..24].copy_from_slice(&whole.to_le_bytes());
        block[24..28].copy_from_slice(&(record.len() as u32).to_le_bytes());
        block[28..32].copy_from_slice(&number.to_le_bytes());
        block[HEAD..HEAD + held.len()].copy_from_slice(held);
        let sum = sum(pair + u64::from(number), &block);
        block[..8].copy_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&block);
        bytes.extend_from_slice(&block);
    }
    bytes
}

/// A block that is whole, and of the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    /// Which block of its record it is.
    number: u64,
    record: u64,
    length: usize,
    bytes: Vec<u8>,
}

/// The pairs of a log as they are on the medium, read a few at a time.
struct Pairs<'l> {
    log: &'l Log,
    from: u64,
    read: Vec<u8>,
}

impl Pairs<'_> {
    /// The bytes of a pair: none behind the last one.
    fn pair(&mut self, pair: u64) -> io::Result<&[u8]> {
        const AT_ONCE: u64 = LONGEST + 1;
        let read = self.from..self.from + (self.read.len() / PAIR) as u64;
        if !read.contains(&pair) {
            let count = AT_ONCE.min(self.log.pairs().saturating_sub(pair));
            self.read.resize(pairs_to_bytes(count), 0);
            self.from = pair;
            self.log.medium.read(self.log.at(pair), &mut self.read)?;
        }
        let at = pairs_to_bytes(pair - self.from);
        Ok(self.read.get(at..at + PAIR).unwrap_or_default())
    }

    /// What one of the twins says, if either is whole.
    fn block(&mut self, pair: u64) -> io::Result<Option<Written>> {
        let epoch = self.log.epoch;
        let whole = self.pair(pair)?.chunks_exact(BLOCK).find(|block| is_whole(block, pair, epoch));
        Ok(whole.map(|block| Written {
            number: u32_at(block, 28).into(),
            record: u64_at(block, 16),
            length: u32_at(block, 24) as usize,
            bytes: block[HEAD..].to_vec(),
        }))
    }

    /// The record that begins at a pair.
    fn record(&mut self, at: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(first) = self.block(at)?.filter(|block| block.number == 0) else { return Ok(None) };
        let mut record = Vec::new();
        for number in 0..pairs_of(first.length).min(LONGEST) {
            let belongs =
                |block: &Written| (block.number, block.record, block.length) == (number, first.record, first.length);
            let Some(block) = self.block(at + number)?.filter(belongs) else { return Ok(None) };
            record.extend_from_slice(&block.bytes);
        }
        record.truncate(first.length);
        let is_whole = record.len() == first.length && !record.is_empty();
        Ok((is_whole && XxHash3_64::oneshot(&record) == first.record).then_some(record))
    }

    /// Where one of the twins is not whole, it is written again.
    fn mend(&mut self, pair: u64) -> io::Result<()> {
        let (epoch, place) = (self.log.epoch, self.log.at(pair));
        let (one, other) = self.pair(pair)?.split_at(BLOCK);
        let (offset, whole) = match (is_whole(one, pair, epoch), is_whole(other, pair, epoch)) {
            (true, false) => (BLOCK_U64, one.to_vec()),
            (false, true) => (0, other.to_vec()),
            _ => return Ok(()),
        };
        self.log.medium.write(place + offset, &whole)
    }
}

fn is_whole(block: &[u8], pair: u64, epoch: u64) -> bool {
    u64_at(block, 8) == epoch && u64_at(block, 0) == sum(pair, block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_medium::sim::{Chance, SimPlace};

    const EPOCH: u64 = 7;
    const BLOCKS: Range<u64> = 3..3 + 2 * 16;

    fn log(place: &SimPlace, epoch: u64) -> Log {
        Log::new(place.fixed(0), BLOCKS, epoch, usize::MAX)
    }

    /// Records of so many bytes, each of its own, and the medium that has them.
    fn written(sizes: &[usize]) -> (SimPlace, Vec<Vec<u8>>) {
        let place = SimPlace::with_media(1);
        place.fixed(0).set_len(BLOCKS.end * BLOCK_U64).expect("there is room");
        let mut log = log(&place, EPOCH);
        let records: Vec<Vec<u8>> = (1..).zip(sizes).map(|(number, size)| vec![number; *size]).collect();
        for record in &records {
            assert!(log.takes(record.len()));
            log.append(record).expect("it is written");
        }
        (place, records)
    }

    fn read(place: &SimPlace) -> Vec<u8> {
        log(place, EPOCH).read().expect("it is read")
    }

    #[test]
    fn records_come_back_in_their_order_and_no_more_than_have_room() {
        let (place, records) = written(&[1, HELD, HELD + 1, 8 * HELD]);
        assert_eq!(read(&place), records.concat());
        assert!(log(&place, EPOCH + 1).read().expect("it is read").is_empty());
        let mut log = log(&place, EPOCH);
        log.read().expect("it is read");
        assert!(log.takes(4 * HELD) && !log.takes(4 * HELD + 1) && !log.takes(9 * HELD));
    }

    #[test]
    fn a_bit_of_any_byte_changes_nothing_and_is_put_right() {
        let (place, records) = written(&[100, HELD + 1]);
        // All that stands before a record's bytes, and some of those.
        let step = if cfg!(debug_assertions) { 211 } else { 11 };
        let all = BLOCKS.start * BLOCK_U64..(BLOCKS.start + 7) * BLOCK_U64;
        for byte in all.filter(|byte| byte % BLOCK_U64 < HEAD as u64 + 1 || byte % step == 0) {
            let flipped = place.copy();
            flipped.flip(byte, (byte % 8) as u8);
            assert_eq!(read(&flipped), records.concat(), "byte {byte}");
            let is_mended = byte < (BLOCKS.start + 6) * BLOCK_U64;
            assert_eq!(flipped.bytes() == place.bytes(), is_mended, "byte {byte}");
        }
    }

    #[test]
    fn whatever_is_altered_it_is_the_first_records_or_told() {
        let mut chance = Chance::new(1);
        let (mut told, mut fewer) = (0, 0);
        for _ in 0..if cfg!(debug_assertions) { 1_000 } else { 20_000 } {
            let sizes: Vec<usize> = (0..3).map(|_| 1 + chance.below(3 * HELD as u64) as usize).collect();
            let (place, records) = written(&sizes);
            // More could take two records one after the other, and the last leaves no trace.
            for _ in 0..1 + chance.below(3) {
                let byte = (BLOCKS.start + chance.below(16)) * BLOCK_U64 + chance.below(BLOCK_U64);
                place.flip(byte, chance.below(8) as u8);
            }
            match log(&place, EPOCH).read() {
                Ok(found) => {
                    let begins = (0..=3).find(|count| records[..*count].concat() == found).expect("the first records");
                    // Those before the last one were acknowledged for certain.
                    assert!(begins >= 2, "{begins} of 3, and nothing is told");
                    fewer += usize::from(begins < 3);
                }
                Err(Trouble::Backend(BackendError::Damaged(_))) => told += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(told > 0 && fewer > 0, "{told} told, {fewer} with fewer");
    }

    #[test]
    fn what_stands_where_a_record_failed_is_gone_once_it_is_settled() {
        let (place, records) = written(&[100, 5 * HELD]);
        let mut log = log(&place, EPOCH);
        log.read().expect("it is read");
        // As if the second one had failed.
        (log.next, log.failed) = (1, Some(1..6));
        assert!(log.is_unsettled());
        log.settle().expect("it is written");
        assert_eq!(read(&place), records[0]);
        log.append(&[9; 10]).expect("it is written");
        assert_eq!(read(&place), [&records[0][..], &[9; 10]].concat());
    }
}
