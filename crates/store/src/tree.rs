//! A map in the order of its keys that is cloned for nothing: clones share nodes until one of them changes those.
//!
//! A change copies the nodes on its way from the root if a clone shares them, and else makes them as they have to be. The last
//! keys of all stand beside the root until they fill a node, so that appending looks for no place; and nodes that grow at their
//! end stay full, so a table that is appended to wastes no room.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::mem;
use core::ops::{Bound, ControlFlow, Range};

use crate::Direction;

/// How many keys a node has at most. With room for two more, 16 bytes of each take less than the 1,024 from which on allocators
/// tidy up before they give.
const FULL: usize = 60;

/// A map in the order of its keys that is cloned for nothing, however large it is: what holds rows in memory. A clone stays as it
/// was when the other changes; that then copies the nodes on its way, once.
///
/// ```
/// use anabranch_store::Tree;
///
/// let mut tree = Tree::default();
/// tree.insert(1, "one");
/// let before = tree.clone();
/// tree.insert(1, "another");
/// assert_eq!((before.get(&1), tree.get(&1)), (Some(&"one"), Some(&"another")));
/// ```
#[derive(Debug, Clone)]
pub struct Tree<K, V> {
    root: Arc<Node<K, V>>,
    /// The last keys and their values: all of them after those below the root.
    tail: Leaf<K, V>,
    len: usize,
}

#[derive(Debug)]
struct Leaf<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
}

#[derive(Debug)]
enum Node<K, V> {
    Leaf(Leaf<K, V>),
    /// One child more than keys: each key is the lowest that the child after it may have.
    Inner {
        keys: Vec<K>,
        children: Vec<Arc<Node<K, V>>>,
    },
}

/// A copy has room to grow, as a new node has.
impl<K: Clone, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(leaf) => Node::Leaf(leaf.clone()),
            Node::Inner { keys, children } => Node::Inner { keys: copy(keys), children: copy(children) },
        }
    }
}

/// As that of a node.
impl<K: Clone, V: Clone> Clone for Leaf<K, V> {
    fn clone(&self) -> Self {
        // A table that is changed everywhere has none.
        match self.keys.is_empty() {
            true => Leaf::EMPTY,
            false => Leaf { keys: copy(&self.keys), values: copy(&self.values) },
        }
    }
}

/// One child more than keys, and one more of each just before a node is split.
const ROOM: usize = FULL + 2;

fn copy<T: Clone>(items: &[T]) -> Vec<T> {
    let mut copied = Vec::with_capacity(ROOM);
    copied.extend_from_slice(items);
    copied
}

/// The items from a place on, with room to grow.
fn split_off<T>(items: &mut Vec<T>, at: usize) -> Vec<T> {
    let mut rest = Vec::with_capacity(ROOM);
    rest.extend(items.drain(at..));
    rest
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Tree { root: Arc::new(Node::Leaf(Leaf::EMPTY)), tail: Leaf::EMPTY, len: 0 }
    }
}

impl<K, V> Tree<K, V> {
    /// How many keys it has.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// The value of a key, in O(log n).
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if self.tail.begins_by(key) {
            return self.tail.get(key);
        }
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.get(key),
                Node::Inner { keys, children } => node = &children[child_of(keys, key)],
            }
        }
    }

    /// The value of a key, to be changed. It costs what [`insert`](Self::insert) does.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if self.tail.begins_by(key) {
            return self.tail.get_mut(key);
        }
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.get_mut(key),
                Node::Inner { keys, children } => node = Arc::make_mut(&mut children[child_of(keys, key)]),
            }
        }
    }

    /// The last key that is not after this one, in O(log n).
    pub(crate) fn at_or_before(&self, key: &K) -> Option<(&K, &V)> {
        if self.tail.begins_by(key) { self.tail.at_or_before(key) } else { self.root.at_or_before(key) }
    }

    /// The first key of all, in O(log n).
    pub(crate) fn first(&self) -> Option<(&K, &V)> {
        let mut node = &*self.root;
        while let Node::Inner { children, .. } = node {
            node = children.first()?;
        }
        let below = match node {
            Node::Leaf(leaf) => leaf.at(0),
            Node::Inner { .. } => None,
        };
        below.or_else(|| self.tail.at(0))
    }

    /// Sets the value of a key, and gives back the one that it had. O(log n), and a copy of each node on its way that a clone
    /// has, too.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = match self.tail.keys.last() {
            Some(last) if key > *last => {
                self.tail.push(key, value);
                None
            }
            Some(_) if self.tail.begins_by(&key) => self.tail.insert(key, value),
            None if self.is_last(&key) => {
                self.tail.push(key, value);
                None
            }
            _ => {
                let (before, split) = Node::insert(&mut self.root, key, value);
                self.grow(split);
                before
            }
        };
        if self.tail.keys.len() > FULL {
            // The last one stays, so that the next is seen to come after it.
            let (keys, values) = (split_off(&mut self.tail.keys, FULL), split_off(&mut self.tail.values, FULL));
            let full = core::mem::replace(&mut self.tail, Leaf { keys, values });
            let split = Node::append(&mut self.root, full);
            self.grow(split);
        }
        self.len += usize::from(before.is_none());
        before
    }

    /// Whether a key comes after all that are below the root.
    fn is_last(&self, key: &K) -> bool {
        let mut node = &*self.root;
        while let Node::Inner { children, .. } = node {
            let Some(last) = children.last() else { break };
            node = last;
        }
        match node {
            Node::Leaf(leaf) => leaf.keys.last().is_none_or(|last| key > last),
            Node::Inner { .. } => false,
        }
    }

    /// Puts another root above the one that was split.
    fn grow(&mut self, split: Split<K, V>) {
        let Some((lowest, right)) = split else { return };
        let left = mem::replace(&mut self.root, Arc::new(Node::Leaf(Leaf::EMPTY)));
        let (mut keys, mut children) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
        keys.push(lowest);
        children.extend([left, right]);
        self.root = Arc::new(Node::Inner { keys, children });
    }

    /// Takes a key out, and gives back its value. Costs what [`insert`](Self::insert) does.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let removed = if self.tail.begins_by(key) {
            self.tail.remove(key)
        } else {
            // So that nothing is copied for a key that is not there.
            self.get(key)?;
            let removed = Node::remove(&mut self.root, key);
            while let Node::Inner { children, .. } = &*self.root {
                match &**children {
                    [] => self.root = Arc::new(Node::Leaf(Leaf::EMPTY)),
                    [only] => self.root = only.clone(),
                    _ => break,
                }
            }
            removed
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Visits each key within a range, until the visitor breaks off. None is within one that ends before it begins.
    pub fn scan<Q: Ord + ?Sized>(
        &self,
        from: Bound<&Q>,
        to: Bound<&Q>,
        direction: Direction,
        visit: &mut (impl FnMut(&K, &V) -> ControlFlow<()> + ?Sized),
    ) where
        K: Borrow<Q>,
    {
        let _ = match direction {
            Direction::Forward => self
                .root
                .scan(from, to, direction, visit)
                .is_continue()
                .then(|| self.tail.scan(from, to, direction, visit)),
            Direction::Backward => self
                .tail
                .scan(from, to, direction, visit)
                .is_continue()
                .then(|| self.root.scan(from, to, direction, visit)),
        };
    }
}

// What looks for a place asks for keys alone: so there is one of it for all trees with such keys, whatever their values are.

/// Which child has a key, if any has.
fn child_of<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], key: &Q) -> usize {
    keys.partition_point(|its| its.borrow() <= key)
}

/// The first and the last child that have keys within a range, if any has.
fn outermost<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], from: Bound<&Q>, to: Bound<&Q>) -> (usize, usize) {
    let first = match from {
        Bound::Included(from) | Bound::Excluded(from) => child_of(keys, from),
        Bound::Unbounded => 0,
    };
    let last = match to {
        Bound::Included(to) | Bound::Excluded(to) => child_of(keys, to),
        Bound::Unbounded => keys.len(),
    };
    (first, last)
}

/// Where a leaf's keys are that lie within a range.
fn within<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], from: Bound<&Q>, to: Bound<&Q>) -> Range<usize> {
    let first = match from {
        Bound::Included(from) => keys.partition_point(|its| its.borrow() < from),
        Bound::Excluded(from) => child_of(keys, from),
        Bound::Unbounded => 0,
    };
    let end = match to {
        Bound::Included(to) => child_of(keys, to),
        Bound::Excluded(to) => keys.partition_point(|its| its.borrow() < to),
        Bound::Unbounded => keys.len(),
    };
    first..end
}

/// The place of a key in a leaf, or that where it belongs.
fn place_of<K: Borrow<Q>, Q: Ord + ?Sized>(keys: &[K], key: &Q) -> Result<usize, usize> {
    keys.binary_search_by(|its| its.borrow().cmp(key))
}

/// A key and the node that begins with it.
type Split<K, V> = Option<(K, Arc<Node<K, V>>)>;

impl<K, V> Leaf<K, V> {
    const EMPTY: Self = Leaf { keys: Vec::new(), values: Vec::new() };

    fn push(&mut self, key: K, value: V) {
        let count = self.keys.len();
        if count == self.keys.capacity() {
            // By doubling, and not beyond what a node has.
            let more = count.clamp(4, FULL).min(ROOM.saturating_sub(count)).max(1);
            self.keys.reserve_exact(more);
            self.values.reserve_exact(more);
        }
        self.keys.push(key);
        self.values.push(value);
    }
}

impl<K: Ord + Clone, V: Clone> Leaf<K, V> {
    /// Whether a key that is anywhere is here or after here.
    fn begins_by<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.keys.first().is_some_and(|first| first.borrow() <= key)
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        place_of(&self.keys, key)
    }

    fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|place| &self.values[place])
    }

    fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|place| &mut self.values[place])
    }

    fn at(&self, place: usize) -> Option<(&K, &V)> {
        self.keys.get(place).zip(self.values.get(place))
    }

    fn at_or_before(&self, key: &K) -> Option<(&K, &V)> {
        self.at(self.keys.partition_point(|its| its <= key).checked_sub(1)?)
    }

    fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => Some(mem::replace(&mut self.values[place], value)),
            Err(place) => {
                self.keys.insert(place, key);
                self.values.insert(place, value);
                None
            }
        }
    }

    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        self.keys.remove(place);
        Some(self.values.remove(place))
    }

    fn scan<Q: Ord + ?Sized>(
        &self,
        from: Bound<&Q>,
        to: Bound<&Q>,
        direction: Direction,
        visit: &mut (impl FnMut(&K, &V) -> ControlFlow<()> + ?Sized),
    ) -> ControlFlow<()>
    where
        K: Borrow<Q>,
    {
        let Leaf { keys, values } = self;
        each(within(keys, from, to), direction, |place| visit(&keys[place], &values[place]))
    }
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn insert(node: &mut Arc<Self>, key: K, value: V) -> (Option<V>, Split<K, V>) {
        match Arc::make_mut(node) {
            Node::Leaf(leaf) => {
                let place = match leaf.place(&key) {
                    Ok(place) => return (Some(mem::replace(&mut leaf.values[place], value)), None),
                    Err(place) => place,
                };
                let Leaf { keys, values } = leaf;
                keys.insert(place, key);
                values.insert(place, value);
                if keys.len() <= FULL {
                    return (None, None);
                }
                let at = middle(place);
                let right = Leaf { keys: split_off(keys, at), values: split_off(values, at) };
                (None, Some((right.keys[0].clone(), Arc::new(Node::Leaf(right)))))
            }
            Node::Inner { keys, children } => {
                let place = child_of(keys, &key);
                let (before, split) = Node::insert(&mut children[place], key, value);
                (before, split.and_then(|split| Node::place(keys, children, place, split)))
            }
        }
    }

    fn at_or_before(&self, key: &K) -> Option<(&K, &V)> {
        match self {
            Node::Leaf(leaf) => leaf.at_or_before(key),
            // The child that would have the key may have none so low any more: then it is the last of the one before.
            Node::Inner { keys, children } => {
                let places = children.iter().take(child_of(keys, key) + 1);
                places.rev().find_map(|child| child.at_or_before(key))
            }
        }
    }

    /// Puts a leaf behind all others.
    fn append(node: &mut Arc<Self>, leaf: Leaf<K, V>) -> Split<K, V> {
        match Arc::make_mut(node) {
            Node::Leaf(only) if only.keys.is_empty() => {
                *only = leaf;
                None
            }
            Node::Leaf(_) => Some((leaf.keys[0].clone(), Arc::new(Node::Leaf(leaf)))),
            Node::Inner { keys, children } => {
                let place = children.len() - 1;
                let split = Node::append(&mut children[place], leaf);
                split.and_then(|split| Node::place(keys, children, place, split))
            }
        }
    }

    /// Puts what a child was split into behind it; where there are too many then, gives away the second half of all.
    fn place(
        keys: &mut Vec<K>,
        children: &mut Vec<Arc<Self>>,
        place: usize,
        (lowest, right): (K, Arc<Self>),
    ) -> Split<K, V> {
        keys.insert(place, lowest);
        children.insert(place + 1, right);
        if keys.len() <= FULL {
            return None;
        }
        // The key in the middle stands above both.
        let at = middle(place);
        let (right_keys, children) = (split_off(keys, at + 1), split_off(children, at + 1));
        keys.pop().map(|above| (above, Arc::new(Node::Inner { keys: right_keys, children })))
    }

    /// The key is there.
    fn remove<Q: Ord + ?Sized>(node: &mut Arc<Self>, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match Arc::make_mut(node) {
            Node::Leaf(leaf) => leaf.remove(key),
            Node::Inner { keys, children } => {
                let place = child_of(keys, key);
                let removed = Node::remove(&mut children[place], key);
                if children[place].is_empty() {
                    children.remove(place);
                    // Its neighbour may have its keys now; the lowest child of all has no key before it.
                    if !keys.is_empty() {
                        keys.remove(place.saturating_sub(1));
                    }
                }
                removed
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.keys.is_empty(),
            Node::Inner { children, .. } => children.is_empty(),
        }
    }

    fn scan<Q: Ord + ?Sized>(
        &self,
        from: Bound<&Q>,
        to: Bound<&Q>,
        direction: Direction,
        visit: &mut (impl FnMut(&K, &V) -> ControlFlow<()> + ?Sized),
    ) -> ControlFlow<()>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(leaf) => leaf.scan(from, to, direction, visit),
            Node::Inner { keys, children } => {
                let (first, last) = outermost(keys, from, to);
                each(first..last + 1, direction, |place| {
                    // All of a child between the outermost two is within.
                    let from = if place == first { from } else { Bound::Unbounded };
                    let to = if place == last { to } else { Bound::Unbounded };
                    children[place].scan(from, to, direction, visit)
                })
            }
        }
    }
}

/// Where a node that has grown too large at a place is split: what grows at its end stays full.
const fn middle(place: usize) -> usize {
    if place == FULL { FULL } else { FULL / 2 }
}

fn each(
    mut places: Range<usize>,
    direction: Direction,
    mut visit: impl FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match direction {
        Direction::Forward => places.try_for_each(visit),
        Direction::Backward => places.rev().try_for_each(&mut visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    fn all(tree: &Tree<u16, u32>, from: Bound<&u16>, to: Bound<&u16>, direction: Direction) -> Vec<(u16, u32)> {
        let mut found = Vec::new();
        tree.scan(from, to, direction, &mut |key, value| {
            found.push((*key, *value));
            ControlFlow::Continue(())
        });
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn it_is_a_map_and_its_clones_stay_as_they_were(
            // Runs of keys, so that nodes fill, split, and empty again.
            runs in prop::collection::vec((any::<bool>(), 0_u16..20_000, 1_u16..800, any::<bool>()), 1..30),
            bounds in prop::collection::vec((0_u16..21_000, 0_u16..21_000), 8),
        ) {
            let (mut tree, mut map) = (Tree::default(), BTreeMap::new());
            let mut clones = Vec::new();
            for (value, (removes, from, length, downwards)) in (0..).zip(runs) {
                if value % 3 == 0 {
                    clones.push((tree.clone(), map.clone()));
                }
                for step in 0..length {
                    let key = if downwards { from + length - step } else { from + step };
                    if removes {
                        prop_assert_eq!(tree.remove(&key), map.remove(&key));
                    } else {
                        prop_assert_eq!(tree.insert(key, value), map.insert(key, value));
                    }
                }
                prop_assert_eq!(tree.len(), map.len());
            }
            clones.push((tree, map));
            for (tree, map) in &clones {
                let expected: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
                prop_assert_eq!(&all(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward), &expected);
                for (low, high) in &bounds {
                    prop_assert_eq!(tree.get(low), map.get(low));
                    for from in [Bound::Included(low), Bound::Excluded(low), Bound::Unbounded] {
                        for to in [Bound::Included(high), Bound::Excluded(high), Bound::Unbounded] {
                            let within = |(key, _): &&(u16, u32)| {
                                (match from { Bound::Included(low) => key >= low, Bound::Excluded(low) => key > low, Bound::Unbounded => true })
                                && (match to { Bound::Included(high) => key <= high, Bound::Excluded(high) => key < high, Bound::Unbounded => true })
                            };
                            let mut expected: Vec<_> = expected.iter().filter(within).copied().collect();
                            prop_assert_eq!(&all(tree, from, to, Direction::Forward), &expected);
                            expected.reverse();
                            prop_assert_eq!(&all(tree, from, to, Direction::Backward), &expected);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nodes_that_are_appended_to_stay_full() {
        let mut tree = Tree::default();
        for key in 0..60_000_u32 {
            tree.insert(key, ());
        }
        let leaves = |tree: &Tree<u32, ()>| {
            fn count(node: &Node<u32, ()>) -> usize {
                match node {
                    Node::Leaf(_) => 1,
                    Node::Inner { children, .. } => children.iter().map(|child| count(child)).sum(),
                }
            }
            count(&tree.root)
        };
        // All that is not in the last 60, beside the root.
        assert_eq!((leaves(&tree), tree.tail.keys.len(), tree.tail.keys.capacity()), (999, 60, ROOM));
    }
}
