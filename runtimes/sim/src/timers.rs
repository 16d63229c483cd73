//! When the next thing is due: a heap of timers by deadline, each of which can be taken out again.

use crate::{network::Event, task::Task};
use slab::Slab;
use std::{mem, sync::Arc, task::Waker};

/// What a timer does when it is due.
pub(crate) enum Due {
    /// Wakes whoever sleeps.
    Wake(Waker),
    /// Makes a task ready that a fault had held up.
    GoOn(Arc<Task>),
    /// Something happens in the network.
    Network(Event),
}

/// A timer that was set: when it is due, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    order: Order,
    slot: usize,
}

/// Timers are due by deadline, the upper half; those of one deadline in the order in which they were set. One number,
/// because to compare two of them then takes no branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Order(u128);

impl Order {
    fn new(deadline: u64, number: u64) -> Self {
        Order(u128::from(deadline) << 64 | u128::from(number))
    }
}

impl TimerKey {
    pub(crate) fn deadline(self) -> u64 {
        (self.order.0 >> 64) as u64
    }
}

/// All timers that are set. A timer that was taken back leaves nothing behind.
#[derive(Default)]
pub(crate) struct Timers {
    /// A heap with [`ARITY`] children to a node: the children of `i` are `ARITY * i + 1` and those that follow it.
    heap: Vec<TimerKey>,
    slots: Slab<Slot>,
    number: u64,
}

struct Slot {
    /// Where its key stands in the heap.
    place: usize,
    due: Due,
}

const ARITY: usize = 4;

impl Timers {
    pub(crate) fn set(&mut self, deadline: u64, due: Due) -> TimerKey {
        self.number += 1;
        let order = Order::new(deadline, self.number);
        let place = self.heap.len();
        let key = TimerKey { order, slot: self.slots.insert(Slot { place, due }) };
        self.heap.push(key);
        self.rise(place);
        key
    }

    /// Gives the timer another waker, and back the one that is not needed, to be dropped where no lock is held.
    pub(crate) fn rewake(&mut self, key: TimerKey, waker: Waker) -> Option<Waker> {
        let slot = self.slots.get_mut(key.slot)?;
        match &mut slot.due {
            Due::Wake(former) if self.heap[slot.place] == key && !former.will_wake(&waker) => {
                Some(mem::replace(former, waker))
            }
            _ => Some(waker),
        }
    }

    #[must_use = "what the timer held is dropped where no lock is held"]
    pub(crate) fn take_back(&mut self, key: TimerKey) -> Option<Due> {
        let place = self.slots.get(key.slot)?.place;
        (self.heap[place] == key).then(|| self.take(place))
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|key| key.deadline())
    }

    /// Moves every timer that is due at `now` into `due`.
    pub(crate) fn take_due(&mut self, now: u64, due: &mut Vec<Due>) {
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            due.push(self.take(0));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Takes out what stands at `place`; the last one fills the gap and finds its place from there.
    fn take(&mut self, place: usize) -> Due {
        let key = self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.rise(place);
            self.sink(place);
        }
        self.slots.remove(key.slot).due
    }

    fn rise(&mut self, mut place: usize) {
        let key = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent].order <= key.order {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, key);
    }

    fn sink(&mut self, mut place: usize) {
        let key = self.heap[place];
        loop {
            let first = ARITY * place + 1;
            let children = first..self.heap.len().min(first + ARITY);
            let Some(least) = children.min_by_key(|&child| self.heap[child].order) else { break };
            if key.order <= self.heap[least].order {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, key);
    }

    fn put(&mut self, place: usize, key: TimerKey) {
        self.heap[place] = key;
        self.slots[key.slot].place = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::{
        collections::BTreeSet,
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    #[derive(Default)]
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sets, takes back and lets fall due at random, beside a sorted set that does the same.
    #[test]
    fn timers_fall_due_in_the_order_of_a_plain_sorted_set() {
        let mut random = Random::new(3);
        let mut timers = Timers::default();
        let mut model: BTreeSet<(u64, u64, usize)> = BTreeSet::new();
        let mut gone = Vec::new();
        let as_key =
            |&(deadline, number, slot): &(u64, u64, usize)| TimerKey { order: Order::new(deadline, number), slot };
        for _ in 0..20_000 {
            match random.below(5) {
                0..=1 => {
                    let key = timers.set(random.below(200), Due::Wake(Waker::noop().clone()));
                    model.insert((key.deadline(), key.order.0 as u64, key.slot));
                }
                2..=3 => {
                    let Some(taken) = model.iter().nth(random.below(model.len() as u64) as usize).copied() else {
                        continue;
                    };
                    model.remove(&taken);
                    gone.push(as_key(&taken));
                    assert!(timers.take_back(as_key(&taken)).is_some());
                }
                _ => {
                    let Some(first) = model.pop_first() else { continue };
                    assert_eq!(timers.heap[0], as_key(&first));
                    assert_eq!(timers.next_deadline(), Some(first.0));
                    gone.push(as_key(&first));
                    drop(timers.take(0));
                }
            }
            if let Some(&gone) = gone.get(random.below(gone.len() as u64) as usize) {
                assert!(timers.take_back(gone).is_none(), "a timer that is gone takes nothing else with it");
            }
            assert_eq!((timers.len(), timers.slots.len()), (model.len(), model.len()));
        }
        let mut due = Vec::new();
        timers.take_due(u64::MAX, &mut due);
        assert_eq!((due.len(), timers.len(), timers.slots.len()), (model.len(), 0, 0));
    }

    #[test]
    fn a_timer_wakes_the_waker_that_it_was_given_last() {
        let (former, latter) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut timers = Timers::default();
        let key = timers.set(5, Due::Wake(former.clone().into()));
        drop(timers.rewake(key, latter.clone().into()));
        let mut due = Vec::new();
        timers.take_due(4, &mut due);
        assert!(due.is_empty());
        timers.take_due(5, &mut due);
        for due in due {
            let Due::Wake(waker) = due else { panic!("a sleeper's timer wakes") };
            waker.wake();
        }
        assert_eq!((former.0.load(Ordering::Relaxed), latter.0.load(Ordering::Relaxed)), (0, 1));
    }
}
