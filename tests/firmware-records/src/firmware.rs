//! A sensor is read, its readings are smoothed, and what is too warm is reported, once and for good.

use anabranch::{SendError, embassy::EmbassyAdapter, prelude::*};
use core::{fmt, time::Duration};
use embassy_executor::Spawner;
use static_cell::StaticCell;

static READINGS: Record<Reading, Ring<16>> = Record::unnamed();
static FAN: Record<Fan, Latest> = Record::unnamed();
static ALARMS: Record<Alarm, Queue<4>> = Record::unnamed();

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

/// A sensor's reading: 24 bytes.
#[derive(Clone, Copy)]
struct Reading {
    device: u32,
    number: u32,
    millicelsius: [i32; 4],
}

#[derive(Clone, Copy, PartialEq)]
enum Fan {
    Off,
    On,
}

/// The device that is too warm, and the reading that says so.
#[derive(Clone, Copy)]
struct Alarm {
    device: u32,
    number: u32,
}

#[derive(Debug)]
struct SensorGone;

impl fmt::Display for SensorGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sensor does not answer; check its wires")
    }
}

/// Reads the sensor ten times a second. After its first readings it fails once, and is restarted.
#[service(restart = "on-failure", backoff = "50ms", limit = 3)]
async fn sensor<R: Runtime>(ctx: RuntimeContext<R>, readings: Producer<Reading>) -> Result<(), SensorGone> {
    let mut every = ctx.interval(Duration::from_millis(100));
    for number in 0.. {
        every.tick().await;
        let millicelsius = 20_000 + 500 * number as i32;
        if readings.produce(Reading { device: 7, number, millicelsius: [millicelsius; 4] }) == 4 {
            return Err(SensorGone);
        }
    }
    Ok(())
}

/// Smooths readings, switches the fan, and raises an alarm when it is on and does not help.
#[service(restart = "always", backoff = "10ms")]
async fn cooling<R: Runtime>(
    _ctx: RuntimeContext<R>,
    readings: &mut Consumer<Reading>,
    fan: Producer<Fan>,
    alarms: Producer<Alarm>,
) -> Result<(), SendError<Alarm>> {
    let mut smooth = 20_000;
    while let Some(Reading { device, number, millicelsius }) = readings.next().await {
        smooth += (millicelsius.iter().sum::<i32>() / 4 - smooth) / 4;
        fan.produce(if smooth > 22_000 { Fan::On } else { Fan::Off });
        if smooth > 25_000 {
            alarms.send(Alarm { device, number }).await?;
        }
    }
    Ok(())
}

/// Exits with 0 when alarms came, with the fan on and the failed sensor restarted; otherwise says where it went wrong.
#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    let runtime: &'static EmbassyAdapter = RUNTIME.init(EmbassyAdapter::new(spawner));
    let (Ok(mut fan), Ok(mut alarms)) = (FAN.consumer(), ALARMS.consumer()) else { board_mps2::exit(2) };
    if start(runtime).is_none() {
        board_mps2::exit(3)
    }
    for _ in 0..8 {
        match alarms.next().await {
            Some(Alarm { device: 7, number: 10.. }) => {}
            _ => board_mps2::exit(4),
        }
    }
    let restarted = Sensor::state(0).is_some_and(|state| state.restarts() == 1);
    board_mps2::exit(if fan.try_recv() == Ok(Fan::On) && restarted { 0 } else { 5 })
}

fn start(runtime: &'static EmbassyAdapter) -> Option<()> {
    Cooling::spawn_static(runtime, READINGS.consumer().ok()?, FAN.producer().ok()?, ALARMS.producer().ok()?).ok()?;
    Sensor::spawn_static(runtime, READINGS.producer().ok()?).ok()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    board_mps2::exit(101)
}
