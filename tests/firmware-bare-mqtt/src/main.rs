//! Sensors to alerts over MQTT with nothing of ours but the signal and the types: `embassy-sync` between the tasks,
//! `embassy-net`, `rust-mqtt` and `serde-json-core`, as one would write it by hand. It does what the example does with
//! records and links, on the same board with the same driver, and so says what those cost.
//!
//! ```text
//! cargo build --profile firmware --target thumbv7m-none-eabi -p firmware-bare-mqtt
//! mosquitto -p 1883
//! qemu-system-arm -M mps2-an385 -nographic -monitor none -serial null -semihosting-config enable=on,target=native \
//!     -nic user,model=lan9118 -kernel target/thumbv7m-none-eabi/firmware/firmware-bare-mqtt
//! ```
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod buffer;
#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod mqtt;
#[cfg(target_os = "none")]
mod tasks;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
