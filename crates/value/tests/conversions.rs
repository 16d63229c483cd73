//! Rust types to values and back.

use anabranch_value::{Map, Text, Value, ValueError, value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Becomes this value, and comes back from it.
fn is<T: Serialize + for<'v> Deserialize<'v> + PartialEq + std::fmt::Debug>(it: T, value: Value) {
    assert_eq!(Value::from_serialize(&it).unwrap(), value);
    assert_eq!(value.deserialize_into::<T>().unwrap(), it);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Command {
    Stop,
    Speed(u8),
    Move(i16, i16),
    Blink { color: String, times: Option<u32> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Celsius(f64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
    Bytes(Value),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    device: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[test]
fn every_shape_of_serde_has_its_value() {
    is((), value!(null));
    is(Marker, value!(null));
    is(Some(3), value!(3));
    is(None::<i32>, value!(null));
    is('°', value!("°"));
    is(21.5_f32, value!(21.5));
    is(Celsius(21.5), value!(21.5));
    is((1, "a".to_owned(), true), value!([1, "a", true]));
    is(i128::from(i64::MIN), value!(i64::MIN));
    is(u128::from(7_u8), value!(7));
    is(Command::Stop, value!("Stop"));
    is(Command::Speed(3), value!({ "Speed": 3 }));
    is(Command::Move(1, -1), value!({ "Move": [1, (-1)] }));
    is(Command::Blink { color: "red".into(), times: None }, value!({ "Blink": { "color": "red", "times": null } }));
    is(BTreeMap::from([(1_u32, true), (2, false)]), value!({ "1": true, "2": false }));
    is(BTreeMap::from([(false, 0), (true, 1)]), value!({ "false": 0, "true": 1 }));
    is(vec![Either::Number(1), Either::Text("a".into())], value!([1, "a"]));
    is(Text::from("a"), value!("a"));
    is(Map::from([("a", 1)]), value!({ "a": 1 }));
}

#[test]
fn values_inside_of_types_stay_what_they_are() {
    let date = Value::Date("2026-03-29".parse().unwrap());
    let rest = [("raw", value!(b"\x01".as_slice())), ("on", date), ("like", value!({ "$date": "2026-03-29" }))];
    let reading = Reading { device: "boiler".into(), rest: rest.map(|(key, value)| (key.to_owned(), value)).into() };
    let value = Value::from_serialize(&reading).unwrap();
    assert_eq!(value.get("raw"), reading.rest.get("raw"));
    assert_eq!(value.get("on"), reading.rest.get("on"));
    assert_eq!(value.get("like"), reading.rest.get("like"));
    assert_eq!(value.deserialize_into::<Reading>().unwrap(), reading);

    // Even through what serde keeps aside until it knows which variant it is.
    let bytes = value!(b"\x01".as_slice());
    assert_eq!(bytes.deserialize_into::<Either>().unwrap(), Either::Bytes(bytes.clone()));
}

#[test]
fn a_users_map_that_looks_like_a_tagged_one_is_a_map() {
    let map = BTreeMap::from([("$date", "2026-03-29")]);
    assert_eq!(Value::from_serialize(&map).unwrap(), value!({ "$date": "2026-03-29" }));
}

#[test]
fn temporal_values_are_text_to_those_who_want_text() {
    let date = Value::Date("2026-03-29".parse().unwrap());
    assert_eq!(date.deserialize_into::<String>().unwrap(), "2026-03-29");
    assert_eq!(value!("2026-03-29").deserialize_into::<anabranch_value::Date>().unwrap().day(), 29);
}

#[test]
fn bytes_are_bytes_or_numbers() {
    let value = value!(b"\x01\xff".as_slice());
    assert_eq!(value.deserialize_into::<Vec<u8>>().unwrap(), [1, 255]);
    assert_eq!(value.deserialize_into::<&[u8]>().unwrap(), [1, 255]);
    assert_eq!(value.deserialize_into::<[u8; 2]>().unwrap(), [1, 255]);
}

#[test]
fn any_other_format_of_values_takes_them_as_json() {
    let value = value!({ "a": [1, (b"\x01".as_slice())], "b": null });
    let other: serde_json::Value = value.deserialize_into().unwrap();
    assert_eq!(other, serde_json::to_value(&value).unwrap());
    assert_eq!(serde_json::from_value::<Value>(other).unwrap(), value);
}

#[test]
fn what_does_not_fit_is_said_with_its_path() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Plant {
        readings: Vec<BTreeMap<String, u64>>,
        command: Option<Command>,
    }
    let refusal = |value: Value| value.deserialize_into::<Plant>().unwrap_err().to_string();
    assert_eq!(
        refusal(value!({ "readings": [{}, { "a b": (-1) }] })),
        "the value does not fit at readings[1].a b: invalid value: integer `-1`, expected u64; change the data or the type"
    );
    assert_eq!(refusal(value!({})), "the value does not fit: missing field `readings`; change the data or the type");
    assert_eq!(
        refusal(value!({ "readings": [], "command": { "Blink": { "color": 3 } } })),
        "the value does not fit at command.Blink.color: invalid type: integer `3`, expected a string; change the data or the type"
    );
    assert_eq!(
        refusal(value!({ "readings": [], "command": "Jump" })),
        "the value does not fit at command: unknown variant `Jump`, expected one of `Stop`, `Speed`, `Move`, `Blink`; \
         change the data or the type"
    );
    assert_eq!(
        refusal(value!({ "readings": [], "command": "Speed" })),
        "the value does not fit at command: the variant Speed has content; change the data or the type"
    );

    let plant = Plant { readings: vec![BTreeMap::from([("a.b".into(), u64::MAX)])], command: None };
    let refused = Value::from_serialize(&plant).unwrap_err();
    assert!(matches!(refused, ValueError::IntegerOutOfRange { .. }));
    assert!(refused.to_string().contains(r#" at readings[0]."a.b";"#), "{refused}");

    let refused = Value::from_serialize(&BTreeMap::from([((1, 2), 3)])).unwrap_err().to_string();
    assert_eq!(refused, "the value does not fit: a key of a map must be text; change the data or the type");
}

#[test]
fn a_key_that_serde_gives_twice_is_refused() {
    struct Twice;

    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 1), ("a", 2)])
        }
    }

    let refused = Value::from_serialize(&[Twice]).unwrap_err().to_string();
    assert_eq!(refused, r#"the key "a" stands twice in one map at [0]; send each key once"#);
}

#[test]
fn a_type_that_nests_without_end_is_refused() {
    #[derive(Serialize)]
    struct Chain(Option<Box<(u8, Chain)>>);
    let chain = (0..1000).fold(Chain(None), |chain, _| Chain(Some(Box::new((0, chain)))));
    assert!(matches!(Value::from_serialize(&chain), Err(ValueError::TooDeep { .. })));
}

#[test]
fn every_way_in_which_a_format_hands_over_a_value_is_taken() {
    use serde::de::IntoDeserializer;
    use serde::de::value::{BytesDeserializer, Error, MapDeserializer, StringDeserializer};

    fn taken<'v>(from: impl IntoDeserializer<'v, Error>) -> Result<Value, String> {
        Value::deserialize(from.into_deserializer()).map_err(|error| error.to_string())
    }
    assert_eq!(taken(7_u64), Ok(value!(7)));
    assert_eq!(taken(-7_i128), Ok(value!(-7)));
    assert_eq!(taken(7_u128), Ok(value!(7)));
    assert_eq!(taken(()), Ok(value!(null)));
    assert_eq!(taken(StringDeserializer::new("a".to_owned())), Ok(value!("a")));
    assert_eq!(taken(BytesDeserializer::new(b"\x01")), Ok(value!(b"\x01".as_slice())));
    assert_eq!(taken(MapDeserializer::new([("a", 1)].into_iter())), Ok(value!({ "a": 1 })));
    let refusal = "an integer is beyond 64 bits; send it as a string, or as a float if its last digits do not matter";
    for refused in [taken(u64::MAX), taken(i128::MIN), taken(u128::MAX)] {
        assert_eq!(refused, Err(refusal.to_owned()));
    }
}

#[test]
fn rust_values_become_values() {
    for (value, text) in [
        (Value::from(()), "null"),
        (Value::from([1_i8, -1].map(i16::from).map(i32::from).map(i64::from)[1]), "-1"),
        (Value::from(Some(u32::MAX)), "4294967295"),
        (Value::from(None::<bool>), "null"),
        (Value::from(std::borrow::Cow::from("a")), "\"a\""),
        (Value::from(Text::from_static("a")), "\"a\""),
        (Value::from(vec![1_u8, 2]), "b\"0102\""),
        (Value::from(vec![Value::Null]), "[null]"),
        (Value::from(Map::new()), "{}"),
        (Value::from_iter([0.5_f32, 1.0]), "[0.5, 1.0]"),
    ] {
        assert_eq!(format!("{value:?}"), text);
    }
    assert_eq!(
        [Value::from(1_i8), Value::from(1_i16), Value::from(1_u8), Value::from(1_u16)],
        [(); 4].map(|()| value!(1))
    );
}

#[test]
fn keys_are_read_as_what_is_wanted() {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Side {
        Left,
        Right,
    }
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Port(u16);

    is(BTreeMap::from([(Side::Left, 1), (Side::Right, 2)]), value!({ "Left": 1, "Right": 2 }));
    is(BTreeMap::from([(Port(1), 1)]), value!({ "1": 1 }));
    is(BTreeMap::from([(Some("a".to_owned()), 1)]), value!({ "a": 1 }));
    is(BTreeMap::from([('a', 1)]), value!({ "a": 1 }));
    let refused = value!({ "one": 1 }).deserialize_into::<BTreeMap<u8, u8>>().unwrap_err().to_string();
    assert_eq!(
        refused,
        "the value does not fit at one: invalid type: string \"one\", expected u8; change the data or the type"
    );
}

#[test]
fn every_kind_is_named_where_it_does_not_fit() {
    let temporal =
        |text: &str, tag: &str| anabranch_value::json::from_str(&format!("{{\"{tag}\":\"{text}\"}}")).unwrap();
    for (value, found) in [
        (value!(null), "unit value"),
        (value!(true), "boolean `true`"),
        (value!(1), "integer `1`"),
        (value!(0.5), "floating point `0.5`"),
        (value!("a"), "string \"a\""),
        (value!(b"\x01".as_slice()), "byte array"),
        (value!([]), "sequence"),
        (temporal("2026-03-29", "$date"), "date"),
        (temporal("13:37:00", "$localtime"), "local time"),
        (temporal("13:37:00Z", "$time"), "time with an offset"),
        (temporal("2026-03-29T13:37:00", "$localdatetime"), "local date and time"),
        (temporal("2026-03-29T13:37:00Z", "$datetime"), "date and time with an offset"),
        (temporal("P1D", "$duration"), "duration"),
    ] {
        let refused = value.deserialize_into::<BTreeMap<String, Value>>().unwrap_err().to_string();
        assert_eq!(
            refused,
            format!("the value does not fit: invalid type: {found}, expected a map; change the data or the type")
        );
        // Those with a text are text to those who want text.
        let text = value.deserialize_into::<String>();
        assert_eq!(
            text.is_ok(),
            value.as_str().is_some() || value.kind() < anabranch_value::Kind::Bytes && value.as_list().is_none()
        );
    }
    let refused = value!({}).deserialize_into::<Vec<u8>>().unwrap_err().to_string();
    assert_eq!(refused, "the value does not fit: invalid type: map, expected a sequence; change the data or the type");
    for no_variant in [value!(1), value!({ "Stop": null, "Speed": 1 })] {
        assert!(no_variant.deserialize_into::<Command>().is_err());
    }
    assert_eq!(value!({ "Stop": null }).deserialize_into(), Ok(Command::Stop));
    let refused = value!([]).deserialize_into::<Map>().unwrap_err().to_string();
    assert_eq!(refused, "the value does not fit: expected a map, found a list; change the data or the type");
}

#[test]
fn the_place_of_an_error_can_be_asked_for() {
    use anabranch_value::{Path, Place};
    let path = |text: &str| Place::Path(text.parse::<Path>().unwrap());
    assert_eq!(
        value!({ "a": ["x"] }).deserialize_into::<BTreeMap<String, Vec<i64>>>().unwrap_err().place(),
        &path("a[0]")
    );
    assert_eq!("a..b".parse::<Path>().unwrap_err().place(), &Place::Unknown);
    assert_eq!("soon".parse::<anabranch_value::Date>().unwrap_err().place(), &Place::Unknown);

    // A tagged map that is none is refused where it stands in the Rust value.
    #[derive(Serialize)]
    struct Shift {
        day: serde_json::Value,
    }
    let shift = Shift { day: serde_json::json!({ "$date": "someday" }) };
    assert_eq!(Value::from_serialize(&shift).unwrap(), value!({ "day": { "$date": "someday" } }));
    let refused = Value::from_serialize(&BTreeMap::from([("a", BTreeMap::from([((), 1)]))])).unwrap_err();
    assert_eq!(refused.place(), &path("a"));
}
