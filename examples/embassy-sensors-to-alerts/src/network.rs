//! The board's network: its Ethernet controller, and an address by DHCP.

use board_mps2::{exit, println};
use embassy_executor::Spawner;
use embassy_net::{Config, Runner, Stack, StackResources};
use lan9118::{Buffers, Lan9118, Mapped};
use static_cell::{ConstStaticCell, StaticCell};

const ADDRESS: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
/// DHCP's, and the broker's.
const SOCKETS: usize = 2;

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();

#[embassy_executor::task]
async fn run(mut runner: Runner<'static, Lan9118<Mapped>>) {
    runner.run().await;
}

/// Starts the network. It has an address some time later; whoever connects before is told that there is none yet.
pub fn start(spawner: Spawner) -> Stack<'static> {
    let driver = match lan9118::start(ADDRESS, BUFFERS.take()) {
        Ok(driver) => driver,
        Err(error) => {
            println!("{error}");
            exit(1)
        }
    };
    let config = Config::dhcpv4(Default::default());
    let (stack, runner) =
        embassy_net::new(driver, config, RESOURCES.init_with(StackResources::new), 0x2c5b_7f11_9e04_d3a6);
    match run(runner) {
        Ok(task) => spawner.spawn(task),
        Err(error) => println!("{error}"),
    }
    stack
}
