//! Tables in memory: for tests, for browsers' tabs, for whoever keeps nothing.
//!
//! Tables with a row for each version hold their keys as the numbers that they are, and the versions of a key lie in blocks of
//! their own.

mod block;
mod chain;
mod versions;

use crate::backend::{Backend, BackendError, Batch, Direction, Durability, Table, Usage, View, Visit};
use crate::tree::Tree;
use alloc::format;
use alloc::sync::Arc;
use core::ops::{Bound, ControlFlow};
use versions::Versions;

#[cfg(not(feature = "std"))]
use core::cell::RefCell;
#[cfg(feature = "std")]
use std::sync::{PoisonError, RwLock};

/// Tables in memory, gone when it is dropped.
///
/// A view shares the tables, and a commit copies what a view shares and it changes: neither waits for the other for
/// longer than it takes to move a batch's rows in.
#[derive(Debug, Default)]
pub struct Memory {
    #[cfg(feature = "std")]
    tables: RwLock<Arc<Tables>>,
    #[cfg(not(feature = "std"))]
    tables: RefCell<Arc<Tables>>,
}

type Bytes = Arc<[u8]>;

#[derive(Debug, Clone, Default)]
struct Tables {
    /// Those with keys of any length: `Meta`, `Namespaces`, `Keys`, `Segments`. All rows are there: what holds changes of a table has
    /// such a tree, too, so there is one kind of it.
    named: [Tree<Bytes, Option<Bytes>>; 4],
    versions: Versions,
    times: Tree<u64, u64>,
    effects: Tree<u128, ()>,
    /// Bytes of keys and rows of any length that are on the heap, each with what the heap takes for itself.
    heap: usize,
}

/// Which way a table holds its rows.
enum Kind {
    Named(usize),
    Versions,
    Times,
    Effects,
}

const fn kind(table: Table) -> Kind {
    match table {
        Table::Meta => Kind::Named(0),
        Table::Namespaces => Kind::Named(1),
        Table::Keys => Kind::Named(2),
        Table::Segments => Kind::Named(3),
        Table::Versions => Kind::Versions,
        Table::Times => Kind::Times,
        Table::Effects => Kind::Effects,
    }
}

impl Memory {
    /// Empty tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(feature = "std")]
    fn shared(&self) -> Arc<Tables> {
        // Whoever panicked had changed nothing yet, or all: a change cannot fail.
        self.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(feature = "std")]
    fn change(&self, change: impl FnOnce(&mut Tables)) {
        change(Arc::make_mut(&mut *self.tables.write().unwrap_or_else(PoisonError::into_inner)));
    }

    #[cfg(not(feature = "std"))]
    fn shared(&self) -> Arc<Tables> {
        self.tables.borrow().clone()
    }

    #[cfg(not(feature = "std"))]
    fn change(&self, change: impl FnOnce(&mut Tables)) {
        change(Arc::make_mut(&mut *self.tables.borrow_mut()));
    }
}

impl Backend for Memory {
    type View<'b> = MemoryView;

    fn view(&self) -> Result<MemoryView, BackendError> {
        Ok(MemoryView(self.shared()))
    }

    fn commit(&self, batch: &Batch, _durability: Durability) -> Result<(), BackendError> {
        for (table, key, row) in batch.changes() {
            let is_whole = match kind(table) {
                Kind::Named(_) => true,
                Kind::Versions | Kind::Effects => key.len() == 16,
                Kind::Times => key.len() == 8 && row.is_none_or(|row| row.len() == 8),
            };
            if !is_whole {
                return Err(BackendError::Io(format!("a key or a row of {table:?} has a wrong length")));
            }
        }
        self.change(|tables| batch.changes().for_each(|(table, key, row)| tables.change(table, key, row)));
        Ok(())
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        Ok(Usage { memory: self.shared().memory() as u64, disk: 0 })
    }

    fn is_lasting(&self) -> bool {
        false
    }
}

/// What an allocation of so many bytes that is shared takes: two counters, and allocators add a word, and round to 16.
const fn on_heap(length: usize) -> usize {
    (length + 16 + 8).next_multiple_of(16)
}

impl Tables {
    fn change(&mut self, table: Table, key: &[u8], row: Option<&[u8]>) {
        match (kind(table), row) {
            (Kind::Named(place), row) => {
                let rows = &mut self.named[place];
                let before = match row {
                    Some(row) => rows.insert(key.into(), Some(row.into())),
                    None => rows.remove(key),
                };
                match (row, &before) {
                    (Some(_), None) => self.heap += on_heap(key.len()),
                    (None, Some(_)) => self.heap -= on_heap(key.len()),
                    _ => {}
                }
                self.count(row, before.flatten());
            }
            (Kind::Versions, Some(row)) => self.versions.set(wide(key), row),
            (Kind::Versions, None) => self.versions.remove(wide(key)),
            (Kind::Times, Some(row)) => drop(self.times.insert(narrow(key), narrow(row))),
            (Kind::Times, None) => drop(self.times.remove(&narrow(key))),
            (Kind::Effects, Some(_)) => drop(self.effects.insert(wide(key), ())),
            (Kind::Effects, None) => drop(self.effects.remove(&wide(key))),
        }
    }

    fn count(&mut self, row: Option<&[u8]>, before: Option<Bytes>) {
        self.heap += row.map_or(0, |row| on_heap(row.len()));
        self.heap -= before.map_or(0, |before| on_heap(before.len()));
    }

    /// Nodes that are filled in order are full; others are about two thirds full, which is what is said of all.
    fn memory(&self) -> usize {
        let named: usize = self.named.iter().map(|rows| rows.len() * 32).sum();
        let slots = named + self.times.len() * 16 + self.effects.len() * 16;
        slots * 3 / 2 + self.heap + self.versions.memory()
    }
}

/// A key of 16 bytes, as a number.
fn wide(key: &[u8]) -> u128 {
    key.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

/// A key or a row of 8 bytes, as a number.
fn narrow(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Tables in memory, as they were at one moment.
#[derive(Debug)]
pub struct MemoryView(Arc<Tables>);

impl View for MemoryView {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), BackendError> {
        match kind(table) {
            Kind::Named(place) => self.0.named[place].get(key).into_iter().flatten().for_each(|row| read(row)),
            Kind::Versions if key.len() == 16 => self.0.versions.get(wide(key)).into_iter().for_each(read),
            Kind::Times if key.len() == 8 => {
                self.0.times.get(&narrow(key)).into_iter().for_each(|row| read(&row.to_be_bytes()));
            }
            Kind::Effects if key.len() == 16 => {
                self.0.effects.get(&wide(key)).into_iter().for_each(|()| read(&[]));
            }
            // No row has a key of another length.
            Kind::Versions | Kind::Times | Kind::Effects => {}
        }
        Ok(())
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), BackendError> {
        match kind(table) {
            Kind::Named(place) => {
                let visit = &mut |key: &Bytes, row: &Option<Bytes>| match row {
                    Some(row) => visit(key, row),
                    None => ControlFlow::Continue(()),
                };
                self.0.named[place].scan(range.0, range.1, direction, visit);
            }
            Kind::Versions => {
                let (from, to) = numbers::<16, u128>(range, wide);
                let visit = &mut |key: u128, row: &[u8]| visit(&key.to_be_bytes(), row);
                self.0.versions.scan(from, to, direction, visit);
            }
            Kind::Times => {
                let (from, to) = numbers::<8, u64>(range, narrow);
                let visit = &mut |key: &u64, row: &u64| visit(&key.to_be_bytes(), &row.to_be_bytes());
                self.0.times.scan(from.as_ref(), to.as_ref(), direction, visit);
            }
            Kind::Effects => {
                let (from, to) = numbers::<16, u128>(range, wide);
                let visit = &mut |key: &u128, (): &()| visit(&key.to_be_bytes(), &[]);
                self.0.effects.scan(from.as_ref(), to.as_ref(), direction, visit);
            }
        }
        Ok(())
    }

    fn count(&self, table: Table) -> Result<u64, BackendError> {
        let count = match kind(table) {
            Kind::Named(place) => self.0.named[place].len(),
            Kind::Versions => self.0.versions.len(),
            Kind::Times => self.0.times.len(),
            Kind::Effects => self.0.effects.len(),
        };
        Ok(count as u64)
    }
}

/// The bounds of a range of bytes, as bounds of the numbers with `N` bytes that lie within it.
fn numbers<const N: usize, T>(
    range: (Bound<&[u8]>, Bound<&[u8]>),
    number: impl Fn(&[u8]) -> T,
) -> (Bound<T>, Bound<T>) {
    let padded = |bytes: &[u8]| {
        let mut padded = [0; N];
        let length = bytes.len().min(N);
        padded[..length].copy_from_slice(&bytes[..length]);
        number(&padded)
    };
    let from = match range.0 {
        Bound::Unbounded => Bound::Unbounded,
        // What is longer comes after what it begins with, and what is shorter before.
        Bound::Included(bytes) if bytes.len() <= N => Bound::Included(padded(bytes)),
        Bound::Excluded(bytes) if bytes.len() < N => Bound::Included(padded(bytes)),
        Bound::Included(bytes) | Bound::Excluded(bytes) => Bound::Excluded(padded(bytes)),
    };
    let to = match range.1 {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(bytes) if bytes.len() >= N => Bound::Included(padded(bytes)),
        Bound::Excluded(bytes) if bytes.len() > N => Bound::Included(padded(bytes)),
        Bound::Included(bytes) | Bound::Excluded(bytes) => Bound::Excluded(padded(bytes)),
    };
    (from, to)
}
