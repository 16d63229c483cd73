//! What a broker allows and remembers: the numbers that a test may want to set.

use std::{collections::BTreeMap, time::Duration};

/// What a [`Broker`](crate::Broker) allows. The default suits most tests: anybody may connect, nothing is tight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerOptions {
    /// Who may connect: user names and their passwords. Empty: anybody, with or without a name.
    pub users: BTreeMap<String, String>,
    /// How many QoS 1 and 2 messages a client may send before it has their acknowledgements; at least 1. A client that sends
    /// more is disconnected with 0x93. One of version 3.1.1 cannot be told it, and is held to none.
    pub receive_maximum: u16,
    /// The largest packet that is taken, in bytes; 128 MiB at most. A client that sends a larger one is disconnected with 0x95.
    pub maximum_packet_size: u32,
    /// How many topic aliases a client may use.
    pub topic_alias_maximum: u16,
    /// How many messages wait for one session at most, beside those that it was sent and has not acknowledged. When it
    /// is full, a new message is dropped for this session, and [counted](crate::SessionState::dropped).
    pub maximum_queued: usize,
    /// How long a connection may stay without a CONNECT before it is closed.
    pub connect_timeout: Duration,
    /// Whether what is published is [logged](crate::Broker::published). A test wants that; what runs for days does not, for
    /// the log grows with every message.
    pub log: bool,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            receive_maximum: u16::MAX,
            maximum_packet_size: 1 << 20,
            topic_alias_maximum: 16,
            maximum_queued: 10_000,
            connect_timeout: Duration::from_secs(30),
            log: true,
        }
    }
}

/// What a broker remembers when it [crashes](crate::Broker::crash).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// Everything that it acknowledged, as a broker does that writes to a disk before it answers: sessions that outlive their
    /// connections, what waits for them, retained messages.
    Keep,
    /// Nothing: no session, no retained message, no will.
    Forget,
}
