//! MQTT's packets: read where they lie, written where they go. Versions 5 and 3.1.1; what differs is said once, here.
//!
//! ```text
//!  byte 1         2 to 5              then
//!  ┌──────┬──────┬──────────────────┬────────────────────────────────────────────┐
//!  │ kind │ bits │ remaining length │ variable header (with properties) · payload │
//!  └──────┴──────┴──────────────────┴────────────────────────────────────────────┘
//! ```

mod read;
mod reason;
mod write;

pub(crate) use read::{
    Accepted, Framed, GROUPS, Incoming, Malformed, Publish, beginning, framed, incoming, is_publish,
};
pub use reason::Reason;
pub(crate) use write::{
    Ack, Connect, LONGEST_HEADER, PublishHeader, SUBSCRIBE_HEADER, ack, connect, disconnect, ping, publish_header,
    subscribe, subscribe_header, subscribe_length,
};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// MQTT 5.
    #[default]
    V5,
    /// MQTT 3.1.1, for brokers that have nothing newer. It has no reasons for refusals, and no limits that are told.
    V3_1_1,
}

/// A quality of service.
#[expect(clippy::enum_variant_names, reason = "the standard's names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Qos {
    AtMostOnce = 0,
    AtLeastOnce = 1,
    ExactlyOnce = 2,
}

impl Qos {
    pub(crate) fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            2 => Qos::ExactlyOnce,
            _ => return None,
        })
    }
}

/// The kinds of packets, as the high half of the first byte says them.
mod kind {
    pub(super) const CONNECT: u8 = 1;
    pub(super) const CONNACK: u8 = 2;
    pub(super) const PUBLISH: u8 = 3;
    pub(super) const PUBACK: u8 = 4;
    pub(super) const PUBREC: u8 = 5;
    pub(super) const PUBREL: u8 = 6;
    pub(super) const PUBCOMP: u8 = 7;
    pub(super) const SUBSCRIBE: u8 = 8;
    pub(super) const SUBACK: u8 = 9;
    pub(super) const PINGREQ: u8 = 12;
    pub(super) const PINGRESP: u8 = 13;
    pub(super) const DISCONNECT: u8 = 14;
}

/// The properties of version 5 that are sent or looked at.
mod property {
    pub(super) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
    pub(super) const SESSION_EXPIRY: u8 = 0x11;
    pub(super) const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub(super) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(super) const REASON_STRING: u8 = 0x1f;
    pub(super) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(super) const TOPIC_ALIAS: u8 = 0x23;
    pub(super) const MAXIMUM_QOS: u8 = 0x24;
    pub(super) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(super) const MAXIMUM_PACKET: u8 = 0x27;
    pub(super) const WILDCARDS_AVAILABLE: u8 = 0x28;
    pub(super) const IDENTIFIERS_AVAILABLE: u8 = 0x29;
}

/// How many bytes a length takes.
pub(crate) fn length_of_length(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// The longest that a packet may be after its length.
pub(crate) const LONGEST: usize = 0x0fff_ffff;
