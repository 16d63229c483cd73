//! Writes JSON into a payload that is lent. `serde_json` writes into what grows, or needs the standard library's `Write`;
//! here nothing grows, and there may be no standard library.

use super::super::{
    EncodeError,
    field::{NoText, Text},
};
use crate::link::payload::{Payload, PayloadFull};
use core::fmt::{self, Write};
use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
        SerializeTupleVariant,
    },
};

/// Writes `value` as JSON.
///
/// # Errors
/// When it does not fit, or cannot be JSON.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
    value.serialize(Json(payload)).map_err(|Fault(why)| why)
}

/// An [`EncodeError`] as serde wants one.
#[derive(Debug)]
struct Fault(EncodeError);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Fault(EncodeError::new(why))
    }
}

impl From<PayloadFull> for Fault {
    fn from(full: PayloadFull) -> Self {
        Fault(full.into())
    }
}

impl From<fmt::Error> for Fault {
    fn from(fmt::Error: fmt::Error) -> Self {
        Fault(EncodeError::Full)
    }
}

/// Text inside quotes: what JSON does not take as it is becomes an escape.
struct Escaped<'w, 'p>(&'w mut Payload<'p>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
        let mut rest = text.as_bytes();
        loop {
            let plain = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
            let (before, after) = rest.split_at(plain);
            self.0.push(before).map_err(|PayloadFull| fmt::Error)?;
            let [byte, after @ ..] = after else { return Ok(()) };
            match byte {
                b'"' => self.0.write_str("\\\""),
                b'\\' => self.0.write_str("\\\\"),
                b'\n' => self.0.write_str("\\n"),
                b'\r' => self.0.write_str("\\r"),
                b'\t' => self.0.write_str("\\t"),
                0x08 => self.0.write_str("\\b"),
                0x0c => self.0.write_str("\\f"),
                _ => write!(self.0, "\\u{byte:04x}"),
            }?;
            rest = after;
        }
    }
}

/// Writes a number in decimal digits. Not by `fmt`, which asks for a sign, a width and a fill first, and takes
/// three times as many instructions.
fn digits(number: u64, payload: &mut Payload<'_>) -> Result<(), PayloadFull> {
    const BILLION: u64 = 1_000_000_000;
    let mut text = [b'0'; 20];
    let mut written = 0;
    // Nine digits at a time, so that one has to be divided by ten that fits into a register.
    let (mut high, mut low) = match u32::try_from(number) {
        Ok(low) => (0, low),
        Err(_) => (number / BILLION, (number % BILLION) as u32),
    };
    let mut nine = 9;
    for place in text.iter_mut().rev() {
        *place = b'0' + (low % 10) as u8;
        low /= 10;
        written += 1;
        nine -= 1;
        if high == 0 && low == 0 {
            break;
        }
        if high > 0 && nine == 0 {
            (high, low, nine) = (high / BILLION, (high % BILLION) as u32, 9);
        }
    }
    payload.push(text.get(text.len() - written..).unwrap_or_default())
}

/// The serialiser.
struct Json<'w, 'p>(&'w mut Payload<'p>);

impl<'w, 'p> Json<'w, 'p> {
    fn quoted(self, write: impl FnOnce(&mut Escaped<'_, 'p>) -> fmt::Result) -> Result<(), Fault> {
        self.0.push(b"\"")?;
        write(&mut Escaped(self.0))?;
        Ok(self.0.push(b"\"")?)
    }

    /// Begins `open`, which ends with `close`.
    fn begin(self, open: &[u8], close: &'static [u8]) -> Result<Compound<'w, 'p>, Fault> {
        self.0.push(open)?;
        Ok(Compound { payload: self.0, close, state: Next::First })
    }

    /// Begins a variant with content: an object of one field, its name.
    fn variant(&mut self, name: &str) -> Result<(), Fault> {
        self.0.push(b"{")?;
        Json(self.0).serialize_str(name)?;
        Ok(self.0.push(b":")?)
    }
}

macro_rules! as_wider {
    ($($method:ident $ty:ty, $wider:ident;)*) => {$(
        fn $method(self, value: $ty) -> Result<(), Fault> {
            self.$wider(value.into())
        }
    )*};
}

impl<'w, 'p> Serializer for Json<'w, 'p> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Compound<'w, 'p>;
    type SerializeTuple = Compound<'w, 'p>;
    type SerializeTupleStruct = Compound<'w, 'p>;
    type SerializeTupleVariant = Compound<'w, 'p>;
    type SerializeMap = Compound<'w, 'p>;
    type SerializeStruct = Compound<'w, 'p>;
    type SerializeStructVariant = Compound<'w, 'p>;

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        Ok(self.0.push(if value { b"true" } else { b"false" })?)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Fault> {
        if value < 0 {
            self.0.push(b"-")?;
        }
        Ok(digits(value.unsigned_abs(), self.0)?)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Fault> {
        Ok(write!(self.0, "{value}")?)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Fault> {
        Ok(digits(value, self.0)?)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Fault> {
        Ok(write!(self.0, "{value}")?)
    }

    as_wider! {
        serialize_i8 i8, serialize_i64;
        serialize_i16 i16, serialize_i64;
        serialize_i32 i32, serialize_i64;
        serialize_u8 u8, serialize_u64;
        serialize_u16 u16, serialize_u64;
        serialize_u32 u32, serialize_u64;
    }

    // `Debug` writes the shortest text that reads back as the same number, with a point or an exponent: it is JSON.
    fn serialize_f32(self, value: f32) -> Result<(), Fault> {
        if value.is_finite() { Ok(write!(self.0, "{value:?}")?) } else { self.serialize_unit() }
    }

    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        if value.is_finite() { Ok(write!(self.0, "{value:?}")?) } else { self.serialize_unit() }
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.quoted(|text| text.write_char(value))
    }

    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        self.quoted(|text| text.write_str(value))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Fault> {
        self.quoted(|text| write!(text, "{value}"))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Fault> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(self.0.push(b"null")?)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.variant(variant)?;
        value.serialize(Json(self.0))?;
        Ok(self.0.push(b"}")?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w, 'p>, Fault> {
        self.begin(b"[", b"]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w, 'p>, Fault> {
        self.begin(b"[", b"]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'w, 'p>, Fault> {
        self.begin(b"[", b"]")
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w, 'p>, Fault> {
        self.variant(variant)?;
        self.begin(b"[", b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'w, 'p>, Fault> {
        self.begin(b"{", b"}")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'w, 'p>, Fault> {
        if READY_MADE.contains(&name) {
            return Ok(Compound { payload: self.0, close: b"", state: Next::ReadyMade });
        }
        self.begin(b"{", b"}")
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w, 'p>, Fault> {
        self.variant(variant)?;
        self.begin(b"{", b"}}")
    }
}

/// How `serde_json` marks a text that is JSON already: its `RawValue`, and its `Number` of arbitrary precision.
const READY_MADE: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

/// What comes next in a [`Compound`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The first entry.
    First,
    /// Another one, after a comma.
    Other,
    /// Text that is JSON already.
    ReadyMade,
}

/// An array or object that is being written.
struct Compound<'w, 'p> {
    payload: &'w mut Payload<'p>,
    close: &'static [u8],
    state: Next,
}

impl Compound<'_, '_> {
    fn comma(&mut self) -> Result<(), Fault> {
        if core::mem::replace(&mut self.state, Next::Other) == Next::Other {
            self.payload.push(b",")?;
        }
        Ok(())
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.comma()?;
        value.serialize(Json(self.payload))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        if self.state == Next::ReadyMade {
            return text(value, self.payload);
        }
        self.comma()?;
        Json(self.payload).serialize_str(name)?;
        self.payload.push(b":")?;
        value.serialize(Json(self.payload))
    }

    fn finish(self) -> Result<(), Fault> {
        Ok(self.payload.push(self.close)?)
    }
}

/// Writes something of one piece as text, without quotes.
fn text<T: Serialize + ?Sized>(value: &T, out: &mut impl Write) -> Result<(), Fault> {
    value.serialize(Text(out)).map_err(|why| {
        Fault(EncodeError::Value(match why {
            NoText::Kind(kind) => kind.into(),
            NoText::Said(why) => why,
        }))
    })
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.comma()?;
        self.payload.push(b"\"")?;
        let written = text(key, &mut Escaped(self.payload));
        if self.payload.is_full() {
            return Err(Fault(EncodeError::Full));
        }
        written.map_err(|Fault(kind)| {
            Fault(EncodeError::new(format_args!(
                "a map's key is {kind}: in JSON it has to be text, a number or a truth value"
            )))
        })?;
        Ok(self.payload.push(b"\"")?)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.payload.push(b":")?;
        value.serialize(Json(self.payload))
    }

    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

macro_rules! of_elements {
    ($($trait:ident $method:ident;)*) => {$(
        impl $trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.element(value)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        }
    )*};
}

macro_rules! of_fields {
    ($($trait:ident)*) => {$(
        impl $trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        }
    )*};
}

of_elements! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

of_fields! {
    SerializeStruct SerializeStructVariant
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_number_of_any_length_is_written_in_its_digits() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        let numbers = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(5)]);
        for number in numbers.chain([u32::MAX.into(), u64::from(u32::MAX) + 1, u64::MAX - 1, u64::MAX]) {
            let mut buffer = [0; 20];
            let mut payload = Payload::new(&mut buffer);
            digits(number, &mut payload).unwrap();
            assert_eq!(payload.written(), number.to_string().as_bytes());
        }
    }
}
