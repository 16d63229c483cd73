//! Those who wait for something to be written.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use std::sync::{Mutex, PoisonError};

/// The wakers of those who wait, by a number that each has.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    waiting: Mutex<(u64, BTreeMap<u64, Waker>)>,
    /// Whether anybody may wait: what a write costs where nobody does.
    any: AtomicBool,
}

impl Followers {
    /// A number for one more.
    pub fn join(&self) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.0 += 1;
        waiting.0
    }

    /// Wakes it after the next commit. It looks once more after this, for what came before.
    pub fn wait(&self, number: u64, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.1.insert(number, waker.clone());
        self.any.store(true, Ordering::SeqCst);
    }

    /// It waits no more.
    pub fn leave(&self, number: u64) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&number);
    }

    /// Something was written.
    pub fn wake(&self) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let wakers: Vec<Waker> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.any.store(false, Ordering::SeqCst);
            core::mem::take(&mut waiting.1).into_values().collect()
        };
        // Outside the lock: a waker is user code.
        wakers.into_iter().for_each(Waker::wake);
    }
}
