//! A value written in any format of serde.

use crate::tagged::{NEWTYPE, Tagged};
use crate::{MAX_DEPTH, Map, Place, Value, ValueError};
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

/// Bytes, infinities and temporal values are written as the module [`json`](crate::json) says, bytes and floats as they are
/// where a format is not for people to read.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested { value: self, left: MAX_DEPTH }.serialize(serializer)
    }
}

/// As a value.
impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Its entries are shared, so this clones a pointer.
        Value::Map(self.clone()).serialize(serializer)
    }
}

/// A value, and how many levels may be below it.
struct Nested<'v> {
    value: &'v Value,
    left: usize,
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let below =
            || self.left.checked_sub(1).ok_or_else(|| S::Error::custom(ValueError::TooDeep { place: Place::Unknown }));
        match self.value {
            // Some formats write a unit as an empty list.
            Value::Null => serializer.serialize_none(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) if number.is_finite() || !serializer.is_human_readable() => {
                serializer.serialize_f64(*number)
            }
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) if !serializer.is_human_readable() => serializer.serialize_bytes(bytes),
            Value::List(list) => {
                let left = below()?;
                let mut elements = serializer.serialize_seq(Some(list.len()))?;
                for value in list.iter() {
                    elements.serialize_element(&Nested { value, left })?;
                }
                elements.end()
            }
            value => match (Tagged::of(value), value) {
                (Some(tagged), _) => {
                    // A map of one's own that is escaped is a level as every map is.
                    if matches!(value, Value::Map(_)) {
                        below()?;
                    }
                    serializer.serialize_newtype_struct(NEWTYPE, &tagged)
                }
                (None, Value::Map(map)) => {
                    let left = below()?;
                    let mut entries = serializer.serialize_map(Some(map.len()))?;
                    for (key, value) in map {
                        entries.serialize_entry(key.as_str(), &Nested { value, left })?;
                    }
                    entries.end()
                }
                (None, _) => unreachable!("what is no map and not tagged was written above"),
            },
        }
    }
}

impl Serialize for Tagged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(Some(1))?;
        entry.serialize_entry(self.key.as_str(), self.text.as_str())?;
        entry.end()
    }
}
