//! A map that keeps the order of its keys, finds them fast however many there are, and is cloned for nothing.

use crate::{Text, Value};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::slice;

/// The most entries that are searched from one end to the other: about where an index begins to be faster.
const SEARCHED: usize = 16;

/// Keys and their values, in the order in which the keys came. Each key stands once.
///
/// A clone shares the entries; whoever changes one of two clones gets entries of his own first. A key is found in a time
/// that grows with the logarithm of the number of keys: an ordered index, since a hash without randomness (engines draw
/// none) can be made to collide by whoever sends the keys.
#[derive(Clone, Default)]
pub struct Map(Option<Arc<Entries>>);

/// The entries of a map, or of one in the making: nobody shares it yet.
#[derive(Clone, Default)]
pub(crate) struct Entries {
    entries: Vec<(Text, Value)>,
    /// Where each key stands, in a map that is too large to be searched; empty in others.
    index: BTreeMap<Text, usize>,
}

impl Entries {
    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() > SEARCHED {
            self.index.get(key).copied()
        } else {
            self.entries.iter().position(|(its, _)| its == key)
        }
    }

    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity), index: BTreeMap::new() }
    }

    /// Adds an entry, or gives back the key if it is there already: nothing is replaced.
    pub fn insert_new(&mut self, key: Text, value: Value) -> Result<(), Text> {
        match self.position(&key) {
            Some(_) => Err(key),
            None => {
                self.push(key, value);
                Ok(())
            }
        }
    }

    fn push(&mut self, key: Text, value: Value) {
        let position = self.entries.len();
        if position > SEARCHED {
            self.index.insert(key.clone(), position);
        }
        self.entries.push((key, value));
        if position == SEARCHED {
            for (position, (key, _)) in self.entries.iter().enumerate() {
                self.index.insert(key.clone(), position);
            }
        }
    }
}

impl Map {
    /// A map without entries; it allocates nothing.
    pub const fn new() -> Self {
        Self(None)
    }

    /// A map without entries that has room for as many.
    pub fn with_capacity(capacity: usize) -> Self {
        match capacity {
            0 => Self::new(),
            _ => Self(Some(Arc::new(Entries::with_capacity(capacity)))),
        }
    }

    fn entries(&self) -> &[(Text, Value)] {
        self.0.as_ref().map_or(&[], |inner| &inner.entries)
    }

    fn entries_mut(&mut self) -> &mut Entries {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let inner = self.0.as_deref()?;
        inner.position(key).map(|position| &inner.entries[position].1)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let position = self.0.as_deref()?.position(key)?;
        Some(&mut self.entries_mut().entries[position].1)
    }

    /// Sets the value of a key, and gives back the one that it had. A key keeps its place; a new one goes to the end.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        let inner = self.entries_mut();
        if let Some(position) = inner.position(&key) {
            return Some(core::mem::replace(&mut inner.entries[position].1, value));
        }
        inner.push(key, value);
        None
    }

    /// Takes out an entry; those after it move up.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let position = self.0.as_deref()?.position(key)?;
        let inner = self.entries_mut();
        let (_, value) = inner.entries.remove(position);
        if inner.entries.len() > SEARCHED {
            inner.index.remove(key);
            inner.index.values_mut().filter(|its| **its > position).for_each(|its| *its -= 1);
        } else {
            inner.index.clear();
        }
        Some(value)
    }

    /// The entry of a map that has exactly one.
    pub(crate) fn only(&self) -> Option<(&Text, &Value)> {
        match self.entries() {
            [(key, value)] => Some((key, value)),
            _ => None,
        }
    }

    /// The entries, in the order of the map.
    pub fn iter(&self) -> Iter<'_> {
        self.entries().iter().map(|(key, value)| (key, value))
    }

    /// The keys, in the order of the map.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Text> + DoubleEndedIterator + Clone {
        self.entries().iter().map(|(key, _)| key)
    }

    /// The values, in the order of the map.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> + DoubleEndedIterator + Clone {
        self.entries().iter().map(|(_, value)| value)
    }

    /// The values, in the order of the map, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let entries: &mut [(Text, Value)] = match &mut self.0 {
            Some(inner) => &mut Arc::make_mut(inner).entries,
            None => &mut [],
        };
        entries.iter_mut().map(|(_, value)| value)
    }

    /// The entries by their keys.
    pub(crate) fn sorted(&self) -> Vec<(&Text, &Value)> {
        let mut sorted: Vec<_> = self.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted
    }

    /// Whether both are the very same entries in memory, so that there is nothing to compare.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(another)) => Arc::ptr_eq(one, another),
            (None, None) => true,
            _ => false,
        }
    }
}

impl From<Entries> for Map {
    fn from(entries: Entries) -> Self {
        Self((!entries.entries.is_empty()).then(|| Arc::new(entries)))
    }
}

/// The later of two entries with one key wins, in the place of the earlier: as if each were [inserted](Map::insert).
impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Into<Text>, V: Into<Value>> Extend<(K, V)> for Map {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Into<Text>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Map {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

/// The entries of a map in its order.
type Iter<'m> = core::iter::Map<slice::Iter<'m, (Text, Value)>, fn(&'m (Text, Value)) -> (&'m Text, &'m Value)>;

impl<'m> IntoIterator for &'m Map {
    type Item = (&'m Text, &'m Value);
    type IntoIter = Iter<'m>;

    fn into_iter(self) -> Iter<'m> {
        self.iter()
    }
}

impl IntoIterator for Map {
    type Item = (Text, Value);
    type IntoIter = alloc::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(Arc::unwrap_or_clone).unwrap_or_default().entries.into_iter()
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
