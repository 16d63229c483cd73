//! When the next thing is due: timers by deadline, each of which can be taken back.

use crate::task::Task;
use std::{collections::BTreeMap, sync::Arc, task::Waker};

/// What a timer does when it is due.
pub(crate) enum Due {
    /// Wakes whoever sleeps.
    Wake(Waker),
    /// Makes a task ready that a fault had held up.
    GoOn(Arc<Task>),
}

/// A timer that was set: its deadline, and which of those set for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    deadline: u64,
    number: u64,
}

impl TimerKey {
    pub(crate) fn deadline(self) -> u64 {
        self.deadline
    }
}

/// All timers that are set. A timer that was taken back leaves nothing behind.
#[derive(Default)]
pub(crate) struct Timers {
    set: BTreeMap<TimerKey, Due>,
    number: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, deadline: u64, due: Due) -> TimerKey {
        self.number += 1;
        let key = TimerKey { deadline, number: self.number };
        self.set.insert(key, due);
        key
    }

    /// Gives the timer another waker, and the former one back, to be dropped where no lock is held.
    pub(crate) fn rewake(&mut self, key: TimerKey, waker: Waker) -> Option<Waker> {
        match self.set.get_mut(&key)? {
            Due::Wake(former) if former.will_wake(&waker) => Some(waker),
            Due::Wake(former) => Some(std::mem::replace(former, waker)),
            Due::GoOn(_) => None,
        }
    }

    #[must_use = "what the timer held is dropped where no lock is held"]
    pub(crate) fn take_back(&mut self, key: TimerKey) -> Option<Due> {
        self.set.remove(&key)
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.set.first_key_value().map(|(key, _)| key.deadline)
    }

    /// Moves every timer that is due at `now` into `due`, in the order they were set.
    pub(crate) fn take_due(&mut self, now: u64, due: &mut Vec<Due>) {
        while let Some(first) = self.set.first_entry()
            && first.key().deadline <= now
        {
            due.push(first.remove());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }
}
