//! The versioned store of Anabranch.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod backend;

pub use backend::{Backend, BackendError, Batch, Direction, Durability, Table, Usage, View};
