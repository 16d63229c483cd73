//! An Embassy program that does nothing, and with each feature one thing more: `cargo xtask sizes` measures what that
//! takes of flash and RAM. What is measured also works: with any features it exits with 0, or with the number of what
//! does not.
//!
//! ```text
//! cargo run --profile firmware --target thumbv7em-none-eabihf -p firmware-sizes --features ring,services
//! ```
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(all(target_os = "none", any(feature = "ring", feature = "latest", feature = "mailbox", feature = "queue")))]
mod buffers;
#[cfg(all(target_os = "none", any(feature = "json", feature = "cbor", feature = "postcard")))]
mod codecs;
#[cfg(all(target_os = "none", any(feature = "tasks", feature = "services")))]
mod cooling;
#[cfg(all(target_os = "none", feature = "links"))]
mod links;
#[cfg(all(target_os = "none", feature = "mqtt"))]
mod mqtt;
#[cfg(all(target_os = "none", feature = "services"))]
mod services;
#[cfg(all(target_os = "none", feature = "tasks"))]
mod tasks;

#[cfg(target_os = "none")]
mod firmware {
    #[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
    async fn main(spawner: embassy_executor::Spawner) {
        board_mps2::exit(work(spawner).await.err().unwrap_or(0))
    }

    /// Does the work of every feature, or says which did not come out right.
    async fn work(_spawner: embassy_executor::Spawner) -> Result<(), u8> {
        #[cfg(feature = "ring")]
        crate::buffers::ring().await.ok_or(2)?;
        #[cfg(feature = "latest")]
        crate::buffers::latest().await.ok_or(3)?;
        #[cfg(feature = "mailbox")]
        crate::buffers::mailbox().await.ok_or(4)?;
        #[cfg(feature = "queue")]
        crate::buffers::queue().await.ok_or(5)?;
        #[cfg(feature = "tasks")]
        crate::tasks::work(_spawner).await.ok_or(6)?;
        #[cfg(feature = "services")]
        crate::services::work(_spawner).await.ok_or(7)?;
        #[cfg(feature = "links")]
        crate::links::work(_spawner).await.ok_or(8)?;
        #[cfg(feature = "mqtt")]
        crate::mqtt::work(_spawner).await.ok_or(9)?;
        #[cfg(feature = "json")]
        crate::codecs::there_and_back(&anabranch::Json).ok_or(10)?;
        #[cfg(feature = "cbor")]
        crate::codecs::there_and_back(&anabranch::Cbor).ok_or(11)?;
        #[cfg(feature = "postcard")]
        crate::codecs::there_and_back(&anabranch::Postcard).ok_or(12)?;
        Ok(())
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        board_mps2::exit(101)
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7em-none-eabihf`");
}
