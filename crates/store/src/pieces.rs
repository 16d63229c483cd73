//! Exports and imports by pieces: for a host that gives and takes them when it can, and is not to be held up meanwhile.

use crate::StoreError;
use crate::store::Store;
use crate::transfer::{Export, Import, Imported};
use alloc::string::String;

impl Store {
    /// Begins an export that is asked for its pieces: all that was written before. It holds a page of a chain, and no more.
    ///
    /// # Errors
    /// What the backend says.
    pub fn exporting(&self) -> Result<Exporting, StoreError> {
        Ok(Exporting { export: Export::begin(&self.inner.backend)?, store: self.clone() })
    }

    /// Begins an import that is handed the pieces of a file as they come. It holds what is read and not written, and no more.
    #[must_use]
    pub fn importing(&self) -> Importing {
        Importing { import: Import::default(), store: self.clone() }
    }
}

/// An export that goes on, for whoever cannot be called with its pieces: [`Store::exporting`].
pub struct Exporting {
    store: Store,
    export: Export,
}

impl Exporting {
    /// The next bytes of the file, `most` at most; none are the end.
    ///
    /// # Errors
    /// What the backend says, but for damage: what is damaged is left out.
    pub fn next_piece(&mut self, most: usize) -> Result<&[u8], StoreError> {
        self.export.next(&self.store.inner.backend, most, &mut |_| ())
    }
}

/// An import that goes on, for whoever cannot be asked for its pieces: [`Store::importing`].
pub struct Importing {
    store: Store,
    import: Import,
}

impl Importing {
    /// Takes the next piece of the file. What is read whole of it is written by and by.
    ///
    /// # Errors
    /// As [`Store::import`]; nothing more is taken then.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        self.import.feed(piece, &mut |chunk, durability| inner.take(chunk, durability), &mut |_| ())
    }

    /// The file has ended: says what came of it, if it was whole.
    ///
    /// # Errors
    /// As [`Store::import`].
    pub fn end(self) -> Result<Imported, StoreError> {
        self.import.end(&mut |chunk, durability| self.store.inner.take(chunk, durability))
    }

    /// The file ends before its end, for this reason. What was read whole stays, and is on stable storage.
    ///
    /// # Errors
    /// [`StoreError::Import`] with the reason.
    pub fn give_up(self, reason: String) -> Result<Imported, StoreError> {
        self.import.give_up(reason, &mut |chunk, durability| self.store.inner.take(chunk, durability))
    }
}
