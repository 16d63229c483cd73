//! JSON as it is read and written.

use anabranch_value::{Place, Value, ValueError, json, value};

fn read(json: &str) -> Value {
    json::from_str(json).unwrap()
}

fn refusal(json: &str) -> String {
    json::from_str(json).unwrap_err().to_string()
}

#[test]
fn what_json_has_is_plain_in_both_directions() {
    let json = r#"{"celsius":21.5,"count":3,"name":"boiler","on":true,"none":null,"list":[1,-2,0.25],"":{}}"#;
    assert_eq!(json::to_string(&read(json)).unwrap(), json);
}

#[test]
fn keys_stay_in_their_order() {
    let json = r#"{"zebra":1,"apple":2,"mango":{"b":1,"a":2}}"#;
    assert_eq!(json::to_string(&read(json)).unwrap(), json);
}

#[test]
fn floats_stay_floats_and_integers_integers() {
    assert_eq!(read("[1, 1.0, 1e0, 100, 1e2]"), value!([1, 1.0, 1.0, 100, 100.0]));
    assert_eq!(read("[-0.0, -0, 0]"), value!([(-0.0), (-0.0), 0]));
    assert_eq!(json::to_string(&value!([1.0, (-0.0), 1])).unwrap(), "[1.0,-0.0,1]");
    // Without all digits of both, these are one bit off.
    assert_eq!(read("0.1").as_f64(), Some(0.1));
    assert_eq!(read("5e-324").as_f64(), Some(5e-324));
    assert_eq!(read("1.7976931348623157e308").as_f64(), Some(f64::MAX));
}

#[test]
fn integers_beyond_64_bits_are_refused_where_they_stand() {
    assert_eq!(read("[9223372036854775807, -9223372036854775808]"), value!([(i64::MAX), (i64::MIN)]));
    let refused = |json| match json::from_str(json) {
        Err(ValueError::IntegerOutOfRange { place: Place::Line { line, column } }) => (line, column),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("9223372036854775808"), (1, 19));
    assert_eq!(refused("[1,\n -9223372036854775809]"), (2, 2));
    assert_eq!(refused("{\"a\": 1e300, \"18446744073709551616\": [0.5,\n18446744073709551616]}"), (2, 1));
    assert_eq!(refused("[1, 340282366920938463463374607431768211456]"), (1, 5));
    // Who writes a fraction or an exponent wants a float.
    assert_eq!(read("[18446744073709551616.0, 1e19]"), value!([18446744073709551616.0, 1e19]));
}

#[test]
fn what_json_has_not_is_a_map_that_says_what_it_is() {
    let value = value!({
        "bytes": (b"\xde\xad\xbe\xef".as_slice()),
        "floats": [(f64::NAN), (f64::INFINITY), (f64::NEG_INFINITY)],
        "date": ("2026-03-29".parse::<anabranch_value::Date>().unwrap()),
        "zoned": ("2026-03-29T13:37:00.25+02:00[Europe/Berlin]".parse::<anabranch_value::ZonedDateTime>().unwrap())
    });
    let json = concat!(
        r#"{"bytes":{"$bytes":"3q2+7w=="},"#,
        r#""floats":[{"$float":"NaN"},{"$float":"Infinity"},{"$float":"-Infinity"}],"#,
        r#""date":{"$date":"2026-03-29"},"#,
        r#""zoned":{"$datetime":"2026-03-29T13:37:00.25+02:00[Europe/Berlin]"}}"#
    );
    assert_eq!(json::to_string(&value).unwrap(), json);
    assert_eq!(read(json), value);
}

#[test]
fn a_map_of_ones_own_that_looks_like_a_tagged_one_survives() {
    for (value, json) in [
        (value!({ "$bytes": "not bytes" }), r#"{"$$bytes":"not bytes"}"#),
        (value!({ "$$bytes": "AQ==" }), r#"{"$$$bytes":"AQ=="}"#),
        (value!({ "$date": "2026-03-29" }), r#"{"$$date":"2026-03-29"}"#),
        // These look like none, and pass as they are.
        (value!({ "$ref": "#/a" }), r##"{"$ref":"#/a"}"##),
        (value!({ "$date": 5 }), r#"{"$date":5}"#),
        (value!({ "$date": "2026-03-29", "b": 1 }), r#"{"$date":"2026-03-29","b":1}"#),
        (value!({ "date": "2026-03-29" }), r#"{"date":"2026-03-29"}"#),
    ] {
        assert_eq!(json::to_string(&value).unwrap(), json);
        assert_eq!(read(json), value);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    assert_eq!(
        refusal("{\"a\": 1,\n \"a\": 2}"),
        r#"the key "a" stands twice in one map at line 2, column 8; send each key once"#
    );
    assert_eq!(
        refusal("[1, 2"),
        "this is not JSON at line 1, column 5: EOF while parsing a list; send well-formed JSON"
    );
    assert_eq!(refusal("1 2"), "this is not JSON at line 1, column 3: trailing characters; send well-formed JSON");
    assert_eq!(refusal(""), "this is not JSON at line 1, column 0: EOF while parsing a value; send well-formed JSON");
    assert_eq!(
        refusal(r#"{"$date": "tomorrow"}"#),
        r#""tomorrow" is not a date at line 1, column 21; write it like 2026-03-29"#
    );
    assert_eq!(
        refusal(r#"{"$bytes": "AQ"}"#),
        r#""AQ" is not a base64 text with padding at line 1, column 16; write it like 3q2+7w=="#
    );
    // Each of them says the same byte as "AQ==", or none.
    for text in ["AR==", "AQ=", "AQ===", "A===", "AQ==AQ==", "AQ== ", "A-=="] {
        assert!(json::from_str(&format!(r#"{{"$bytes": "{text}"}}"#)).is_err(), "{text}");
    }
    assert_eq!(
        refusal(r#"{"$float": "1"}"#),
        r#""1" is not a float at line 1, column 15; write it like NaN, Infinity or -Infinity"#
    );
    assert_eq!(
        json::from_slice(b"\"\xff\"").unwrap_err().to_string(),
        "this is not JSON at line 1, column 2: invalid unicode code point; send well-formed JSON"
    );
}
