//! What was put into a record and is not written yet, and what became of the rest.

use super::{
    KeepStatus,
    ids::{Cause, Ids},
    pattern::Pattern,
};
use crate::{Position, Tap, store::VersionId};
use alloc::{
    boxed::Box,
    collections::VecDeque,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use anabranch_value::{Text, Value};
use core::{fmt::Display, task::Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Makes what is kept of a value.
pub(super) type Form<T> = Box<dyn Fn(&T) -> Result<Value, String> + Send + Sync>;

/// The values of one record that wait, and where they go.
pub(super) struct Inbox<T> {
    pub(super) record: Text,
    pub(super) namespace: Text,
    pub(super) key: Pattern,
    pub(super) form: Form<T>,
    pub(super) ids: Arc<Ids>,
    room: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: VecDeque<Item<T>>,
    /// Places that were set aside for values on their way into the record.
    reserved: usize,
    /// Values that the writer took and has not settled.
    taken: usize,
    writer: Option<Waker>,
    /// Senders that wait for room.
    senders: Vec<Waker>,
    /// Nobody writes any more.
    ended: bool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    kept: u64,
    lost: u64,
    failed: u64,
    uncited: u64,
    last_error: Option<String>,
}

/// A value that was put in.
pub(super) struct Item<T> {
    pub(super) sequence: u64,
    pub(super) value: T,
    pub(super) causes: Vec<Cause>,
}

/// A record that is kept, whatever its type.
pub(super) trait Status: Send + Sync {
    fn status(&self) -> KeepStatus;
}

impl<T> Inbox<T> {
    pub(super) fn new(record: &str, namespace: Text, key: Pattern, room: usize, form: Form<T>) -> Arc<Self> {
        let state = State {
            waiting: VecDeque::new(),
            reserved: 0,
            taken: 0,
            writer: None,
            senders: Vec::new(),
            ended: false,
            counts: Counts::default(),
        };
        Arc::new(Inbox { record: record.into(), namespace, key, form, ids: Ids::new(), room, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A writer begins.
    pub(super) fn begin(&self, capacity: usize) {
        self.ids.begin(capacity);
        self.state().ended = false;
    }

    /// Moves what waits into `into`, in the order of the record, and has the writer woken when more comes, or the record changes.
    pub(super) fn take(&self, into: &mut VecDeque<Item<T>>, waker: &Waker) {
        let mut state = self.state();
        let came = !state.waiting.is_empty();
        state.taken += state.waiting.len();
        into.append(&mut state.waiting);
        let replaced = state.writer.replace(waker.clone());
        drop(state);
        drop(replaced);
        if came {
            // Who puts a value in may be slower to come here than one who puts in the next. Were that one written first, it
            // could wait for ever: for what was made from the other.
            order(into.make_contiguous());
        }
    }

    /// Values that the writer took are in the store.
    pub(super) fn kept(&self, versions: &[(u64, VersionId)]) {
        self.ids.settle(versions.iter().map(|(sequence, id)| (*sequence, Some(*id))));
        self.settled(versions.len(), |counts| counts.kept += versions.len() as u64);
    }

    /// A value that the writer took cannot be kept.
    pub(super) fn failed(&self, sequence: u64, why: &dyn Display) {
        self.ids.settle([(sequence, None)]);
        let why = why.to_string();
        let failed = self.settled(1, |counts| {
            counts.failed += 1;
            counts.last_error = Some(why.clone());
            counts.failed
        });
        // The first, the second, the fourth …, as links do.
        if failed.is_power_of_two() {
            tracing::warn!(record = &*self.record, namespace = &*self.namespace, failed, "a value is not kept: {why}");
        }
    }

    /// The store cannot be written just now; its values wait.
    pub(super) fn stalls(&self, why: &dyn Display) {
        let why = why.to_string();
        tracing::warn!(record = &*self.record, namespace = &*self.namespace, "values wait to be kept: {why}");
        self.state().counts.last_error = Some(why);
    }

    /// So many causes are not cited.
    pub(super) fn uncited(&self, causes: u64) {
        self.state().counts.uncited += causes;
    }

    /// Nobody writes any more; so many values that were taken are lost, and all that wait.
    pub(super) fn end(&self, taken: usize) {
        let mut state = self.state();
        state.ended = true;
        let lost = state.waiting.len() + taken;
        drop(core::mem::take(&mut state.waiting));
        state.taken = state.taken.saturating_sub(taken);
        state.counts.lost += lost as u64;
        let senders = core::mem::take(&mut state.senders);
        drop(state);
        self.ids.end();
        senders.into_iter().for_each(Waker::wake);
        if lost > 0 {
            tracing::warn!(record = &*self.record, namespace = &*self.namespace, lost, "values are lost to the store");
        }
    }

    /// So many values that were taken need their places no more.
    fn settled<U>(&self, values: usize, count: impl FnOnce(&mut Counts) -> U) -> U {
        let mut state = self.state();
        state.taken = state.taken.saturating_sub(values);
        let counted = count(&mut state.counts);
        let senders = core::mem::take(&mut state.senders);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        counted
    }

    /// Counts a value that is lost to the store.
    fn lost(&self, sequence: u64) {
        self.ids.settle([(sequence, None)]);
        let lost = {
            let mut state = self.state();
            state.counts.lost += 1;
            state.counts.lost
        };
        if lost.is_power_of_two() {
            let (record, namespace) = (&*self.record, &*self.namespace);
            tracing::warn!(record, namespace, lost, "a value is lost to the store: no room, for writing is too slow");
        }
    }
}

/// Puts items in the order of their sequence. They come nearly so, and a sort from the library is a large one.
fn order<T>(items: &mut [Item<T>]) {
    for next in 1..items.len() {
        let mut place = next;
        while place > 0 && items[place - 1].sequence > items[place].sequence {
            items.swap(place - 1, place);
            place -= 1;
        }
    }
}

impl<T: Send + 'static> Tap<T> for Inbox<T> {
    fn reserve(&self, waker: Option<&Waker>) -> bool {
        let mut state = self.state();
        let has_room = state.waiting.len() + state.reserved + state.taken < self.room;
        // Once nobody writes, nobody makes room either.
        if has_room || state.ended {
            state.reserved += 1;
            return true;
        }
        if let Some(waker) = waker
            && !state.senders.iter().any(|sender| sender.will_wake(waker))
        {
            state.senders.push(waker.clone());
        }
        false
    }

    fn release(&self) {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(1);
        let senders = core::mem::take(&mut state.senders);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
    }

    fn take(&self, sequence: u64, value: T, received: &[Arc<Position>]) {
        let mut causes = Vec::new();
        let mut uncited = 0;
        for position in received {
            let Some(received) = position.last() else { continue };
            let Ok(of) = position.of().clone().downcast::<Ids>() else { continue };
            match of.cite(received) {
                Some(cause) => causes.push(cause),
                None => uncited += 1,
            }
        }
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(1);
        state.counts.uncited += uncited;
        if state.ended {
            drop(state);
            return self.lost(sequence);
        }
        state.waiting.push_back(Item { sequence, value, causes });
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn missed(&self, sequence: u64) {
        self.lost(sequence);
    }

    fn changed(&self) {
        let writer = self.state().writer.take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    fn watch(&self) -> Arc<Position> {
        self.ids.watch()
    }
}

impl<T: Send> Status for Inbox<T> {
    fn status(&self) -> KeepStatus {
        let state = self.state();
        let Counts { kept, lost, failed, uncited, last_error } = &state.counts;
        KeepStatus {
            record: self.record.to_string(),
            namespace: self.namespace.to_string(),
            key: self.key.to_string(),
            kept: *kept,
            waiting: state.waiting.len() + state.reserved + state.taken,
            lost: *lost,
            failed: *failed,
            uncited: *uncited,
            last_error: last_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Inbox, Pattern};
    use crate::Tap;
    use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
    use core::task::Waker;

    #[test]
    fn a_value_that_comes_late_is_written_before_those_that_were_put_in_after_it() {
        let form = Box::new(|number: &i64| Ok((*number).into()));
        let inbox = Inbox::new("number", "numbers".into(), Pattern::fixed("number"), 10, form);
        let mut pending = VecDeque::new();
        for sequence in [4, 6, 5, 7] {
            assert!(inbox.reserve(None));
            Tap::take(&*inbox, sequence, 0, &[]);
            inbox.take(&mut pending, Waker::noop());
        }
        assert_eq!(pending.iter().map(|item| item.sequence).collect::<Vec<_>>(), [4, 5, 6, 7]);
    }
}
