//! The sensor, the smoother and the alarm, and what stands between them: as many places as the records have.

use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber, WaitResult},
    signal::Signal,
    watch::Watch,
};
use embassy_time::{Duration, Instant, Timer};
use sensors_to_alerts::{Alert, Limit, Reading, SAMPLE, signal};

/// They exist before the first reading does, so that nobody misses it.
pub type Readings<const SUBSCRIBERS: usize> = Subscriber<'static, CriticalSectionRawMutex, Reading, 64, SUBSCRIBERS, 1>;

pub static TEMPERATURE: PubSubChannel<CriticalSectionRawMutex, Reading, 64, 1, 1> = PubSubChannel::new();
/// Read by the alarm, and by who sends it away.
pub static SMOOTHED: PubSubChannel<CriticalSectionRawMutex, Reading, 64, 2, 1> = PubSubChannel::new();
pub static LIMIT: Watch<CriticalSectionRawMutex, Limit, 1> = Watch::new();
pub static ALERT: Channel<CriticalSectionRawMutex, Alert, 16> = Channel::new();

/// The signal is over; what it has caused may still be on its way.
pub static ENDED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// The bus answers so many readings, and then has to be opened again.
const READINGS_UNTIL_THE_BUS_HANGS_UP: u32 = 500;

#[embassy_executor::task]
pub async fn sensor() {
    let readings = TEMPERATURE.immediate_publisher();
    let started = Instant::now();
    let sample_time = Duration::from_micros(SAMPLE.as_micros() as u64);
    for (sample, reading) in (0..).map_while(|sample| Some((sample, signal(sample)?))) {
        Timer::at(started + sample_time * sample).await;
        readings.publish_immediate(reading);
        if sample % READINGS_UNTIL_THE_BUS_HANGS_UP == READINGS_UNTIL_THE_BUS_HANGS_UP - 1 {
            Timer::after_millis(2).await;
        }
    }
    Timer::after_millis(100).await;
    ENDED.signal(());
}

#[embassy_executor::task]
pub async fn smoother(mut readings: Readings<1>) {
    let smoothed = SMOOTHED.immediate_publisher();
    let mut smooth = None;
    loop {
        let WaitResult::Message(reading) = readings.next_message().await else { continue };
        let before = smooth.unwrap_or(reading.millicelsius);
        let millicelsius = before + (reading.millicelsius - before) / 2;
        smoothed.publish_immediate(Reading { millicelsius, ..reading });
        smooth = Some(millicelsius);
    }
}

#[embassy_executor::task]
pub async fn alarm(mut smoothed: Readings<2>) {
    let Some(mut limits) = LIMIT.receiver() else { return };
    let mut limit = limits.changed().await;
    let mut raised = false;
    loop {
        let WaitResult::Message(Reading { millicelsius, edge }) = smoothed.next_message().await else { continue };
        limit = limits.try_changed().unwrap_or(limit);
        let now = if raised { millicelsius >= limit.clear_below } else { millicelsius > limit.raise_above };
        if now != raised {
            raised = now;
            ALERT.send(Alert { raised, millicelsius, edge }).await;
        }
    }
}
