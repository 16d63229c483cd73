//! JSON: what is read is written and read as the same, and through CBOR as well.

use anabranch_value::{cbor, json};

/// Reads it as JSON.
pub fn try_it(data: &[u8]) {
    let Ok(value) = json::from_slice(data) else { return };
    let again = json::to_vec(&value).expect("what was read can be written");
    assert_eq!(json::from_slice(&again).expect("what was written can be read"), value);
    let pretty = json::to_string_pretty(&value).expect("what was read can be written");
    assert_eq!(json::from_str(&pretty).expect("what was written can be read"), value);
    let binary = cbor::to_vec(&value).expect("what was read can be written");
    assert_eq!(cbor::from_slice(&binary).expect("what was written can be read"), value);
}

/// One of each kind of value.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let all = [
        r#"null"#,
        r#"[true, false, 0, -1, 9223372036854775807, -9223372036854775808, 1.0, -0.0, 5e-324, 1.7976931348623157e308]"#,
        r#"{"plant": {"boiler": [{"celsius": 21.5, "at": {"$datetime": "2026-03-29T13:37:00+02:00[Europe/Berlin]"}}]}}"#,
        r#"[{"$date": "2026-03-29"}, {"$time": "13:37:00.000000001+02:00"}, {"$localtime": "13:37"}]"#,
        r#"[{"$localdatetime": "2026-03-29T13:37:00"}, {"$duration": "P1Y2M3DT4H5M6.789S"}, {"$float": "NaN"}]"#,
        r#"{"$bytes": "AAECAwQF", "$$bytes": 1}"#,
        r#"{"$bytes": "AAECAwQF"}"#,
        r#""\u0000\ud83d\ude00\n\"\\ä語""#,
    ];
    (0..).zip(all).map(|(number, text)| (format!("{number}.json"), text.into())).collect()
}
