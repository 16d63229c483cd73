//! What is counted by namespace, and times that are met once: with no more code than a browser has to load for it.

use crate::Timestamp;
use crate::codec::NamespaceRow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use anabranch_value::Text;

/// The rows of namespaces, in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    rows: Vec<(Text, NamespaceRow)>,
    /// Where each stands: a map as large maps of values have one, so that its code is there already.
    index: BTreeMap<Text, usize>,
}

impl Namespaces {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.index = BTreeMap::new();
    }

    pub fn get(&self, name: &str) -> Option<&NamespaceRow> {
        self.index.get(name).map(|place| &self.rows[*place].1)
    }

    /// The row of a namespace, which begins with nothing in it.
    pub fn of(&mut self, name: &str) -> &mut NamespaceRow {
        let place = match self.index.get(name) {
            Some(place) => *place,
            None => {
                let name = Text::from(name);
                self.index.insert(name.clone(), self.rows.len());
                self.rows.push((name, NamespaceRow::default()));
                self.rows.len() - 1
            }
        };
        &mut self.rows[place].1
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Text, &NamespaceRow)> {
        self.rows.iter().map(|(name, row)| (name, row))
    }
}

/// Times, each once, in their order: for a few thousand at most, each of which may move all others.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Timestamp>);

impl Times {
    /// Whether it is new.
    pub fn insert(&mut self, at: Timestamp) -> bool {
        match self.0.binary_search(&at) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, at);
                true
            }
        }
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_one_row_and_a_time_is_new_once() {
        let mut namespaces = Namespaces::default();
        assert!(namespaces.is_empty());
        for name in ["b", "a", "b"] {
            namespaces.of(name).ever += 1;
        }
        assert_eq!(namespaces.get("b").map(|row| row.ever), Some(2));
        assert_eq!(namespaces.get("c"), None);
        assert_eq!(namespaces.iter().map(|(name, row)| (&**name, row.ever)).collect::<Vec<_>>(), [("b", 2), ("a", 1)]);
        namespaces.clear();
        assert!(namespaces.is_empty() && namespaces.get("b").is_none());

        let mut times = Times::default();
        let new = [5, 3, 5, 9, 3].map(|nanos| times.insert(Timestamp::from_nanos(nanos)));
        assert_eq!((new, times.len()), ([true, true, false, true, false], 3));
    }
}
