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
use anabranch_store::{BackendError, Table, crc32c};
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
    /// Leaves from this block on are to move down, where there is room: so many at the most.
    above: u32,
    moves: usize,
}

impl<'a> Merger<'a> {
    pub(crate) fn new(nodes: &'a Nodes, space: &'a mut Space) -> Self {
        let (taken, freed, pending, levels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Merger {
            nodes,
            space,
            taken,
            freed,
            pending,
            from: 0,
            table: Table::Meta,
            levels,
            rows: 0,
            above: u32::MAX,
            moves: 0,
        }
    }

    /// Moves so many leaves at the most that are beyond a block, so that the medium can be cut off there some day.
    pub(crate) fn and_move(mut self, above: u32, moves: usize) -> Self {
        (self.above, self.moves) = (above, moves);
        self
    }

    /// The tree of a table with what has changed in it.
    pub(crate) fn merge(&mut self, table: Table, old: Rooted, changes: &[Change]) -> Result<Rooted, BackendError> {
        if changes.is_empty() && self.moves == 0 {
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
                            // Whoever made a sum right may have written any number.
                            None => self.rows = self.rows.saturating_sub(1),
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
            self.rows = self.rows.saturating_add(1);
            self.push(0, key, row)
        })
    }

    /// Takes a subtree in as it is, where what is before it fills its nodes well enough; else its first nodes are taken apart.
    fn adopt(&mut self, level: u8, key: &[u8], root: Reference, above: &Node) -> Result<(), BackendError> {
        let moves = self.moves > 0 && (level > 0 || root.block >= self.above);
        if moves && level == 0 {
            self.moves -= 1;
        }
        for below in 0..=level {
            let is_empty = self.gathered(below).is_empty();
            if moves || !is_empty && self.is_small(below) {
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
            if !is_empty {
                self.close_all(below, true)?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cursor::{Cursor, find},
        header::Root,
    };
    use anabranch_medium::sim::SimPlace;
    use anabranch_store::Direction;
    use proptest::prelude::*;
    use std::{collections::BTreeMap, ops::Bound};

    const TABLE: Table = Table::Segments;

    /// A tree, with what it should have.
    struct Tried {
        nodes: Nodes,
        space: Space,
        tree: Rooted,
        model: BTreeMap<Vec<u8>, Vec<u8>>,
    }

    impl Tried {
        fn new() -> Self {
            let nodes = Nodes::new(SimPlace::with_media(1).fixed(0), 20_000);
            Tried { nodes, space: Space::default(), tree: Rooted::default(), model: BTreeMap::new() }
        }

        fn change(&mut self, changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>, moves: bool) {
            for (key, row) in &changes {
                match row {
                    Some(row) => drop(self.model.insert(key.clone(), row.clone())),
                    None => drop(self.model.remove(key)),
                }
            }
            let changes: Vec<Change> =
                changes.into_iter().map(|(key, row)| (key.into(), row.map(Into::into))).collect();
            let mut merger = Merger::new(&self.nodes, &mut self.space);
            if moves {
                merger = merger.and_move(10, 5);
            }
            self.tree = merger.merge(TABLE, self.tree, &changes).unwrap();
            merger.flush().unwrap();
            let freed = merger.freed;
            freed.into_iter().for_each(|(block, count)| self.space.give(block, count));
        }

        fn is_as_the_model(&self) {
            assert_eq!(self.tree.rows, self.model.len() as u64);
            let all = (Bound::Unbounded, Bound::Unbounded);
            let mut forward: Vec<_> = self.rows(all, Direction::Forward);
            assert!(forward.iter().map(|(key, row)| (key, row)).eq(&self.model));
            forward.reverse();
            assert!(forward == self.rows(all, Direction::Backward));
            for key in self.model.keys().step_by(self.model.len() / 8 + 1) {
                for from in [Bound::Included(&**key), Bound::Excluded(&**key)] {
                    let wanted = self.model.range::<[u8], _>((from, Bound::Unbounded)).map(|(key, _)| key);
                    let found = self.rows((from, Bound::Unbounded), Direction::Forward);
                    assert!(found.iter().map(|(key, _)| key).eq(wanted));
                    let wanted = self.model.range::<[u8], _>((Bound::Unbounded, from)).rev().map(|(key, _)| key);
                    let found = self.rows((Bound::Unbounded, from), Direction::Backward);
                    assert!(found.iter().map(|(key, _)| key).eq(wanted));
                }
                let longer = [key, &b"\0"[..]].concat();
                let found = |key: &[u8]| find(&self.nodes, self.tree.node, TABLE, key).unwrap();
                assert!(found(key).is_some_and(|(node, place)| node.entry(place).1 == self.model[key]));
                assert_eq!(found(&longer).is_some(), self.model.contains_key(&longer));
            }
            // No block is lost, and none is taken twice.
            let mut root = Root { generation: 0, commit: 0, blocks: 0, tables: Default::default() };
            root.tables[TABLE as usize] = self.tree;
            let wanted = Space::of(&root, &self.nodes).count();
            let header = u64::from(crate::header::FIRST);
            let of_header = (0..header).filter(|block| !self.is_in_use(*block as u32)).count() as u64;
            assert_eq!(self.space.count() + of_header, wanted);
        }

        /// The tests' trees begin at block 0, where databases have their header.
        fn is_in_use(&self, block: u32) -> bool {
            self.references().iter().any(|node| (node.block..node.block + node.blocks()).contains(&block))
        }

        fn references(&self) -> Vec<Reference> {
            let mut all: Vec<Reference> = self.tree.node.into_iter().collect();
            let mut at = 0;
            while let Some(reference) = all.get(at) {
                let node = self.nodes.read(*reference, TABLE, None).unwrap();
                if node.level > 0 {
                    all.extend((0..node.count()).filter_map(|place| Some(node.child(place)?.1)));
                }
                at += 1;
            }
            all
        }

        fn rows(&self, range: (Bound<&[u8]>, Bound<&[u8]>), direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
            let mut cursor = Cursor::new(&self.nodes, self.tree.node, TABLE, range, direction).unwrap();
            let mut rows = Vec::new();
            while let Some((key, row)) = cursor.row() {
                rows.push((key.to_vec(), row.to_vec()));
                cursor.advance().unwrap();
            }
            rows
        }

        /// How much of its nodes the rows are, in percent.
        fn fill(&self) -> usize {
            let bytes: usize = self.model.iter().map(|(key, row)| key.len() + row.len() + 5).sum();
            let blocks: u32 = self.references().into_iter().map(Reference::blocks).sum();
            bytes * 100 / (blocks as usize * BLOCK)
        }
    }

    /// Runs of keys, each in one go: where from, how many, how far apart, how long keys and rows are, and whether they go.
    fn runs() -> impl Strategy<Value = Vec<(u32, u32, u32, usize, usize, bool)>> {
        let row = prop_oneof![6 => 0_usize..200, 1 => 1_000_usize..9_000];
        let key = prop_oneof![8 => 4_usize..12, 1 => 1_500_usize..5_000];
        prop::collection::vec((0_u32..4_000, 1_u32..400, 1_u32..5, key, row, any::<bool>()), 1..25)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn a_merged_tree_has_the_rows_that_a_map_has(runs in runs(), moves in any::<bool>()) {
            let mut tried = Tried::new();
            for (round, (from, count, apart, key, row, goes)) in runs.into_iter().enumerate() {
                let changes = (0..count).map(|number| {
                    let mut bytes = (from + number * apart).to_be_bytes().to_vec();
                    // Few of a run are long.
                    let is_long = number % 20 == 0;
                    bytes.resize(if is_long { key } else { 4 + key % 8 }, 0);
                    let row = if is_long { row } else { row % 100 };
                    (bytes, (!goes).then(|| vec![round as u8; row]))
                });
                tried.change(changes.collect(), moves);
            }
            tried.is_as_the_model();
        }
    }

    fn put(numbers: impl Iterator<Item = u64>) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        numbers.map(|number| (number.to_be_bytes().to_vec(), Some(vec![7; 60]))).collect()
    }

    #[test]
    fn a_tree_that_is_appended_to_is_full_and_no_other_is_much_emptier_than_half() {
        let mut appended = Tried::new();
        for round in 0..300 {
            appended.change(put(round * 37..(round + 1) * 37), false);
        }
        appended.is_as_the_model();
        let mut scattered = Tried::new();
        for round in 0..300 {
            scattered.change(put((0..37).map(|step| (round * 37 + step) * 7_919 % 11_100)), false);
        }
        scattered.is_as_the_model();
        println!("{} % and {} %", appended.fill(), scattered.fill());
        assert!(appended.fill() > 90 && scattered.fill() > 60, "{} % and {} %", appended.fill(), scattered.fill());
        // And where most is taken out again, what is left draws together.
        let gone = (0..11_100_u64).filter(|number| number % 50 > 0).map(|number| (number.to_be_bytes().to_vec(), None));
        scattered.change(gone.collect(), false);
        scattered.is_as_the_model();
        assert!(scattered.fill() > 60, "{} %", scattered.fill());
        scattered.change((0..11_100_u64).map(|number| (number.to_be_bytes().to_vec(), None)).collect(), false);
        assert_eq!((scattered.tree, scattered.space.count()), (Rooted::default(), 0));
    }

    #[test]
    fn one_change_costs_one_node_of_each_level() {
        let mut tried = Tried::new();
        tried.change(put(0..20_000), false);
        let levels = usize::from(tried.nodes.read(tried.tree.node.unwrap(), TABLE, None).unwrap().level) + 1;
        assert_eq!(levels, 3);
        for number in (0..20_000_u64).step_by(1_111) {
            let change = [(number.to_be_bytes().into(), Some([8; 60].into()))];
            let mut merger = Merger::new(&tried.nodes, &mut tried.space);
            tried.tree = merger.merge(TABLE, tried.tree, &change).unwrap();
            merger.flush().unwrap();
            // The last leaf may be a small one, and then takes its neighbour in.
            assert!(merger.taken.len() <= levels + 1 && merger.freed.len() <= levels + 1);
        }
    }
}
