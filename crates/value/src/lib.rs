//! The one value type of Anabranch.
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
/// Whatever walks a value goes one stack frame down for each level. Without a limit, a few kilobytes of `[[[[…` from a
/// stranger would end the process.
pub const MAX_DEPTH: usize = 100;
