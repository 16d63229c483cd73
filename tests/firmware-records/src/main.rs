//! An Embassy program with three records and two supervised services: its size beyond `firmware-empty` is what records
//! and services take.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
