//! Which version each value of a record became: what versions that are made from it cite.
//!
//! A value is known by its sequence number. Its id is known once it is written, and remembered while it may be cited: as long as
//! the record may hold it, a consumer has received nothing later, or a version that waits to be written was made from it.

use crate::{
    Position,
    store::{Tree, VersionId},
};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};
use core::task::Waker;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The versions of one record's values.
pub(super) struct Ids(Mutex<Known>);

struct Known {
    /// Where consumers note what they have received last.
    watchers: Vec<Weak<Position>>,
    /// What became of a value: its version, or none. In the order of their numbers, in which they mostly come.
    settled: Vec<(u64, Option<VersionId>)>,
    /// Values that versions cite which wait to be written, and how many do.
    wanted: Tree<u64, u64>,
    /// What is older than this and not in `settled` is not known any more.
    forgotten: u64,
    /// How many values the record may hold, and a few that are on their way out.
    window: u64,
    /// Nobody writes any more: what is not settled never will be.
    ended: bool,
    waiting: Vec<Waker>,
}

/// A version that is cited.
pub(super) enum Cause {
    /// It is written.
    Known(VersionId),
    /// The value with this number is on its way to be.
    Awaited(Arc<Ids>, u64),
}

impl Ids {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Ids(Mutex::new(Known {
            watchers: Vec::new(),
            settled: Vec::new(),
            wanted: Tree::default(),
            forgotten: 0,
            window: 1024,
            ended: false,
            waiting: Vec::new(),
        })))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more consumer notes what it receives.
    pub(super) fn watch(self: &Arc<Self>) -> Arc<Position> {
        let position = Arc::new(Position::new(self.clone()));
        self.known().watchers.push(Arc::downgrade(&position));
        position
    }

    /// A writer begins, of a record that holds so many values.
    pub(super) fn begin(&self, capacity: usize) {
        let mut known = self.known();
        known.window = (capacity as u64).saturating_mul(2).saturating_add(64);
        known.ended = false;
    }

    /// Nobody writes any more.
    pub(super) fn end(&self) {
        let mut known = self.known();
        known.ended = true;
        wake(known);
    }

    /// The version of a value, or a claim to it; none if there will be none.
    pub(super) fn cite(self: &Arc<Self>, sequence: u64) -> Option<Cause> {
        let mut known = self.known();
        match known.settled(sequence) {
            Some(outcome) => outcome.map(Cause::Known),
            None if known.ended || sequence < known.forgotten => None,
            None => {
                let claims = known.wanted.get(&sequence).copied().unwrap_or(0);
                known.wanted.insert(sequence, claims + 1);
                Some(Cause::Awaited(self.clone(), sequence))
            }
        }
    }

    /// What became of a value that was claimed; `None` while it is not known, and then `waker` is woken. Once it is, the claim
    /// has gone.
    pub(super) fn outcome(&self, sequence: u64, waker: &Waker) -> Option<Option<VersionId>> {
        let mut known = self.known();
        let outcome = match known.settled(sequence) {
            Some(outcome) => outcome,
            None if known.ended => None,
            None => {
                if !known.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
                    known.waiting.push(waker.clone());
                }
                return None;
            }
        };
        match known.wanted.get(&sequence).copied() {
            None => {}
            Some(0 | 1) => drop(known.wanted.remove(&sequence)),
            Some(claims) => drop(known.wanted.insert(sequence, claims - 1)),
        }
        Some(outcome)
    }

    /// What became of values.
    pub(super) fn settle(&self, outcomes: impl IntoIterator<Item = (u64, Option<VersionId>)>) {
        let mut known = self.known();
        if known.watchers.is_empty() {
            return;
        }
        for (sequence, outcome) in outcomes {
            let place = known.settled.partition_point(|(before, _)| *before < sequence);
            match known.settled.get_mut(place) {
                Some((settled, before)) if *settled == sequence => *before = outcome,
                _ => known.settled.insert(place, (sequence, outcome)),
            }
        }
        known.forget();
        wake(known);
    }
}

impl Known {
    /// What became of a value, if it is known.
    fn settled(&self, sequence: u64) -> Option<Option<VersionId>> {
        let place = self.settled.binary_search_by_key(&sequence, |(settled, _)| *settled).ok()?;
        self.settled.get(place).map(|(_, outcome)| *outcome)
    }

    /// Forgets what nobody will ask for, now and then.
    fn forget(&mut self) {
        let room = usize::try_from(self.window.saturating_mul(2)).unwrap_or(usize::MAX);
        if self.settled.len() <= room {
            return;
        }
        self.watchers.retain(|watcher| watcher.strong_count() > 0);
        let held: Vec<u64> = self.watchers.iter().filter_map(|watcher| watcher.upgrade()?.last()).collect();
        let newest = self.settled.last().map_or(0, |(sequence, _)| *sequence);
        let floor = newest.saturating_sub(self.window);
        let wanted = &self.wanted;
        self.settled
            .retain(|(sequence, _)| *sequence >= floor || wanted.get(sequence).is_some() || held.contains(sequence));
        self.forgotten = self.forgotten.max(floor);
    }
}

/// Wakes those who wait, outside the lock.
fn wake(mut known: MutexGuard<'_, Known>) {
    let waiting = core::mem::take(&mut known.waiting);
    drop(known);
    waiting.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::{Cause, Ids};
    use crate::store::VersionId;
    use core::task::Waker;

    fn id(number: u64) -> VersionId {
        alloc::format!("{:016x}{number:048x}", number + 1).parse().expect("a time, and digits")
    }

    #[test]
    fn a_claim_is_answered_when_the_value_is_written_and_never_if_it_is_lost() {
        let ids = Ids::new();
        let _watcher = ids.watch();
        let Some(Cause::Awaited(_, 7)) = ids.cite(7) else { panic!("it is not written yet") };
        assert_eq!(ids.outcome(7, Waker::noop()), None);
        ids.settle([(7, Some(id(7))), (8, None)]);
        assert_eq!(ids.outcome(7, Waker::noop()), Some(Some(id(7))));
        assert!(matches!(ids.cite(7), Some(Cause::Known(known)) if known == id(7)));
        assert!(ids.cite(8).is_none());
        let Some(Cause::Awaited(..)) = ids.cite(9) else { panic!("it is not written yet") };
        ids.end();
        assert_eq!(ids.outcome(9, Waker::noop()), Some(None));
    }

    #[test]
    fn what_may_be_cited_is_remembered_and_the_rest_is_not() {
        let ids = Ids::new();
        ids.begin(1);
        let _watcher = ids.watch();
        let Some(Cause::Awaited(..)) = ids.cite(3) else { panic!("it is not written yet") };
        for number in 0..10_000 {
            ids.settle([(number, Some(id(number)))]);
        }
        assert!(ids.known().settled.len() <= 2 * 66 + 1, "{}", ids.known().settled.len());
        assert_eq!(ids.outcome(3, Waker::noop()), Some(Some(id(3))), "a version waits that was made from it");
        assert!(ids.cite(5).is_none(), "it left the record long ago");
        assert!(matches!(ids.cite(9_999), Some(Cause::Known(_))));
    }
}
