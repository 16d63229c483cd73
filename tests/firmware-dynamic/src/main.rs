//! The conformance suites that need a heap, run on Embassy in QEMU: tasks that are spawned as one goes, and records whose
//! buffers are chosen when the program runs.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod allocator;
#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
