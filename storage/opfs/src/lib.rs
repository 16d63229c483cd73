//! The store in a browser: the tables in a log and a tree of our own, small and without files that come and go.
//!
//! ```text
//!  OpfsBackend    one writer; views of the last commit                           backend.rs
//!    State        rows since the last checkpoint, in memory, over the tree       view.rs
//!    Log          each commit a record, one write and one sync                   log.rs, crc.rs
//!    Merger       a checkpoint: the rows into new nodes, beside the old ones     merge.rs, space.rs
//!    Nodes        reading the tree: checksums, the cache, cursors                nodes.rs, node.rs, cursor.rs
//!    Root         the header: which tree holds                                   header.rs
//!  Medium         two of them, open as long as the database                      anabranch_medium; in a browser opfs.rs
//!
//!  IndexedDb      where there is no OPFS: the tables in memory, kept in IndexedDB    indexed_db.rs
//! ```
//!
//! **The contract**, beside [`Backend`](anabranch_store::Backend)'s: when a commit fails for want of room or by an error of the
//! medium, readers go on, and the next commit is tried as if nothing had happened. Nothing that was altered on a medium is
//! ever served. Opening reads the log, which is short, and of the tree its header.
//!
//! A commit costs one write, and one sync where it is durable. Now and then (each [`Options::log`] bytes) one makes a checkpoint
//! first: it reads and writes the nodes in which something has changed since the last, and syncs twice.
//!
//! ```
//! use anabranch_medium::sim::SimPlace;
//! use anabranch_opfs::{OpfsBackend, Options};
//! use anabranch_store::{Backend, Batch, Durability, Table, View};
//!
//! let place = SimPlace::with_media(2);
//! let backend = OpfsBackend::open(place.fixed(0), place.fixed(1), Options::default())?;
//! let mut batch = Batch::new();
//! batch.put(Table::Meta, b"greeting", b"hello");
//! backend.commit(&batch, Durability::Immediate)?;
//! let mut found = Vec::new();
//! backend.view()?.get(Table::Meta, b"greeting", &mut |row| found = row.to_vec())?;
//! assert_eq!(found, b"hello");
//! # Ok::<(), anabranch_store::BackendError>(())
//! ```
#![forbid(unsafe_code)]

mod backend;
mod bytes;
mod crc;
mod cursor;
mod header;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod indexed_db;
mod log;
mod merge;
mod node;
mod nodes;
#[cfg(target_arch = "wasm32")]
mod opfs;
mod space;
mod trouble;
mod view;

pub use backend::{OpfsBackend, Options};
#[cfg(target_arch = "wasm32")]
pub use indexed_db::IndexedDb;
#[cfg(target_arch = "wasm32")]
pub use opfs::open_opfs;
pub use view::OpfsView;
