//! CBOR: what is read is written and read as the same, and what we write has one way to be written.

use anabranch_value::{cbor, json};

/// Reads it as CBOR.
pub fn try_it(data: &[u8]) {
    let Ok(value) = cbor::from_slice(data) else { return };
    let again = cbor::to_vec(&value).expect("what was read can be written");
    let read = cbor::from_slice(&again).expect("what was written can be read");
    assert_eq!(read, value);
    assert_eq!(cbor::to_vec(&read).expect("it was written before"), again);
    let text = json::to_vec(&value).expect("what was read can be written");
    assert_eq!(json::from_slice(&text).expect("what was written can be read"), value);
}

/// The values of the JSON seeds, and lengths that are not known at the beginning.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let values = crate::json::seeds().into_iter().map(|(name, text)| {
        let value = json::from_slice(&text).expect("the seeds are JSON");
        (name.replace("json", "cbor"), cbor::to_vec(&value).expect("it can be written"))
    });
    let indefinite = b"\xbf\x61a\x9f\x01\x7f\x61b\xff\x5f\x41\x00\xff\xff\x61c\xfb\x7f\xf0\0\0\0\0\0\0\xff".to_vec();
    values.chain([("indefinite.cbor".into(), indefinite)]).collect()
}
