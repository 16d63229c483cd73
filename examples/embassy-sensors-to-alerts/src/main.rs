//! Sensors to alerts on a microcontroller, with links over MQTT. The program is in `firmware.rs`, its network in
//! `network.rs`; on any other target there is nothing to run.
//!
//! ```text
//! mosquitto -p 1883
//! cargo build --profile firmware --target thumbv7m-none-eabi -p embassy-sensors-to-alerts
//! qemu-system-arm -M mps2-an385 -nographic -monitor none -serial null -nic user,model=lan9118 \
//!     -semihosting-config enable=on,target=native,arg=board,arg=mqtt://10.0.2.2:1883 \
//!     -kernel target/thumbv7m-none-eabi/firmware/embassy-sensors-to-alerts
//! ```
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod network;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
