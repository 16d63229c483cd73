//! The registers this board support uses, as AN385 and the CMSDK manual (DDI 0479) name them. The unsafe of device access
//! stands here.

use core::ptr::{read_volatile, write_volatile};

/// One 32-bit device register.
pub(crate) struct Register(usize);

impl Register {
    pub(crate) fn read(&self) -> u32 {
        // SAFETY: every `Register` is one of the constants below: a word-aligned register of a device that this board
        // has, whose reading has no side effect on memory.
        unsafe { read_volatile(self.0 as *const u32) }
    }

    pub(crate) fn write(&self, value: u32) {
        // SAFETY: as for `read`; these devices have no DMA, so a write changes no memory that Rust knows.
        unsafe { write_volatile(self.0 as *mut u32, value) }
    }
}

/// The frequency of every clock of the boards.
pub(crate) const CLOCK_HZ: u32 = 25_000_000;

/// "FPGA system control and I/O": a free running counter behind a prescaler.
pub(crate) mod fpgaio {
    use super::Register;
    /// Goes up once a second.
    pub(crate) const SECONDS: Register = Register(0x4002_8010);
    /// Goes up each time the prescaler reaches zero; wraps at 2^32.
    pub(crate) const COUNTER: Register = Register(0x4002_8018);
    /// The prescaler divides the clock by this plus one.
    pub(crate) const PRESCALE: Register = Register(0x4002_801c);
}

/// One of the two 32-bit down counters of the CMSDK dual timer.
pub(crate) struct Timer {
    pub(crate) load: Register,
    pub(crate) value: Register,
    pub(crate) control: Register,
    pub(crate) clear: Register,
}

impl Timer {
    const fn at(base: usize) -> Self {
        Timer {
            load: Register(base),
            value: Register(base + 4),
            control: Register(base + 8),
            clear: Register(base + 12),
        }
    }

    /// In `control`: stop at zero instead of wrapping.
    pub(crate) const ONE_SHOT: u32 = 1;
    /// In `control`: count 32 bits and not 16.
    pub(crate) const WIDE: u32 = 1 << 1;
    /// In `control`: interrupt at zero.
    pub(crate) const INTERRUPT: u32 = 1 << 5;
    /// In `control`: run.
    pub(crate) const ENABLE: u32 = 1 << 7;
}

/// Free for measuring.
pub(crate) const STOPWATCH: Timer = Timer::at(0x4000_2000);
/// Wakes the clock.
pub(crate) const ALARM: Timer = Timer::at(0x4000_2020);
