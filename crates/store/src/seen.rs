//! Which versions were met.

use crate::VersionId;
use crate::tree::Tree;
use alloc::sync::Arc;

/// A set of versions. It is a tree of the kind that holds rows in memory, so that a program has it once.
#[derive(Debug, Default)]
pub struct Seen(Tree<Arc<[u8]>, Option<Arc<[u8]>>>);

impl Seen {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a version is among them, in O(log n).
    #[must_use]
    pub fn has(&self, id: &VersionId) -> bool {
        self.0.get(id.as_bytes().as_slice()).is_some()
    }

    /// Adds a version, in O(log n): `false` where it was there.
    pub fn insert(&mut self, id: &VersionId) -> bool {
        self.0.insert(id.as_bytes().as_slice().into(), None).is_none()
    }
}
