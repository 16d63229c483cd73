//! Records and services: the record layer of Anabranch.
#![no_std]
#![deny(missing_docs)]

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
mod producer;
mod record;
mod start;
mod supervise;
mod sync;

pub use buffer::{
    Buffer, BufferKind, ConstBuffer, Latest, Mailbox, NoSeats, Queue, QueueSeats, Ring, Seat, SeatStore, Seats,
    SlotStore,
};
pub use consumer::{Consumer, RecvError, TryRecvError};
#[cfg(feature = "alloc")]
pub use database::{
    AccessError, Anabranch, BuildError, BuildErrors, Builder, Ends, Graph, GraphRecord, GraphService, GraphServiceKind,
    Joined, NewBuilder, Reads, RecordConfig, RecordStatus, RunError, ServiceDraft, ServiceFailure, ServiceSpec,
    ServiceStatus, Shutdown, Stop, Unwired, Writes,
};
#[cfg(feature = "alloc")]
pub use heap::{BufferCfg, BufferCfgError, HeapRecord, channel};
pub use key::RecordKey;
pub use producer::{Producer, SendError, TrySendError};
pub use record::{BufferStatus, ClaimError, Record};
pub use start::StartError;
pub use supervise::{
    Next, RestartPolicy, RunEnd, RunsOn, ServiceConfig, ServiceEnd, ServicePhase, ServiceState, StateRef, StopSignal,
    Supervisor,
};
