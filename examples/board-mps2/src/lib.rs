//! Board support for QEMU's `mps2-an385` (Cortex-M3) and `mps2-an386` (Cortex-M4F): what stands between a firmware
//! and the emulated hardware, small enough to read before porting to a board of one's own.
//!
//! | file | gives |
//! |---|---|
//! | `clock.rs` | the time driver of `embassy-time`: 1 µs ticks, 64 bits, no periodic interrupt |
//! | `executor.rs` | `Executor`: runs Embassy's tasks, and sleeps by `WFI` when none is ready; `wake_ups`; `SteppedExecutor` |
//! | `console.rs` | `println!`, `exit` and `panic_exits!` by semihosting |
//! | `instructions.rs` | `InstructionCounter`: exact numbers of executed instructions |
//! | `stack.rs` | `stack::paint`, `stack::high_water`: how deep the stack has gone |
//! | `interrupts.rs` | the vector table and the interrupts' names |
//! | `registers.rs` | the devices' registers |
//!
//! A firmware is a package with this dependency and nothing of its own for the linker but `-Tlink.x`:
//!
//! ```ignore
//! #[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
//! async fn main(spawner: Spawner) {
//!     board_mps2::println!("hello");
//!     board_mps2::exit(0)
//! }
//! board_mps2::panic_exits!();
//! ```
//!
//! ```text
//! qemu-system-arm -M mps2-an385 -nographic -monitor none -serial null \
//!     -semihosting-config enable=on,target=native -icount shift=7,sleep=off -kernel FIRMWARE
//! ```
//!
//! With `-icount shift=7,sleep=off`, QEMU's time is the number of executed instructions (128 ns each), and a sleeping
//! board's time jumps to its next timer: a run takes no longer than its work, and is the same every time. Leave it away
//! when the firmware talks to something outside, whose time is the real one.
//!
//! The panic handler is the application's; `panic_exits!` makes one that suits tests in QEMU.
#![no_std]

#[cfg(target_os = "none")]
mod clock;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod executor;
#[cfg(target_os = "none")]
mod instructions;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod registers;
#[cfg(target_os = "none")]
pub mod stack;
#[cfg(any(target_os = "none", test))]
mod wide_count;

#[cfg(target_os = "none")]
mod board {
    pub use crate::clock::seconds;
    pub use crate::console::{Console, command_line, exit};
    pub use crate::executor::{Executor, SteppedExecutor, wake_ups};
    pub use crate::instructions::{InstructionCounter, NotExact};
    pub use crate::interrupts::Interrupt;
    pub use cortex_m_rt::entry;
}
#[cfg(target_os = "none")]
pub use board::*;
