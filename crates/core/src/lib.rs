//! Records and services: the record layer of Anabranch, for every runtime, with or without a heap.
//!
//! ```text
//!  Producer ──▶ Record ──▶ service ──▶ Record ──▶ Consumer
//!                 │           │
//!         Ring · Latest   Supervisor: restarts, back-off, limits      Anabranch::builder() puts all of it together,
//!      Mailbox · Queue                                                and finds every error of it (with `alloc`)
//! ```
//!
//! **The contract:** a value is numbered when it is put into its record; a consumer is a cursor over the numbers; whoever
//! waits is woken after the value it waits for can be taken. Dropping old values and waking happen outside the record's
//! lock; only a value's `Clone` runs inside it.
//!
//! ```
//! use anabranch_core::{Queue, Record, TrySendError};
//!
//! static JOBS: Record<u32, Queue<2>> = Record::new("jobs");
//!
//! let (producer, mut consumer) = (JOBS.producer()?, JOBS.consumer()?);
//! assert_eq!(producer.try_send(1), Ok(0)); // its sequence number
//! assert_eq!(producer.try_send(2), Ok(1));
//! assert_eq!(producer.try_send(3), Err(TrySendError::Full(3)));
//! assert_eq!(consumer.try_recv(), Ok(1));
//! assert_eq!(producer.try_send(3), Ok(2));
//! # Ok::<(), anabranch_core::ClaimError>(())
//! ```
//!
//! Applications depend on the façade `anabranch`, which re-exports what is here.
#![no_std]
#![allow(
    clippy::arc_with_non_send_sync,
    reason = "what connectors hold is `Send` where tasks move between threads, as `MaybeSend` decides; elsewhere it need not be"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod buffer;
mod consumer;
#[cfg(feature = "alloc")]
mod database;
#[cfg(feature = "alloc")]
mod heap;
mod key;
mod link;
mod producer;
mod record;
mod start;
mod supervise;
mod sync;

pub use buffer::{
    Buffer, BufferKind, ConstBuffer, Latest, Mailbox, NoSeats, Queue, QueueSeats, Ring, Seat, SeatStore, Seats,
    SlotStore,
};
#[cfg(feature = "alloc")]
pub use buffer::{Position, Tap};
pub use consumer::{Consumer, RecvError, TryRecvError};
#[cfg(feature = "alloc")]
pub use database::{
    AccessError, Anabranch, BuildError, BuildErrors, Builder, Ends, Graph, GraphLink, GraphRecord, GraphService,
    GraphServiceKind, Joined, LinkFrom, LinkProblem, LinkTo, NewBuilder, Reads, RecordConfig, RecordStatus, RunError,
    ServiceDraft, ServiceFailure, ServiceSpec, ServiceStatus, Shutdown, Stop, Taps, Unwired, Writes,
};
#[cfg(feature = "alloc")]
pub use heap::{BufferCfg, BufferCfgError, HeapRecord, channel};
pub use key::RecordKey;
#[cfg(feature = "cbor")]
pub use link::Cbor;
#[cfg(any(feature = "json", feature = "json-core"))]
pub use link::Json;
#[cfg(feature = "postcard")]
pub use link::Postcard;
pub use link::{
    Address, AddressError, Ask, Backoff, Bound, ConnectionState, ConnectorConfig, Decode, DecodeError, Delivered,
    Encode, EncodeError, Filter, Inlet, InletOf, LinkCounts, LinkDirection, LinkError, LinkErrorKind, LinkFailure,
    LinkIn, LinkOut, LinkRoutes, LinkSet, Links, Offline, Outlet, OutletOf, Payload, PayloadFull, PublishError,
    RoutedHere, RoutedValue, Routes, StaticLink, Words,
};
#[cfg(feature = "alloc")]
pub use link::{
    Connection, Connector, ConnectorBuilder, ConnectorError, ConnectorRun, ConnectorStatus, InboundRoute, LinkStatus,
    OutboundRoute, Resource, Routed, Router, RouterBuilder, Running,
};
pub use producer::{Producer, SendError, TrySendError};
pub use record::{BufferStatus, ClaimError, Record};
pub use start::StartError;
pub use supervise::{
    Next, RestartPolicy, RunEnd, RunsOn, ServiceConfig, ServiceEnd, ServicePhase, ServiceState, StateRef, StopSignal,
    Supervisor,
};
