//! The deep tier: of what retention drops of a chain, how many versions they were and a digest of them, and no more.

use crate::codec::{self, Parts};
use crate::read::Reader;
use crate::{StoreError, Table, Timestamp, VersionId, View};
use alloc::vec::Vec;

/// What is left of the versions of a chain that were dropped: always the oldest ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deep {
    /// How many they were.
    pub versions: u64,
    /// When the first of them was written.
    pub first: Timestamp,
    /// The last of them. Its id is a digest of it and, by the ids before it, of all of them; the oldest version that is kept
    /// names it as its previous one.
    pub last: VersionId,
}

impl Deep {
    /// How many bytes it takes with its key.
    pub const SIZE: u64 = 16 + 4 + 8 + 8 + 32;

    /// Its key in `Segments`: before all segments of the chain.
    pub fn key(number: u64) -> [u8; 16] {
        codec::version_key(number, Timestamp::ZERO)
    }

    pub fn write(&self, number: u64, row: &mut Vec<u8>) {
        codec::begin(row);
        row.extend_from_slice(&self.versions.to_be_bytes());
        row.extend_from_slice(&self.first.to_bytes());
        row.extend_from_slice(self.last.as_bytes());
        codec::seal(&Self::key(number), row);
    }

    pub fn read(number: u64, row: &[u8]) -> Result<Self, StoreError> {
        let key = Self::key(number);
        let parse = || {
            let mut parts = Parts(codec::open(&key, row)?);
            let deep =
                Deep { versions: parts.u64()?, first: Timestamp::from_bytes(parts.take::<8>()?)?, last: parts.id()? };
            parts.end().map(|()| deep)
        };
        parse().ok_or_else(|| codec::damaged(Table::Segments, &key))
    }
}

impl<V: View> Reader<V> {
    /// What is left of the versions of a chain that were dropped, if any were.
    pub(crate) fn deep(&self, number: u64) -> Result<Option<Deep>, StoreError> {
        let mut found = None;
        let key = Deep::key(number);
        View::get(self.view(), Table::Segments, &key, &mut |row| found = Some(Deep::read(number, row)))?;
        found.transpose()
    }
}
