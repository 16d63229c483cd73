//! The words that a board and its peers say to each other: the types of their records, the same on both sides.
#![no_std]
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// What a meter shows: numbered without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// From 0.
    pub number: u32,
    /// In thousandths of a degree Celsius.
    pub millicelsius: i32,
}

/// Tells the meter to take so many readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// How many.
    pub count: u32,
    /// The time between two of them, in microseconds.
    pub every: u32,
}

/// A command: switch it on, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Which command this is.
    pub number: u32,
    /// On, or off.
    pub on: bool,
}

/// What was switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actuator {
    /// The command that it obeyed last.
    pub number: u32,
    /// On, or off.
    pub on: bool,
}

/// The signal of a sensor leaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Which edge this is.
    pub number: u32,
    /// In thousandths of a degree Celsius.
    pub millicelsius: i32,
}

/// Says that it has become too warm, or that it no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The edge that it is about.
    pub number: u32,
    /// Too warm, or no longer.
    pub raised: bool,
}

/// Asks for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Which question this is.
    pub number: u32,
    /// Count for so many seconds what is counted by differences; a second of calm comes before them. 0: from the start.
    pub seconds: u32,
}

/// What a service on the board sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The question.
    pub number: u32,
    /// How deep the stack has ever gone, in bytes.
    pub stack: u32,
    /// How many times the core was woken.
    pub wake_ups: u32,
    /// Frames that came.
    pub received: u32,
    /// Frames that went.
    pub sent: u32,
    /// How often it was connected to the broker.
    pub connects: u32,
    /// Values that the broker has not acknowledged.
    pub in_flight: u32,
    /// Values for which there is no link.
    pub unrouted: u32,
    /// The values that every record holds, together.
    pub held: u32,
    /// The link of all readings.
    pub telemetry: Counts,
    /// The link of the newest readings.
    pub newest: Counts,
    /// The link of commands.
    pub switch: Counts,
}

/// What a link has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Values that passed.
    pub values: u32,
    /// Values that could not.
    pub failed: u32,
    /// Values that were dropped while there was no connection.
    pub dropped: u32,
    /// Values that are kept for when there is one.
    pub kept: u32,
}
