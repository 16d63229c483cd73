//! A record: a named, typed place that values pass through. Here is what all four buffers do, once.

use crate::{
    buffer::{
        Batch, Buffer, BufferKind, ConstBuffer, Handles, List, Lock, SeatState, SeatStore, SharedRef, Slots, Waiter,
    },
    consumer::Consumer,
    producer::{Producer, SendError, TrySendError},
    sync::const_unless_loom,
};
use core::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Poll, Waker},
};

#[cfg(feature = "alloc")]
type Name = Option<alloc::borrow::Cow<'static, str>>;
#[cfg(not(feature = "alloc"))]
type Name = Option<&'static str>;

/// A named, typed place that values pass through: one buffer of kind `B` for values of type `T`.
///
/// Without a heap it is a `static`, and its two ends are taken from it. The handles name neither the buffer, nor the
/// lock, nor the runtime. A record closes when its last producer has gone, and is open again when a new one is taken.
///
/// ```
/// use anabranch_core::{Record, Ring};
///
/// static TEMPERATURE: Record<f32, Ring<64>> = Record::new("sensor/temperature");
///
/// let mut consumer = TEMPERATURE.consumer()?;
/// let producer = TEMPERATURE.producer()?;
/// producer.produce(21.5);
/// assert_eq!(consumer.try_recv(), Ok(21.5));
/// # Ok::<(), anabranch_core::ClaimError>(())
/// ```
///
/// Memory: the slots (`N * size_of::<T>()`) and a few words. A name beside the slots puts the whole record into the
/// initialised data of a firmware, so that its size stands in flash, too; [`Record::unnamed`] avoids that.
///
/// A value's `Clone` runs while the record is locked (on a microcontroller: with interrupts off), so it should be short,
/// and must not use the record itself.
///
/// What cannot be sent between threads cannot be a record's value:
///
/// ```compile_fail,E0277
/// use anabranch_core::{BufferCfg, HeapRecord};
/// let record = HeapRecord::new("local", BufferCfg::Mailbox)?;
/// record.producer()?.produce(std::rc::Rc::new(1)); // `Rc<i32>` cannot be sent between threads safely
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Record<T: 'static, B: Buffer<T>> {
    state: Lock<State<T, B>>,
    name: Name,
    shared: bool,
}

/// What the lock guards. In this order in memory: what every value touches comes first.
#[repr(C)]
struct State<T: 'static, B: Buffer<T>> {
    waiters: List,
    slots: Slots<T, B::Store>,
    /// Values that a consumer missed, or that a full queue refused.
    lost: u64,
    ends: Ends,
    seats: B::Seats,
}

/// Who holds a record, and whether it is open: the same for every type and buffer, so its code is in a program once.
struct Ends {
    /// Handles of services.
    producers: Handles,
    /// Handles that the application holds; they do not keep a record open that drains.
    outside: Handles,
    consumers: Handles,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Takes values, or waits for its first producer.
    Open,
    /// A shutdown has begun: closes when the last service that writes has gone.
    Draining,
    /// No more values will come.
    Closed,
}

/// Why an end of a record could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// A ring or a latest has one producer, and it is taken.
    #[error("the record's one producer is taken; declare the record `.shared()` if several may write to it")]
    ProducerTaken,
    /// A mailbox has one consumer, and it is taken.
    #[error("the mailbox's one consumer is taken; use a ring or a queue if several shall see its values")]
    ConsumerTaken,
    /// All the consumers that a queue declares are taken.
    #[error("all consumers that the queue declares are taken; declare more `consumers` for it")]
    SeatsTaken,
}

/// What a record is doing, for people and dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferStatus {
    /// Which buffer it has.
    pub kind: BufferKind,
    /// How many values it can hold.
    pub capacity: usize,
    /// How many values it holds.
    pub held: usize,
    /// How many values came, ever: the sequence number of the next one.
    pub produced: u64,
    /// How many values consumers missed (each counts), or a full queue refused.
    pub lost: u64,
    /// How many producers it has.
    pub producers: usize,
    /// How many consumers it has.
    pub consumers: usize,
    /// Whether it has closed.
    pub closed: bool,
}

/// Where a consumer stands in its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    /// The sequence number of the next value it wants.
    pub(crate) seq: u64,
    /// The slot of that value: kept beside `seq`, so that a receive does not compute it under the lock.
    index: usize,
    /// Its seat in a queue.
    seat: u16,
    /// Where it last waited, or gave way to other tasks: the low bits of that `seq`. See
    /// [`Place::poll_recv`](crate::buffer::Place::poll_recv).
    #[cfg(feature = "std")]
    pub(crate) row_began: u32,
}

#[cfg(feature = "std")]
impl Cursor {
    /// How many values were taken, or passed over, since it last waited or gave way.
    #[inline]
    pub(crate) fn in_a_row(&self) -> u32 {
        low(self.seq).wrapping_sub(self.row_began)
    }

    /// It waits, or gives way.
    #[inline]
    pub(crate) fn begin_row(&mut self) {
        self.row_began = low(self.seq);
    }
}

/// The low bits of a sequence number, for differences that are small.
#[cfg(feature = "std")]
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
fn low(seq: u64) -> u32 {
    seq as u32
}

/// What [`Shared::poll_recv`] found. How many values were missed is how far the cursor went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A value, which was written out.
    Value,
    /// A gap: the cursor was moved to the oldest value that is kept.
    Gap,
    /// Nothing; the waiter, if there is one, waits.
    Nothing,
    /// The end.
    Closed,
}

/// What handles see of a record, whatever its buffer. Sealed: a waiter cannot be named outside this crate.
pub(crate) trait Shared<T>: Send + Sync {
    fn name(&self) -> &str;
    fn status(&self) -> BufferStatus;

    fn push(&self, value: T) -> u64;
    fn try_send(&self, value: T) -> Result<u64, TrySendError<T>>;
    fn poll_send(
        &self,
        value: &mut Option<T>,
        waiter: Pin<&mut Waiter>,
        waker: &Waker,
    ) -> Poll<Result<u64, SendError<T>>>;
    fn cancel_send(&self, waiter: Pin<&mut Waiter>);

    /// Writes the next value to `out` and says `true` if it can be had at once; otherwise says `false` and nothing more:
    /// [`poll_recv`](Self::poll_recv) knows why.
    ///
    /// The value goes straight to where the caller wants it: returned in an `Option` or `Result` it would be copied
    /// once or twice more, which costs as much as the lock.
    fn take(&self, cursor: &mut Cursor, out: &mut MaybeUninit<T>) -> bool;
    /// Writes the next value to `out` if there is one, and says what it found. The waiter is linked if that is
    /// [`Found::Nothing`], and in no list otherwise.
    fn poll_recv(
        &self,
        cursor: &mut Cursor,
        waiting: Option<(Pin<&mut Waiter>, &Waker)>,
        out: &mut MaybeUninit<T>,
    ) -> Found;
    fn cancel_recv(&self, waiter: Pin<&mut Waiter>);

    fn claim_producer(&self, outside: bool) -> Result<(), ClaimError>;
    fn lend_producer(&self, outside: bool);
    fn drop_producer(&self, outside: bool);
    fn claim_consumer(&self) -> Result<Cursor, ClaimError>;
    fn clone_consumer(&self, cursor: &Cursor) -> Cursor;
    fn drop_consumer(&self, cursor: &Cursor);
    #[cfg(feature = "alloc")]
    fn drain(&self);
    /// Counts a value that a full queue did not take, and gives the sequence number that the next one will have.
    #[cfg(feature = "alloc")]
    fn refuse(&self) -> u64;
    /// Where a consumer notes what it has received, if the record is tapped.
    #[cfg(feature = "alloc")]
    fn watch(&self) -> Option<alloc::sync::Arc<crate::buffer::Position>> {
        None
    }
    /// The record for the producer of a service that has received these values, if it is tapped.
    #[cfg(feature = "alloc")]
    fn citing(
        &self,
        _received: &alloc::sync::Arc<[alloc::sync::Arc<crate::buffer::Position>]>,
    ) -> Option<SharedRef<T>> {
        None
    }
}

impl<T: Clone + Send + 'static, B: ConstBuffer<T>> Record<T, B> {
    const_unless_loom! {
        /// An empty, open record called `name`. A `const fn`, for `static`s.
        #[must_use]
        pub fn new(name: &'static str) -> Self {
            #[cfg(feature = "alloc")]
            let name = Some(alloc::borrow::Cow::Borrowed(name));
            #[cfg(not(feature = "alloc"))]
            let name = Some(name);
            Record::with(B::STORE, B::SEATS, name)
        }
    }

    const_unless_loom! {
        /// An empty, open record without a name. All of it is zeros, so as a `static` of a firmware it costs RAM and no
        /// flash.
        #[must_use]
        pub fn unnamed() -> Self {
            Record::with(B::STORE, B::SEATS, None)
        }
    }
}

impl<T: Clone + Send + 'static, B: Buffer<T>> Record<T, B> {
    const_unless_loom! {
        pub(crate) fn with(store: B::Store, seats: B::Seats, name: Name) -> Self {
            let state = State {
                slots: Slots::new(store),
                waiters: List::new(),
                lost: 0,
                ends: Ends {
                    producers: Handles::NONE,
                    outside: Handles::NONE,
                    consumers: Handles::NONE,
                    phase: Phase::Open,
                },
                seats,
            };
            Record { state: Lock::new(state), name, shared: false }
        }
    }

    const_unless_loom! {
        /// Allows several producers.
        #[must_use]
        pub fn shared(mut self) -> Self {
            self.shared = true;
            self
        }
    }

    /// The writing end of a `static` record.
    ///
    /// # Errors
    /// [`ClaimError::ProducerTaken`] when a ring or a latest that is not [`shared`](Self::shared) has one already.
    pub fn producer(&'static self) -> Result<Producer<T>, ClaimError>
    where
        B::Store: Send,
    {
        Producer::claim(SharedRef::of_static(self), false)
    }

    /// A reading end of a `static` record. It sees the values that come from now on; a latest's starts with the current
    /// value, a mailbox's and a queue's with what is waiting.
    ///
    /// # Errors
    /// [`ClaimError::ConsumerTaken`] or [`ClaimError::SeatsTaken`] when a mailbox or queue has no place for one more.
    pub fn consumer(&'static self) -> Result<Consumer<T>, ClaimError>
    where
        B::Store: Send,
    {
        Consumer::claim(SharedRef::of_static(self))
    }

    /// The record's name, or `"unnamed"`.
    pub fn name(&self) -> &str {
        match &self.name {
            Some(name) => name,
            None => "unnamed",
        }
    }

    /// What it is doing now. Takes the record's lock for a moment.
    pub fn status(&self) -> BufferStatus {
        self.state.with(|s| BufferStatus {
            kind: B::KIND,
            capacity: s.slots.capacity(),
            held: s.slots.len(),
            produced: s.slots.head(),
            lost: s.lost,
            producers: s.ends.producers.count() + s.ends.outside.count(),
            consumers: s.ends.consumers.count(),
            closed: s.ends.phase == Phase::Closed,
        })
    }

    /// Wakes the consumers that wait: outside the lock, a few at a time.
    #[cold]
    #[inline(never)]
    fn wake_receivers(&self) {
        self.wake(&mut Batch::new(), |s, batch| s.waiters.take(batch));
    }

    /// Wakes the senders of a queue that wait, in the same way.
    #[cold]
    #[inline(never)]
    fn wake_senders(&self) {
        self.wake(&mut Batch::new(), |s, batch| {
            if let Some(seats) = s.seats.seats() {
                seats.senders.take(batch);
            }
        });
    }

    #[inline]
    fn wake(&self, batch: &mut Batch, take: impl Fn(&mut State<T, B>, &mut Batch)) {
        loop {
            self.state.with(|s| take(s, batch));
            if !batch.wake() {
                return;
            }
        }
    }

    /// Wakes those who did not fit into the batch that a push took out under its own lock. It holds all, usually: then the
    /// lock is taken once a value.
    #[cold]
    #[inline(never)]
    fn wake_others(&self, batch: &mut Batch) {
        self.wake(batch, |s, batch| s.waiters.take(batch));
    }

    /// Lets go of the values of a queue that every seat has passed, and wakes the senders that wait for room. The values
    /// are dropped outside the lock, one by one, after the senders were woken: a Drop may panic.
    fn release_passed(&self) {
        loop {
            let mut senders_wait = false;
            let passed = self.state.with(|s| {
                let seats = s.seats.seats()?;
                let keep =
                    seats.seats.iter().filter(|seat| seat.state != SeatState::Left).map(|seat| seat.cursor).min();
                let passed = if keep.is_none_or(|keep| keep > s.slots.oldest()) { s.slots.pop() } else { None };
                senders_wait = !seats.senders.is_empty();
                passed
            });
            if senders_wait {
                self.wake_senders();
            }
            if passed.is_none() {
                return;
            }
        }
    }
}

impl<T: 'static, B: Buffer<T>> State<T, B> {
    #[inline]
    fn push(&mut self, value: T) -> Pushed<T> {
        let old = self.slots.push(value);
        Pushed { old, head: self.slots.head(), somebody_waits: !self.waiters.is_empty() }
    }

    /// Whether the record can take a value now, and nothing is lost by it.
    fn room(&mut self) -> Room {
        if self.ends.phase == Phase::Closed {
            return Room::Never;
        }
        let Some(seats) = self.seats.seats() else { return Room::Free };
        if seats.seats.iter().all(|seat| seat.state == SeatState::Left) {
            Room::Never
        } else if self.slots.len() == self.slots.capacity() {
            Room::Full
        } else {
            Room::Free
        }
    }
}

impl Ends {
    fn writers(&mut self, outside: bool) -> &mut Handles {
        if outside { &mut self.outside } else { &mut self.producers }
    }

    fn claim_producer(&mut self, outside: bool, many: bool) -> Result<(), ClaimError> {
        if !many && self.producers.count() + self.outside.count() > 0 {
            return Err(ClaimError::ProducerTaken);
        }
        if self.phase == Phase::Closed {
            self.phase = Phase::Open; // one that drains goes on draining
        }
        self.writers(outside).add();
        Ok(())
    }

    /// Says whether it closed just now.
    fn close_if_nobody_writes(&mut self) -> bool {
        let draining = self.phase == Phase::Draining;
        let writers = self.producers.count() + if draining { 0 } else { self.outside.count() };
        let closes = writers == 0 && self.phase != Phase::Closed;
        if closes {
            self.phase = Phase::Closed;
        }
        closes
    }
}

/// What is left to do, outside the lock, when a value was put in.
struct Pushed<T> {
    old: Option<T>,
    head: u64,
    somebody_waits: bool,
}

/// Who has to be woken after a push.
enum Waits<'a> {
    Nobody,
    One(Waker),
    Some(&'a mut Batch),
}

enum Room {
    Free,
    Full,
    Never,
}

impl<T: Clone + Send + 'static, B: Buffer<T>> Shared<T> for Record<T, B>
where
    B::Store: Send,
{
    fn name(&self) -> &str {
        Record::name(self)
    }

    fn status(&self) -> BufferStatus {
        Record::status(self)
    }

    #[inline]
    fn push(&self, value: T) -> u64 {
        // The usual case in a few instructions: the lock is free, and no old value has to be dropped.
        let mut value = Some(value);
        let mut batch = MaybeUninit::<Batch>::uninit(); // nothing is written where nobody waits
        let pushed = self.state.try_move(|s| {
            let plain = !core::mem::needs_drop::<T>() || s.slots.len() < s.slots.capacity();
            if matches!(B::KIND, BufferKind::Queue) || !plain {
                return None;
            }
            s.slots.push(value.take()?);
            let head = s.slots.head();
            if s.waiters.is_empty() {
                return Some((head, Waits::Nobody));
            }
            // On a microcontroller the flash for a second way is dearer than the time.
            if cfg!(feature = "std")
                && let Some(waker) = s.waiters.take_only()
            {
                return Some((head, Waits::One(waker)));
            }
            let batch = batch.write(Batch::new());
            s.waiters.take(batch);
            Some((head, Waits::Some(batch)))
        });
        match (pushed, value) {
            (Some((head, Waits::Nobody)), _) => head - 1,
            (Some((head, Waits::One(waker))), _) => {
                waker.wake();
                head - 1
            }
            (Some((head, Waits::Some(batch))), _) => {
                if batch.wake() {
                    self.wake_others(batch);
                }
                head - 1
            }
            (None, Some(value)) => self.push_slowly(value),
            (None, None) => 0, // not reached: the value is taken only when it was pushed
        }
    }

    fn try_send(&self, value: T) -> Result<u64, TrySendError<T>> {
        // Only a shutdown, which needs a heap, closes a record that has a producer. On a microcontroller the flash for a second
        // way is dear.
        if !cfg!(feature = "alloc") && !matches!(B::KIND, BufferKind::Queue) {
            return Ok(self.push(value));
        }
        let pushed = self.state.with(|s| match s.room() {
            Room::Free => Ok(s.push(value)),
            Room::Full => Err(TrySendError::Full(value)),
            Room::Never => Err(TrySendError::Closed(value)),
        })?;
        Ok(self.finish(pushed))
    }

    fn poll_send(
        &self,
        value: &mut Option<T>,
        waiter: Pin<&mut Waiter>,
        waker: &Waker,
    ) -> Poll<Result<u64, SendError<T>>> {
        if !matches!(B::KIND, BufferKind::Queue) {
            return match value.take() {
                Some(value) => Poll::Ready(Ok(self.push(value))),
                None => Poll::Pending, // it was polled after it was ready
            };
        }
        let mut replaced = None;
        let sent = self.state.with(|s| match s.room() {
            Room::Full => {
                if let Some(seats) = s.seats.seats() {
                    replaced = seats.senders.insert(waiter, waker);
                }
                Poll::Pending
            }
            room => {
                if let Some(seats) = s.seats.seats() {
                    replaced = seats.senders.remove(waiter);
                }
                let Some(value) = value.take() else { return Poll::Pending };
                if matches!(room, Room::Never) {
                    return Poll::Ready(Err(SendError(value)));
                }
                Poll::Ready(Ok(s.push(value)))
            }
        });
        drop(replaced);
        sent.map(|sent| sent.map(|pushed| self.finish(pushed)))
    }

    fn cancel_send(&self, waiter: Pin<&mut Waiter>) {
        if !matches!(B::KIND, BufferKind::Queue) {
            return; // nobody waits to send
        }
        drop(self.state.with(|s| s.seats.seats().and_then(|seats| seats.senders.remove(waiter))));
    }

    fn poll_recv(
        &self,
        cursor: &mut Cursor,
        waiting: Option<(Pin<&mut Waiter>, &Waker)>,
        out: &mut MaybeUninit<T>,
    ) -> Found {
        let mut replaced = None;
        let mut moved_on = false;
        let found = self.state.with(|s| {
            let found = match B::KIND {
                BufferKind::SpmcRing => match s.slots.get(cursor.seq, cursor.index) {
                    Some(value) => {
                        out.write(value.clone());
                        cursor.seq += 1;
                        cursor.index = s.slots.after(cursor.index);
                        Found::Value
                    }
                    None if cursor.seq < s.slots.oldest() => {
                        s.lost += s.slots.oldest() - cursor.seq;
                        cursor.seq = s.slots.oldest();
                        cursor.index = s.slots.index_of(cursor.seq);
                        Found::Gap
                    }
                    None => Found::Nothing,
                },
                BufferKind::SingleLatest => match s.slots.newest_since(cursor.seq) {
                    Some(value) => {
                        out.write(value.clone());
                        cursor.seq = s.slots.head();
                        Found::Value
                    }
                    None => Found::Nothing,
                },
                BufferKind::Mailbox => {
                    cursor.seq = s.slots.head();
                    write_to(out, s.slots.pop())
                }
                BufferKind::Queue => {
                    let (value, seq, freed) = s.take_queued(cursor.seat);
                    cursor.seq = seq;
                    moved_on = freed;
                    write_to(out, value)
                }
            };
            let found = if found == Found::Nothing && s.ends.phase == Phase::Closed { Found::Closed } else { found };
            if let Some((waiter, waker)) = waiting {
                if found == Found::Nothing {
                    replaced = s.waiters.insert(waiter, waker);
                } else {
                    replaced = s.waiters.remove(waiter);
                }
            }
            found
        });
        drop(replaced);
        if moved_on {
            self.release_passed();
        }
        found
    }

    #[inline]
    fn take(&self, cursor: &mut Cursor, out: &mut MaybeUninit<T>) -> bool {
        let taken = match B::KIND {
            BufferKind::SpmcRing => self.state.try_with(|s| {
                let value = s.slots.get(cursor.seq, cursor.index)?;
                out.write(value.clone());
                cursor.seq += 1;
                cursor.index = s.slots.after(cursor.index);
                Some(())
            }),
            BufferKind::SingleLatest => self.state.try_with(|s| {
                out.write(s.slots.newest_since(cursor.seq)?.clone());
                cursor.seq = s.slots.head();
                Some(())
            }),
            BufferKind::Mailbox => self.state.try_move(|s| {
                out.write(s.slots.pop()?);
                cursor.seq = s.slots.head();
                Some(())
            }),
            BufferKind::Queue => None,
        };
        taken.is_some()
    }

    fn cancel_recv(&self, waiter: Pin<&mut Waiter>) {
        drop(self.state.with(|s| s.waiters.remove(waiter)));
    }

    fn claim_producer(&self, outside: bool) -> Result<(), ClaimError> {
        let many = self.shared || matches!(B::KIND, BufferKind::Mailbox | BufferKind::Queue);
        self.state.with(|s| s.ends.claim_producer(outside, many))
    }

    fn lend_producer(&self, outside: bool) {
        self.state.with(|s| s.ends.writers(outside).add());
    }

    fn drop_producer(&self, outside: bool) {
        self.close_if(|ends| ends.writers(outside).remove());
    }

    fn claim_consumer(&self) -> Result<Cursor, ClaimError> {
        self.state.with(|s| {
            let mut seat = 0;
            let head = s.slots.head();
            let seq = match B::KIND {
                BufferKind::SpmcRing => head,
                BufferKind::SingleLatest => s.slots.oldest(),
                BufferKind::Mailbox if s.ends.consumers.count() > 0 => return Err(ClaimError::ConsumerTaken),
                BufferKind::Mailbox => s.slots.oldest(),
                BufferKind::Queue => {
                    let seats = s.seats.seats().ok_or(ClaimError::SeatsTaken)?.seats;
                    // first those that are awaited, for whom values were kept; then those that were left
                    let free = (seats.iter().position(|seat| seat.state == SeatState::Awaited))
                        .or_else(|| seats.iter().position(|seat| seat.state == SeatState::Left))
                        .ok_or(ClaimError::SeatsTaken)?;
                    seat = u16::try_from(free).map_err(|_| ClaimError::SeatsTaken)?;
                    let place = &mut seats[free];
                    if place.state == SeatState::Left {
                        place.cursor = head;
                    }
                    place.state = SeatState::Taken;
                    place.handles.add();
                    place.cursor
                }
            };
            s.ends.consumers.add();
            Ok(Cursor {
                seq,
                index: s.slots.index_of(seq),
                seat,
                #[cfg(feature = "std")]
                row_began: low(seq),
            })
        })
    }

    fn clone_consumer(&self, cursor: &Cursor) -> Cursor {
        self.state.with(|s| {
            s.ends.consumers.add();
            if let Some(seat) = s.seats.seats().and_then(|seats| seats.seats.get_mut(usize::from(cursor.seat))) {
                seat.handles.add();
            }
            let seq = if matches!(B::KIND, BufferKind::SingleLatest) { s.slots.oldest() } else { cursor.seq };
            Cursor { seq, ..*cursor }
        })
    }

    fn drop_consumer(&self, cursor: &Cursor) {
        let left = self.state.with(|s| {
            s.ends.consumers.remove();
            let Some(seat) = s.seats.seats().and_then(|seats| seats.seats.get_mut(usize::from(cursor.seat))) else {
                return false;
            };
            seat.handles.remove();
            let left = seat.handles == Handles::NONE;
            if left {
                seat.state = SeatState::Left;
            }
            left
        });
        if left {
            self.release_passed();
        }
    }

    #[cfg(feature = "alloc")]
    fn drain(&self) {
        self.close_if(|ends| {
            if ends.phase == Phase::Open {
                ends.phase = Phase::Draining;
            }
        });
    }

    #[cfg(feature = "alloc")]
    fn refuse(&self) -> u64 {
        self.refused()
    }
}

/// Writes `value`, if there is one, to `out`.
#[inline]
fn write_to<T>(out: &mut MaybeUninit<T>, value: Option<T>) -> Found {
    match value {
        Some(value) => {
            out.write(value);
            Found::Value
        }
        None => Found::Nothing,
    }
}

impl<T: Clone + Send + 'static, B: Buffer<T>> Record<T, B> {
    #[cold]
    #[inline(never)]
    fn push_slowly(&self, value: T) -> u64
    where
        B::Store: Send,
    {
        if matches!(B::KIND, BufferKind::Queue) {
            return match self.try_send(value) {
                Ok(seq) => seq,
                Err(_refused) => self.refused(),
            };
        }
        let pushed = self.state.with(|s| s.push(value));
        self.finish(pushed)
    }

    /// Counts a value that was not taken.
    fn refused(&self) -> u64 {
        self.state.with(|s| {
            s.lost += 1;
            s.slots.head()
        })
    }

    /// What the wakers and the old value do happens outside the lock, the waking first: a Drop may panic.
    #[inline]
    fn finish(&self, pushed: Pushed<T>) -> u64 {
        if pushed.somebody_waits {
            self.wake_receivers();
        }
        drop(pushed.old);
        pushed.head - 1
    }

    /// Makes a change, and closes the record when it then has no producer that could write to it.
    fn close_if(&self, change: impl FnOnce(&mut Ends)) {
        let closed = self.state.with(|s| {
            change(&mut s.ends);
            s.ends.close_if_nobody_writes()
        });
        if closed {
            self.wake_receivers();
            if matches!(B::KIND, BufferKind::Queue) {
                self.wake_senders();
            }
        }
    }
}

impl<T: Clone + 'static, B: Buffer<T>> State<T, B> {
    /// The next value of seat number `seat`, the sequence number after it, and whether room was made by taking it.
    #[inline]
    fn take_queued(&mut self, seat: u16) -> (Option<T>, u64, bool) {
        let Some(seats) = self.seats.seats() else { return (None, 0, false) };
        let number = usize::from(seat);
        let Some(cursor) = seats.seats.get(number).map(|seat| seat.cursor) else { return (None, 0, false) };
        if cursor >= self.slots.head() {
            return (None, cursor, false);
        }
        let others_wait = (seats.seats.iter().enumerate())
            .any(|(i, seat)| i != number && seat.state != SeatState::Left && seat.cursor <= cursor);
        // Who passed the values before it may have left and not let go of them yet.
        let oldest = cursor == self.slots.oldest();
        let value = if others_wait || !oldest {
            self.slots.get(cursor, self.slots.index_of(cursor)).cloned()
        } else {
            self.slots.pop() // the last to see it takes it: no clone
        };
        if let Some(seat) = seats.seats.get_mut(number) {
            seat.cursor = cursor + 1;
        }
        let release = !(others_wait || oldest && seats.senders.is_empty());
        (value, cursor + 1, release)
    }
}

impl<T: Clone + Send + 'static, B: Buffer<T>> core::fmt::Debug for Record<T, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Record").field("name", &self.name()).field("status", &self.status()).finish()
    }
}
