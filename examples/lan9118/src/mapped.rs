//! The chip where the MPS2 boards have it in memory, and its interrupt. The unsafe of device access stands here.

use crate::{Buffers, Counts, Lan9118, Register, Registers, Shared, StartError};
use board_mps2::Interrupt;
use core::{
    ptr::{read_volatile, write_volatile},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// As AN385 has it. A board of one's own differs here, and in the interrupt's name below.
const BASE: usize = 0x4020_0000;

static SHARED: Shared = Shared::new();

/// The board's chip.
#[derive(Debug)]
pub struct Mapped(());

impl Registers for Mapped {
    fn read(&self, register: Register) -> u32 {
        // SAFETY: each `Register` is a word-aligned register of the device that this board has at `BASE`; the device has
        // no DMA, so reading has no side effect on memory.
        unsafe { read_volatile((BASE + register as usize) as *const u32) }
    }

    fn write(&self, register: Register, value: u32) {
        // SAFETY: as for `read`: without DMA a write changes no memory that Rust knows.
        unsafe { write_volatile((BASE + register as usize) as *mut u32, value) }
    }
}

/// Starts the board's chip, which answers to `address` from now on.
///
/// # Errors
/// [`StartError`]: there is no chip, it does not answer, or it was started before.
pub fn start(address: [u8; 6], buffers: &'static mut Buffers) -> Result<Lan9118<Mapped>, StartError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // A core, and no interrupt handler that starts a chip: a load and a store do.
    if TAKEN.load(Relaxed) {
        return Err(StartError::Taken);
    }
    TAKEN.store(true, Relaxed);
    let driver = Lan9118::new(Mapped(()), address, buffers, &SHARED)?;
    Interrupt::ETHERNET.enable();
    Ok(driver)
}

/// What the driver has counted so far.
#[must_use]
pub fn counts() -> Counts {
    SHARED.counts()
}

/// Quiet until the stack has looked, and let out what it waits for again.
#[unsafe(no_mangle)]
extern "C" fn ETHERNET() {
    Mapped(()).write(Register::IntEn, 0);
    SHARED.interrupted();
}
