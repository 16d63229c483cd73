//! Counts the instructions that a value costs on a Cortex-M, in records and in `embassy-sync` by hand.
//!
//! ```text
//! cargo run --release --target thumbv7m-none-eabi -p firmware-instructions
//! ```
//!
//! Prints a table, and each case as a line of `JSON {…}`; exits with 1 when a bound does not hold.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod between_tasks;
#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod in_one_task;
#[cfg(target_os = "none")]
mod report;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--release --target thumbv7m-none-eabi`");
}
