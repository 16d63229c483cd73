//! Records, services and links on an STM32 Nucleo-H743ZI with Ethernet: while the blue button is held it is warm, and while
//! it is too warm the red light is on. The network comes up by DHCP, and with it the wall clock and the broker.
//!
//! ```text
//!  button ──▶ thermometer ──▶ CELSIUS ──▶ judge ──▶ COMFORT ──▶ lamp ──▶ red light
//!                              ring         ▲        latest
//!                               │         LIMIT        │
//!                               ▼           │          ▼
//!                        nucleo/celsius     │     nucleo/comfort          a broker
//!                                      nucleo/limit
//! ```
#![no_std]
#![no_main]

use anabranch::{
    ConnectorConfig, Json, LinkIn, LinkOut, LinkSet, Links, Offline, StartError,
    embassy::{EmbassyAdapter, Sockets},
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use core::convert::Infallible;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net::{Config, Runner, StackResources};
use embassy_stm32::{
    bind_interrupts,
    eth::{Ethernet, GenericPhy, InterruptHandler, PacketQueue, Sma},
    gpio::{Input, Level, Output, Pull, Speed},
    peripherals::{ETH, ETH_SMA, RNG},
    rcc::{AHBPrescaler, APBPrescaler, HSIPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk, VoltageScale},
    rng::{self, Rng},
};
use panic_probe as _;
use serde::{Deserialize, Serialize};
use static_cell::StaticCell;

static CELSIUS: Record<i32, Ring<16>> = Record::new("celsius");
static LIMIT: Record<Limit, Latest> = Record::new("limit");
static COMFORT: Record<Comfort, Latest> = Record::new("comfort");

/// Old temperatures are of no use to anybody.
const NEVER_KEPT: ConnectorConfig = ConnectorConfig { offline: Some(Offline::Drop), ..ConnectorConfig::DEFAULT };
/// Who comes later is told, too.
const RETAINED: ConnectorConfig = ConnectorConfig { qos: Some(1), retain: Some(true), ..ConnectorConfig::DEFAULT };

static CELSIUS_OUT: LinkOut<Json> = LinkOut::new("mqtt://nucleo/celsius").with_json().with_config(NEVER_KEPT);
static COMFORT_OUT: LinkOut<Json, 4> = LinkOut::new("mqtt://nucleo/comfort").with_json().with_config(RETAINED);
static LIMIT_IN: LinkIn<Json> = LinkIn::new("mqtt://nucleo/limit").with_json();
static MQTT: StaticMqtt = StaticMqtt::new();

/// Where the broker is: `BROKER=mqtt://broker.example cargo run --release`.
const BROKER: &str = match option_env!("BROKER") {
    Some(url) => url,
    None => "mqtt://192.168.1.10:1883",
};

/// Above it, it is too warm.
#[derive(Clone, Copy, Deserialize)]
struct Limit {
    celsius: i32,
}

/// What it feels like.
#[derive(Clone, Copy, PartialEq, Serialize)]
enum Comfort {
    Fine,
    TooWarm,
}

/// A finger on the button is warm.
#[service]
async fn thermometer<R: Runtime>(
    ctx: RuntimeContext<R>,
    button: Input<'static>,
    celsius: Producer<i32>,
) -> Result<(), Infallible> {
    let mut every = ctx.interval(Duration::from_millis(50));
    loop {
        every.tick().await;
        celsius.produce(if button.is_high() { 27 } else { 21 });
    }
}

#[service(restart = "on-failure", backoff = "10ms")]
async fn judge<R: Runtime>(
    _: RuntimeContext<R>,
    celsius: &mut Consumer<i32>,
    limits: &mut Consumer<Limit>,
    comfort: Producer<Comfort>,
) -> Result<(), Infallible> {
    let mut limit = Limit { celsius: 25 };
    while let Some(celsius) = celsius.next().await {
        limit = limits.try_recv().unwrap_or(limit);
        comfort.produce(if celsius > limit.celsius { Comfort::TooWarm } else { Comfort::Fine });
    }
    Ok(())
}

#[service]
async fn lamp<R: Runtime>(
    _: RuntimeContext<R>,
    mut comfort: Consumer<Comfort>,
    mut light: Output<'static>,
) -> Result<(), Infallible> {
    while let Some(comfort) = comfort.next().await {
        light.set_level(if comfort == Comfort::TooWarm { Level::High } else { Level::Low });
    }
    Ok(())
}

/// Locally administered; each board on one network needs its own.
const ADDRESS: [u8; 6] = [0x02, 0x00, 0x11, 0x22, 0x33, 0x44];
const TIME_SERVER: &str = "pool.ntp.org";

/// One connection at a time, to a broker.
static SOCKETS: Sockets<1, 2048, 1024> = Sockets::new();
static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

bind_interrupts!(struct Interrupts {
    ETH => InterruptHandler;
    RNG => rng::InterruptHandler<RNG>;
});

type Device = Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>;

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Device>) {
    runner.run().await;
}

/// Tells the wall clock the time, when there is a network, and again now and then.
#[embassy_executor::task]
async fn wall_clock(runtime: &'static EmbassyAdapter, seed: u64) {
    let ended = runtime.keep_unix_time(TIME_SERVER, seed).await;
    defmt::warn!("no more time from {}: {}", TIME_SERVER, defmt::Display2Format(&ended));
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let board = embassy_stm32::init(clocks());
    let button = Input::new(board.PC13, Pull::Down);
    let light = Output::new(board.PB14, Level::Low, Speed::Low);
    let mut random = Rng::new(board.RNG, Interrupts);
    let mut seed = || u64::from(random.next_u32()) << 32 | u64::from(random.next_u32());

    static PACKETS: StaticCell<PacketQueue<4, 4>> = StaticCell::new();
    let device: Device = Ethernet::new(
        PACKETS.init_with(PacketQueue::new),
        board.ETH,
        Interrupts,
        board.PA1,  // reference clock
        board.PA7,  // carrier
        board.PC4,  // received, bit 0
        board.PC5,  // received, bit 1
        board.PG13, // to send, bit 0
        board.PB13, // to send, bit 1
        board.PG11, // sending
        ADDRESS,
        board.ETH_SMA,
        board.PA2, // MDIO
        board.PC1, // MDC
    );
    // DHCP, DNS and the time server need a socket each; the others are those of SOCKETS.
    static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();
    let resources = RESOURCES.init_with(StackResources::new);
    let (stack, runner) = embassy_net::new(device, Config::dhcpv4(Default::default()), resources, seed());
    let runtime: &EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner).with_network(stack, &SOCKETS));

    spawner.spawn(defmt::unwrap!(network(runner)));
    spawner.spawn(defmt::unwrap!(wall_clock(runtime, seed())));
    let links = match start(runtime, button, light) {
        Ok(links) => links,
        Err(error) => {
            defmt::error!("{}", defmt::Display2Format(&error));
            return;
        }
    };
    // What goes wrong from here on is tried again, and logged.
    let broker = MqttConnector::new(BROKER).client_id("nucleo").last_will("nucleo/state", "gone", 1, true);
    if let Err(error) = MQTT.run(runtime, &broker, &links).await {
        defmt::error!("{}", defmt::Display2Format(&error));
    }
}

/// Readers first, so that they see all that is written.
fn start(
    runtime: &'static EmbassyAdapter,
    button: Input<'static>,
    light: Output<'static>,
) -> Result<impl LinkSet + use<>, StartError> {
    let links = Links::new()
        .link_from(&LIMIT_IN, LIMIT.producer()?)
        .link_to(&CELSIUS_OUT, CELSIUS.consumer()?)
        .link_to(&COMFORT_OUT, COMFORT.consumer()?);
    Lamp::spawn_static(runtime, COMFORT.consumer()?, light)?;
    Judge::spawn_static(runtime, CELSIUS.consumer()?, LIMIT.consumer()?, COMFORT.producer()?)?;
    Thermometer::spawn_static(runtime, button, CELSIUS.producer()?)?;
    Ok(links)
}

/// 400 MHz for the core, 200 MHz for its buses, from the chip's own oscillator; and 48 MHz for random numbers.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.hsi = Some(HSIPrescaler::DIV1);
    config.rcc.hsi48 = Some(Default::default());
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.ahb_pre = AHBPrescaler::DIV2;
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config.rcc.apb3_pre = APBPrescaler::DIV2;
    config.rcc.apb4_pre = APBPrescaler::DIV2;
    config.rcc.voltage_scale = VoltageScale::Scale1;
    config
}
