//! The heap: a first-fit allocator over a static.

use embedded_alloc::LlffHeap;

/// A thousand tasks at once are in the suite, and what compresses cold segments takes some 300 KB.
const BYTES: usize = 1_024 * 1_024;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// Once, and first of all.
pub fn start() {
    // SAFETY: called once, at the beginning of `main`, before anything is allocated; the memory is the macro's own.
    unsafe {
        embedded_alloc::init!(HEAP, BYTES);
    }
}

/// How many bytes are taken.
pub fn used() -> usize {
    HEAP.used()
}
