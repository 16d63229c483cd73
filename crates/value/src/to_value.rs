//! A value made from any type that serde can write.

use crate::map;
use crate::{MAX_DEPTH, Place, Step, Text, Value, ValueError, tagged};
use alloc::string::ToString;
use alloc::vec::Vec;
use serde::ser::{self, Serialize};

impl Value {
    /// The value of a Rust value, as it would be in JSON; bytes and temporal types stay what they are.
    ///
    /// ```
    /// # use anabranch_value::{Value, value};
    /// #[derive(serde::Serialize)]
    /// struct Reading { device: &'static str, celsius: Option<f32>, at: u64 }
    ///
    /// let reading = Reading { device: "boiler", celsius: Some(21.5), at: 7 };
    /// assert_eq!(Value::from_serialize(&reading)?, value!({ "device": "boiler", "celsius": 21.5, "at": 7 }));
    ///
    /// let error = Value::from_serialize(&Reading { at: u64::MAX, ..reading }).unwrap_err();
    /// assert_eq!(error.to_string(), "an integer is beyond 64 bits at at; \
    ///     send it as a string, or as a float if its last digits do not matter");
    /// # Ok::<(), anabranch_value::ValueError>(())
    /// ```
    pub fn from_serialize<T: Serialize + ?Sized>(it: &T) -> Result<Self, ValueError> {
        it.serialize(Serializer { left: MAX_DEPTH })
    }
}

/// Makes a value, with at most so many levels below it.
#[derive(Clone, Copy)]
struct Serializer {
    left: usize,
}

fn root() -> Place {
    Place::Path(crate::Path::new())
}

fn integer<N: TryInto<i64>>(number: N) -> Result<Value, ValueError> {
    number.try_into().map(Value::Int).map_err(|_| ValueError::IntegerOutOfRange { place: root() })
}

/// A variant with content is a map with its name as the only key.
fn variant(name: &'static str, content: Value) -> Value {
    Value::Map([(Text::from_static(name), content)].into())
}

impl Serializer {
    fn below(self) -> Result<Self, ValueError> {
        let left = self.left.checked_sub(1).ok_or_else(|| ValueError::TooDeep { place: root() })?;
        Ok(Self { left })
    }

    fn list(self, length: Option<usize>) -> Result<List, ValueError> {
        Ok(List { serializer: self.below()?, list: Vec::with_capacity(length.unwrap_or(0)), variant: None })
    }

    fn map(self) -> Result<Entries, ValueError> {
        Ok(Entries { serializer: self.below()?, map: map::Entries::default(), key: None, variant: None })
    }
}

/// A list in the making; of a variant, if it has a name.
struct List {
    serializer: Serializer,
    list: Vec<Value>,
    variant: Option<&'static str>,
}

/// A map in the making.
struct Entries {
    serializer: Serializer,
    map: map::Entries,
    key: Option<Text>,
    variant: Option<&'static str>,
}

impl List {
    fn element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), ValueError> {
        let value = element.serialize(self.serializer).map_err(|error| {
            let error = error.under(self.list.len());
            self.variant.map_or(error.clone(), |name| error.under(Step::Key(Text::from_static(name))))
        })?;
        self.list.push(value);
        Ok(())
    }

    fn done(self) -> Value {
        let list = Value::from(self.list);
        match self.variant {
            Some(name) => variant(name, list),
            None => list,
        }
    }
}

impl Entries {
    fn entry<T: Serialize + ?Sized>(&mut self, key: Text, value: &T) -> Result<(), ValueError> {
        let under = |error: ValueError| {
            let error = error.under(key.clone());
            match self.variant {
                Some(name) => error.under(Step::Key(Text::from_static(name))),
                None => error,
            }
        };
        let value = value.serialize(self.serializer).map_err(under)?;
        let twice = |key: Text| ValueError::DuplicateKey { key: key.into(), place: root() };
        self.map.insert_new(key, value).map_err(twice)
    }

    fn done(self) -> Value {
        let map = Value::Map(self.map.into());
        match self.variant {
            Some(name) => variant(name, map),
            None => map,
        }
    }
}

/// A key is text; what JSON writes as such can be one, too.
fn key<T: Serialize + ?Sized>(key: &T) -> Result<Text, ValueError> {
    match key.serialize(Serializer { left: 0 }) {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Int(number)) => Ok(number.to_string().into()),
        Ok(Value::Bool(truth)) => Ok(truth.to_string().into()),
        Ok(other) => Err(ValueError::mismatch(format_args!("a key of a map must be text, and is {}", other.kind()))),
        Err(_) => Err(ValueError::mismatch("a key of a map must be text")),
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, number: $type) -> Result<Value, ValueError> {
            integer(number)
        }
    )*};
}

impl ser::Serializer for Serializer {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_bool(self, truth: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(truth))
    }

    fn serialize_f32(self, number: f32) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_char(self, character: char) -> Result<Value, ValueError> {
        Ok((&*character.encode_utf8(&mut [0; 4])).into())
    }

    fn serialize_str(self, text: &str) -> Result<Value, ValueError> {
        Ok(text.into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, ValueError> {
        Ok(bytes.into())
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, some: &T) -> Result<Value, ValueError> {
        some.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Value, ValueError> {
        Ok(Text::from_static(name).into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, it: &T) -> Result<Value, ValueError> {
        let at_root = |error: ValueError| error.at(root());
        // A tagged map is no level of the value.
        if name == tagged::NEWTYPE {
            return match it.serialize(Self { left: self.left + 1 })? {
                Value::Map(map) => tagged::read(map).map_err(at_root),
                other => Ok(other),
            };
        }
        match it.serialize(self)? {
            Value::String(text) if tagged::is_tag(name) => tagged::read_text(name, &text).map_err(at_root),
            other => Ok(other),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        content: &T,
    ) -> Result<Value, ValueError> {
        let content = content.serialize(self.below()?);
        content.map(|content| variant(name, content)).map_err(|error| error.under(Text::from_static(name)))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List, ValueError> {
        self.list(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<List, ValueError> {
        self.list(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List, ValueError> {
        self.list(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<List, ValueError> {
        Ok(List { variant: Some(name), ..self.below()?.list(Some(length))? })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, ValueError> {
        self.map()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, ValueError> {
        self.map()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Entries, ValueError> {
        Ok(Entries { variant: Some(name), ..self.below()?.map()? })
    }

    fn collect_str<T: core::fmt::Display + ?Sized>(self, text: &T) -> Result<Value, ValueError> {
        Ok(text.to_string().into())
    }
}

macro_rules! lists {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), ValueError> {
                self.element(element)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.done())
            }
        }
    )*};
}

lists! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Entries {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, it: &T) -> Result<(), ValueError> {
                self.entry(Text::from_static(name), it)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.done())
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), ValueError> {
        self.key = Some(key(it)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self.key.take().ok_or_else(|| ValueError::mismatch("a value comes before its key"))?;
        self.entry(key, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(self.done())
    }
}
