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
