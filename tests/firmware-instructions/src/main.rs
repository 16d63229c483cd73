//! Counts the instructions that a value costs on a Cortex-M, in records and over MQTT, and the same written by hand with
//! `embassy-sync` and `rust-mqtt`.
//!
//! ```text
//! cargo run --profile shipped --target thumbv7m-none-eabi -p firmware-instructions
//! ```
//!
//! Prints a table, and each case as a line of `JSON {…}`; exits with 1 when a bound does not hold.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod between_tasks;
#[cfg(target_os = "none")]
mod broker;
#[cfg(target_os = "none")]
mod by_hand;
#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod in_one_task;
#[cfg(target_os = "none")]
mod linked;
#[cfg(target_os = "none")]
mod over_mqtt;
#[cfg(target_os = "none")]
mod report;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile shipped --target thumbv7m-none-eabi`");
}
