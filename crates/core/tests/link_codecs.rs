//! JSON, CBOR and postcard: what becomes of values, of the names in an address, and of what cannot be.
#![cfg(feature = "json")]

use anabranch_core::{Bound, Decode, Encode, Json, Payload};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    device: u32,
    celsius: f64,
    seq: u64,
}

#[test]
fn a_bound_name_is_the_number_that_its_field_asks_for() {
    let bound = Bound::new("sensors/{device}/temp", "sensors/7/temp");
    let reading: Reading = Json.decode(br#"{"celsius":21.5,"seq":9,"device":8}"#, &bound).unwrap();
    assert_eq!(reading, Reading { device: 7, celsius: 21.5, seq: 9 });
    let mut buffer = [0; 64];
    let mut payload = Payload::new(&mut buffer);
    Json.encode(&reading, &mut payload).unwrap();
    assert_eq!(payload.written(), br#"{"device":7,"celsius":21.5,"seq":9}"#);
}
