//! What goes wrong with values elsewhere, one test each, named after the trap.

use anabranch_value::{Equivalent, Value, cbor, json, value};
use std::collections::HashSet;

/// KoruDelta: "integers beyond 2^53 lose digits".
#[test]
fn integers_beyond_2_to_the_53_lose_digits() {
    for number in [(1_i64 << 53) + 1, -(1 << 53) - 1, i64::MAX, i64::MIN, i64::MAX - 1] {
        let value = value!({ "id": number });
        assert_eq!(json::from_str(&format!("{{\"id\":{number}}}")).unwrap(), value);
        assert_eq!(json::to_string(&value).unwrap(), format!("{{\"id\":{number}}}"));
        assert_eq!(cbor::from_slice(&cbor::to_vec(&value).unwrap()).unwrap(), value);
        // Nor does a comparison with a float round it.
        let rounded = Value::Float(number as f64);
        assert_ne!(Value::Int(number).order(&rounded).is_eq(), number as f64 as i128 != i128::from(number));
    }
}

/// drasi-core: "`'a' < 'b'` false, `1 = 1.0` false, `null = null` true": the order that its comparisons rest on.
#[test]
fn strings_have_no_order_and_1_is_not_1_0() {
    assert!(value!("a").order(&value!("b")).is_lt());
    assert!(value!(1).order(&value!(1.0)).is_eq());
    let groups: HashSet<_> =
        [value!(1), value!(1.0), value!(null), value!(null), value!(-0.0), value!(0)].map(Equivalent).into();
    assert_eq!(groups.len(), 3);
}

/// KoruDelta: "the same value twice has the same version id": a version's id is made from the value's bytes, so one value
/// must have one encoding, and two values two.
#[test]
fn one_value_has_one_encoding_and_two_values_two() {
    let values = [
        value!(1),
        value!(1.0),
        value!(0.0),
        value!(-0.0),
        value!("1"),
        value!(b"1".as_slice()),
        value!({ "a": 1, "b": 2 }),
        value!({ "b": 2, "a": 1 }),
        value!({ "$bytes": "MQ==" }),
    ];
    let encodings: HashSet<_> = values.iter().map(|value| cbor::to_vec(value).unwrap()).collect();
    assert_eq!(encodings.len(), values.len());
    let texts: HashSet<_> = values.iter().map(|value| json::to_string(value).unwrap()).collect();
    assert_eq!(texts.len(), values.len());
    for value in &values {
        let again = cbor::from_slice(&cbor::to_vec(value).unwrap()).unwrap();
        assert_eq!(cbor::to_vec(&again), cbor::to_vec(value));
    }
}
