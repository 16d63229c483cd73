//! Scenarios: databases of services and links to which everything happens that may happen, and what must hold all the same.
//!
//! ```text
//!  Scene (a runtime, chance) ──▶ scenario: records and services ──▶ run, shutdown ──▶ what was seen ──▶ Verdict
//!     │
//!     ├── in simulation: every seed is another course of events, with late timers, stalls, needless polls, aborts
//!     │                  links over MQTT run there alone: their hosts, line and broker are simulated, and fail, too
//!     └── on Tokio, both flavours: the same functions, with real threads and clocks
//! ```
//!
//! **The contract:** a scenario takes time and chance from its scene alone, so the same seed gives the same trace; and
//! it checks what was seen after everything has ended, so its checks say the same on every runtime.
#![forbid(unsafe_code)]

mod buffers;
mod crowd;
mod disk;
mod failing;
mod flows;
mod links;
mod mqtt;
mod scenario;
mod scene;
mod services;
mod shutdown;
mod tally;

pub use scenario::{Explored, Kind, Scenario, everywhere, in_simulation};
pub use scene::{Chance, Scene, queue, ring, with};
pub use services::*;
pub use tally::{Struck, Tally, Trouble, Verdict, holds, rising, same};
