//! From a link's bytes to a link's bytes: no allocation for a value of a type without heap, in any format.

use super::{ALLOCATIONS, poll};
use anabranch_core::{
    Anabranch, Bound, BufferCfg, Cbor, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig,
    ConnectorError, ConnectorStatus, Decode, Encode, Json, Payload, Postcard, PublishError, Router, RouterBuilder,
    Running,
};
use anabranch_executor::{
    Duration, JoinError, JoinHandle, Moment, RuntimeAdapter, SpawnDynamically, SpawnError, SpawnStatically, StaticSlot,
    TimeSource,
};
use serde::{Deserialize, Serialize};
use std::{
    future::{Future, Pending, pending},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll, Waker},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    device: u32,
    celsius: f64,
    seq: u64,
}

/// A value of the formats' own test.
const READING: Reading = Reading { device: 7, celsius: 21.537, seq: 9 };

/// The allocations of writing, reading and writing a field, once the payload has its size.
fn of<F: Encode<Reading> + Decode<Reading>>(format: F, bound: Bound<'_>) -> u64 {
    let mut buffer = [0; 64];
    let before = ALLOCATIONS.get();
    let mut payload = Payload::new(&mut buffer);
    format.encode(&READING, &mut payload).expect("it fits");
    assert_eq!(format.decode(payload.written(), &bound), Ok(READING));
    let (mut buffer, name) = ([0; 8], "device");
    format.field(&READING, name, &mut Payload::new(&mut buffer)).expect("there is one");
    ALLOCATIONS.get() - before
}

#[test]
fn a_format_needs_no_allocation() {
    let bound = Bound::new("sensors/{device}", "sensors/7");
    assert_eq!((of(Json, Bound::NONE), of(Json, bound)), (0, 0));
    assert_eq!((of(Cbor, Bound::NONE), of(Cbor, bound)), (0, 0));
    assert_eq!(of(Postcard, Bound::NONE), 0);
}

#[test]
fn a_value_passes_from_link_to_link_without_an_allocation() {
    let runtime = Polled::default();
    let wire = Wire::default();
    let ring = BufferCfg::SpmcRing { capacity: 4 };
    let building = Anabranch::builder()
        .runtime(runtime.clone())
        .configure::<Reading>("json", |r| {
            r.with_buffer(ring);
            r.link_from("wire://json/{device}").with_json().link_to("wire://out/{device}").with_json();
        })
        .configure::<Reading>("cbor", |r| {
            r.with_buffer(ring);
            r.link_from("wire://cbor/{device}").with_cbor().link_to("wire://out/{device}").with_cbor();
        })
        .configure::<Reading>("postcard", |r| {
            r.with_buffer(ring);
            r.link_from("wire://postcard").with_postcard().link_to("wire://out/{device}").with_postcard();
        })
        .with_connector(wire.clone())
        .build();
    let Poll::Ready(Ok(db)) = poll(building) else { panic!("it can be built") };
    db.start();
    runtime.run();
    let router = wire.router.get().expect("it was built");

    let mut payloads = [[0; 64]; 3];
    let [json, cbor, postcard] = &mut payloads;
    let payloads = [
        ("json/7", written(&Json, json)),
        ("cbor/7", written(&Cbor, cbor)),
        ("postcard", written(&Postcard, postcard)),
    ];
    let round = || {
        for (address, payload) in payloads {
            assert_eq!(router.route(address, payload).delivered(), 1);
            runtime.run();
            let mut sent = wire.sent.lock().expect("no test panics in here");
            assert_eq!((sent.values, &*sent.destination, &*sent.payload), (1, "out/7", payload));
            sent.values = 0;
        }
    };
    // The first value of a link gives its buffers their size.
    (0..3).for_each(|_| round());
    let before = ALLOCATIONS.get();
    (0..100).for_each(|_| round());
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

fn written<'b>(format: &impl Encode<Reading>, buffer: &'b mut [u8; 64]) -> &'b [u8] {
    let mut payload = Payload::new(&mut buffer[..]);
    format.encode(&READING, &mut payload).expect("it fits");
    let length = payload.written().len();
    &buffer[..length]
}

/// A connector that is always connected, and keeps what was last sent.
#[derive(Clone, Default)]
struct Wire {
    router: Arc<OnceLock<Router>>,
    connection: Arc<Connection>,
    sent: Arc<Mutex<Sent>>,
}

#[derive(Default)]
struct Sent {
    values: usize,
    destination: String,
    payload: Vec<u8>,
}

impl ConnectorBuilder<Polled> for Wire {
    fn scheme(&self) -> &str {
        "wire"
    }

    fn build(&self, db: &Anabranch<Polled>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        self.router.get_or_init(|| RouterBuilder::from_routes(db.collect_inbound_routes("wire")).build());
        self.connection.says(ConnectionState::Online);
        Ok(Arc::new(self.clone()))
    }
}

impl Connector for Wire {
    fn publish(&self, destination: &str, _: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        let mut sent = self.sent.lock().expect("no test panics in here");
        sent.values += 1;
        sent.destination.clear();
        sent.destination.push_str(destination);
        sent.payload.clear();
        sent.payload.extend_from_slice(payload);
        Ok(())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(pending())
    }

    fn close(&self) {}

    fn status(&self) -> ConnectorStatus {
        ConnectorStatus::new("wire", "a test")
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime whose tasks are polled by hand, all of them, and whose clock stands still: it allocates nothing of its own.
#[derive(Clone, Default)]
struct Polled(Arc<Mutex<Vec<Task>>>);

impl Polled {
    /// Polls every task often enough that what one does reaches the others.
    fn run(&self) {
        for _ in 0..3 {
            let mut tasks = mem::take(&mut *self.0.lock().expect("no test panics in here"));
            tasks.retain_mut(|task| task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let mut all = self.0.lock().expect("no test panics in here");
            let mut spawned = mem::replace(&mut *all, tasks);
            all.append(&mut spawned);
        }
    }
}

struct Joins<T>(Arc<Mutex<Option<T>>>);

impl<T> Future for Joins<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.lock().expect("no test panics in here").take().map_or(Poll::Pending, |value| Poll::Ready(Ok(value)))
    }
}

impl<T: Send + 'static> JoinHandle<T> for Joins<T> {
    fn abort(&self) {}
}

impl RuntimeAdapter for Polled {
    fn runtime_name(&self) -> &'static str {
        "polled by hand"
    }
}

impl SpawnDynamically for Polled {
    type JoinHandle<T: Send + 'static> = Joins<T>;

    fn spawn<F>(&self, future: F) -> Joins<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let ended = Arc::new(Mutex::new(None));
        let joins = Joins(ended.clone());
        let task = async move {
            let output = future.await;
            *ended.lock().expect("no test panics in here") = Some(output);
        };
        self.0.lock().expect("no test panics in here").push(Box::pin(task));
        joins
    }
}

impl SpawnStatically for Polled {
    type Storage<F: Future<Output = ()> + Send + 'static> = ();

    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        _: &'static StaticSlot<WORDS>,
        _: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Err(SpawnError::WrongType)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Standing;

impl Moment for Standing {
    fn after(self, _: Duration) -> Self {
        self
    }

    fn since(self, _: Self) -> Duration {
        Duration::ZERO
    }
}

impl TimeSource for Polled {
    type Instant = Standing;
    type Sleep = Pending<()>;

    fn now(&self) -> Standing {
        Standing
    }

    fn sleep_until(&self, _: Standing) -> Pending<()> {
        pending()
    }

    fn unix_time(&self) -> Option<Duration> {
        None
    }
}
