//! A first program on a microcontroller: two records in statics, and a service that makes one from the other. There is no
//! heap; `cargo run --profile firmware --target thumbv7m-none-eabi -p embassy-hello` runs it in QEMU.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
