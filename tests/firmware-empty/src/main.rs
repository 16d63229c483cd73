//! An Embassy program that does nothing: what the flash and RAM of others are measured against.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    #[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
    async fn main(_spawner: embassy_executor::Spawner) {
        board_mps2::exit(0)
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
