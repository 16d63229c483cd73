//! The two orders keep the laws of an order, and agree with equality and hashes.

use crate::{any, times};
use anabranch_value::{Equivalent, Value, value};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

fn hash(it: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    it.hash(&mut hasher);
    hasher.finish()
}

/// Values that are often equal or equivalent.
fn close() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::number(), any::scalar(), any::value()];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let key = prop::sample::select(vec!["a", "b", "c"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..3).prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

/// A value that a query does not tell from this one, but the store does.
fn twin(value: &Value) -> Value {
    match value {
        Value::Int(number) => value.as_f64().map_or(Value::Int(*number), Value::Float),
        Value::Float(number) if *number == 0.0 => Value::Float(-number),
        Value::Float(number) if number.is_nan() => Value::Float(-number),
        Value::List(list) => list.iter().map(twin).collect(),
        Value::Map(map) => Value::Map(map.iter().rev().map(|(key, value)| (key.clone(), twin(value))).collect()),
        other => other.clone(),
    }
}

/// Checks one order for three values, with the equality and the hash that belong to it.
fn keeps_the_laws<T: Ord + Hash + std::fmt::Debug>(mut three: [T; 3]) -> Result<(), TestCaseError> {
    for one in &three {
        prop_assert_eq!(one.cmp(one), Ordering::Equal);
        for other in &three {
            prop_assert_eq!(one.cmp(other), other.cmp(one).reverse());
            prop_assert_eq!(one.partial_cmp(other), Some(one.cmp(other)));
            prop_assert_eq!(one == other, one.cmp(other).is_eq());
            prop_assert!(one != other || hash(one) == hash(other), "{:?} and {:?}", one, other);
        }
    }
    three.sort();
    let [least, middle, greatest] = &three;
    prop_assert!(least <= middle && middle <= greatest && least <= greatest, "{:?}", three);
    Ok(())
}

proptest! {
    #![proptest_config(times(4))]

    #[test]
    fn both_orders_keep_the_laws(one in close(), two in close(), three in close()) {
        keeps_the_laws([one.clone(), two.clone(), three.clone()])?;
        keeps_the_laws([Equivalent(&one), Equivalent(&two), Equivalent(&three)])?;
    }

    #[test]
    fn both_orders_keep_the_laws_among_numbers(one in any::number(), two in any::number(), three in any::number()) {
        keeps_the_laws([one.clone(), two.clone(), three.clone()])?;
        keeps_the_laws([Equivalent(&one), Equivalent(&two), Equivalent(&three)])?;
    }

    #[test]
    fn the_order_of_the_store_is_that_of_queries_and_finer(one in close(), two in close()) {
        if one.order(&two).is_ne() {
            prop_assert_eq!(one.cmp(&two), one.order(&two));
        }
        prop_assert_eq!(one.order(&two).is_eq(), Equivalent(&one) == Equivalent(&two));
    }

    #[test]
    fn what_is_one_to_a_query_hashes_as_one(value in close()) {
        let twin = twin(&value);
        prop_assert_eq!(value.order(&twin), Ordering::Equal);
        prop_assert_eq!(hash(&Equivalent(&value)), hash(&Equivalent(&twin)));
        keeps_the_laws([value, twin, Value::Null])?;
    }

    #[test]
    fn integers_and_floats_compare_as_if_they_had_all_digits(int in any::<i64>(), near in -3_i64..3, bits in any::<u64>()) {
        let floats = [f64::from_bits(bits), int.saturating_add(near) as f64, near as f64 / 2.0];
        for float in floats.into_iter().filter(|float| !float.is_nan()) {
            prop_assert_eq!(Value::Int(int).order(&Value::Float(float)), exactly(int, float), "{} and {}", int, float);
        }
    }
}

/// The order by integer arithmetic alone: a float is an integer times a power of two.
fn exactly(int: i64, float: f64) -> Ordering {
    if float.abs() >= 2_f64.powi(70) {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let bits = float.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
    let mantissa = i128::from((bits & ((1 << 52) - 1)) | if exponent == -1075 { 0 } else { 1 << 52 });
    let mantissa = if float < 0.0 { -mantissa } else { mantissa };
    match exponent {
        0.. => i128::from(int).cmp(&(mantissa << exponent)),
        -60..0 => (i128::from(int) << -exponent).cmp(&mantissa),
        // Less than one, and not zero.
        _ => i128::from(int).cmp(&0).then(0.cmp(&mantissa)),
    }
}

#[test]
fn kinds_are_sorted_as_opencypher_sorts_them() {
    let mut values = [value!(1), value!(true), value!(""), value!(3.5), value!({}), value!([2]), value!(null)];
    values.sort_by(Value::order);
    assert_eq!(values, [value!({}), value!([2]), value!(""), value!(true), value!(1), value!(3.5), value!(null)]);
}

#[test]
fn what_is_not_a_number_is_the_last_of_the_numbers() {
    let nan = Value::Float(f64::NAN);
    assert!(Value::Float(f64::INFINITY) < nan && Value::Int(i64::MAX) < nan && nan < Value::Null);
}

#[test]
fn containers_are_sorted_by_what_is_in_them() {
    assert!(value!([1]).order(&value!([1, null])).is_lt());
    assert!(value!([1, 2]).order(&value!([null, 1])).is_lt());
    // Strings stand before numbers.
    assert!(value!([1, "foo", 3]).order(&value!([1, 2, "bar"])).is_lt());
    assert!(value!({ "a": 1, "b": 2 }).order(&value!({ "b": 2, "a": 1 })).is_eq());
    assert_ne!(value!({ "a": 1, "b": 2 }), value!({ "b": 2, "a": 1 }));
}

#[test]
fn moments_are_sorted_by_utc_and_told_apart_by_their_offset() {
    let moment = |text: &str| Value::from(text.parse::<anabranch_value::ZonedDateTime>().unwrap());
    let (there, here) = (moment("2026-03-29T13:00:00+02:00"), moment("2026-03-29T11:00:00Z"));
    assert!(there.order(&here).is_eq() && there != here && there > here);
    assert!(moment("2026-03-29T12:00:00+02:00").order(&here).is_lt());
}
