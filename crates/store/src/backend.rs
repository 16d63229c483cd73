//! What the store asks of a place that keeps bytes: a few ordered tables, written many rows at once or not at all.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::ops::{Bound, ControlFlow, Range};

/// A table: rows with keys of bytes, in the order of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// What the database knows of itself: its format, its clock, its counters. A handful of rows.
    Meta = 0,
    /// Names of namespaces, and what is known of each.
    Namespaces = 1,
    /// Namespace and key, to the key's number and what is known of its chain. As many rows as there are keys.
    Keys = 2,
    /// A key's number and a timestamp (8 bytes each, big-endian), to the version; at time 0, to the key itself. As many rows
    /// as there are versions and keys.
    Versions = 3,
    /// A timestamp (8 bytes, big-endian), to the number of the key that was written then (8 bytes). As many rows as there
    /// are versions, appended to at the end.
    Times = 4,
    /// The timestamp of a cause and that of its effect (8 bytes each, big-endian), to nothing.
    Effects = 5,
    /// A key's number and a timestamp (8 bytes each, big-endian), to versions that were moved out of `Versions`, in a compressed
    /// segment; at time 0, to what is left of those that were dropped.
    Segments = 6,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 7] =
        [Table::Meta, Table::Namespaces, Table::Keys, Table::Versions, Table::Times, Table::Effects, Table::Segments];
}

/// What becomes of a commit when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// When the commit has returned, it is on stable storage.
    #[default]
    Immediate,
    /// It may be lost with those after it, and never in part; a later commit that is `Immediate` makes it durable.
    Relaxed,
}

/// Which way rows are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the lowest key to the highest.
    Forward,
    /// From the highest to the lowest.
    Backward,
}

/// A place that keeps the tables. Readers and the one writer share it.
///
/// **The contract:** [`commit`](Self::commit) makes all of a batch visible to views that are taken after it has returned, and
/// none of it to those before; when it fails, none of it ever is. After a crash the tables are as after some commit, and
/// after the last one that was [`Durability::Immediate`] at least. What is read back is what was written, or an error.
/// Views do not wait for commits, however long those take to sync, nor commits for views.
pub trait Backend {
    /// The tables as they were at one moment.
    type View<'b>: View
    where
        Self: 'b;

    /// The tables as they are after the last commit.
    ///
    /// # Errors
    /// [`BackendError`].
    fn view(&self) -> Result<Self::View<'_>, BackendError>;

    /// Writes `batch`. Called by one writer at a time.
    ///
    /// # Errors
    /// [`BackendError`]: nothing of the batch was written.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError>;

    /// How large it is.
    ///
    /// # Errors
    /// [`BackendError`].
    fn usage(&self) -> Result<Usage, BackendError>;

    /// Whether what is written outlives the process: a commit then costs a sync, which is worth sharing.
    fn is_lasting(&self) -> bool {
        true
    }
}

/// A backend that others have, too, is one.
macro_rules! passed_on {
    ($($shared:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $shared {
            type View<'b>
                = B::View<'b>
            where
                Self: 'b;

            fn view(&self) -> Result<Self::View<'_>, BackendError> {
                (**self).view()
            }

            fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
                (**self).commit(batch, durability)
            }

            fn usage(&self) -> Result<Usage, BackendError> {
                (**self).usage()
            }

            fn is_lasting(&self) -> bool {
                (**self).is_lasting()
            }
        }
    )*};
}

passed_on!(&B, Arc<B>);

impl<V: View + ?Sized> View for Box<V> {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), BackendError> {
        (**self).get(table, key, read)
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), BackendError> {
        (**self).scan(table, range, direction, visit)
    }

    fn count(&self, table: Table) -> Result<u64, BackendError> {
        (**self).count(table)
    }
}

/// Takes the key and the row of each row in turn, and says whether to go on.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reads tables as they were at one moment.
pub trait View {
    /// Calls `read` with the row of `key`, if there is one.
    ///
    /// # Errors
    /// [`BackendError`].
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), BackendError>;

    /// Calls `visit` with each row within `range`, until it breaks off.
    ///
    /// # Errors
    /// [`BackendError`].
    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), BackendError>;

    /// How many rows a table has.
    ///
    /// # Errors
    /// [`BackendError`].
    fn count(&self, table: Table) -> Result<u64, BackendError>;
}

/// What a backend takes of memory and disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Of memory, as far as it knows.
    pub memory: u64,
    /// Of disk.
    pub disk: u64,
}

/// Rows to be written together. Its memory is used again after [`clear`](Self::clear): a batch costs no allocation a row.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
struct Change {
    table: Table,
    key: Range<usize>,
    /// `None`: the row goes.
    row: Option<Range<usize>>,
}

impl Batch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Batch { bytes: Vec::new(), changes: Vec::new() }
    }

    /// Writes `row` under `key`, over what is there. A later change of the same key stands over an earlier one.
    pub fn put(&mut self, table: Table, key: &[u8], row: &[u8]) {
        let key = self.append(key);
        let row = self.append(row);
        self.changes.push(Change { table, key, row: Some(row) });
    }

    /// Takes the row of `key` away, if there is one.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        let key = self.append(key);
        self.changes.push(Change { table, key, row: None });
    }

    /// Each change in its order: the table, the key, and the row, or `None` when it goes.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = (Table, &[u8], Option<&[u8]>)> + Clone {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.changes.iter().map(move |change| (change.table, bytes(&change.key), change.row.as_ref().map(bytes)))
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes it has.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// How many bytes its keys and rows have.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Takes all changes out.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        from..self.bytes.len()
    }
}

/// Why a backend could not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// There is no room left.
    #[error("the disk is full: make room, and write again; what was written before is safe")]
    Full,
    /// Bytes are not what they were when they were written.
    #[error("the database is damaged: {0}; `verify` tells which keys are, and `export` saves the rest")]
    Damaged(String),
    /// Another process has the database open.
    #[error("the database is in use by another process: talk to that one, or end it")]
    InUse,
    /// It is not a database of this kind.
    #[error("this is no database of Anabranch: {0}")]
    NotADatabase(String),
    /// A later version of the program wrote it.
    #[error("the database has format {found}, and this program knows up to {known}: use a newer one")]
    Newer {
        /// What it says it is.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// A write or a sync failed, so it is not known what is on disk: it has to be opened anew.
    #[error("the database could not be written: {0}; open it again")]
    Poisoned(String),
    /// Anything else that the platform said.
    #[error("the database could not be read or written: {0}")]
    Io(String),
}

impl BackendError {
    /// What it is, as programs in other languages and over HTTP are told: a code that stays the same.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            BackendError::Full => "STORAGE_FULL",
            BackendError::Damaged(_) => "DAMAGED",
            BackendError::InUse => "IN_USE",
            BackendError::NotADatabase(_) => "NOT_A_DATABASE",
            BackendError::Newer { .. } => "NEWER_FORMAT",
            BackendError::Poisoned(_) => "REOPEN_NEEDED",
            BackendError::Io(_) => "STORAGE_FAILED",
        }
    }
}
