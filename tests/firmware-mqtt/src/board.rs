//! The board: what it was told, its network, and an address by DHCP.

use anabranch::embassy::{EmbassyAdapter, Sockets};
use board_mps2::{command_line, exit, println};
use core::fmt;
use embassy_executor::Spawner;
use embassy_net::{Config, Runner, Stack, StackResources};
use lan9118::{Buffers, Lan9118, Mapped};
use static_cell::{ConstStaticCell, StaticCell};

const ADDRESS: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
/// DHCP's, and one for each of two brokers.
const PLACES: usize = 3;

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
static RESOURCES: StaticCell<StackResources<PLACES>> = StaticCell::new();
static SOCKETS: Sockets<2, 2048, 2048> = Sockets::new();
static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();
static COMMAND_LINE: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

pub struct Board {
    pub runtime: &'static EmbassyAdapter,
    /// Where the broker is.
    pub url: &'static str,
    pub scenario: &'static str,
    /// What else was said.
    pub word: &'static str,
}

impl Board {
    pub fn start(spawner: Spawner) -> Self {
        let line = command_line(COMMAND_LINE.take()).unwrap_or_default();
        let mut words = line.split(' ').skip(1);
        let mut word = || words.next().unwrap_or_default();
        let (url, scenario, word) = (word(), word(), word());
        let adapter = EmbassyAdapter::new(spawner).with_network(network(spawner), &SOCKETS);
        Board { runtime: RUNTIME.init(adapter), url, scenario, word }
    }
}

#[embassy_executor::task]
async fn run(mut runner: Runner<'static, Lan9118<Mapped>>) {
    runner.run().await;
}

fn network(spawner: Spawner) -> Stack<'static> {
    let driver = match lan9118::start(ADDRESS, BUFFERS.take()) {
        Ok(driver) => driver,
        Err(error) => fault(format_args!("{error}")),
    };
    let config = Config::dhcpv4(Default::default());
    let (stack, runner) =
        embassy_net::new(driver, config, RESOURCES.init_with(StackResources::new), 0x2c5b_7f11_9e04_d3a6);
    match run(runner) {
        Ok(task) => spawner.spawn(task),
        Err(error) => fault(format_args!("{error:?}")),
    }
    stack
}

/// Says what is wrong with the test itself, and ends.
pub fn fault(what: fmt::Arguments<'_>) -> ! {
    println!("{what}");
    exit(1)
}
