//! What services and their `main` use: `use anabranch::prelude::*;`. The adapter is named beside it, as it is what a
//! `main` chooses.

pub use crate::{
    Consumer, Duration, Elapsed, JoinHandle, Latest, Mailbox, Moment, Producer, Queue, Record, RecordKey, RecvError,
    Ring, Runtime, RuntimeAdapter, RuntimeContext, RuntimeExt, SpawnBlocking, SpawnDynamically, SpawnStatically,
    StartError, TimeSource,
};

#[cfg(feature = "alloc")]
pub use crate::{BufferCfg, HeapRecord, channel};

#[cfg(feature = "services")]
pub use crate::ServiceEnd;

#[cfg(all(feature = "services", feature = "alloc"))]
pub use crate::Anabranch;

#[cfg(all(feature = "macros", feature = "services"))]
pub use crate::service;

#[cfg(all(feature = "store", feature = "services", feature = "std"))]
pub use crate::keep::{Keep, KeepValues, StoreOf, WithStore};
