//! Links: records tied to addresses outside, and what a connector is to the core.
//!
//! ```text
//!   connector's task ──route(address, payload)──▶ Router ──decode──▶ Producer ──▶ record          link_from
//!   record ──▶ Consumer ──encode──▶ outbound driver ──publish(address, payload)──▶ Connector      link_to
//!                                        │ waits on                                    │ says
//!                                        └──────────────── Connection ◀────────────────┘
//! ```
//!
//! A connector speaks one protocol and knows no record; the core knows every record and no protocol. Bytes that come in are
//! lent to a [`Decode`], bytes that go out are written into a [`Payload`] that is lent to an [`Encode`]: a value of a type
//! without heap passes without an allocation.

mod address;
mod backoff;
mod bound;
mod codec;
mod config;
mod connector;
mod outbound;
mod payload;
mod router;
mod state;

pub use address::{Address, AddressError};
pub(crate) use address::{Template, check_inbound};
pub use backoff::Backoff;
pub use bound::Bound;
#[cfg(feature = "cbor")]
pub use codec::Cbor;
#[cfg(feature = "json")]
pub use codec::Json;
#[cfg(feature = "postcard")]
pub use codec::Postcard;
pub use codec::{Decode, DecodeError, Encode, EncodeError};
pub(crate) use codec::{DecodeWith, EncodeWith};
pub use config::{ConnectorConfig, Offline};
pub use connector::{
    Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorError, ConnectorRun, ConnectorStatus,
    OutboundRoute, PublishError, Running,
};
pub(crate) use outbound::{Outbound, Slot};
pub use payload::{Payload, PayloadFull};
pub(crate) use router::{Deliver, Inbound, NewInbound, Sink};
pub use router::{InboundRoute, Resource, Routed, Router, RouterBuilder};
pub use state::{LinkDirection, LinkStatus};
pub(crate) use state::{LinkState, Ties};
