//! JSON, CBOR and postcard: what becomes of values, of the names in an address, and of what cannot be.

use anabranch_core::{Bound, Cbor, Decode, Encode, EncodeError, Json, Payload, Postcard};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug};

/// The bytes of `value`, in a payload that grows until it fits.
fn encoded<T>(format: &impl Encode<T>, value: &T) -> Result<Vec<u8>, String> {
    let mut buffer = Vec::new();
    loop {
        let mut payload = Payload::new(&mut buffer);
        match format.encode(value, &mut payload) {
            Ok(()) => return Ok(payload.written().to_vec()),
            Err(EncodeError::Full) => buffer.resize(buffer.len() + 1, 0),
            Err(why) => return Err(why.to_string()),
        }
    }
}

fn json<T: Serialize>(value: T) -> String {
    String::from_utf8(encoded(&Json, &value).unwrap()).unwrap()
}

fn field<T: Serialize>(value: T, name: &str) -> Result<String, String> {
    let mut buffer = [0; 64];
    let mut text = Payload::new(&mut buffer);
    Json.field(&value, name, &mut text).map_err(|why| why.to_string())?;
    Ok(String::from_utf8(text.written().to_vec()).unwrap())
}

fn from<T: DeserializeOwned>(payload: &str) -> Result<T, String> {
    Json.decode(payload.as_bytes(), &Bound::NONE).map_err(|why| why.to_string())
}

/// From the address `a/{device}`, where the device is `device`.
fn named<T: DeserializeOwned>(device: &str, payload: &str) -> Result<T, String> {
    let address = format!("a/{device}");
    Json.decode(payload.as_bytes(), &Bound::new("a/{device}", &address)).map_err(|why| why.to_string())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    device: u32,
    celsius: f64,
    seq: u64,
}

mod names_in_the_address {
    use super::*;

    const READING: Reading = Reading { device: 7, celsius: 21.5, seq: 9 };

    #[test]
    fn become_the_number_that_their_field_asks_for() {
        assert_eq!(named("7", r#"{"celsius":21.5,"seq":9}"#), Ok(READING));
        #[derive(Debug, PartialEq, Deserialize)]
        enum Room {
            Kitchen,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct All<T> {
            device: T,
        }
        assert_eq!(named("true", "{}"), Ok(All { device: true }));
        assert_eq!(named("-8", "{}"), Ok(All { device: -8i8 }));
        assert_eq!(named("-1.5", "{}"), Ok(All { device: -1.5f32 }));
        assert_eq!(named("ß", "{}"), Ok(All { device: 'ß' }));
        assert_eq!(named("007", "{}"), Ok(All { device: String::from("007") }));
        assert_eq!(named("007", "{}"), Ok(All { device: Some(7u128) }));
        assert_eq!(named("Kitchen", "{}"), Ok(All { device: Room::Kitchen }));
    }

    #[test]
    fn stand_over_the_payloads_own_fields() {
        assert_eq!(named("7", r#"{"device":8,"celsius":21.5,"\u0064evice":[{}],"seq":9,"device":null}"#), Ok(READING));
        let map: BTreeMap<String, String> = named("7", r#"{"device":"8","unit":"C"}"#).unwrap();
        assert_eq!(map, BTreeMap::from([("device".into(), "7".into()), ("unit".into(), "C".into())]));
    }

    #[test]
    fn stand_beside_a_payload_that_is_no_map_as_its_value() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Of<T> {
            device: String,
            value: T,
        }
        assert_eq!(named("a", " 21.5"), Ok(Of { device: "a".into(), value: 21.5 }));
        assert_eq!(named("a", "21"), Ok(Of { device: "a".into(), value: Some(21.0) }));
        assert_eq!(named("a", "[1,2]"), Ok(Of { device: "a".into(), value: (1, 2) }));
        let value: serde_json::Value = named("a", "null").unwrap();
        assert_eq!(value, serde_json::json!({"device": "a", "value": null}));
        assert_eq!(named::<Option<Reading>>("7", "null"), Ok(None));
        let error = named::<Reading>("7", "21.5").unwrap_err();
        assert_eq!(
            error,
            "the payload's JSON is no value of this record: missing field `celsius` (it is no object, so it stands as the field `value` beside the names in the address)"
        );
    }

    #[test]
    fn reach_through_options_newtypes_and_variants() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Wrapped(Reading);
        #[derive(Debug, PartialEq, Deserialize)]
        enum Event {
            Read(Reading),
            Gone { device: u32 },
            Quiet,
            Pair(u8, u8),
        }
        let payload = r#"{"celsius":21.5,"seq":9}"#;
        assert_eq!(named("7", payload), Ok(Some(Wrapped(READING))));
        assert_eq!(named("7", &format!(r#"{{"Read":{payload}}}"#)), Ok(Event::Read(READING)));
        assert_eq!(named("7", r#"{"Gone":{}}"#), Ok(Event::Gone { device: 7 }));
        for (payload, what) in
            [(r#""Quiet""#, "a variant without fields"), (r#"{"Pair":[1,2]}"#, "a variant whose fields have no names")]
        {
            let error = named::<Event>("7", payload).unwrap_err();
            assert!(error.contains(&format!("but the value is {what}")), "{error}");
        }
    }

    #[test]
    fn are_text_behind_flatten_and_tags() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Outer {
            seq: u8,
            #[serde(flatten)]
            inner: Inner,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        struct Inner {
            device: String,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            Gone { device: String },
        }
        let inner = Inner { device: "7".into() };
        assert_eq!(named("7", r#"{"seq":1}"#), Ok(Outer { seq: 1, inner }));
        assert_eq!(named("7", r#"{"kind":"Gone"}"#), Ok(Tagged::Gone { device: "7".into() }));
    }

    #[test]
    fn that_do_not_fit_say_so_by_name() {
        let error = "the link's address has `kitchen` for `{device}`: invalid value: string \"kitchen\", expected an integer from 0 to 4294967295";
        assert_eq!(named::<Reading>("kitchen", "{}"), Err(error.into()));
        let cbor: Result<Reading, _> = Cbor.decode(&[0xa0], &Bound::new("a/{device}", "a/kitchen"));
        assert_eq!(cbor.map_err(|why| why.to_string()), Err(error.into()));
        #[derive(Debug, Deserialize)]
        struct Float {
            #[expect(dead_code, reason = "only its type matters")]
            device: f64,
        }
        assert!(named::<Float>("nan", "{}").unwrap_err().contains("expected a finite number"));
    }

    #[test]
    fn without_a_place_in_the_value_are_an_error_that_says_what_to_do() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Strict {
            #[expect(dead_code, reason = "only its name matters")]
            celsius: f64,
        }
        let error = named::<Strict>("7", r#"{"celsius":1}"#).unwrap_err();
        assert!(error.contains("unknown field `device`, expected `celsius`"), "{error}");
        for error in [
            named::<f64>("7", "21.5").unwrap_err(),
            named::<Vec<f64>>("7", "[21.5]").unwrap_err(),
            named::<(f64, f64)>("7", "[1,2]").unwrap_err(),
            named::<String>("7", "\"a\"").unwrap_err(),
        ] {
            assert!(error.contains("which has no field `device`: write `+` for `{device}`"), "{error}");
        }
    }

    #[test]
    fn mean_the_same_in_cbor() {
        let bound = Bound::new("a/{device}", "a/7");
        let payload = encoded(&Cbor, &READING).unwrap();
        let changed = Reading { device: 1, ..READING };
        assert_ne!(payload, encoded(&Cbor, &changed).unwrap());
        assert_eq!(Cbor.decode(&encoded(&Cbor, &changed).unwrap(), &bound), Ok(READING));
        #[derive(Debug, PartialEq, Deserialize)]
        struct Of {
            device: u8,
            value: f64,
        }
        assert_eq!(Cbor.decode(&[0x15], &bound), Ok(Of { device: 7, value: 21.0 }));
    }

    #[test]
    fn are_refused_by_postcard_with_a_reason() {
        let why = Decode::<Reading>::no_names(&Postcard).unwrap();
        assert!(why.contains("write `+` for them"));
        assert_eq!((Decode::<Reading>::no_names(&Json), Decode::<Reading>::no_names(&Cbor)), (None, None));
    }
}

mod json_is {
    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }

    #[test]
    fn what_serde_json_writes() {
        let floats = [0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e300, 5e-324, f64::MAX, 123_456.789];
        for float in floats {
            assert_eq!(from::<f64>(&json(float)).unwrap().to_bits(), float.to_bits());
            assert_eq!(json(float), serde_json::to_string(&float).unwrap().replace("e+", "e"));
        }
        assert_eq!((json(f64::NAN), json(f32::INFINITY)), ("null".into(), "null".into()));
        assert_eq!((json(u64::MAX), json(i64::MIN)), ("18446744073709551615".into(), "-9223372036854775808".into()));
        let value = (
            (Shape::Unit, Shape::Newtype(1), Shape::Tuple(1, 2), Shape::Struct { a: 1 }),
            ((), None::<u8>, Some("\u{0}\u{1f}\u{7f}\"\\/\n\r\t\u{8}\u{c}é😀"), 'x', [1u8; 0]),
            BTreeMap::from([(1, 'a'), (-2, '"')]),
            BTreeMap::from([("a\"b", [true, false])]),
            std::net::IpAddr::from([127, 0, 0, 1]),
        );
        assert_eq!(json(&value), serde_json::to_string(&value).unwrap());
        assert_eq!(json(BTreeMap::from([('"', 1)])), r#"{"\"":1}"#);
    }

    #[test]
    fn refused_where_a_key_is_no_text() {
        let error = encoded(&Json, &BTreeMap::from([((1, 2), 3)])).unwrap_err();
        assert_eq!(error, "a map's key is a tuple: in JSON it has to be text, a number or a truth value");
    }

    #[test]
    fn read_with_errors_that_say_where_and_what() {
        for (payload, error) in [
            (r#"{"device":1,"celsius":"x","seq":1}"#, r#"invalid type: string "x", expected f64 at line 1 column 25"#),
            (r#"{"device":1,"celsius":2.0}"#, "missing field `seq` at line 1 column 26"),
            (r#"{"device":-1,"#, "invalid value: integer `-1`, expected u32 at line 1 column 12"),
            (r#"{"device":1,"#, "EOF while parsing a value at line 1 column 12"),
            (r#"{"device":1,"celsius":2,"seq":3} x"#, "trailing characters at line 1 column 34"),
        ] {
            assert_eq!(
                from::<Reading>(payload),
                Err(format!("the payload's JSON is no value of this record: {error}"))
            );
        }
        assert_eq!(from::<Reading>(""), Err("the payload is empty, and no JSON is".into()));
    }
}

mod cbor_is {
    use super::*;

    fn from<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
        Cbor.decode(payload, &Bound::NONE).map_err(|why| why.to_string())
    }

    #[test]
    fn read_as_others_write_it() {
        let half = |bits: u16| from::<f32>(&[&[0xf9][..], &bits.to_be_bytes()].concat()).unwrap();
        assert_eq!(
            [0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400].map(half),
            [1.0, -2.0, 65504.0, 5.9604645e-8, 6.103_515_6e-5]
        );
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f32::NEG_INFINITY && half(0x8000).is_sign_negative());
        assert_eq!(from(&[0x18, 0x15]), Ok(21.0f64), "an integer where a float is meant");
        assert_eq!(from(b"\xc1\x05"), Ok(5u8), "a tag is passed over");
        assert_eq!(from(b"\x7f\x61a\x62bc\xff"), Ok(String::from("abc")), "text in pieces");
        assert_eq!(from(b"\x9f\x01\x02\xff"), Ok((1u8, 2u8)), "an array without a length");
        assert_eq!(from(b"\xbf\x61a\x01\xff"), Ok(BTreeMap::from([(String::from("a"), 1u8)])));
        assert_eq!(from(b"\x61x"), Ok('x'));
        assert_eq!((from(b"\xf6"), from(b"\xf7")), (Ok(()), Ok(None::<u8>)));
    }

    #[test]
    fn refused_with_where_and_what() {
        for (payload, error) in [
            (&b"\xa1\x66device\x61x"[..], "invalid type: string \"x\", expected u32, before byte 10"),
            (b"\xa1\x66device", "the payload ends in the middle, before byte 8"),
            (b"\xa0", "missing field `device`, before byte 1"),
        ] {
            assert_eq!(
                from::<Reading>(payload),
                Err(format!("the payload's CBOR is no value of this record: {error}"))
            );
        }
        assert_eq!(from::<u8>(&[]), Err("the payload is empty, and no CBOR is".into()));
        assert!(from::<u8>(&[1, 2]).unwrap_err().contains("1 more bytes follow the value"));
        assert!(from::<(u8, u8)>(b"\x83\x01\x02\x03").unwrap_err().contains("more entries than the value takes"));
    }

    #[test]
    fn no_way_to_exhaust_the_stack_or_the_heap() {
        let deep = [0x81; 100_000];
        assert!(from::<serde_json::Value>(&deep).unwrap_err().contains("more than 128 deep"));
        let long = b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff\x01";
        assert!(from::<Vec<u64>>(long).unwrap_err().contains("ends in the middle"));
        assert!(from::<serde::de::IgnoredAny>(&deep).is_err());
    }
}

#[test]
fn postcard_says_that_both_sides_need_the_same_type() {
    let bytes = encoded(&Postcard, &(1u8, 2u8)).unwrap();
    let read =
        |payload: &[u8]| Decode::<(u8, u8)>::decode(&Postcard, payload, &Bound::NONE).map_err(|why| why.to_string());
    assert_eq!(read(&bytes), Ok((1, 2)));
    for (payload, why) in [(&[1u8][..], "expected more data"), (&[1, 2, 3], "1 of them are left over")] {
        let error = read(payload).unwrap_err();
        assert!(error.contains(why) && error.contains("(u8, u8)") && error.contains("has to be the same"), "{error}");
    }
    let error = Decode::<serde_json::Value>::decode(&Postcard, &bytes, &Bound::NONE).unwrap_err().to_string();
    assert!(error.contains("take `with_cbor`"), "{error}");
}

mod a_field_in_an_address {
    use super::*;

    #[test]
    fn is_text_a_number_or_a_truth_value() {
        #[derive(Serialize)]
        enum Unit {
            Celsius,
        }
        #[derive(Serialize)]
        struct Id(u64);
        #[derive(Serialize)]
        struct Value {
            text: &'static str,
            id: Id,
            unit: Unit,
            float: f64,
            whole: f32,
            #[serde(rename = "is-on")]
            on: bool,
            letter: char,
            maybe: Option<i8>,
        }
        let value = || Value {
            text: "a b",
            id: Id(7),
            unit: Unit::Celsius,
            float: 0.1,
            whole: 2.0,
            on: true,
            letter: 'ß',
            maybe: Some(-1),
        };
        for (name, text) in [
            ("text", "a b"),
            ("id", "7"),
            ("unit", "Celsius"),
            ("float", "0.1"),
            ("whole", "2.0"),
            ("is-on", "true"),
            ("letter", "ß"),
            ("maybe", "-1"),
        ] {
            assert_eq!(field(Some(value()), name), Ok(text.into()));
        }
    }

    #[test]
    fn is_found_in_maps_variants_and_what_is_flattened() {
        assert_eq!(field(BTreeMap::from([("ab", 1), ("abc", 2), ("b", 3)]), "abc"), Ok("2".into()));
        assert_eq!(field(BTreeMap::from([(1, 'a'), (12, 'b')]), "12"), Ok("b".into()));
        assert_eq!(field(serde_json::json!({"a": [], "b": "x"}), "b"), Ok("x".into()));
        #[derive(Serialize)]
        struct Outer {
            #[serde(flatten)]
            inner: Reading,
        }
        #[derive(Serialize)]
        enum Event {
            Read(Outer),
            Gone { device: u8 },
        }
        let inner = Reading { device: 7, celsius: 0.0, seq: 0 };
        assert_eq!(field(Event::Read(Outer { inner }), "device"), Ok("7".into()));
        assert_eq!(field(Event::Gone { device: 8 }, "device"), Ok("8".into()));
    }

    #[test]
    fn that_is_missing_or_has_no_text_is_an_error_that_says_what_there_is() {
        let reading = || Reading { device: 7, celsius: f64::NAN, seq: 0 };
        assert_eq!(field(reading(), "devise"), Err("the value has no field `devise`: did you mean `device`?".into()));
        assert_eq!(
            field(reading(), "place"),
            Err("the value has no field `place`: it has `device`, `celsius`, `seq`".into())
        );
        let no_text = |kind| {
            Err(format!("the value's field `celsius` is {kind}: an address takes text, a number or a truth value"))
        };
        assert_eq!(field(reading(), "celsius"), no_text("no finite number"));
        assert_eq!(field(BTreeMap::from([("celsius", [1, 2])]), "celsius"), no_text("a tuple"));
        assert_eq!(field(BTreeMap::from([("celsius", None::<u8>)]), "celsius"), no_text("nothing (`None`)"));
        assert_eq!(field(BTreeMap::from([("celsius", vec![1])]), "celsius"), no_text("a sequence"));
        assert_eq!(field(BTreeMap::from([("celsius", reading())]), "celsius"), no_text("a struct"));
        assert_eq!(
            field(1.5, "x"),
            Err("the value is a number, so it has no field `x`: send a struct or a map".into())
        );
        assert_eq!(
            field([1, 2], "x"),
            Err("the value is a tuple, so it has no field `x`: send a struct or a map".into())
        );
    }

    #[test]
    fn asks_for_more_room_when_it_does_not_fit() {
        let mut buffer = [0; 3];
        let written = Json.field(&BTreeMap::from([("a", "long")]), "a", &mut Payload::new(&mut buffer));
        assert_eq!(written, Err(EncodeError::Full));
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    truth: bool,
    small: (i8, i16, i32, i64),
    whole: (u8, u16, u32, u64),
    floats: (f32, f64),
    letter: char,
    text: String,
    maybe: Option<String>,
    many: Vec<u16>,
    map: BTreeMap<String, i64>,
    choice: Choice,
    nothing: (),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Choice {
    One,
    Two(u8),
    Three(u8, String),
    Four { a: Option<bool> },
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::One),
        any::<u8>().prop_map(Choice::Two),
        (any::<u8>(), any::<String>()).prop_map(|(number, text)| Choice::Three(number, text)),
        any::<Option<bool>>().prop_map(|a| Choice::Four { a }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let finite =
        (any::<f32>(), any::<f64>()).prop_filter("JSON has no others", |(a, b)| a.is_finite() && b.is_finite());
    let plain = (any::<bool>(), any::<(i8, i16, i32, i64)>(), any::<(u8, u16, u32, u64)>(), finite, any::<char>());
    let text = (any::<String>(), any::<Option<String>>(), any::<Vec<u16>>());
    let map = proptest::collection::btree_map(any::<String>(), any::<i64>(), 0..4);
    (plain, text, map, choice()).prop_map(
        |((truth, small, whole, floats, letter), (text, maybe, many), map, choice)| Everything {
            truth,
            small,
            whole,
            floats,
            letter,
            text,
            maybe,
            many,
            map,
            choice,
            nothing: (),
        },
    )
}

fn goes_round<T: PartialEq + Debug>(format: impl Encode<T> + Decode<T>, value: &T) -> Result<(), TestCaseError> {
    let bytes = encoded(&format, value).map_err(TestCaseError::fail)?;
    // Whatever does not fit says so, and what fits exactly fits.
    for lent in 0..=bytes.len() {
        let mut buffer = vec![0; lent];
        let mut payload = Payload::new(&mut buffer);
        let written = format.encode(value, &mut payload);
        prop_assert_eq!(written.is_ok(), lent == bytes.len());
        if lent < bytes.len() {
            prop_assert_eq!(written, Err(EncodeError::Full));
        }
    }
    prop_assert_eq!(&format.decode(&bytes, &Bound::NONE).map_err(|why| TestCaseError::fail(why.to_string()))?, value);
    Ok(())
}

proptest! {
    // Each case tries every size of payload, for three formats.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_value_comes_back_the_same(value in everything()) {
        goes_round(Json, &value)?;
        goes_round(Cbor, &value)?;
        goes_round(Postcard, &value)?;
    }
}

proptest! {
    #[test]
    fn json_is_read_by_serde_json_as_the_same(value in everything()) {
        let read: Everything = serde_json::from_slice(&encoded(&Json, &value).unwrap()).unwrap();
        prop_assert_eq!(read, value);
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), device in "[^/]*") {
        let address = format!("a/{device}");
        for bound in [Bound::NONE, Bound::new("a/{device}", &address)] {
            let _ = Decode::<Everything>::decode(&Json, &bytes, &bound);
            let _ = Decode::<serde_json::Value>::decode(&Json, &bytes, &bound);
            let _ = Decode::<Everything>::decode(&Cbor, &bytes, &bound);
            let _ = Decode::<serde_json::Value>::decode(&Cbor, &bytes, &bound);
            let _ = Decode::<Choice>::decode(&Cbor, &bytes, &bound);
            let _ = Decode::<Everything>::decode(&Postcard, &bytes, &bound);
        }
    }

    #[test]
    fn no_spoilt_bytes_panic(value in everything(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for mut bytes in [encoded(&Json, &value), encoded(&Cbor, &value), encoded(&Postcard, &value)].map(Result::unwrap) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Decode::<Everything>::decode(&Json, &bytes, &Bound::NONE);
            let _ = Decode::<Everything>::decode(&Cbor, &bytes, &Bound::NONE);
            let _ = Decode::<Everything>::decode(&Postcard, &bytes, &Bound::NONE);
            bytes.truncate(at);
            let _ = Decode::<Everything>::decode(&Cbor, &bytes, &Bound::NONE);
        }
    }
}
