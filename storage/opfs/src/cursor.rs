//! Going through the rows of a table in the tree, one by one, either way.

use crate::{
    node::{Node, Reference},
    nodes::Nodes,
};
use anabranch_store::{BackendError, Direction, Table};
use std::{ops::Bound, sync::Arc};

/// The row of a key, in the node that it stands in.
pub(crate) fn find(
    nodes: &Nodes,
    root: Option<Reference>,
    table: Table,
    key: &[u8],
) -> Result<Option<(Arc<Node>, usize)>, BackendError> {
    let Some(root) = root else { return Ok(None) };
    let mut node = nodes.read(root, table, None)?;
    while node.level > 0 {
        let Some((_, below)) = node.child(node.child_of(key)) else { return Ok(None) };
        node = nodes.read(below, table, Some(&node))?;
    }
    let place = node.first(|its| its < key);
    let is_it = place < node.count() && node.entry(place).0 == key;
    Ok(is_it.then_some((node, place)))
}

fn child(node: &Node, place: usize) -> Option<Reference> {
    if node.level == 0 { None } else { node.child(place).map(|(_, below)| below) }
}

/// A place among the rows between two bounds.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    nodes: &'a Nodes,
    table: Table,
    direction: Direction,
    /// The bound that it comes to last.
    end: Bound<&'a [u8]>,
    /// The nodes from the root to the leaf; in each the child or row where it is. Empty: there are no more rows.
    path: Vec<(Arc<Node>, usize)>,
}

impl<'a> Cursor<'a> {
    /// At the first row, which is the last one backward.
    pub(crate) fn new(
        nodes: &'a Nodes,
        root: Option<Reference>,
        table: Table,
        (low, high): (Bound<&'a [u8]>, Bound<&'a [u8]>),
        direction: Direction,
    ) -> Result<Self, BackendError> {
        let (begin, end) = match direction {
            Direction::Forward => (low, high),
            Direction::Backward => (high, low),
        };
        let mut cursor = Cursor { nodes, table, direction, end, path: Vec::new() };
        if let Some(root) = root {
            cursor.descend(root, begin)?;
            cursor.settle()?;
        }
        Ok(cursor)
    }

    /// From a node to the row where a bound says, which may be none of the leaf's.
    fn descend(&mut self, from: Reference, begin: Bound<&[u8]>) -> Result<(), BackendError> {
        let mut next = Some(from);
        while let Some(reference) = next {
            let above = self.path.last().map(|(node, _)| &**node);
            let node = self.nodes.read(reference, self.table, above)?;
            let is_leaf = node.level == 0;
            let last = node.count() - 1;
            let place = match (begin, self.direction, is_leaf) {
                (Bound::Unbounded, Direction::Forward, _) => 0,
                (Bound::Unbounded, Direction::Backward, _) => last,
                (Bound::Included(key) | Bound::Excluded(key), _, false) => node.child_of(key),
                (Bound::Included(key), Direction::Forward, true) => node.first(|its| its < key),
                (Bound::Excluded(key), Direction::Forward, true) => node.first(|its| its <= key),
                // Below the first there is the highest number: outside, too.
                (Bound::Included(key), Direction::Backward, true) => node.first(|its| its <= key).wrapping_sub(1),
                (Bound::Excluded(key), Direction::Backward, true) => node.first(|its| its < key).wrapping_sub(1),
            };
            next = child(&node, place);
            self.path.push((node, place));
        }
        Ok(())
    }

    /// Where there is no row, goes on to the next leaf; beyond the end, nowhere.
    fn settle(&mut self) -> Result<(), BackendError> {
        loop {
            let Some((node, place)) = self.path.last() else { return Ok(()) };
            if *place < node.count() {
                match child(node, *place) {
                    Some(below) => self.descend(below, Bound::Unbounded)?,
                    None => break,
                }
            } else {
                self.path.pop();
                self.step();
            }
        }
        let is_within = self.row().is_some_and(|(key, _)| match (self.end, self.direction) {
            (Bound::Unbounded, _) => true,
            (Bound::Included(end), Direction::Forward) => key <= end,
            (Bound::Excluded(end), Direction::Forward) => key < end,
            (Bound::Included(end), Direction::Backward) => key >= end,
            (Bound::Excluded(end), Direction::Backward) => key > end,
        });
        if !is_within {
            self.path.clear();
        }
        Ok(())
    }

    fn step(&mut self) {
        if let Some((_, place)) = self.path.last_mut() {
            *place = match self.direction {
                Direction::Forward => *place + 1,
                Direction::Backward => place.wrapping_sub(1),
            };
        }
    }

    /// The key and the row where it is; none behind the last one.
    pub(crate) fn row(&self) -> Option<(&[u8], &[u8])> {
        self.path.last().map(|(node, place)| node.entry(*place))
    }

    /// To the next row.
    pub(crate) fn advance(&mut self) -> Result<(), BackendError> {
        self.step();
        self.settle()
    }
}
