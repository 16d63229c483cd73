//! The versioned store of Anabranch: every version of every key, as of any moment, with its causes.
//!
//! ```text
//!   put, put_if, write_batch, delete ──▶ Store ──group commit──▶ Engine ──Batch──▶ Backend: tables of rows
//!   get ◀──── hot tier: newest versions, decoded ────┘                               │
//!   get_at, history, snapshot_at, diff, list, why, subscribe ◀──── Reader ◀──View────┘
//! ```
//!
//! - `Store` is the handle: cloned freely, used from any thread. Writers that come together share one commit; readers never
//!   wait for them.
//! - [`Engine`] is the one writer, a state machine that is handed the time; [`Reader`] asks a view of the tables.
//! - [`Backend`] is the seam to where bytes are kept: [`Memory`], or the crates under `storage/`.
//!
//! **The contract:** a write that has returned is in the database for good (under [`Durability::Relaxed`]: once a later one
//! that is not has returned), as one more version of its key, after all that were written before. A version never
//! changes, so what is read as of a moment that has passed is the same for ever.
//!
//! The engine is `no_std` with a heap; the feature `std` brings the handle.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod backend;
mod causes;
mod chains;
mod codec;
mod cold;
mod cooling;
mod crc;
mod deep;
mod diff;
mod dropping;
mod engine;
mod error;
mod lifecycle;
mod memory;
mod named;
mod read;
mod retention;
mod seen;
mod segment;
mod stats;
mod tally;
mod tiers;
mod timestamp;
mod transfer;
mod tree;
mod verify;
mod version;
mod version_id;
mod write;

#[cfg(feature = "std")]
mod caretaker;
#[cfg(feature = "std")]
mod follow;
#[cfg(feature = "std")]
mod hot;
#[cfg(feature = "std")]
mod pieces;
#[cfg(feature = "std")]
mod snapshot;
#[cfg(feature = "std")]
mod store;
#[cfg(feature = "std")]
mod subscribe;

pub use backend::{Backend, BackendError, Batch, Direction, Durability, Table, Usage, View, Visit};
pub use causes::{Step, Trace};
pub use crc::crc32c;
pub use diff::{Diff, Difference, Moment};
pub use engine::Engine;
pub use error::{ImportError, StoreError};
pub use lifecycle::{Lifecycle, Maintained};
pub use memory::{Memory, MemoryView};
#[cfg(feature = "std")]
pub use pieces::{Exporting, Importing};
pub use read::{Place, Reader};
pub use retention::Retention;
pub use seen::Seen;
#[cfg(feature = "std")]
pub use snapshot::Snapshot;
pub use stats::{Stats, Tier};
#[cfg(feature = "std")]
pub use store::{Clock, Options, Store, Ticket};
#[cfg(feature = "std")]
pub use subscribe::{Start, Subscription};
pub use timestamp::{BadTimestamp, Timestamp};
pub use transfer::{Exported, Imported, Sink, Source};
pub use tree::Tree;
pub use verify::{Damage, Verified};
pub use version::{Causes, KeyedVersion, Page, VersionedValue};
pub use version_id::{BadVersionId, VersionId};
pub use write::{Expected, MAX_CAUSES, MAX_KEY, MAX_NAMESPACE, MAX_VALUE, Write};
