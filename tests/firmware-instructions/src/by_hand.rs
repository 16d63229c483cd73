//! Sensors to alerts with `embassy-sync` and `rust-mqtt`, as one would write it by hand and as `tests/firmware-bare-mqtt`
//! has it; its broker is at the other end of a stream that is no network.

use crate::{
    broker::Stream,
    in_one_task::Taken,
    over_mqtt::{Sample, Way},
};
use core::{future::pending, num::NonZero};
use embassy_executor::Spawner;
use embassy_futures::select::{Either, Either4, select, select4};
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex as Cs,
    channel::Channel,
    pubsub::{PubSubChannel, Subscriber, WaitResult},
    signal::Signal,
    watch::Watch,
};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use rust_mqtt::{
    Bytes,
    buffer::BumpBuffer,
    client::{
        event::Event,
        options::{ConnectOptions, PublicationOptions, SubscriptionOptions, TopicReference},
    },
    config::KeepAlive,
    types::{MqttString, QoS, TopicFilter, TopicName},
};
use sensors_to_alerts::{Alert, Limit, Reading};

const RECEIVED: usize = 512;
const JSON: usize = 128;
const KEEP_ALIVE: u16 = 30;
const PATIENCE: Duration = Duration::from_secs(10);
const READINGS: &str = "sensors-to-alerts/smoothed";
const LIMITS: &str = "sensors-to-alerts/limit";

type Client<'a, 'c> = rust_mqtt::client::Client<'a, 'c, Stream, BumpBuffer<'c>, 1, 1, 1, 0, 0, 0, 0>;
type Readings<const SUBSCRIBERS: usize> = Subscriber<'static, Cs, Reading, 64, SUBSCRIBERS, 1>;

static TEMPERATURE: PubSubChannel<Cs, Reading, 64, 1, 1> = PubSubChannel::new();
static SMOOTHED: PubSubChannel<Cs, Reading, 64, 2, 1> = PubSubChannel::new();
static LIMIT: Watch<Cs, Limit, 1> = Watch::new();
static ALERT: Channel<Cs, Alert, 16> = Channel::new();
static ENDED: Signal<Cs, ()> = Signal::new();

struct Broken;

#[embassy_executor::task]
async fn sensor() {
    let readings = TEMPERATURE.immediate_publisher();
    loop {
        readings.publish_immediate(SAMPLE.wait().await);
    }
}

#[embassy_executor::task]
async fn smoother(mut readings: Readings<1>) {
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

#[embassy_executor::task(pool_size = 2)]
async fn mqtt(mut readings: Readings<2>, qos: QoS) {
    _ = connection(&mut readings, qos).await;
}

async fn connection(readings: &mut Readings<2>, qos: QoS) -> Result<(), Broken> {
    let mut packets = [0; RECEIVED];
    let mut buffer = BumpBuffer::new(&mut packets);
    let mut client = Client::new(&mut buffer);
    with_timeout(PATIENCE, greet(&mut client)).await.map_err(|_| Broken)??;
    let every = Duration::from_secs(KEEP_ALIVE as u64 / 2);
    let mut next_ping = Instant::now() + every;
    // Sent, and not acknowledged: it would be sent again after a reconnect.
    let mut under_way: Option<Reading> = None;
    loop {
        let may_publish = under_way.is_none();
        let reading = async { if may_publish { readings.next_message().await } else { pending().await } };
        let event =
            select4(client.poll_header(), ALERT.receive(), reading, select(Timer::at(next_ping), ENDED.wait())).await;
        match event {
            Either4::First(header) => {
                match client.poll_body(header.map_err(|_| Broken)?).await.map_err(|_| Broken)? {
                    Event::PublishAcknowledged(_) | Event::PublishRejected(_) => under_way = None,
                    Event::Publish(publish) => {
                        if let Ok((limit, _)) = serde_json_core::from_slice(publish.message.as_ref()) {
                            LIMIT.sender().send(limit);
                        }
                    }
                    _ => {}
                }
                // Its memory is not given back, which is unsafe: acknowledgements take none.
            }
            Either4::Third(WaitResult::Message(reading)) => {
                let mut json = [0; JSON];
                let size = serde_json_core::to_slice(&reading, &mut json).map_err(|_| Broken)?;
                let options = PublicationOptions::new(TopicReference::Name(topic(READINGS)?)).qos(qos);
                let sent = client.publish(&options, Bytes::Borrowed(&json[..size]));
                with_timeout(PATIENCE, sent).await.map_err(|_| Broken)?.map_err(|_| Broken)?;
                under_way = (qos > QoS::AtMostOnce).then_some(reading);
            }
            Either4::Second(_) | Either4::Third(WaitResult::Lagged(_)) => {}
            Either4::Fourth(Either::Second(())) => return Ok(()),
            Either4::Fourth(Either::First(())) => {
                with_timeout(PATIENCE, client.ping()).await.map_err(|_| Broken)?.map_err(|_| Broken)?;
                next_ping = Instant::now() + every;
            }
        }
    }
}

async fn greet(client: &mut Client<'_, '_>) -> Result<(), Broken> {
    let keep_alive = NonZero::new(KEEP_ALIVE).map_or(KeepAlive::Infinite, KeepAlive::Seconds);
    let options = ConnectOptions::new().clean_start().keep_alive(keep_alive);
    let name = MqttString::from_str("bare").map_err(|_| Broken)?;
    client.connect(Stream::new(), &options, Some(name)).await.map_err(|_| Broken)?;
    let limits = TopicFilter::new(MqttString::from_str(LIMITS).map_err(|_| Broken)?).ok_or(Broken)?;
    client.subscribe(limits, &SubscriptionOptions::new().at_least_once()).await.map_err(|_| Broken)?;
    match client.poll().await {
        Ok(Event::Suback(answer)) if !answer.reason_code.is_erroneous() => Ok(()),
        _ => Err(Broken),
    }
}

fn topic(name: &str) -> Result<TopicName<'_>, Broken> {
    TopicName::new(MqttString::from_str(name).map_err(|_| Broken)?).ok_or(Broken)
}

/// `embassy-sync`, `serde-json-core` and `rust-mqtt`.
pub const WAY: Way = Way { sample: &SAMPLE, start, publish, stop };

static SAMPLE: Sample = Sample::new();

fn start(spawner: Spawner) -> Result<(), Taken> {
    spawner.spawn(sensor()?);
    spawner.spawn(smoother(TEMPERATURE.subscriber().map_err(|_| Taken)?)?);
    Ok(())
}

fn publish(spawner: Spawner, qos: usize) -> Result<(), Taken> {
    let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    spawner.spawn(mqtt(SMOOTHED.subscriber().map_err(|_| Taken)?, qos)?);
    Ok(())
}

fn stop(_: usize) {
    ENDED.signal(());
}
