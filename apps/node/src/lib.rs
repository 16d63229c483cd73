//! The node: a config file becomes a database that runs, and HTTP over a socket to look into it.
//!
//! ```text
//!  anabranch.toml ──▶ Config ──▶ Node ──run──▶ records ◀──▶ links ◀──▶ brokers
//!                        │                       │
//!                     Faults            Records ─┴─ http ── DIR/node.sock ──▶ Client
//! ```
//!
//! **The contract:** what is wrong with a config is said all at once, each with its line, before anything is connected to.
//!
//! ```
//! # use anabranch::TokioAdapter;
//! # use anabranch_node::{Config, Node};
//! # use std::path::Path;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let config = Config::parse(Path::new("anabranch.toml"), "
//!     [[record]]
//!     name = 'temperature'
//!     bufer = { kind = 'single-latest' }
//! ");
//! let faults = Node::from_config(config, TokioAdapter::current().unwrap()).await.unwrap_err();
//! assert!(faults.to_string().starts_with(
//!     "anabranch.toml:4:5: [[record]] bufer: there is no such key; did you mean `buffer`?\n"
//! ));
//! # });
//! ```
#![forbid(unsafe_code)]

mod assemble;
mod client;
mod config;
mod http;
mod node;
mod records;
mod socket;
mod stored;

pub mod shown;

pub use anabranch::format::Format;
pub use client::{Client, ClientError, Event, Export, StoreClient, Watch, Which, Written};
pub use config::{Config, Fault, Faults, Place, ReadError, reference_page};
pub use node::{Node, NodeError};
pub use socket::SocketError;
