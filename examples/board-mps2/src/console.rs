//! Printing and ending by semihosting: breakpoints that QEMU (or a debug probe) takes as calls to the host.

use core::{
    arch::asm,
    fmt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Opens a file of the host; `:tt` for writing is its standard output.
const OPEN: usize = 0x01;
/// Writes bytes to an open file.
const WRITE: usize = 0x05;
/// Writes the program's command line into memory.
const GET_COMMAND_LINE: usize = 0x15;
/// Ends with a reason and an exit code.
const EXIT_EXTENDED: usize = 0x20;
/// The reason of a program that ended by itself.
const APPLICATION_EXIT: usize = 0x2_0026;

fn call(operation: usize, block: &[usize]) -> usize {
    let answer;
    // SAFETY: the semihosting call of M-profile cores; the operations used here only read `block` and the text that it
    // points to, both alive in the caller. With no host attached the core stops at the breakpoint.
    unsafe {
        asm!("bkpt 0xab", inout("r0") operation => answer, in("r1") block.as_ptr(), options(nostack, preserves_flags));
    };
    answer
}

/// The program's command line: what QEMU was given as `arg=…` in `-semihosting-config`, with spaces between, as far as it
/// has a place in `place`; nothing where no host answers, or where it is no text.
pub fn command_line(place: &'static mut [u8]) -> Option<&'static str> {
    let mut block = [place.as_mut_ptr().addr(), place.len()];
    let answer: usize;
    // SAFETY: as for `call`; this operation writes into `block`, and so many bytes as `block` says into `place`, both of which
    // are borrowed mutably here.
    unsafe {
        asm!(
            "bkpt 0xab", inout("r0") GET_COMMAND_LINE => answer, in("r1") block.as_mut_ptr(),
            options(nostack, preserves_flags)
        );
    };
    let text = place.get(..block[1]).filter(|_| answer == 0)?;
    core::str::from_utf8(text).ok().map(|text| text.trim_end_matches('\0'))
}

/// The host's standard output.
#[derive(Debug)]
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        /// The open file's number plus one; zero before it is open.
        static OUTPUT: AtomicUsize = AtomicUsize::new(0);
        if OUTPUT.load(Relaxed) == 0 {
            const FOR_WRITING: usize = 4;
            let name = c":tt";
            let handle = call(OPEN, &[name.as_ptr().addr(), FOR_WRITING, name.count_bytes()]);
            OUTPUT.store(handle.wrapping_add(1), Relaxed);
        }
        match OUTPUT.load(Relaxed).checked_sub(1) {
            Some(handle) if call(WRITE, &[handle, text.as_ptr().addr(), text.len()]) == 0 => Ok(()),
            _ => Err(fmt::Error),
        }
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
    call(EXIT_EXTENDED, &[APPLICATION_EXIT, usize::from(code)]);
    loop {
        cortex_m::asm::wfi(); // only where no host answers
    }
}

/// A panic handler that suits tests in QEMU: prints the message, and exits with code 101. A product's handler records the
/// message where it survives, and resets the board.
///
/// A macro and not a feature of this crate, as a feature would reach every firmware that is built in one go.
#[macro_export]
macro_rules! panic_exits {
    () => {
        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::println!("{info}");
            $crate::exit(101)
        }
    };
}
