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
#[cfg(feature = "alloc")]
mod built;
mod codec;
mod config;
#[cfg(feature = "alloc")]
mod connector;
mod counts;
mod few;
mod outbound;
mod outlet;
mod payload;
#[cfg(feature = "alloc")]
mod router;
mod routes;
#[cfg(feature = "alloc")]
mod state;
mod statics;
mod words;

pub use address::{Address, AddressError};
pub(crate) use address::{Template, check_inbound};
pub use backoff::Backoff;
pub use bound::Bound;
#[cfg(feature = "alloc")]
pub(crate) use built::{HeapOutbound, Slot};
#[cfg(feature = "cbor")]
pub use codec::Cbor;
#[cfg(any(feature = "json", feature = "json-core"))]
pub use codec::Json;
#[cfg(feature = "postcard")]
pub use codec::Postcard;
pub use codec::{Decode, DecodeError, Encode, EncodeError};
#[cfg(feature = "alloc")]
pub(crate) use codec::{DecodeWith, EncodeWith};
pub use config::{ConnectorConfig, LinkDirection, Offline};
#[cfg(feature = "alloc")]
pub use connector::{
    Connection, Connector, ConnectorBuilder, ConnectorError, ConnectorRun, ConnectorStatus, OutboundRoute, Running,
};
pub use counts::{LinkCounts, LinkFailure};
pub use outlet::{ConnectionState, Outlet, PublishError};
pub use payload::{Payload, PayloadFull};
#[cfg(feature = "alloc")]
pub(crate) use router::{Deliver, Inbound, NewInbound, Sink};
#[cfg(feature = "alloc")]
pub use router::{InboundRoute, Resource, Routed, Router, RouterBuilder};
pub use routes::{Ask, Filter, RoutedValue, Routes};
#[cfg(feature = "alloc")]
pub use state::LinkStatus;
#[cfg(feature = "alloc")]
pub(crate) use state::{LinkState, Ties};
pub use statics::{
    Delivered, Inlet, InletOf, LinkError, LinkErrorKind, LinkIn, LinkOut, LinkRoutes, LinkSet, Links, OutletOf,
    RoutedHere, StaticLink,
};
pub use words::Words;
