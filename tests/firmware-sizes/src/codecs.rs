//! A value to bytes and back.

use anabranch::{Bound, Decode, Encode, Payload};
use core::hint::black_box;
use serde::{Deserialize, Serialize};

/// A sensor's reading, in the types that readings have.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    device: u32,
    unix_millis: u64,
    millicelsius: i32,
    valid: bool,
}

pub fn there_and_back<C: Encode<Reading> + Decode<Reading>>(codec: &C) -> Option<()> {
    let reading = black_box(Reading { device: 7, unix_millis: 1_800_000_000_000, millicelsius: -21_500, valid: true });
    let mut buffer = [0; 128];
    let mut payload = Payload::new(&mut buffer);
    codec.encode(&reading, &mut payload).ok()?;
    let same = codec.decode(black_box(payload.written()), &Bound::NONE).ok()?;
    (same == reading).then_some(())
}
