//! Hands the linker this board's memory map and interrupt names, so that a firmware package needs no script of its own.

use std::{env, fs, path::PathBuf};

/// Code and vectors in the first SSRAM, data in the second: 4 MiB each, on both boards.
const MEMORY: &str = "MEMORY
{
  FLASH : ORIGIN = 0x00000000, LENGTH = 4M
  RAM   : ORIGIN = 0x20000000, LENGTH = 4M
}
";

/// Interrupts that nobody handles go to cortex-m-rt's default handler. The names are those of `src/interrupts.rs`.
const DEVICE: &str = "PROVIDE(DUAL_TIMER = DefaultHandler);
PROVIDE(ETHERNET = DefaultHandler);
";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), MEMORY).expect("OUT_DIR can be written");
    fs::write(out.join("device.x"), DEVICE).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=build.rs");
}
