//! What lies in which tier, counted: one row that the lifecycle changes, and nobody else, so that a write costs nothing more.

use crate::codec::{self, Parts};
use crate::read::Reader;
use crate::{StoreError, Table, Timestamp, View};
use alloc::vec::Vec;

/// What lies in the tiers below the hot one. How many versions are warm follows from how many rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiers {
    /// How many segments there are.
    pub segments: u64,
    /// What they take, with their keys.
    pub segment_bytes: u64,
    /// How many chains have lost versions.
    pub deep_rows: u64,
    /// How many versions were dropped.
    pub dropped: u64,
    /// What warm versions take, with their keys, but for those that were written after `counted`.
    pub warm_bytes: u64,
    /// Up to when they were counted: not at all where nothing limits them.
    pub counted: Timestamp,
}

impl Default for Tiers {
    fn default() -> Self {
        let counted = Timestamp::ZERO;
        Tiers { segments: 0, segment_bytes: 0, deep_rows: 0, dropped: 0, warm_bytes: 0, counted }
    }
}

/// Where it stands in `Meta`.
pub(crate) const KEY: &[u8] = b"tiers";

impl Tiers {
    pub fn write(&self, row: &mut Vec<u8>) {
        codec::begin(row);
        for number in [self.segments, self.segment_bytes, self.deep_rows, self.dropped, self.warm_bytes] {
            row.extend_from_slice(&number.to_be_bytes());
        }
        row.extend_from_slice(&self.counted.to_bytes());
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
                warm_bytes: parts.u64()?,
                counted: Timestamp::from_bytes(parts.take::<8>()?)?,
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
