//! Tables in memory: for tests, for browsers' tabs, for whoever keeps nothing.
//!
//! Two tables have a row for each version, so they hold their keys as the numbers that they are.

use crate::backend::{Backend, BackendError, Batch, Direction, Durability, Table, Usage, View, Visit};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use core::ops::{Bound, ControlFlow};

#[cfg(feature = "std")]
use std::sync::{RwLock as Cell, RwLockReadGuard as Guard};

#[cfg(not(feature = "std"))]
use core::cell::{Ref as Guard, RefCell as Cell};

/// Tables in memory, gone when it is dropped.
///
/// A commit waits until no view is left, and views wait while one is made, which is for as long as it takes to move its rows
/// in. So whoever holds a view does not commit on the same thread. Without the feature `std`, that is an error.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Cell<Tables>,
}

type Named = BTreeMap<Box<[u8]>, Box<[u8]>>;

#[derive(Debug, Default)]
struct Tables {
    /// Those with keys of any length: `Meta`, `Namespaces`, `Keys`, `Segments`.
    named: [Named; 4],
    versions: BTreeMap<u128, Box<[u8]>>,
    times: BTreeMap<u64, u64>,
    effects: BTreeMap<u128, ()>,
    /// Bytes of keys and rows that are on the heap, each with what the heap takes for itself.
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
    fn read(&self) -> Result<Guard<'_, Tables>, BackendError> {
        self.tables.read().map_err(|_| panicked())
    }

    #[cfg(feature = "std")]
    fn change(&self) -> Result<std::sync::RwLockWriteGuard<'_, Tables>, BackendError> {
        self.tables.write().map_err(|_| panicked())
    }

    #[cfg(not(feature = "std"))]
    fn read(&self) -> Result<Guard<'_, Tables>, BackendError> {
        self.tables.try_borrow().map_err(|_| held())
    }

    #[cfg(not(feature = "std"))]
    fn change(&self) -> Result<core::cell::RefMut<'_, Tables>, BackendError> {
        self.tables.try_borrow_mut().map_err(|_| held())
    }
}

#[cfg(feature = "std")]
#[cold]
fn panicked() -> BackendError {
    BackendError::Poisoned("a thread panicked while it wrote".into())
}

#[cfg(not(feature = "std"))]
#[cold]
fn held() -> BackendError {
    BackendError::Io("a view is held by the same thread".into())
}

impl Backend for Memory {
    type View<'b> = MemoryView<'b>;

    fn view(&self) -> Result<MemoryView<'_>, BackendError> {
        self.read().map(MemoryView)
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
        let mut tables = self.change()?;
        batch.changes().for_each(|(table, key, row)| tables.change(table, key, row));
        Ok(())
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        Ok(Usage { memory: self.read()?.memory() as u64, disk: 0 })
    }

    fn is_lasting(&self) -> bool {
        false
    }
}

/// What an allocation of so many bytes takes: allocators add about a word, and round to 16.
const fn on_heap(length: usize) -> usize {
    if length == 0 { 0 } else { (length + 8).next_multiple_of(16) }
}

impl Tables {
    fn change(&mut self, table: Table, key: &[u8], row: Option<&[u8]>) {
        match kind(table) {
            Kind::Named(place) => {
                let rows = &mut self.named[place];
                let before = match row {
                    // A row that is there keeps its key.
                    Some(row) => match rows.get_mut(key) {
                        Some(place) => Some(core::mem::replace(place, row.into())),
                        None => {
                            self.heap += on_heap(key.len());
                            rows.insert(key.into(), row.into())
                        }
                    },
                    None => rows.remove(key).inspect(|_| self.heap -= on_heap(key.len())),
                };
                self.count(row, before);
            }
            Kind::Versions => {
                let key = wide(key);
                let before = match row {
                    Some(row) => self.versions.insert(key, row.into()),
                    None => self.versions.remove(&key),
                };
                self.count(row, before);
            }
            Kind::Times => {
                let key = narrow(key);
                match row {
                    Some(row) => self.times.insert(key, narrow(row)),
                    None => self.times.remove(&key),
                };
            }
            Kind::Effects => {
                let key = wide(key);
                match row {
                    Some(_) => self.effects.insert(key, ()),
                    None => self.effects.remove(&key),
                };
            }
        }
    }

    fn count(&mut self, row: Option<&[u8]>, before: Option<Box<[u8]>>) {
        self.heap += row.map_or(0, |row| on_heap(row.len()));
        self.heap -= before.map_or(0, |before| on_heap(before.len()));
    }

    /// B-trees that are filled in order are a little more than half full.
    fn memory(&self) -> usize {
        const FILLED: (usize, usize) = (6, 11);
        let named: usize = self.named.iter().map(|rows| rows.len() * 32).sum();
        let slots = named + self.versions.len() * 32 + self.times.len() * 16 + self.effects.len() * 16;
        slots * FILLED.1 / FILLED.0 + self.heap
    }
}

/// A key of 16 bytes, as a number.
fn wide(key: &[u8]) -> u128 {
    key.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// A key or a row of 8 bytes, as a number.
fn narrow(key: &[u8]) -> u64 {
    key.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Tables in memory, held as they are.
#[derive(Debug)]
pub struct MemoryView<'b>(Guard<'b, Tables>);

impl View for MemoryView<'_> {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), BackendError> {
        match kind(table) {
            Kind::Named(place) => self.0.named[place].get(key).into_iter().for_each(|row| read(row)),
            Kind::Versions if key.len() == 16 => self.0.versions.get(&wide(key)).into_iter().for_each(|row| read(row)),
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
                if !is_empty(range) {
                    let rows = self.0.named[place].range::<[u8], _>(range);
                    walk(rows, direction, |(key, row)| visit(key, row));
                }
            }
            Kind::Versions => {
                let range = numbers::<16, u128>(range, wide);
                if !is_empty(range) {
                    let rows = self.0.versions.range(range);
                    walk(rows, direction, |(key, row)| visit(&key.to_be_bytes(), row));
                }
            }
            Kind::Times => {
                let range = numbers::<8, u64>(range, narrow);
                if !is_empty(range) {
                    let rows = self.0.times.range(range);
                    walk(rows, direction, |(key, row)| visit(&key.to_be_bytes(), &row.to_be_bytes()));
                }
            }
            Kind::Effects => {
                let range = numbers::<16, u128>(range, wide);
                if !is_empty(range) {
                    let rows = self.0.effects.range(range);
                    walk(rows, direction, |(key, ())| visit(&key.to_be_bytes(), &[]));
                }
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

fn walk<I: DoubleEndedIterator>(mut rows: I, direction: Direction, mut visit: impl FnMut(I::Item) -> ControlFlow<()>) {
    while let Some(row) = match direction {
        Direction::Forward => rows.next(),
        Direction::Backward => rows.next_back(),
    } {
        if visit(row).is_break() {
            break;
        }
    }
}

/// `BTreeMap::range` panics on these.
fn is_empty<T: Ord>((from, to): (Bound<T>, Bound<T>)) -> bool {
    match (from, to) {
        (Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from > to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
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
