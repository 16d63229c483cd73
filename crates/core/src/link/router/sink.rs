//! The end of a route: bytes become a value, and the value goes into its record.

use crate::{
    Producer, TrySendError,
    buffer::Lock,
    link::{Bound, Decode, DecodeError},
};
use alloc::{boxed::Box, collections::VecDeque};
use anabranch_executor::{MaybeSend, MaybeSync};
use core::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Poll, Waker},
};
use portable_atomic::{AtomicUsize, Ordering};

/// A [`Sink`] whatever its type of value.
pub(crate) trait Deliver: MaybeSend + MaybeSync {
    fn deliver(&self, payload: &[u8], bound: Bound<'_>) -> Delivery<'_>;
}

/// What became of one value at one route.
pub(crate) enum Delivery<'r> {
    /// It is in the record.
    Done,
    /// It could not be decoded.
    Failed(DecodeError),
    /// The record has closed.
    Closed,
    /// The record is a queue without room.
    Waits(Waiting<'r>),
}

/// Ends when the value is in its queue; `false` when the queue has closed instead.
pub(crate) type Waiting<'r> = Pin<Box<dyn Wait + 'r>>;

pub(crate) trait Wait: Future<Output = bool> + MaybeSend {}
impl<F: Future<Output = bool> + MaybeSend> Wait for F {}

pub(crate) struct Sink<T: 'static, D> {
    producer: Producer<T>,
    decode: D,
    line: Line,
}

impl<T, D> Sink<T, D> {
    pub(crate) fn new(producer: Producer<T>, decode: D) -> Self {
        Sink { producer, decode, line: Line { length: AtomicUsize::new(0), places: Lock::new(VecDeque::new()) } }
    }
}

impl<T: Clone + Send + 'static, D: Decode<T>> Deliver for Sink<T, D> {
    fn deliver(&self, payload: &[u8], bound: Bound<'_>) -> Delivery<'_> {
        let value = match decode(&self.decode, payload, &bound) {
            Ok(value) => value,
            Err(why) => return Delivery::Failed(why),
        };
        // A value must not overtake those of its link that wait already, should there be room just now.
        let sent = if self.line.is_empty() { self.producer.try_send(value) } else { Err(TrySendError::Full(value)) };
        match sent {
            Ok(_seq) => Delivery::Done,
            Err(TrySendError::Closed(_)) => Delivery::Closed,
            // The allocations of a value: it waits, so time is not short.
            Err(TrySendError::Full(value)) => {
                let place = self.line.join();
                Delivery::Waits(Box::pin(async move {
                    place.turn().await;
                    self.producer.send(value).await.is_ok()
                }))
            }
        }
    }
}

/// The values of one link that wait for room, in the order in which they came: each waits for those before it.
struct Line {
    /// How many there are, to be known without the lock.
    length: AtomicUsize,
    /// Each one's number, and who waits for its turn.
    places: Lock<VecDeque<(usize, Option<Waker>)>>,
}

/// A place in a [`Line`], which is left when it is dropped.
struct InLine<'l> {
    line: &'l Line,
    number: usize,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    fn join(&self) -> InLine<'_> {
        let number = self.places.with(|places| {
            let number = places.back().map_or(0, |(last, _)| last.wrapping_add(1));
            places.push_back((number, None));
            self.length.store(places.len(), Ordering::Relaxed);
            number
        });
        InLine { line: self, number }
    }
}

impl InLine<'_> {
    fn find(&self, places: &VecDeque<(usize, Option<Waker>)>) -> Option<usize> {
        places.binary_search_by_key(&self.number, |(number, _)| *number).ok()
    }

    async fn turn(&self) {
        poll_fn(|cx| {
            let mut replaced = None;
            let polled = self.line.places.with(|places| {
                let first = places.front().is_none_or(|(number, _)| *number == self.number);
                if first {
                    return Poll::Ready(());
                }
                if let Some((_, waker)) = self.find(places).and_then(|place| places.get_mut(place)) {
                    replaced = waker.replace(cx.waker().clone());
                }
                Poll::Pending
            });
            drop(replaced);
            polled
        })
        .await;
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let (left, next) = self.line.places.with(|places| {
            let left = self.find(places).and_then(|place| places.remove(place));
            self.line.length.store(places.len(), Ordering::Relaxed);
            (left, places.front_mut().and_then(|(_, waker)| waker.take()))
        });
        drop(left);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// Decodes; a panic in the application's decoder fails this value only. Were it to end the connector's task, an
/// acknowledged peer would send the same value again, for ever.
#[cfg(feature = "std")]
fn decode<T>(decoder: &impl Decode<T>, payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| decoder.decode(payload, bound)))
        .unwrap_or_else(|_| Err(DecodeError::new("its deserializer panicked; the panic hook printed where and why")))
}

#[cfg(not(feature = "std"))]
fn decode<T>(decoder: &impl Decode<T>, payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
    decoder.decode(payload, bound)
}
