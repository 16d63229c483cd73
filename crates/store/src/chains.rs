//! Walks chains from their beginnings, and goes on after what is damaged.

use crate::codec::{self, Previous, VersionRow};
use crate::read::Reader;
use crate::version_id::Written;
use crate::{Backend, Causes, Direction, StoreError, Table, Timestamp, VersionId};
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
    let Some(number) = after.checked_add(1) else { return Ok(None) };
    let view = backend.view().map_err(|error| (error.into(), None))?;
    let reader = Reader::new(view);
    let from = codec::version_key(number, Timestamp::ZERO);
    let range = (Bound::Included(&from[..]), Bound::Unbounded);
    let mut found = Ok(None);
    let scanned = reader.scan(Table::Versions, range, Direction::Forward, &mut |key, row| {
        let (number, at) = codec::read_version_key(key)?;
        found = match codec::read_name(number, row) {
            Ok((namespace, key)) if at == Timestamp::ZERO => {
                Ok(Some(Chain { number, namespace: namespace.to_string(), key: key.to_string() }))
            }
            Ok(_) => Err((StoreError::damaged(format_args!("the name of key number {number} is lost")), Some(number))),
            Err(error) if at == Timestamp::ZERO => Err((error, Some(number))),
            Err(_) => Err((StoreError::damaged(format_args!("the name of key number {number} is lost")), Some(number))),
        };
        Ok(ControlFlow::Break(()))
    });
    match scanned {
        Ok(()) => found,
        Err(error) => {
            // The rows of this number cannot be read; those of the next may be, up to the last.
            let mut last = None;
            let all = (Bound::Unbounded, Bound::Unbounded);
            let sought = reader.scan(Table::Versions, all, Direction::Backward, &mut |key, _| {
                last = Some(codec::read_version_key(key)?.0);
                Ok(ControlFlow::Break(()))
            });
            let next = sought.ok().and(last).filter(|last| number < *last).map(|_| number);
            Err((error, next))
        }
    }
}

/// Visits the versions of a chain up to a time, from its beginning, each with whether it is proven.
pub(crate) fn links<'b, B: Backend>(
    backend: &'b B,
    chain: &Chain,
    until: Timestamp,
    visit: VisitLink<'_, B::View<'b>>,
) -> Result<(), StoreError> {
    let mut after = Timestamp::ZERO;
    let mut walk = Walk { before: Before::Beginning, scratch: Vec::new() };
    loop {
        let reader = Reader::new(backend.view()?);
        let (from, to) = (codec::version_key(chain.number, after), codec::version_key(chain.number, until));
        let mut read = Vec::new();
        let mut bytes = 0;
        let range = (Bound::Excluded(&from[..]), Bound::Included(&to[..]));
        let scanned = reader.scan(Table::Versions, range, Direction::Forward, &mut |key, row| {
            let (_, at) = codec::read_version_key(key)?;
            after = at;
            bytes += row.len();
            read.push(walk.step(chain, at, key, row));
            Ok(if read.len() < ROWS && bytes < BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        let is_end = read.len() < ROWS && bytes < BYTES;
        for link in read {
            visit(&reader, link)?;
        }
        scanned?;
        if is_end {
            return Ok(());
        }
    }
}

/// What is known of the version before.
enum Before {
    /// There is none.
    Beginning,
    Proven(VersionId),
    /// It is damaged; its id may still be what it was, which the next version proves or does not.
    Perhaps(VersionId),
    Unknown,
}

struct Walk {
    before: Before,
    scratch: Vec<u8>,
}

impl Walk {
    fn step(&mut self, chain: &Chain, at: Timestamp, key: &[u8], row: &[u8]) -> Link {
        let broken = |what: &dyn core::fmt::Display| Link::Broken { at, what: what.to_string() };
        let version = match VersionRow::read(key, row) {
            Ok(version) => version,
            Err(error) => {
                self.before = VersionRow::id_of_damaged(at, row).map_or(Before::Unknown, Before::Perhaps);
                return broken(&error);
            }
        };
        let (previous, follows) = match (version.previous, &self.before) {
            (Previous::None, Before::Beginning) => (None, true),
            (Previous::Here(previous), _) => (Some(previous), false),
            (Previous::Before, Before::Proven(before)) => (Some(*before), true),
            (Previous::Before, Before::Perhaps(before)) => (Some(*before), false),
            (Previous::Before, Before::Unknown | Before::Beginning) => {
                self.before = Before::Perhaps(version.id);
                return broken(&"the version before it is lost, so it cannot be proven");
            }
            (Previous::None, _) => {
                self.before = Before::Perhaps(version.id);
                return broken(&"it says that it is the first version, and is not");
            }
        };
        let causes = match version.causes() {
            Ok(causes) => causes,
            Err(error) => {
                self.before = Before::Perhaps(version.id);
                return broken(&error);
            }
        };
        let (namespace, key) = (&*chain.namespace, &*chain.key);
        let value = version.value;
        let written = Written { namespace, key, value, timestamp: at, previous, causes: &causes };
        if VersionId::of(&written, &mut self.scratch) != version.id {
            self.before = Before::Perhaps(version.id);
            return broken(&"its id is not that of what it says");
        }
        self.before = Before::Proven(version.id);
        Link::Proven(Proven { id: version.id, previous, follows, causes, value: value.map(Into::into) })
    }
}
