//! Services that wait let the core sleep: the wake-ups are counted, and are the timers that were due; an hour of them
//! takes no more of the stack, and of records, than some minutes did. Virtual time counts instructions, so all of it is exact.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod house;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
