//! Nodes: rows in the order of their keys, or references to nodes below; written once, never changed, and checked when read.
//!
//! ```text
//!  level 1 | table 1 | entries 2 | for each where it ends, 4 | for each: length of its key, key, row
//!
//!  level 0: rows of the table         level n: references to nodes of level n - 1, each under the lowest key it may have
//! ```
//!
//! A node takes whole blocks: one as a rule, and as many as it needs where a row is larger. **A reference** says where it is, how
//! long, and its checksum: so what is damaged, was overwritten, or belongs elsewhere is found, and never served.

use crate::{
    bytes::{put_length, take, u32_at},
    header::BLOCK,
    trouble::damaged,
};
use anabranch_store::{BackendError, Table, crc32c};

/// What a node is not to exceed, if it has more than a few entries.
pub(crate) const FULL: usize = BLOCK;
/// Where the ends of entries begin.
const ENDS: usize = 4;

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) block: u32,
    /// In bytes.
    pub(crate) length: u32,
    pub(crate) sum: u32,
}

impl Reference {
    pub(crate) const SIZE: usize = 12;

    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        for (into, number) in bytes.chunks_exact_mut(4).zip([self.block, self.length, self.sum]) {
            into.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// `None` where there is none: no node is empty.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let found = Reference { block: u32_at(bytes, 0), length: u32_at(bytes, 4), sum: u32_at(bytes, 8) };
        (found.length > 0).then_some(found)
    }

    /// How many blocks it takes.
    pub(crate) fn blocks(self) -> u32 {
        self.length.div_ceil(BLOCK as u32)
    }

    pub(crate) fn damaged(self, what: &str) -> BackendError {
        let (from, to) = (self.block, u64::from(self.block) + u64::from(self.blocks()) - 1);
        damaged(format!("blocks {from} to {to} of its tree (of 4096 bytes each) {what}"))
    }
}

/// A node that was read, and found to be what was written.
#[derive(Debug)]
pub(crate) struct Node {
    bytes: Vec<u8>,
    pub(crate) level: u8,
}

impl Node {
    /// `None` where the bytes are not those of a node of the table.
    pub(crate) fn new(bytes: Vec<u8>, table: Table, reference: Reference) -> Option<Self> {
        let fits = bytes.len() == reference.length as usize && crc32c(&bytes) == reference.sum;
        let &[level, of, ..] = bytes.as_slice() else { return None };
        let node = Node { bytes, level };
        (fits && of == table as u8 && node.is_whole()).then_some(node)
    }

    /// Whether each entry lies within it: then reading never fails.
    fn is_whole(&self) -> bool {
        let mut before = 0;
        let entries = (0..self.count()).all(|place| {
            let end = self.end(place);
            let entry = self.data().get(before..end).and_then(take);
            before = end;
            entry.is_some_and(|(_, row)| self.level == 0 || Reference::decode(row).is_some())
        });
        self.count() > 0 && entries && before == self.data().len()
    }

    pub(crate) fn count(&self) -> usize {
        let [a, b] = self.bytes.get(2..ENDS).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        usize::from(u16::from_le_bytes([a, b]))
    }

    fn data(&self) -> &[u8] {
        self.bytes.get(ENDS + 4 * self.count()..).unwrap_or_default()
    }

    fn end(&self, place: usize) -> usize {
        u32_at(&self.bytes, ENDS + 4 * place) as usize
    }

    /// The key and the row at a place.
    pub(crate) fn entry(&self, place: usize) -> (&[u8], &[u8]) {
        let before = if place == 0 { 0 } else { self.end(place - 1) };
        self.data().get(before..self.end(place)).and_then(take).unwrap_or_default()
    }

    /// The key at a place, and the node below.
    pub(crate) fn child(&self, place: usize) -> Option<(&[u8], Reference)> {
        let (key, row) = self.entry(place);
        Some((key, Reference::decode(row)?))
    }

    /// How many of its first keys this is so of.
    pub(crate) fn first(&self, so: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low.midpoint(high);
            if so(self.entry(middle).0) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Which node below has a key, if any has.
    pub(crate) fn child_of(&self, key: &[u8]) -> usize {
        self.first(|its| its <= key).saturating_sub(1)
    }

    /// How much memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity() + 64
    }
}

/// Entries on their way into nodes.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    ends: Vec<u32>,
    data: Vec<u8>,
}

impl Entries {
    pub(crate) fn push(&mut self, key: &[u8], row: &[u8]) {
        put_length(key.len(), &mut self.data);
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(row);
        self.ends.push(self.data.len() as u32);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How long a node of so many of them is.
    pub(crate) fn size_of(&self, count: usize) -> usize {
        let data = if count == 0 { 0 } else { self.ends.get(count - 1).map_or(self.data.len(), |end| *end as usize) };
        ENDS + 4 * count + data
    }

    pub(crate) fn size(&self) -> usize {
        self.size_of(self.len())
    }

    /// How long a node of the one entry is.
    pub(crate) fn size_of_one(key: &[u8], row: &[u8]) -> usize {
        ENDS + 4 + 5 + key.len() + row.len()
    }

    /// Takes the first of them out, as a node's bytes with the key that it begins with.
    pub(crate) fn take(&mut self, count: usize, level: u8, table: Table) -> (Vec<u8>, Vec<u8>) {
        let length = self.size_of(count) - ENDS - 4 * count;
        let mut bytes = Vec::with_capacity(ENDS + 4 * count + length);
        bytes.extend([level, table as u8]);
        bytes.extend((count as u16).to_le_bytes());
        self.ends.drain(..count).for_each(|end| bytes.extend(end.to_le_bytes()));
        let first = take(&self.data).map_or_else(Vec::new, |(key, _)| key.to_vec());
        bytes.extend(self.data.drain(..length));
        self.ends.iter_mut().for_each(|end| *end -= length as u32);
        (bytes, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(bytes: Vec<u8>) -> Option<Node> {
        let reference = Reference { block: 9, length: bytes.len() as u32, sum: crc32c(&bytes) };
        Node::new(bytes, Table::Keys, reference)
    }

    fn filled() -> Entries {
        let mut entries = Entries::default();
        for number in 0..50_u8 {
            entries.push(&vec![number; usize::from(number % 3)], &vec![number; 7 * usize::from(number)]);
        }
        entries
    }

    #[test]
    fn entries_come_back_from_the_nodes_they_were_put_in() {
        let mut entries = filled();
        let size = entries.size_of(20);
        let (bytes, first) = entries.take(20, 0, Table::Keys);
        assert_eq!((bytes.len(), first), (size, vec![]));
        let (left, right) = (node(bytes).unwrap(), node(entries.take(30, 0, Table::Keys).0).unwrap());
        assert_eq!((left.count(), right.count(), entries.size()), (20, 30, ENDS));
        for number in 0..50_u8 {
            let (of, place) = if number < 20 { (&left, number) } else { (&right, number - 20) };
            let (key, row) = of.entry(place.into());
            assert_eq!((key, row.len()), (&*vec![number; usize::from(number % 3)], 7 * usize::from(number)));
        }
    }

    #[test]
    fn what_is_altered_or_belongs_elsewhere_is_no_node() {
        let (bytes, _) = filled().take(50, 0, Table::Keys);
        let reference = Reference { block: 9, length: bytes.len() as u32, sum: crc32c(&bytes) };
        assert!(Node::new(bytes.clone(), Table::Versions, reference).is_none());
        assert!(Node::new(bytes[1..].to_vec(), Table::Keys, reference).is_none());
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            assert!(Node::new(altered.clone(), Table::Keys, reference).is_none());
            // And where its sum fits, too, nothing goes wrong.
            if let Some(node) = node(altered) {
                (0..node.count()).for_each(|place| assert!(node.entry(place).0.len() < 2000));
            }
        }
        for cut in 0..bytes.len() {
            assert!(node(bytes[..cut].to_vec()).is_none());
        }
    }
}
