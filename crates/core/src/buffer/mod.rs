//! The four ways in which a record holds values between its writer and its readers.
//!
//! | buffer | every consumer sees | when full |
//! |---|---|---|
//! | [`Ring`] | every value since it was declared | the oldest goes; a slow consumer is told how many it missed |
//! | [`Latest`] | the newest value; a new consumer starts with the current one | the newest replaces |
//! | [`Mailbox`] | one consumer takes each value | the newest replaces |
//! | [`Queue`] | every value, none lost | `send().await` waits for the slowest consumer; `try_send` says full |
//!
//! All of them are one implementation (`record.rs`) over a ring of slots that hold `T` and no more.

mod lock;
mod shared_ref;
mod slots;
#[cfg(feature = "alloc")]
mod tapped;
mod waiters;

pub(crate) use lock::Lock;
pub(crate) use shared_ref::{Place, SharedRef};
pub use slots::SlotStore;
pub(crate) use slots::Slots;
#[cfg(feature = "alloc")]
pub use tapped::{Position, Tap};
#[cfg(feature = "alloc")]
pub(crate) use tapped::{Tapped, Watched};
pub(crate) use waiters::{Batch, List, Wait, WaitFor, Waiter};

use core::{fmt, mem::MaybeUninit};

/// Which of the four buffers a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferKind {
    /// [`Ring`].
    SpmcRing,
    /// [`Latest`].
    SingleLatest,
    /// [`Mailbox`].
    Mailbox,
    /// [`Queue`].
    Queue,
}

impl fmt::Display for BufferKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BufferKind::SpmcRing => "spmc-ring",
            BufferKind::SingleLatest => "single-latest",
            BufferKind::Mailbox => "mailbox",
            BufferKind::Queue => "queue",
        })
    }
}

mod sealed {
    /// Keeps [`Buffer`](super::Buffer) to this crate: a record relies on its buffer having a slot, and on its kind
    /// fitting its seats.
    pub trait Sealed {}
    impl<const N: usize> Sealed for super::Ring<N> {}
    impl Sealed for super::Latest {}
    impl Sealed for super::Mailbox {}
    impl<const N: usize, const C: usize> Sealed for super::Queue<N, C> {}
    #[cfg(feature = "alloc")]
    impl Sealed for super::on_heap::HeapRing {}
    #[cfg(feature = "alloc")]
    impl Sealed for super::on_heap::HeapQueue {}
}

/// A kind of buffer, and where its slots lie. Implemented by [`Ring`], [`Latest`], [`Mailbox`] and [`Queue`]; sealed.
///
/// ```compile_fail,E0277
/// use anabranch_core::{Buffer, BufferKind, NoSeats};
/// struct Mine;
/// impl Buffer<u8> for Mine { // the trait bound `Mine: Sealed` is not satisfied
///     const KIND: BufferKind = BufferKind::SpmcRing;
///     type Store = [core::mem::MaybeUninit<u8>; 0];
///     type Seats = NoSeats;
/// }
/// ```
pub trait Buffer<T: 'static>: sealed::Sealed + 'static {
    /// Which of the four it is.
    const KIND: BufferKind;
    /// The slots.
    type Store: SlotStore<T>;
    /// The consumers that it counts: a queue's seats, or none.
    type Seats: SeatStore;
}

/// A [`Buffer`] whose capacity is part of its type, so that it can be a `static`.
pub trait ConstBuffer<T: 'static>: Buffer<T> {
    /// Its empty slots.
    const STORE: Self::Store;
    /// Its free seats.
    const SEATS: Self::Seats;
}

/// The seats of a buffer's consumers.
pub trait SeatStore: Send + 'static {
    /// The seats, and who waits to send until they move on; `None` for buffers that wait for nobody.
    fn seats(&mut self) -> Option<Seats<'_>>;
}

/// What [`SeatStore::seats`] lends.
pub struct Seats<'a> {
    pub(crate) seats: &'a mut [Seat],
    pub(crate) senders: &'a mut List,
}

/// No seats: a producer never waits for a consumer.
#[derive(Debug)]
pub struct NoSeats;
impl SeatStore for NoSeats {
    #[inline]
    fn seats(&mut self) -> Option<Seats<'_>> {
        None
    }
}

/// The seats of a queue, and the senders that wait for room.
pub struct QueueSeats<S> {
    seats: S,
    senders: List,
}
impl<S: AsMut<[Seat]> + Send + 'static> SeatStore for QueueSeats<S> {
    #[inline]
    fn seats(&mut self) -> Option<Seats<'_>> {
        Some(Seats { seats: self.seats.as_mut(), senders: &mut self.senders })
    }
}

/// A queue's view of one consumer: where it stands, and whether it came at all.
#[derive(Debug)]
pub struct Seat {
    pub(crate) cursor: u64,
    pub(crate) handles: Handles,
    pub(crate) state: SeatState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatState {
    /// Declared, and nobody sits there yet: everything is kept for whoever comes.
    Awaited,
    /// A consumer reads here.
    Taken,
    /// Its consumer has gone: nothing is kept for it.
    Left,
}

impl Seat {
    pub(crate) const AWAITED: Seat = Seat { cursor: 0, handles: Handles::NONE, state: SeatState::Awaited };
}

/// How many handles there are of one kind. One that reached 65,535 stays there for ever: who leaks that many keeps the
/// record open, which harms nobody, where a count that wraps would close it under those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handles(u16);

impl Handles {
    pub(crate) const NONE: Handles = Handles(0);

    pub(crate) fn count(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn add(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    pub(crate) fn remove(&mut self) {
        if self.0 != u16::MAX {
            self.0 = self.0.saturating_sub(1);
        }
    }
}

const fn checked_capacity(capacity: usize) -> usize {
    assert!(capacity > 0, "a buffer of capacity 0 holds nothing: give it at least 1");
    capacity
}

/// A single-producer, multi-consumer ring of `N` values: every consumer sees every value, unless it falls more than `N`
/// behind; then it is told how many it missed, and goes on at the oldest kept. For readings and events.
///
/// Take [`Queue`] where nothing may be lost, [`Latest`] where only the present state counts.
///
/// ```
/// use anabranch_core::{Record, Ring};
/// static TEMPERATURE: Record<f32, Ring<64>> = Record::new("sensor/temperature");
/// ```
///
/// One of capacity 0 does not compile ("a buffer of capacity 0 holds nothing: give it at least 1"):
///
/// ```compile_fail,E0080
/// use anabranch_core::{Record, Ring};
/// static TEMPERATURE: Record<f32, Ring<0>> = Record::new("sensor/temperature");
/// ```
#[derive(Debug)]
pub struct Ring<const N: usize>;
impl<T: 'static, const N: usize> Buffer<T> for Ring<N> {
    const KIND: BufferKind = BufferKind::SpmcRing;
    type Store = [MaybeUninit<T>; N];
    type Seats = NoSeats;
}
impl<T: 'static, const N: usize> ConstBuffer<T> for Ring<N> {
    const STORE: Self::Store = {
        checked_capacity(N);
        [const { MaybeUninit::uninit() }; N]
    };
    const SEATS: Self::Seats = NoSeats;
}

/// The newest value only; a new consumer starts with the current one. For state: a mode, a set point, a configuration.
///
/// ```
/// use anabranch_core::{Latest, Record};
/// static FAN_ON: Record<bool, Latest> = Record::new("actuator/fan");
/// ```
#[derive(Debug)]
pub struct Latest;
impl<T: 'static> Buffer<T> for Latest {
    const KIND: BufferKind = BufferKind::SingleLatest;
    type Store = [MaybeUninit<T>; 1];
    type Seats = NoSeats;
}
impl<T: 'static> ConstBuffer<T> for Latest {
    const STORE: Self::Store = [const { MaybeUninit::uninit() }; 1];
    const SEATS: Self::Seats = NoSeats;
}

/// One place that one consumer empties; a value that was not taken is replaced by the next. For commands, of which only
/// the last one counts.
///
/// ```
/// use anabranch_core::{Mailbox, Record};
/// static COMMAND: Record<u8, Mailbox> = Record::new("command");
/// ```
#[derive(Debug)]
pub struct Mailbox;
impl<T: 'static> Buffer<T> for Mailbox {
    const KIND: BufferKind = BufferKind::Mailbox;
    type Store = [MaybeUninit<T>; 1];
    type Seats = NoSeats;
}
impl<T: 'static> ConstBuffer<T> for Mailbox {
    const STORE: Self::Store = [const { MaybeUninit::uninit() }; 1];
    const SEATS: Self::Seats = NoSeats;
}

/// A queue of `N` values for `CONSUMERS` consumers, of which each sees every value: who sends waits for the slowest. For
/// work, of which nothing may be lost.
///
/// Everything is kept for a consumer that is declared and has not come yet; nothing is kept for one that has left.
///
/// ```
/// use anabranch_core::{Queue, Record};
/// static JOBS: Record<u32, Queue<16>> = Record::new("jobs");
/// static AUDITED: Record<u32, Queue<16, 2>> = Record::new("audited");
/// ```
///
/// Neither one of capacity 0 nor one without consumers compiles:
///
/// ```compile_fail,E0080
/// use anabranch_core::{Queue, Record};
/// static JOBS: Record<u32, Queue<0>> = Record::new("jobs");
/// ```
///
/// ```compile_fail,E0080
/// use anabranch_core::{Queue, Record};
/// static JOBS: Record<u32, Queue<16, 0>> = Record::new("jobs");
/// ```
#[derive(Debug)]
pub struct Queue<const N: usize, const CONSUMERS: usize = 1>;
impl<T: 'static, const N: usize, const C: usize> Buffer<T> for Queue<N, C> {
    const KIND: BufferKind = BufferKind::Queue;
    type Store = [MaybeUninit<T>; N];
    type Seats = QueueSeats<[Seat; C]>;
}
impl<T: 'static, const N: usize, const C: usize> ConstBuffer<T> for Queue<N, C> {
    const STORE: Self::Store = {
        checked_capacity(N);
        assert!(C > 0, "a queue without consumers fills up and stays full: declare at least 1");
        assert!(C <= u16::MAX as usize, "a queue has at most 65535 consumers: use several records");
        [const { MaybeUninit::uninit() }; N]
    };
    const SEATS: Self::Seats = QueueSeats { seats: [Seat::AWAITED; C], senders: List::new() };
}

#[cfg(feature = "alloc")]
pub(crate) mod on_heap {
    //! The two buffers whose capacity is chosen when the program runs.
    pub(crate) use super::slots::slots;
    use super::{Buffer, BufferKind, List, NoSeats, QueueSeats, Seat};
    use alloc::boxed::Box;
    use core::mem::MaybeUninit;

    /// A [`Ring`](super::Ring) whose capacity was chosen at run time.
    #[derive(Debug)]
    pub(crate) struct HeapRing;
    impl<T: 'static> Buffer<T> for HeapRing {
        const KIND: BufferKind = BufferKind::SpmcRing;
        type Store = Box<[MaybeUninit<T>]>;
        type Seats = NoSeats;
    }

    /// A [`Queue`](super::Queue) whose capacity and consumers were chosen at run time.
    #[derive(Debug)]
    pub(crate) struct HeapQueue;
    impl<T: 'static> Buffer<T> for HeapQueue {
        const KIND: BufferKind = BufferKind::Queue;
        type Store = Box<[MaybeUninit<T>]>;
        type Seats = QueueSeats<Box<[Seat]>>;
    }

    /// `consumers` free seats.
    pub(crate) fn seats(consumers: usize) -> QueueSeats<Box<[Seat]>> {
        let seats = core::iter::repeat_with(|| Seat::AWAITED).take(consumers).collect();
        QueueSeats { seats, senders: List::new() }
    }
}
