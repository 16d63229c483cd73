//! What crosses the bridges: a plain struct as JSON, from a hundred topics to a hundred others.

use super::packets::{Version, publish};
use serde::{Deserialize, Serialize};

pub const TOPICS: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub device: u32,
    pub at: u64,
    pub celsius: f64,
    pub humidity: f64,
    pub alarm: bool,
}

impl Reading {
    /// The topics take turns.
    pub fn number(i: u64) -> Self {
        Reading {
            device: (i % TOPICS) as u32,
            at: 1_790_000_000_000 + i,
            celsius: 20.0 + (i % 997) as f64 / 100.0,
            humidity: 0.4 + (i % 89) as f64 / 1000.0,
            alarm: i.is_multiple_of(31),
        }
    }

    /// What it was, out of a copy's topic and payload; `None` when the copy is not right.
    pub fn of_copy(prefix: &str, topic: &[u8], payload: &[u8]) -> Option<u64> {
        let copy: Reading = serde_json::from_slice(payload).ok()?;
        let i = copy.at.checked_sub(Self::number(0).at)?;
        let right = copy == Self::number(i) && topic == format!("{prefix}/out/{}", copy.device).as_bytes();
        right.then_some(i)
    }

    /// Appends reading `i` as it is sent, with an `id` at QoS 1.
    pub fn publish(out: &mut Vec<u8>, version: Version, prefix: &str, i: u64, id: Option<u16>) {
        let reading = Self::number(i);
        let payload = serde_json::to_vec(&reading).expect("plain numbers");
        publish(out, version, &format!("{prefix}/in/{}", reading.device), id, &payload);
    }
}
