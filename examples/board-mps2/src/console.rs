//! Printing and ending by semihosting: breakpoints that QEMU (or a debug probe) takes as calls to the host.

use core::{arch::asm, fmt};

/// Writes text that ends with a zero byte.
const WRITE0: usize = 0x04;
/// Ends with a reason and an exit code.
const EXIT_EXTENDED: usize = 0x20;
/// The reason of a program that ended by itself.
const APPLICATION_EXIT: usize = 0x2_0026;

fn call(operation: usize, argument: *const ()) {
    // SAFETY: the semihosting call of M-profile cores; both operations used here only read what `argument` points to,
    // and the caller keeps it alive meanwhile. With no host attached the core stops at the breakpoint.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument, options(nostack, preserves_flags)) };
}

/// The host's standard output. Text is buffered to whole pieces, as each call to the host is slow.
#[derive(Debug)]
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(63) {
            let mut terminated = [0u8; 64];
            terminated[..piece.len()].copy_from_slice(piece);
            call(WRITE0, terminated.as_ptr().cast());
        }
        Ok(())
    }
}

/// Prints a line to the host's standard output.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {{
        let _ = ::core::fmt::Write::write_fmt(&mut $crate::Console, ::core::format_args!("{}\n", ::core::format_args!($($arg)*)));
    }};
}

/// Ends QEMU; `code` is its exit code.
pub fn exit(code: u8) -> ! {
    let block = [APPLICATION_EXIT, usize::from(code)];
    call(EXIT_EXTENDED, block.as_ptr().cast());
    loop {
        cortex_m::asm::wfi(); // only where no host answers
    }
}

#[cfg(feature = "panic-exit")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    exit(101)
}
