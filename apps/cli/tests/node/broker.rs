//! Brokers and their clients, for tests that wait with their threads: processes are what is tested here.

use anabranch_brokers::{Mosquitto, Observer, PATIENCE, QoS, Setup};
use rustix::process::Signal;
use std::{future::Future, sync::LazyLock};
use tokio::{runtime::Runtime, time::timeout};

/// Where all clients of all tests live.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("there are threads")
});

/// Waits for `work`, on this thread.
fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async { timeout(PATIENCE, work).await.expect("it comes in time") })
}

pub struct Broker(Mosquitto);

/// A client that has subscribed.
pub struct Subscriber(Observer);

/// Subscribes at the broker that listens on `port`.
pub fn subscribe(port: u16, topic: &str) -> Subscriber {
    wait(async {
        let mut observer = Observer::connect(port).await;
        observer.subscribe(topic, QoS::AtLeastOnce).await.expect("the broker is there");
        Subscriber(observer)
    })
}

impl Subscriber {
    /// Waits for the next value: `topic payload`.
    pub fn next(&mut self) -> String {
        let (topic, payload) = wait(self.0.text());
        format!("{topic} {payload}")
    }
}

impl Broker {
    pub fn start() -> Self {
        Broker(wait(Mosquitto::start(Setup::default())))
    }

    /// One that is not there yet: who connects to it is refused until it [comes](Self::comes).
    pub fn absent() -> Self {
        let mut broker = Self::start();
        broker.goes();
        broker
    }

    pub fn comes(&mut self) {
        wait(self.0.start_again());
    }

    pub fn goes(&mut self) {
        wait(self.0.end(Signal::TERM));
    }

    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// A client that has subscribed.
    pub fn subscribe(&self, topic: &str) -> Subscriber {
        subscribe(self.port(), topic)
    }

    pub fn publish(&self, topic: &str, payload: &str) {
        wait(async {
            let mut observer = Observer::connect(self.port()).await;
            observer.publish(topic, QoS::AtLeastOnce, payload).await.expect("the broker is there");
        });
    }

    /// Publishes `{"n": 0}`, `{"n": 1}` and so on, while the test goes on.
    pub fn publish_numbers(&self, topic: &'static str, count: usize) {
        let port = self.port();
        RUNTIME.spawn(async move {
            let numbers = (0..count).map(|n| (topic, format!("{{\"n\": {n}}}")));
            // The test may be over before.
            let _ = Observer::connect(port).await.publish_all(QoS::AtLeastOnce, numbers).await;
        });
    }
}
