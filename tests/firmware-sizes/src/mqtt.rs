//! The same links to an MQTT broker, by a runtime whose network leads nowhere: TCP and IP are no part of what is measured.

use crate::links;
use anabranch::{
    ByteStream, ConnectError, Endpoint, Network, RuntimeAdapter, RuntimeExt, StreamError, TimeSource,
    embassy::{self, EmbassyAdapter},
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use core::{
    future::ready,
    hint::black_box,
    task::{Context, Poll},
};
use embassy_executor::Spawner;

static MQTT: StaticMqtt<1024, 512> = StaticMqtt::new();

/// Embassy beside a network that refuses every connection; the compiler does not know that it does.
#[derive(Debug, Clone, Copy)]
struct Nowhere(EmbassyAdapter);

struct Silence;

impl RuntimeAdapter for Nowhere {
    fn runtime_name(&self) -> &'static str {
        self.0.runtime_name()
    }
}

impl TimeSource for Nowhere {
    type Instant = embassy::Instant;
    type Sleep = embassy::Sleep;

    fn now(&self) -> Self::Instant {
        self.0.now()
    }
    fn sleep_until(&self, deadline: Self::Instant) -> Self::Sleep {
        self.0.sleep_until(deadline)
    }
    fn unix_time(&self) -> Option<Duration> {
        self.0.unix_time()
    }
}

impl Network for Nowhere {
    type Stream = Silence;

    fn connect(&self, _: &Endpoint<'_>) -> impl Future<Output = Result<Silence, ConnectError>> {
        ready(if black_box(true) { Err(ConnectError::Refused) } else { Ok(Silence) })
    }
    fn check(&self, _: &Endpoint<'_>) -> Result<(), ConnectError> {
        Ok(())
    }
}

impl ByteStream for Silence {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        black_box(buffer);
        black_box(Poll::Pending)
    }
    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        black_box(bytes);
        black_box(Poll::Pending)
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        black_box(Poll::Pending)
    }
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        black_box(Poll::Pending)
    }
}

/// It tries to connect, and says why it could not.
pub async fn work(spawner: Spawner) -> Option<()> {
    let runtime = Nowhere(EmbassyAdapter::new(spawner));
    let broker = MqttConnector::new("mqtt://192.0.2.1").client_id("board");
    // What is published may still come.
    let _alarms = links::ALARM.producer().ok()?;
    let links = links::links()?;
    let tried = runtime.timeout(Duration::from_millis(50), MQTT.run(&runtime, &broker, &links)).await;
    (tried.is_err() && MQTT.status().last_failure.is_some()).then_some(())
}
