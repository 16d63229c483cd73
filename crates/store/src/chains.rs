//! Walks chains from their beginnings, and goes on after what is damaged.

use crate::codec::{self, Previous, VersionRow};
use crate::read::Reader;
use crate::segment::{Header, Joint, Segment};
use crate::version_id::Written;
use crate::{Backend, Causes, Direction, StoreError, Table, Timestamp, VersionId, View};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow};

/// A key with all that it ever was.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub number: u64,
    pub namespace: String,
    pub key: String,
}

/// A version in its chain.
#[derive(Debug)]
pub(crate) enum Link {
    /// Its id is that of what it says, after the one before.
    Proven(Proven),
    /// It is not what was written.
    Broken { at: Timestamp, what: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Proven {
    pub id: VersionId,
    pub previous: Option<VersionId>,
    /// Whether the one before is the one that was visited before.
    pub follows: bool,
    pub causes: Causes,
    /// CBOR.
    pub value: Option<Vec<u8>>,
}

impl Link {
    pub fn at(&self) -> Timestamp {
        match self {
            Link::Proven(version) => version.id.timestamp(),
            Link::Broken { at, .. } => *at,
        }
    }
}

/// Takes each version, with a reader of the view that it was read from.
pub(crate) type VisitLink<'v, V> = &'v mut dyn FnMut(&Reader<V>, Link) -> Result<(), StoreError>;

/// How many rows are read from one view, and how many bytes of them.
const ROWS: usize = 512;
const BYTES: usize = 4 << 20;

/// The chain with the lowest number above another. What is damaged is named, with the number to go on after.
pub(crate) fn chain_after<B: Backend>(backend: &B, after: u64) -> Result<Option<Chain>, (StoreError, Option<u64>)> {
    let view = backend.view().map_err(|error| (error.into(), None))?;
    Reader::new(view).chain_after(after)
}

impl<V: View> Reader<V> {
    /// The chain with the lowest number above another. What is damaged is named, with the number to go on after.
    pub(crate) fn chain_after(&self, after: u64) -> Result<Option<Chain>, (StoreError, Option<u64>)> {
        let Some(number) = after.checked_add(1) else { return Ok(None) };
        let from = codec::version_key(number, Timestamp::ZERO);
        let range = (Bound::Included(&from[..]), Bound::Unbounded);
        let mut found = Ok(None);
        let scanned = self.scan(Table::Versions, range, Direction::Forward, &mut |key, row| {
            let (number, at) = codec::read_version_key(key)?;
            let lost = || StoreError::damaged(format_args!("the name of key number {number} is lost"));
            found = match codec::read_name(number, row) {
                Ok((namespace, key)) if at == Timestamp::ZERO => {
                    Ok(Some(Chain { number, namespace: namespace.to_string(), key: key.to_string() }))
                }
                Err(error) if at == Timestamp::ZERO => Err((error, Some(number))),
                _ => Err((lost(), Some(number))),
            };
            Ok(ControlFlow::Break(()))
        });
        match scanned {
            Ok(()) => found,
            Err(error) => {
                // The rows of this number cannot be read; those of the next may be, up to the last.
                let mut last = None;
                let all = (Bound::Unbounded, Bound::Unbounded);
                let sought = self.scan(Table::Versions, all, Direction::Backward, &mut |key, _| {
                    last = Some(codec::read_version_key(key)?.0);
                    Ok(ControlFlow::Break(()))
                });
                // Numbers are given one after the other, so one that is beyond the number of keys is itself damaged.
                let keys = View::count(self.view(), Table::Keys).unwrap_or(u64::MAX);
                let next = sought.ok().and(last).filter(|last| number < keys.min(*last)).map(|_| number);
                Err((error, next))
            }
        }
    }
}

/// Visits the versions of a chain up to a time, from its beginning, each with whether it is proven: what was dropped is stood for by
/// its digest, then come those in segments, and then the rows. Something that is broken and of no version has the time 0.
pub(crate) fn links<'b, B: Backend>(
    backend: &'b B,
    chain: &Chain,
    until: Timestamp,
    visit: VisitLink<'_, B::View<'b>>,
) -> Result<(), StoreError> {
    let mut links = Links::new(until);
    while links.page(backend, chain, visit)? {}
    Ok(())
}

/// A place in a chain: what [`links`] visits, page by page.
pub(crate) struct Links {
    until: Timestamp,
    after: Timestamp,
    damaged: Option<Timestamp>,
    walk: Walk,
}

impl Links {
    /// At the chain's beginning.
    pub fn new(until: Timestamp) -> Self {
        let walk = Walk { before: Before::Beginning, scratch: Vec::new() };
        Links { until, after: Timestamp::ZERO, damaged: None, walk }
    }

    /// Visits those of the next page, of a view of its own; `false`: it was the last.
    pub fn page<'b, B: Backend>(
        &mut self,
        backend: &'b B,
        chain: &Chain,
        visit: VisitLink<'_, B::View<'b>>,
    ) -> Result<bool, StoreError> {
        let Links { until, after, damaged, walk } = self;
        let until = *until;
        let reader = Reader::new(backend.view()?);
        // Each page is of another view, and versions may have changed their tier since the last.
        match reader.deep(chain.number) {
            Ok(Some(deep)) if deep.last.timestamp() > *after => {
                walk.before = Before::Perhaps(deep.last);
                *after = deep.last.timestamp();
            }
            Ok(_) => {}
            Err(error) if error.is_damage() && *after == Timestamp::ZERO => {
                walk.before = Before::Unknown;
                *after = Timestamp::from_nanos(1);
                visit(&reader, Link::Broken { at: Timestamp::ZERO, what: error.to_string() })?;
            }
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error),
        }
        let mut raw = reader.segment_beyond(chain.number, *after)?;
        if damaged.is_some() && raw.as_ref().map(|raw| raw.first) == *damaged {
            raw = reader.raw_segment_after(chain.number, *after)?;
        }
        if let Some(raw) = raw.filter(|raw| raw.first <= until) {
            match Segment::read(&raw.key, &raw.row, (&chain.namespace, &chain.key)) {
                Ok(segment) => {
                    for place in segment.until(*after)..segment.until(until) {
                        let link = walk.cold(&segment, place);
                        visit(&reader, link)?;
                    }
                    *after = segment.last();
                }
                Err(error) => {
                    *damaged = Some(raw.first);
                    // What it says of its end is believed if that is before what comes next, which then proves it.
                    let next = reader.raw_segment_after(chain.number, raw.first)?.map(|raw| raw.first);
                    let next = next.or(reader.first_warm(chain.number)?);
                    let last = Header::of_damaged(&raw.row).map(|header| header.last);
                    let last = last.filter(|last| next.is_none_or(|next| last.timestamp() < next));
                    walk.before = last.map_or(Before::Unknown, Before::Perhaps);
                    *after = last.map_or(raw.first, |last| last.timestamp().max(raw.first));
                    visit(&reader, Link::Broken { at: raw.first, what: error.to_string() })?;
                }
            }
            return Ok(true);
        }
        let (from, to) = (codec::version_key(chain.number, *after), codec::version_key(chain.number, until));
        let mut read = Vec::new();
        let mut bytes = 0;
        let range = (Bound::Excluded(&from[..]), Bound::Included(&to[..]));
        let scanned = reader.scan(Table::Versions, range, Direction::Forward, &mut |key, row| {
            let (_, at) = codec::read_version_key(key)?;
            *after = at;
            bytes += row.len();
            read.push(walk.step(chain, at, key, row));
            Ok(if read.len() < ROWS && bytes < BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        let is_end = read.len() < ROWS && bytes < BYTES;
        for link in read {
            visit(&reader, link)?;
        }
        scanned?;
        Ok(!is_end)
    }
}

/// What is known of the version before.
enum Before {
    /// There is none.
    Beginning,
    Proven(VersionId),
    /// It is damaged, or was dropped; its id may still be what it was, which the next version proves or does not.
    Perhaps(VersionId),
    Unknown,
}

struct Walk {
    before: Before,
    scratch: Vec<u8>,
}

impl Walk {
    /// A version of a segment: what is in that is proven already, but for what it follows.
    fn cold(&mut self, segment: &Segment, place: usize) -> Link {
        let at = segment.id(place).map_or(segment.first, |id| id.timestamp());
        let Some(piece) = segment.piece(place) else {
            return Link::Broken { at, what: "it is not in its segment".to_string() };
        };
        let previous = segment.previous(place);
        let begins = place == 0;
        let (joins, follows) = match (segment.header.joint, &self.before) {
            (Joint::First, Before::Beginning) if begins => (true, true),
            (Joint::Gap(_), _) if begins => (true, false),
            (_, Before::Proven(before)) => (previous == Some(*before), true),
            (_, Before::Perhaps(before)) => (previous == Some(*before), false),
            (_, Before::Unknown) => (previous.is_some(), false),
            (_, Before::Beginning) => (false, false),
        };
        self.before = Before::Proven(piece.id);
        if !joins {
            return Link::Broken { at, what: "the version before it is lost, or another".to_string() };
        }
        Link::Proven(Proven { id: piece.id, previous, follows, causes: piece.causes, value: piece.value })
    }

    fn step(&mut self, chain: &Chain, at: Timestamp, key: &[u8], row: &[u8]) -> Link {
        let broken = |what: &dyn core::fmt::Display| Link::Broken { at, what: what.to_string() };
        let version = match VersionRow::read(key, row) {
            Ok(version) => version,
            Err(error) => {
                self.before = VersionRow::id_of_damaged(at, row).map_or(Before::Unknown, Before::Perhaps);
                return broken(&error);
            }
        };
        let (previous, follows) = match (version.previous(), &self.before) {
            (Previous::None, Before::Beginning) => (None, true),
            (Previous::Here(previous), _) => (Some(previous), false),
            (Previous::Before, Before::Proven(before)) => (Some(*before), true),
            (Previous::Before, Before::Perhaps(before)) => (Some(*before), false),
            (Previous::Before, Before::Unknown | Before::Beginning) => {
                self.before = Before::Perhaps(version.id());
                return broken(&"the version before it is lost, so it cannot be proven");
            }
            (Previous::None, _) => {
                self.before = Before::Perhaps(version.id());
                return broken(&"it says that it is the first version, and is not");
            }
        };
        let causes = match version.causes() {
            Ok(causes) => causes,
            Err(error) => {
                self.before = Before::Perhaps(version.id());
                return broken(&error);
            }
        };
        let (namespace, key) = (&*chain.namespace, &*chain.key);
        let value = version.value;
        let written = Written { namespace, key, value, timestamp: at, previous, causes: &causes };
        if VersionId::of(&written, &mut self.scratch) != version.id() {
            self.before = Before::Perhaps(version.id());
            return broken(&"its id is not that of what it says");
        }
        self.before = Before::Proven(version.id());
        Link::Proven(Proven { id: version.id(), previous, follows, causes, value: value.map(Into::into) })
    }
}
