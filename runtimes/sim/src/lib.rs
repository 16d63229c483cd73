//! The runtime contract in deterministic simulation: virtual time, seeded scheduling, a trace.
//!
//! Code that is written against [`anabranch_executor`] runs here as it is, in a world where everything that is
//! otherwise left to chance is decided by one number, the *seed*. A test runs the same scenario under thousands of
//! seeds, each a different course of events, in virtual time: a day passes as soon as nobody has anything to do.
//!
//! ```text
//!   Sim::new(seed) ── adapter() ──▶ SimAdapter ──▶ the code under test: tasks, sleeps, blocking work
//!        │                                                    │
//!   block_on · run · run_for                          ready tasks ◀── timers
//!        │                                                    │
//!        └──▶ picks one of the ready tasks by the seed, polls it; when none is ready, moves time
//!                                   │
//!                                   └──▶ Trace: what was decided, the same for the same seed, byte for byte
//! ```
//!
//! **The contract:** the same seed gives the same trace, as long as the code under test takes time, chance and tasks
//! from the adapter alone. [`check`] runs every seed twice to see whether it does.
//!
//! ```
//! use anabranch_executor::{Duration, RuntimeExt, SpawnDynamically};
//!
//! anabranch_sim::check(0..100, |sim| {
//!     let adapter = sim.adapter();
//!     let reply = adapter.spawn_after(Duration::from_secs(3), async { "pong" });
//!     let reply = sim.block_on(adapter.timeout(Duration::from_secs(5), reply))???;
//!     assert_eq!(reply, "pong");
//!     Ok(())
//! });
//! ```
//!
//! Hosts of one simulation talk over a network that loses, delays and repeats packets when told so; code under test
//! sees it through [`Network`](anabranch_executor::Network), as it would a real one:
//!
//! ```
//! use anabranch_executor::{ByteStreamExt, Endpoint, Network, SpawnDynamically, Transport};
//! use anabranch_sim::{NetworkFaults, SimOptions};
//!
//! SimOptions::default().network(NetworkFaults::harsh()).check(0..20, |sim| {
//!     let (server, client) = (sim.adapter().on_host("server"), sim.adapter().on_host("board-7"));
//!     let mut listener = server.listen(7)?;
//!     drop(server.spawn(async move {
//!         let (mut stream, _peer) = listener.accept().await.unwrap();
//!         let mut buffer = [0; 64];
//!         while let Ok(read @ 1..) = stream.read(&mut buffer).await {
//!             stream.write_all(&buffer[..read]).await.unwrap();
//!         }
//!     }));
//!     sim.block_on(async move {
//!         let mut stream = client.connect(&Endpoint { host: "server", port: 7, transport: Transport::Tcp }).await?;
//!         stream.write_all(b"hello").await?;
//!         let (mut echo, mut read) = ([0; 5], 0);
//!         while read < echo.len() {
//!             read += stream.read(&mut echo[read..]).await?;
//!         }
//!         assert_eq!(&echo, b"hello");
//!         Ok(())
//!     })?
//! });
//! ```
//!
//! When a seed fails, the message names it, and `ANABRANCH_SIM_SEED=17 cargo test` runs that one alone.
//!
//! | to | take |
//! |---|---|
//! | run a scenario under many seeds | [`check`]; [`SimOptions::check`] with faults, limits, another start |
//! | run one world and look at it | [`Sim`]: [`block_on`](Sim::block_on), [`run`](Sim::run), [`run_for`](Sim::run_for), [`counts`](Sim::counts), [`trace`](Sim::trace) |
//! | make timers late, hold tasks up, abort some | [`Faults`] |
//! | lose, delay, repeat and split what goes over the network | [`NetworkFaults`] |
//! | cut hosts off, crash and restart them | [`SimNetwork`] |
//! | listen where code under test connects to | [`SimAdapter::listen`], [`SimListener`] |
//! | find what waits for ever, or loops | [`SimError`], which names the tasks |
//! | draw random numbers, write into the trace, name a task | [`SimAdapter`] |
//!
//! What the seed does not decide, and a scenario must keep out: the order of a `std` `HashMap` (its hasher is seeded by
//! the system; a `BTreeMap` has an order), real clocks, threads and sockets, addresses of memory, globals that an
//! earlier run changed.
#![forbid(unsafe_code)]

mod adapter;
mod check;
mod error;
mod network;
mod options;
mod random;
mod scheduler;
mod sim;
mod task;
mod timers;
mod trace;

pub use adapter::{SimAdapter, SimInstant, SimSleep};
pub use check::{Explored, Failure, SEED_VARIABLE, Verdict, Why, check};
pub use error::SimError;
pub use network::{ListenError, NetworkCounts, NetworkFaults, SimListener, SimNetwork, SimPeer, SimStream};
pub use options::{Faults, SimOptions};
pub use sim::{Counts, Sim};
pub use task::{SimJoinHandle, TaskLabel};
pub use trace::Trace;
