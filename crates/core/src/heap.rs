//! Records on the heap: the same records, with the buffer chosen when the program runs.

use crate::{
    Consumer, Producer, Record,
    buffer::{
        Buffer, BufferKind, ConstBuffer, Latest, Mailbox, Position, SharedRef, Tap, Tapped,
        on_heap::{HeapQueue, HeapRing, seats, slots},
    },
    record::{BufferStatus, ClaimError},
};
use alloc::{borrow::Cow, sync::Arc};

/// Which buffer a record gets, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferCfg {
    /// A [`Ring`](crate::Ring): every consumer sees every value, a slow one is told how many it missed.
    SpmcRing {
        /// How many values it keeps; at least 1.
        capacity: usize,
    },
    /// A [`Latest`]: the newest value only.
    SingleLatest,
    /// A [`Mailbox`]: one consumer takes each value, the newest replaces.
    Mailbox,
    /// A [`Queue`](crate::Queue): every value, none lost; senders wait for the slowest consumer.
    Queue {
        /// How many values it keeps; at least 1.
        capacity: usize,
        /// How many consumers it waits for; at least 1.
        consumers: usize,
    },
}

impl BufferCfg {
    /// Which of the four it is.
    pub fn kind(self) -> BufferKind {
        match self {
            BufferCfg::SpmcRing { .. } => BufferKind::SpmcRing,
            BufferCfg::SingleLatest => BufferKind::SingleLatest,
            BufferCfg::Mailbox => BufferKind::Mailbox,
            BufferCfg::Queue { .. } => BufferKind::Queue,
        }
    }

    /// How many values it holds at most.
    pub fn capacity(self) -> usize {
        match self {
            BufferCfg::SpmcRing { capacity } | BufferCfg::Queue { capacity, .. } => capacity,
            BufferCfg::SingleLatest | BufferCfg::Mailbox => 1,
        }
    }

    /// Whether values can pass: no capacity is 0, and a queue has consumers.
    ///
    /// # Errors
    /// [`BufferCfgError`] says what is 0.
    pub fn check(self) -> Result<(), BufferCfgError> {
        match self {
            BufferCfg::SpmcRing { capacity: 0 } | BufferCfg::Queue { capacity: 0, .. } => Err(BufferCfgError::Capacity),
            BufferCfg::Queue { consumers: 0, .. } => Err(BufferCfgError::Consumers),
            BufferCfg::Queue { consumers, .. } if consumers > usize::from(u16::MAX) => {
                Err(BufferCfgError::TooManyConsumers)
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with a [`BufferCfg`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BufferCfgError {
    /// A buffer of capacity 0 holds nothing.
    #[error("its buffer has capacity 0 and can hold nothing: give it at least 1")]
    Capacity,
    /// A queue that nobody reads fills up and stays full.
    #[error("its queue declares 0 consumers, so it would fill up and stay full: declare at least 1")]
    Consumers,
    /// More than 65,535.
    #[error("its queue declares more than 65535 consumers: use several records")]
    TooManyConsumers,
    /// The capacity is more than can be allocated.
    #[error("its buffer asks for more memory than there is: give it a smaller capacity")]
    TooLarge,
}

/// A record on the heap, whatever its buffer: both ends are taken from it. Cheap to clone; the record goes when this
/// and all its handles have gone.
///
/// ```
/// use anabranch_core::{BufferCfg, HeapRecord};
/// let record = HeapRecord::new("events", BufferCfg::SpmcRing { capacity: 8 })?;
/// let (producer, mut consumer) = (record.producer()?, record.consumer()?);
/// producer.produce(1);
/// assert_eq!(consumer.try_recv(), Ok(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HeapRecord<T: 'static> {
    record: SharedRef<T>,
}

impl<T: Clone + Send + 'static> HeapRecord<T> {
    /// A record called `name`, with one producer if its buffer is a ring or a latest.
    ///
    /// # Errors
    /// [`BufferCfgError`] when `buffer` can hold nothing.
    pub fn new(name: impl Into<Cow<'static, str>>, buffer: BufferCfg) -> Result<Self, BufferCfgError> {
        Self::with(name.into(), buffer, false)
    }

    /// The same, with any number of producers.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn new_shared(name: impl Into<Cow<'static, str>>, buffer: BufferCfg) -> Result<Self, BufferCfgError> {
        Self::with(name.into(), buffer, true)
    }

    fn with(name: Cow<'static, str>, buffer: BufferCfg, shared: bool) -> Result<Self, BufferCfgError> {
        fn place<T: Clone + Send + 'static, B: Buffer<T>>(record: Record<T, B>, shared: bool) -> SharedRef<T>
        where
            B::Store: Send,
        {
            SharedRef::of_heap(if shared { Arc::new(record.shared()) } else { Arc::new(record) })
        }
        buffer.check()?;
        let name = Some(name);
        Ok(HeapRecord {
            record: match buffer {
                BufferCfg::SpmcRing { capacity } => place(
                    Record::<T, HeapRing>::with(slots(capacity).ok_or(BufferCfgError::TooLarge)?, crate::NoSeats, name),
                    shared,
                ),
                BufferCfg::SingleLatest => {
                    place(Record::<T, Latest>::with(<Latest as ConstBuffer<T>>::STORE, crate::NoSeats, name), shared)
                }
                BufferCfg::Mailbox => {
                    place(Record::<T, Mailbox>::with(<Mailbox as ConstBuffer<T>>::STORE, crate::NoSeats, name), shared)
                }
                BufferCfg::Queue { capacity, consumers } => place(
                    Record::<T, HeapQueue>::with(
                        slots(capacity).ok_or(BufferCfgError::TooLarge)?,
                        seats(consumers),
                        name,
                    ),
                    shared,
                ),
            },
        })
    }
}

impl<T: Clone + Send + 'static> HeapRecord<T> {
    /// A latest, which can always be made: for what the core has to say itself, by a value or by closing.
    pub(crate) fn latest(name: &'static str) -> Self {
        let record = Record::<T, Latest>::with(<Latest as ConstBuffer<T>>::STORE, crate::NoSeats, Some(name.into()));
        HeapRecord { record: SharedRef::of_heap(Arc::new(record)) }
    }
}

impl<T: Clone + Send + 'static> HeapRecord<T> {
    /// The same record, of which `tap` sees every value that is put in through this and its handles.
    pub(crate) fn tapped(&self, tap: Arc<dyn Tap<T>>) -> Self {
        HeapRecord { record: SharedRef::of_heap(Arc::new(Tapped::new(self.record.clone(), tap))) }
    }
}

impl<T> HeapRecord<T> {
    /// Where a consumer notes what it has received, if the record is tapped.
    pub(crate) fn watch(&self) -> Option<Arc<Position>> {
        self.record.watch()
    }

    /// The writing end.
    ///
    /// # Errors
    /// [`ClaimError::ProducerTaken`] when a ring or a latest that is not shared has one already.
    pub fn producer(&self) -> Result<Producer<T>, ClaimError> {
        Producer::claim(self.record.clone(), false)
    }

    /// The writing end for somebody who is no service: it does not keep a record open that drains.
    pub(crate) fn outside_producer(&self) -> Result<Producer<T>, ClaimError> {
        Producer::claim(self.record.clone(), true)
    }

    /// The writing end for a link, of which a record may have several: its database checks that they are one writer.
    /// As outside producers do, it does not keep a record open that drains.
    pub(crate) fn link_producer(&self) -> Producer<T> {
        Producer::lent(self.record.clone(), true)
    }

    /// A reading end: see [`Record::consumer`].
    ///
    /// # Errors
    /// [`ClaimError::ConsumerTaken`] or [`ClaimError::SeatsTaken`] when a mailbox or queue has no place for one more.
    pub fn consumer(&self) -> Result<Consumer<T>, ClaimError> {
        Consumer::claim(self.record.clone())
    }

    /// The record's name.
    pub fn name(&self) -> &str {
        self.record.name()
    }

    /// What it is doing now.
    pub fn status(&self) -> BufferStatus {
        self.record.status()
    }

    /// From now on only services keep it open.
    pub(crate) fn drain(&self) {
        self.record.drain();
    }
}

impl<T> Clone for HeapRecord<T> {
    fn clone(&self) -> Self {
        HeapRecord { record: self.record.clone() }
    }
}

impl<T> core::fmt::Debug for HeapRecord<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HeapRecord").field("name", &self.name()).field("status", &self.status()).finish()
    }
}

/// A queue of its own for one consumer, and any number of producers by [`Producer::try_clone`]: a channel between tasks.
///
/// # Errors
/// [`BufferCfgError`] when `capacity` is 0, or more than there is memory for.
pub fn channel<T: Clone + Send + 'static>(capacity: usize) -> Result<(Producer<T>, Consumer<T>), BufferCfgError> {
    let record = HeapRecord::new("channel", BufferCfg::Queue { capacity, consumers: 1 })?;
    match (record.producer(), record.consumer()) {
        (Ok(producer), Ok(consumer)) => Ok((producer, consumer)),
        _ => Err(BufferCfgError::Consumers), // not reached: both ends of a new queue are free
    }
}
