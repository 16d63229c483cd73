//! Where what lies on a medium: its beginning, the headers, the log, and the blocks of redb behind their sums.
//!
//! ```text
//!  block   0        1 and 2   3 and 4   5 … 132   133      134 … 644              645      646 …
//!          begin    header    header    log       sums     511 blocks of redb     sums     511 blocks of redb
//! ```
//!
//! In format 1 there is no log: its first sums are block 5.

use anabranch_store::BackendError;
use std::ops::Range;
use twox_hash::XxHash3_64;

/// The bytes of a block.
pub(crate) const BLOCK: usize = 4096;
pub(crate) const BLOCK_U64: u64 = BLOCK as u64;
/// How many blocks of redb follow their sums.
pub(crate) const COVERED: u64 = BLOCK_U64 / 8 - 1;
/// The blocks of headers, and with the first one the blocks that are always there.
const HEADERS: Range<u64> = 1..5;
/// How many blocks the log has.
pub(crate) const LOG: u64 = 128;

/// What a medium begins with.
const MAGIC: [u8; 16] = *b"anabranch store\n";
/// The format that is written, and the latest that is read.
const FORMAT: u32 = 2;
/// The one that had no log. What was written in it stays so until it is compacted.
const WITHOUT_LOG: u32 = 1;
/// Where the checksum of the first block's beginning is.
const BEGIN_SUM: usize = 16 + 4 + 4;

/// The layout of one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The first block of sums.
    first: u64,
}

impl Layout {
    /// That of the format that is written.
    pub(crate) const NEWEST: Self = Layout { first: HEADERS.end + LOG };

    /// What a medium's first block says of it.
    pub(crate) fn of(begin: &[u8]) -> Result<Self, BackendError> {
        if begin.get(..16) != Some(&MAGIC) {
            return Err(BackendError::NotADatabase("its file does not begin as one".into()));
        }
        if u64_at(begin, BEGIN_SUM) != XxHash3_64::oneshot(&begin[..BEGIN_SUM.min(begin.len())]) {
            return Err(BackendError::Damaged("the beginning of its file is not what was written".into()));
        }
        match u32_at(begin, 16) {
            found if found > FORMAT => Err(BackendError::Newer { found, known: FORMAT }),
            WITHOUT_LOG => Ok(Layout { first: HEADERS.end }),
            _ => Ok(Self::NEWEST),
        }
    }

    /// The first block of a medium in the newest format.
    pub(crate) fn beginning() -> Vec<u8> {
        let mut begin = vec![0; BLOCK];
        begin[..16].copy_from_slice(&MAGIC);
        begin[16..20].copy_from_slice(&FORMAT.to_le_bytes());
        begin[20..24].copy_from_slice(&(BLOCK as u32).to_le_bytes());
        let sum = XxHash3_64::oneshot(&begin[..BEGIN_SUM]);
        begin[BEGIN_SUM..BEGIN_SUM + 8].copy_from_slice(&sum.to_le_bytes());
        begin
    }

    /// The blocks of the log: none in a format that has no log.
    pub(crate) fn log(self) -> Range<u64> {
        HEADERS.end..self.first
    }

    /// Where a block of redb is.
    pub(crate) fn place(self, block: u64) -> u64 {
        self.first + block / COVERED * (COVERED + 1) + 1 + block % COVERED
    }

    /// Where the sums of a group are.
    pub(crate) fn place_of_sums(self, group: u64) -> u64 {
        self.first + group * (COVERED + 1)
    }

    /// How long a medium is that has so many blocks of redb.
    pub(crate) fn extent(self, blocks: u64) -> u64 {
        (self.first + blocks + blocks.div_ceil(COVERED)) * BLOCK_U64
    }

    /// How many blocks of redb a medium has that is so long.
    pub(crate) fn blocks_in(self, extent: u64) -> u64 {
        let behind = (extent / BLOCK_U64).saturating_sub(self.first);
        behind / (COVERED + 1) * COVERED + (behind % (COVERED + 1)).saturating_sub(1)
    }
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Layout; 2] = [Layout::NEWEST, Layout { first: 5 }];

    #[test]
    fn a_length_and_the_extent_that_it_takes_say_the_same() {
        for layout in BOTH {
            for blocks in (0..3 * COVERED).chain([1 << 32]) {
                assert_eq!(layout.blocks_in(layout.extent(blocks)), blocks);
            }
        }
    }

    #[test]
    fn no_two_blocks_share_a_place() {
        for layout in BOTH {
            let blocks = 0..2 * COVERED + 3;
            let sums = (0..3).map(|group| layout.place_of_sums(group));
            let mut places: Vec<u64> = blocks.map(|block| layout.place(block)).chain(sums).collect();
            places.extend((0..5).chain(layout.log()));
            places.sort_unstable();
            assert!((0..).zip(places).all(|(place, taken)| place == taken), "each place is taken once");
        }
    }

    #[test]
    fn a_beginning_says_its_layout() {
        assert_eq!(Layout::of(&Layout::beginning()), Ok(Layout::NEWEST));
    }
}
