//! Writes that were asked for before, of an engine that is gone: each is made once, whether that one had made it or not.
//!
//! Nothing in a version says who asked for it, so one that says the same, written since it was asked for, is taken for it; but
//! each version for one call alone, and for none if somebody was told of it. Of five calls to write the same, of which two were
//! made, three are made now.

use crate::{
    code::Failure,
    store::{self, Wanted},
    wire::Arguments,
};
use anabranch::store::{Expected, Seen, Start, Store, Timestamp, VersionId, VersionedValue, Write};
use std::ops::Bound;

/// What engines before this one have written, as far as it was asked for.
pub struct Before {
    /// All up to here is theirs.
    until: Timestamp,
    /// Those whose calls are known.
    known: Seen,
}

/// How many versions are looked at at once.
const PAGE: usize = 256;

impl Before {
    /// What a store holds when it is opened.
    pub fn of(store: &Store) -> Self {
        // Whoever begins to follow now stands behind all that was written.
        let until =
            store.subscribe("n", "", Start::Now).map_or(Timestamp::from_nanos(0), |following| following.position());
        Before { until, known: Seen::default() }
    }

    /// Versions that whoever asked for them was told of.
    pub fn told(&mut self, call: &mut Arguments<'_>) -> Result<(), Failure> {
        self.know(call.list("versions", |call| call.parsed("a version"))?);
        Ok(())
    }

    fn know(&mut self, versions: impl IntoIterator<Item = VersionId>) {
        for version in versions {
            self.known.insert(&version);
        }
    }

    /// The answer to a call that was asked before, if it has written since then what it was to write.
    pub fn done(&mut self, store: &Store, since: Timestamp, call: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let Some(wanted) = Wanted::of_call(call) else { return Ok(None) };
        let (writes, writing) = wanted?.into_writes();
        let mut versions = Vec::new();
        for write in &writes {
            match self.oldest(store, since, write)? {
                Some(version) => versions.push(version),
                // A batch is made as a whole.
                None => return Ok(None),
            }
        }
        self.know(versions.iter().map(|version| version.version_id));
        Ok(Some(store::written(&versions, writing)))
    }

    /// The oldest version that a write may have made, and no other call has.
    fn oldest(&self, store: &Store, since: Timestamp, write: &Write) -> Result<Option<VersionedValue>, Failure> {
        if since > self.until {
            return Ok(None);
        }
        let (mut oldest, mut until) = (None, Bound::Included(self.until));
        loop {
            let range = (Bound::Included(since), until);
            let page = match store.history(write.namespace(), write.key(), range, PAGE) {
                Ok(page) => page,
                Err(error) if error.is_not_found() => return Ok(oldest),
                Err(error) => return Err(error.into()),
            };
            let is_it = |version: &VersionedValue| !self.known.has(&version.version_id) && makes(write, version);
            oldest = page.items.into_iter().rfind(is_it).or(oldest);
            match page.next {
                Some(next) => until = Bound::Excluded(next),
                None => return Ok(oldest),
            }
        }
    }
}

/// Whether a write makes such a version.
fn makes(write: &Write, version: &VersionedValue) -> bool {
    let value = (!version.deleted).then_some(&version.value);
    let follows = match write.expected() {
        Expected::Any => true,
        Expected::Absent => version.previous_version.is_none(),
        Expected::Version(id) => version.previous_version == Some(id),
    };
    value == write.value() && *version.causes == *write.causes() && follows
}
