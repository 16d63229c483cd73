//! Rows of one chain that lie one after another in one piece of memory, found by their times.
//!
//! ```text
//! rows, from the first on ──▶ | free | ◀── time 8, where its row ends 8: of each row, the first at the end
//! ```
//!
//! A row that is appended costs no allocation of its own, and who reads it and then the one before finds both in the same few lines
//! of the processor's cache.

use crate::Direction;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};

/// How many rows a block has at most.
const ROWS: usize = 64;
/// What a row takes beside itself.
const PLACE: usize = 16;
/// The bytes of a block, unless one row alone has more: what is copied at most for a view that shares it.
const FULL: usize = 5 << 10;
/// Up to this it grows; what is larger is followed by another, since to move rows costs more than to write them.
const SMALL: usize = 640;
/// What new memory is copied from: faster than to have it zeroed and then to be moved.
static EMPTY: [u8; FULL] = [0; FULL];

/// Rows in the order of their times. A clone shares them until one of the two changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    memory: Arc<[u8]>,
    rows: usize,
    /// Bytes of rows.
    used: usize,
    /// When its first and its last row were written: beside the memory, which most of the time is in no cache.
    first: u64,
    last: u64,
}

impl Block {
    /// How many bytes a row takes beside its own.
    pub const PLACE: usize = PLACE;

    /// One for a row and those to come after it, where this one is full: the longer a chain is, the larger, up to as many rows as it
    /// may have, should all be as long as this one.
    pub fn next(&self, row: &[u8]) -> Self {
        let (least, most) = (row.len() + PLACE, ROWS * (row.len() + PLACE));
        let length = (3 * self.memory.len()).min(FULL).min(most).max(least);
        Block { memory: empty(length), ..Block::default() }
    }

    /// When its first row was written; none where there is none.
    pub const fn first(&self) -> Option<u64> {
        if self.rows > 0 { Some(self.first) } else { None }
    }

    /// When its last row was written.
    pub const fn last(&self) -> Option<u64> {
        if self.rows > 0 { Some(self.last) } else { None }
    }

    /// Whether one more row goes into it: where it has its place, or the block is still so small that it is moved for it.
    pub fn has_room(&self, row: &[u8]) -> bool {
        let needed = self.used + row.len() + (self.rows + 1) * PLACE;
        self.rows == 0 || self.rows < ROWS && needed <= self.memory.len().max(SMALL)
    }

    /// Whether it has more than it should.
    pub fn is_over(&self) -> bool {
        self.rows > ROWS || self.memory.len() > FULL && self.rows > 1
    }

    /// The row of a time.
    pub fn get(&self, time: u64) -> Option<&[u8]> {
        self.find(time).map(|place| self.row(place))
    }

    /// Puts a row behind all others.
    pub fn push(&mut self, time: u64, row: &[u8]) {
        self.make_room(row.len());
        let end = self.used + row.len();
        let memory = Arc::make_mut(&mut self.memory);
        memory[self.used..end].copy_from_slice(row);
        put(memory, self.rows, (time, end));
        (self.first, self.last) = (if self.rows == 0 { time } else { self.first }, time);
        (self.rows, self.used) = (self.rows + 1, end);
    }

    /// Sets the row of a time: the length of the one that it had.
    pub fn set(&mut self, time: u64, row: &[u8]) -> Option<usize> {
        let before = self.remove(time);
        let place = self.until(time);
        let (begin, length) = (self.begin(place), row.len());
        self.make_room(length);
        let memory = Arc::make_mut(&mut self.memory);
        memory.copy_within(begin..self.used, begin + length);
        memory[begin..begin + length].copy_from_slice(row);
        for after in (place..self.rows).rev() {
            let (time, end) = at(memory, after);
            put(memory, after + 1, (time, end + length));
        }
        put(memory, place, (time, begin + length));
        (self.rows, self.used) = (self.rows + 1, self.used + length);
        self.find_ends();
        before
    }

    /// Takes the row of a time out: its length.
    pub fn remove(&mut self, time: u64) -> Option<usize> {
        let place = self.find(time)?;
        let Range { start, end } = self.range(place);
        let memory = Arc::make_mut(&mut self.memory);
        memory.copy_within(end..self.used, start);
        for after in place + 1..self.rows {
            let (time, its) = at(memory, after);
            put(memory, after - 1, (time, its - (end - start)));
        }
        (self.rows, self.used) = (self.rows - 1, self.used - (end - start));
        if self.memory.len() > FULL {
            self.resize(self.used + self.rows * PLACE);
        }
        self.find_ends();
        Some(end - start)
    }

    fn find_ends(&mut self) {
        if let Some(last) = self.rows.checked_sub(1) {
            (self.first, self.last) = (self.time(0), self.time(last));
        }
    }

    /// Visits the rows within a range of time, until the visitor breaks off.
    pub fn scan(
        &self,
        (from, to): (u64, u64),
        direction: Direction,
        visit: &mut impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut visit = |place: usize| visit(self.time(place), self.row(place));
        match direction {
            Direction::Forward => {
                let begin = from.checked_sub(1).map_or(0, |before| self.until(before));
                (begin..self.rows).take_while(|place| self.time(*place) <= to).try_for_each(&mut visit)
            }
            Direction::Backward => {
                let places = (0..self.until(to)).rev();
                places.take_while(|place| self.time(*place) >= from).try_for_each(&mut visit)
            }
        }
    }

    /// All rows, as blocks that have no more than they should.
    pub fn split(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for place in 0..self.rows {
            let (time, row) = (self.time(place), self.row(place));
            match blocks.last_mut() {
                Some(block) if block.has_room(row) => block.push(time, row),
                _ => {
                    let mut block = self.next(row);
                    block.push(time, row);
                    blocks.push(block);
                }
            }
        }
        blocks
    }

    fn find(&self, time: u64) -> Option<usize> {
        let place = self.until(time).checked_sub(1)?;
        (self.time(place) == time).then_some(place)
    }

    /// How many rows are of a time or of one before.
    fn until(&self, time: u64) -> usize {
        let (Some(first), Some(last)) = (self.first(), self.last()) else { return 0 };
        if time < first {
            return 0;
        }
        if time >= last {
            return self.rows;
        }
        // What is written regularly is where this says, or beside it.
        let shift = (ROWS.ilog2() + 1).saturating_sub((last - first).leading_zeros());
        let part = ((time - first) >> shift) * (self.rows as u64 - 1);
        let guess = (part / ((last - first) >> shift)) as usize;
        let (mut low, mut high) = (0, self.rows - 1);
        // How many it is lies between those two: the first is not after the time, and the last is.
        if self.time(guess) <= time {
            if self.time(guess + 1) > time {
                return guess + 1;
            }
            low = guess + 1;
        } else {
            if self.time(guess - 1) <= time {
                return guess;
            }
            high = guess - 1;
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.time(middle) <= time { low = middle } else { high = middle }
        }
        high
    }

    fn time(&self, place: usize) -> u64 {
        at(&self.memory, place).0
    }

    fn begin(&self, place: usize) -> usize {
        place.checked_sub(1).map_or(0, |before| at(&self.memory, before).1)
    }

    fn range(&self, place: usize) -> Range<usize> {
        self.begin(place)..at(&self.memory, place).1
    }

    fn row(&self, place: usize) -> &[u8] {
        &self.memory[self.range(place)]
    }

    /// Makes room for one more row: as much as is needed at first, then four times as much.
    fn make_room(&mut self, row: usize) {
        let needed = self.used + row + (self.rows + 1) * PLACE;
        if needed > self.memory.len() {
            self.resize(needed.max((4 * self.memory.len()).min(SMALL)));
        }
    }

    fn resize(&mut self, length: usize) {
        let mut memory = empty(length);
        let into = Arc::make_mut(&mut memory);
        into[..self.used].copy_from_slice(&self.memory[..self.used]);
        let (from, to) = (self.memory.len() - self.rows * PLACE, into.len() - self.rows * PLACE);
        into[to..].copy_from_slice(&self.memory[from..]);
        self.memory = memory;
    }
}

/// So many bytes.
fn empty(length: usize) -> Arc<[u8]> {
    EMPTY.get(..length).map_or_else(|| vec![0; length].into(), Arc::from)
}

/// The time of a row, and where it ends.
fn at(memory: &[u8], place: usize) -> (u64, usize) {
    let (_, places) = memory.as_rchunks::<PLACE>();
    let (time, end) = places[places.len() - 1 - place].split_at(8);
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("half of 16 bytes has 8"));
    (number(time), number(end) as usize)
}

fn put(memory: &mut [u8], place: usize, (time, end): (u64, usize)) {
    let (_, places) = memory.as_rchunks_mut::<PLACE>();
    let last = places.len() - 1;
    let (into_time, into_end) = places[last - place].split_at_mut(8);
    into_time.copy_from_slice(&time.to_ne_bytes());
    into_end.copy_from_slice(&(end as u64).to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map_whatever_the_times(
            changes in prop::collection::vec((any::<bool>(), prop_oneof![0_u64..40, any::<u64>()], 0_usize..300), 0..120),
            asked in prop::collection::vec(prop_oneof![0_u64..40, any::<u64>()], 20),
        ) {
            let (mut block, mut map) = (Block::default(), BTreeMap::new());
            let shared = block.clone();
            for (number, (removes, time, length)) in changes.into_iter().enumerate() {
                let row = vec![number as u8; length];
                let before = if removes { block.remove(time) } else { block.set(time, &row) };
                let expected = if removes { map.remove(&time) } else { map.insert(time, row) };
                prop_assert_eq!(before, expected.map(|row: Vec<u8>| row.len()));
            }
            prop_assert_eq!(shared.rows, 0);
            let blocks = block.split();
            prop_assert!(blocks.iter().all(|block| !block.is_over()));
            prop_assert_eq!(blocks.iter().map(|block| block.rows).sum::<usize>(), map.len());
            for time in asked.iter().chain(map.keys()) {
                prop_assert_eq!(block.get(*time), map.get(time).map(|row| &**row));
                prop_assert_eq!(block.until(*time), map.range(..=time).count());
            }
        }
    }

    #[test]
    fn blocks_grow_with_their_chain_and_waste_little() {
        let row = [7; 63];
        let (mut block, mut rows) = (Block::default(), Vec::new());
        for time in 0..400 {
            if !block.has_room(&row) {
                rows.push((block.rows, block.memory.len() - block.rows * (63 + PLACE)));
                block = block.next(&row);
            }
            block.push(time, &row);
        }
        // Rows, and bytes that are free.
        assert_eq!(rows, [(8, 8), (24, 24), (64, 0), (64, 0), (64, 0), (64, 0), (64, 0)]);
    }
}
