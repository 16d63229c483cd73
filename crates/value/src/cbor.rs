//! CBOR (RFC 8949): everything as it is, in few bytes.
//!
//! Lengths are definite. A float is written in 4 bytes where it loses nothing, else in 8. Temporal types are
//! tagged: dates with 1004 (RFC 8943); moments with 0 where RFC 3339 can say them; others with 27, as a list of the type's
//! name and its text:
//!
//! ```text
//! 1004("2026-03-29")
//! 0("2026-03-29T13:37:00+02:00")
//! 27(["datetime", "2026-03-29T13:37:00+02:00[Europe/Berlin]"])    datetime, localdatetime, time, localtime, duration
//! ```
//!
//! The maps that stand for them in [`json`](crate::json) are read, too, because other writers of CBOR that reach a value
//! through serde know no tags; so here, too, a map of one's own that looks like one is written with one more `$`.
//!
//! Also read, since others write them: indefinite lengths, floats of 2 bytes, moments as whole seconds (tag 1), big integers
//! that are not big (tags 2, 3), the mark of CBOR itself (tag 55799), and `undefined`, which becomes null. Refused: keys that
//! are not text, keys that stand twice, integers beyond 64 bits with a sign, and any other tag or simple value, since what
//! they mean would be lost.

use crate::deserialize::SET_ASIDE;
use crate::map::Entries;
use crate::tagged::{self, Tagged};
use crate::{Duration, LocalDateTime, LocalTime, MAX_DEPTH, Place, Text, Value, ValueError, ZonedDateTime, ZonedTime};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use minicbor::Decoder;
use minicbor::data::Type;

const FORMAT: &str = "CBOR";
const TAG_MOMENT_TEXT: u64 = 0;
const TAG_MOMENT_SECONDS: u64 = 1;
const TAG_POSITIVE: u64 = 2;
const TAG_NEGATIVE: u64 = 3;
const TAG_NAMED: u64 = 27;
const TAG_DATE: u64 = 1004;
const TAG_CBOR: u64 = 55_799;

/// Reads a value. The whole input must be one.
///
/// ```
/// use anabranch_value::{cbor, value};
///
/// let reading = value!({ "celsius": 21.5, "id": 9007199254740993_i64, "raw": (b"\x15".as_slice()) });
/// assert_eq!(cbor::from_slice(&cbor::to_vec(&reading)?)?, reading);
/// assert_eq!(cbor::from_slice(b"\x82\x01").unwrap_err().to_string(),
///     "this is not CBOR at byte 2: end of input; send well-formed CBOR");
/// # Ok::<(), anabranch_value::ValueError>(())
/// ```
pub fn from_slice(cbor: &[u8]) -> Result<Value, ValueError> {
    let mut value = Value::Null;
    read_into(cbor, &mut value)?;
    Ok(value)
}

/// As [`from_slice`], to a place that is there already: whoever reads many does not move each of them about. Where it fails, the
/// value is as it was.
pub fn read_into(cbor: &[u8], value: &mut Value) -> Result<(), ValueError> {
    *value = match short_text(cbor) {
        Some(text) => Value::String(text.into()),
        None => read_whole(cbor)?,
    };
    Ok(())
}

fn read_whole(cbor: &[u8]) -> Result<Value, ValueError> {
    let mut reader = Reader(Decoder::new(cbor));
    let value = reader.value(MAX_DEPTH)?;
    match reader.0.position() {
        end if end == cbor.len() => Ok(value),
        end => Err(syntax(end, "there is more after the value")),
    }
}

/// What is text of less than 256 bytes, and nothing else: so many values are that it is not worth a reader. Whatever is wrong with
/// it, the reader says.
fn short_text(cbor: &[u8]) -> Option<&str> {
    let (length, text) = match cbor {
        [first @ 0x60..=0x77, text @ ..] => (first - 0x60, text),
        [0x78, length, text @ ..] => (*length, text),
        _ => return None,
    };
    if text.len() == usize::from(length) { core::str::from_utf8(text).ok() } else { None }
}

/// Writes a value. It fails on a value that is [too deep](crate::MAX_DEPTH) alone.
pub fn to_vec(value: &Value) -> Result<Vec<u8>, ValueError> {
    let mut cbor = Vec::new();
    write(value, &mut cbor)?;
    Ok(cbor)
}

/// Writes a value after what is in the buffer already. Where it fails, part of the value has been written.
pub fn write(value: &Value, buffer: &mut Vec<u8>) -> Result<(), ValueError> {
    write_nested(value, MAX_DEPTH, buffer)
}

/// What an item is, as its first three bits say: for [`write_head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "RFC 8949 calls them so")]
pub enum Major {
    Positive = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    List = 4,
    Map = 5,
    Tag = 6,
}

/// Writes the head of an item, in as few bytes as it takes: for those who write items around values. `number` is the integer, the
/// length in bytes or in items, or the tag; of a negative integer it is -1 less the integer.
pub fn write_head(major: Major, number: u64, buffer: &mut Vec<u8>) {
    let first = (major as u8) << 5;
    let [.., b7, b6, b5, b4, b3, b2, b1, b0] = number.to_be_bytes();
    match number {
        0..24 => buffer.push(first | b0),
        24..0x100 => buffer.extend_from_slice(&[first | 24, b0]),
        0x100..0x1_0000 => buffer.extend_from_slice(&[first | 25, b1, b0]),
        0x1_0000..0x1_0000_0000 => buffer.extend_from_slice(&[first | 26, b3, b2, b1, b0]),
        _ => buffer.extend_from_slice(&[first | 27, b7, b6, b5, b4, b3, b2, b1, b0]),
    }
}

/// Writes text.
pub fn write_text(text: &str, buffer: &mut Vec<u8>) {
    write_head(Major::Text, text.len() as u64, buffer);
    buffer.extend_from_slice(text.as_bytes());
}

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const FLOAT_OF_4: u8 = 0xfa;
const FLOAT_OF_8: u8 = 0xfb;

fn write_nested(value: &Value, left: usize, to: &mut Vec<u8>) -> Result<(), ValueError> {
    let below = || left.checked_sub(1).ok_or(ValueError::TooDeep { place: Place::Unknown });
    match value {
        Value::Null => to.push(NULL),
        Value::Bool(truth) => to.push(if *truth { TRUE } else { FALSE }),
        // `!number` is -1 - number, which is never too large.
        Value::Int(number @ ..0) => write_head(Major::Negative, !number as u64, to),
        Value::Int(number) => write_head(Major::Positive, *number as u64, to),
        Value::Float(number) => write_float(*number, to),
        Value::String(text) => write_text(text, to),
        Value::Bytes(bytes) => {
            write_head(Major::Bytes, bytes.len() as u64, to);
            to.extend_from_slice(bytes);
        }
        Value::List(list) => {
            let left = below()?;
            write_head(Major::List, list.len() as u64, to);
            list.iter().try_for_each(|value| write_nested(value, left, to))?;
        }
        Value::Map(map) => {
            let left = below()?;
            if let Some(escaped) = Tagged::of(value) {
                write_head(Major::Map, 1, to);
                write_text(&escaped.key, to);
                write_text(&escaped.text, to);
                return Ok(());
            }
            write_head(Major::Map, map.len() as u64, to);
            for (key, value) in map {
                write_text(key, to);
                write_nested(value, left, to)?;
            }
        }
        Value::Date(date) => write_tagged(TAG_DATE, date, to),
        Value::ZonedDateTime(moment) if is_rfc_3339(moment) => write_tagged(TAG_MOMENT_TEXT, moment, to),
        Value::LocalTime(time) => write_named(LocalTime::NAME, time, to),
        Value::ZonedTime(time) => write_named(ZonedTime::NAME, time, to),
        Value::LocalDateTime(moment) => write_named(LocalDateTime::NAME, moment, to),
        Value::ZonedDateTime(moment) => write_named(ZonedDateTime::NAME, moment, to),
        Value::Duration(duration) => write_named(Duration::NAME, duration, to),
    }
    Ok(())
}

fn write_float(number: f64, to: &mut Vec<u8>) {
    let short = number as f32;
    // What is not a number may lose its bits on the way to and fro.
    if !number.is_nan() && f64::from(short).to_bits() == number.to_bits() {
        to.push(FLOAT_OF_4);
        to.extend_from_slice(&short.to_be_bytes());
    } else {
        to.push(FLOAT_OF_8);
        to.extend_from_slice(&number.to_be_bytes());
    }
}

/// RFC 3339 has four digits for the year, offsets in minutes, and no zones.
fn is_rfc_3339(moment: &ZonedDateTime) -> bool {
    moment.zone().is_none() && moment.offset() % 60 == 0 && moment.local().date().year() >= 0
}

fn write_tagged(tag: u64, text: impl ToString, to: &mut Vec<u8>) {
    write_head(Major::Tag, tag, to);
    write_text(&text.to_string(), to);
}

fn write_named(name: &str, text: impl ToString, to: &mut Vec<u8>) {
    write_head(Major::Tag, TAG_NAMED, to);
    write_head(Major::List, 2, to);
    write_text(name.trim_start_matches('$'), to);
    write_text(&text.to_string(), to);
}

#[cold]
fn syntax(at: usize, reason: impl ToString) -> ValueError {
    ValueError::Syntax { format: FORMAT, reason: reason.to_string(), place: Place::Byte(at) }
}

struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    /// A level costs a stack frame, so what nests no further is read out of line.
    fn value(&mut self, left: usize) -> Result<Value, ValueError> {
        let at = self.0.position();
        match self.peek()? {
            Type::Array | Type::ArrayIndef => self.list(at, left),
            Type::Map | Type::MapIndef => self.map(at, left),
            Type::Tag => match self.read(Decoder::tag)?.as_u64() {
                // One level, so that a row of marks is no way around the limit.
                TAG_CBOR => self.value(left.checked_sub(1).ok_or(ValueError::TooDeep { place: Place::Byte(at) })?),
                tag => self.tagged(at, tag),
            },
            kind => self.scalar(at, kind),
        }
    }

    #[inline(never)]
    fn scalar(&mut self, at: usize, kind: Type) -> Result<Value, ValueError> {
        match kind {
            Type::Null => self.read(Decoder::null).map(|()| Value::Null),
            Type::Undefined => self.read(Decoder::undefined).map(|()| Value::Null),
            Type::Bool => self.read(Decoder::bool).map(Value::Bool),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                let number = i128::from(self.read(Decoder::int)?);
                let too_large = |_| ValueError::IntegerOutOfRange { place: Place::Byte(at) };
                number.try_into().map(Value::Int).map_err(too_large)
            }
            Type::F16 => self.half().map(Value::Float),
            Type::F32 => self.read(Decoder::f32).map(|number| Value::Float(number.into())),
            Type::F64 => self.read(Decoder::f64).map(Value::Float),
            Type::String | Type::StringIndef => self.text().map(Value::String),
            Type::Bytes | Type::BytesIndef => self.bytes().map(Value::from),
            Type::Simple => Err(unsupported(at, "a simple value", "send null, a boolean or a number")),
            Type::Break => Err(syntax(at, "an end without a beginning")),
            Type::Unknown(byte) => Err(syntax(at, format_args!("a byte {byte:#04x} that begins nothing"))),
            Type::Array | Type::ArrayIndef | Type::Map | Type::MapIndef | Type::Tag => {
                Err(unsupported(at, format_args!("{kind} in this place"), "send a number"))
            }
        }
    }

    fn peek(&self) -> Result<Type, ValueError> {
        self.0.datatype().map_err(|error| self.error(&error))
    }

    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<T, ValueError> {
        read(&mut self.0).map_err(|error| self.error(&error))
    }

    #[cold]
    fn error(&self, error: &minicbor::decode::Error) -> ValueError {
        // What the error says itself is many times the code: it has a sentence for whatever there is, and few of those can come here.
        let what = match (error.is_end_of_input(), error.is_type_mismatch()) {
            (true, _) => return syntax(self.0.input().len(), "end of input"),
            (_, true) => "an item of a kind that does not belong here",
            // Numbers are large enough.
            _ => "text that is not UTF-8, or an item longer than memory is",
        };
        syntax(error.position().unwrap_or(self.0.position()), what)
    }

    /// A float of 2 bytes: 5 bits of exponent, 10 of fraction.
    fn half(&mut self) -> Result<f64, ValueError> {
        let at = self.0.position();
        let &[_, high, low] = self.0.input().get(at..at + 3).unwrap_or_default() else {
            return Err(syntax(self.0.input().len(), "end of input"));
        };
        self.0.set_position(at + 3);
        let bits = u16::from_be_bytes([high, low]);
        let (sign, exponent, fraction) = (u64::from(bits >> 15), u64::from(bits >> 10 & 0x1f), u64::from(bits & 0x3ff));
        let magnitude = match exponent {
            // Subnormal: the fraction counts steps of 2^-24.
            0 => (fraction as f64 / 16_777_216.0).to_bits(),
            0x1f => 0x7ff << 52 | fraction << 42,
            // The exponents are counted from 15 here, and from 1023 there.
            _ => (exponent + 1008) << 52 | fraction << 42,
        };
        Ok(f64::from_bits(sign << 63 | magnitude))
    }

    #[inline(never)]
    fn text(&mut self) -> Result<Text, ValueError> {
        if let Type::String = self.peek()? {
            return self.read(Decoder::str).map(Text::from);
        }
        let joined = self.read(|decoder| decoder.str_iter()?.collect::<Result<String, _>>());
        joined.map(Text::from)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, ValueError> {
        self.read(|decoder| {
            decoder.bytes_iter()?.try_fold(Vec::new(), |mut joined, part| {
                joined.extend_from_slice(part?);
                Ok(joined)
            })
        })
    }

    /// Whether one more element comes, of as many as were announced, or until an end.
    fn has_more(&mut self, announced: &mut Option<u64>) -> Result<bool, ValueError> {
        match announced {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if self.peek()? == Type::Break => {
                self.0.set_position(self.0.position() + 1);
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// How much room is made for what was announced: not more than the input can hold, nor much before it comes.
    fn room(&self, announced: Option<u64>) -> usize {
        let left = self.0.input().len() - self.0.position();
        announced.map_or(0, |length| usize::try_from(length).unwrap_or(left).min(left).min(SET_ASIDE))
    }

    fn list(&mut self, at: usize, left: usize) -> Result<Value, ValueError> {
        let left = left.checked_sub(1).ok_or(ValueError::TooDeep { place: Place::Byte(at) })?;
        let mut announced = self.read(Decoder::array)?;
        let mut list = Vec::with_capacity(self.room(announced));
        while self.has_more(&mut announced)? {
            list.push(self.value(left)?);
        }
        Ok(list.into())
    }

    fn map(&mut self, at: usize, left: usize) -> Result<Value, ValueError> {
        let left = left.checked_sub(1).ok_or(ValueError::TooDeep { place: Place::Byte(at) })?;
        let mut announced = self.read(Decoder::map)?;
        let mut map = Entries::with_capacity(self.room(announced));
        while self.has_more(&mut announced)? {
            let at = self.0.position();
            let key = self.key()?;
            let value = self.value(left)?;
            map.insert_new(key, value).map_err(|key| twice(at, key))?;
        }
        tagged::read(map.into()).map_err(|error| error.at(Place::Byte(at)))
    }

    #[inline(never)]
    fn key(&mut self) -> Result<Text, ValueError> {
        if matches!(self.peek()?, Type::String | Type::StringIndef) {
            return self.text();
        }
        Err(unsupported(self.0.position(), "a key that is not text", "send keys as text"))
    }

    #[inline(never)]
    fn tagged(&mut self, at: usize, tag: u64) -> Result<Value, ValueError> {
        let placed = |error: ValueError| error.at(Place::Byte(at));
        match tag {
            TAG_DATE => self.text()?.parse().map(Value::Date).map_err(placed),
            TAG_MOMENT_TEXT => self.text()?.parse::<ZonedDateTime>().map(Value::from).map_err(placed),
            TAG_MOMENT_SECONDS => {
                let kind = self.peek()?;
                let seconds = self.scalar(self.0.position(), kind)?.as_i64();
                let moment = seconds.and_then(|seconds| ZonedDateTime::from_unix(seconds, 0));
                moment.map(Value::from).ok_or_else(|| {
                    unsupported(
                        at,
                        "a moment in other than whole seconds of the calendar",
                        "send it as text, under tag 0",
                    )
                })
            }
            TAG_POSITIVE | TAG_NEGATIVE => {
                let bytes = self.bytes()?;
                let magnitude =
                    bytes.iter().try_fold(0_i64, |number, byte| number.checked_mul(256)?.checked_add(i64::from(*byte)));
                let number = magnitude.map(|number| if tag == TAG_NEGATIVE { -1 - number } else { number });
                number.map(Value::Int).ok_or(ValueError::IntegerOutOfRange { place: Place::Byte(at) })
            }
            TAG_NAMED => {
                let is_pair = self.read(Decoder::array)? == Some(2);
                let name = if is_pair { format!("${}", self.text()?) } else { String::new() };
                if !is_pair || !tagged::is_temporal(&name) {
                    return Err(unsupported(at, "an object of another language (tag 27)", "send a map"));
                }
                tagged::read_temporal(&name, &self.text()?).map_err(placed)
            }
            _ => Err(unsupported(at, format_args!("the tag {tag}"), "send what is in it without the tag")),
        }
    }
}

#[cold]
fn twice(at: usize, key: Text) -> ValueError {
    ValueError::DuplicateKey { key: key.into(), place: Place::Byte(at) }
}

#[cold]
fn unsupported(at: usize, what: impl ToString, mend: &'static str) -> ValueError {
    ValueError::Unsupported { what: what.to_string(), place: Place::Byte(at), mend }
}
