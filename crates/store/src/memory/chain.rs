//! The rows of one chain: full blocks in a tree, and the last one beside it, to which is appended.

use super::block::Block;
use crate::Direction;
use crate::tree::Tree;
use alloc::sync::Arc;
use core::ops::{Bound, ControlFlow};

/// Rows in the order of their times. None has no rows in `last`, unless it has none at all.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// Each by a time that is not after its first row, and after all rows of the block before. None has no rows.
    earlier: Option<Arc<Tree<u64, Block>>>,
    last: Block,
}

impl Chain {
    pub fn is_empty(&self) -> bool {
        self.last.first().is_none()
    }

    /// The row of a time.
    pub fn get(&self, time: u64) -> Option<&[u8]> {
        if self.is_in_last(time) {
            return self.last.get(time);
        }
        self.floor(time)?.1.get(time)
    }

    /// Sets the row of a time: the length of the one that it had.
    pub fn set(&mut self, time: u64, row: &[u8]) -> Option<usize> {
        if self.last.last().is_none_or(|last| last < time) {
            self.append(time, row);
            return None;
        }
        if self.is_in_last(time) {
            let before = self.last.set(time, row);
            if self.last.is_over() {
                let mut blocks = self.last.split();
                self.last = blocks.pop().unwrap_or_default();
                blocks.into_iter().for_each(|block| self.put_earlier(block));
            }
            return before;
        }
        // Before the first block of all, it goes into that one.
        let found = self.floor(time).or_else(|| self.first());
        let (key, mut block) = found.map(|(key, block)| (key, block.clone()))?;
        let before = block.set(time, row);
        self.change_earlier(|earlier| drop(earlier.remove(&key)));
        match block.is_over() {
            true => block.split().into_iter().for_each(|block| self.put_earlier(block)),
            false => {
                self.change_earlier(|earlier| drop(earlier.insert(key.min(time), block)));
            }
        }
        before
    }

    /// Takes the row of a time out: its length.
    pub fn remove(&mut self, time: u64) -> Option<usize> {
        if self.is_in_last(time) {
            let length = self.last.remove(time)?;
            if self.is_empty()
                && let Some((key, block)) = self.floor(u64::MAX)
            {
                self.last = block.clone();
                self.change_earlier(|earlier| drop(earlier.remove(&key)));
            }
            return Some(length);
        }
        let (key, block) = self.floor(time)?;
        block.get(time)?;
        let mut length = None;
        self.change_earlier(|earlier| {
            let Some(block) = earlier.get_mut(&key) else { return };
            length = block.remove(time);
            if block.first().is_none() {
                earlier.remove(&key);
            }
        });
        length
    }

    /// Visits the rows within a range of time, until the visitor breaks off.
    pub fn scan(
        &self,
        (from, to): (u64, u64),
        direction: Direction,
        visit: &mut impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match direction {
            Direction::Forward => {
                if !self.is_in_last(from) {
                    self.scan_earlier((from, to), direction, visit)?;
                }
                self.last.scan((from, to), direction, visit)
            }
            Direction::Backward => {
                if self.is_in_last(to) {
                    self.last.scan((from, to), direction, visit)?;
                }
                if self.is_in_last(from) {
                    return ControlFlow::Continue(());
                }
                self.scan_earlier((from, to), direction, visit)
            }
        }
    }

    fn scan_earlier(
        &self,
        (from, to): (u64, u64),
        direction: Direction,
        visit: &mut impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(earlier) = &self.earlier else { return ControlFlow::Continue(()) };
        // Backward, the block that the range begins in is seen when it is met.
        let begin = match direction {
            Direction::Forward => self.floor(from).map_or(from, |(key, _)| key),
            Direction::Backward => 0,
        };
        let mut flow = ControlFlow::Continue(());
        earlier.scan(Bound::Included(&begin), Bound::Included(&to), direction, &mut |key, block| {
            flow = block.scan((from, to), direction, visit);
            match direction {
                Direction::Backward if *key <= from => ControlFlow::Break(()),
                _ => flow,
            }
        });
        flow
    }

    /// Whether a row of this time, if there is one, is in the last block.
    fn is_in_last(&self, time: u64) -> bool {
        self.earlier.is_none() || self.last.first().is_none_or(|first| first <= time)
    }

    fn append(&mut self, time: u64, row: &[u8]) {
        if !self.last.has_room(row) {
            let next = self.last.next(row);
            let full = core::mem::replace(&mut self.last, next);
            self.put_earlier(full);
        }
        self.last.push(time, row);
    }

    fn put_earlier(&mut self, block: Block) {
        if let Some(first) = block.first() {
            self.change_earlier(|earlier| drop(earlier.insert(first, block)));
        }
    }

    fn change_earlier(&mut self, change: impl FnOnce(&mut Tree<u64, Block>)) {
        let earlier = Arc::make_mut(self.earlier.get_or_insert_default());
        change(earlier);
        if earlier.is_empty() {
            self.earlier = None;
        }
    }

    /// The last of the earlier blocks that begin at or before a time.
    fn floor(&self, time: u64) -> Option<(u64, &Block)> {
        self.earlier.as_ref()?.at_or_before(&time).map(|(key, block)| (*key, block))
    }

    /// The first of the earlier blocks.
    fn first(&self) -> Option<(u64, &Block)> {
        self.earlier.as_ref()?.first().map(|(key, block)| (*key, block))
    }
}
