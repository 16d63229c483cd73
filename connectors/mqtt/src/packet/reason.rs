//! Why a broker refused something, in its code and in words.

use core::fmt;

/// Why a broker refused something, or ended the connection: a reason code of MQTT 5. Those of 3.1.1 are translated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reason(pub u8);

impl Reason {
    /// It was done.
    pub const SUCCESS: Reason = Reason(0x00);
    /// The packet made no sense.
    pub const MALFORMED: Reason = Reason(0x81);
    /// The packet made no sense at this point.
    pub const PROTOCOL_ERROR: Reason = Reason(0x82);
    /// The packet identifier is not in use.
    pub const IDENTIFIER_NOT_FOUND: Reason = Reason(0x92);
    /// More was under way than was allowed.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Reason = Reason(0x93);
    /// A topic alias was used that was not allowed.
    pub const TOPIC_ALIAS_INVALID: Reason = Reason(0x94);
    /// The packet is larger than was allowed.
    pub const PACKET_TOO_LARGE: Reason = Reason(0x95);

    /// Whether it says that something was refused.
    pub const fn is_refusal(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether it will be the same however often one tries, until somebody changes a configuration.
    pub const fn is_permanent(self) -> bool {
        matches!(self.0, 0x84 | 0x85 | 0x86 | 0x87 | 0x8a | 0x8c | 0x8e | 0x90 | 0x95 | 0x9a | 0x9b | 0x9d)
    }

    /// Of the code in a CONNACK of version 3.1.1.
    pub(crate) const fn of_3_1_1(code: u8) -> Self {
        Reason(match code {
            0 => 0,
            1 => 0x84,
            2 => 0x85,
            3 => 0x88,
            4 => 0x86,
            5 => 0x87,
            _ => 0x80,
        })
    }

    const fn words(self) -> &'static str {
        match self.0 {
            0x04 => "disconnected, with the last will",
            0x80 => "refused without a reason",
            0x81 => "a packet made no sense to it",
            0x82 => "a packet was against the protocol",
            0x83 => "refused for a reason of its own",
            0x84 => "it does not speak this version of MQTT: choose the other with `version`",
            0x85 => "it does not take this client id: set `client_id`",
            0x86 => "user name or password is wrong: set `credentials`",
            0x87 => "not authorised: see its access control list, and `credentials`",
            0x88 => "it is not available now",
            0x89 => "it is busy: try again later",
            0x8a => "this client is banned",
            0x8b => "it is shutting down",
            0x8c => "it does not know this way of authentication",
            0x8d => "it heard nothing for too long",
            0x8e => "another client has connected with the same client id: give each its own with `client_id`",
            0x8f => "it does not take this topic filter",
            0x90 => "it does not take this topic",
            0x91 => "the packet identifier is in use",
            0x92 => "the packet identifier is not known",
            0x93 => "more was under way than it allows",
            0x94 => "a topic alias was not valid",
            0x95 => "a packet was larger than it allows",
            0x96 => "too much was published",
            0x97 => "a quota of it is used up",
            0x98 => "an administrator ended it",
            0x99 => "the payload is not what it was said to be",
            0x9a => "it keeps no retained messages",
            0x9b => "it does not have this quality of service",
            0x9c => "another server is to be used for now",
            0x9d => "the server has moved",
            0x9e => "it has no shared subscriptions",
            0x9f => "too many connections were opened",
            0xa0 => "the connection has lasted as long as it may",
            0xa1 => "it has no subscription identifiers",
            0xa2 => "it has no wildcard subscriptions",
            _ => "a code that MQTT does not have",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02x})", self.words(), self.0)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason(0x{:02x})", self.0)
    }
}
