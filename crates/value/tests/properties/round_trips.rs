//! What goes in comes back, to the last bit.

use crate::{any, times};
use anabranch_value::{MAX_DEPTH, Map, Value, cbor, json, value};
use proptest::prelude::*;

proptest! {
    #![proptest_config(times(1))]

    #[test]
    fn every_value_comes_back_from_json(value in any::value()) {
        let json = json::to_vec(&value)?;
        prop_assert_eq!(json::from_slice(&json)?, value.clone(), "{}", String::from_utf8_lossy(&json));
        prop_assert_eq!(json::from_str(&json::to_string_pretty(&value)?)?, value);
    }

    #[test]
    fn every_value_comes_back_from_cbor(value in any::value()) {
        prop_assert_eq!(cbor::from_slice(&cbor::to_vec(&value)?)?, value);
    }

    #[test]
    fn every_value_comes_back_from_a_binary_format_of_serde(value in any::value()) {
        let bytes = minicbor_serde::to_vec(&value)?;
        prop_assert_eq!(minicbor_serde::from_slice::<Value>(&bytes)?, value.clone());
        // Our CBOR reads what a writer without tags has made of it.
        prop_assert_eq!(cbor::from_slice(&bytes)?, value);
    }

    #[test]
    fn every_value_comes_back_from_itself(value in any::value()) {
        prop_assert_eq!(Value::from_serialize(&value)?, value.clone());
        prop_assert_eq!(value.deserialize_into::<Value>()?, value);
    }

    #[test]
    fn json_becomes_stable_after_one_reading(value in any::value()) {
        let json = json::to_string(&value)?;
        prop_assert_eq!(json::to_string(&json::from_str(&json)?)?, json);
    }

    #[test]
    fn a_map_is_the_list_of_its_entries(
        // Nothing takes a key out.
        changes in prop::collection::vec(("[a-d]?[a-p]", prop::option::weighted(0.7, any::scalar())), 0..200),
    ) {
        let mut model: Vec<(String, Value)> = Vec::new();
        let mut map = Map::new();
        for (key, value) in changes {
            let at = model.iter().position(|(its, _)| *its == key);
            match (value, at) {
                (None, at) => prop_assert_eq!(map.remove(&key), at.map(|at| model.remove(at).1)),
                (Some(value), Some(at)) => {
                    prop_assert_eq!(map.insert(key, value.clone()), Some(std::mem::replace(&mut model[at].1, value)));
                }
                (Some(value), None) => {
                    prop_assert_eq!(map.insert(key.as_str(), value.clone()), None);
                    model.push((key, value));
                }
            }
        }
        prop_assert_eq!(map.len(), model.len());
        prop_assert!(map.iter().map(|(key, value)| (key.as_str(), value)).eq(model.iter().map(|(key, value)| (key.as_str(), value))));
        for (key, value) in &model {
            prop_assert_eq!(map.get(key), Some(value));
        }
        prop_assert_eq!(map.get("not there"), None);
    }
}

/// As deep as may be, with what needs one level more in JSON at the bottom.
fn deepest(bottom: Value) -> Value {
    (0..MAX_DEPTH)
        .fold(bottom, |value, level| if level % 2 == 0 { value!([value]) } else { value!({ "deeper": value }) })
}

#[test]
fn the_deepest_value_comes_back_from_everywhere() {
    for bottom in [value!(1), value!(b"\x00".as_slice()), value!(f64::NAN)] {
        let value = deepest(bottom);
        assert_eq!(json::from_slice(&json::to_vec(&value).unwrap()), Ok(value.clone()));
        assert_eq!(cbor::from_slice(&cbor::to_vec(&value).unwrap()), Ok(value.clone()));
        assert_eq!(Value::from_serialize(&value), Ok(value.clone()));
        assert_eq!(value.deserialize_into(), Ok(value.clone()));
    }
}

#[test]
fn a_deeper_one_is_refused_before_it_is_written() {
    let value = deepest(value!([]));
    let refusal = "values nest deeper than 64 levels; flatten the data";
    assert_eq!(json::to_vec(&value).unwrap_err().to_string(), refusal);
    assert_eq!(json::to_string(&value).unwrap_err().to_string(), refusal);
    assert_eq!(cbor::to_vec(&value).unwrap_err().to_string(), refusal);
    let refused = Value::from_serialize(&value).unwrap_err().to_string();
    assert!(refused.contains("values nest deeper than 64 levels"), "{refused}");
}
