//! Rows under the number of a chain and a time: each chain by itself, in a tree of all of them.

use super::block::Block;
use super::chain::Chain;
use crate::Direction;
use crate::tree::Tree;
use core::ops::{Bound, ControlFlow};

/// The table of versions: a key of 16 bytes is the number of a chain and a time.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    chains: Tree<u64, Chain>,
    rows: usize,
    /// Of all rows, without their keys.
    bytes: usize,
}

impl Versions {
    /// How many rows there are.
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// About how many bytes of memory it takes.
    pub const fn memory(&self) -> usize {
        // Its slot in a leaf that is about two thirds full, and what allocators add to its last block.
        const CHAIN: usize = (size_of::<u64>() + size_of::<Chain>()) * 3 / 2 + 32;
        (self.bytes + self.rows * Block::PLACE) * 9 / 8 + self.chains.len() * CHAIN
    }

    /// The row of a chain and a time.
    pub fn get(&self, key: u128) -> Option<&[u8]> {
        let (number, time) = parts(key);
        self.chains.get(&number)?.get(time)
    }

    /// Sets the row of a chain and a time.
    pub fn set(&mut self, key: u128, row: &[u8]) {
        let (number, time) = parts(key);
        let before = match self.chains.get_mut(&number) {
            Some(chain) => chain.set(time, row),
            None => {
                let mut chain = Chain::default();
                chain.set(time, row);
                self.chains.insert(number, chain);
                None
            }
        };
        self.rows += usize::from(before.is_none());
        self.bytes = self.bytes + row.len() - before.unwrap_or(0);
    }

    /// Takes the row of a chain and a time out.
    pub fn remove(&mut self, key: u128) {
        let (number, time) = parts(key);
        // So that nothing is copied for a row that is not there.
        if self.get(key).is_none() {
            return;
        }
        let Some(chain) = self.chains.get_mut(&number) else { return };
        let length = chain.remove(time);
        if chain.is_empty() {
            self.chains.remove(&number);
        }
        self.rows -= usize::from(length.is_some());
        self.bytes -= length.unwrap_or(0);
    }

    /// Visits the rows within a range of keys, until the visitor breaks off.
    pub fn scan(
        &self,
        from: Bound<u128>,
        to: Bound<u128>,
        direction: Direction,
        visit: &mut impl FnMut(u128, &[u8]) -> ControlFlow<()>,
    ) {
        let from = match from {
            Bound::Included(from) => Some(from),
            Bound::Excluded(from) => from.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let to = match to {
            Bound::Included(to) => Some(to),
            Bound::Excluded(to) => to.checked_sub(1),
            Bound::Unbounded => Some(u128::MAX),
        };
        let (Some(from), Some(to)) = (from, to) else { return };
        if from > to {
            return;
        }
        let ((first, since), (last, until)) = (parts(from), parts(to));
        let mut in_chain = |number: u64, chain: &Chain| {
            // All of a chain between the outermost two is within.
            let since = if number == first { since } else { 0 };
            let until = if number == last { until } else { u64::MAX };
            chain.scan((since, until), direction, &mut |time, row| visit(key(number, time), row))
        };
        if first == last {
            // It ends here anyhow.
            let _ = self.chains.get(&first).map(|chain| in_chain(first, chain));
            return;
        }
        let (first, last) = (Bound::Included(&first), Bound::Included(&last));
        self.chains.scan(first, last, direction, &mut |number, chain| in_chain(*number, chain));
    }
}

const fn key(number: u64, time: u64) -> u128 {
    (number as u128) << 64 | time as u128
}

const fn parts(key: u128) -> (u64, u64) {
    ((key >> 64) as u64, key as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    type Rows = Vec<(u128, Vec<u8>)>;

    fn all(versions: &Versions, from: Bound<u128>, to: Bound<u128>, direction: Direction, most: usize) -> Rows {
        let mut found = Vec::new();
        versions.scan(from, to, direction, &mut |key, row| {
            found.push((key, row.to_vec()));
            if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn they_are_a_map_and_clones_stay_as_they_were(
            // Runs of times in few chains, so that blocks fill, split and empty: upwards as they are written, and in any order.
            runs in prop::collection::vec((0_u8..4, 0_u64..4, 0_u64..900, 1_u64..300, 0_usize..400, any::<bool>()), 1..16),
            bounds in prop::collection::vec(((0_u64..5, 0_u64..1300), (0_u64..5, 0_u64..1300)), 6),
            most in 1_usize..200,
        ) {
            let (mut versions, mut map) = (Versions::default(), BTreeMap::new());
            let mut clones = Vec::new();
            for (kind, number, from, length, size, downwards) in runs {
                clones.push((versions.clone(), map.clone()));
                for step in 0..length {
                    let key = key(number, from + if downwards { length - step } else { step });
                    if kind == 0 {
                        versions.remove(key);
                        map.remove(&key);
                    } else {
                        // Now and then one that is larger than a block.
                        let row = vec![step as u8; if step == 77 { 20 * size } else { size }];
                        versions.set(key, &row);
                        map.insert(key, row);
                    }
                }
            }
            clones.push((versions, map));
            for (versions, map) in &clones {
                prop_assert_eq!(versions.len(), map.len());
                prop_assert_eq!(versions.bytes, map.values().map(Vec::len).sum::<usize>());
                let everything: Rows = map.iter().map(|(key, row)| (*key, row.clone())).collect();
                prop_assert_eq!(&all(versions, Bound::Unbounded, Bound::Unbounded, Direction::Forward, usize::MAX), &everything);
                for (low, high) in &bounds {
                    let (low, high) = (key(low.0, low.1), key(high.0, high.1));
                    prop_assert_eq!(versions.get(low), map.get(&low).map(|row| &**row));
                    for (from, to) in [
                        (Bound::Included(low), Bound::Included(high)),
                        (Bound::Excluded(low), Bound::Excluded(high)),
                        (Bound::Unbounded, Bound::Included(high)),
                        (Bound::Excluded(low), Bound::Unbounded),
                    ] {
                        let is_in = |key: &u128| {
                            (match from { Bound::Included(low) => *key >= low, Bound::Excluded(low) => *key > low, Bound::Unbounded => true })
                            && (match to { Bound::Included(high) => *key <= high, Bound::Excluded(high) => *key < high, Bound::Unbounded => true })
                        };
                        let within = || everything.iter().filter(|(key, _)| is_in(key));
                        let first: Rows = within().take(most).cloned().collect();
                        let last: Rows = within().rev().take(most).cloned().collect();
                        prop_assert_eq!(&all(versions, from, to, Direction::Forward, most), &first);
                        prop_assert_eq!(&all(versions, from, to, Direction::Backward, most), &last);
                    }
                }
            }
        }
    }
}
