//! The connection to the broker: alerts and smoothed readings out, limits in, and all of it again when it breaks.

use crate::{
    buffer::give_back,
    tasks::{ALERT, ENDED, LIMIT, Readings},
};
use board_mps2::println;
use core::{future::pending, num::NonZero};
use embassy_futures::select::{Either, Either4, select, select4};
use embassy_net::{Ipv4Address, Stack, tcp::TcpSocket};
use embassy_sync::pubsub::WaitResult;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use rust_mqtt::{
    Bytes,
    buffer::BumpBuffer,
    client::{
        event::Event,
        options::{ConnectOptions, PublicationOptions, SubscriptionOptions, TopicReference},
    },
    config::KeepAlive,
    types::{MqttString, TopicFilter, TopicName},
};
use sensors_to_alerts::Alert;

const BROKER: (Ipv4Address, u16) = (Ipv4Address::new(10, 0, 2, 2), port());
/// What one packet of the broker may need.
const RECEIVED: usize = 512;
const SOCKET_RECEIVES: usize = 2_048;
const SOCKET_SENDS: usize = 1_024;
/// The longest JSON of a value.
const JSON: usize = 128;
const KEEP_ALIVE: u16 = 30;
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

const ALERTS: &str = "sensors-to-alerts/alert";
const READINGS: &str = "sensors-to-alerts/smoothed";
const LIMITS: &str = "sensors-to-alerts/limit";

/// One subscription, one alert and one limit at a time; no properties, no aliases.
pub type Client<'a, 'c> = rust_mqtt::client::Client<'a, 'c, TcpSocket<'c>, BumpBuffer<'c>, 1, 1, 1, 0, 0, 0, 0>;

/// Where a broker listens on another port: `BROKER_PORT=18831 cargo build …`.
const fn port() -> u16 {
    match option_env!("BROKER_PORT") {
        Some(text) => match u16::from_str_radix(text, 10) {
            Ok(port) => port,
            Err(_) => panic!("BROKER_PORT is no port"),
        },
        None => 1_883,
    }
}

/// The connection is over.
struct Broken;

/// What survives a connection.
#[derive(Default)]
struct Outgoing {
    /// Sent, perhaps, and not acknowledged: it is sent again after a reconnect.
    alert: Option<Alert>,
    acknowledged: u32,
    /// The signal is over.
    ended: bool,
}

#[embassy_executor::task]
pub async fn mqtt(stack: Stack<'static>, mut readings: Readings<2>) {
    let mut outgoing = Outgoing::default();
    let mut pause = PAUSES.0;
    loop {
        let since = Instant::now();
        stack.wait_config_up().await;
        if connection(stack, &mut readings, &mut outgoing).await.is_ok() {
            println!("{} alerts acknowledged", outgoing.acknowledged);
            board_mps2::exit(0);
        }
        pause = if since.elapsed() > PAUSES.1 { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
        println!("no broker: again in {} ms", pause.as_millis());
        Timer::after(pause).await;
    }
}

async fn connection(stack: Stack<'static>, readings: &mut Readings<2>, outgoing: &mut Outgoing) -> Result<(), Broken> {
    let (mut received, mut to_send, mut packets) = ([0; SOCKET_RECEIVES], [0; SOCKET_SENDS], [0; RECEIVED]);
    let mut socket = TcpSocket::new(stack, &mut received, &mut to_send);
    socket.set_nagle_enabled(false);
    with_timeout(PATIENCE, socket.connect(BROKER)).await.map_err(|_| Broken)?.map_err(|_| Broken)?;
    let mut buffer = BumpBuffer::new(&mut packets);
    let mut client = Client::new(&mut buffer);
    with_timeout(PATIENCE, greet(&mut client, socket)).await.map_err(|_| Broken)??;
    println!("connected");

    if outgoing.alert.is_some() {
        publish_alert(&mut client, outgoing).await?;
    }
    let every = Duration::from_secs(KEEP_ALIVE as u64 / 2);
    let mut next_ping = Instant::now() + every;
    let mut answered = true;
    while !(outgoing.ended && outgoing.alert.is_none() && ALERT.is_empty() && readings.is_empty()) {
        let may_alert = outgoing.alert.is_none();
        let alert = async { if may_alert { ALERT.receive().await } else { pending().await } };
        let event =
            select4(client.poll_header(), alert, readings.next_message(), select(Timer::at(next_ping), ENDED.wait()))
                .await;
        match event {
            Either4::First(header) => {
                match client.poll_body(header.map_err(|_| Broken)?).await.map_err(|_| Broken)? {
                    Event::PublishAcknowledged(_) | Event::PublishRejected(_) => {
                        outgoing.alert = None;
                        outgoing.acknowledged += 1;
                    }
                    // No other topic is subscribed to. What cannot be read changes nothing.
                    Event::Publish(publish) => match serde_json_core::from_slice(publish.message.as_ref()) {
                        Ok((limit, _)) => LIMIT.sender().send(limit),
                        Err(_) => println!("a limit cannot be read"),
                    },
                    Event::Pingresp => answered = true,
                    _ => {}
                }
                give_back(&mut client);
            }
            Either4::Second(alert) => {
                outgoing.alert = Some(alert);
                publish_alert(&mut client, outgoing).await?;
            }
            Either4::Third(WaitResult::Message(reading)) => {
                let mut json = [0; JSON];
                let size = serde_json_core::to_slice(&reading, &mut json).map_err(|_| Broken)?;
                let options = PublicationOptions::new(TopicReference::Name(topic(READINGS)?));
                let sent = client.publish(&options, Bytes::Borrowed(&json[..size]));
                with_timeout(PATIENCE, sent).await.map_err(|_| Broken)?.map_err(|_| Broken)?;
            }
            Either4::Third(WaitResult::Lagged(_)) => {}
            Either4::Fourth(Either::Second(())) => outgoing.ended = true,
            Either4::Fourth(Either::First(())) => {
                if !core::mem::take(&mut answered) {
                    return Err(Broken);
                }
                with_timeout(PATIENCE, client.ping()).await.map_err(|_| Broken)?.map_err(|_| Broken)?;
                next_ping = Instant::now() + every;
            }
        }
    }
    Ok(())
}

async fn greet<'c>(client: &mut Client<'_, 'c>, socket: TcpSocket<'c>) -> Result<(), Broken> {
    let keep_alive = NonZero::new(KEEP_ALIVE).map_or(KeepAlive::Infinite, KeepAlive::Seconds);
    let options = ConnectOptions::new().clean_start().keep_alive(keep_alive);
    let name = MqttString::from_str("bare").map_err(|_| Broken)?;
    client.connect(socket, &options, Some(name)).await.map_err(|_| Broken)?;
    give_back(client);
    let limits = TopicFilter::new(MqttString::from_str(LIMITS).map_err(|_| Broken)?).ok_or(Broken)?;
    client.subscribe(limits, &SubscriptionOptions::new().at_least_once()).await.map_err(|_| Broken)?;
    let answer = client.poll().await;
    let subscribed = matches!(answer, Ok(Event::Suback(answer)) if !answer.reason_code.is_erroneous());
    give_back(client);
    if subscribed { Ok(()) } else { Err(Broken) }
}

async fn publish_alert(client: &mut Client<'_, '_>, outgoing: &Outgoing) -> Result<(), Broken> {
    let Some(alert) = &outgoing.alert else { return Ok(()) };
    let mut json = [0; JSON];
    let size = serde_json_core::to_slice(alert, &mut json).map_err(|_| Broken)?;
    let options = PublicationOptions::new(TopicReference::Name(topic(ALERTS)?)).at_least_once();
    let sent = client.publish(&options, Bytes::Borrowed(&json[..size]));
    with_timeout(PATIENCE, sent).await.map_err(|_| Broken)?.map_err(|_| Broken)?;
    Ok(())
}

fn topic(name: &str) -> Result<TopicName<'_>, Broken> {
    TopicName::new(MqttString::from_str(name).map_err(|_| Broken)?).ok_or(Broken)
}
