//! A value in the hand: its size, its parts, and the places inside it.

use anabranch_value::{Kind, Map, Path, Step, Text, Value, value};

#[test]
fn a_value_is_24_bytes() {
    assert_eq!(size_of::<Value>(), 24);
    assert_eq!(size_of::<Option<Value>>(), 24);
    assert_eq!(size_of::<Map>(), size_of::<usize>());
}

#[test]
fn values_go_where_threads_go() {
    fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<Value>();
}

#[test]
fn each_part_is_given_to_those_who_ask_for_it_alone() {
    let value = value!({ "i": 1, "f": 1.0, "s": "text", "b": true, "y": (b"\x01".as_slice()), "l": [1], "n": null });
    let get = |key| value.get(key).unwrap();
    assert_eq!((get("i").as_i64(), get("f").as_i64()), (Some(1), None));
    assert_eq!((get("i").as_f64(), get("f").as_f64(), get("s").as_f64()), (Some(1.0), Some(1.0), None));
    assert_eq!((get("s").as_str(), get("y").as_str()), (Some("text"), None));
    assert_eq!((get("b").as_bool(), get("n").as_bool()), (Some(true), None));
    assert_eq!((get("y").as_bytes(), get("l").as_bytes()), (Some(b"\x01".as_slice()), None));
    assert_eq!((get("l").as_list(), get("s").as_list()), (Some([Value::Int(1)].as_slice()), None));
    assert!(get("n").is_null() && !get("b").is_null());
    assert_eq!((value.get("x"), get("i").get("x"), get("i").as_map()), (None, None, None));
}

#[test]
fn an_integer_is_a_float_where_it_loses_no_digit() {
    assert_eq!(Value::Int(1 << 53).as_f64(), Some(9_007_199_254_740_992.0));
    assert_eq!(Value::Int((1 << 53) + 1).as_f64(), None);
    assert_eq!(Value::Int(i64::MIN).as_f64(), Some(-9_223_372_036_854_775_808.0));
    assert_eq!(Value::Int(i64::MAX).as_f64(), None);
}

#[test]
fn kinds_have_names() {
    let kinds = [value!(1), value!(null), value!([]), value!({}), value!("a"), value!(true)].map(|value| value.kind());
    assert_eq!(kinds.map(|kind| kind.to_string()), ["a number", "null", "a list", "a map", "a string", "a boolean"]);
    assert!(Kind::Map < Kind::Null);
}

#[test]
fn a_clone_shares_until_one_of_both_changes() {
    let mut one = value!({ "list": [1, 2] });
    let two = one.clone();
    one.as_map_mut().unwrap().get_mut("list").unwrap().as_list_mut().unwrap().push(Value::Int(3));
    assert_eq!((one, two), (value!({ "list": [1, 2, 3] }), value!({ "list": [1, 2] })));
}

#[test]
fn a_map_gives_its_entries_in_its_order() {
    let mut map = Map::from([("z", 1), ("a", 2)]);
    map.extend([("m", 3), ("z", 4)]);
    assert_eq!(map.keys().map(Text::as_str).collect::<Vec<_>>(), ["z", "a", "m"]);
    map.values_mut().for_each(|value| *value = Value::Null);
    assert!(map.values().all(Value::is_null) && map.contains_key("a") && !map.is_empty());
    assert_eq!((&map).into_iter().len(), 3);
    assert_eq!(map.into_iter().map(|(key, _)| String::from(key)).collect::<Vec<_>>(), ["z", "a", "m"]);
}

#[test]
fn long_text_is_text_too() {
    let long = "a text that is longer than what stands in itself".to_owned();
    let text = Text::from(long.clone());
    assert!(text == *long && text == long.as_str() && text.clone() == text);
    assert_eq!((format!("{text}"), format!("{text:?}"), String::from(text)), (long.clone(), format!("{long:?}"), long));
}

#[test]
fn debug_reads_like_a_query() {
    let value = value!([
        null,
        { "a": (b"\x01\xff".as_slice()) },
        ("2026-03-29".parse::<anabranch_value::Date>().unwrap()),
        ("P1D".parse::<anabranch_value::Duration>().unwrap())
    ]);
    assert_eq!(format!("{value:?}"), r#"[null, {"a": b"01ff"}, date(2026-03-29), duration(P1D)]"#);
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

#[test]
fn paths_lead_to_places() {
    let value = value!({ "a": { "b": [1, { "c d": 2 }], "": 3, "x.y": 4 } });
    let at = |text| value.get_path(&path(text)).cloned();
    assert_eq!(at(""), Some(value.clone()));
    assert_eq!(at("a.b[0]"), Some(Value::Int(1)));
    assert_eq!(at("a.b[1].c d"), Some(Value::Int(2)));
    assert_eq!(at(r#"a."""#), Some(Value::Int(3)));
    assert_eq!(at(r#"a."x.y""#), Some(Value::Int(4)));
    for nowhere in ["b", "a.b[2]", "a[0]", "a.b.c", "a.b[0].c"] {
        assert_eq!(at(nowhere), None, "{nowhere}");
    }
}

#[test]
fn the_text_of_a_path_is_a_path() {
    let steps = ["plain", "", ".", "[0]", "\"", "\\", "°C", "two words"];
    let path: Path = steps.into_iter().map(Step::from).chain([Step::Index(0), Step::Index(usize::MAX)]).collect();
    assert_eq!(path.to_string().parse(), Ok(path.clone()));
    assert_eq!(path[1..4].iter().cloned().collect::<Path>().to_string(), r#"""."."."[0]""#);
    assert_eq!(Path::from_iter([0_usize, 1]).to_string(), "[0][1]");
}

#[test]
fn what_is_no_path_is_said_with_its_place() {
    for (text, place) in [
        (".a", "a key is missing at character 1"),
        ("a.", "a key is missing at character 3"),
        ("a..b", "a key is missing at character 3"),
        ("a[", "a ] is missing at character 3"),
        ("a[]", "an index is missing at character 3"),
        ("a[-1]", "an index is missing at character 3"),
        ("a[+1]", "an index is missing at character 3"),
        ("a[99999999999999999999]", "an index is missing at character 3"),
        ("a[0]b", "a . or [ is missing at character 5"),
        ("°\"b\"", "a . or [ is missing at character 2"),
        ("\"a", "a closing \" is missing at character 2"),
        ("a]", "a . or [ is missing at character 2"),
    ] {
        let refusal = text.parse::<Path>().map(|path| path.to_string()).unwrap_err().to_string();
        assert!(refusal.contains(place), "{text}: {refusal}");
    }
    // A path that ends in a point is none.
    assert!("a.".parse::<Path>().is_err());
}

#[test]
fn a_place_can_be_set() {
    let mut value = value!({ "a": [1] });
    assert_eq!(value.set_path(&path("a[0]"), 2), Ok(Some(Value::Int(1))));
    assert_eq!(value.set_path(&path("a[1]"), 3), Ok(None));
    assert_eq!(value.set_path(&path("b.c[0].d"), "new"), Ok(None));
    assert_eq!(value, value!({ "a": [2, 3], "b": { "c": [{ "d": "new" }] } }));
    assert_eq!(
        value.set_path(&Path::new(), value!([])),
        Ok(Some(value!({ "a": [2, 3], "b": { "c": [{ "d": "new" }] } })))
    );
    assert_eq!(value.set_path(&path("[0]"), 1), Ok(None));
    assert_eq!(value, value!([1]));
}

#[test]
fn a_place_that_cannot_be_set_changes_nothing() {
    let mut value = value!({ "a": [1], "s": "text" });
    let before = value.clone();
    for (place, refusal) in [
        ("a[2]", "there is no a[2]: the list ends before; append at its end first"),
        ("a.b", "there is no a.b: only a map has keys; set a place that is in a map"),
        ("s[0]", "there is no s[0]: only a list is counted; set a place that is in a list"),
        ("new.b[1].c", "there is no new.b[1]: the list would be empty; begin it with [0]"),
        ("a[1].b[7]", "there is no a[1].b[7]: the list would be empty; begin it with [0]"),
    ] {
        assert_eq!(value.set_path(&path(place), 1).unwrap_err().to_string(), refusal);
        assert_eq!(value, before);
    }
}
