//! Boards in QEMU, a real Mosquitto, and a peer on Tokio. They need QEMU and the target thumbv7m-none-eabi, so one asks for
//! them: `cargo test -p anabranch-boards -- --ignored`.

mod bad_input;
mod cable;
mod example;
mod flood;
mod hours;
mod latency;
mod life;
mod load;
mod restarts;
mod traps;
