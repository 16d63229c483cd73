//! The application in tasks of Embassy's own: records and nothing else of ours.

use crate::cooling::{Alarm, Fan, Reading, Smooth};
use anabranch::{Consumer, Latest, Producer, Queue, Record, Ring};
use embassy_executor::Spawner;
use embassy_time::{Duration, Ticker};

static READINGS: Record<Reading, Ring<16>> = Record::unnamed();
static FAN: Record<Fan, Latest> = Record::unnamed();
static ALARMS: Record<Alarm, Queue<4>> = Record::unnamed();

/// Reads the sensor ten times a second.
#[embassy_executor::task]
async fn sensor(readings: Producer<Reading>) {
    let mut every = Ticker::every(Duration::from_millis(100));
    for number in 0.. {
        every.next().await;
        readings.produce(Reading::number(number));
    }
}

/// Smooths readings, switches the fan, and raises an alarm when it is on and does not help.
#[embassy_executor::task]
async fn cooling(mut readings: Consumer<Reading>, fan: Producer<Fan>, alarms: Producer<Alarm>) {
    let mut smooth = Smooth::new();
    while let Some(reading) = readings.next().await {
        smooth.add(&reading);
        fan.produce(smooth.fan());
        if smooth.is_too_warm() && alarms.send(Alarm { device: reading.device, number: reading.number }).await.is_err()
        {
            return;
        }
    }
}

/// Alarms come, with the fan on.
pub async fn work(spawner: Spawner) -> Option<()> {
    let (mut fan, mut alarms) = (FAN.consumer().ok()?, ALARMS.consumer().ok()?);
    spawner.spawn(cooling(READINGS.consumer().ok()?, FAN.producer().ok()?, ALARMS.producer().ok()?).ok()?);
    spawner.spawn(sensor(READINGS.producer().ok()?).ok()?);
    for _ in 0..8 {
        let Alarm { device: 7, number: 10.. } = alarms.next().await? else { return None };
    }
    (fan.try_recv() == Ok(Fan::On)).then_some(())
}
