//! Sensors to alerts on Embassy: a Cortex-M with no heap.

use anabranch::{StartError, embassy::EmbassyAdapter};
use board_mps2::{exit, println};
use embassy_executor::Spawner;
use sensors_to_alerts::start;
use static_cell::StaticCell;

// The runtime: in a static that is filled once, when the board starts.
static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

board_mps2::panic_exits!();

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    let ran = run(RUNTIME.init(EmbassyAdapter::new(spawner))).await;
    exit(match ran {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            1
        }
    })
}

// The same on each runtime.
async fn run(runtime: &'static EmbassyAdapter) -> Result<(), StartError> {
    let mut alerts = start(runtime)?;
    while let Some(alert) = alerts.next().await {
        println!("{alert}");
    }
    println!("{}", alerts.latency("qemu"));
    Ok(())
}
