//! A small deterministic MQTT broker for tests and simulations of applications; not for production.
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
