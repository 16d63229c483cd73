//! MQTT for Anabranch: links to a broker, over what the runtime's network carries: TCP, TLS, WebSocket.
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
//! A [`MqttConnector`] says which broker it is. A database is given it; where there is no heap, a [`StaticMqtt`] runs it for
//! links of static records. What lies where is `place.rs`; all else is the same.
//!
//! MQTT 5 is spoken, and 3.1.1 where nothing newer is. The session (`session.rs`) is a state machine over packets and time;
//! the driver (`driver.rs`) moves bytes between it and the stream, many packets to one read and one write.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "alloc")]
mod built;
mod connector;
mod desk;
mod driver;
mod failure;
mod inbound;
mod lock;
mod outbox;
mod pace;
mod packet;
mod place;
mod session;
mod statics;
mod text;
mod url;
mod wire;

pub use connector::{MqttConfigError, MqttConnector};
pub use failure::MqttFailure;
pub use packet::{Reason, Version};
pub use statics::{MqttStatus, StaticMqtt, StaticMqttError};
pub use text::{Octets, Text};
pub use url::UrlError;
