//! Records whose values somebody else sees as they are put in, and what a service had received when it put one in.
//!
//! Both stand around a record, as records themselves: one that nobody taps is as it was, to the instruction.

use super::{BufferKind, Lock, SharedRef, Waiter};
use crate::{
    BufferStatus, ClaimError, SendError, TrySendError,
    record::{Cursor, Found, Shared},
};
use alloc::sync::Arc;
use core::{
    any::Any,
    fmt,
    mem::MaybeUninit,
    pin::Pin,
    task::{Poll, Waker},
};

/// Sees every value that is put into a record, whatever its buffer does with it.
///
/// For each value a place is [reserved](Self::reserve) first; then the value is put in, and the tap [takes](Self::take) a clone
/// of it with its sequence number, on the thread of whoever put it in. So it has to be quick, and must not use the record.
pub trait Tap<T>: Send + Sync + 'static {
    /// Sets a place aside for the next value, and says whether there was one. If not, `waker` is woken when there may be: who
    /// sends into a queue waits for that. Whoever cannot wait puts the value in all the same: see [`missed`](Self::missed).
    fn reserve(&self, waker: Option<&Waker>) -> bool;

    /// Gives a place back: no value was put in.
    fn release(&self);

    /// A value was put in, and stands in the place that was reserved. It was put in by a service whose consumers had received
    /// what `received` says, if it is one that reads tapped records.
    fn take(&self, sequence: u64, value: T, received: &[Arc<Position>]);

    /// A value was put in for which there was no place.
    fn missed(&self, sequence: u64);

    /// The record has closed, or is open again.
    fn changed(&self);

    /// A consumer will note in this what it has received last.
    fn watch(&self) -> Arc<Position>;
}

/// Which value a consumer has received last.
pub struct Position {
    of: Arc<dyn Any + Send + Sync>,
    last: Lock<Option<u64>>,
}

impl Position {
    /// Nothing was received yet. `of` says what a tap knows of the record.
    pub fn new(of: Arc<dyn Any + Send + Sync>) -> Self {
        Position { of, last: Lock::new(None) }
    }

    /// What the record's tap gave.
    pub fn of(&self) -> &Arc<dyn Any + Send + Sync> {
        &self.of
    }

    /// The sequence number, in its record, of the value that was received last.
    pub fn last(&self) -> Option<u64> {
        self.last.with(|last| *last)
    }

    fn received(&self, sequence: u64) {
        self.last.with(|last| *last = Some(sequence));
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Position").field(&self.last()).finish()
    }
}

/// A record with a tap, as its producers see it.
pub(crate) struct Tapped<T: 'static> {
    record: SharedRef<T>,
    kind: BufferKind,
    tap: Arc<dyn Tap<T>>,
    /// What the service has received whose producer this is.
    received: Arc<[Arc<Position>]>,
}

impl<T> Tapped<T> {
    pub(crate) fn new(record: SharedRef<T>, tap: Arc<dyn Tap<T>>) -> Self {
        Tapped { kind: record.status().kind, record, tap, received: Arc::new([]) }
    }

    /// Sets a place aside for a value.
    fn place(&self, waker: Option<&Waker>) -> Reserved<'_, T> {
        Reserved { tapped: self, is_free: self.tap.reserve(waker), pushing: false }
    }
}

/// A place that is given back if no value comes.
struct Reserved<'t, T: 'static> {
    tapped: &'t Tapped<T>,
    is_free: bool,
    /// A value is being put in, which may run code of the application: a waker, or the end of an older value.
    pushing: bool,
}

impl<T> Reserved<'_, T> {
    fn filled(mut self, sequence: u64, value: Option<T>) {
        let Tapped { tap, received, .. } = self.tapped;
        self.pushing = false;
        match value.filter(|_| self.is_free) {
            Some(value) => {
                self.is_free = false; // before `take`, which may panic in the application's code
                tap.take(sequence, value, received);
            }
            None => tap.missed(sequence),
        }
    }
}

impl<T> Drop for Reserved<'_, T> {
    fn drop(&mut self) {
        if self.is_free {
            self.tapped.tap.release();
        }
        if self.pushing {
            // The value is in, and the panic took its clone.
            self.tapped.tap.missed(self.tapped.record.status().produced.saturating_sub(1));
        }
    }
}

/// What both have the record itself do.
macro_rules! as_the_record {
    () => {
        fn name(&self) -> &str {
            self.record.name()
        }

        fn status(&self) -> BufferStatus {
            self.record.status()
        }

        fn cancel_send(&self, waiter: Pin<&mut Waiter>) {
            self.record.cancel_send(waiter);
        }

        fn cancel_recv(&self, waiter: Pin<&mut Waiter>) {
            self.record.cancel_recv(waiter);
        }

        fn lend_producer(&self, outside: bool) {
            self.record.lend_producer(outside);
        }

        fn claim_consumer(&self) -> Result<Cursor, ClaimError> {
            self.record.claim_consumer()
        }

        fn clone_consumer(&self, cursor: &Cursor) -> Cursor {
            self.record.clone_consumer(cursor)
        }

        fn drop_consumer(&self, cursor: &Cursor) {
            self.record.drop_consumer(cursor);
        }

        fn refuse(&self) -> u64 {
            self.record.refuse()
        }
    };
}

impl<T: Clone + Send + 'static> Shared<T> for Tapped<T> {
    as_the_record!();

    fn push(&self, value: T) -> u64 {
        let mut place = self.place(None);
        let copy = place.is_free.then(|| value.clone());
        if matches!(self.kind, BufferKind::Queue) {
            return match self.record.try_send(value) {
                Ok(sequence) => {
                    place.filled(sequence, copy);
                    sequence
                }
                Err(_refused) => self.record.refuse(),
            };
        }
        place.pushing = true;
        let sequence = self.record.push(value);
        place.filled(sequence, copy);
        sequence
    }

    fn try_send(&self, value: T) -> Result<u64, TrySendError<T>> {
        let place = self.place(None);
        if !place.is_free && matches!(self.kind, BufferKind::Queue) {
            return Err(TrySendError::Full(value));
        }
        let copy = place.is_free.then(|| value.clone());
        let sequence = self.record.try_send(value)?;
        place.filled(sequence, copy);
        Ok(sequence)
    }

    fn poll_send(
        &self,
        value: &mut Option<T>,
        waiter: Pin<&mut Waiter>,
        waker: &Waker,
    ) -> Poll<Result<u64, SendError<T>>> {
        let waits = matches!(self.kind, BufferKind::Queue);
        let place = self.place(waits.then_some(waker));
        if waits && !place.is_free {
            return Poll::Pending;
        }
        let copy = if place.is_free { value.clone() } else { None };
        let sent = self.record.poll_send(value, waiter, waker);
        if let Poll::Ready(Ok(sequence)) = &sent {
            place.filled(*sequence, copy);
        }
        sent
    }

    fn take(&self, cursor: &mut Cursor, out: &mut MaybeUninit<T>) -> bool {
        self.record.take(cursor, out)
    }

    fn poll_recv(
        &self,
        cursor: &mut Cursor,
        waiting: Option<(Pin<&mut Waiter>, &Waker)>,
        out: &mut MaybeUninit<T>,
    ) -> Found {
        self.record.poll_recv(cursor, waiting, out)
    }

    fn claim_producer(&self, outside: bool) -> Result<(), ClaimError> {
        self.record.claim_producer(outside)?;
        self.tap.changed();
        Ok(())
    }

    fn drop_producer(&self, outside: bool) {
        self.record.drop_producer(outside);
        self.tap.changed();
    }

    fn drain(&self) {
        self.record.drain();
        self.tap.changed();
    }

    fn watch(&self) -> Option<Arc<Position>> {
        Some(self.tap.watch())
    }

    fn citing(&self, received: &Arc<[Arc<Position>]>) -> Option<SharedRef<T>> {
        // A record may have two taps.
        let record = self.record.citing(received).unwrap_or_else(|| self.record.clone());
        let citing = Tapped { record, kind: self.kind, tap: self.tap.clone(), received: received.clone() };
        Some(SharedRef::of_heap(Arc::new(citing)))
    }
}

/// A record as a consumer sees it that notes what it has received last.
pub(crate) struct Watched<T: 'static> {
    pub(crate) record: SharedRef<T>,
    pub(crate) position: Arc<Position>,
}

impl<T: Clone + Send + 'static> Shared<T> for Watched<T> {
    as_the_record!();

    fn push(&self, value: T) -> u64 {
        self.record.push(value)
    }

    fn try_send(&self, value: T) -> Result<u64, TrySendError<T>> {
        self.record.try_send(value)
    }

    fn poll_send(
        &self,
        value: &mut Option<T>,
        waiter: Pin<&mut Waiter>,
        waker: &Waker,
    ) -> Poll<Result<u64, SendError<T>>> {
        self.record.poll_send(value, waiter, waker)
    }

    fn take(&self, cursor: &mut Cursor, out: &mut MaybeUninit<T>) -> bool {
        let taken = self.record.take(cursor, out);
        if taken {
            self.position.received(cursor.seq.saturating_sub(1));
        }
        taken
    }

    fn poll_recv(
        &self,
        cursor: &mut Cursor,
        waiting: Option<(Pin<&mut Waiter>, &Waker)>,
        out: &mut MaybeUninit<T>,
    ) -> Found {
        let found = self.record.poll_recv(cursor, waiting, out);
        if found == Found::Value {
            self.position.received(cursor.seq.saturating_sub(1));
        }
        found
    }

    fn claim_producer(&self, outside: bool) -> Result<(), ClaimError> {
        self.record.claim_producer(outside)
    }

    fn drop_producer(&self, outside: bool) {
        self.record.drop_producer(outside);
    }

    fn drain(&self) {
        self.record.drain();
    }
}
