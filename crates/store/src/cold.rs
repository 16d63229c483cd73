//! Reading the cold tier: what of a chain is older than its rows lies in segments, and before those is what was dropped.

use crate::codec;
use crate::deep::Deep;
use crate::read::Reader;
use crate::segment::{Header, Segment};
use crate::write::owned;
use crate::{Direction, StoreError, Table, Timestamp, VersionId, VersionedValue, View};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::{Bound, ControlFlow};

/// How many segments a reader remembers, unpacked: who goes through the writes of several keys meets each again.
const REMEMBERED: usize = 16;

/// Segments that were unpacked, the last used last. A view does not change, so they stay right.
#[derive(Debug, Default)]
pub(crate) struct Unpacked(RefCell<Vec<Rc<Segment>>>);

impl Unpacked {
    pub const fn new() -> Self {
        Unpacked(RefCell::new(Vec::new()))
    }

    fn find(&self, number: u64, first: Timestamp) -> Option<Rc<Segment>> {
        let mut segments = self.0.borrow_mut();
        let place = segments.iter().position(|segment| segment.number == number && segment.first == first)?;
        segments[place..].rotate_left(1);
        segments.last().cloned()
    }

    fn remember(&self, segment: &Rc<Segment>) {
        let mut segments = self.0.borrow_mut();
        if segments.len() == REMEMBERED {
            segments.remove(0);
        }
        segments.push(segment.clone());
    }
}

/// A segment's key and row, as they lie there.
pub(crate) struct Raw {
    pub key: [u8; 16],
    pub first: Timestamp,
    pub row: Vec<u8>,
}

impl Raw {
    pub fn header(&self) -> Result<Header, StoreError> {
        Header::read(&self.key, &self.row)
    }
}

/// A key's name, looked up once.
pub(crate) struct Names(Vec<u8>);

impl Names {
    pub fn both(&self) -> (&str, &str) {
        codec::names_of(&self.0).unwrap_or_default()
    }
}

impl<V: View> Reader<V> {
    /// The last segment of a chain that begins at or before a moment.
    pub(crate) fn raw_segment_at(&self, number: u64, at: Timestamp) -> Result<Option<Raw>, StoreError> {
        let (from, to) = (codec::version_key(number, Timestamp::ZERO), codec::version_key(number, at));
        if at <= Timestamp::ZERO {
            return Ok(None);
        }
        self.raw_segment(Direction::Backward, (Bound::Excluded(&from), Bound::Included(&to)))
    }

    /// The first segment of a chain that begins after a moment.
    pub(crate) fn raw_segment_after(&self, number: u64, after: Timestamp) -> Result<Option<Raw>, StoreError> {
        let from = codec::version_key(number, after.max(Timestamp::ZERO));
        let to = codec::version_key(number, Timestamp::LATEST);
        self.raw_segment(Direction::Forward, (Bound::Excluded(&from), Bound::Included(&to)))
    }

    fn raw_segment(
        &self,
        direction: Direction,
        range: (Bound<&[u8; 16]>, Bound<&[u8; 16]>),
    ) -> Result<Option<Raw>, StoreError> {
        let mut found = None;
        let range = (range.0.map(|key| &key[..]), range.1.map(|key| &key[..]));
        self.scan(Table::Segments, range, direction, &mut |key, row| {
            let (_, first) = codec::read_version_key(key)?;
            let key = key.try_into().map_err(|_| codec::damaged(Table::Segments, key))?;
            found = Some(Raw { key, first, row: row.to_vec() });
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    pub(crate) fn names_of(&self, number: u64) -> Result<Names, StoreError> {
        self.names(number).map(Names)
    }

    /// Unpacks a segment, unless that was done before.
    pub(crate) fn unpacked(&self, number: u64, raw: &Raw) -> Result<Rc<Segment>, StoreError> {
        if let Some(segment) = self.segments().find(number, raw.first) {
            return Ok(segment);
        }
        let names = self.names_of(number)?;
        let segment = Rc::new(Segment::read(&raw.key, &raw.row, names.both())?);
        self.segments().remember(&segment);
        Ok(segment)
    }

    /// The newest of a chain's cold versions at or before a moment.
    pub(crate) fn cold_at(&self, number: u64, at: Timestamp) -> Result<Option<VersionedValue>, StoreError> {
        let Some(raw) = self.raw_segment_at(number, at)? else { return Ok(None) };
        let segment = self.unpacked(number, &raw)?;
        segment.version(segment.until(at).saturating_sub(1))
    }

    /// The version before the oldest row of a chain, which is of the time `warm`.
    pub(crate) fn before_warm(&self, number: u64, warm: Timestamp) -> Result<VersionId, StoreError> {
        let last = match self.raw_segment_at(number, warm)? {
            Some(raw) => match raw.header() {
                Ok(header) => Some(header.last),
                Err(_) => return Err(crate::segment::damaged(self.names_of(number)?.both(), raw.first)),
            },
            None => self.deep(number)?.map(|deep| deep.last),
        };
        last.ok_or_else(|| StoreError::damaged(format_args!("a version of key number {number} before {warm} is lost")))
    }

    /// Adds the cold versions of a chain from `to` back to `from`, newest first, until there are `limit`. Where more would
    /// follow, it says after which time.
    pub(crate) fn cold_history(
        &self,
        number: u64,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
        items: &mut Vec<VersionedValue>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut to = to;
        while let Some(raw) = self.raw_segment_at(number, to)? {
            let segment = self.unpacked(number, &raw)?;
            for place in (0..segment.until(to)).rev() {
                let Some(version) = segment.version(place)?.filter(|version| version.timestamp >= from) else {
                    return Ok(None);
                };
                if items.len() == limit {
                    return Ok(items.last().map(|last| last.timestamp));
                }
                items.push(version);
            }
            to = Timestamp::from_nanos(raw.first.nanos() - 1);
        }
        Ok(None)
    }

    /// That retention has dropped what a key was at a moment, before its oldest version: if so it is.
    pub(crate) fn check_kept(
        &self,
        number: u64,
        (namespace, key): (&str, &str),
        at: Timestamp,
        oldest: Timestamp,
    ) -> Result<(), StoreError> {
        match self.deep(number)? {
            Some(Deep { first, .. }) if first <= at => {
                Err(StoreError::NoLongerKept { namespace: owned(namespace), key: owned(key), at, oldest })
            }
            _ => Ok(()),
        }
    }

    /// The first segment of a chain with a version after a moment.
    pub(crate) fn segment_beyond(&self, number: u64, after: Timestamp) -> Result<Option<Raw>, StoreError> {
        if let Some(raw) = self.raw_segment_at(number, after)? {
            let header = raw.header().ok().or_else(|| Header::of_damaged(&raw.row));
            if header.is_some_and(|header| header.last.timestamp() > after) {
                return Ok(Some(raw));
            }
        }
        self.raw_segment_after(number, after)
    }

    /// When the oldest version of a chain that is warm was written.
    pub(crate) fn first_warm(&self, number: u64) -> Result<Option<Timestamp>, StoreError> {
        let (from, to) = (codec::version_key(number, Timestamp::ZERO), codec::version_key(number, Timestamp::LATEST));
        let mut found = None;
        let range = (Bound::Excluded(&from[..]), Bound::Included(&to[..]));
        self.scan(Table::Versions, range, Direction::Forward, &mut |key, _| {
            found = Some(codec::read_version_key(key)?.1);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}
