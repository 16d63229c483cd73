//! Making a new tree of an old one and what has changed since, all at once: new nodes are written beside the old ones, and
//! subtrees in which nothing has changed are taken as they are.
//!
//! ```text
//!  old tree, in order ──┐           rows                  references            references
//!                       ├─ merge ─▶ level 0 ──nodes──▶ level 1 ──nodes──▶ … ──▶ the root
//!  changes, in order ───┘              ▲ subtrees without changes come in above ──▲
//! ```
//!
//! Each level gathers up to two nodes' worth before it writes one, so that where an unchanged subtree follows, what is there can
//! be halved into two that are not too small. What is less than a quarter of a node takes its neighbour in. So no part of a
//! tree becomes much emptier than half, and a change costs the nodes above it, and not those beside it.

use crate::{
    header::{BLOCK, Rooted},
    node::{Entries, FULL, Node, Reference},
    nodes::Nodes,
    space::Space,
    trouble::of_io,
};
use anabranch_store::{BackendError, Table};
use crc32c::crc32c;
use std::sync::Arc;

/// The row that a key is to have, or that it is to have none.
pub(crate) type Change = (Arc<[u8]>, Option<Arc<[u8]>>);

/// How much is written at once.
const AT_ONCE: usize = 256 << 10;

/// What writes nodes for one checkpoint.
#[derive(Debug)]
pub(crate) struct Merger<'a> {
    nodes: &'a Nodes,
    space: &'a mut Space,
    /// The nodes that were written, and those that the new trees no longer have: block and count.
    pub(crate) taken: Vec<(u32, u32)>,
    pub(crate) freed: Vec<(u32, u32)>,
    /// What is to be written from a block on.
    pending: Vec<u8>,
    from: u64,
    table: Table,
    levels: Vec<Entries>,
    rows: u64,
}

impl<'a> Merger<'a> {
    pub(crate) fn new(nodes: &'a Nodes, space: &'a mut Space) -> Self {
        let (taken, freed, pending, levels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Merger { nodes, space, taken, freed, pending, from: 0, table: Table::Meta, levels, rows: 0 }
    }

    /// The tree of a table with what has changed in it.
    pub(crate) fn merge(&mut self, table: Table, old: Rooted, changes: &[Change]) -> Result<Rooted, BackendError> {
        if changes.is_empty() {
            return Ok(old);
        }
        (self.table, self.rows) = (table, old.rows);
        self.levels.clear();
        match old.node {
            Some(root) => self.visit(root, None, changes)?,
            None => self.insert(changes)?,
        }
        Ok(Rooted { node: self.finish()?, rows: self.rows })
    }

    /// Writes what is still to be written.
    pub(crate) fn flush(&mut self) -> Result<(), BackendError> {
        if !self.pending.is_empty() {
            let at = self.from * BLOCK as u64;
            self.nodes.medium.write(at, &self.pending).map_err(|error| of_io(&error))?;
            self.pending.clear();
        }
        Ok(())
    }

    fn read(&mut self, reference: Reference, above: Option<&Node>) -> Result<Arc<Node>, BackendError> {
        let node = self.nodes.read(reference, self.table, above)?;
        self.freed.push((reference.block, reference.blocks()));
        Ok(node)
    }

    /// Takes a node apart in which something changes.
    fn visit(&mut self, reference: Reference, above: Option<&Node>, changes: &[Change]) -> Result<(), BackendError> {
        let node = self.read(reference, above)?;
        let mut rest = changes;
        for place in 0..node.count() {
            let (key, row) = node.entry(place);
            if let Some(below) = Reference::decode(row).filter(|_| node.level > 0) {
                let next = (place + 1 < node.count()).then(|| node.entry(place + 1).0);
                let its = rest.partition_point(|(key, _)| next.is_none_or(|next| **key < *next));
                let (its, after) = rest.split_at(its);
                rest = after;
                match its {
                    [] => self.adopt(node.level - 1, key, below, &node)?,
                    its => self.visit(below, Some(&node), its)?,
                }
            } else {
                let (before, after) = rest.split_at(rest.partition_point(|(its, _)| **its < *key));
                self.insert(before)?;
                rest = after;
                match after {
                    [(its, change), after @ ..] if **its == *key => {
                        rest = after;
                        match change {
                            Some(row) => self.push(0, key, row)?,
                            None => self.rows -= 1,
                        }
                    }
                    _ => self.push(0, key, row)?,
                }
            }
        }
        if node.level == 0 { self.insert(rest) } else { Ok(()) }
    }

    /// Rows of keys that were not there.
    fn insert(&mut self, changes: &[Change]) -> Result<(), BackendError> {
        changes.iter().filter_map(|(key, row)| Some((key, row.as_ref()?))).try_for_each(|(key, row)| {
            self.rows += 1;
            self.push(0, key, row)
        })
    }

    /// Takes a subtree in as it is, where what is before it fills its nodes well enough; else its first nodes are taken apart.
    fn adopt(&mut self, level: u8, key: &[u8], root: Reference, above: &Node) -> Result<(), BackendError> {
        for below in 0..=level {
            if self.gathered(below).is_empty() {
                continue;
            }
            if self.is_small(below) {
                let node = self.read(root, Some(above))?;
                for place in 0..node.count() {
                    let (key, row) = node.entry(place);
                    match Reference::decode(row).filter(|_| level > 0) {
                        Some(child) => self.adopt(level - 1, key, child, &node)?,
                        None => self.push(0, key, row)?,
                    }
                }
                return Ok(());
            }
            self.close_all(below, true)?;
        }
        self.push(level + 1, key, &root.encode())
    }

    fn gathered(&mut self, level: u8) -> &mut Entries {
        let level = usize::from(level);
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Entries::default);
        }
        &mut self.levels[level]
    }

    /// Whether it would be a waste to write it as a node.
    fn is_small(&mut self, level: u8) -> bool {
        let entries = self.gathered(level);
        entries.size() < FULL / 4 || entries.len() < least(level)
    }

    fn push(&mut self, level: u8, key: &[u8], row: &[u8]) -> Result<(), BackendError> {
        let large = level == 0 && Entries::size_of_one(key, row) > FULL;
        if large {
            self.close_all(level, true)?;
        }
        let entries = self.gathered(level);
        entries.push(key, row);
        if large {
            self.close(level, 1)?;
        } else if entries.size() > 2 * FULL && entries.len() >= 2 * least(level) {
            let count = fitting(entries, level);
            self.close(level, count)?;
        }
        Ok(())
    }

    /// Writes all that a level has gathered: evenly where more follows, and filling node after node at the end of a table, which
    /// may grow there.
    fn close_all(&mut self, level: u8, evenly: bool) -> Result<(), BackendError> {
        loop {
            let entries = self.gathered(level);
            let (all, size) = (entries.len(), entries.size());
            let count = match (all, size) {
                (0, _) => return Ok(()),
                (_, ..=FULL) => all,
                _ if evenly => {
                    let half = (1..all).find(|count| entries.size_of(*count) >= size / 2).unwrap_or(all);
                    half.min(fitting(entries, level))
                }
                _ => fitting(entries, level),
            };
            self.close(level, count.max(least(level)).min(all))?;
        }
    }

    /// Writes the first of what a level has gathered as a node, and gives the level above a reference to it.
    fn close(&mut self, level: u8, count: usize) -> Result<(), BackendError> {
        let table = self.table;
        let (bytes, first) = self.gathered(level).take(count, level, table);
        let length = u32::try_from(bytes.len()).map_err(|_| BackendError::Io("a row has more than 4 GiB".into()))?;
        let mut reference = Reference { block: 0, length, sum: crc32c(&bytes) };
        reference.block = self.space.take(reference.blocks()).ok_or(BackendError::Full)?;
        self.taken.push((reference.block, reference.blocks()));
        let at = u64::from(reference.block);
        if self.from + (self.pending.len() / BLOCK) as u64 != at || self.pending.len() >= AT_ONCE {
            self.flush()?;
            self.from = at;
        }
        self.pending.extend_from_slice(&bytes);
        self.pending.resize(self.pending.len().next_multiple_of(BLOCK), 0);
        if let Some(node) = Node::new(bytes, table, reference) {
            self.nodes.keep(reference, Arc::new(node));
        }
        self.push(level + 1, &first, &reference.encode())
    }

    /// The root over all that was gathered.
    fn finish(&mut self) -> Result<Option<Reference>, BackendError> {
        let mut level = 0;
        loop {
            let is_top = self.levels.iter().skip(usize::from(level) + 1).all(Entries::is_empty);
            let entries = self.gathered(level);
            if is_top && entries.is_empty() {
                return Ok(None);
            }
            if is_top && level > 0 && entries.len() == 1 {
                let table = self.table;
                let (only, _) = self.gathered(level).take(1, level, table);
                let whole = Reference { block: 0, length: only.len() as u32, sum: crc32c(&only) };
                return Ok(Node::new(only, table, whole).and_then(|node| Some(node.child(0)?.1)));
            }
            self.close_all(level, false)?;
            level += 1;
        }
    }
}

/// With how many entries a node may be larger than it should.
const fn least(level: u8) -> usize {
    // With one, nodes that refer to others would not become fewer from level to level.
    if level == 0 { 1 } else { 2 }
}

/// How many of the entries a node has room for.
fn fitting(entries: &Entries, level: u8) -> usize {
    let fit = (1..=entries.len()).take_while(|count| entries.size_of(*count) <= FULL).count();
    fit.max(least(level)).min(entries.len())
}
