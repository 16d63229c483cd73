//! Sleeps: one `setTimeout` each, made at the first poll, made again when it was too short, cleared on drop.

use crate::{
    WasmAdapter,
    clock::{self, WasmInstant},
    global::{clear_timeout, set_timeout},
    queue,
};
use anabranch_executor::{Moment, TimeSource};
use slab::Slab;
use std::{
    cell::RefCell,
    future::Future,
    mem::replace,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

/// A timeout that the host keeps for a sleep.
#[derive(Debug)]
enum Timeout {
    /// The host will call, and then this waker is woken.
    Pending { id: JsValue, waker: Waker },
    /// The host will not call: it has, or was not asked yet.
    Silent,
}

thread_local! {
    /// The timeouts of all sleeps. They stand here, and not in the sleeps, because what the host gives out cannot
    /// leave its thread; a sleep holds the number of its own.
    static TIMEOUTS: RefCell<Slab<Timeout>> = const { RefCell::new(Slab::new()) };

    /// What the host calls, for every sleep the same: it is told the sleep's number.
    static FIRE: Closure<dyn Fn(u32)> = Closure::new(fire);
}

fn fire(key: u32) {
    let fired = TIMEOUTS
        .with_borrow_mut(|timeouts| timeouts.get_mut(key as usize).map(|timeout| replace(timeout, Timeout::Silent)));
    if let Some(Timeout::Pending { waker, .. }) = fired {
        queue::wake(waker);
    }
}

/// The host's timeouts are 32 bits wide, and a longer one fires at once.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

fn start(key: usize, left: Duration) -> JsValue {
    // Rounded up, because the host takes whole milliseconds; it may fire a little early all the same.
    let milliseconds = left.min(LONGEST).as_nanos().div_ceil(1_000_000) as i32;
    FIRE.with(|fire| set_timeout(fire.as_ref().unchecked_ref(), milliseconds, key as u32))
}

/// The future of [`WasmAdapter`]'s sleeps. Dropping it clears its timeout.
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct WasmSleep {
    deadline: WasmInstant,
    timeout: Option<usize>,
}

impl Future for WasmSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.deadline.since(clock::now());
        if left.is_zero() {
            self.clear();
            return Poll::Ready(());
        }
        let key =
            *self.timeout.get_or_insert_with(|| TIMEOUTS.with_borrow_mut(|timeouts| timeouts.insert(Timeout::Silent)));
        let before = TIMEOUTS.with_borrow_mut(|timeouts| replace(&mut timeouts[key], Timeout::Silent));
        // Nothing is borrowed here: some hosts throw when a timeout is set before the first request came in, and with
        // the waker that goes here goes, perhaps, the last of a task.
        let id = match before {
            Timeout::Pending { id, .. } => id,
            Timeout::Silent => start(key, left),
        };
        let waker = cx.waker().clone();
        TIMEOUTS.with_borrow_mut(|timeouts| timeouts[key] = Timeout::Pending { id, waker });
        Poll::Pending
    }
}

impl WasmSleep {
    fn clear(&mut self) {
        let Some(key) = self.timeout.take() else { return };
        // The table is gone when the instance is.
        let removed = TIMEOUTS.try_with(|timeouts| timeouts.borrow_mut().try_remove(key));
        if let Ok(Some(Timeout::Pending { id, .. })) = removed {
            clear_timeout(&id);
        }
    }
}

impl Drop for WasmSleep {
    fn drop(&mut self) {
        self.clear();
    }
}

impl TimeSource for WasmAdapter {
    type Instant = WasmInstant;
    type Sleep = WasmSleep;

    fn now(&self) -> WasmInstant {
        clock::now()
    }

    fn sleep_until(&self, deadline: WasmInstant) -> WasmSleep {
        WasmSleep { deadline, timeout: None }
    }

    fn unix_time(&self) -> Option<Duration> {
        clock::unix_time()
    }
}
