//! The seam between a storage and its device: a row of bytes that outlives the program, and where such rows stand.
//!
//! ```text
//!  storage/redb ──▶ Place ──▶ Medium     one, and a spare that can take its place: a directory, or a simulated one
//!  storage/opfs ────────────▶ Medium     two, open as long as the database is: handles of a browser, or simulated ones
//! ```
//!
//! **The contract** of a [`Medium`]: what was written is there after a crash once a later [`sync`](Medium::sync) has returned.
//! Until then any part of it may be, in any order; and after a sync that failed nobody knows, whatever later ones say.
//!
//! The feature `sim` brings a disk in memory that keeps just that and no more.
#![forbid(unsafe_code)]

#[cfg(feature = "sim")]
pub mod sim;

use std::{fmt::Debug, io, sync::Arc};

/// A row of bytes that outlives the program: a file. What is written is safe when a later [`sync`](Self::sync) has returned.
pub trait Medium: Debug + Send + Sync + 'static {
    /// How many bytes there are.
    ///
    /// # Errors
    /// Those of the platform.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are none.
    ///
    /// # Errors
    /// Those of the platform.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` with the bytes that begin at `offset`.
    ///
    /// # Errors
    /// Those of the platform; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when there are fewer.
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// Those of the platform; some of the bytes may have been written.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts it off, or makes it longer by zeros.
    ///
    /// # Errors
    /// Those of the platform.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns when all that was written is on stable storage.
    ///
    /// # Errors
    /// Those of the platform: what was written since the last one that succeeded may be there or not.
    fn sync(&self) -> io::Result<()>;

    /// How many bytes it takes of its disk.
    ///
    /// # Errors
    /// Those of the platform.
    fn taken(&self) -> io::Result<u64>;
}

/// Where the database's medium stands, and a spare one beside it that can take its place: a directory.
pub trait Place: Debug + Send + Sync + 'static {
    /// The database's medium, if there is one.
    ///
    /// # Errors
    /// Those of the platform.
    fn medium(&self) -> io::Result<Option<Arc<dyn Medium>>>;

    /// An empty medium; one that was made before and not published is gone.
    ///
    /// # Errors
    /// Those of the platform.
    fn spare(&self) -> io::Result<Arc<dyn Medium>>;

    /// Puts the spare medium into the place of the database's, at once or not at all, and durably.
    ///
    /// # Errors
    /// Those of the platform.
    fn publish(&self) -> io::Result<()>;
}
