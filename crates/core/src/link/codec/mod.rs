//! How values become bytes and bytes values: the two traits, and closures as both.

#[cfg(any(feature = "json", feature = "json-core", feature = "cbor"))]
mod bound;
#[cfg(feature = "cbor")]
mod cbor;
#[cfg(any(feature = "json", feature = "json-core", feature = "cbor", feature = "postcard"))]
mod field;
#[cfg(any(feature = "json", feature = "json-core"))]
mod json;
#[cfg(feature = "postcard")]
mod postcard;

use crate::link::{
    Bound, Words,
    payload::{Payload, PayloadFull},
};
use anabranch_executor::{MaybeSend, MaybeSync};
#[cfg(feature = "cbor")]
pub use cbor::Cbor;
use core::fmt;
#[cfg(any(feature = "json", feature = "json-core"))]
pub use json::Json;
#[cfg(feature = "postcard")]
pub use postcard::Postcard;

/// Writes values as bytes.
pub trait Encode<T>: MaybeSend + MaybeSync + 'static {
    /// Writes `value` into `payload`.
    ///
    /// # Errors
    /// [`EncodeError::Full`] asks for a larger payload; [`EncodeError::Value`] says that this value has no such form.
    fn encode(&self, value: &T, payload: &mut Payload<'_>) -> Result<(), EncodeError>;

    /// Writes the text of one field of `value`, for an address that has `{name}` in it.
    ///
    /// # Errors
    /// [`EncodeError::Value`] when the value has no such field, or one that is no text, number or truth value.
    fn field(&self, value: &T, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError>;

    /// Why it cannot fill in fields at all, if it cannot: the database then refuses an address that has some.
    fn no_fields(&self) -> Option<&'static str> {
        None
    }
}

/// Reads values from bytes.
pub trait Decode<T>: MaybeSend + MaybeSync + 'static {
    /// The value in `payload`; what the names in the link's address stood for is in `bound`.
    ///
    /// # Errors
    /// [`DecodeError`] when there is none.
    fn decode(&self, payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError>;

    /// Why it cannot take bound names, if it cannot: the database then refuses an address that has some.
    fn no_names(&self) -> Option<&'static str> {
        None
    }
}

/// Why a value was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// It is larger than the payload that was lent.
    Full,
    /// It has no form in these bytes.
    Value(Words),
}

impl EncodeError {
    /// A value that cannot be written, and why.
    pub fn new(why: impl fmt::Display) -> Self {
        EncodeError::Value(Words::of(why))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::Full => PayloadFull.fmt(f),
            EncodeError::Value(why) => why.fmt(f),
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<PayloadFull> for EncodeError {
    fn from(PayloadFull: PayloadFull) -> Self {
        EncodeError::Full
    }
}

/// Why there is no value in some bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(Words);

impl DecodeError {
    /// Because of `why`.
    pub fn new(why: impl fmt::Display) -> Self {
        DecodeError(Words::of(why))
    }
}

/// A closure that reads.
#[cfg(feature = "alloc")]
pub(crate) struct DecodeWith<F>(pub(crate) F);

#[cfg(feature = "alloc")]
impl<T, E, F> Decode<T> for DecodeWith<F>
where
    E: fmt::Display,
    F: Fn(&[u8], &Bound<'_>) -> Result<T, E> + MaybeSend + MaybeSync + 'static,
{
    fn decode(&self, payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
        (self.0)(payload, bound).map_err(DecodeError::new)
    }
}

/// A closure that writes, and perhaps one that fills in fields.
#[cfg(feature = "alloc")]
pub(crate) struct EncodeWith<F>(pub(crate) F);

#[cfg(feature = "alloc")]
impl<T, E, F> Encode<T> for EncodeWith<F>
where
    E: fmt::Display,
    F: Fn(&T, &mut Payload<'_>) -> Result<(), E> + MaybeSend + MaybeSync + 'static,
{
    fn encode(&self, value: &T, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        let encoded = (self.0)(value, payload);
        match encoded {
            _ if payload.is_full() => Err(EncodeError::Full),
            encoded => encoded.map_err(EncodeError::new),
        }
    }

    fn field(&self, _: &T, name: &str, _: &mut Payload<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new(format_args!("a closure does not know the field `{name}`")))
    }

    fn no_fields(&self) -> Option<&'static str> {
        Some(
            "a serializer that is a closure knows no fields: use `with_json`, `with_cbor` or `with_postcard`, or `with_encode` with an `Encode` of your own",
        )
    }
}
