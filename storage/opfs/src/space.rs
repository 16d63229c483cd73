//! Which blocks of the tree's medium are taken. That stands nowhere: what no node takes is free, and the nodes that refer to
//! others say which do. So it is found when the first checkpoint after opening wants to write, by reading those.

use crate::{
    header::{FIRST, Root},
    node::Reference,
    nodes::Nodes,
};
use anabranch_store::{BackendError, Table};

/// A bit for each block.
#[derive(Debug, Default)]
pub(crate) struct Space {
    taken: Vec<u64>,
    /// No word before this one has a free block.
    lowest: usize,
}

impl Space {
    /// What the nodes of a root leave free. Nothing is, where not all of them can be read.
    pub(crate) fn of(root: &Root, nodes: &Nodes) -> Self {
        let mut space = Space::default();
        space.mark(0, FIRST, true);
        let whole = Table::ALL.into_iter().zip(&root.tables).try_for_each(|(table, rooted)| match rooted.node {
            Some(node) => {
                space.mark(node.block, node.blocks(), true);
                space.walk(node, table, nodes, true)
            }
            None => Ok(()),
        });
        if whole.is_err() {
            space.mark(0, u32::try_from(root.blocks).unwrap_or(u32::MAX), true);
        }
        space
    }

    /// Marks what is below a node. A leaf has nothing below, so none is read that is known to be one.
    fn walk(&mut self, from: Reference, table: Table, nodes: &Nodes, is_root: bool) -> Result<(), BackendError> {
        let node = nodes.read(from, table, None)?;
        debug_assert!(is_root || node.level > 0, "only what refers to others is read");
        for (_, below) in (0..node.count()).filter_map(|place| node.child(place)).filter(|_| node.level > 0) {
            self.mark(below.block, below.blocks(), true);
            if node.level > 1 {
                self.walk(below, table, nodes, false)?;
            }
        }
        Ok(())
    }

    fn mark(&mut self, block: u32, count: u32, is_taken: bool) {
        let end = block as usize + count as usize;
        if self.taken.len() * 64 < end {
            self.taken.resize(end.div_ceil(64), 0);
        }
        for block in block as usize..end {
            let bit = 1 << (block % 64);
            if let Some(word) = self.taken.get_mut(block / 64) {
                *word = if is_taken { *word | bit } else { *word & !bit };
            }
        }
    }

    fn is_taken(&self, block: usize) -> bool {
        self.taken.get(block / 64).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    /// So many blocks that follow one another: the first that are free. `None` where no number is left for one.
    pub(crate) fn take(&mut self, count: u32) -> Option<u32> {
        while self.taken.get(self.lowest).is_some_and(|word| *word == u64::MAX) {
            self.lowest += 1;
        }
        let (mut from, mut free) = (self.lowest * 64, 0);
        while free < count as usize {
            let next = from + free;
            if next / 64 < self.taken.len() && self.is_taken(next) {
                from = next + 1;
                free = 0;
            } else {
                free += 1;
            }
        }
        let block = u32::try_from(from).ok().filter(|block| block.checked_add(count).is_some())?;
        self.mark(block, count, true);
        Some(block)
    }

    pub(crate) fn give(&mut self, block: u32, count: u32) {
        self.mark(block, count, false);
        self.lowest = self.lowest.min(block as usize / 64);
    }

    /// How many blocks are taken.
    pub(crate) fn count(&self) -> u64 {
        self.taken.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many blocks there are up to the last one that is taken.
    pub(crate) fn extent(&self) -> u64 {
        let last = self.taken.iter().rposition(|word| *word > 0).unwrap_or_default();
        let bits = self.taken.get(last).map_or(0, |word| 64 - word.leading_zeros());
        last as u64 * 64 + u64::from(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_taken_again_first() {
        let mut space = Space::default();
        assert_eq!([1, 1, 3, 64, 1].map(|count| space.take(count)), [0, 1, 2, 5, 69].map(Some));
        assert_eq!((space.extent(), space.count()), (70, 70));
        space.give(2, 3);
        space.give(1, 1);
        assert_eq!([2, 5, 2, 1].map(|count| space.take(count)), [1, 70, 3, 75].map(Some));
        space.give(70, 6);
        assert_eq!(space.extent(), 70);
        space.give(0, 70);
        assert_eq!(space.extent(), 0);
        assert_eq!(space.take(200), Some(0));
    }
}
