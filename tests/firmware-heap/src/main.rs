//! Proof that records need no heap: this program has no allocator. With static records it builds and runs; with the
//! feature `heap` it must fail to build, and say that no global allocator was found.
//!
//! ```text
//! cargo run   --profile firmware --target thumbv7m-none-eabi -p firmware-heap                     exits with 0
//! cargo build --profile firmware --target thumbv7m-none-eabi -p firmware-heap --features heap     must fail
//! ```
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use anabranch_core::ClaimError;

    #[cfg(not(feature = "heap"))]
    fn passes(value: u32) -> Result<bool, ClaimError> {
        use anabranch_core::{Record, Ring};
        static RECORD: Record<u32, Ring<4>> = Record::unnamed();
        let mut consumer = RECORD.consumer()?;
        RECORD.producer()?.produce(value);
        Ok(consumer.try_recv() == Ok(value))
    }

    #[cfg(feature = "heap")]
    fn passes(value: u32) -> Result<bool, ClaimError> {
        use anabranch_core::{BufferCfg, HeapRecord};
        let Ok(record) = HeapRecord::new("on the heap", BufferCfg::SpmcRing { capacity: 4 }) else { return Ok(false) };
        let mut consumer = record.consumer()?;
        record.producer()?.produce(value);
        Ok(consumer.try_recv() == Ok(value))
    }

    #[board_mps2::entry]
    fn main() -> ! {
        board_mps2::exit(u8::from(passes(core::hint::black_box(7)) != Ok(true)))
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        board_mps2::exit(101)
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
