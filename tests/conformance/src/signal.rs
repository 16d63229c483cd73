//! How the tasks of a case tell each other that something happened, in a static and with no heap.

use atomic_waker::AtomicWaker;
use core::{
    future::poll_fn,
    sync::atomic::{AtomicU32, Ordering},
    task::Poll,
};

/// A count of things that happened, which one task at a time may wait on.
#[derive(Debug, Default)]
pub struct Signal {
    raised: AtomicU32,
    waiter: AtomicWaker,
}

impl Signal {
    /// A signal that was never raised.
    #[must_use]
    pub const fn new() -> Self {
        Signal { raised: AtomicU32::new(0), waiter: AtomicWaker::new() }
    }

    /// Says that it happened once more.
    pub fn raise(&self) {
        self.raised.fetch_add(1, Ordering::AcqRel);
        self.waiter.wake();
    }

    /// How often it has happened in all.
    pub fn count(&self) -> u32 {
        self.raised.load(Ordering::Acquire)
    }

    /// Waits until it has happened `times` in all.
    pub async fn reaches(&self, times: u32) {
        poll_fn(|cx| {
            self.waiter.register(cx.waker());
            if self.count() >= times { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Raises its signal when it is dropped, so a case can see that a future is gone.
pub(crate) struct OnDrop<S: AsRef<Signal>>(pub(crate) S);

impl<S: AsRef<Signal>> Drop for OnDrop<S> {
    fn drop(&mut self) {
        self.0.as_ref().raise();
    }
}

impl AsRef<Signal> for Signal {
    fn as_ref(&self) -> &Signal {
        self
    }
}
