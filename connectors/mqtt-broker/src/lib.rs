//! A small deterministic MQTT broker for tests and simulations of applications. **Not for production**: it keeps everything in
//! memory, looks at every session for each message, and logs all that is published unless [told not to](BrokerOptions::log).
//!
//! ```text
//!   simulated network, TCP, … ──▶ ServedBroker: accepts, reads, writes, keeps the time      (served)
//!                                      │ bytes, closed connections, the time
//!                                      ▼
//!                                   Broker: connections, routing, retained messages, wills  (broker)
//!                                      │                              │
//!                                 packets, both versions      Session: subscriptions, what waits,
//!                                     (packets)               what is in flight             (session)
//! ```
//!
//! [`Broker`] is a state machine without a network, a clock or a random number: **the same calls give the same output, byte for
//! byte**. [`ServedBroker`] puts it onto any runtime that keeps `anabranch-executor`'s contract; with the simulated network,
//! a whole application and its broker run under one seed.
//!
//! | of MQTT 5, and 3.1.1 where it has it | |
//! |---|---|
//! | quality of service | 0, 1 and 2 in both directions; what is in flight survives with the session, and is sent again in the first order, with DUP |
//! | sessions | clean start, expiry, session present, take-over (0x8E), assigned identifiers |
//! | messages | retained messages and their options, wills with delay, expiry, topic aliases from clients |
//! | subscriptions | wildcards, shared, no local, identifiers; `$` topics are not for leading wildcards |
//! | limits | receive maximum and packet size both ways, keep-alive, users and passwords; what breaks a rule is answered with its reason code |
//! | not | enhanced authentication, aliases to clients, several subscription identifiers in one message (one copy for each instead) |
//!
//! **Order and loss.** Messages reach a session in the order in which the broker took them; one of QoS 0 may overtake those of QoS 1
//! and 2 that wait for the client's receive maximum. For a client that is not there, messages of QoS 0 are not kept. When a session's queue
//! [is full](BrokerOptions::maximum_queued), new messages are dropped and counted: a test that promises not to lose any looks at
//! [`SessionState::dropped`].
//!
//! **Faults.** [`crash`](ServedBroker::crash) cuts all connections and remembers what was acknowledged, or nothing;
//! [`never_answer`](ServedBroker::never_answer) accepts and stays silent. What a network does to a connection is the network's.
//!
//! **Asking.** [`published`](Broker::published) is all that the broker took; [`sessions`](Broker::sessions) and
//! [`retained`](Broker::retained) are what it holds.
//!
//! ```
//! use anabranch_mqtt_broker::{Broker, BrokerOptions, Output};
//! use std::time::Duration;
//!
//! let mut broker = Broker::new(BrokerOptions::default());
//! let now = Duration::ZERO;
//! let connection = broker.connected(now);
//! // A CONNECT of MQTT 5 with a clean start, no keep-alive and the client identifier "me".
//! broker.received(connection, b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x02me", now);
//! assert_eq!(broker.poll_ready(), Some(connection));
//! let Some(Output::Send(connack)) = broker.poll_output(connection, now) else { panic!("no answer") };
//! assert_eq!((connack[0], connack[3]), (0x20, 0x00), "a CONNACK that says success");
//! assert_eq!(&*broker.sessions()[0].client, "me");
//! ```
#![forbid(unsafe_code)]

mod broker;
mod options;
mod packets;
mod served;
mod session;
mod topics;

pub use broker::{Broker, ConnectionId, Output, PublishRefused, Published, SessionState};
pub use options::{BrokerOptions, Memory};
pub use served::{Serve, ServedBroker};
