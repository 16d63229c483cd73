//! The end of a route: bytes become a value, and the value goes into its record.

use crate::{
    Producer, TrySendError,
    link::{Bound, Decode, DecodeError},
};
use alloc::boxed::Box;
use anabranch_executor::{MaybeSend, MaybeSync};
use core::{future::Future, pin::Pin};

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
    pub(crate) producer: Producer<T>,
    pub(crate) decode: D,
}

impl<T: Clone + Send + 'static, D: Decode<T>> Deliver for Sink<T, D> {
    fn deliver(&self, payload: &[u8], bound: Bound<'_>) -> Delivery<'_> {
        let value = match decode(&self.decode, payload, &bound) {
            Ok(value) => value,
            Err(why) => return Delivery::Failed(why),
        };
        match self.producer.try_send(value) {
            Ok(_seq) => Delivery::Done,
            Err(TrySendError::Closed(_)) => Delivery::Closed,
            // The one allocation of a value: it waits, so time is not short.
            Err(TrySendError::Full(value)) => {
                Delivery::Waits(Box::pin(async move { self.producer.send(value).await.is_ok() }))
            }
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
