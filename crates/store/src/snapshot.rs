//! The whole database as of a moment, one key after another.

use crate::read::Place;
use crate::store::Store;
use crate::{KeyedVersion, StoreError, Timestamp};
use alloc::vec::IntoIter;
use alloc::vec::Vec;

/// How many keys are read at once: no view is held between two of them.
const PAGE: usize = 256;

/// Each key that was there at a moment, with the version that it had: in the order of namespaces and keys.
///
/// Versions never change, so it is the database as of one moment, however long one takes to go through it.
#[derive(Debug)]
pub struct Snapshot {
    store: Store,
    at: Timestamp,
    page: IntoIter<KeyedVersion>,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    All,
    After(Place),
    Nothing,
}

impl Store {
    /// The whole database as it was at a moment; later than the last write, it is as it is now. A key whose version of that moment
    /// retention has dropped is not in it.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn snapshot_at(&self, at: Timestamp) -> Result<Snapshot, StoreError> {
        // What is written while it is read is later than this.
        let last = self.reader()?.last_write()?.unwrap_or(Timestamp::ZERO);
        Ok(Snapshot { store: self.clone(), at: at.min(last), page: Vec::new().into_iter(), rest: Rest::All })
    }
}

impl Snapshot {
    /// As of when it is.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    fn turn(&mut self) -> Result<bool, StoreError> {
        let after = match core::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::All => None,
            Rest::After(place) => Some(place),
            Rest::Nothing => return Ok(false),
        };
        let page = self.store.reader()?.snapshot_page(self.at, after.as_ref(), PAGE)?;
        self.page = page.items.into_iter();
        self.rest = page.next.map_or(Rest::Nothing, Rest::After);
        Ok(true)
    }
}

impl Iterator for Snapshot {
    type Item = Result<KeyedVersion, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(version) = self.page.next() {
                return Some(Ok(version));
            }
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
