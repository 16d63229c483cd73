//! How much there is, and what it takes.

use crate::codec::NamespaceRow;
use crate::deep::Deep;
use crate::read::Reader;
use crate::{Direction, StoreError, Table, Timestamp, Usage, View};
use core::ops::{Bound, ControlFlow};

/// How much there is, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Keys that are there: what is deleted is not counted.
    pub key_count: u64,
    /// Versions of all keys, deletions and those of deleted keys among them.
    pub total_versions: u64,
    /// Namespaces that have keys.
    pub namespace_count: u64,
    /// When the oldest version was written.
    pub oldest: Option<Timestamp>,
    /// When the newest version was written.
    pub newest: Option<Timestamp>,
    /// Bytes of memory: of the hot tier and of the backend.
    pub memory_bytes: u64,
    /// Bytes of disk.
    pub disk_bytes: u64,
    /// Commits since it was opened.
    pub commits: u64,
    /// What is in memory, decoded.
    pub hot: Tier,
    /// What the backend holds in rows of their own, with all indexes; where there is a limit, those rows alone, as they were counted
    /// when the store was last maintained.
    pub warm: Tier,
    /// What it holds in compressed segments.
    pub cold: Tier,
    /// What retention has dropped: a digest for each chain is there, and no version.
    pub deep: Tier,
}

/// What a tier holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tier {
    /// How many versions.
    pub versions: u64,
    /// How many bytes they take, on disk or in memory.
    pub bytes: u64,
    /// How many they may take; none where there is no limit.
    pub limit: Option<u64>,
}

impl<V: View> Reader<V> {
    /// How much there is, with what the backend takes of memory and disk.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn stats(&self, usage: Usage) -> Result<Stats, StoreError> {
        let mut stats = Stats { memory_bytes: usage.memory, disk_bytes: usage.disk, ..Stats::default() };
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.scan(Table::Namespaces, all, Direction::Forward, &mut |name, row| {
            let row = NamespaceRow::read(name, row)?;
            // What a damaged row says need not make sense.
            stats.key_count = stats.key_count.saturating_add(row.live);
            stats.namespace_count += u64::from(row.live > 0);
            Ok(ControlFlow::Continue(()))
        })?;
        stats.total_versions = View::count(self.view(), Table::Times)?;
        stats.newest = self.last_write()?;
        stats.oldest = self.writes_after(Timestamp::ZERO, 1)?.first().map(|(at, _)| *at);
        let bytes = if usage.disk > 0 { usage.disk } else { usage.memory };
        let tiers = self.tiers()?;
        // `Versions` has a row for each warm version, and one for each key.
        let warm = View::count(self.view(), Table::Versions)?.saturating_sub(View::count(self.view(), Table::Keys)?);
        let deep_bytes = tiers.deep_rows.saturating_mul(Deep::SIZE);
        let above = bytes.saturating_sub(tiers.segment_bytes.saturating_add(deep_bytes));
        // Their rows alone, where those are counted since they are limited.
        let counted = tiers.counted > Timestamp::ZERO;
        stats.warm = Tier { versions: warm, bytes: if counted { tiers.warm_bytes } else { above }, limit: None };
        let cold = stats.total_versions.saturating_sub(warm);
        stats.cold = Tier { versions: cold, bytes: tiers.segment_bytes, limit: None };
        stats.deep = Tier { versions: tiers.dropped, bytes: deep_bytes, limit: None };
        Ok(stats)
    }
}
