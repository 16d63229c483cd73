//! Which versions of a namespace's keys are kept: said once, in the database itself.

use crate::codec::{self, Parts};
use crate::read::Reader;
use crate::write::{check_namespace, owned};
use crate::{Backend, Batch, Direction, Durability, Engine, StoreError, Table, View};
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::ops::{Bound, ControlFlow};
use core::time::Duration;

/// Which versions of a key are kept. The newest always is, also one that says deleted.
///
/// It is kept in the database, for each namespace by itself. [`Engine::maintain`] does what it says, and leaves of what it drops
/// how many versions those were, and a digest that the rest is proven against.
///
/// ```
/// use anabranch_store::{Engine, Memory, Retention, StoreError};
/// use core::time::Duration;
///
/// let mut engine = Engine::open(Memory::new())?;
/// engine.set_retention("plant", Retention::For(Duration::from_secs(7 * 24 * 3600)))?;
/// assert_eq!(engine.reader()?.retention("elsewhere")?, Retention::All);
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Retention {
    /// All.
    #[default]
    All,
    /// The newest so many, deletions among them.
    Last(NonZeroU64),
    /// Those that were the newest at some moment within this time before now: any such moment can be asked for.
    For(Duration),
}

const KEY: &[u8] = b"retention ";
const LAST: u8 = 1;
const FOR: u8 = 2;

fn key_of(namespace: &str) -> Vec<u8> {
    [KEY, namespace.as_bytes()].concat()
}

impl Retention {
    /// `All` has no row.
    fn write(self, key: &[u8], row: &mut Vec<u8>) -> bool {
        let (kind, number) = match self {
            Retention::All => return false,
            Retention::Last(versions) => (LAST, versions.get()),
            Retention::For(time) => (FOR, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        };
        codec::begin(row);
        row.push(kind);
        row.extend_from_slice(&number.to_be_bytes());
        codec::seal(key, row);
        true
    }

    fn read(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let parse = || {
            let mut parts = Parts(codec::open(key, row)?);
            let [kind] = *parts.take()?;
            let number = parts.u64()?;
            parts.end()?;
            match kind {
                LAST => NonZeroU64::new(number).map(Retention::Last),
                FOR => Some(Retention::For(Duration::from_nanos(number))),
                _ => None,
            }
        };
        parse().ok_or_else(|| codec::damaged(Table::Meta, key))
    }
}

impl<V: View> Reader<V> {
    /// Which versions of the keys of a namespace are kept: all where nothing was set.
    ///
    /// # Errors
    /// Those of names, and [`StoreError::Backend`].
    pub fn retention(&self, namespace: &str) -> Result<Retention, StoreError> {
        check_namespace(namespace)?;
        let key = key_of(namespace);
        let mut found = None;
        View::get(self.view(), Table::Meta, &key, &mut |row| found = Some(Retention::read(&key, row)))?;
        Ok(found.transpose()?.unwrap_or_default())
    }

    /// The namespaces for which something was set, in their order. They need have no keys.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn retentions(&self) -> Result<Vec<(String, Retention)>, StoreError> {
        let mut all = Vec::new();
        let range = (Bound::Excluded(KEY), Bound::Unbounded);
        self.scan(Table::Meta, range, Direction::Forward, &mut |key, row| {
            let Some(name) = key.strip_prefix(KEY) else { return Ok(ControlFlow::Break(())) };
            let name = core::str::from_utf8(name).map_err(|_| codec::damaged(Table::Meta, key))?;
            all.push((owned(name), Retention::read(key, row)?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }
}

impl<B: Backend> Engine<B> {
    /// Says which versions of the keys of a namespace are kept from now on. It drops none by itself: that is
    /// [`maintain`](Self::maintain)'s.
    ///
    /// # Errors
    /// Those of names, and what the backend says.
    pub fn set_retention(&mut self, namespace: &str, retention: Retention) -> Result<(), StoreError> {
        check_namespace(namespace)?;
        let (key, mut row, mut batch) = (key_of(namespace), Vec::new(), Batch::new());
        if retention.write(&key, &mut row) {
            batch.put(Table::Meta, &key, &row);
        } else {
            batch.delete(Table::Meta, &key);
        }
        self.commit_beside(batch, Durability::Immediate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn it_is_kept_in_the_database_for_each_namespace_by_itself() {
        let mut engine = Engine::open(Memory::new()).unwrap();
        let last = Retention::Last(NonZeroU64::new(3).unwrap());
        let week = Retention::For(Duration::from_secs(7 * 24 * 3600));
        engine.set_retention("a", last).unwrap();
        engine.set_retention("a ", week).unwrap();
        engine.set_retention("b", week).unwrap();
        engine.set_retention("b", Retention::All).unwrap();
        let engine = Engine::open(engine.into_backend()).unwrap();
        let reader = engine.reader().unwrap();
        assert_eq!(reader.retentions().unwrap(), [("a".into(), last), ("a ".into(), week)]);
        assert_eq!(reader.retention("b").unwrap(), Retention::All);
        assert!(matches!(reader.retention(""), Err(StoreError::EmptyName { .. })));
    }

    #[test]
    fn every_flipped_bit_of_its_row_is_found() {
        let (key, mut row) = (key_of("a"), Vec::new());
        assert!(Retention::For(Duration::MAX).write(&key, &mut row));
        assert_eq!(Retention::read(&key, &row).unwrap(), Retention::For(Duration::from_nanos(u64::MAX)));
        for bit in 0..row.len() * 8 {
            let mut row = row.clone();
            row[bit / 8] ^= 1 << (bit % 8);
            assert!(Retention::read(&key, &row).is_err(), "bit {bit}");
        }
    }
}
