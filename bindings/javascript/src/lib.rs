//! The engine of the npm package `anabranch`: one WebAssembly module, spoken to in messages of CBOR.
//!
//! ```text
//!   js/database.js    what users call          db.put("plant", "boiler", { celsius: 21.5 })
//!        │ ▲
//!   js/values.js      values ◀──▶ CBOR         "put" "plant" "boiler" null {"celsius": 21.5}
//!        │ ▲
//!        │ │          in the page, or through a worker, or through another tab: the same bytes
//!        ▼ │
//!   Engine::call      a call in, its answer out        events ──▶ emit(kind, id, bytes)
//! ```
//!
//! **The contract:** a call that is wrong is answered with a code and a sentence, and changes nothing. Nothing that JavaScript
//! hands in makes the module panic; if it panics all the same, whoever holds it is told at each later call.
#![forbid(unsafe_code)]

mod again;
mod code;
mod engine;
#[cfg(feature = "file")]
mod file;
mod follow;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "records")]
mod records;
mod store;
mod transfer;
mod wire;

pub use engine::Engine;
