//! Where a connector's state lies: on the heap, as large as it has to be, or in a `static`, as large as its type says. All
//! that is done with it is written once, over this.

use crate::{
    outbox::Answer,
    packet::{Ack, Qos},
    wire::Memory,
};
use core::ops::DerefMut;

/// A choice of places.
pub(crate) trait Place {
    /// What was published and is not done.
    type Outbox: Memory;
    /// What is read and written at once.
    type Buffer: Memory;
    /// Where the entries of packet identifiers are, that of 1 first; all zero at first.
    type Ids: AsRef<[u32]> + AsMut<[u32]>;
    /// A list: of values that wait for a queue, of the broker's answers.
    type List<T>: List<T>;
    /// Packet identifiers of values of QoS 2.
    type Received: IdSet + Default;
    /// The client identifier that the broker chose.
    type Assigned: Assigned + Default;
    /// The last error, to be shown.
    type LastError: LastError;

    /// The largest packet that a buffer can be made to hold.
    const LARGEST: usize;
    /// How many packets are read before others get their turn.
    const BATCH: usize;
    /// Whether it rests between turns when that saves work.
    const RESTS: bool;
    /// How many values of QoS 1 and 2 that came in have a place.
    const IN_FLIGHT: usize;

    fn buffer() -> Self::Buffer;
    fn list<T>() -> Self::List<T>;
}

/// A list with places for some, or for as many as it takes.
pub(crate) trait List<T>: DerefMut<Target = [T]> {
    /// Appends `value`, and gives it back when there is no place.
    fn append(&mut self, value: T) -> Result<(), T>;
    fn remove(&mut self, place: usize) -> T;
    fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool);
    fn clear(&mut self);
}

/// A set of packet identifiers.
pub(crate) trait IdSet {
    fn count(&self) -> usize;
    fn has(&self, id: u16) -> bool;
    /// Adds one; `false` when it has no place.
    fn add(&mut self, id: u16) -> bool;
    /// Whether it was there.
    fn remove(&mut self, id: u16) -> bool;
    /// Takes all of `others` in.
    fn take_in(&mut self, others: &mut Self);
    fn clear(&mut self);

    /// Remembers a value that is in its records, and says how it is acknowledged.
    fn taken(&mut self, qos: Qos, id: u16) -> Ack {
        if qos == Qos::ExactlyOnce {
            self.add(id);
            Ack::Pubrec
        } else {
            Ack::Puback
        }
    }
}

/// The client identifier that the broker chose, when none was configured.
pub(crate) trait Assigned {
    fn set(&mut self, id: &str);
    fn get(&self) -> Option<&str>;
}

/// The last error.
pub(crate) trait LastError {
    /// Why there is no connection; `true` when that is news.
    fn failed(&mut self, failure: &crate::failure::Failure) -> bool;
    /// The broker has refused `what` at `address`.
    fn refused(&mut self, what: &str, address: &dyn core::fmt::Display, why: &dyn core::fmt::Display);
}

#[cfg(feature = "alloc")]
pub(crate) use heap::Heap;

#[cfg(feature = "alloc")]
mod heap {
    use super::{Assigned, IdSet, LastError, List, Place};
    use crate::failure::Failure;
    use alloc::{boxed::Box, string::String, vec::Vec};
    use core::fmt;

    /// What is read and written at once: at first, and for all but large packets.
    const BUFFER: usize = 64 * 1024;

    /// On the heap.
    #[derive(Debug)]
    pub(crate) struct Heap;

    impl Place for Heap {
        type Outbox = Vec<u8>;
        type Buffer = Vec<u8>;
        type Ids = Box<[u32]>;
        type List<T> = Vec<T>;
        type Received = Bits;
        type Assigned = Option<String>;
        type LastError = Option<String>;
        const LARGEST: usize = usize::MAX;
        const BATCH: usize = 256;
        const RESTS: bool = true;
        const IN_FLIGHT: usize = usize::MAX;

        fn buffer() -> Vec<u8> {
            alloc::vec![0; BUFFER]
        }

        fn list<T>() -> Vec<T> {
            Vec::new()
        }
    }

    impl<T> List<T> for Vec<T> {
        fn append(&mut self, value: T) -> Result<(), T> {
            self.push(value);
            Ok(())
        }
        fn remove(&mut self, place: usize) -> T {
            Vec::remove(self, place)
        }
        fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool) {
            Vec::retain_mut(self, keep);
        }
        fn clear(&mut self) {
            Vec::clear(self);
        }
    }

    /// A bit for each identifier; there is none until one is needed.
    #[derive(Default)]
    pub(crate) struct Bits {
        bits: Option<Box<[u64; 1024]>>,
        count: usize,
    }

    impl IdSet for Bits {
        fn count(&self) -> usize {
            self.count
        }

        fn has(&self, id: u16) -> bool {
            self.bits.as_ref().is_some_and(|bits| bits[usize::from(id / 64)] & 1 << (id % 64) != 0)
        }

        fn add(&mut self, id: u16) -> bool {
            let bits = self.bits.get_or_insert_with(|| Box::new([0; 1024]));
            let word = &mut bits[usize::from(id / 64)];
            self.count += usize::from(*word & 1 << (id % 64) == 0);
            *word |= 1 << (id % 64);
            true
        }

        fn remove(&mut self, id: u16) -> bool {
            let had = self.has(id);
            if had && let Some(bits) = &mut self.bits {
                bits[usize::from(id / 64)] &= !(1 << (id % 64));
                self.count -= 1;
            }
            had
        }

        fn take_in(&mut self, others: &mut Bits) {
            let others = core::mem::take(others);
            match (&mut self.bits, others.bits) {
                (Some(bits), Some(others)) => {
                    bits.iter_mut().zip(others.iter()).for_each(|(word, other)| *word |= other);
                    self.count = bits.iter().map(|word| word.count_ones() as usize).sum();
                }
                (_, None) => {}
                (None, Some(bits)) => *self = Bits { bits: Some(bits), count: others.count },
            }
        }

        fn clear(&mut self) {
            *self = Bits::default();
        }
    }

    impl Assigned for Option<String> {
        fn set(&mut self, id: &str) {
            *self = Some(id.into());
        }
        fn get(&self) -> Option<&str> {
            self.as_deref()
        }
    }

    impl LastError for Option<String> {
        fn failed(&mut self, failure: &Failure) -> bool {
            let words = alloc::format!("{failure}");
            let news = self.as_ref() != Some(&words);
            *self = Some(words);
            news
        }

        fn refused(&mut self, what: &str, address: &dyn fmt::Display, why: &dyn fmt::Display) {
            *self = Some(alloc::format!("{what} {address}: {why}"));
        }
    }
}

/// In a `static`, or in the future of whoever runs it: `OUTBOX` and `BUFFER` in bytes, `IN_FLIGHT` values each way.
#[derive(Debug)]
pub(crate) struct Fixed<const OUTBOX: usize, const BUFFER: usize, const IN_FLIGHT: usize>;

impl<const OUTBOX: usize, const BUFFER: usize, const IN_FLIGHT: usize> Place for Fixed<OUTBOX, BUFFER, IN_FLIGHT> {
    type Outbox = [u8; OUTBOX];
    type Buffer = [u8; BUFFER];
    type Ids = [u32; IN_FLIGHT];
    type List<T> = heapless::Vec<T, IN_FLIGHT>;
    type Received = heapless::Vec<u16, IN_FLIGHT>;
    type Assigned = NotKept;
    type LastError = crate::failure::Code;
    const LARGEST: usize = BUFFER;
    const BATCH: usize = IN_FLIGHT;
    const RESTS: bool = false;
    const IN_FLIGHT: usize = IN_FLIGHT;

    fn buffer() -> [u8; BUFFER] {
        [0; BUFFER]
    }

    fn list<T>() -> heapless::Vec<T, IN_FLIGHT> {
        heapless::Vec::new()
    }
}

impl<T, const N: usize> List<T> for heapless::Vec<T, N> {
    fn append(&mut self, value: T) -> Result<(), T> {
        self.push(value)
    }
    fn remove(&mut self, place: usize) -> T {
        heapless::Vec::remove(self, place)
    }
    fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool) {
        heapless::Vec::retain_mut(self, keep);
    }
    fn clear(&mut self) {
        heapless::Vec::clear(self);
    }
}

impl<const N: usize> IdSet for heapless::Vec<u16, N> {
    fn count(&self) -> usize {
        self.len()
    }
    fn has(&self, id: u16) -> bool {
        self.contains(&id)
    }
    fn add(&mut self, id: u16) -> bool {
        self.contains(&id) || self.push(id).is_ok()
    }
    fn remove(&mut self, id: u16) -> bool {
        let place = self.iter().position(|known| *known == id);
        place.map(|place| self.swap_remove(place)).is_some()
    }
    fn take_in(&mut self, others: &mut Self) {
        for id in others.iter() {
            self.add(*id);
        }
        others.clear();
    }
    fn clear(&mut self) {
        heapless::Vec::clear(self);
    }
}

/// No place for it: a client of a fixed size is told its identifier.
#[derive(Debug, Default)]
pub(crate) struct NotKept;

impl Assigned for NotKept {
    fn set(&mut self, _: &str) {}
    fn get(&self) -> Option<&str> {
        None
    }
}

/// The broker's answers that the outbox has not heard yet.
pub(crate) type Answers<P> = <P as Place>::List<Answer>;
