//! What goes over the wire, and what the network's timers do.

use super::{connection::EndKey, flow::Span};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    Open,
    Accept,
    Data(Span),
    /// How far everything has arrived, and how far the sender may send.
    Ack {
        received: u64,
        limit: u64,
    },
    Reset,
    /// A router says that there is no way.
    NoWay,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packet::Open => f.write_str("open"),
            Packet::Accept => f.write_str("accept"),
            Packet::Data(Span { from, to }) => write!(f, "data {from}..{to}"),
            Packet::Ack { received, limit } => write!(f, "ack {received}, up to {limit}"),
            Packet::Reset => f.write_str("reset"),
            Packet::NoWay => f.write_str("no way"),
        }
    }
}

impl Packet {
    /// As numbers, for the hash of a trace.
    pub(crate) fn words(self) -> [u64; 3] {
        match self {
            Packet::Open => [0, 0, 0],
            Packet::Accept => [1, 0, 0],
            Packet::Data(Span { from, to }) => [2, from, to],
            Packet::Ack { received, limit } => [3, received, limit],
            Packet::Reset => [4, 0, 0],
            Packet::NoWay => [5, 0, 0],
        }
    }
}

/// What happens when a timer of the network is due.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// A packet arrives.
    Arrives(EndKey, Packet),
    /// A sender that has heard nothing tries again.
    Retry(EndKey),
}
