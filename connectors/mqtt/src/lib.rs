//! MQTT for Anabranch: links to a broker, over TCP, TLS or WebSocket, on every runtime that has a network.
//!
//! ```text
//!            link_to ──publish──▶ Outbox ──┐                     ┌──▶ Output ──▶
//!                                          ├── Session ◀─packets─┤               byte stream ◀──▶ broker
//!          link_from ◀──Router── Inbound ──┘                     └─── Input ◀──
//! ```
//!
//! **The contract:** a value that was taken with a quality of service of 1 or 2 stays in the outbox until the broker has
//! acknowledged it, whatever becomes of connections; a value that came in is acknowledged when it is in its records, and
//! not before. A task of its own holds the connection; whoever publishes never waits for it.
//!
//! MQTT 5 is spoken, and 3.1.1 where nothing newer is. The session (`session.rs`) is a state machine over packets and time;
//! the driver (`driver.rs`) moves bytes between it and the stream, many packets to one read and one write.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod connector;
mod desk;
mod driver;
mod failure;
mod inbound;
mod lock;
mod options;
mod outbox;
mod pace;
mod packet;
mod session;
mod url;
mod wire;

pub use connector::MqttConnector;
pub use packet::{Reason, Version};
