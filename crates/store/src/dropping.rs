//! Dropping: the oldest versions of a chain go, and leave what is deep.

use crate::chains::Chain;
use crate::codec::{self, VersionRow};
use crate::cold::Raw;
use crate::deep::Deep;
use crate::lifecycle::{Begun, CHANGES, Plan, Planner, lost, size};
use crate::segment::{Joint, Piece, Segment};
use crate::{Causes, StoreError, Table, Timestamp, VersionId, View};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// Which of a chain's oldest versions are dropped.
#[derive(Clone, Copy)]
pub(crate) enum Drops {
    /// Those that had a next one at or before this.
    Superseded(Timestamp),
    /// So many.
    Oldest(u64),
}

impl Drops {
    /// Whether the version at a place from the oldest on is dropped, the next one being of that time.
    fn is(self, place: usize, next: Timestamp) -> bool {
        match self {
            Drops::Superseded(until) => next <= until,
            Drops::Oldest(count) => (place as u64) < count,
        }
    }
}

impl<V: View> Planner<'_, V> {
    /// Drops the oldest versions of a chain, some of them in this step: how many, and whether those are all that are to be.
    pub fn drop_oldest(&mut self, chain: &Chain, drops: Drops) -> Result<(u64, bool), StoreError> {
        match self.reader.raw_segment_after(chain.number, Timestamp::ZERO)? {
            Some(raw) if !drops.is(0, raw.first) && matches!(drops, Drops::Superseded(_)) => Ok((0, true)),
            Some(raw) => self.drop_cold(chain, &raw, drops),
            None => self.drop_warm(chain, drops),
        }
    }

    fn drop_cold(&mut self, chain: &Chain, raw: &Raw, drops: Drops) -> Result<(u64, bool), StoreError> {
        let segment = Segment::read(&raw.key, &raw.row, (&chain.namespace, &chain.key))?;
        self.looked_at += segment.len() as u64;
        // What is newest is warm, so there is a next one.
        let next = match self.reader.raw_segment_after(chain.number, raw.first)? {
            Some(next) => next.first,
            None => self.reader.first_warm(chain.number)?.ok_or_else(|| lost(chain))?,
        };
        let time = |place| segment.id(place).map_or(next, |id| id.timestamp());
        let mut gone = Vec::new();
        let mut changes = 0;
        while let Some(piece) = segment.piece(gone.len()) {
            if !drops.is(gone.len(), time(gone.len() + 1)) || changes > CHANGES {
                break;
            }
            changes += 2 + piece.causes.len();
            gone.push((piece.id, piece.causes));
        }
        let Some((last, _)) = gone.last() else { return Ok((0, true)) };
        let rest: Vec<Piece> = (gone.len()..segment.len()).filter_map(|place| segment.piece(place)).collect();
        let before = segment.header.before + gone.len() as u64;
        self.remove_segment(&raw.key, raw.row.len());
        self.put_segments(chain.number, Joint::Joins(*last), before, &rest);
        let is_all = !rest.is_empty() && changes <= CHANGES;
        self.forget(chain, &gone, time(gone.len()))?;
        Ok((gone.len() as u64, is_all))
    }

    fn drop_warm(&mut self, chain: &Chain, drops: Drops) -> Result<(u64, bool), StoreError> {
        let mut gone: Vec<(VersionId, Causes)> = Vec::new();
        let mut sizes = Vec::new();
        // The newest stays: one goes when there is a next.
        let mut last: Option<(VersionId, Causes, u64)> = None;
        let mut next = Timestamp::LATEST;
        let mut changes = 0;
        let mut is_all = true;
        self.rows(chain, Timestamp::ZERO, &mut |at, key, row| {
            if let Some(version) = last.take() {
                is_all = changes <= CHANGES;
                if !drops.is(gone.len(), at) || !is_all {
                    return Ok(ControlFlow::Break(()));
                }
                let (id, causes, bytes) = version;
                changes += 3 + causes.len();
                gone.push((id, causes));
                sizes.push(bytes);
                next = at;
            }
            let version = VersionRow::read(key, row)?;
            last = Some((version.id(), version.causes()?, size(key, row)));
            Ok(ControlFlow::Continue(()))
        })?;
        self.looked_at += gone.len() as u64 + 1;
        if gone.is_empty() {
            return Ok((0, true));
        }
        for ((id, _), bytes) in gone.iter().zip(sizes) {
            self.no_longer_warm(id.timestamp(), bytes);
            self.plan.batch.delete(Table::Versions, &codec::version_key(chain.number, id.timestamp()));
        }
        self.forget(chain, &gone, next)?;
        Ok((gone.len() as u64, is_all))
    }

    /// Leaves of versions what is deep. `next` is when the one after them was written.
    fn forget(&mut self, chain: &Chain, gone: &[(VersionId, Causes)], next: Timestamp) -> Result<(), StoreError> {
        let (Some((first, _)), Some((last, _))) = (gone.first(), gone.last()) else { return Ok(()) };
        let Plan { batch, tiers, begun, outcome, .. } = &mut self.plan;
        for (id, causes) in gone {
            let at = id.timestamp().to_bytes();
            batch.delete(Table::Times, &at);
            for cause in causes.iter() {
                batch.delete(Table::Effects, &[cause.timestamp().to_bytes(), at].concat());
            }
        }
        let before = self.reader.deep(chain.number)?;
        let count = gone.len() as u64;
        let deep = Deep {
            versions: before.map_or(0, |before| before.versions) + count,
            first: before.map_or(first.timestamp(), |before| before.first),
            last: *last,
        };
        let mut row = Vec::new();
        deep.write(chain.number, &mut row);
        batch.put(Table::Segments, &Deep::key(chain.number), &row);
        tiers.added.deep_rows += u64::from(before.is_none());
        tiers.added.dropped += count;
        outcome.dropped += count;
        begun.push(Begun { namespace: chain.namespace.clone(), key: chain.key.clone(), first: next });
        Ok(())
    }
}
