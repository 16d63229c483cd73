//! The writing end of a record.

use crate::{
    buffer::{SharedRef, Wait, WaitFor, Waiter},
    record::{BufferStatus, ClaimError},
};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Poll, Waker},
};

/// The typed writing end of a record: it names neither the buffer, nor the lock, nor the runtime.
///
/// `produce` is the verb for rings, latests and mailboxes: it never waits. [`send`](Self::send) and
/// [`try_send`](Self::try_send) are those for queues. When the last producer of a record has gone (dropped, or its
/// service ended or panicked), the record closes and its consumers end after the last value.
pub struct Producer<T: 'static> {
    record: SharedRef<T>,
    outside: bool,
}

impl<T> Producer<T> {
    pub(crate) fn claim(record: SharedRef<T>, outside: bool) -> Result<Self, ClaimError> {
        record.claim_producer(outside)?;
        Ok(Producer { record, outside })
    }

    /// Puts a value into the record, and gives its sequence number there. Never waits, and never fails: a ring or latest
    /// lets its oldest value go, a mailbox its waiting one. A queue that is full refuses the value and counts it as lost
    /// (see [`status`](Self::status)); use [`send`](Self::send) there.
    ///
    /// O(1), without allocation, and one wake for each consumer that waits.
    #[inline]
    pub fn produce(&self, value: T) -> u64 {
        self.record.push(value)
    }

    /// Puts a value into a queue when there is room, waiting for the slowest consumer until then; into any other record
    /// at once. Gives the value's sequence number. Dropping the future before it ended means that nothing was sent.
    ///
    /// # Errors
    /// [`SendError`] gives the value back when every consumer of the queue has left.
    pub fn send(&self, value: T) -> impl Future<Output = Result<u64, SendError<T>>> {
        Wait::new(Sending { record: &self.record, value: Some(value) })
    }

    /// Puts a value into a queue if there is room now; into any other record while it is open.
    ///
    /// # Errors
    /// [`TrySendError`] gives the value back.
    pub fn try_send(&self, value: T) -> Result<u64, TrySendError<T>> {
        self.record.try_send(value)
    }

    /// The record's name.
    pub fn record(&self) -> &str {
        self.record.name()
    }

    /// What the record is doing.
    pub fn status(&self) -> BufferStatus {
        self.record.status()
    }

    /// One more producer of the same record.
    ///
    /// # Errors
    /// [`ClaimError::ProducerTaken`] when the record allows one only.
    pub fn try_clone(&self) -> Result<Self, ClaimError> {
        Producer::claim(self.record.clone(), self.outside)
    }

    /// The same producer once more, for the next run or another instance of the service that owns it.
    #[doc(hidden)]
    #[must_use]
    pub fn lend(&self) -> Self {
        Producer::lent(self.record.clone(), self.outside)
    }

    /// The same producer, of a service that has received these values.
    #[cfg(feature = "alloc")]
    pub(crate) fn citing(mut self, received: &alloc::sync::Arc<[alloc::sync::Arc<crate::buffer::Position>]>) -> Self {
        if let Some(record) = self.record.citing(received) {
            self.record = record;
        }
        self
    }

    /// A producer of a record for which somebody else checks how many it may have.
    pub(crate) fn lent(record: SharedRef<T>, outside: bool) -> Self {
        record.lend_producer(outside);
        Producer { record, outside }
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.record.drop_producer(self.outside);
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Producer").field(&self.record()).finish()
    }
}

/// Every consumer of the queue has left; here is the value.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody consumes this queue any more; the value was not sent")]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

/// Why a value was not sent; here it is.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// The queue is full.
    #[error("the queue is full; `send().await` waits for room")]
    Full(T),
    /// Every consumer of the queue has left, or the record has closed in a shutdown.
    #[error("nobody takes values from this record any more; the value was not sent")]
    Closed(T),
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

/// The state of [`Producer::send`] while it waits for room.
struct Sending<'a, T: 'static> {
    record: &'a SharedRef<T>,
    value: Option<T>,
}

impl<T> WaitFor for Sending<'_, T> {
    type Output = Result<u64, SendError<T>>;
    fn poll(&mut self, waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<Self::Output> {
        self.record.poll_send(&mut self.value, waiter, waker)
    }
    fn cancel(&mut self, waiter: Pin<&mut Waiter>) {
        self.record.cancel_send(waiter);
    }
}
