//! Brings the board and its network up, and starts the tasks.

use crate::{
    mqtt::mqtt,
    tasks::{LIMIT, SMOOTHED, TEMPERATURE, alarm, sensor, smoother},
};
use board_mps2::{exit, println};
use embassy_executor::Spawner;
use embassy_net::{Config, Runner, StackResources};
use lan9118::{Buffers, Lan9118, Mapped};
use sensors_to_alerts::Limit;
use static_cell::{ConstStaticCell, StaticCell};

board_mps2::panic_exits!();

const ADDRESS: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
/// DHCP's, and the broker's; one to spare, for a connection that is being replaced.
const SOCKETS: usize = 3;

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Lan9118<Mapped>>) {
    runner.run().await;
}

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    let driver = match lan9118::start(ADDRESS, BUFFERS.take()) {
        Ok(driver) => driver,
        Err(error) => {
            println!("{error}");
            exit(1)
        }
    };
    let config = Config::dhcpv4(Default::default());
    let resources = RESOURCES.init_with(StackResources::new);
    let (stack, runner) = embassy_net::new(driver, config, resources, 0x2c5b_7f11_9e04_d3a6);
    LIMIT.sender().send(Limit { raise_above: 26_000, clear_below: 24_000 });
    let (Ok(readings), Ok(alarmed), Ok(sent)) =
        (TEMPERATURE.subscriber(), SMOOTHED.subscriber(), SMOOTHED.subscriber())
    else {
        exit(1)
    };
    let started = (|| {
        spawner.spawn(network(runner)?);
        spawner.spawn(mqtt(stack, sent)?);
        spawner.spawn(alarm(alarmed)?);
        spawner.spawn(smoother(readings)?);
        spawner.spawn(sensor()?);
        Ok::<_, embassy_executor::SpawnError>(())
    })();
    if started.is_err() {
        exit(1)
    }
}
