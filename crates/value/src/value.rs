//! The one value type, what it is made from and how one looks into it.

use crate::{Date, Duration, LocalDateTime, LocalTime, Map, Text, ZonedDateTime, ZonedTime};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Any value that a record, the store or a query holds.
///
/// It is 24 bytes, and its clone is cheap: what is on the heap is shared. `==`, the order and the hash tell any two
/// values apart that are not the same to the last bit; [`order`](Self::order) and [`Equivalent`](crate::Equivalent) see
/// them as a query does, to which 1 and 1.0 are one number.
///
/// ```
/// use anabranch_value::{Value, value};
///
/// let reading = value!({ "device": "boiler", "celsius": 21.5, "alarms": [null, true] });
/// assert_eq!(reading.get("celsius").and_then(Value::as_f64), Some(21.5));
/// assert_eq!(reading.get_path(&"alarms[1]".parse()?), Some(&Value::Bool(true)));
/// # Ok::<(), anabranch_value::ValueError>(())
/// ```
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction, an infinity, or not a number at all. 1.0 is one, and stays one.
    Float(f64),
    /// Text.
    String(Text),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// Values in order.
    List(Arc<Vec<Value>>),
    /// Values with keys, in order.
    Map(Map),
    /// A day of the calendar.
    Date(Date),
    /// A time of day, wherever that is.
    LocalTime(LocalTime),
    /// A time of day at an offset from UTC.
    ZonedTime(ZonedTime),
    /// A day and a time, wherever that is.
    LocalDateTime(LocalDateTime),
    /// A moment, at an offset from UTC or in a time zone.
    ZonedDateTime(Arc<ZonedDateTime>),
    /// A length of time.
    Duration(Arc<Duration>),
}

/// What a value is. The order of the kinds is that in which they are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are those of `Value`; a number is an `Int` or a `Float`")]
pub enum Kind {
    Map,
    List,
    ZonedDateTime,
    LocalDateTime,
    Date,
    ZonedTime,
    LocalTime,
    Duration,
    Bytes,
    String,
    Bool,
    Number,
    Null,
}

impl Value {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Float(_) => Kind::Number,
            Self::String(_) => Kind::String,
            Self::Bytes(_) => Kind::Bytes,
            Self::List(_) => Kind::List,
            Self::Map(_) => Kind::Map,
            Self::Date(_) => Kind::Date,
            Self::LocalTime(_) => Kind::LocalTime,
            Self::ZonedTime(_) => Kind::ZonedTime,
            Self::LocalDateTime(_) => Kind::LocalDateTime,
            Self::ZonedDateTime(_) => Kind::ZonedDateTime,
            Self::Duration(_) => Kind::Duration,
        }
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The integer, if it is one. A float is none, whatever its fraction.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is one that a float holds exactly: a float, or an integer that loses no digit.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            Self::Int(number) => {
                let float = *number as f64;
                (float as i128 == i128::from(*number)).then_some(float)
            }
            _ => None,
        }
    }

    /// The text, if it is some.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is some.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The values in order, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The list, to change it.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Value>> {
        match self {
            Self::List(list) => Some(Arc::make_mut(list)),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The map, to change it.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a key, if it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Map => "a map",
            Self::List => "a list",
            Self::ZonedDateTime => "a date and time with an offset",
            Self::LocalDateTime => "a local date and time",
            Self::Date => "a date",
            Self::ZonedTime => "a time with an offset",
            Self::LocalTime => "a local time",
            Self::Duration => "a duration",
            Self::Bytes => "bytes",
            Self::String => "a string",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Null => "null",
        })
    }
}

/// As one would write it in a query or read it in a log: JSON with plain text for what JSON does not have. To read it
/// back, write it with [`json`](crate::json) instead.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => fmt::Debug::fmt(truth, f),
            Self::Int(number) => fmt::Debug::fmt(number, f),
            Self::Float(number) => fmt::Debug::fmt(number, f),
            Self::String(text) => fmt::Debug::fmt(text, f),
            Self::Bytes(bytes) => {
                f.write_str("b\"")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("\"")
            }
            Self::List(list) => f.debug_list().entries(list.iter()).finish(),
            Self::Map(map) => fmt::Debug::fmt(map, f),
            Self::Date(date) => write!(f, "date({date})"),
            Self::LocalTime(time) => write!(f, "localtime({time})"),
            Self::ZonedTime(time) => write!(f, "time({time})"),
            Self::LocalDateTime(moment) => write!(f, "localdatetime({moment})"),
            Self::ZonedDateTime(moment) => write!(f, "datetime({moment})"),
            Self::Duration(duration) => write!(f, "duration({duration})"),
        }
    }
}

macro_rules! from {
    ($($from:ty => |$value:ident| $into:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

from! {
    () => |_nothing| Self::Null;
    bool => |truth| Self::Bool(truth);
    i8 => |number| Self::Int(number.into());
    i16 => |number| Self::Int(number.into());
    i32 => |number| Self::Int(number.into());
    i64 => |number| Self::Int(number);
    u8 => |number| Self::Int(number.into());
    u16 => |number| Self::Int(number.into());
    u32 => |number| Self::Int(number.into());
    f32 => |number| Self::Float(number.into());
    f64 => |number| Self::Float(number);
    &str => |text| Self::String(text.into());
    String => |text| Self::String(text.into());
    Cow<'_, str> => |text| Self::String(text.into());
    Text => |text| Self::String(text);
    &[u8] => |bytes| Self::Bytes(bytes.into());
    Vec<u8> => |bytes| Self::Bytes(bytes.into());
    Vec<Value> => |list| Self::List(Arc::new(list));
    Map => |map| Self::Map(map);
    Date => |date| Self::Date(date);
    LocalTime => |time| Self::LocalTime(time);
    ZonedTime => |time| Self::ZonedTime(time);
    LocalDateTime => |moment| Self::LocalDateTime(moment);
    ZonedDateTime => |moment| Self::ZonedDateTime(Arc::new(moment));
    Duration => |duration| Self::Duration(Arc::new(duration));
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A list of what comes.
impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::List(Arc::new(values.into_iter().map(Into::into).collect()))
    }
}

/// A value as one would write it in JSON. What is not a literal, a list or a map stands in parentheses.
///
/// ```
/// use anabranch_value::value;
///
/// let celsius = 21.5;
/// let reading = value!({ "celsius": celsius, "kelvin": (celsius + 273.15), "alarms": [null, true, { "low": (-40) }] });
/// assert_eq!(format!("{reading:?}"), r#"{"celsius": 21.5, "kelvin": 294.65, "alarms": [null, true, {"low": -40}]}"#);
/// ```
#[macro_export]
macro_rules! value {
    (null) => { $crate::Value::Null };
    ([$($element:tt),* $(,)?]) => {
        $crate::Value::from_iter::<[$crate::Value; _]>([$($crate::value!($element)),*])
    };
    ({$($key:tt : $value:tt),* $(,)?}) => {
        $crate::Value::Map($crate::Map::from_iter::<[($crate::Text, $crate::Value); _]>([
            $(($crate::Text::from($key), $crate::value!($value))),*
        ]))
    };
    ($value:expr) => { $crate::Value::from($value) };
}
