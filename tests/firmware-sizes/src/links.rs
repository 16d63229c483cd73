//! Two records with links and no protocol: one's values are published, the other's are received.

use anabranch::{
    Bound, ConnectionState, ConnectorConfig, Decode, DecodeError, Encode, EncodeError, LinkIn, LinkOut, LinkRoutes,
    LinkSet, Links, Outlet, Payload, PublishError, RoutedValue, Routes, embassy::EmbassyAdapter, prelude::*,
};
use core::{
    future::poll_fn,
    hint::black_box,
    pin::pin,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::Poll,
};
use embassy_executor::Spawner;

pub static ALARM: Record<u32, Queue<4>> = Record::unnamed();
static LIMIT: Record<u32, Latest> = Record::unnamed();
static CONNECTION: Record<ConnectionState, Latest> = Record::unnamed();

static ALARM_OUT: LinkOut<Bytes, 4> = LinkOut::new("mqtt://board/alarm").with_encode(Bytes);
static LIMIT_IN: LinkIn<Bytes> = LinkIn::new("mqtt://board/limit").with_decode(Bytes);

static PUBLISHED: AtomicU32 = AtomicU32::new(0);

/// The simplest format that there is.
#[derive(Clone, Copy)]
struct Bytes;

impl Encode<u32> for Bytes {
    fn encode(&self, value: &u32, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        Ok(payload.push(&value.to_le_bytes())?)
    }
    fn field(&self, _: &u32, _: &str, _: &mut Payload<'_>) -> Result<(), EncodeError> {
        Err(EncodeError::new("a number has no fields"))
    }
}

impl Decode<u32> for Bytes {
    fn decode(&self, payload: &[u8], _: &Bound<'_>) -> Result<u32, DecodeError> {
        payload.try_into().map(u32::from_le_bytes).map_err(|_| DecodeError::new("a number has four bytes"))
    }
}

/// What takes everything.
#[derive(Clone, Copy)]
struct Sink;

impl Outlet for Sink {
    fn publish(&self, destination: &str, _: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        if black_box(destination) == "board/alarm" && black_box(payload) == 7_u32.to_le_bytes() {
            PUBLISHED.fetch_add(1, Relaxed);
        }
        Ok(())
    }
    fn watch(&self) -> Option<Consumer<ConnectionState>> {
        CONNECTION.consumer().ok()
    }
}

/// The links, with their ends of the records.
pub fn links() -> Option<impl LinkSet> {
    let (limit, alarm) = (LIMIT.producer().ok()?, ALARM.consumer().ok()?);
    Some(Links::new().link_from(&LIMIT_IN, limit).link_to(&ALARM_OUT, alarm))
}

/// A value comes in, and one goes out.
pub async fn work(spawner: Spawner) -> Option<()> {
    let (runtime, links) = (EmbassyAdapter::new(spawner), links()?);
    links.check(&mut |_, _, _| Ok(())).ok()?;
    let mut limit = LIMIT.consumer().ok()?;
    let routes = LinkRoutes(&links);
    if routes.route(black_box("board/limit"), black_box(&26_u32.to_le_bytes())).is_unrouted() {
        return None;
    }
    let alarm = ALARM.producer().ok()?;
    alarm.send(7).await.ok()?;
    let mut running = pin!(links.run(&runtime, Sink));
    let over = poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx).is_ready())).await;
    (!over && limit.try_recv() == Ok(26) && PUBLISHED.load(Relaxed) == 1).then_some(())
}
