//! The conformance suite for networks, and what this adapter promises beside it, on Embassy in QEMU: two stacks of
//! `embassy-net`, joined by a cable that is made of memory. No network outside is needed, and each run is the same.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod cable;
#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod peers;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
