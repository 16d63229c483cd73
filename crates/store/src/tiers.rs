//! What lies in which tier, counted: one row that changes where versions change their tier, and at no other time.

use crate::codec::{self, Parts};
use crate::read::Reader;
use crate::{StoreError, Table, View};
use alloc::vec::Vec;

/// What lies below the warm tier. What is in that one follows from it and from how many rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tiers {
    /// How many segments there are.
    pub segments: u64,
    /// What they take, with their keys.
    pub segment_bytes: u64,
    /// How many chains have lost versions.
    pub deep_rows: u64,
    /// How many versions were dropped.
    pub dropped: u64,
}

/// Where it stands in `Meta`.
pub(crate) const KEY: &[u8] = b"tiers";

impl Tiers {
    pub fn write(&self, row: &mut Vec<u8>) {
        codec::begin(row);
        for number in [self.segments, self.segment_bytes, self.deep_rows, self.dropped] {
            row.extend_from_slice(&number.to_be_bytes());
        }
        codec::seal(KEY, row);
    }

    pub fn read(row: &[u8]) -> Result<Self, StoreError> {
        let parse = || {
            let mut parts = Parts(codec::open(KEY, row)?);
            let tiers = Tiers {
                segments: parts.u64()?,
                segment_bytes: parts.u64()?,
                deep_rows: parts.u64()?,
                dropped: parts.u64()?,
            };
            parts.end().map(|()| tiers)
        };
        parse().ok_or_else(|| codec::damaged(Table::Meta, KEY))
    }
}

impl<V: View> Reader<V> {
    pub(crate) fn tiers(&self) -> Result<Tiers, StoreError> {
        let mut found = None;
        View::get(self.view(), Table::Meta, KEY, &mut |row| found = Some(Tiers::read(row)))?;
        Ok(found.transpose()?.unwrap_or_default())
    }
}
