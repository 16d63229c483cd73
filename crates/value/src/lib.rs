//! The one value type: what records hold when no Rust type says it, what the store keeps, what queries work on.
//!
//! ```text
//!   any Rust type  ──Value::from_serialize──▶            ──json::to_vec──▶   {"celsius":21.5}
//!    with serde    ◀──deserialize_into──────   Value    ◀──json::from_slice──
//!                                                │       ──cbor::to_vec──▶   a1 67 63…
//!                       Text   Map   Path        │       ◀──cbor::from_slice──
//!        Date  LocalTime  ZonedTime  LocalDateTime  ZonedDateTime  Duration
//!                                                │
//!             ==, Ord, Hash: to the last bit   ──┴──   order, Equivalent: as a query sees it
//! ```
//!
//! **The contract:** a value comes back exactly as it went in. Whatever writes it and reads it again ([`json`], [`cbor`], or
//! any format of serde that says what it holds) gives a value that is `==` to it, and `==` looks at every bit: integers are
//! not floats, -0.0 is not 0.0, bytes are not text, keys stand in their order. And no input makes it panic, nest without
//! bound or set aside memory for what never comes: what cannot be a value is an error that says where and what to do.
//!
//! ```
//! use anabranch_value::{Value, ValueError, cbor, json, value};
//!
//! let reading = json::from_str(r#"{"device": "boiler", "celsius": 21.0, "id": 9007199254740993}"#)?;
//! assert_eq!(reading, value!({ "device": "boiler", "celsius": 21.0, "id": 9007199254740993_i64 }));
//! assert_eq!(cbor::from_slice(&cbor::to_vec(&reading)?)?, reading);
//! assert_eq!(reading.get_path(&"celsius".parse()?), Some(&Value::Float(21.0)));
//! // To the store, 21 is another value; to a query, it is the same number.
//! assert_ne!(value!(21), value!(21.0));
//! assert!(value!(21).order(&value!(21.0)).is_eq());
//! # Ok::<(), ValueError>(())
//! ```
//!
//! The crate is `no_std` with a heap, and holds no `unsafe`. It needs atomic pointers, which ARMv6-M has not.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod map;
mod order;
mod path;
mod tagged;
mod temporal;
mod text;
mod value;

mod deserialize;
mod from_value;
mod serialize;
mod to_value;

pub mod cbor;
pub mod json;

pub use error::{Place, ValueError};
pub use map::Map;
pub use order::Equivalent;
pub use path::{Path, Step};
pub use temporal::{Date, Duration, LocalDateTime, LocalTime, ZonedDateTime, ZonedTime};
pub use text::Text;
pub use value::{Kind, Value};

/// How deep values may nest where they are read and written: a list in a list is 2 deep.
///
/// Whatever walks a value goes down the stack for each level: less than 500 bytes, on a 64-bit machine with optimisations.
/// Without a limit, a few kilobytes of `[[[[…` from a stranger would end the process.
pub const MAX_DEPTH: usize = 64;
