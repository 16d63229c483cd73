//! The reading end of a record.

use crate::{
    buffer::{Place, SharedRef, Wait, WaitFor, Waiter},
    record::{BufferStatus, ClaimError, Found},
};
use core::{
    fmt,
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;

/// The typed reading end of a record: a cursor, which names neither the buffer, nor the lock, nor the runtime.
///
/// ```
/// # use anabranch_core::{Consumer, Record, Ring};
/// async fn average(mut readings: Consumer<f32>) -> f32 {
///     let (mut sum, mut count) = (0.0, 0.0);
///     while let Some(reading) = readings.next().await { // runs until the record closes; a lag does not end it
///         sum += reading;
///         count += 1.0;
///     }
///     sum / count
/// }
/// ```
///
/// Where there are threads (`std`), awaiting gives way to the other tasks after 128 values in a row, so that a consumer that
/// is never out of values leaves them time to run.
///
/// A clone of a ring's consumer is a cursor of its own, which goes on from where the other stands; that of a latest's
/// starts with the current value, as every new one does; clones of a mailbox's or queue's share their place, and each
/// value goes to one of them.
pub struct Consumer<T: 'static> {
    place: Place<T>,
}

/// Why [`Consumer::recv`] gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RecvError {
    /// The ring was faster: this many values were missed, and the next call goes on at the oldest kept.
    #[error("{0} values were missed; make the ring larger, or the consumer faster")]
    Lagged(u64),
    /// No more values will come.
    #[error("the record has closed")]
    Closed,
}

/// Why [`Consumer::try_recv`] gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TryRecvError {
    /// Nothing new now.
    #[error("the record holds nothing new")]
    Empty,
    /// As [`RecvError::Lagged`].
    #[error("{0} values were missed; make the ring larger, or the consumer faster")]
    Lagged(u64),
    /// As [`RecvError::Closed`].
    #[error("the record has closed")]
    Closed,
}

impl<T> Consumer<T> {
    pub(crate) fn claim(record: SharedRef<T>) -> Result<Self, ClaimError> {
        let cursor = record.claim_consumer()?;
        Ok(Consumer { place: Place { record, cursor, lagged: 0 } })
    }

    /// The next value; `None` when the record has closed and everything was taken. Values that a ring dropped are
    /// counted in [`lagged`](Self::lagged) and passed over. Cancel safe.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it; it gives a future")]
    pub fn next(&mut self) -> impl Future<Output = Option<T>> {
        Wait::new(PassingOverGaps(Receiving(self)))
    }

    /// The next value, or how many were missed. Cancel safe: dropping the future loses no value.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] once for each gap, then the values go on; [`RecvError::Closed`] at the end.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<T, RecvError>> {
        Wait::new(Receiving(self))
    }

    /// The next value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when it is not, and as [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.place.try_recv()
    }

    /// The values as a [`Stream`], which ends when the record closes; lags are counted and passed over. It has to be
    /// pinned (`core::pin::pin!`), since who waits is linked to the record in place.
    pub fn stream(&mut self) -> impl Stream<Item = T> {
        Wait::new(PassingOverGaps(Receiving(self)))
    }

    /// The same consumer, for the next run of the service that it is lent to: a ring's, a mailbox's or a queue's goes on at
    /// the next value; a latest's starts with the current one again, since the run that knew it is gone.
    #[doc(hidden)]
    pub fn again(&mut self) {
        let cursor = self.place.record.clone_consumer(&self.place.cursor);
        self.place.record.drop_consumer(&self.place.cursor);
        self.place.cursor = cursor;
    }

    /// The same consumer, which notes in `position` what it receives.
    #[cfg(feature = "alloc")]
    pub(crate) fn watched(mut self, position: alloc::sync::Arc<crate::buffer::Position>) -> Self
    where
        T: Clone + Send,
    {
        let record = crate::buffer::Watched { record: self.place.record.clone(), position };
        self.place.record = SharedRef::of_heap(alloc::sync::Arc::new(record));
        self
    }

    /// How many values this consumer has missed so far.
    pub fn lagged(&self) -> u64 {
        self.place.lagged
    }

    /// The sequence number, in its record, of the value that it expects next.
    pub fn position(&self) -> u64 {
        self.place.cursor.seq
    }

    /// The record's name.
    pub fn record(&self) -> &str {
        self.place.record.name()
    }

    /// What the record is doing.
    pub fn status(&self) -> BufferStatus {
        self.place.record.status()
    }
}

impl<T> Clone for Consumer<T> {
    fn clone(&self) -> Self {
        let cursor = self.place.record.clone_consumer(&self.place.cursor);
        Consumer { place: Place { record: self.place.record.clone(), cursor, lagged: 0 } }
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.place.record.drop_consumer(&self.place.cursor);
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("record", &self.record())
            .field("position", &self.position())
            .field("lagged", &self.place.lagged)
            .finish()
    }
}

/// A consumer that is waited on.
struct Receiving<'a, T: 'static>(&'a mut Consumer<T>);

impl<T> WaitFor for Receiving<'_, T> {
    type Output = Result<T, RecvError>;
    #[inline]
    fn poll(&mut self, waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<Self::Output> {
        self.0.place.poll_recv(
            waiter,
            waker,
            |value| Poll::Ready(Ok(value)),
            |found, missed| match found {
                Found::Gap => Poll::Ready(Err(RecvError::Lagged(missed))),
                Found::Closed => Poll::Ready(Err(RecvError::Closed)),
                Found::Nothing | Found::Value => Poll::Pending,
            },
        )
    }
    fn cancel(&mut self, waiter: Pin<&mut Waiter>) {
        self.0.place.record.cancel_recv(waiter);
    }
}

/// The same, for those who want the next value whether some were missed or not.
struct PassingOverGaps<'a, T: 'static>(Receiving<'a, T>);

impl<T> WaitFor for PassingOverGaps<'_, T> {
    type Output = Option<T>;
    #[inline]
    fn poll(&mut self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<Option<T>> {
        loop {
            let value = |value| ControlFlow::Break(Poll::Ready(Some(value)));
            let polled = self.0.0.place.poll_recv(waiter.as_mut(), waker, value, |found, _| match found {
                Found::Gap => ControlFlow::Continue(()),
                Found::Closed => ControlFlow::Break(Poll::Ready(None)),
                Found::Nothing | Found::Value => ControlFlow::Break(Poll::Pending),
            });
            if let ControlFlow::Break(polled) = polled {
                return polled;
            }
        }
    }
    fn cancel(&mut self, waiter: Pin<&mut Waiter>) {
        self.0.cancel(waiter);
    }
}

impl<T> Stream for Wait<PassingOverGaps<'_, T>> {
    type Item = T;
    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll(cx)
    }
}
