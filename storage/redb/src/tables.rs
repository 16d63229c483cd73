//! The tables of the store as tables of redb: keys that always have the same length are numbers there, which saves the
//! length beside each and compares faster.

use anabranch_store::{BackendError, Direction, Table};
use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTableMetadata, StorageError, TableDefinition, TableError, Value,
    WriteTransaction,
};
use std::ops::{Bound, ControlFlow};

const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");
const NAMESPACES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("namespaces");
const KEYS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("keys");
const VERSIONS: TableDefinition<u128, &[u8]> = TableDefinition::new("versions");
const TIMES: TableDefinition<u64, u64> = TableDefinition::new("times");
const EFFECTS: TableDefinition<u128, ()> = TableDefinition::new("effects");
const SEGMENTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("segments");
/// One row, of this module alone: the epoch of the log that follows the state.
const LOG: TableDefinition<(), u64> = TableDefinition::new("log");

/// A key or a row, as bytes outside and as redb's type inside.
trait Bytes: Value + 'static {
    /// How many it always has.
    const WIDTH: Option<usize>;

    /// What redb keeps for them.
    fn inside(bytes: &[u8]) -> Option<Self::SelfType<'_>>;

    /// Calls `see` with them.
    fn outside<R>(inside: &Self::SelfType<'_>, see: impl FnOnce(&[u8]) -> R) -> R;
}

impl Bytes for &'static [u8] {
    const WIDTH: Option<usize> = None;

    fn inside(bytes: &[u8]) -> Option<&[u8]> {
        Some(bytes)
    }

    fn outside<R>(inside: &&[u8], see: impl FnOnce(&[u8]) -> R) -> R {
        see(inside)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Bytes for $number {
            const WIDTH: Option<usize> = Some(size_of::<$number>());

            fn inside(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_be_bytes)
            }

            fn outside<R>(inside: &Self, see: impl FnOnce(&[u8]) -> R) -> R {
                see(&inside.to_be_bytes())
            }
        }
    )*};
}
numbers!(u64, u128);

impl Bytes for () {
    const WIDTH: Option<usize> = Some(0);

    fn inside(bytes: &[u8]) -> Option<()> {
        bytes.is_empty().then_some(())
    }

    fn outside<R>((): &(), see: impl FnOnce(&[u8]) -> R) -> R {
        see(&[])
    }
}

/// Calls a macro's function for the table, whose type depends on which it is.
macro_rules! of {
    ($tables:expr, $table:expr, $opened:ident => $with:expr) => {
        match $table {
            Table::Meta => {
                let $opened = &$tables.meta;
                $with
            }
            Table::Namespaces => {
                let $opened = &$tables.namespaces;
                $with
            }
            Table::Keys => {
                let $opened = &$tables.keys;
                $with
            }
            Table::Versions => {
                let $opened = &$tables.versions;
                $with
            }
            Table::Times => {
                let $opened = &$tables.times;
                $with
            }
            Table::Effects => {
                let $opened = &$tables.effects;
                $with
            }
            Table::Segments => {
                let $opened = &$tables.segments;
                $with
            }
        }
    };
}

/// What is called with the key and the row of each, until it breaks off.
type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// All tables as they were after one commit.
pub(crate) struct Tables {
    meta: ReadOnlyTable<&'static [u8], &'static [u8]>,
    namespaces: ReadOnlyTable<&'static [u8], &'static [u8]>,
    keys: ReadOnlyTable<&'static [u8], &'static [u8]>,
    versions: ReadOnlyTable<u128, &'static [u8]>,
    times: ReadOnlyTable<u64, u64>,
    effects: ReadOnlyTable<u128, ()>,
    segments: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl Tables {
    pub(crate) fn open(transaction: &ReadTransaction) -> Result<Self, TableError> {
        Ok(Tables {
            meta: transaction.open_table(META)?,
            namespaces: transaction.open_table(NAMESPACES)?,
            keys: transaction.open_table(KEYS)?,
            versions: transaction.open_table(VERSIONS)?,
            times: transaction.open_table(TIMES)?,
            effects: transaction.open_table(EFFECTS)?,
            segments: transaction.open_table(SEGMENTS)?,
        })
    }

    pub(crate) fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), StorageError> {
        of!(self, table, opened => get(opened, key, read))
    }

    /// Where it stopped by an error it leaves the last key in `last`.
    pub(crate) fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut Visit<'_>,
        last: &mut Option<Vec<u8>>,
    ) -> Result<(), StorageError> {
        of!(self, table, opened => scan(opened, range, direction, visit, last))
    }

    pub(crate) fn count(&self, table: Table) -> Result<u64, StorageError> {
        of!(self, table, opened => opened.len())
    }
}

fn get<K: Key + Bytes, V: Bytes>(
    table: &ReadOnlyTable<K, V>,
    key: &[u8],
    read: &mut dyn FnMut(&[u8]),
) -> Result<(), StorageError> {
    // A key of another length was never written.
    let Some(key) = K::inside(key) else { return Ok(()) };
    if let Some(row) = table.get(key)? {
        V::outside(&row.value(), read);
    }
    Ok(())
}

fn scan<K: Key + Bytes, V: Bytes>(
    table: &ReadOnlyTable<K, V>,
    (low, high): (Bound<&[u8]>, Bound<&[u8]>),
    direction: Direction,
    visit: &mut Visit<'_>,
    last: &mut Option<Vec<u8>>,
) -> Result<(), StorageError> {
    let (mut padded_low, mut padded_high) = (Vec::new(), Vec::new());
    let low = bound::<K>(low, End::Low, &mut padded_low);
    let high = bound::<K>(high, End::High, &mut padded_high);
    if nothing_between(low, high) {
        return Ok(());
    }
    // they have the right length by now
    let (Some(low), Some(high)) = (inside::<K>(low), inside::<K>(high)) else { return Ok(()) };
    let mut rows = table.range::<K::SelfType<'_>>((low, high))?;
    let mut reached = None;
    loop {
        let row = match direction {
            Direction::Forward => rows.next(),
            Direction::Backward => rows.next_back(),
        };
        match row {
            None => return Ok(()),
            Some(Ok((key, row))) => {
                let flow = K::outside(&key.value(), |key| V::outside(&row.value(), |row| visit(key, row)));
                if flow.is_break() {
                    return Ok(());
                }
                reached = Some(key);
            }
            Some(Err(error)) => {
                *last = reached.map(|key| K::outside(&key.value(), <[u8]>::to_vec));
                return Err(error);
            }
        }
    }
}

enum End {
    Low,
    High,
}

/// The same bound by a key of the length that all keys have, where there is such: bytes are compared one by one, and a
/// shorter key comes before all that begin with it.
fn bound<'a, K: Bytes>(bound: Bound<&'a [u8]>, end: End, padded: &'a mut Vec<u8>) -> Bound<&'a [u8]> {
    let (Bound::Included(key) | Bound::Excluded(key)) = bound else { return bound };
    let Some(width) = K::WIDTH.filter(|width| *width != key.len()) else { return bound };
    let longer = key.len() > width;
    padded.extend(key.iter().take(width));
    padded.resize(width, 0);
    match (end, longer) {
        (End::Low, true) | (End::High, false) => Bound::Excluded(padded),
        (End::Low, false) | (End::High, true) => Bound::Included(padded),
    }
}

fn inside<K: Bytes>(bound: Bound<&[u8]>) -> Option<Bound<K::SelfType<'_>>> {
    Some(match bound {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(key) => Bound::Included(K::inside(key)?),
        Bound::Excluded(key) => Bound::Excluded(K::inside(key)?),
    })
}

fn nothing_between(low: Bound<&[u8]>, high: Bound<&[u8]>) -> bool {
    match (low, high) {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}

/// Changes of a batch or rows of a table, as they are written.
pub(crate) type Changed<'a> = (Table, &'a [u8], Option<&'a [u8]>);

/// Whether the tables can hold it. The lengths are the contract of [`Table`], so this is about a mistake of the caller.
pub(crate) fn fits((table, key, row): Changed<'_>) -> Result<(), BackendError> {
    let (keys, rows) = match table {
        Table::Meta | Table::Namespaces | Table::Keys | Table::Segments => (None, None),
        Table::Versions => (<u128 as Bytes>::WIDTH, None),
        Table::Times => (<u64 as Bytes>::WIDTH, <u64 as Bytes>::WIDTH),
        Table::Effects => (<u128 as Bytes>::WIDTH, <() as Bytes>::WIDTH),
    };
    let fit = |bytes: &[u8], width: Option<usize>| width.is_none_or(|width| width == bytes.len());
    if fit(key, keys) && row.is_none_or(|row| fit(row, rows)) {
        return Ok(());
    }
    let row = row.map_or(0, <[u8]>::len);
    Err(BackendError::Io(format!("{table:?} has no keys of {} bytes with rows of {row}", key.len())))
}

/// Makes all tables, with nothing in them.
pub(crate) fn create(transaction: &WriteTransaction) -> Result<(), TableError> {
    write(transaction, &mut std::iter::empty(), || false)?;
    for table in [META, NAMESPACES, KEYS, SEGMENTS] {
        transaction.open_table(table)?;
    }
    transaction.open_table(VERSIONS)?;
    transaction.open_table(TIMES)?;
    transaction.open_table(EFFECTS)?;
    transaction.open_table(LOG)?;
    Ok(())
}

/// The epoch of the log that follows what is there; none where none does.
pub(crate) fn epoch(transaction: &ReadTransaction) -> Result<Option<u64>, TableError> {
    match transaction.open_table(LOG) {
        Ok(log) => Ok(log.get(())?.map(|epoch| epoch.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says which epoch follows what the transaction makes.
pub(crate) fn set_epoch(transaction: &WriteTransaction, epoch: u64) -> Result<(), TableError> {
    transaction.open_table(LOG)?.insert((), epoch)?;
    Ok(())
}

/// Writes changes in their order, until it is to stop.
pub(crate) fn write<'a>(
    transaction: &WriteTransaction,
    changes: &mut dyn Iterator<Item = Changed<'a>>,
    stop: impl Fn() -> bool,
) -> Result<(), TableError> {
    let (mut meta, mut namespaces, mut keys, mut segments) = (None, None, None, None);
    let (mut versions, mut times, mut effects) = (None, None, None);
    for (table, key, row) in changes {
        if stop() {
            break;
        }
        macro_rules! change {
            ($opened:ident, $definition:ident) => {{
                let opened = match &mut $opened {
                    Some(opened) => opened,
                    none => none.insert(transaction.open_table($definition)?),
                };
                change(opened, key, row)?;
            }};
        }
        match table {
            Table::Meta => change!(meta, META),
            Table::Namespaces => change!(namespaces, NAMESPACES),
            Table::Keys => change!(keys, KEYS),
            Table::Versions => change!(versions, VERSIONS),
            Table::Times => change!(times, TIMES),
            Table::Effects => change!(effects, EFFECTS),
            Table::Segments => change!(segments, SEGMENTS),
        }
    }
    Ok(())
}

fn change<K: Key + Bytes, V: Bytes>(
    table: &mut redb::Table<'_, K, V>,
    key: &[u8],
    row: Option<&[u8]>,
) -> Result<(), StorageError> {
    // Those that do not fit were refused before.
    let Some(key) = K::inside(key) else { return Ok(()) };
    match row {
        None => drop(table.remove(key)?),
        Some(row) => {
            if let Some(row) = V::inside(row) {
                table.insert(key, row)?;
            }
        }
    }
    Ok(())
}
