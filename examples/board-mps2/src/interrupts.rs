//! The vector table, and the names of the interrupts that drivers on this board handle.

use cortex_m::{interrupt::InterruptNumber, peripheral::NVIC};

/// An interrupt of the board. A driver handles one with `#[unsafe(no_mangle)] extern "C" fn` of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "as the linker script and other device crates spell interrupts")]
#[repr(u16)]
pub enum Interrupt {
    /// Both timers of the CMSDK dual timer; the clock's.
    DUAL_TIMER = 10,
    /// The LAN9118 Ethernet controller.
    ETHERNET = 13,
}

// SAFETY: the numbers are those that AN385 gives, each below the 32 lines that the table has.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

impl Interrupt {
    /// Lets the interrupt in. Its handler must be ready.
    pub fn enable(self) {
        // SAFETY: unmasking could break a critical section made of masks; this board's are made of PRIMASK.
        unsafe { NVIC::unmask(self) }
    }

    /// Keeps the interrupt waiting while `work` runs.
    pub(crate) fn held_back<T>(self, work: impl FnOnce() -> T) -> T {
        let enabled = NVIC::is_enabled(self);
        NVIC::mask(self);
        let value = work();
        if enabled {
            self.enable();
        }
        value
    }
}

unsafe extern "C" {
    fn DefaultHandler();
    fn DUAL_TIMER();
    fn ETHERNET();
}

/// What cortex-m-rt places behind the core's own vectors.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = {
    let mut table = [DefaultHandler as unsafe extern "C" fn(); 32];
    table[Interrupt::DUAL_TIMER as usize] = DUAL_TIMER;
    table[Interrupt::ETHERNET as usize] = ETHERNET;
    table
};
