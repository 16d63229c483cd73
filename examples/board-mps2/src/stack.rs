//! How deep the stack has ever gone: what is below it is painted, and later one looks how much paint is left.
//!
//! The stack grows down from the end of the RAM, and interrupt handlers use the same one. Its first [`DEPTH`] bytes are
//! looked after; where the statics leave less than that, what they leave.

use core::{arch::asm, ptr};

/// How much of the stack is painted, in bytes: more than any program here needs. One that takes more is not seen to.
pub const DEPTH: usize = 64 * 1024;

/// A word that programs rarely write; one that does hides a word of its stack here.
const PAINT: u32 = 0xdead_57ac;

unsafe extern "C" {
    /// The linker script's names for where the stack begins, at the top, and for where the statics end.
    static _stack_start: u32;
    static __sheap: u32;
}

/// Where the stack begins.
fn top() -> usize {
    (&raw const _stack_start).addr()
}

/// Where the paint begins.
fn bottom() -> usize {
    let statics_end = (&raw const __sheap).addr();
    top().saturating_sub(DEPTH).max(statics_end)
}

/// Paints the stack that is not in use now, and so forgets how deep it has gone before. Call it early in `main`.
pub fn paint() {
    // SAFETY: the words between the statics and the stack pointer belong to no object of Rust, since no heap is linked.
    // The loop is one piece of assembly, so no call of its own puts a frame there while it paints; an interrupt's frame
    // is there only while the loop does not run.
    unsafe {
        asm!(
            "2:",
            "cmp {at}, sp",
            "bhs 3f",
            "str {paint}, [{at}], #4",
            "b 2b",
            "3:",
            at = inout(reg) bottom() => _,
            paint = in(reg) PAINT,
            options(nostack),
        );
    }
}

/// The most bytes that the stack has taken since [`paint`].
#[must_use]
pub fn high_water() -> usize {
    let mut at = bottom();
    // SAFETY: an aligned word of the board's RAM, between its statics and the top of its stack; reading it changes nothing,
    // and it is volatile because what lies there may be no object of Rust, or one that changes.
    while at < top() && unsafe { ptr::with_exposed_provenance::<u32>(at).read_volatile() } == PAINT {
        at += size_of::<u32>();
    }
    top() - at
}
