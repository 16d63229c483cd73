//! Moving: rows of a chain that are old enough go into segments.

use crate::chains::Chain;
use crate::codec::{self, Previous, VersionRow};
use crate::lifecycle::{Chained, Planner, before, lost, size};
use crate::segment::{CONTENT, Joint, LARGEST, Piece, Segment, VERSIONS};
use crate::version_id::Written;
use crate::{StoreError, Table, Timestamp, VersionId, View};
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// So few versions are worth no segment.
const WORTHWHILE: usize = 16;
/// So few make none that is smaller than their rows.
const SMALLER: usize = 4;
/// Rows that are to be moved.
struct OldRows {
    /// What comes before the first of them.
    joint: Option<Joint>,
    pieces: Vec<Piece>,
    /// What each of them takes as a row; perhaps one more.
    sizes: Vec<u64>,
    /// Whether there may be more than these.
    is_full: bool,
}

impl<V: View> Planner<'_, V> {
    /// Moves rows of a chain that are old enough into a segment; without the feature `cold` they stay rows.
    pub fn cool(&mut self, chain: &Chain) -> Result<Chained, StoreError> {
        if !cfg!(feature = "cold") {
            return Ok(Chained::Done);
        }
        let is_pressed = self.is_pressed();
        let until = if is_pressed { Timestamp::LATEST } else { before(self.now, self.lifecycle.cold_after) };
        let worthwhile = if is_pressed { SMALLER } else { WORTHWHILE };
        let newest = self.reader.raw_segment_at(chain.number, Timestamp::LATEST)?;
        let newest = match &newest {
            Some(raw) => Some((raw, raw.header()?)),
            None => None,
        };
        let open = newest.filter(|(_, header)| !header.is_full());
        let deep = self.reader.deep(chain.number)?;
        let last = newest.map(|(_, header)| header.last).or(deep.map(|deep| deep.last));
        let room = VERSIONS - open.map_or(0, |(_, header)| header.versions as usize);
        let rows = self.old_rows(chain, until, last, room)?;
        let Some(joint) = rows.joint.filter(|_| rows.is_full || rows.pieces.len() >= worthwhile.min(room)) else {
            return Ok(Chained::Done);
        };
        let moved = rows.pieces.iter().map(|piece| codec::version_key(chain.number, piece.id.timestamp()));
        let moved: Vec<_> = moved.collect();
        for (piece, bytes) in rows.pieces.iter().zip(&rows.sizes) {
            self.no_longer_warm(piece.id.timestamp(), *bytes);
        }
        // A segment that is not full is made anew with more in it.
        match open.filter(|_| matches!(joint, Joint::Joins(_))) {
            Some((raw, header)) => {
                let segment = Segment::read(&raw.key, &raw.row, (&chain.namespace, &chain.key))?;
                let pieces = (0..segment.len()).filter_map(|place| segment.piece(place)).chain(rows.pieces);
                self.remove_segment(&raw.key, raw.row.len());
                self.put_segments(chain.number, header.joint, header.before, &pieces.collect::<Vec<_>>());
            }
            None => {
                let dropped = deep.map_or(0, |deep| deep.versions);
                let before = newest.map_or(dropped, |(_, header)| header.before + header.versions);
                self.put_segments(chain.number, joint, before, &rows.pieces);
            }
        }
        moved.iter().for_each(|key| self.plan.batch.delete(Table::Versions, key));
        self.plan.outcome.moved += moved.len() as u64;
        Ok(if rows.is_full { Chained::NotYet } else { Chained::Done })
    }

    /// The oldest rows of a chain that are old enough and not its newest one, proven: as many as go into one segment.
    fn old_rows(
        &mut self,
        chain: &Chain,
        until: Timestamp,
        last: Option<VersionId>,
        room: usize,
    ) -> Result<OldRows, StoreError> {
        let mut found = OldRows { joint: None, pieces: Vec::new(), sizes: Vec::new(), is_full: false };
        let (mut bytes, mut scratch, mut looked_at) = (0, Vec::new(), 0);
        // Known to be old enough, and perhaps the newest.
        let mut waits: Option<Piece> = None;
        let mut previous = last;
        self.rows(chain, Timestamp::ZERO, &mut |at, row_key, row| {
            looked_at += 1;
            found.pieces.extend(waits.take());
            found.is_full = found.pieces.len() >= room || bytes >= CONTENT;
            if at > until || row.len() > LARGEST || found.is_full {
                return Ok(ControlFlow::Break(()));
            }
            let version = VersionRow::read(row_key, row)?;
            let joint = match (version.previous(), previous) {
                (Previous::None, _) => Joint::First,
                (Previous::Here(previous), _) => Joint::Gap(previous),
                (Previous::Before, Some(previous)) => Joint::Joins(previous),
                (Previous::Before, None) => return Err(lost(chain)),
            };
            if found.joint.is_some() && !matches!(joint, Joint::Joins(_)) {
                // What comes after a gap begins a segment.
                found.is_full = true;
                return Ok(ControlFlow::Break(()));
            }
            let piece = Piece { id: version.id(), causes: version.causes()?, value: version.value.map(Into::into) };
            let (namespace, key, value) = (&*chain.namespace, &*chain.key, version.value);
            let written =
                Written { namespace, key, value, timestamp: at, previous: joint.previous(), causes: &piece.causes };
            if VersionId::of(&written, &mut scratch) != version.id() {
                let id = version.id();
                return Err(StoreError::damaged(format_args!(
                    "version {id} of {key:?}: its id is not that of what it says"
                )));
            }
            bytes += piece.size();
            found.sizes.push(size(row_key, row));
            found.joint = found.joint.or(Some(joint));
            previous = Some(version.id());
            waits = Some(piece);
            Ok(ControlFlow::Continue(()))
        })?;
        self.looked_at += looked_at;
        Ok(found)
    }

    pub fn remove_segment(&mut self, key: &[u8], row: usize) {
        self.plan.batch.delete(Table::Segments, key);
        self.plan.tiers.removed.segments += 1;
        self.plan.tiers.removed.segment_bytes += (key.len() + row) as u64;
    }

    /// Puts versions that follow each other into as many segments as they fill.
    pub fn put_segments(&mut self, number: u64, joint: Joint, before: u64, pieces: &[Piece]) {
        let (mut joint, mut before, mut rest, mut row) = (joint, before, pieces, Vec::new());
        while let Some(first) = rest.first() {
            let count = Segment::write(number, joint, before, rest, &mut row);
            let key = codec::version_key(number, first.id.timestamp());
            self.plan.batch.put(Table::Segments, &key, &row);
            self.plan.tiers.added.segments += 1;
            self.plan.tiers.added.segment_bytes += (key.len() + row.len()) as u64;
            before += count as u64;
            joint = Joint::Joins(rest[count - 1].id);
            rest = &rest[count..];
        }
    }
}
