//! Anabranch: one live data engine for every place where data lives — a microcontroller, a browser tab, one thread, a
//! server. The same Rust code runs in all of them.
//!
//! ```text
//!  producer ──▶ record ──▶ service ──▶ record ──▶ consumer       what an application is made of
//!                 │           │
//!               buffer     supervisor                            ring · latest · mailbox · queue; restarts, back-off
//!                             │
//!                     RuntimeContext<R: Runtime>                 the runtime contract
//!       ┌───────────────┬─────┴─────────┬────────────────┐
//!  TokioAdapter   EmbassyAdapter   WasmAdapter       SimAdapter  one line of `main` chooses
//! ```
//!
//! **The contract:** a service names its records' types and nothing else: neither buffer, nor lock, nor runtime. So what
//! is written once runs unchanged on each runtime, with or without a heap, and in simulation, where one seed decides what
//! happens.
//!
#![cfg_attr(all(feature = "tokio-runtime", feature = "macros", feature = "services"), doc = "```")]
#![cfg_attr(not(all(feature = "tokio-runtime", feature = "macros", feature = "services")), doc = "```ignore")]
//! use anabranch::{TokioAdapter, prelude::*};
//! use std::convert::Infallible;
//!
//! #[service]
//! async fn cooling<R: Runtime>(_ctx: RuntimeContext<R>, mut temperature: Consumer<f32>, fan: Producer<bool>) -> Result<(), Infallible> {
//!     while let Some(celsius) = temperature.next().await {
//!         fan.produce(celsius > 25.0);
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let db = Anabranch::builder()
//!     .runtime(TokioAdapter::current()?)
//!     .configure::<f32>("sensor/temperature", |r| { r.with_buffer(BufferCfg::SpmcRing { capacity: 64 }); })
//!     .configure::<bool>("actuator/fan", |r| { r.with_buffer(BufferCfg::SingleLatest); })
//!     .with_service(Cooling::of("sensor/temperature", "actuator/fan"))
//!     .build().await?;
//! let (temperature, mut fan) = (db.producer::<f32>("sensor/temperature")?, db.consumer::<bool>("actuator/fan")?);
//! db.start();
//! temperature.produce(31.5);
//! assert_eq!(fan.next().await, Some(true));
//! # Ok(()) }
//! ```
//!
//! # Where to look
//!
//! | to | take | with the feature |
//! |---|---|---|
//! | name a place that values pass through | [`Record`] (a `static`) | |
//! | the same, chosen when the program runs | `HeapRecord`, `BufferCfg`, `channel` | `alloc` |
//! | read and write | [`Consumer`], [`Producer`] | |
//! | tie a name to a type | [`RecordKey`], and its derive | (`macros`) |
//! | write code for every runtime | [`Runtime`], [`RuntimeContext`], [`RuntimeExt`] | |
//! | have it supervised | `#[service]` | `services`, `macros` |
//! | put records and services together | `Anabranch::builder()` | `services`, `alloc` |
//! | keep each value of a record, and replay it | `keep`, `store` | `store`, `services` |
//! | keep a store's tiers in order | `lifecycle::maintain` (`std`), `lifecycle::in_steps` | `store` |
//! | link records to an MQTT broker | `mqtt::MqttConnector` | `mqtt` |
//! | run on Tokio | `TokioAdapter`, `tokio` | `tokio-runtime` |
//! | run on a microcontroller | `embassy::EmbassyAdapter` | `embassy-runtime` |
//! | run in JavaScript hosts | `WasmAdapter`, `wasm` | `wasm-runtime` |
//! | run under a seed, in virtual time | `SimAdapter`, `sim` | `sim-runtime` |
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `tokio-runtime`, `embassy-runtime`, `wasm-runtime`, `sim-runtime` | an adapter; several can be on at once |
//! | `embassy-net`, `embassy-dns`, `embassy-sntp` | on Embassy: connections, hosts by name, the wall clock from a time server |
//! | `tls` | TLS for connections on Tokio |
//! | `mqtt` | links to an MQTT broker: `mqtt::MqttConnector`, and with no heap `mqtt::StaticMqtt` |
//! | `json`, `cbor`, `postcard` | how links' values become bytes, as `Json`, `Cbor` and `Postcard`; `json` implies `alloc` |
//! | `json-core` | `Json` with no heap |
//! | `defmt` | logs through `defmt` |
//! | `store`, `redb` | the versioned store, and its tables on disk |
//! | `cold` | old versions in compressed segments; `redb` and all runtimes but `wasm-runtime` bring it |
//! | `macros` | `#[derive(RecordKey)]`, and with `services` `#[service]` |
//! | `services` | supervision, and with `alloc` databases |
//! | `alloc` | records on the heap; without it nothing here needs one |
//! | `std` | a lock for threads, panics that end one service only, logs through `tracing`; implies `alloc` |
//!
//! `default` is `tokio-runtime`, `macros` and `services`. All but `embassy-runtime` need `std` of the runtimes, and switch
//! it on.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod expansion;
#[cfg(feature = "store")]
pub mod format;
#[cfg(all(feature = "store", feature = "services", feature = "std"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "store", feature = "services", feature = "std"))))]
pub mod keep;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub mod lifecycle;
pub mod prelude;

#[doc(hidden)]
pub use expansion::__private;
// How many words of static storage a task needs is known to the runtime without a heap.
#[cfg(feature = "embassy-runtime")]
#[doc(hidden)]
pub use anabranch_embassy::__slot_words;

#[doc(inline)]
pub use anabranch_executor::*;

#[doc(inline)]
pub use anabranch_core::{
    Buffer, BufferKind, BufferStatus, ClaimError, ConstBuffer, Consumer, Latest, Mailbox, NoSeats, Producer, Queue,
    QueueSeats, Record, RecordKey, RecvError, Ring, Seat, SeatStore, Seats, SendError, SlotStore, StartError,
    TryRecvError, TrySendError,
};

#[cfg(feature = "alloc")]
#[doc(inline)]
pub use anabranch_core::{BufferCfg, BufferCfgError, HeapRecord, channel};

#[cfg(feature = "services")]
#[doc(inline)]
pub use anabranch_core::{
    Next, RestartPolicy, RunEnd, RunsOn, ServiceConfig, ServiceEnd, ServicePhase, ServiceState, StateRef, StopSignal,
    Supervisor,
};

#[cfg(all(feature = "services", feature = "alloc"))]
#[doc(inline)]
pub use anabranch_core::{
    AccessError, Anabranch, BuildError, BuildErrors, Builder, Ends, Graph, GraphLink, GraphRecord, GraphService,
    GraphServiceKind, Joined, LinkFrom, LinkProblem, LinkTo, NewBuilder, Position, Reads, RecordConfig, RecordStatus,
    RunError, ServiceDraft, ServiceFailure, ServiceSpec, ServiceStatus, Shutdown, Stop, Tap, Taps, Unwired, Writes,
};

#[doc(inline)]
pub use anabranch_core::{
    Address, AddressError, Ask, Backoff, Bound, ConnectionState, ConnectorConfig, Decode, DecodeError, Delivered,
    Encode, EncodeError, Filter, Inlet, InletOf, LinkCounts, LinkDirection, LinkError, LinkErrorKind, LinkFailure,
    LinkIn, LinkOut, LinkRoutes, LinkSet, Links, Offline, Outlet, OutletOf, Payload, PayloadFull, PublishError,
    RoutedHere, RoutedValue, Routes, StaticLink, Words,
};

#[cfg(all(feature = "services", feature = "alloc"))]
#[doc(inline)]
pub use anabranch_core::{
    Connection, Connector, ConnectorBuilder, ConnectorError, ConnectorRun, ConnectorStatus, InboundRoute, LinkStatus,
    OutboundRoute, Resource, Routed, Router, RouterBuilder, Running,
};

#[cfg(feature = "cbor")]
#[doc(inline)]
pub use anabranch_core::Cbor;

#[cfg(any(feature = "json", feature = "json-core"))]
#[doc(inline)]
pub use anabranch_core::Json;

#[cfg(feature = "postcard")]
#[doc(inline)]
pub use anabranch_core::Postcard;

#[cfg(feature = "macros")]
#[doc(inline)]
pub use anabranch_macros::RecordKey;

#[cfg(all(feature = "macros", feature = "services"))]
#[doc(inline)]
pub use anabranch_macros::service;

#[cfg(feature = "tokio-runtime")]
#[doc(inline)]
pub use anabranch_tokio::TokioAdapter;

#[cfg(feature = "sim-runtime")]
#[doc(inline)]
pub use anabranch_sim::SimAdapter;

#[cfg(feature = "wasm-runtime")]
#[doc(inline)]
pub use anabranch_wasm::WasmAdapter;

/// Links to MQTT brokers.
#[cfg(feature = "mqtt")]
pub mod mqtt {
    pub use anabranch_mqtt::*;
}

/// The versioned store: every version of every key, as of any moment.
#[cfg(feature = "store")]
pub mod store {
    pub use anabranch_store::*;
}

/// The values that the store keeps.
#[cfg(feature = "store")]
pub mod value {
    pub use anabranch_value::*;
}

/// The store on disk.
#[cfg(feature = "redb")]
pub mod redb {
    pub use anabranch_redb::*;
}

/// Everything of the adapter for Tokio.
#[cfg(feature = "tokio-runtime")]
pub mod tokio {
    pub use anabranch_tokio::*;
}

/// Everything of the adapter for deterministic simulation.
#[cfg(feature = "sim-runtime")]
pub mod sim {
    pub use anabranch_sim::*;
}

/// Everything of the adapter for JavaScript hosts.
#[cfg(feature = "wasm-runtime")]
pub mod wasm {
    pub use anabranch_wasm::*;
}

/// Everything of the adapter for Embassy. `EmbassyAdapter` itself is there on targets without an operating system.
#[cfg(feature = "embassy-runtime")]
pub mod embassy {
    pub use anabranch_embassy::*;
}

/// The code of the README and of the guide compiles and does what it says.
#[cfg(all(
    doctest,
    feature = "tokio-runtime",
    feature = "sim-runtime",
    feature = "macros",
    feature = "services",
    feature = "mqtt",
    feature = "json",
    feature = "store"
))]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/guide/links.md")]
#[doc = include_str!("../../../docs/guide/boards.md")]
#[doc = include_str!("../../../docs/guide/keep.md")]
struct ReadmeAndGuide;
