//! What every connector promises, asked of MQTT and a real broker.

use crate::links::to;
use anabranch_brokers::{Mosquitto, Observed, Observer, Persistence, QoS, Setup, on_both_flavours};
use anabranch_conformance::{ConnectorFixture, Tally, run_connectors};
use anabranch_core::ConnectorBuilder;
use anabranch_tokio::TokioAdapter;
use tokio::sync::{Mutex, mpsc};

struct Broker {
    runtime: TokioAdapter,
    port: u16,
    peer: Mutex<Peer>,
    sees: mpsc::UnboundedSender<Observed>,
    seen: Mutex<mpsc::UnboundedReceiver<Observed>>,
}

struct Peer {
    broker: Mosquitto,
    sends: Option<Observer>,
}

/// The session of the one that sees: it is remembered, so that nothing escapes it while it is away.
const SESSION: Persistence<'static> = Persistence::Of("the suite");

impl Broker {
    async fn new() -> Self {
        let broker = Mosquitto::start(Setup::default().remembers()).await;
        let runtime = TokioAdapter::current().expect("inside a runtime");
        let port = broker.port();
        let (sees, seen) = mpsc::unbounded_channel();
        let it = Self { runtime, port, peer: Mutex::new(Peer { broker, sends: None }), sees, seen: Mutex::new(seen) };
        it.look().await;
        it
    }

    /// Looks at all that arrives, until the broker is stopped.
    async fn look(&self) {
        let mut observer = Observer::remembered(self.port, SESSION).await;
        observer.subscribe("case/#", QoS::AtLeastOnce).await.expect("a subscription");
        let sees = self.sees.clone();
        tokio::spawn(async move {
            while let Some(value) = observer.next().await {
                if sees.send(value).is_err() {
                    return;
                }
            }
        });
    }
}

impl ConnectorFixture for Broker {
    type Runtime = TokioAdapter;

    fn runtime(&self) -> &TokioAdapter {
        &self.runtime
    }

    fn connector(&self, name: Option<&str>) -> impl ConnectorBuilder<TokioAdapter> {
        let connector = to(format!("mqtt://127.0.0.1:{}", self.port));
        match name {
            Some(name) => connector.name(name),
            None => connector,
        }
    }

    fn scheme(&self) -> &str {
        "mqtt"
    }

    fn at_least_once(&self) -> Option<u8> {
        Some(1)
    }

    async fn start(&self) {
        let mut peer = self.peer.lock().await;
        if !peer.broker.is_running() {
            peer.broker.start_again().await;
            self.look().await;
        }
    }

    async fn stop(&self) {
        let mut peer = self.peer.lock().await;
        if peer.broker.is_running() {
            peer.sends = None;
            peer.broker.stop().await;
        }
    }

    async fn send(&self, address: &str, payload: &[u8]) {
        let mut peer = self.peer.lock().await;
        if peer.sends.is_none() {
            peer.sends = Some(Observer::connect(self.port).await);
        }
        let sends = peer.sends.as_mut().expect("it was just made");
        sends.publish(address, QoS::AtLeastOnce, payload).await.expect("the broker takes it");
    }

    async fn received(&self) -> (String, Vec<u8>) {
        let value = self.seen.lock().await.recv().await.expect("this holds the other end");
        (value.topic, value.payload)
    }
}

#[test]
fn mqtt_through_mosquitto_is_a_connector() {
    on_both_flavours(async || {
        let broker = Broker::new().await;
        let mut tally = Tally::new(|line| println!("{line}"));
        run_connectors(&broker, &mut tally).await;
        assert!(tally.finish());
    });
}
