//! Checks the LAN9118's driver in QEMU, whose own network is all that is outside: it gives addresses, and refuses.
//!
//! QEMU needs `-nic user,model=lan9118`, and no `-icount`: what is outside has the time of the world.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
