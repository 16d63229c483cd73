//! Those who wait for something to be written.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use std::sync::{Mutex, PoisonError};

/// The wakers of those who wait, by a number that each has.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    waiting: Mutex<Waiting>,
    /// Whether anybody may wait: what a write costs where nobody does.
    any: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The last number that was given.
    last: u64,
    /// In the order of their numbers.
    wakers: Vec<(u64, Waker)>,
}

impl Waiting {
    fn place(&self, number: u64) -> Result<usize, usize> {
        self.wakers.binary_search_by_key(&number, |(number, _)| *number)
    }
}

impl Followers {
    /// A number for one more.
    pub fn join(&self) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last += 1;
        waiting.last
    }

    /// Wakes it after the next commit. It looks once more after this, for what came before.
    pub fn wait(&self, number: u64, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.place(number) {
            Ok(place) => waiting.wakers[place].1 = waker.clone(),
            Err(place) => waiting.wakers.insert(place, (number, waker.clone())),
        }
        self.any.store(true, Ordering::SeqCst);
    }

    /// It waits no more.
    pub fn leave(&self, number: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(place) = waiting.place(number) {
            waiting.wakers.remove(place);
        }
    }

    /// Something was written.
    pub fn wake(&self) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let wakers = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.any.store(false, Ordering::SeqCst);
            core::mem::take(&mut waiting.wakers)
        };
        // Outside the lock: a waker is user code.
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }
}
