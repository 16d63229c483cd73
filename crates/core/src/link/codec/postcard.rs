//! Postcard: the smallest of the three, for those who share their types.

use super::{Decode, DecodeError, Encode, EncodeError, field};
use crate::link::{Bound, payload::Payload};
use postcard::Error;
use serde::{Serialize, de::DeserializeOwned};

/// Values as postcard: their fields one after the other, without names.
///
/// Sender and receiver have to have the same type: a field more, or two that changed places, are other values or an error.
/// Because fields have no names there, an inbound address can bind none: take the name's value from the payload, or
/// another format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Postcard;

impl<T: Serialize> Encode<T> for Postcard {
    fn encode(&self, value: &T, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        let mut fault = None;
        let filled = payload.fill(|free| match postcard::to_slice(value, free) {
            Ok(written) => Some(written.len()),
            Err(Error::SerializeBufferFull) => None,
            Err(why) => {
                fault = Some(why);
                Some(0)
            }
        });
        match fault {
            Some(Error::SerializeSeqLengthUnknown) => Err(EncodeError::new(
                "postcard has to know how many entries a sequence or map has before the first: collect them, or take `with_cbor`",
            )),
            Some(why) => Err(EncodeError::new(format_args!("the value cannot be postcard: {why}"))),
            None => Ok(filled?),
        }
    }

    fn field(&self, value: &T, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        field::write(value, name, text)
    }
}

impl<T: DeserializeOwned> Decode<T> for Postcard {
    fn decode(&self, payload: &[u8], _: &Bound<'_>) -> Result<T, DecodeError> {
        let fault = |why: &dyn core::fmt::Display| {
            DecodeError::new(format_args!(
                "the payload's {} bytes are no postcard of `{}`: {why}; the sender's type has to be the same, field by field",
                payload.len(),
                core::any::type_name::<T>(),
            ))
        };
        match postcard::take_from_bytes(payload) {
            Ok((value, [])) => Ok(value),
            Ok((_, left)) => Err(fault(&format_args!("{} of them are left over", left.len()))),
            Err(why @ (Error::WontImplement | Error::NotYetImplemented)) => Err(fault(&format_args!(
                "{why} (its type asks what comes next, as `flatten`, `untagged` and `skip_serializing_if` do, and postcard does not say): take `with_cbor`"
            ))),
            Err(why) => Err(fault(&why)),
        }
    }

    fn no_names(&self) -> Option<&'static str> {
        Some(
            "postcard has no names of fields, so the address's names have no place in the value: write `+` for them, or take `with_json` or `with_cbor`",
        )
    }
}
