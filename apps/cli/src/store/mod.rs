//! The commands that work on a store: every version of every key, as of any moment.
//!
//! ```text
//!  write.rs · lines.rs       put, delete
//!  read.rs                   get, history, list
//!  diff.rs · why.rs          what changed, what it was made from
//!  follow.rs                 watch NS
//!  state.rs                  stats, verify
//!  transfer.rs               export, import
//!   database.rs · whole.rs   the store: a node's, or opened by the command itself
//!      place.rs              where it is · moment.rs: which version is meant · people.rs: how it is shown
//! ```

mod database;
mod diff;
mod follow;
mod lines;
mod moment;
mod people;
mod place;
mod read;
mod state;
mod transfer;
mod whole;
mod why;
mod write;

pub use diff::{DiffOf, diff};
pub use follow::{Following, follow, has_namespace};
pub use moment::moment;
pub use read::{Get, History, List, get, history, list};
pub use state::{StatsOf, Verify, stats, verify};
pub use transfer::{Export, Import, export, import};
pub use why::{Why, why};
pub use write::{Delete, Put, delete, put};
