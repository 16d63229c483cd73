//! Services that wait on timers, on each of the four buffers, and on a pause after a failure. Their timers are never due
//! in one moment, so each is a wake-up of its own: in every 50 ms the sensor's come first, and a little later after each
//! restart; then, from 40 ms on, the pulse's; then nothing, from [`QUIET`] on.
//!
//! ```text
//!  sensor, each 100 ms ──▶ ring ──▶ smoothing ──▶ latest ──▶ display
//!  pulse, each 250 ms ──▶ queue ──▶ worker
//!           nobody ──▶ mailbox ──▶ obeying
//! ```

use anabranch::{
    Moment, SendError,
    embassy::{EmbassyAdapter, Instant},
    prelude::*,
};
use core::{
    convert::Infallible,
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

static READINGS: Record<u32, Ring<16>> = Record::unnamed();
static SMOOTHED: Record<u32, Latest> = Record::unnamed();
static PULSES: Record<u32, Queue<4>> = Record::unnamed();
static COMMANDS: Record<u32, Mailbox> = Record::unnamed();

static TICKS: AtomicU32 = AtomicU32::new(0);
static RUNS: AtomicU32 = AtomicU32::new(0);
static SHOWN: AtomicU32 = AtomicU32::new(0);
static WORKED: AtomicU32 = AtomicU32::new(0);

/// Each so often the timers come in the same order.
const ROUND: Duration = Duration::from_millis(50);

/// Where in a round no timer is due any more.
const QUIET: Duration = Duration::from_millis(46);

fn count(counter: &AtomicU32) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

#[derive(Debug)]
struct SensorGone;

impl fmt::Display for SensorGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sensor does not answer; check its wires")
    }
}

/// Fails once a minute, and is restarted.
#[service(restart = "on-failure", backoff = "50ms")]
async fn sensor<R: Runtime>(ctx: RuntimeContext<R>, readings: Producer<u32>) -> Result<(), SensorGone> {
    count(&RUNS);
    let mut every = ctx.interval(Duration::from_millis(100));
    for reading in 0..600 {
        every.tick().await;
        count(&TICKS);
        readings.produce(reading);
    }
    Err(SensorGone)
}

#[service]
async fn smoothing<R: Runtime>(
    _ctx: RuntimeContext<R>,
    mut readings: Consumer<u32>,
    smoothed: Producer<u32>,
) -> Result<(), Infallible> {
    let mut smooth = 0;
    while let Some(reading) = readings.next().await {
        smooth = (3 * smooth + reading) / 4;
        smoothed.produce(smooth);
    }
    Ok(())
}

#[service]
async fn display<R: Runtime>(_ctx: RuntimeContext<R>, mut smoothed: Consumer<u32>) -> Result<(), Infallible> {
    while smoothed.next().await.is_some() {
        count(&SHOWN);
    }
    Ok(())
}

/// Begins 40 ms later than the sensor.
#[service]
async fn pulse<R: Runtime>(ctx: RuntimeContext<R>, pulses: Producer<u32>) -> Result<(), SendError<u32>> {
    ctx.sleep(Duration::from_millis(40)).await;
    count(&TICKS);
    let mut every = ctx.interval(Duration::from_millis(250));
    for number in 0.. {
        every.tick().await;
        count(&TICKS);
        pulses.send(number).await?;
    }
    Ok(())
}

#[service]
async fn worker<R: Runtime>(_ctx: RuntimeContext<R>, mut pulses: Consumer<u32>) -> Result<(), Infallible> {
    while pulses.next().await.is_some() {
        count(&WORKED);
    }
    Ok(())
}

#[service]
async fn obeying<R: Runtime>(_ctx: RuntimeContext<R>, mut commands: Consumer<u32>) -> Result<(), Infallible> {
    while commands.next().await.is_some() {}
    Ok(())
}

/// Starts what waits on records alone.
pub fn start_what_waits(runtime: &'static EmbassyAdapter) -> Option<()> {
    Smoothing::spawn_static(runtime, READINGS.consumer().ok()?, SMOOTHED.producer().ok()?).ok()?;
    Display::spawn_static(runtime, SMOOTHED.consumer().ok()?).ok()?;
    Worker::spawn_static(runtime, PULSES.consumer().ok()?).ok()?;
    Obeying::spawn_static(runtime, COMMANDS.consumer().ok()?).ok()
}

/// Starts what waits on timers, and says when.
pub fn start_what_ticks(runtime: &'static EmbassyAdapter) -> Option<Instant> {
    Sensor::spawn_static(runtime, READINGS.producer().ok()?).ok()?;
    Pulse::spawn_static(runtime, PULSES.producer().ok()?).ok()?;
    Some(runtime.now())
}

/// Waits for a moment in which no timer is due, nor is work left of those that were; `began` is when the house started.
pub async fn quiet(runtime: &EmbassyAdapter, began: Instant) {
    let rounds = runtime.now().since(began).as_millis() / ROUND.as_millis() + 1;
    runtime.sleep_until(began.after(ROUND * rounds as u32 + QUIET)).await;
}

/// How many timers were due, so far: the ticks, and the pauses before each run of the sensor but the first.
pub fn timers_due() -> u32 {
    TICKS.load(Relaxed) + RUNS.load(Relaxed).saturating_sub(1)
}

/// How often the sensor was restarted.
pub fn restarts() -> u32 {
    Sensor::state(0).map_or(0, anabranch::ServiceState::restarts)
}

/// How many values came to the ends of the two flows.
pub fn arrived() -> (u32, u32) {
    (SHOWN.load(Relaxed), WORKED.load(Relaxed))
}

/// What a record holds on to: its values, its ends, and the values that were lost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Held {
    values: usize,
    producers: usize,
    consumers: usize,
    lost: u64,
}

/// What each record holds on to.
pub fn held() -> [Held; 4] {
    [READINGS.status(), SMOOTHED.status(), PULSES.status(), COMMANDS.status()].map(|status| Held {
        values: status.held,
        producers: status.producers,
        consumers: status.consumers,
        lost: status.lost,
    })
}
