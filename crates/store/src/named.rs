//! What keys are called, by their numbers.

use crate::tree::Tree;
use alloc::vec::Vec;
use anabranch_value::Text;

/// The names of keys, a namespace and a key each, of those that are wanted. A tree of numbers says where they stand: there is such a
/// one for other tables, too.
#[derive(Debug, Default)]
pub(crate) struct Named {
    places: Tree<u64, u64>,
    names: Vec<Option<(Text, Text)>>,
}

impl Named {
    /// How many keys there are: what follows a store remembers so many, and needs threads.
    #[cfg(feature = "std")]
    pub(crate) const fn len(&self) -> usize {
        self.places.len()
    }

    /// What is known of a key: its names, or that they are not wanted.
    pub(crate) fn get(&self, number: u64) -> Option<&Option<(Text, Text)>> {
        self.names.get(usize::try_from(*self.places.get(&number)?).ok()?)
    }

    /// Notes a key; of two that have one number, the later.
    pub(crate) fn insert(&mut self, number: u64, names: Option<(Text, Text)>) {
        self.places.insert(number, self.names.len() as u64);
        self.names.push(names);
    }
}
