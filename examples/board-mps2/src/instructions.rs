//! Exact numbers of executed instructions, by letting QEMU's clock count them.
//!
//! With `-icount shift=7`, QEMU's virtual time is the number of executed instructions times 2^7 ns. The dual timer
//! counts that time in steps of 40 ns. A difference of two readings is right to one step; one step is less than half an
//! instruction, so rounding gives *the* number, for a single run of any piece of code, the same every time.

use crate::{
    interrupts::Interrupt,
    registers::{CLOCK_HZ, STOPWATCH, Timer},
};
use core::{arch::asm, fmt, hint::black_box};

const NANOS_PER_STEP: u32 = 1_000_000_000 / CLOCK_HZ;

/// How many instructions the block that calibrates has.
const KNOWN: u32 = 1_000;

/// The clock does not count instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotExact;

impl fmt::Display for NotExact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the board's time does not count instructions; run QEMU with `-icount shift=7` (7 to 10)")
    }
}

impl core::error::Error for NotExact {}

/// Counts the instructions that a piece of code executes.
#[derive(Debug, Clone, Copy)]
pub struct InstructionCounter {
    nanos_per_instruction: u32,
    /// What counting costs by itself.
    overhead: u32,
}

impl InstructionCounter {
    /// Finds out how QEMU's clock counts, and checks it with code whose instructions are known.
    ///
    /// # Errors
    /// [`NotExact`] where the numbers would not be exact: on hardware, or when QEMU runs without `-icount`.
    pub fn calibrate() -> Result<Self, NotExact> {
        STOPWATCH.control.write(Timer::WIDE | Timer::ENABLE); // free running from 2^32 - 1, without interrupts

        // SAFETY: the block does nothing.
        let known = steps(&mut || unsafe {
            asm!(".rept {n}", "nop", ".endr", n = const KNOWN, options(nomem, nostack, preserves_flags));
        });
        let empty = steps(&mut || ());
        let nanos_per_instruction = ((known.wrapping_sub(empty)) * NANOS_PER_STEP).saturating_add(KNOWN / 2) / KNOWN;
        if !matches!(nanos_per_instruction, 128 | 256 | 512 | 1024) {
            return Err(NotExact);
        }

        let mut counter = InstructionCounter { nanos_per_instruction, overhead: 0 };
        counter.overhead = counter.of(|| ());
        // Two instructions a round, however many rounds.
        let spin = |rounds: u32| {
            // SAFETY: it changes the one register that it declares.
            counter.of(|| unsafe { asm!("2: subs {0}, #1", "bne 2b", inout(reg) rounds => _, options(nomem, nostack)) })
        };
        let once = spin(1);
        if [2, 7, 1_000, 100_000].into_iter().any(|rounds| spin(rounds) != once + 2 * (rounds - 1)) {
            return Err(NotExact);
        }
        Ok(counter)
    }

    /// The number of instructions that `work` executes, its call and return not counted. The clock's interrupt
    /// waits meanwhile; that of a device which the firmware has enabled itself is counted where it comes in.
    ///
    /// Let `work` hand what it computes to [`black_box`], or there may be nothing left to count.
    pub fn of(&self, mut work: impl FnMut()) -> u32 {
        let nanos = u64::from(steps(&mut work)) * u64::from(NANOS_PER_STEP);
        let instructions = (nanos + u64::from(self.nanos_per_instruction / 2)) / u64::from(self.nanos_per_instruction);
        (instructions as u32).saturating_sub(self.overhead)
    }
}

/// The steps of the timer that `work` takes. Behind a reference and never inlined, so that what surrounds `work` is the same
/// code for every `work`. No critical section, as one inside `work` takes another path when it is nested.
#[inline(never)]
fn steps(work: &mut dyn FnMut()) -> u32 {
    let work = black_box(work);
    Interrupt::DUAL_TIMER.held_back(|| {
        let start = STOPWATCH.value.read(); // counts down
        work();
        start.wrapping_sub(STOPWATCH.value.read())
    })
}
